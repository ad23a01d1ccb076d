//! What the modules of the OpenID Foundation's conformance suite ask of a provider, as far as no other test here asks it. The
//! names are the suite's; `tests/conformance/README.md` leads from each module to its test.

use end_to_end::flow::{asks_to_log_in, code_of, exchange_web, log_in, native_tokens, text};
use end_to_end::{Login, RawClient, TestServer, jwt, seed};
use serde_json::{Value, json};

async fn id_token(browser: &RawClient, login: &Login) -> Value {
    let tokens = exchange_web(browser, &login.code_of_session(browser).await).await.expect(200).json();
    jwt::claims(&text(&tokens, "id_token"))
}

// oidcc-ensure-request-with-unknown-parameter-succeeds, -with-acr-values-succeeds, oidcc-display-page, oidcc-display-popup,
// oidcc-ui-locales, oidcc-claims-locales, oidcc-login-hint, oidcc-claims-essential
#[tokio::test]
async fn what_a_client_would_like_breaks_no_login() {
    let server = TestServer::start().await;
    let browser = server.client();
    Login::web().finish(&browser, seed::ADA).await;
    for (name, value) in [
        ("extra", "foobar"),
        ("acr_values", "urn:mace:incommon:iap:silver urn:mace:incommon:iap:bronze"),
        ("display", "page"),
        ("display", "popup"),
        ("ui_locales", "se en"),
        ("claims_locales", "se"),
        ("login_hint", "somebody@example.com"),
        ("claims", r#"{"userinfo":{"name":{"essential":true}},"id_token":{"acr":null}}"#),
    ] {
        let claims = id_token(&browser, &Login::web().with(name, value)).await;
        assert_eq!(claims["email"], seed::ADA, "{name}");
    }
    let document = browser.get("/.well-known/openid-configuration").await.json();
    assert_eq!(document["claims_parameter_supported"], false);
}

// oidcc-max-age-1, oidcc-max-age-10000, oidcc-prompt-login, oidcc-prompt-none-logged-in
#[tokio::test]
async fn auth_time_is_that_of_the_login_which_was_asked_for() {
    let server = TestServer::start().await;
    let browser = server.client();
    Login::web().finish(&browser, seed::ADA).await;
    let first = id_token(&browser, &Login::web().with("max_age", "10000")).await;
    server.clock.advance_secs(2);
    assert_eq!(
        id_token(&browser, &Login::web().with("prompt", "none")).await["auth_time"],
        first["auth_time"]
    );
    for login in [Login::web().with("max_age", "1"), Login::web().with("prompt", "login")] {
        let begun = login.begin(&browser).await;
        assert!(asks_to_log_in(&begun), "{begun:?}");
        let done = log_in(&browser, begun.location(), seed::ADA, seed::PASSWORD).await;
        let tokens = exchange_web(&browser, &code_of(&done)).await.expect(200).json();
        let again = jwt::claims(&text(&tokens, "id_token"));
        assert!(again["auth_time"].as_i64() > first["auth_time"].as_i64(), "{again}");
        server.clock.advance_secs(2);
    }
}

// oidcc-id-token-hint; AZ7
#[tokio::test]
async fn nobody_but_the_user_of_the_hint_is_logged_in() {
    let server = TestServer::start().await;
    let hint = text(&native_tokens(&server.client(), seed::ADA).await, "id_token");
    let about_ada = Login::web().with("id_token_hint", &hint);
    let silent = about_ada.clone().with("prompt", "none");
    let error = |response: &end_to_end::Response| response.location_parameter("error");

    let browser = server.client();
    assert_eq!(error(&silent.begin(&browser).await).as_deref(), Some("login_required"));
    Login::web().finish(&browser, seed::ADA).await;
    // Long after its end.
    server.clock.advance_secs(24 * 3600);
    assert_eq!(id_token(&browser, &silent).await["email"], seed::ADA);

    // Somebody else is there: not silently, and not by a login of theirs.
    let browser = server.client();
    Login::web().finish(&browser, seed::BOB).await;
    assert_eq!(error(&silent.begin(&browser).await).as_deref(), Some("login_required"));
    assert_eq!(error(&about_ada.finish(&browser, seed::BOB).await).as_deref(), Some("login_required"));
    assert_eq!(id_token(&browser, &Login::web()).await["email"], seed::BOB, "their session is theirs");
    code_of(&about_ada.finish(&browser, seed::ADA).await);
    assert_eq!(id_token(&browser, &Login::web()).await["email"], seed::ADA);

    let forged = format!("{}x", &hint[..hint.len() - 1]);
    let refused = Login::web().with("id_token_hint", &forged).begin(&browser).await;
    assert_eq!(error(&refused).as_deref(), Some("invalid_request"));
    // It reaches no Action, and no database.
    assert!(!String::from_utf8_lossy(&server.database.bytes()).contains(&hint));
}

// oidcc-ensure-request-without-nonce-succeeds-for-code-flow, oidcc-ensure-other-scope-order-succeeds,
// oidcc-ensure-post-request-succeeds
#[tokio::test]
async fn the_nonce_is_optional_scopes_have_no_order_and_the_request_may_be_posted() {
    let server = TestServer::start().await;
    let browser = server.client();
    Login::web().finish(&browser, seed::ADA).await;
    assert_eq!(id_token(&browser, &Login::web().without("nonce")).await["nonce"], Value::Null);
    let claims = id_token(&browser, &Login::web().with("scope", "email profile openid")).await;
    assert_eq!((&claims["email"], &claims["name"]), (&json!(seed::ADA), &json!("Ada")));
    let login = Login::web().with("prompt", "none");
    let posted = browser.post_form("/authorize", &login.pairs()).await;
    exchange_web(&browser, &code_of(posted.expect(303))).await.expect(200);
}
