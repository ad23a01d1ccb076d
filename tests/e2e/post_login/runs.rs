//! Section 1.1: when the trigger runs, and what its event then has.

use end_to_end::flow::{
    arrive_by_query, code_of, exchange_native, exchange_web, native_tokens, refresh, text, transfer,
    transfer_token,
};
use end_to_end::{Login, RawClient, TestServer, jwt, seed};
use idp::token::PASSWORD_REALM_GRANT_TYPE;
use serde_json::{Value, json};

use super::{back, handler, left_to, state_of};
use crate::{device, mfa_api, online, password_grant};

const PRINTS: &str = "exports.onExecutePostLogin = async (event, api) => {
    console.log(JSON.stringify({ ...event, can: api.redirect.canRedirect() }));
};";
const LEAVES: &str = "
    exports.onExecutePostLogin = async (event, api) => { api.redirect.sendUserTo('https://a.example/'); };
    exports.onContinuePostLogin = async () => {};";
const ALWAYS: [&str; 9] =
    ["authorization", "client", "connection", "request", "secrets", "stats", "tenant", "transaction", "user"];
const SOMETIMES: [&str; 9] = [
    "authentication",
    "session",
    "refresh_token",
    "session_transfer_token",
    "organization",
    "resource_server",
    "prompt",
    "custom_domain",
    "agent",
];

async fn printing() -> TestServer {
    let server = TestServer::start().await;
    server.deploy_action("action", PRINTS).await;
    server
}

/// The event of the last run: with this protocol, these objects and no other, and a redirect is possible or not.
async fn ran(server: &TestServer, protocol: &str, objects: &[&str], can_redirect: bool) -> Value {
    let event = server.printed().await.pop().expect("a run");
    let has = |of: &[&'static str]| -> Vec<&str> {
        of.iter().copied().filter(|name| event.get(name).is_some_and(|value| !value.is_null())).collect()
    };
    assert_eq!(has(&ALWAYS), ALWAYS, "{event}");
    assert_eq!(has(&SOMETIMES), objects, "{event}");
    assert_eq!((&event["transaction"]["protocol"], &event["can"]), (&json!(protocol), &json!(can_redirect)));
    event
}

/// This request to the token endpoint is of a kind that the server does not have.
async fn is_no_grant(server: &TestServer, grant_type: &str, more: &[(&str, &str)]) {
    let mut form =
        vec![("grant_type", grant_type), ("client_id", seed::WEB), ("client_secret", seed::WEB_SECRET)];
    form.extend(more);
    let answer = server.client().post_form("/oauth/token", &form).await;
    answer.expect_error(400, "unsupported_grant_type");
    assert!(server.reports().await.is_empty(), "no Action ran");
}

#[tokio::test]
async fn s1_1_interactive_login_code_flow() {
    let server = printing().await;
    let browser = server.client();
    let code = Login::web().code(&browser, seed::ADA).await;
    let event = ran(&server, "oidc-basic-profile", &["authentication", "session"], true).await;
    let tokens = exchange_web(&browser, &code).await.expect(200).json();
    assert_eq!(event["session"]["id"], jwt::claims(&text(&tokens, "id_token"))["sid"]);
    assert_eq!(server.reports().await.len(), 1, "once, and not at the exchange of the code");
    let app = server.client();
    Login::native().with("audience", seed::API).code(&app, seed::ADA).await;
    ran(&server, "oidc-basic-profile", &["authentication", "session", "resource_server"], true).await;
    server.deploy_action("action", LEAVES).await;
    let page = Login::web().finish(&server.client(), seed::ADA).await;
    assert_eq!(left_to(&page).host_str(), Some("a.example"));
}

#[tokio::test]
async fn s1_1_login_right_after_sign_up() {
    let server = printing().await;
    let browser = server.client();
    browser.get("/u/signup").await.expect(404);
    browser.post_json("/dbconnections/signup", &json!({ "email": "new@example.com" })).await.expect(404);
    // Whoever wants to sign up is at the login, where nothing leads on to it.
    let begun = Login::web().with("screen_hint", "signup").begin(&browser).await;
    assert!(begun.expect(302).location().starts_with("/u/login?"), "{begun:?}");
    assert!(server.reports().await.is_empty());
}

#[tokio::test]
async fn s1_1_implicit_and_hybrid_flow() {
    let server = printing().await;
    let browser = server.client();
    for response_type in ["token", "id_token", "id_token token", "code id_token"] {
        let answer = Login::web().with("response_type", response_type).begin(&browser).await;
        let error = answer.expect(302).location_parameter("error");
        assert_eq!(error.as_deref(), Some("unsupported_response_type"), "{response_type}: {answer:?}");
    }
    assert!(server.reports().await.is_empty());
}

#[tokio::test]
async fn s1_1_sso_no_form_shown() {
    let server = printing().await;
    let browser = server.client();
    Login::web().code(&browser, seed::ADA).await;
    let first = server.printed().await.remove(0);
    Login::native().code_of_session(&browser).await;
    let event = ran(&server, "oidc-basic-profile", &["authentication", "session"], true).await;
    assert_eq!(event["session"]["id"], first["session"]["id"], "the existing one");
    assert_eq!(event["session"]["clients"].as_array().map(Vec::len), Some(2));
    server.deploy_action("action", LEAVES).await;
    let sent = Login::web().begin(&browser).await;
    assert!(sent.expect(302).location().starts_with("https://a.example/"), "{sent:?}");
}

#[tokio::test]
async fn s1_1_silent_authentication_prompt_none() {
    let server = printing().await;
    let browser = server.client();
    let silent = Login::web().with("prompt", "none");
    let without = silent.begin(&browser).await;
    assert_eq!(without.location_parameter("error").as_deref(), Some("login_required"));
    assert!(server.reports().await.is_empty(), "nobody is there");
    Login::web().code(&browser, seed::ADA).await;
    let first = server.printed().await.remove(0);
    silent.code_of_session(&browser).await;
    let event = ran(&server, "oidc-basic-profile", &["authentication", "session"], false).await;
    assert_eq!(event["session"]["id"], first["session"]["id"]);
    server.deploy_action("action", LEAVES).await;
    let answer = silent.begin(&browser).await;
    assert_eq!(answer.location_parameter("error").as_deref(), Some("interaction_required"));
}

#[tokio::test]
async fn s1_1_refresh_token_exchange_offline() {
    let server = printing().await;
    let app = server.client();
    let tokens = native_tokens(&app, seed::ADA).await;
    let tokens = refresh(&app, seed::NATIVE, &text(&tokens, "refresh_token")).await.expect(200).json();
    let event = ran(&server, "oauth2-refresh-token", &["refresh_token"], false).await;
    assert_eq!(event["refresh_token"]["access"], "offline");
    let token = text(&tokens, "refresh_token");
    let enable = handler("api.multifactor.enable('any')");
    let challenge = handler("api.authentication.challengeWith({ type: 'otp' })");
    for asks in [LEAVES, &enable, &challenge] {
        server.deploy_action("action", asks).await;
        refresh(&app, seed::NATIVE, &token).await.expect_error(400, "interaction_required");
    }
    server.deploy_action("action", PRINTS).await;
    refresh(&app, seed::NATIVE, &token).await.expect(200);
}

#[tokio::test]
async fn s1_1_refresh_token_exchange_online() {
    let server = printing().await;
    let browser = server.client();
    let tokens = online::online_tokens(&browser).await;
    let token = text(&tokens, "refresh_token");
    online::refresh(&browser, &token).await.expect(200);
    let objects = ["authentication", "session", "refresh_token", "resource_server"];
    let event = ran(&server, "oauth2-refresh-token", &objects, false).await;
    assert_eq!(event["refresh_token"]["access"], "online");
    assert_eq!(event["session"]["id"], event["refresh_token"]["session_id"]);
    server.deploy_action("action", LEAVES).await;
    online::refresh(&browser, &token).await.expect_error(400, "interaction_required");
}

#[tokio::test]
async fn s1_1_resource_owner_password_and_realm() {
    let server = password_grant::server().await;
    server.deploy_action("action", PRINTS).await;
    let app = server.client();
    let realm = [("grant_type", PASSWORD_REALM_GRANT_TYPE), ("realm", password_grant::REALM)];
    for more in [&[][..], &realm] {
        password_grant::log_in(&app, more).await.expect(200);
        ran(&server, "oauth2-password", &["authentication"], false).await;
    }
    server.deploy_action("action", LEAVES).await;
    password_grant::log_in(&app, &[]).await.expect_error(400, "interaction_required");

    let server = mfa_api::server().await;
    server.deploy_action("action", &handler("api.multifactor.enable('any')")).await;
    let (_, required) = mfa_api::wanted(&server.client(), &[]).await;
    assert_eq!(required, json!({ "enroll": [{ "type": "otp" }] }), "it is set up by the MFA API");
}

#[tokio::test]
async fn s1_1_legacy_grants_and_native_passkeys() {
    let server = printing().await;
    for grant_type in [
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "http://auth0.com/oauth/grant-type/access-token",
        "urn:okta:params:oauth:grant-type:webauthn",
    ] {
        is_no_grant(&server, grant_type, &[("assertion", "a"), ("access_token", "a")]).await;
    }
    for path in ["/oauth/ro", "/oauth/access_token"] {
        server.client().post_form(path, &[("client_id", seed::WEB)]).await.expect(404);
    }
}

#[tokio::test]
async fn s1_1_device_flow() {
    let server = printing().await;
    let (tv, browser) = (server.client(), server.client());
    let codes = device::ask(&tv).await;
    assert!(server.reports().await.is_empty());
    device::connect_and_log_in(&browser, &codes).await.expect(303);
    let objects = ["authentication", "session", "resource_server"];
    ran(&server, "oauth2-device-code", &objects, true).await;
    device::poll(&tv, &codes).await.expect(200);
    assert_eq!(server.reports().await.len(), 1, "when the user approves, and not at the device's poll");
    // The user's browser may be sent away on the way.
    server.deploy_action("action", LEAVES).await;
    let (codes, browser) = (device::ask(&tv).await, server.client());
    let url = left_to(&device::connect_and_log_in(&browser, &codes).await);
    device::poll(&tv, &codes).await.expect_error(403, "authorization_pending");
    let connected = back(&browser, &state_of(&url), "").await;
    assert_eq!(connected.expect(303).location(), "/activate/connected");
    server.clock.advance_secs(5);
    device::poll(&tv, &codes).await.expect(200);
}

#[tokio::test]
async fn s1_1_ciba() {
    let server = printing().await;
    server.client().post_form("/bc-authorize", &[("client_id", seed::WEB)]).await.expect(404);
    is_no_grant(&server, "urn:openid:params:grant-type:ciba", &[("auth_req_id", "a")]).await;
}

const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

#[tokio::test]
async fn s1_1_custom_token_exchange() {
    let server = printing().await;
    let subject = [("subject_token", "a"), ("subject_token_type", "urn:acme:legacy")];
    is_no_grant(&server, TOKEN_EXCHANGE, &subject).await;
}

#[tokio::test]
async fn s1_1_on_behalf_of_token_exchange() {
    let server = printing().await;
    let subject = [
        ("subject_token", "a.b.c"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ("audience", seed::API),
    ];
    is_no_grant(&server, TOKEN_EXCHANGE, &subject).await;
}

#[tokio::test]
async fn s1_1_saml_and_ws_federation() {
    let server = printing().await;
    for path in ["/samlp/web-app", "/samlp/metadata/web-app", "/wsfed/web-app", "/wstrust/usernamemixed"] {
        server.client().get(path).await.expect(404);
    }
    assert!(server.reports().await.is_empty());
}

async fn handed_over(server: &TestServer) -> (RawClient, Value) {
    let app = server.client();
    let tokens = native_tokens(&app, seed::ADA).await;
    (app, tokens)
}

#[tokio::test]
async fn s1_1_native_to_web_redemption() {
    let server = printing().await;
    let (app, tokens) = handed_over(&server).await;
    let native = server.printed().await.remove(0)["session"]["id"].clone();
    let (token, _) = transfer_token(&app, &tokens).await;
    let browser = server.client();
    code_of(&arrive_by_query(&browser, &token).await);
    let objects = ["authentication", "session", "session_transfer_token"];
    let event = ran(&server, "oidc-basic-profile", &objects, true).await;
    assert_ne!(event["session"]["id"], native, "a new session");
    assert_eq!(event["session_transfer_token"]["client_id"], seed::NATIVE);
    Login::web().code_of_session(&browser).await;
    let event = ran(&server, "oidc-basic-profile", &["authentication", "session"], true).await;
    assert!(event["session"]["session_transfer"]["parent_refresh_token"]["id"].is_string(), "{event}");
}

#[tokio::test]
async fn s1_1_native_to_web_exchange() {
    let server = printing().await;
    let (app, tokens) = handed_over(&server).await;
    let (_, token) = transfer_token(&app, &tokens).await;
    let event = ran(&server, "oauth2-refresh-token", &["refresh_token", "resource_server"], false).await;
    assert_eq!(event["resource_server"]["identifier"], "urn:acme.localhost:session_transfer");
    server.deploy_action("action", &handler("api.access.deny('Not from here')")).await;
    let denied = transfer(&app, &token).await.expect_error(403, "access_denied").json();
    assert_eq!((&denied["error_description"], denied.get("access_token")), (&json!("Not from here"), None));
}

#[tokio::test]
async fn s1_1_session_delegation() {
    let server = printing().await;
    let delegation = [
        ("subject_token", "a"),
        ("subject_token_type", "urn:acme:user"),
        ("actor_token", "b"),
        ("actor_token_type", "urn:ietf:params:oauth:token-type:id_token"),
        ("audience", "urn:acme.localhost:session_transfer"),
    ];
    is_no_grant(&server, TOKEN_EXCHANGE, &delegation).await;
}

#[tokio::test]
async fn s1_1_client_credentials() {
    let server = printing().await;
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", seed::MACHINE),
        ("client_secret", seed::MACHINE_SECRET),
        ("audience", seed::API),
    ];
    let app = server.client();
    app.post_form("/oauth/token", &form).await.expect(200);
    assert!(server.reports().await.is_empty(), "it is no login");
    // Beside one that is.
    let code = Login::native().code(&app, seed::ADA).await;
    exchange_native(&app, &code).await.expect(200);
    assert_eq!(server.reports().await.len(), 1);
}
