//! Second factors on pages: what Actions ask for comes between the password and the code.

use end_to_end::authenticator::{code, wrong_code};
use end_to_end::chromium::{Chromium, relying_party};
use end_to_end::client::with_query;
use end_to_end::flow::{code_of, exchange_web, text};
use end_to_end::{Login, RawClient, Response, TestServer, jwt, seed};
use idp::manage;
use serde_json::{Value, json};
use url::Url;

/// Sets up a factor for who has none, asks for it from then on, and shows the next Action.
const STEP_UP: &str = "exports.onExecutePostLogin = async (event, api) => {
    console.log(JSON.stringify({ first: event.user.enrolledFactors }));
    if (event.user.enrolledFactors.length) api.authentication.challengeWith({ type: 'otp' });
    else api.authentication.enrollWithAny([{ type: 'phone' }, { type: 'otp' }]);
};";
const AFTER: &str = "exports.onExecutePostLogin = async (event, api) => {
    const methods = event.authentication.methods.map(({ name, type }) => ({ name, type }));
    console.log(JSON.stringify({ methods, factors: event.user.enrolledFactors, method: event.request.method }));
    api.idToken.setCustomClaim('plan', 'pro');
};";
const ACR: &str = "http://schemas.openid.net/pape/policies/2007/06/multi-factor";

pub(crate) async fn server() -> TestServer {
    let server = TestServer::start().await;
    let patch = json!({ "factors": { "otp": true, "recovery-code": true } });
    manage::update_tenant(&server.idp, &server.acme(), patch.as_object().unwrap()).await.unwrap();
    server
}

/// Logs in with the password, as far as the page of the second factor: its address.
pub(crate) async fn at_the_factor(browser: &RawClient, login: &Login) -> String {
    let sent = login.finish(browser, seed::ADA).await;
    let page = sent.expect(303).location().to_owned();
    assert!(page.starts_with("/u/mfa?state="), "{page}");
    page
}

pub(crate) async fn send(browser: &RawClient, page: &Response, factor: &str, code: &str) -> Response {
    let (csrf, action) = (page.field("csrf"), form_action(page));
    browser.post_form(&action, &[("csrf", &csrf), ("factor", factor), ("code", code)]).await
}

/// The address to which the page's form goes.
fn form_action(page: &Response) -> String {
    let start = "<form method=\"post\" action=\"";
    let from = page.body.find(start).unwrap_or_else(|| panic!("no form: {}", page.body)) + start.len();
    page.body[from..].split('"').next().unwrap().to_owned()
}

/// The text of the element with that id.
fn element(page: &Response, id: &str) -> String {
    let start = format!("id=\"{id}\">");
    let from = page.body.find(&start).unwrap_or_else(|| panic!("no {id}: {}", page.body)) + start.len();
    page.body[from..].split('<').next().unwrap().replace(' ', "")
}

pub(crate) async fn id_token(browser: &RawClient, done: &Response) -> Value {
    let tokens = exchange_web(browser, &code_of(done)).await.expect(200).json();
    jwt::claims(&text(&tokens, "id_token"))
}

/// Sets up an authenticator app for Ada: its secret, and the recovery code.
pub(crate) async fn enrolled(server: &TestServer, browser: &RawClient) -> (String, String) {
    let page = browser.get(&at_the_factor(browser, &Login::web()).await).await;
    let secret = element(&page, "secret");
    let kept = send(browser, &page, "otp", &code(&secret, &server.clock)).await;
    let recovery_code = element(kept.expect(200), "recovery-code");
    send(browser, &kept, "", "").await.expect(303);
    server.clock.advance_secs(30);
    (secret, recovery_code)
}

// LG5
#[tokio::test]
async fn a_user_sets_up_an_app_and_logs_in_with_it() {
    let server = server().await;
    server.deploy_action("step-up", STEP_UP).await;
    server.deploy_action("after", AFTER).await;
    let browser = server.client();
    let page = browser.get(&at_the_factor(&browser, &Login::web()).await).await;
    assert!(page.expect(200).body.contains("<svg class=\"qr\""), "{}", page.body);
    let secret = element(&page, "secret");
    let again = browser.get(&form_action(&page)).await;
    assert_eq!(element(&again, "secret"), secret, "loading it again shows the same");
    let wrong = send(&browser, &page, "otp", &wrong_code(&secret, &server.clock)).await;
    assert!(wrong.expect(400).body.contains("role=\"alert\""), "{}", wrong.body);
    send(&browser, &page, "recovery-code", "AAAA").await.expect_page(400);
    assert_eq!(browser.cookie("auth0"), None, "no session before the login is complete");
    let used = code(&secret, &server.clock);
    let kept = send(&browser, &page, "otp", &used).await;
    let recovery_code = element(kept.expect(200), "recovery-code");
    send(&browser, &page, "otp", &used).await.expect_page(400);
    assert_eq!(browser.cookie("auth0"), None);
    let shown_again = browser.get(&form_action(&kept)).await;
    assert!(!shown_again.expect(200).body.contains("id=\"recovery-code\""), "it is shown once");
    let done = send(&browser, &kept, "", "").await;
    let claims = id_token(&browser, done.expect(303)).await;
    assert_eq!(
        (&claims["amr"], &claims["acr"], &claims["plan"]),
        (&json!(["mfa"]), &Value::Null, &json!("pro"))
    );
    let seen = server.printed().await;
    let methods = json!([{ "name": "pwd" }, { "name": "mfa", "type": "otp" }]);
    assert_eq!(seen[0], json!({ "first": [] }));
    assert_eq!(seen[1], json!({ "methods": methods, "factors": [{ "type": "otp" }], "method": "POST" }));
    assert_eq!(seen.len(), 2, "{seen:?}");

    // Another browser: the code that set it up is used.
    let browser = server.client();
    let page = browser.get(&at_the_factor(&browser, &Login::web().with("acr_values", ACR)).await).await;
    assert!(page.expect(200).body.contains("autocomplete=\"one-time-code\""), "{}", page.body);
    send(&browser, &page, "otp", &used).await.expect(400);
    server.clock.advance_secs(30);
    let done = send(&browser, &page, "otp", &code(&secret, &server.clock)).await;
    let claims = id_token(&browser, done.expect(303)).await;
    assert_eq!((&claims["amr"], &claims["acr"]), (&json!(["mfa"]), &json!(ACR)));

    // And one that has lost the app.
    let browser = server.client();
    let address = at_the_factor(&browser, &Login::web()).await;
    let page = browser.get(&format!("{address}&factor=recovery-code")).await;
    assert!(page.expect(200).body.contains("Use your recovery code"), "{}", page.body);
    let wrong = send(&browser, &page, "recovery-code", "not the code").await;
    assert!(wrong.expect(400).body.contains("This is not your recovery code."), "{}", wrong.body);
    let kept = send(&browser, &page, "recovery-code", &recovery_code).await;
    let next = element(kept.expect(200), "recovery-code");
    assert_ne!(next, recovery_code);
    code_of(send(&browser, &kept, "", "").await.expect(303));
    let browser = server.client();
    let page = browser.get(&at_the_factor(&browser, &Login::web()).await).await;
    send(&browser, &page, "recovery-code", &recovery_code).await.expect(400);
    send(&browser, &page, "recovery-code", &next).await.expect(200);
}

// BR10 AZ14
#[tokio::test]
async fn the_login_goes_on_in_its_browser_and_by_its_page_only() {
    let server = server().await;
    server.deploy_action("step-up", STEP_UP).await;
    let browser = server.client();
    let (secret, _) = enrolled(&server, &browser).await;
    let victim = server.client();
    let page = victim.get(&at_the_factor(&victim, &Login::web()).await).await;
    let right = code(&secret, &server.clock);
    let address = form_action(&page);
    let handle = address.split_once("state=").unwrap().1;

    let thief = server.client();
    thief.get(&address).await.expect_page(400);
    Login::web().begin(&thief).await;
    thief.get(&address).await.expect_page(400);
    send(&thief, &page, "otp", &right).await.expect_page(400);
    // In the right browser by the wrong roads.
    victim.get(&format!("/continue?state={handle}")).await.expect_page(400);
    victim.get(&format!("/u/login?state={handle}")).await.expect_page(400);
    for csrf in ["", "wrong"] {
        let form = [("csrf", csrf), ("factor", "otp"), ("code", &right)];
        victim.post_form(&address, &form).await.expect_page(400);
    }
    let begun = Login::web().begin(&victim).await;
    let other = begun.location().replace("/u/login", "/u/mfa");
    victim.get(&other).await.expect_page(400);
    code_of(send(&victim, &page, "otp", &right).await.expect(303));
    send(&victim, &page, "otp", &right).await.expect_page(400);
}

#[tokio::test]
async fn a_session_is_not_enough_where_an_action_asks_and_silence_is_answered() {
    let server = server().await;
    server.deploy_action("step-up", STEP_UP).await;
    let browser = server.client();
    let (secret, _) = enrolled(&server, &browser).await;
    let silent = Login::web().with("prompt", "none").begin(&browser).await;
    assert_eq!(silent.expect(302).location_parameter("error").as_deref(), Some("interaction_required"));
    let asked = Login::web().begin(&browser).await;
    let page = browser.get(asked.expect(302).location()).await;
    code_of(send(&browser, &page, "otp", &code(&secret, &server.clock)).await.expect(303));
}

#[tokio::test]
async fn an_action_may_ask_for_any_factor_at_the_end_and_for_several_in_between() {
    let server = server().await;
    let enable = "exports.onExecutePostLogin = async (event, api) => { api.multifactor.enable('any'); };";
    server.deploy_action("mfa", enable).await;
    server.deploy_action("after", AFTER).await;
    let browser = server.client();
    let (secret, _) = enrolled(&server, &browser).await;
    let seen = server.printed().await;
    assert_eq!(seen[0]["methods"], json!([{ "name": "pwd" }]), "it is due after all Actions");
    // A challenge takes its place, and what was shown counts for the next one.
    let twice = "exports.onExecutePostLogin = async (event, api) => {
        api.multifactor.enable('any');
        api.authentication.challengeWith({ type: 'otp' }, { additionalFactors: [{ type: 'email' }] });
        api.authentication.enrollWith({ type: 'otp' });
        api.authentication.challengeWithAny([{ type: 'otp' }, { type: 'recovery-code' }]);
    };";
    server.deploy_action("mfa", twice).await;
    let browser = server.client();
    let page = browser.get(&at_the_factor(&browser, &Login::web()).await).await;
    code_of(send(&browser, &page, "otp", &code(&secret, &server.clock)).await.expect(303));
}

#[tokio::test]
async fn what_cannot_be_shown_here_ends_the_login_and_makes_no_session() {
    let server = server().await;
    for (body, why) in [
        ("api.authentication.challengeWith({ type: 'otp' })", "the user has none"),
        (
            "api.authentication.challengeWithAny([{ type: 'email' }, { type: 'webauthn-roaming' }])",
            "the user has none",
        ),
        ("api.authentication.enrollWith({ type: 'push' })", "can be set up here"),
        (
            "for (let i = 0; i < 5; i++) api.authentication.enrollWith({ type: 'otp' })",
            "four challenges and enrollments",
        ),
    ] {
        let script = format!("exports.onExecutePostLogin = async (event, api) => {{ {body}; }};");
        server.deploy_action("mfa", &script).await;
        let browser = server.client();
        let done = Login::web().finish(&browser, seed::ADA).await;
        assert_eq!(done.expect(303).location_parameter("error").as_deref(), Some("access_denied"), "{body}");
        let description = done.location_parameter("error_description").expect("a description");
        assert!(description.contains(why), "{body}: {description}");
        assert_eq!(browser.cookie("auth0"), None, "{body}");
    }
}

// LG5
#[tokio::test]
async fn wrong_codes_are_limited_for_the_user_in_every_login() {
    let server = server().await;
    server.deploy_action("step-up", STEP_UP).await;
    let (secret, _) = enrolled(&server, &server.client()).await;
    for _ in 0..5 {
        let browser = server.client();
        let page = browser.get(&at_the_factor(&browser, &Login::web()).await).await;
        send(&browser, &page, "otp", &wrong_code(&secret, &server.clock)).await.expect(400);
    }
    let browser = server.client();
    let page = browser.get(&at_the_factor(&browser, &Login::web()).await).await;
    let stopped = send(&browser, &page, "otp", &code(&secret, &server.clock)).await;
    let wait: i64 = stopped.expect(429).header("retry-after").expect("when").parse().unwrap();
    assert!(stopped.body.contains("Too many wrong codes."), "{}", stopped.body);
    server.clock.advance_secs(wait);
    code_of(send(&browser, &page, "otp", &code(&secret, &server.clock)).await.expect(303));
    assert!(server.log_codes().await.contains(&"gd_otp_rate_limit_exceed".to_owned()));
}

// BR4 LG5
#[tokio::test]
async fn a_user_without_javascript_sets_up_an_app_and_uses_it() {
    let server = server().await;
    server.deploy_action("step-up", STEP_UP).await;
    let home = relying_party().await;
    seed::change_client(&server.idp, seed::NATIVE, |client| {
        client.callbacks = vec![format!("{home}/callback")];
    })
    .await;
    let login = Login::of(seed::NATIVE, &format!("{home}/callback"));
    let authorize = with_query(&format!("{}authorize", server.issuer(seed::ACME)), &login.pairs());
    let browser = Chromium::start_without_javascript().await;
    let log_in = async || {
        browser.open(&authorize).await;
        browser.type_where_the_focus_is(seed::ADA).await;
        browser.type_into("#password", seed::PASSWORD).await;
        browser.click("button").await;
    };
    let arrived = async || {
        let url = browser.arrives_at(&format!("{home}/callback?")).await;
        assert!(Url::parse(&url).unwrap().query_pairs().any(|(name, _)| name == "code"), "{url}");
    };
    log_in().await;
    browser.arrives_at(&format!("{}u/mfa", server.issuer(seed::ACME))).await;
    assert_eq!(browser.text("h1").await, "Secure your account");
    browser.assert_fits_a_phone().await;
    let secret = browser.text("#secret").await;
    browser.type_where_the_focus_is(&wrong_code(&secret, &server.clock)).await;
    browser.click("button").await;
    assert!(browser.text("[role=alert]").await.starts_with("This code is wrong"));
    browser.assert_fits_a_phone().await;
    browser.type_where_the_focus_is(&code(&secret, &server.clock)).await;
    browser.click("button").await;
    let recovery_code = browser.text("#recovery-code").await;
    assert_eq!(browser.text("h1").await, "Keep your recovery code");
    browser.assert_fits_a_phone().await;
    browser.click("button").await;
    arrived().await;

    // The session is there, and still the Action asks.
    server.clock.advance_secs(30);
    browser.open(&authorize).await;
    assert_eq!(browser.text("h1").await, "Confirm that it is you");
    browser.assert_fits_a_phone().await;
    browser.type_where_the_focus_is(&code(&secret, &server.clock)).await;
    browser.click("button").await;
    arrived().await;
    browser.open(&authorize).await;
    browser.click(".hint a").await;
    assert_eq!(browser.text("h1").await, "Use your recovery code");
    browser.assert_fits_a_phone().await;
    browser.type_where_the_focus_is(&recovery_code).await;
    browser.click("button").await;
    browser.text("#recovery-code").await;
    browser.click("button").await;
    arrived().await;
}
