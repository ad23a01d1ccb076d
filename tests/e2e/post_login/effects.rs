//! Section 1.6: when what an Action asked for takes hold.

use end_to_end::authenticator::code;
use end_to_end::flow::{
    asks_to_log_in, code_of, exchange_native, exchange_web, native_tokens, refresh, text,
};
use end_to_end::{Login, TestServer, jwt, seed};
use serde_json::{Value, json};

use super::{back, handler, metadata, refused, sent_away, state_of, warnings};
use crate::mfa;

const HOUR_MS: i64 = 3_600_000;

#[tokio::test]
async fn s1_6_user_and_app_metadata() {
    let server = TestServer::start().await;
    let first = "api.user.setUserMetadata('color', 'red'); api.user.setUserMetadata('gone', 1);
        api.user.setAppMetadata('plan', { name: 'pro' });
        console.log(JSON.stringify(event.user.user_metadata));";
    let second = "console.log(JSON.stringify(event.user.user_metadata));
        api.user.setUserMetadata('color', 'blue'); api.user.setUserMetadata('gone', null);";
    server.deploy_action("first", &handler(first)).await;
    server.deploy_action("second", &handler(second)).await;
    let browser = server.client();
    Login::web().code(&browser, seed::ADA).await;
    assert_eq!(server.printed().await, [json!({}), json!({})], "the events stay as they were");
    assert_eq!(metadata(&server).await, json!([{ "color": "blue" }, { "plan": { "name": "pro" } }]));
    Login::web().code_of_session(&browser).await;
    assert_eq!(server.printed().await[2], json!({ "color": "blue" }), "the next login sees them");
    // Before the browser leaves for a redirect; what comes after it, with the login.
    let leaves = "exports.onExecutePostLogin = async (event, api) => {
            api.user.setAppMetadata('part', 1); api.redirect.sendUserTo('https://a.example/');
        };
        exports.onContinuePostLogin = async (event, api) => api.user.setAppMetadata('part', 2);";
    server.deploy_action("second", leaves).await;
    let browser = server.client();
    let state = state_of(&sent_away(&browser).await);
    assert_eq!(metadata(&server).await[1]["part"], 1);
    back(&browser, &state, "").await.expect(302);
    assert_eq!(metadata(&server).await[1]["part"], 2);
}

#[tokio::test]
async fn s1_6_custom_claims_scopes_and_saml_settings() {
    let server = TestServer::start().await;
    let changes = "api.accessToken.addScope(' extra:scope '); api.accessToken.removeScope('email');
        api.idToken.setCustomClaim('plan', 'gold'); api.accessToken.setCustomClaim('https://acme.example/r', ['a']);
        api.samlResponse.setIssuer('x');";
    server.deploy_action("changes", &handler(changes)).await;
    let browser = server.client();
    let login = Login::native().with("audience", seed::API);
    let code = login.code(&browser, seed::ADA).await;
    // An Action that comes between does not count: the tokens are of the login.
    server.deploy_action("changes", &handler("api.idToken.setCustomClaim('plan', 'silver')")).await;
    let tokens = exchange_native(&browser, &code).await.expect(200).json();
    let scope = text(&tokens, "scope");
    assert!(scope.split(' ').any(|scope| scope == "extra:scope"), "{scope}");
    assert!(!scope.split(' ').any(|scope| scope == "email"), "{scope}");
    let (id_token, access_token) =
        (jwt::claims(&text(&tokens, "id_token")), jwt::claims(&text(&tokens, "access_token")));
    assert_eq!(
        (&access_token["scope"], &access_token["https://acme.example/r"]),
        (&json!(scope), &json!(["a"]))
    );
    assert_eq!((&id_token["plan"], &id_token["email"]), (&json!("gold"), &Value::Null));
    assert!(warnings(&server).await[0].contains("api.samlResponse.setIssuer had no effect"));
    // At an exchange too, and there for this one only.
    server.deploy_action("changes", &handler("api.accessToken.addScope('once')")).await;
    let token = text(&tokens, "refresh_token");
    let once = refresh(&browser, seed::NATIVE, &token).await.expect(200).json();
    assert!(text(&once, "scope").ends_with(" once"), "{once}");
    server.deploy_action("changes", &handler("")).await;
    let after = refresh(&browser, seed::NATIVE, &text(&once, "refresh_token")).await.expect(200).json();
    assert_eq!(text(&after, "scope"), scope);
    assert_eq!(jwt::claims(&text(&after, "id_token")).get("plan"), None);
}

#[tokio::test]
async fn s1_6_session_and_refresh_token_expiry() {
    let server = TestServer::start().await;
    let sets = "api.session.setExpiresAt(Date.now() + 3600000); api.refreshToken.setExpiresAt(Date.now() + 1800000);";
    let (first, second) = (server.client(), server.client());
    Login::native().code(&first, seed::ADA).await;
    server.deploy_action("sets", &handler(sets)).await;
    let tokens = native_tokens(&second, seed::ADA).await;
    let token = text(&tokens, "refresh_token");
    server.deploy_action("sets", &handler("")).await;
    // Of this transaction alone.
    let of_first = Login::native().code_of_session(&first).await;
    let other = text(&exchange_native(&first, &of_first).await.expect(200).json(), "refresh_token");
    server.clock.advance_secs(1800);
    refresh(&second, seed::NATIVE, &token).await.expect_error(403, "invalid_grant");
    assert!(!asks_to_log_in(&Login::native().begin(&second).await));
    server.clock.advance_secs(1800);
    assert!(asks_to_log_in(&Login::native().begin(&second).await));
    assert!(!asks_to_log_in(&Login::native().begin(&first).await));
    refresh(&first, seed::NATIVE, &other).await.expect(200);
}

#[tokio::test]
async fn s1_6_transaction_session_and_refresh_token_metadata() {
    let server = TestServer::start().await;
    let sees = "console.log(JSON.stringify([event.transaction.metadata, event.session?.metadata, event.refresh_token?.metadata]));";
    let sets = "api.transaction.setMetadata('t', 1); api.session.setMetadata('s', '1'); api.refreshToken.setMetadata('r', '1');";
    server.deploy_action("sets", &handler(&format!("{sets} {sees}"))).await;
    server.deploy_action("sees", &handler(sees)).await;
    let browser = server.client();
    let tokens = native_tokens(&browser, seed::ADA).await;
    let login = json!([{ "t": 1 }, { "s": "1" }, null]);
    assert_eq!(server.printed().await, [login.clone(), login], "at once, and for the Actions that follow");
    // Stored: those of the transaction are over with it, and that of a token that did not exist is the new one's.
    server.deploy_action("sets", &handler("")).await;
    Login::web().code_of_session(&browser).await;
    refresh(&browser, seed::NATIVE, &text(&tokens, "refresh_token")).await.expect(200);
    let printed = server.printed().await;
    assert_eq!(printed[2..], [json!([{}, { "s": "1" }, null]), json!([{}, null, { "r": "1" }])]);
}

#[tokio::test]
async fn a_cookie_mode_is_live_and_stays_with_the_session() {
    let server = TestServer::start().await;
    let sees = "console.log(JSON.stringify(event.session.cookie.mode));";
    let sets = |mode: &str| handler(&format!("api.session.setCookieMode('{mode}'); {sees}"));
    server.deploy_action("sets", &sets("non-persistent")).await;
    server.deploy_action("sees", &handler(sees)).await;
    let browser = server.client();
    let cookie_of = |response: &end_to_end::Response| {
        response
            .set_cookies()
            .into_iter()
            .find(|cookie| cookie.starts_with("auth0="))
            .expect("a session cookie")
    };
    let cookie = cookie_of(&Login::web().finish(&browser, seed::ADA).await);
    assert!(!cookie.contains("Max-Age"), "{cookie}");
    assert_eq!(server.printed().await, ["non-persistent", "non-persistent"]);
    // A later login in this session finds it so, and can change it back: the browser gets another cookie then.
    server.deploy_action("sets", &handler("")).await;
    Login::web().code_of_session(&browser).await;
    assert_eq!(server.printed().await[2], "non-persistent");
    server.deploy_action("sets", &sets("persistent")).await;
    let cookie = cookie_of(&Login::web().begin(&browser).await);
    assert!(cookie.contains("Max-Age"), "{cookie}");
    server.deploy_action("sets", &handler("")).await;
    Login::web().code_of_session(&browser).await;
    assert_eq!(server.printed().await.last(), Some(&json!("persistent")));
}

#[tokio::test]
async fn s1_6_cache() {
    let server = TestServer::start().await;
    let counts = "const n = Number(api.cache.get('n')?.value ?? 0) + 1; api.cache.set('n', String(n));
        console.log(api.cache.get('n').value);";
    server.deploy_action("first", &handler(counts)).await;
    server.deploy_action("second", &handler(&format!("{counts} throw new Error('late')"))).await;
    refused(&server, "the second one throws").await;
    refused(&server, "once more").await;
    // At once, for the Actions that follow and for later logins; a failure does not take it back.
    assert_eq!(server.printed().await, [1, 2, 3, 4]);
}

#[tokio::test]
async fn s1_6_multifactor_enable_at_the_end() {
    let server = mfa::server().await;
    server
        .deploy_action("enables", &handler("api.multifactor.enable('any'); api.user.setAppMetadata('a', 1)"))
        .await;
    server.deploy_action("after", &handler("console.log(JSON.stringify('after'));")).await;
    let browser = server.client();
    mfa::at_the_factor(&browser, &Login::web()).await;
    assert_eq!(server.printed().await, ["after"], "every Action has run");
    assert_eq!(browser.cookie("auth0"), None, "and there is no session before it is met");
    server.deploy_action("after", &handler("api.multifactor.enable('none')")).await;
    Login::web().code(&server.client(), seed::ADA).await;
    // What an Action denies needs no factor.
    server.deploy_action("after", &handler("api.access.deny('No')")).await;
    assert_eq!(refused(&server, "denied").await, "No");
}

#[tokio::test]
async fn s1_6_challenge_and_enroll_after_the_action() {
    let server = mfa::server().await;
    let browser = server.client();
    server.deploy_action("asks", &handler("api.authentication.enrollWith({ type: 'otp' })")).await;
    let (secret, _) = mfa::enrolled(&server, &browser).await;
    let asks = "api.authentication.challengeWith({ type: 'otp' }); api.multifactor.enable('any');
        console.log(JSON.stringify('asked'));";
    server.deploy_action("asks", &handler(asks)).await;
    let after = "console.log(JSON.stringify(event.authentication.methods.map(({ name }) => name)));";
    server.deploy_action("after", &handler(after)).await;
    let browser = server.client();
    let page = browser.get(&mfa::at_the_factor(&browser, &Login::web()).await).await;
    assert_eq!(server.printed().await, ["asked"], "its function has ended, and the next Action waits");
    let done = mfa::send(&browser, &page, "otp", &code(&secret, &server.clock)).await;
    let claims = mfa::id_token(&browser, done.expect(303)).await;
    assert_eq!(claims["amr"], json!(["mfa"]), "and no other factor is asked for");
    assert_eq!(
        server.printed().await[1..],
        [json!(["pwd", "mfa"])],
        "the Action that asked does not run again"
    );
}

#[tokio::test]
async fn s1_6_redirect_and_form_after_the_action() {
    let server = TestServer::start().await;
    let leaves = "exports.onExecutePostLogin = async (event, api) => {
            api.redirect.sendUserTo('https://a.example/one'); api.redirect.sendUserTo('https://a.example/');
            console.log(JSON.stringify('asked'));
        };
        exports.onContinuePostLogin = async () => {};";
    server.deploy_action("leaves", leaves).await;
    server.deploy_action("after", &handler("console.log(JSON.stringify('after'));")).await;
    let browser = server.client();
    let url = sent_away(&browser).await;
    assert_eq!((url.path(), server.printed().await), ("/", vec![json!("asked")]), "the last call counts");
    code_of(&back(&browser, &state_of(&url), "").await);
    assert_eq!(server.printed().await, ["asked", "after"]);
    // A form cannot be shown here: it is not skipped.
    server.deploy_action("leaves", &handler("api.prompt.render('ap_1')")).await;
    let why = refused(&server, "a form").await;
    assert_eq!(why, "This server cannot show the form ap_1 that an Action asks for.");
    assert_eq!(server.printed().await.len(), 2);
}

#[tokio::test]
async fn s1_6_set_primary_user() {
    let server = TestServer::start().await;
    let other = "api.authentication.setPrimaryUser('auth0|other'); api.user.setUserMetadata('a', 1);";
    server.deploy_action("sets", &handler(other)).await;
    let why = refused(&server, "another user").await;
    assert_eq!(why, "The primary user is not linked with the user who logged in.");
    assert_eq!(metadata(&server).await[0], json!({}), "and nothing is written");
    // The user's own id changes nothing. A second call of the transaction fails it, also by another Action.
    let own = handler("api.authentication.setPrimaryUser(event.user.user_id)");
    server.deploy_action("sets", &own).await;
    let browser = server.client();
    let code = Login::web().code(&browser, seed::ADA).await;
    let tokens = exchange_web(&browser, &code).await.expect(200).json();
    assert_eq!(jwt::claims(&text(&tokens, "id_token"))["sub"], server.user_id(seed::ADA).await.as_str());
    server.deploy_action("again", &own).await;
    assert_eq!(refused(&server, "twice").await, "The primary user may be set once in a transaction.");
}

#[tokio::test]
async fn s1_6_deny_and_revoke_after_the_action() {
    let server = TestServer::start().await;
    for call in ["api.access.deny('No')", "api.session.revoke('No')"] {
        let body = format!(
            "{call}; await new Promise((done) => setTimeout(done, 5));
             api.redirect.sendUserTo('https://a.example/'); api.user.setAppMetadata('end', Date.now());
             console.log(JSON.stringify('end'));"
        );
        server.deploy_action("denies", &handler(&body)).await;
        server.deploy_action("later", &handler("console.log(JSON.stringify('later'));")).await;
        assert_eq!(refused(&server, call).await, "No", "a redirect besides does not count");
        assert_eq!(server.printed().await.pop(), Some(json!("end")));
        assert!(metadata(&server).await[1]["end"].as_i64() > Some(HOUR_MS));
    }
}
