//! Housekeeping under a server that is in use.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use end_to_end::database::Database;
use end_to_end::flow::{
    arrive_by_cookie, code_of, exchange_native, native_tokens, refresh, text, transfer_token,
};
use end_to_end::operator::Operator;
use end_to_end::{Login, TestServer, seed};
use idp::hash_credential;
use model::{Clock, PendingAuthorization, PendingAuthorizationId, SystemClock, Tenant, TenantId, Timestamp};
use postern::housekeeping::{Housekeeping, Settings};
use serde_json::Map;
use storage::{Storage, TenantTx};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// One whole sweep at the server's time.
async fn keep_house(server: &TestServer) {
    let mut sweep = server.idp.storage.sweep(server.clock.now(), 30 * DAY, 10);
    while sweep.next().await.unwrap().is_some() {}
}

#[tokio::test]
async fn replays_are_known_after_a_sweep() {
    let server = TestServer::start().await;
    let browser = server.client();
    let family = async || {
        let code = Login::native().code(&browser, seed::ADA).await;
        let first = text(&exchange_native(&browser, &code).await.expect(200).json(), "refresh_token");
        let second = text(&refresh(&browser, seed::NATIVE, &first).await.expect(200).json(), "refresh_token");
        (code, first, second)
    };
    let (code, _, of_code) = family().await;
    browser.set_cookie("auth0", "another browser");
    let (_, spent, of_spent) = family().await;
    browser.set_cookie("auth0", "another browser");
    let (_, _, untouched) = family().await;
    let web = server.client();
    let (transfer, native) =
        transfer_token(&browser, &native_tokens(&server.client(), seed::ADA).await).await;
    code_of(&arrive_by_cookie(&web, &transfer).await);
    let form = [("client_id", seed::NATIVE), ("token", native.as_str())];
    browser.post_form("/oauth/revoke", &form).await.expect(200);

    server.clock.advance_secs(2 * HOUR);
    keep_house(&server).await;
    exchange_native(&browser, &code).await.expect_error(403, "invalid_grant");
    refresh(&browser, seed::NATIVE, &of_code).await.expect_error(403, "invalid_grant");
    refresh(&browser, seed::NATIVE, &spent).await.expect_error(403, "invalid_grant");
    refresh(&browser, seed::NATIVE, &of_spent).await.expect_error(403, "invalid_grant");
    assert!(server.log_codes().await.contains(&"ferrt".to_owned()));
    // What was made from a revoked token is over, and the rest goes on.
    let silent = Login::web().with("prompt", "none").begin(&web).await;
    assert_eq!(silent.location_parameter("error").as_deref(), Some("login_required"), "{silent:?}");
    let next = text(&refresh(&browser, seed::NATIVE, &untouched).await.expect(200).json(), "refresh_token");
    Login::web().code_of_session(&browser).await;

    // When all have ended, nothing of them is left, and a login works as on the first day.
    server.clock.advance_secs(400 * DAY);
    keep_house(&server).await;
    keep_house(&server).await;
    let mut tx = server.idp.storage.begin_read(&server.acme()).await.unwrap();
    assert!(tx.code(&hash_credential(&code)).await.unwrap().is_none());
    assert!(tx.refresh_token_use(&hash_credential(&next), server.clock.now()).await.unwrap().is_none());
    assert_eq!((tx.logs(10).await.unwrap().len(), tx.executions(10).await.unwrap().len()), (0, 0));
    drop(tx);
    native_tokens(&server.client(), seed::ADA).await;
}

/// Logins that were begun and not completed.
async fn abandon_logins(tx: &mut TenantTx, count: usize, expires_at: Timestamp) {
    for number in 0..count {
        let pending = PendingAuthorization {
            id: PendingAuthorizationId::new(format!("{number}")),
            suspended: None,
            request: model::AuthorizationRequest {
                client_id: model::ClientId::new(seed::NATIVE),
                device_code_hash: None,
                redirect_uri: seed::NATIVE_CALLBACK.to_owned(),
                redirect_uri_was_sent: true,
                audience: None,
                scope: Vec::new(),
                consented: None,
                requested_scopes: Vec::new(),
                state: None,
                nonce: None,
                code_challenge: None,
                dpop_jkt: None,
                prompt: Vec::new(),
                max_age: None,
                login_hint: None,
                hinted_user: None,
                acr_values: Vec::new(),
                ui_locales: Vec::new(),
                correlation_id: None,
                organization_id: None,
                response_mode: None,
                query: Map::new(),
            },
            created_at: expires_at,
            expires_at,
        };
        tx.insert_pending(&pending, &format!("handle {number}"), "browser").await.unwrap();
    }
}

async fn is_clean(storage: &Storage, now: Timestamp) -> bool {
    storage.ended_rows(now, 30 * DAY, 1).await.unwrap().is_empty()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn logins_go_on_during_a_sweep_of_many_rows() {
    const ROWS: usize = 5_000;
    let server = Arc::new(TestServer::start().await);
    let storage = server.idp.storage.clone();
    let mut tx = storage.begin(&server.acme()).await.unwrap();
    abandon_logins(&mut tx, ROWS, Timestamp::from_ms(server.clock.now().as_ms() - DAY * 1000)).await;
    tx.commit().await.unwrap();
    let ended = Arc::new(AtomicBool::new(false));
    let users: Vec<_> = (0..3)
        .map(|_| {
            let (server, ended) = (Arc::clone(&server), Arc::clone(&ended));
            tokio::spawn(async move {
                let browser = server.client();
                let mut token = text(&native_tokens(&browser, seed::ADA).await, "refresh_token");
                let mut logins = 0;
                while !ended.load(Ordering::SeqCst) || logins == 0 {
                    Login::web().code_of_session(&browser).await;
                    let next = refresh(&browser, seed::NATIVE, &token).await.expect(200).json();
                    token = text(&next, "refresh_token");
                    logins += 1;
                }
                logins
            })
        })
        .collect();
    let settings = Settings {
        interval: Duration::from_secs(3600),
        batch_rows: 20,
        pause: Duration::from_millis(1),
        log_secs: 30 * DAY,
    };
    let housekeeping = Housekeeping::start(storage.clone(), server.clock.clone(), settings);
    let clean = async {
        while !is_clean(&storage, server.clock.now()).await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), clean).await.expect("the sweep ends");
    ended.store(true, Ordering::SeqCst);
    for user in users {
        assert!(user.await.expect("all logins were good") > 0);
    }
    housekeeping.stop().await;
}

// On the real program, which begins with a sweep.
#[tokio::test]
async fn a_server_removes_what_doctor_has_found_waiting() {
    let database = Database::fresh().await;
    let operator = Operator::of(&database);
    let storage = database.open().await;
    let now = SystemClock.now();
    let tenant = Tenant {
        id: TenantId::new("acme"),
        friendly_name: "Acme".to_owned(),
        default_audience: None,
        allowed_logout_urls: Vec::new(),
        sessions: model::SessionSettings::default(),
        flags: model::TenantFlags::default(),
        created_at: now,
        settings_version: 0,
    };
    storage.put_tenant(&tenant).await.unwrap();
    let mut tx = storage.begin(&tenant.id).await.unwrap();
    abandon_logins(&mut tx, 3, now.plus_secs(-2 * DAY)).await;
    tx.commit().await.unwrap();
    let doctor = operator.run(&["doctor"]).await;
    // The tenant has no key.
    assert!(
        doctor.expect(1).stdout.contains("waiting for more than a day: pending_authorizations 3"),
        "{doctor:?}"
    );

    let server = operator.serve().await.unwrap();
    let clean = async {
        while !is_clean(&storage, now).await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), clean).await.expect("the server keeps house");
    drop(server);
    let doctor = operator.run(&["doctor"]).await;
    assert!(doctor.stdout.contains("ended rows") && !doctor.stdout.contains("waiting for"), "{doctor:?}");
}
