//! OpenID Connect Back-Channel Logout: what clients are told when sessions end. What ends with which event, and who is
//! told of it, is in `revocation.rs`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use end_to_end::database::Database;
use end_to_end::flow::{
    arrive_by_cookie, code_of, exchange_native, exchange_web, native_tokens, text, transfer_token,
};
use end_to_end::node::Node;
use end_to_end::receiver::{Answer, Receiver};
use end_to_end::server::deliver_all;
use end_to_end::{Login, RawClient, TestServer, jwt, seed};
use idp::backchannel_logout::Deliveries;
use idp::manage;
use model::{Client, OidcLogout, SessionId};
use postern::outgoing::Outgoing;
use serde_json::{Value, json};

const SUCCEEDED: &str = "oidc_backchannel_logout_succeeded";
const FAILED: &str = "oidc_backchannel_logout_failed";

/// The client is told at the receiver.
fn told_at(receiver: &Receiver) -> impl FnOnce(&mut Client) {
    let url = receiver.url();
    |client| {
        client.oidc_logout = Some(OidcLogout { backchannel_logout_urls: vec![url], ..OidcLogout::default() });
    }
}

/// A browser with a session at the web client; the session's id.
async fn logged_in(server: &TestServer) -> (RawClient, String) {
    let browser = server.client();
    let code = Login::web().code(&browser, seed::ADA).await;
    let tokens = exchange_web(&browser, &code).await.expect(200).json();
    (browser, text(&jwt::claims(&text(&tokens, "id_token")), "sid"))
}

/// The server with a session at the web client, which is told at the receiver; the session has just ended.
async fn logged_out() -> (TestServer, Receiver) {
    let (server, receiver) = (TestServer::start().await, Receiver::start().await);
    server.change_client(seed::WEB, told_at(&receiver)).await;
    let (browser, _) = logged_in(&server).await;
    browser.get("/v2/logout").await.expect(200);
    (server, receiver)
}

async fn entries(server: &TestServer, code: &str) -> Vec<Value> {
    let logs = server.logs().await;
    logs.into_iter().filter(|entry| entry.code == code).map(|entry| entry.details).collect()
}

// LO3
#[tokio::test]
async fn each_client_of_a_session_gets_one_logout_token() {
    let (server, receiver) = (TestServer::start().await, Receiver::start().await);
    for client in [seed::WEB, seed::NATIVE, seed::SPA] {
        server.change_client(client, told_at(&receiver)).await;
    }
    let (browser, sid) = logged_in(&server).await;
    let code = Login::native().code_of_session(&browser).await;
    let native = exchange_native(&browser, &code).await.expect(200).json();
    let sub = text(&jwt::claims(&text(&native, "id_token")), "sub");
    // No client of this session, and one without a URL.
    let (elsewhere, _) = logged_in(&server).await;
    Login::of(seed::BASIC, seed::BASIC_CALLBACK).code_of_session(&browser).await;

    browser.get("/v2/logout").await.expect(200);
    browser.get("/v2/logout").await.expect(200);
    assert_eq!(receiver.count(), 0, "nobody waits for the clients");
    assert_eq!(server.deliver().await, 2);
    assert_eq!(server.deliver().await, 0);

    let jwks = browser.get("/.well-known/jwks.json").await.expect(200).json();
    let now = server.idp.now().as_secs();
    let (mut told, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for token in receiver.tokens() {
        assert!(jwt::verifies(&token, &jwks), "{token}");
        let header = jwt::header(&token);
        assert_eq!((&header["typ"], &header["alg"]), (&json!("logout+jwt"), &json!("RS256")));
        let mut claims = jwt::claims(&token);
        told.insert(text(&claims, "aud"));
        ids.insert(text(&claims, "jti"));
        for changing in ["aud", "jti"] {
            claims.as_object_mut().unwrap().remove(changing);
        }
        let expected = json!({
            "iss": server.issuer(seed::ACME), "sub": sub, "sid": sid, "iat": now, "exp": now + 120,
            "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
        });
        assert_eq!(claims, expected);
        // It is no ID token, and no access token.
        let hint = elsewhere.get_with("/oidc/logout", &[("id_token_hint", &token)]).await;
        hint.expect_page(400);
        let bearer = elsewhere.request(reqwest::Method::GET, "/userinfo").bearer_auth(&token);
        elsewhere.send(bearer).await.expect(401);
    }
    assert_eq!(told, BTreeSet::from([seed::NATIVE.to_owned(), seed::WEB.to_owned()]));
    assert_eq!(ids.len(), 2);
    let succeeded = entries(&server, SUCCEEDED).await;
    assert!(
        succeeded.len() == 2 && succeeded.iter().all(|entry| entry["session_id"] == sid),
        "{succeeded:?}"
    );
}

#[tokio::test]
async fn a_client_that_fails_is_told_again_later() {
    let (server, receiver) = logged_out().await;
    receiver.answer([Answer::Status(500), Answer::Redirect, Answer::Status(400), Answer::Status(204)]);
    let mut ids = BTreeSet::new();
    for wait_secs in [0, 15, 60, 240] {
        if wait_secs > 0 {
            server.clock.advance_secs(wait_secs - 1);
            assert_eq!(server.deliver().await, 0, "too early");
            server.clock.advance_secs(1);
        }
        assert_eq!(server.deliver().await, 1);
        let [token] = <[_; 1]>::try_from(receiver.tokens()).unwrap();
        let claims = jwt::claims(&token);
        assert_eq!(claims["iat"], json!(server.idp.now().as_secs()));
        assert!(ids.insert(text(&claims, "jti")), "each attempt has a token of its own");
    }
    server.clock.advance_secs(30 * 86_400);
    assert_eq!(server.deliver().await, 0);
    assert_eq!(entries(&server, FAILED).await.len(), 0);
    let succeeded = entries(&server, SUCCEEDED).await;
    assert!(succeeded.len() == 1 && succeeded[0]["attempts"] == 4, "{succeeded:?}");
}

// LO3
#[tokio::test]
async fn a_client_that_never_answers_is_given_up() {
    let (server, receiver) = logged_out().await;
    let mut attempts = 0;
    receiver.answer([Answer::Hang].into_iter().chain([Answer::Status(503); 20]));
    while entries(&server, FAILED).await.is_empty() {
        attempts += server.deliver().await;
        assert!(attempts < 20);
        server.clock.advance_secs(6 * 3600);
    }
    assert_eq!((attempts, receiver.count()), (7, 7));
    assert_eq!(server.deliver().await, 0);
    let failed = server.logs().await.into_iter().find(|entry| entry.code == FAILED).unwrap();
    assert_eq!(failed.description, "the client answered with status 503");
    assert_eq!(failed.client_id.unwrap().as_str(), seed::WEB);
    assert_eq!(failed.details["attempts"], 7);
}

// AC1
#[tokio::test]
async fn an_address_that_is_not_public_is_not_contacted() {
    let (server, receiver) = logged_out().await;
    let to_public_addresses = Arc::new(Outgoing::new([]).unwrap());
    let mut deliveries = Deliveries::new(server.idp.clone(), to_public_addresses);
    assert_eq!(deliveries.round().await.unwrap(), 1);
    server.clock.advance_secs(86_400);
    assert_eq!(server.deliver().await, 0, "it is dropped");
    assert_eq!(receiver.count(), 0);
    let failed = server.logs().await.into_iter().find(|entry| entry.code == FAILED).unwrap();
    assert_eq!(failed.description, "this server may not send requests to that address");
}

#[tokio::test]
async fn a_client_that_no_longer_has_a_url_is_not_told() {
    let (server, receiver) = logged_out().await;
    server.change_client(seed::WEB, |_| {}).await;
    assert_eq!(server.deliver().await, 1);
    assert_eq!(server.deliver().await, 0);
    assert_eq!(receiver.count(), 0);
    assert!(entries(&server, FAILED).await.is_empty() && entries(&server, SUCCEEDED).await.is_empty());
}

#[tokio::test]
async fn two_nodes_at_once_tell_each_client_once() {
    let (server, receiver) = (TestServer::start().await, Receiver::start().await);
    server.change_client(seed::WEB, told_at(&receiver)).await;
    let mut sids = BTreeSet::new();
    for _ in 0..12 {
        sids.insert(logged_in(&server).await.1);
    }
    let user = {
        let mut tx = server.idp.storage.begin_read(&server.acme()).await.unwrap();
        tx.session(&SessionId::new(sids.first().unwrap().as_str())).await.unwrap().unwrap().user_id
    };
    manage::revoke_all_tokens(&server.idp, &server.acme(), &user).await.unwrap();
    let other = server.other_node().await;
    let delivered = tokio::join!(server.deliver(), server.deliver(), deliver_all(&other));
    assert_eq!(delivered.0 + delivered.1 + delivered.2, sids.len(), "{delivered:?}");
    let tokens = receiver.tokens();
    let told: BTreeSet<_> = tokens.iter().map(|token| text(&jwt::claims(token), "sid")).collect();
    assert_eq!((tokens.len(), told), (sids.len(), sids));
}

// The queue remembers, and each node looks once: nobody is told twice of a session that ended by itself.
#[tokio::test]
async fn an_idle_session_is_told_of_once_and_not_before_it_has_ended() {
    let (server, receiver) = (TestServer::start().await, Receiver::start().await);
    server
        .change_client(seed::WEB, |client| {
            let settings = json!({ "backchannel_logout_urls": [receiver.url()],
                "backchannel_logout_initiators": { "mode": "all" } });
            client.oidc_logout = Some(serde_json::from_value(settings).unwrap());
        })
        .await;
    let (browser, sid) = logged_in(&server).await;
    server.clock.advance_secs(71 * 3600);
    // It is used, and so lives on.
    code_of(&Login::web().begin(&browser).await);
    server.clock.advance_secs(71 * 3600);
    assert_eq!(server.deliver().await, 0);
    server.clock.advance_secs(3600 + 60);
    let other = server.other_node().await;
    assert_eq!(deliver_all(&other).await + server.deliver().await, 1);
    let [token] = <[_; 1]>::try_from(receiver.tokens()).unwrap();
    assert_eq!(text(&jwt::claims(&token), "sid"), sid);
    for _ in 0..30 {
        server.clock.advance_secs(3600);
        assert_eq!(deliver_all(&other).await + server.deliver().await, 0);
    }
}

// The whole road, with the program's own delivery: the native token is revoked, the web app is told.
#[tokio::test]
async fn revoking_the_native_token_tells_the_web_client_of_the_session_made_from_it() {
    let (database, receiver) = (Database::fresh().await, Receiver::start().await);
    let node =
        Node::start_with(&database, &[("POSTERN_OUTGOING__ALLOWED_NETWORKS", r#"["127.0.0.1"]"#)]).await;
    node.seed().await;
    node.change_client(seed::WEB, |client| {
        let settings = json!({ "backchannel_logout_urls": [receiver.url()],
            "backchannel_logout_initiators": { "mode": "all" } });
        client.oidc_logout = Some(serde_json::from_value(settings).unwrap());
    })
    .await;
    let app = node.client();
    let tokens = native_tokens(&app, seed::ADA).await;
    let (handed, native_token) = transfer_token(&app, &tokens).await;
    let browser = node.client();
    let code = code_of(&arrive_by_cookie(&browser, &handed).await);
    let web = exchange_web(&browser, &code).await.expect(200).json();
    let sid = text(&jwt::claims(&text(&web, "id_token")), "sid");
    let form = [("client_id", seed::NATIVE), ("token", &native_token)];
    app.post_form("/oauth/revoke", &form).await.expect(200);
    tokio::time::timeout(Duration::from_secs(60), async {
        while receiver.count() == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("the client is told");
    let [token] = <[_; 1]>::try_from(receiver.tokens()).unwrap();
    let claims = jwt::claims(&token);
    assert_eq!((text(&claims, "sid"), text(&claims, "aud")), (sid, seed::WEB.to_owned()));
}
