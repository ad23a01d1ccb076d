//! The pages in a real browser, on a screen as wide as a small phone.

use end_to_end::chromium::{Chromium, relying_party};
use end_to_end::client::with_query;
use end_to_end::flow::{TRANSFER_COOKIE, VERIFIER, native_tokens, transfer_token};
use end_to_end::{Login, TestServer, seed};
use idp::manage;
use serde_json::json;
use url::Url;

/// The seeded client, at home at an address that is there, with a name that no line has room for.
async fn moved_client(server: &TestServer, id: &str, home: &str) {
    seed::change_client(&server.idp, id, |client| {
        "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
            .clone_into(&mut client.name);
        client.callbacks = vec![format!("{home}/callback")];
        client.allowed_logout_urls = vec![format!("{home}/bye")];
    })
    .await;
}

fn authorize(server: &TestServer, id: &str, home: &str) -> String {
    let login = Login::of(id, &format!("{home}/callback"));
    with_query(&format!("{}authorize", server.issuer(seed::ACME)), &login.pairs())
}

/// The code in the address at which the browser arrives.
async fn arrived_with_a_code(browser: &Chromium, home: &str) -> String {
    let url = browser.arrives_at(&format!("{home}/callback?")).await;
    let url = Url::parse(&url).expect("an address");
    let code = url.query_pairs().find(|(name, _)| name == "code").expect("a code");
    code.1.into_owned()
}

// BR4 LG4
#[tokio::test]
async fn a_user_without_javascript_mistypes_the_password_and_then_logs_in() {
    let server = TestServer::start().await;
    let home = relying_party().await;
    moved_client(&server, seed::NATIVE, &home).await;
    let browser = Chromium::start_without_javascript().await;
    browser.open(&authorize(&server, seed::NATIVE, &home)).await;
    assert_eq!(browser.text("h1").await, "Welcome");
    browser.assert_fits_a_phone().await;
    browser.type_where_the_focus_is(seed::ADA).await;
    browser.type_into("#password", "not the password").await;
    browser.click("button").await;
    assert_eq!(browser.text("[role=alert]").await, "Wrong email or password.");
    assert_eq!(browser.value("#username").await, seed::ADA);
    assert_eq!(browser.value("#password").await, "");
    browser.assert_fits_a_phone().await;
    browser.type_where_the_focus_is(seed::PASSWORD).await;
    browser.click("button").await;
    let code = arrived_with_a_code(&browser, &home).await;
    assert_eq!(browser.text("#mode").await, "without JavaScript");
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", seed::NATIVE),
        ("code", &code),
        ("redirect_uri", &format!("{home}/callback")),
        ("code_verifier", VERIFIER),
    ];
    server.client().post_form("/oauth/token", &form).await.expect(200);
}

// NW3 NW5 BR1
#[tokio::test]
async fn a_token_in_a_cookie_of_the_browser_logs_it_in_and_the_user_logs_out() {
    let server = TestServer::start().await;
    let home = relying_party().await;
    moved_client(&server, seed::WEB, &home).await;
    let app = server.client();
    let (token, _) = transfer_token(&app, &native_tokens(&app, seed::ADA).await).await;
    let browser = Chromium::start().await;
    let issuer = server.issuer(seed::ACME);
    browser.open(&format!("{issuer}healthz")).await;
    browser.set_cookie(&json!({ "name": TRANSFER_COOKIE, "value": token, "httpOnly": true })).await;
    browser.open(&authorize(&server, seed::WEB, &home)).await;
    arrived_with_a_code(&browser, &home).await;
    assert_eq!(browser.text("#mode").await, "with JavaScript");
    browser.open(&format!("{issuer}healthz")).await;
    assert_eq!(browser.cookie(TRANSFER_COOKIE).await, None);
    let session = browser.cookie("auth0").await.expect("a session");
    assert_eq!((&session["httpOnly"], &session["sameSite"]), (&json!(true), &json!("Lax")), "{session}");

    // The session is enough for the next request.
    browser.open(&authorize(&server, seed::WEB, &home)).await;
    arrived_with_a_code(&browser, &home).await;

    let bye = format!("{home}/bye");
    let parameters = [("client_id", seed::WEB), ("post_logout_redirect_uri", &bye), ("state", "s")];
    browser.open(&with_query(&format!("{issuer}oidc/logout"), &parameters)).await;
    assert_eq!(browser.text("h1").await, "Log out?");
    browser.assert_fits_a_phone().await;
    browser.click("button").await;
    browser.arrives_at(&format!("{bye}?state=s")).await;
    browser.open(&authorize(&server, seed::WEB, &home)).await;
    assert_eq!(browser.text("h1").await, "Welcome");
}

// BR4
#[tokio::test]
async fn the_pages_at_the_end_of_a_road_fit_a_phone() {
    let server = TestServer::start().await;
    let browser = Chromium::start().await;
    let issuer = server.issuer(seed::ACME);
    browser.open(&format!("{issuer}v2/logout")).await;
    assert_eq!(browser.text("h1").await, "You are logged out");
    browser.assert_fits_a_phone().await;
    browser.open(&format!("{issuer}authorize?client_id=nobody")).await;
    assert_eq!(browser.text("h1").await, "This did not work");
    assert!(browser.text("dl").await.contains("invalid_request"));
    browser.assert_fits_a_phone().await;
}

#[tokio::test]
async fn a_user_without_javascript_connects_a_device() {
    let server = TestServer::start().await;
    let tv = server.client();
    let form = [("client_id", seed::TV), ("scope", "openid")];
    let codes = tv.post_form("/oauth/device/code", &form).await.expect(200).json();
    let user_code = codes["user_code"].as_str().expect("a code");
    let browser = Chromium::start_without_javascript().await;
    browser.open(codes["verification_uri"].as_str().expect("an address")).await;
    assert_eq!(browser.text("h1").await, "Connect a device");
    browser.assert_fits_a_phone().await;
    browser.type_where_the_focus_is("BBBB-BBBB").await;
    browser.click("button").await;
    assert!(browser.text("[role=alert]").await.starts_with("This code is not valid"));
    browser.assert_fits_a_phone().await;
    browser.open(codes["verification_uri_complete"].as_str().expect("an address")).await;
    assert_eq!(browser.value("#user_code").await, user_code);
    browser.click("button").await;
    assert_eq!(browser.text(".code-shown").await, user_code);
    assert_eq!(browser.text("h1").await, "Is this your device?");
    browser.assert_fits_a_phone().await;
    browser.click("button[value=connect]").await;
    browser.arrives_at(&format!("{}u/login", server.issuer(seed::ACME))).await;
    assert_eq!(browser.text("h1").await, "Welcome");
    browser.type_where_the_focus_is(seed::ADA).await;
    browser.type_into("#password", seed::PASSWORD).await;
    browser.click("button").await;
    browser.arrives_at(&format!("{}activate/connected", server.issuer(seed::ACME))).await;
    assert_eq!(browser.text("h1").await, "Your device is connected");
    browser.assert_fits_a_phone().await;
    let grant = idp::device::GRANT_TYPE;
    let device_code = codes["device_code"].as_str().expect("a code");
    let form = [("grant_type", grant), ("client_id", seed::TV), ("device_code", device_code)];
    tv.post_form("/oauth/token", &form).await.expect(200);

    // The second device finds the session, and is refused.
    let form = [("client_id", seed::TV), ("scope", "openid")];
    let codes = tv.post_form("/oauth/device/code", &form).await.expect(200).json();
    browser.open(codes["verification_uri_complete"].as_str().expect("an address")).await;
    browser.click("button").await;
    assert!(browser.text(".hint").await.contains(seed::ADA));
    browser.click("button[value=cancel]").await;
    assert_eq!(browser.text(".mark-error").await, "!");
    assert_eq!(browser.text("h1").await, "Your device is not connected");
    browser.assert_fits_a_phone().await;
}

// BR4
#[tokio::test]
async fn an_action_takes_a_browser_without_javascript_to_another_site_and_back() {
    let server = TestServer::start().await;
    let home = relying_party().await;
    moved_client(&server, seed::NATIVE, &home).await;
    let asks = format!(
        "exports.onExecutePostLogin = async (event, api) => {{ api.redirect.sendUserTo('{home}/profile'); }};
         exports.onContinuePostLogin = async (event, api) => {{ console.log(JSON.stringify(event.request.query.answer)); }};"
    );
    server.deploy_action("asks", &asks).await;
    let browser = Chromium::start_without_javascript().await;
    browser.open(&authorize(&server, seed::NATIVE, &home)).await;
    browser.type_where_the_focus_is(seed::ADA).await;
    browser.type_into("#password", seed::PASSWORD).await;
    browser.click("button").await;
    // The login page's policy names the client alone: a redirect of its form would end here.
    let url = Url::parse(&browser.arrives_at(&format!("{home}/profile?")).await).expect("an address");
    let state = url.query_pairs().find(|(name, _)| name == "state").expect("a state").1.into_owned();
    assert_eq!(browser.cookie("auth0").await, None);
    let back = with_query(
        &format!("{}continue", server.issuer(seed::ACME)),
        &[("state", &state), ("answer", "yes")],
    );
    browser.open(&back).await;
    arrived_with_a_code(&browser, &home).await;
    assert_eq!(server.printed().await, [json!("yes")]);
    browser.open(&back).await;
    assert_eq!(browser.text("h1").await, "This did not work");
    browser.assert_fits_a_phone().await;
}

// BR4 AZ15
#[tokio::test]
async fn a_user_without_javascript_is_asked_for_consent() {
    let server = TestServer::start().await;
    let home = relying_party().await;
    moved_client(&server, seed::WEB, &home).await;
    let patch = json!({ "is_first_party": false, "third_party_security_mode": "permissive" });
    let patch = patch.as_object().expect("an object");
    manage::update_client(&server.idp, &server.acme(), &model::ClientId::new(seed::WEB), patch)
        .await
        .expect("a client");
    let browser = Chromium::start_without_javascript().await;
    let login = Login::of(seed::WEB, &format!("{home}/callback"))
        .with("audience", seed::API)
        .with("scope", "openid profile email offline_access read:things write:things");
    let authorize = with_query(&format!("{}authorize", server.issuer(seed::ACME)), &login.pairs());
    for (button, answer) in [("decline", "error=access_denied"), ("accept", "code=")] {
        browser.open(&authorize).await;
        browser.type_where_the_focus_is(seed::ADA).await;
        browser.type_into("#password", seed::PASSWORD).await;
        browser.click("button").await;
        browser.arrives_at(&format!("{}u/consent", server.issuer(seed::ACME))).await;
        assert_eq!(browser.text("h1").await, "Allow access?");
        assert!(browser.text(".scopes").await.contains("read:things"));
        browser.assert_fits_a_phone().await;
        browser.click(&format!("button[value={button}]")).await;
        let url = browser.arrives_at(&format!("{home}/callback?")).await;
        assert!(url.contains(answer), "{url}");
    }
}
