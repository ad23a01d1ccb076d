use std::collections::BTreeMap;

use model::LogoutInitiator::RpLogout;
use model::{
    ClientId, DeviceDecision, FactorType, PendingAuthorization, PendingAuthorizationId, RefreshTokenId,
    RoleId, SessionId, SigningKeyState, SubjectType, UserId,
};
use serde_json::{Map, json};

pub use super::actions::*;
pub use super::authenticators::*;
use super::directory;
use super::fixtures::*;
pub use super::housekeeping::*;
pub use super::logouts::*;
pub use super::logs::*;
use super::managed;
pub use super::managed::{
    client_grants_are_listed_in_pages_and_filtered, clients_are_listed_in_pages_and_filtered,
    connections_are_listed_in_pages_and_filtered, what_gets_an_effect_is_moved_to_what_a_client_is,
};
pub use super::permissions::*;
pub use super::refresh_tokens::*;
pub use super::settings::*;
pub use super::user_search::*;
use crate::{RefreshTokens, Sessions, Storage, TenantTx};

/// Stores one value of each kind in the tenant, and checks that each comes back as it was.
pub async fn every_kind_comes_back_as_it_was_stored(storage: &Storage) {
    with_tenants(storage).await;
    assert_eq!(storage.tenant(&acme()).await.unwrap(), Some(tenant(&acme())));
    assert_eq!(storage.tenants().await.unwrap(), [tenant(&acme()), tenant(&other())]);
    let mut tx = storage.begin(&acme()).await.unwrap();
    fill(&mut tx).await;
    tx.commit().await.unwrap();
    let mut tx = storage.begin_read(&acme()).await.unwrap();
    check_all(&mut tx).await;
    assert_eq!(storage.artifact("sha256:1").await.unwrap(), Some(("{}".to_owned(), vec![0, 159, 255])));
    assert_eq!(storage.artifact("sha256:2").await.unwrap(), None);
}

pub async fn fill(tx: &mut TenantTx) {
    tx.put_client(&client()).await.unwrap();
    tx.put_resource_server(&resource_server()).await.unwrap();
    tx.put_client_grant(&managed_client_grant()).await.unwrap();
    tx.put_connection(&connection()).await.unwrap();
    tx.put_user(&user()).await.unwrap();
    for (id, name) in [("rol_1", "writer"), ("rol_2", "admin")] {
        tx.put_role(&role(id, name)).await.unwrap();
        tx.assign_role(&user_id(), &RoleId::new(id)).await.unwrap();
        tx.assign_role(&user_id(), &RoleId::new(id)).await.unwrap();
    }
    directory::fill(tx).await;
    managed::fill(tx).await;
    tx.insert_session(&session("session", Some("rt_1")), "session-secret", ISSUER).await.unwrap();
    tx.insert_pending(&pending(), "handle", "browser").await.unwrap();
    assert!(tx.insert_device_code("device", "user-code", &device_code()).await.unwrap());
    tx.insert_pushed_request("pushed", &pushed_request()).await.unwrap();
    assert!(tx.begin_authenticator(&authenticator(), None).await.unwrap());
    tx.insert_mfa_token("mfa-token", &mfa_token()).await.unwrap();
    tx.insert_code("code", &code("session")).await.unwrap();
    tx.insert_refresh_token(&refresh_token("rt_1"), "refresh-secret").await.unwrap();
    tx.insert_session_transfer_token("transfer", &session_transfer_token()).await.unwrap();
    tx.insert_access_token("access", &access_token()).await.unwrap();
    tx.put_artifact("sha256:1", "{}", &[0, 159, 255]).await.unwrap();
    tx.put_artifact("sha256:1", "{}", &[0, 159, 255]).await.unwrap();
    super::actions::fill(tx).await;
    tx.insert_execution("transaction", &execution("run", 1)).await.unwrap();
    tx.insert_log(&log_entry("one")).await.unwrap();
    tx.put_signing_key(&signing_key("kid", SigningKeyState::Current)).await.unwrap();
    tx.hit_rate_limit("login", 60, now()).await.unwrap();
}

pub async fn check_all(tx: &mut TenantTx) {
    assert_eq!(tx.client(&client_id()).await.unwrap(), Some(client()));
    assert_eq!(tx.clients().await.unwrap(), [client()]);
    assert_eq!(tx.resource_server("https://api.acme.test/").await.unwrap(), Some(resource_server()));
    assert!(tx.has_introspecting_client("https://api.acme.test/").await.unwrap());
    assert!(!tx.has_introspecting_client("https://api.acme.test").await.unwrap());
    let api = "https://api.acme.test/";
    assert_eq!(
        tx.client_grant(Some(&client_id()), api, SubjectType::Client).await.unwrap(),
        Some(managed_client_grant())
    );
    assert_eq!(tx.client_grant(Some(&client_id()), api, SubjectType::User).await.unwrap(), None);
    assert_eq!(tx.connection(&connection_id()).await.unwrap(), Some(connection()));
    assert_eq!(tx.connection_by_name(&connection().name).await.unwrap(), Some(connection()));
    assert_eq!(tx.connections().await.unwrap(), [connection()]);
    assert_eq!(tx.user(&user_id()).await.unwrap(), Some(user()));
    let roles: Vec<String> =
        tx.roles_of(&user_id()).await.unwrap().into_iter().map(|role| role.name).collect();
    assert_eq!(roles, ["admin", "writer"]);
    directory::check(tx).await;
    managed::check(tx).await;
    let stored = Some(session("session", Some("rt_1")));
    assert_eq!(tx.session(&SessionId::new("session")).await.unwrap(), stored);
    assert_eq!(tx.session_by_secret("session-secret").await.unwrap(), stored);
    assert_eq!(tx.pending("handle", "browser", now()).await.unwrap(), Some(pending()));
    assert_eq!(tx.authenticators_of(&user_id()).await.unwrap(), [authenticator()]);
    assert_eq!(tx.mfa_token("mfa-token").await.unwrap(), Some(mfa_token()));
    assert_eq!(tx.code("code").await.unwrap(), Some((code("session"), None)));
    assert_eq!(tx.waiting_device("user-code", now()).await.unwrap(), Some(device_code()));
    assert_eq!(tx.refresh_token(&RefreshTokenId::new("rt_1")).await.unwrap(), Some(refresh_token("rt_1")));
    let found = tx.refresh_token_use("refresh-secret", now()).await.unwrap().unwrap();
    assert_eq!((found.token, found.spent_at, found.newer_secrets), (refresh_token("rt_1"), None, 0));
    assert_eq!(tx.access_token("access").await.unwrap(), Some(access_token()));
    super::actions::check(tx).await;
    assert_eq!(tx.executions(10).await.unwrap()[0].execution, execution("run", 1));
    assert_eq!(tx.execution("run").await.unwrap()[0].transaction_id, "transaction");
    let log = tx.logs(10).await.unwrap().remove(0);
    assert_eq!((log.code.as_str(), log.client_id, log.user_id), ("s", Some(client_id()), None));
    assert_eq!((log.description.as_str(), log.details, log.date), ("one", json!({"a": 1}), now()));
    assert_eq!(tx.signing_keys().await.unwrap(), [signing_key("kid", SigningKeyState::Current)]);
}

pub async fn another_tenants_rows_are_invisible_and_untouchable(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    fill(&mut tx).await;
    tx.commit().await.unwrap();

    // In a transaction of its own: on PostgreSQL, the first error ends it.
    let mut tx = storage.begin(&other()).await.unwrap();
    assert!(tx.assign_role(&user_id(), &RoleId::new("rol_1")).await.is_err());
    drop(tx);

    let mut tx = storage.begin(&other()).await.unwrap();
    let rt = RefreshTokenId::new("rt_1");
    let sid = SessionId::new("session");
    assert_eq!(tx.client(&client_id()).await.unwrap(), None);
    assert!(tx.clients().await.unwrap().is_empty());
    assert_eq!(tx.resource_server("https://api.acme.test/").await.unwrap(), None);
    assert!(!tx.has_introspecting_client("https://api.acme.test/").await.unwrap());
    assert_eq!(
        tx.client_grant(Some(&client_id()), "https://api.acme.test/", SubjectType::Client).await.unwrap(),
        None
    );
    assert_eq!(tx.connection(&connection_id()).await.unwrap(), None);
    assert_eq!(tx.connection_by_name(&connection().name).await.unwrap(), None);
    assert!(tx.connections().await.unwrap().is_empty());
    assert_eq!(tx.user(&user_id()).await.unwrap(), None);
    assert_eq!(tx.user_by_login(&connection_id(), "ann").await.unwrap(), None);
    assert!(tx.roles_of(&user_id()).await.unwrap().is_empty());
    directory::check_hidden(&mut tx).await;
    managed::check_hidden(&mut tx).await;
    tx.record_login(&user_id(), at(1), "198.51.100.1").await.unwrap();
    tx.set_user_metadata(&user_id(), &Map::new(), &Map::new(), at(1)).await.unwrap();
    tx.set_password_hash(&user_id(), "x").await.unwrap();
    assert_eq!(tx.session(&sid).await.unwrap(), None);
    assert_eq!(tx.session_by_secret("session-secret").await.unwrap(), None);
    assert!(!tx.update_session(&session("session", None), Some("stolen"), now()).await.unwrap());
    assert_eq!(tx.revoke_sessions(Sessions::One(&sid), RpLogout, now()).await.unwrap(), 0);
    assert_eq!(tx.pending("handle", "browser", now()).await.unwrap(), None);
    assert_eq!(tx.spend_pending("handle", "browser", now()).await.unwrap(), None);
    assert_eq!(tx.spend_pushed_request("pushed", &client_id(), now()).await.unwrap(), None);
    assert!(tx.authenticators_of(&user_id()).await.unwrap().is_empty());
    let otp = FactorType::Otp;
    assert!(!tx.confirm_authenticator(&user_id(), otp, "login", 1, now()).await.unwrap());
    assert!(!tx.delete_authenticator(&user_id(), otp).await.unwrap());
    assert_eq!(tx.mfa_token("mfa-token").await.unwrap(), None);
    assert!(!tx.spend_mfa_token("mfa-token", now()).await.unwrap());
    assert_eq!(tx.waiting_device("user-code", now()).await.unwrap(), None);
    assert_eq!(tx.poll_device_code("device", &client_id(), now(), at(5)).await.unwrap(), None);
    assert!(!tx.has_device_code("device", &client_id()).await.unwrap());
    assert_eq!(tx.approve_device_code("device", now()).await.unwrap(), None);
    assert!(!tx.deny_device_code("device", "no", now()).await.unwrap());
    assert!(!tx.tell_device_expiry("device", now()).await.unwrap());
    assert_eq!(tx.code("code").await.unwrap(), None);
    assert!(
        !tx.spend_code("code", &code("session"), Some(&rt), Some("another"), 200, now())
            .await
            .unwrap()
            .is_first
    );
    tx.delete_access_token_of_code("code").await.unwrap();
    assert_eq!(tx.refresh_token(&rt).await.unwrap(), None);
    assert_eq!(tx.refresh_token_use("refresh-secret", now()).await.unwrap(), None);
    assert!(!tx.record_exchange(&refresh_token("rt_1"), true, now()).await.unwrap());
    assert_eq!(tx.revoke_refresh_tokens(RefreshTokens::One(&rt), RpLogout, now()).await.unwrap(), 0);
    assert_eq!(tx.revoke_refresh_tokens(RefreshTokens::OfSession(&sid), RpLogout, now()).await.unwrap(), 0);
    assert_eq!(tx.oldest_refresh_token(&user_id(), &client_id(), now()).await.unwrap(), None);
    assert_eq!(tx.spend_session_transfer_token("transfer", now()).await.unwrap(), None);
    assert_eq!(tx.access_token("access").await.unwrap(), None);
    assert!(tx.actions().await.unwrap().is_empty());
    assert!(tx.bindings().await.unwrap().is_empty());
    assert!(tx.executions(10).await.unwrap().is_empty());
    assert!(tx.logs(10).await.unwrap().is_empty());
    assert!(tx.signing_keys().await.unwrap().is_empty());
    tx.delete_signing_key("kid").await.unwrap();
    assert_eq!(tx.hit_rate_limit("login", 60, now()).await.unwrap(), 1);
    tx.clear_rate_limit("login").await.unwrap();
    // With a token of this tenant, so that nothing but the secret's tenant is in the way.
    tx.insert_refresh_token(&refresh_token("rt_here"), "here").await.unwrap();
    let token = refresh_token("rt_here");
    let rotation = tx.rotate_refresh_token(&token, "refresh-secret", ("next", 2), now()).await.unwrap();
    assert_eq!((rotation.is_first, rotation.is_alive), (false, true));
    // The same ids and secrets are free here.
    fill(&mut tx).await;
    tx.commit().await.unwrap();

    let mut tx = storage.begin(&acme()).await.unwrap();
    check_all(&mut tx).await;
    assert!(tx.spend_session_transfer_token("transfer", now()).await.unwrap().is_some());
    assert_eq!(tx.hit_rate_limit("login", 60, now()).await.unwrap(), 2);
}

/// What 64 tasks race for.
#[derive(Debug, Clone, Copy)]
enum Spent {
    Code,
    TransferToken,
    RefreshSecret,
    Pending,
    JwtId,
    PushedRequest,
    Device,
}

pub async fn of_64_concurrent_tasks_one_spends_a_single_use_value(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    fill(&mut tx).await;
    tx.commit().await.unwrap();
    for kind in [
        Spent::Code,
        Spent::TransferToken,
        Spent::RefreshSecret,
        Spent::Pending,
        Spent::PushedRequest,
        Spent::JwtId,
        Spent::Device,
    ] {
        let tasks: Vec<_> = (0..64)
            .map(|_| {
                let storage = storage.clone();
                tokio::spawn(async move {
                    let mut tx = storage.begin(&acme()).await.unwrap();
                    let won = match kind {
                        Spent::Code => {
                            let code = code("session");
                            tx.spend_code("code", &code, None, None, 200, now()).await.unwrap().is_first
                        }
                        Spent::TransferToken => {
                            tx.spend_session_transfer_token("transfer", now()).await.unwrap()
                                == Some(session_transfer_token())
                        }
                        Spent::RefreshSecret => {
                            let (token, next) = (refresh_token("rt_1"), ("next", 2));
                            let rotation =
                                tx.rotate_refresh_token(&token, "refresh-secret", next, now()).await.unwrap();
                            assert!(rotation.is_alive);
                            rotation.is_first
                        }
                        Spent::Pending => {
                            tx.spend_pending("handle", "browser", now()).await.unwrap() == Some(pending())
                        }
                        Spent::Device => {
                            tx.approve_device_code("device", now()).await.unwrap() == Some(at(900))
                        }
                        Spent::PushedRequest => {
                            tx.spend_pushed_request("pushed", &client_id(), now()).await.unwrap()
                                == Some(pushed_request().parameters)
                        }
                        Spent::JwtId => tx.spend_jwt_id("jti", at(60)).await.unwrap(),
                    };
                    tx.commit().await.unwrap();
                    usize::from(won)
                })
            })
            .collect();
        let mut winners = 0;
        for task in tasks {
            winners += task.await.unwrap();
        }
        assert_eq!(winners, 1, "{kind:?}");
    }
    let mut tx = storage.begin_read(&acme()).await.unwrap();
    assert_eq!(tx.code("code").await.unwrap().unwrap().1, Some(now()));
    assert_eq!(tx.refresh_token_use("refresh-secret", now()).await.unwrap().unwrap().spent_at, Some(now()));
    assert_eq!(tx.pending("handle", "browser", now()).await.unwrap(), None);
}

pub async fn a_spend_that_is_not_committed_did_not_happen(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    fill(&mut tx).await;
    tx.commit().await.unwrap();
    let mut tx = storage.begin(&acme()).await.unwrap();
    assert!(tx.spend_code("code", &code("session"), None, None, 200, now()).await.unwrap().is_first);
    drop(tx);
    let mut tx = storage.begin(&acme()).await.unwrap();
    assert!(tx.spend_code("code", &code("session"), None, None, 200, now()).await.unwrap().is_first);
}

pub async fn a_login_under_way_is_for_its_browser_and_its_time(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    tx.insert_pending(&pending(), "handle", "browser").await.unwrap();
    for (handle, browser, moment) in
        [("handle", "another", now()), ("another", "browser", now()), ("handle", "browser", at(600))]
    {
        assert_eq!(tx.pending(handle, browser, moment).await.unwrap(), None);
        assert_eq!(tx.spend_pending(handle, browser, moment).await.unwrap(), None);
    }
    assert_eq!(tx.spend_pending("handle", "browser", at(599)).await.unwrap(), Some(pending()));
    // The browser leaves for an Action, and comes back with another handle.
    let suspended =
        PendingAuthorization { suspended: Some(json!({"at": 1})), expires_at: at(900), ..pending() };
    tx.suspend_pending(&suspended, "second", "browser").await.unwrap();
    assert_eq!(tx.pending("handle", "browser", now()).await.unwrap(), None);
    assert_eq!(tx.spend_pending("second", "browser", at(899)).await.unwrap(), Some(suspended.clone()));
    assert_eq!(tx.spend_pending("second", "browser", at(899)).await.unwrap(), None);
    let first = PendingAuthorization { id: PendingAuthorizationId::new("other"), ..suspended };
    tx.suspend_pending(&first, "third", "browser").await.unwrap();
    tx.suspend_pending(&first, "stolen", "browser").await.unwrap();
    assert_eq!(
        tx.pending("stolen", "browser", now()).await.unwrap(),
        None,
        "only who has spent it suspends it"
    );
    assert_eq!(tx.pending("third", "browser", now()).await.unwrap(), Some(first));
}

pub async fn a_pushed_request_is_for_its_client_and_its_time(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    tx.insert_pushed_request("pushed", &pushed_request()).await.unwrap();
    let another = ClientId::new("another");
    for (hash, client, moment) in
        [("x", client_id(), now()), ("pushed", another, now()), ("pushed", client_id(), at(30))]
    {
        assert_eq!(tx.spend_pushed_request(hash, &client, moment).await.unwrap(), None);
    }
    let spent = tx.spend_pushed_request("pushed", &client_id(), at(29)).await.unwrap();
    assert_eq!(spent, Some(pushed_request().parameters));
}

pub async fn a_device_waits_until_it_has_one_answer(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    assert!(tx.insert_device_code("device", "user-code", &device_code()).await.unwrap());
    assert!(!tx.insert_device_code("another", "user-code", &device_code()).await.unwrap(), "taken");
    assert_eq!(tx.waiting_device("user-code", at(900)).await.unwrap(), None);

    // One poll in each interval; another client's counts for nothing.
    assert_eq!(tx.poll_device_code("device", &ClientId::new("x"), at(1), at(6)).await.unwrap(), None);
    assert!(!tx.has_device_code("device", &ClientId::new("x")).await.unwrap());
    assert_eq!(tx.poll_device_code("device", &client_id(), at(1), at(6)).await.unwrap(), Some(device_code()));
    assert_eq!(tx.poll_device_code("device", &client_id(), at(5), at(10)).await.unwrap(), None);
    assert!(tx.has_device_code("device", &client_id()).await.unwrap());

    assert_eq!(tx.approve_device_code("device", at(900)).await.unwrap(), None);
    assert!(!tx.deny_device_code("device", "no", at(900)).await.unwrap());
    assert!(tx.deny_device_code("device", "no", at(899)).await.unwrap());
    assert_eq!(tx.approve_device_code("device", at(899)).await.unwrap(), None);
    let denied = tx.poll_device_code("device", &client_id(), at(6), at(11)).await.unwrap().unwrap();
    assert_eq!(denied.decision, DeviceDecision::Denied { reason: "no".to_owned() });
    assert!(tx.tell_device_expiry("device", at(900)).await.unwrap());
    assert!(!tx.tell_device_expiry("device", at(901)).await.unwrap());

    assert!(tx.insert_device_code("second", "second-user-code", &device_code()).await.unwrap());
    assert_eq!(tx.approve_device_code("second", at(1)).await.unwrap(), Some(at(900)));
    assert!(!tx.deny_device_code("second", "no", at(1)).await.unwrap());
    assert_eq!(tx.waiting_device("second-user-code", at(1)).await.unwrap(), None);
    let approved = tx.poll_device_code("second", &client_id(), at(1), at(6)).await.unwrap().unwrap();
    assert_eq!(approved.decision, DeviceDecision::Approved);
}

pub async fn a_session_is_updated_while_it_lives_only(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    for id in ["live", "revoked", "idle"] {
        tx.insert_session(&session(id, None), &format!("{id}-secret"), ISSUER).await.unwrap();
    }
    let mut changed = session("live", None);
    changed.updated_at = at(10);
    changed.authenticated_at = at(10);
    changed.last_interacted_at = at(10);
    changed.expires_at = at(900);
    changed.idle_expires_at = at(110);
    changed.device.last_ip = Some("198.51.100.9".to_owned());
    changed.methods.push(model::AuthenticationMethod::new("pwd", at(10)));
    changed.clients.push(client_id());
    changed.cookie_mode = model::CookieMode::Persistent;
    changed.idle_lifetime_secs = 90;
    assert!(tx.update_session(&changed, None, at(10)).await.unwrap());
    assert_eq!(tx.session_by_secret("live-secret").await.unwrap(), Some(changed.clone()));
    assert!(tx.update_session(&changed, Some("new-secret"), at(10)).await.unwrap());
    assert_eq!(tx.session_by_secret("live-secret").await.unwrap(), None);
    assert_eq!(tx.session_by_secret("new-secret").await.unwrap(), Some(changed.clone()));
    changed.metadata = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
    changed.updated_at = at(11);
    assert!(tx.set_session_metadata(&changed.id, &changed.metadata, at(11)).await.unwrap());
    assert_eq!(tx.session_by_secret("new-secret").await.unwrap(), Some(changed.clone()));
    assert!(tx.touch_session(&changed.id, at(12), at(120)).await.unwrap());
    let touched = tx.session(&changed.id).await.unwrap().unwrap();
    assert_eq!((touched.last_interacted_at, touched.idle_expires_at), (at(12), at(120)));
    let of_user = tx.sessions_of(&user_id(), None, 10, at(12)).await.unwrap();
    assert_eq!(
        of_user.iter().map(|session| session.id.as_str()).collect::<Vec<_>>(),
        ["idle", "live", "revoked"]
    );
    assert_eq!(tx.count_sessions_of(&user_id(), at(12)).await.unwrap(), 3);
    let first = tx.sessions_of(&user_id(), None, 1, at(12)).await.unwrap();
    let after = Some((first[0].created_at, &first[0].id));
    assert_eq!(tx.sessions_of(&user_id(), after, 10, at(12)).await.unwrap(), of_user[1..]);
    let of_user = tx.sessions_of(&user_id(), None, 10, at(100)).await.unwrap();
    assert_eq!(of_user, [touched]);

    let revoked = SessionId::new("revoked");
    assert_eq!(tx.revoke_sessions(Sessions::One(&revoked), RpLogout, at(1)).await.unwrap(), 1);
    assert_eq!(tx.revoke_sessions(Sessions::One(&revoked), RpLogout, at(2)).await.unwrap(), 0);
    assert!(tx.hold_session(&SessionId::new("live"), at(10)).await.unwrap());
    for (id, moment) in [("revoked", at(10)), ("idle", at(100)), ("missing", at(10))] {
        let before = tx.session(&SessionId::new(id)).await.unwrap();
        let mut longer = session(id, None);
        longer.idle_expires_at = at(5000);
        longer.clients.push(client_id());
        assert!(!tx.update_session(&longer, Some("x"), moment).await.unwrap(), "{id}");
        assert!(!tx.hold_session(&SessionId::new(id), moment).await.unwrap(), "{id}");
        assert!(!tx.touch_session(&SessionId::new(id), moment, at(5000)).await.unwrap(), "{id}");
        assert_eq!(tx.session(&SessionId::new(id)).await.unwrap(), before, "{id}");
    }
    assert_eq!(tx.session(&SessionId::new("revoked")).await.unwrap().unwrap().revoked_at, Some(at(1)));
}

pub async fn users_are_found_by_address_or_name_and_are_unique(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    tx.put_user(&user()).await.unwrap();
    let mut impostor = user();
    impostor.user_id = UserId::new("auth0|eve");
    impostor.email = Some("eve@acme.test".to_owned());
    impostor.username = Some("ann@acme.test".to_owned());
    tx.put_user(&impostor).await.unwrap();
    for login in ["ann@acme.test", " ANN@acme.TEST ", "ann", "Ann"] {
        let found = tx.user_by_login(&connection_id(), login).await.unwrap();
        assert_eq!(found.map(|user| user.user_id), Some(user_id()), "{login}");
    }
    assert_eq!(tx.user_by_login(&connection_id(), "").await.unwrap(), None);
    assert_eq!(tx.user_by_login(&model::ConnectionId::new("con_2"), "ann").await.unwrap(), None);

    tx.record_login(&user_id(), at(5), "198.51.100.1").await.unwrap();
    tx.set_user_metadata(&user_id(), &Map::new(), &Map::new(), at(6)).await.unwrap();
    tx.set_password_hash(&user_id(), "new").await.unwrap();
    let changed = tx.user(&user_id()).await.unwrap().unwrap();
    let expected = model::User {
        logins_count: 8,
        last_login: Some(at(5)),
        last_ip: Some("198.51.100.1".to_owned()),
        user_metadata: Map::new(),
        app_metadata: Map::new(),
        updated_at: at(6),
        password_hash: Some("new".to_owned()),
        ..user()
    };
    assert_eq!(changed, expected);

    impostor.username = Some(" ANN".to_owned());
    let error = tx.put_user(&impostor).await.unwrap_err();
    assert!(error.is_conflict(), "{error}");
}

pub async fn concurrent_hits_are_all_counted(storage: &Storage) {
    with_tenants(storage).await;
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let storage = storage.clone();
            tokio::spawn(async move {
                let mut tx = storage.begin(&acme()).await.unwrap();
                let hits = tx.hit_rate_limit("login", 60, now()).await.unwrap();
                tx.commit().await.unwrap();
                hits
            })
        })
        .collect();
    let mut seen = Vec::new();
    for task in tasks {
        seen.push(task.await.unwrap());
    }
    seen.sort_unstable();
    assert_eq!(seen, (1..=64).collect::<Vec<i64>>());

    let mut tx = storage.begin(&acme()).await.unwrap();
    assert_eq!(tx.hit_rate_limit("login", 60, at(-60)).await.unwrap(), 65, "a clock that is behind");
    assert_eq!(tx.hit_rate_limit("login", 60, at(60)).await.unwrap(), 1, "the next window");
    assert_eq!(tx.hit_rate_limit("another", 60, at(60)).await.unwrap(), 1);
    tx.hit_rate_limit("login", 60, at(60)).await.unwrap();
    tx.clear_rate_limit("login").await.unwrap();
    assert_eq!(tx.hit_rate_limit("login", 60, at(60)).await.unwrap(), 1);
}

pub async fn a_signing_key_goes_through_its_life(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    let previous = SigningKeyState::Previous { published_until: at(9) };
    tx.put_signing_key(&signing_key("kid", SigningKeyState::Next)).await.unwrap();
    for state in [SigningKeyState::Current, previous, SigningKeyState::Next] {
        tx.put_signing_key(&signing_key("kid", state)).await.unwrap();
        assert_eq!(tx.signing_keys().await.unwrap(), [signing_key("kid", state)]);
    }
    tx.delete_signing_key("kid").await.unwrap();
    assert!(tx.signing_keys().await.unwrap().is_empty());
}

pub async fn the_log_is_read_newest_first(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    for entry in ["one", "two", "three"] {
        tx.insert_log(&log_entry(entry)).await.unwrap();
    }
    let read: Vec<_> = tx.logs(2).await.unwrap().into_iter().map(|log| log.description).collect();
    assert_eq!(read, ["three", "two"]);
}

pub async fn a_code_is_found_with_its_user_and_its_living_session(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    fill(&mut tx).await;
    tx.commit().await.unwrap();
    let found = storage.code_use(&acme(), "code").await.unwrap().unwrap();
    let session = session("session", Some("rt_1"));
    assert_eq!((found.code, found.used_at), (code("session"), None));
    assert_eq!(found.user.unwrap().user_id, user_id());
    let alive = found.session.unwrap();
    assert_eq!(alive.connection_id, session.connection_id);
    assert_eq!(alive.parent_refresh_token, session.parent_refresh_token);
    assert_eq!(alive.cookie_mode, session.cookie_mode);
    assert_eq!(storage.code_use(&other(), "code").await.unwrap(), None, "another tenant");
    assert_eq!(storage.code_use(&acme(), "unknown").await.unwrap(), None);

    // What the session was handed over from ends, and the session with it.
    let mut tx = storage.begin(&acme()).await.unwrap();
    tx.revoke_refresh_tokens(RefreshTokens::One(&RefreshTokenId::new("rt_1")), RpLogout, now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let found = storage.code_use(&acme(), "code").await.unwrap().unwrap();
    assert_eq!(found.session, None, "the session was ended by the cascade");
    let mut tx = storage.begin(&acme()).await.unwrap();
    let spent = tx.spend_code("code", &code("session"), None, Some("access"), 200, now()).await.unwrap();
    assert_eq!((spent.is_first, spent.session_lives), (true, false));
    tx.commit().await.unwrap();
    let found = storage.code_use(&acme(), "code").await.unwrap().unwrap();
    assert_eq!(found.used_at, Some(now()));
}

pub async fn reading_cannot_write(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin_read(&acme()).await.unwrap();
    // PostgreSQL says so when it gets the statement.
    let written = tx.put_client(&client()).await;
    assert!(written.is_err() || tx.client(&client_id()).await.is_err());
}
