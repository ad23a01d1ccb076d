//! Online refresh tokens: they live as long as the session that they were issued in.

use end_to_end::dpop::Prover;
use end_to_end::flow::{asks_to_log_in, code_of, exchange_web, text};
use end_to_end::{Login, RawClient, Response, TestServer, seed};
use idp::manage;
use model::{CookieMode, SessionTransfer, TransferMethod};
use serde_json::{Value, json};

const HOUR: i64 = 3600;

fn online_login() -> Login {
    Login::web().with("scope", "openid online_access read:things").with("audience", seed::API)
}

pub(crate) async fn online_tokens(browser: &RawClient) -> Value {
    let code = online_login().code(browser, seed::ADA).await;
    exchange_web(browser, &code).await.expect(200).json()
}

async fn post_as_web(app: &RawClient, path: &str, form: &[(&str, &str)]) -> Response {
    let mut form = form.to_vec();
    form.extend([("client_id", seed::WEB), ("client_secret", seed::WEB_SECRET)]);
    app.post_form(path, &form).await
}

pub(crate) async fn refresh(app: &RawClient, token: &str) -> Response {
    post_as_web(app, "/oauth/token", &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
}

#[tokio::test]
async fn each_use_keeps_the_session_in_use_and_gives_no_new_token() {
    let server = TestServer::start().await;
    let browser = server.client();
    let tokens = online_tokens(&browser).await;
    let token = text(&tokens, "refresh_token");
    assert!(token.starts_with("ORT"), "{token}");
    assert_eq!(tokens["scope"], "openid online_access read:things");
    // The idle limit is 72 hours, the absolute one 168.
    for _ in 0..2 {
        server.clock.advance_secs(70 * HOUR);
        let again = refresh(&browser, &token).await.expect(200).json();
        assert!(again.get("refresh_token").is_none() && again["id_token"].is_string(), "{again}");
    }
    code_of(&Login::web().with("prompt", "none").begin(&browser).await);
    server.clock.advance_secs(29 * HOUR);
    refresh(&browser, &token).await.expect_error(403, "invalid_grant");
    assert!(asks_to_log_in(&Login::web().begin(&browser).await));
}

// RT9
#[tokio::test]
async fn it_ends_with_its_session_and_its_session_with_it() {
    let server = TestServer::start().await;
    let browser = server.client();
    let token = text(&online_tokens(&browser).await, "refresh_token");
    browser.get("/v2/logout").await;
    refresh(&browser, &token).await.expect_error(403, "invalid_grant");

    let browser = server.client();
    let token = text(&online_tokens(&browser).await, "refresh_token");
    let code = online_login().code_of_session(&browser).await;
    let sibling = text(&exchange_web(&browser, &code).await.expect(200).json(), "refresh_token");
    post_as_web(&browser, "/oauth/revoke", &[("token", &token)]).await.expect(200);
    assert!(asks_to_log_in(&Login::web().begin(&browser).await));
    for token in [token, sibling] {
        refresh(&browser, &token).await.expect_error(403, "invalid_grant");
    }
}

#[tokio::test]
async fn it_is_given_only_where_client_api_and_session_allow_it() {
    let server = TestServer::start().await;
    let browser = server.client();
    let both = online_login().with("scope", "openid online_access offline_access");
    let refused = both.begin(&browser).await;
    assert_eq!(refused.location_parameter("error").as_deref(), Some("invalid_request"));
    let description = "Cannot request both online_access and offline_access scopes";
    assert_eq!(refused.location_parameter("error_description").as_deref(), Some(description));

    server.change_api(|api| api.allow_online_access = false).await;
    let tokens = online_tokens(&browser).await;
    assert!(tokens.get("refresh_token").is_none(), "{tokens}");
    assert_eq!(tokens["scope"], "openid read:things");
    server.change_api(|_| {}).await;

    // In a session whose cookie is not persistent, the API must allow it besides.
    let tenant = server.acme();
    let patch = json!({ "session_cookie": { "mode": "non-persistent" } });
    manage::update_tenant(&server.idp, &tenant, patch.as_object().unwrap()).await.unwrap();
    let browser = server.client();
    let tokens = online_tokens(&browser).await;
    assert!(tokens.get("refresh_token").is_none(), "{tokens}");
    server.change_api(|api| api.allow_online_access_with_ephemeral_sessions = true).await;
    let code = online_login().code_of_session(&browser).await;
    let tokens = exchange_web(&browser, &code).await.expect(200).json();
    assert!(text(&tokens, "refresh_token").starts_with("ORT"));
    let mut tx = server.idp.storage.begin_read(&tenant).await.unwrap();
    let id =
        model::SessionId::new(end_to_end::jwt::claims(&text(&tokens, "id_token"))["sid"].as_str().unwrap());
    assert_eq!(tx.session(&id).await.unwrap().unwrap().cookie_mode, CookieMode::NonPersistent);
}

// DP3
#[tokio::test]
async fn a_public_client_must_prove_possession_and_cannot_hand_over() {
    let server = TestServer::start().await;
    server
        .change_client(seed::NATIVE, |client| {
            client.session_transfer = Some(SessionTransfer {
                can_create_session_transfer_token: true,
                allowed_authentication_methods: vec![TransferMethod::Query],
                ..SessionTransfer::default()
            });
        })
        .await;
    let app = server.client();
    let login = Login::native().with("scope", "openid online_access");
    let code = login.code(&app, seed::ADA).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", seed::NATIVE),
        ("code", &code),
        ("redirect_uri", seed::NATIVE_CALLBACK),
        ("code_verifier", end_to_end::flow::VERIFIER),
    ];
    let refused = app.post_form("/oauth/token", &form).await;
    refused.expect_error(400, "invalid_request");
    let prover = Prover::default();
    let tokens = prover.token(&server, &app, &form).await.expect(200).json();
    let token = text(&tokens, "refresh_token");
    let mut form =
        vec![("grant_type", "refresh_token"), ("client_id", seed::NATIVE), ("refresh_token", token.as_str())];
    prover.token(&server, &app, &form).await.expect(200);
    form.push(("audience", "urn:acme.localhost:session_transfer"));
    let refused = prover.token(&server, &app, &form).await;
    refused.expect_error(400, "invalid_request");
    let description = "An online refresh token cannot create a session transfer token.";
    assert_eq!(refused.json()["error_description"], description);
}
