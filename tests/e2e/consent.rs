//! Clients of third parties, and APIs that want it: the user is asked (OIDC Core §3.1.2.4).

use std::sync::Arc;

use end_to_end::flow::{
    arrive_by_cookie, asks_to_log_in, code_of, exchange_web, log_in, native_tokens, refresh, text,
    transfer_token,
};
use end_to_end::management::Api;
use end_to_end::{Login, RawClient, Response, TestServer, race, seed};
use idp::manage::{self, Span};
use model::{Client, ClientId, ThirdPartySecurityMode, UserId};
use serde_json::{Value, json};
use storage::TokenFilter;

use crate::device as tv;

pub(crate) const CONSENT: &str = "/u/consent?state=";
const DECLINED: &str = "User did not authorize the request";

/// The web client is somebody else's from now on, and has the API without a grant (`third_party.rs` has the others).
pub(crate) async fn third_party(server: &TestServer) {
    server.change_client(seed::WEB, |client| permissive(client, true)).await;
}

pub(crate) fn permissive(client: &mut Client, is_third_party: bool) {
    client.is_first_party = !is_third_party;
    client.third_party_security_mode = Some(ThirdPartySecurityMode::Permissive);
}

/// Of the third party's client, for the API.
pub(crate) fn login(scope: &str) -> Login {
    Login::web().with("scope", scope).with("audience", seed::API)
}

#[track_caller]
pub(crate) fn consent_page(response: &Response) -> String {
    let location = response.location();
    assert!([302, 303].contains(&response.status) && location.starts_with(CONSENT), "{response:?}");
    location.to_owned()
}

/// Says it on the page.
pub(crate) async fn say(browser: &RawClient, page: &str, decision: &str) -> Response {
    let csrf = browser.get(page).await.expect(200).field("csrf");
    browser.post_form(page, &[("csrf", &csrf), ("decision", decision)]).await
}

/// Logs in and agrees.
pub(crate) async fn agreed(server: &TestServer, scope: &str) -> (RawClient, String) {
    let browser = server.client();
    let asked = login(scope).finish(&browser, seed::ADA).await;
    let done = say(&browser, &consent_page(&asked), "accept").await;
    (browser, code_of(done.expect(303)))
}

pub(crate) async fn grants(server: &TestServer) -> Vec<storage::UserGrant> {
    let user = server.user_id(seed::ADA).await;
    let filter = TokenFilter { user: Some(&user), ..TokenFilter::default() };
    let counted = Span { counted: true, ..Span::ALL };
    let listed = manage::list_grants(&server.idp, &server.acme(), filter, counted).await.unwrap();
    assert_eq!(listed.total, i64::try_from(listed.rows.len()).unwrap());
    listed.rows
}

/// Deletes what users have granted, by way of an id as the Management API shows it.
pub(crate) async fn withdraw(server: &TestServer) {
    let user = server.user_id(seed::ADA).await;
    manage::delete_grants_of_user(&server.idp, &server.acme(), &user).await.unwrap();
}

pub(crate) fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

// AZ15
#[tokio::test]
async fn a_third_partys_client_asks_once_and_again_for_more() {
    let server = TestServer::start().await;
    third_party(&server).await;
    let browser = server.client();
    let asked = login("openid email read:things").finish(&browser, seed::ADA).await;
    let page = consent_page(&asked);
    let shown = browser.get(&page).await;
    shown.expect(200);
    for text in [
        "The web-app",
        "The acme tenant",
        "The API",
        seed::ADA,
        "Know which account is yours",
        "See your e-mail address",
        "<code>read:things</code>",
    ] {
        assert!(shown.body.contains(text), "{text}: {shown:?}");
    }
    assert!(!shown.body.contains("write:things") && !shown.body.contains("phone"), "{shown:?}");
    assert_eq!(browser.cookie("auth0"), None, "who has not answered is not logged in");
    assert_eq!(grants(&server).await, []);
    let done = say(&browser, &page, "accept").await;
    let tokens = exchange_web(&browser, &code_of(done.expect(303))).await.expect(200).json();
    assert_eq!(tokens["scope"], "openid email read:things");
    let known = grants(&server).await;
    assert_eq!(known.len(), 1);
    assert_eq!(known[0].scope, words("email openid read:things"));
    assert_eq!((known[0].audience.as_deref(), &known[0].organization_id), (Some(seed::API), &None));
    assert!(browser.get(&page).await.status == 400, "the page is over");

    // As much, or less, is known; so it is without a page, and in another browser.
    login("openid email read:things").code_of_session(&browser).await;
    login("read:things").code_of_session(&browser).await;
    let silent = login("openid").with("prompt", "none").begin(&browser).await;
    code_of(&silent);
    login("openid email").code(&server.client(), seed::ADA).await;
    // More is asked for as a whole; so is the same for another API, or for none.
    let more = login("openid write:things");
    let silent = more.clone().with("prompt", "none").begin(&browser).await;
    assert_eq!(silent.expect(302).location_parameter("error").as_deref(), Some("consent_required"));
    assert_eq!(silent.location_parameter("state").as_deref(), Some("the-state"));
    let page = consent_page(&more.begin(&browser).await);
    let shown = browser.get(&page).await;
    assert!(shown.body.contains("write:things") && !shown.body.contains("read:things"), "{shown:?}");
    code_of(&say(&browser, &page, "accept").await);
    assert_eq!(grants(&server).await[0].scope, words("email openid read:things write:things"));
    login("read:things write:things").code_of_session(&browser).await;
    consent_page(&Login::web().begin(&browser).await);
    // Another user is asked, too.
    consent_page(&login("openid").finish(&server.client(), seed::BOB).await);
}

#[tokio::test]
async fn prompt_consent_always_asks() {
    let server = TestServer::start().await;
    // Of the tenant's own client, nobody is asked otherwise.
    let browser = server.client();
    Login::web().code(&browser, seed::ADA).await;
    let forced = Login::web().with("prompt", "consent");
    for _ in 0..2 {
        let page = consent_page(&forced.begin(&browser).await);
        let done = say(&browser, &page, "accept").await;
        exchange_web(&browser, &code_of(done.expect(303))).await.expect(200);
    }
    assert_eq!(grants(&server).await.len(), 1);
    // With a login before it, where that is asked for.
    let both = Login::web().with("prompt", "login consent").begin(&browser).await;
    assert!(asks_to_log_in(&both), "{both:?}");
    consent_page(&log_in(&browser, both.location(), seed::ADA, seed::PASSWORD).await);
    Login::web().code_of_session(&browser).await;
}

#[tokio::test]
async fn who_declines_sends_the_client_away_and_leaves_nothing() {
    let server = TestServer::start().await;
    third_party(&server).await;
    let browser = server.client();
    let page = consent_page(&login("openid read:things").finish(&browser, seed::ADA).await);
    let refused = say(&browser, &page, "decline").await;
    assert_eq!(refused.expect(303).location_parameter("error").as_deref(), Some("access_denied"));
    assert_eq!(refused.location_parameter("error_description").as_deref(), Some(DECLINED));
    assert_eq!(refused.location_parameter("state").as_deref(), Some("the-state"));
    assert_eq!((refused.location_parameter("code"), browser.cookie("auth0")), (None, None));
    assert_eq!(grants(&server).await, []);
    let logs = server.logs().await;
    let entry = logs.iter().find(|log| log.description == DECLINED).expect("an entry");
    assert_eq!(entry.code, "f");
    // A second answer is too late.
    say_with(&browser, &page, "x", "accept").await.expect_page(400);

    // In the mode that the client asked for.
    let form_post = login("openid").with("response_mode", "form_post");
    let page = consent_page(&form_post.finish(&browser, seed::ADA).await);
    let refused = say(&browser, &page, "decline").await;
    assert!(refused.expect(200).body.contains("access_denied") && refused.body.contains(DECLINED));
}

async fn say_with(browser: &RawClient, page: &str, csrf: &str, decision: &str) -> Response {
    browser.post_form(page, &[("csrf", csrf), ("decision", decision)]).await
}

// AZ15
#[tokio::test]
async fn what_was_shown_is_what_counts() {
    let server = TestServer::start().await;
    third_party(&server).await;
    let browser = server.client();
    let page = consent_page(&login("openid read:things").finish(&browser, seed::ADA).await);
    let csrf = browser.get(&page).await.field("csrf");
    // Another browser, another page's token, no word, another word.
    let other = server.client();
    other.get(&page).await.expect_page(400);
    say_with(&other, &page, &csrf, "accept").await.expect_page(400);
    let other_login = server.client();
    let foreign = consent_page(&login("openid").finish(&other_login, seed::BOB).await);
    let foreign = other_login.get(&foreign).await.field("csrf");
    say_with(&other_login, &page, &foreign, "accept").await.expect_page(400);
    say_with(&browser, &page, &foreign, "accept").await.expect_page(400);
    say_with(&browser, &page, &csrf, "perhaps").await.expect_page(400);
    browser.post_form(&page, &[("csrf", &csrf)]).await.expect_page(400);
    let request = browser.request(reqwest::Method::POST, &page);
    let request = request.header("sec-fetch-site", "cross-site");
    let sent = browser.send(request.form(&[("csrf", csrf.as_str()), ("decision", "accept")])).await;
    sent.expect_page(403);
    // The login page and an Action's way back are not for this login.
    let state = page.split_once("state=").expect("a state").1.to_owned();
    browser.get(&format!("/u/login?state={state}")).await.expect_page(400);
    browser.get(&format!("/continue?state={state}")).await.expect_page(400);
    browser.get(&format!("/u/mfa?state={state}")).await.expect_page(400);
    assert_eq!(grants(&server).await, []);

    let form = [
        ("csrf", csrf.as_str()),
        ("decision", "accept"),
        ("scope", "openid read:things write:things"),
        ("audience", "https://other.example/"),
        ("client_id", seed::NATIVE),
        ("user_id", "auth0|bob"),
        ("redirect_uri", "https://evil.example/"),
    ];
    let done = browser.post_form(&page, &form).await;
    assert!(done.expect(303).location().starts_with("https://web.example/"), "{done:?}");
    let tokens = exchange_web(&browser, &code_of(&done)).await.expect(200).json();
    assert_eq!(tokens["scope"], "openid read:things");
    let known = grants(&server).await;
    assert_eq!(known[0].scope, words("openid read:things"));
    assert_eq!((known.len(), known[0].client_id.as_str()), (1, seed::WEB));
}

// AZ15
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_answers_one_gives_a_code() {
    let server = Arc::new(TestServer::start().await);
    third_party(&server).await;
    let browser = server.client();
    let page = consent_page(&login("openid").finish(&browser, seed::ADA).await);
    let csrf = browser.get(&page).await.field("csrf");
    let answers = race::run(|index| {
        let (tab, page, csrf) = (server.client().with_cookies_of(&browser), page.clone(), csrf.clone());
        let decision = if index % 2 == 0 { "accept" } else { "decline" };
        async move { say_with(&tab, &page, &csrf, decision).await }
    })
    .await;
    assert!(answers.iter().all(|answer| [303, 400].contains(&answer.status)), "{answers:?}");
    let taken: Vec<_> = answers.iter().filter(|answer| answer.status == 303).collect();
    assert_eq!(taken.len(), 1, "{taken:?}");
    let known = grants(&server).await.len();
    assert_eq!(known, usize::from(taken[0].location_parameter("code").is_some()), "{taken:?}");
}

// RT9
#[tokio::test]
async fn a_withdrawn_consent_ends_what_it_gave_and_the_user_is_asked_again() {
    let server = TestServer::start().await;
    third_party(&server).await;
    let scope = "openid offline_access read:things";
    let (browser, code) = agreed(&server, scope).await;
    let tokens = exchange_web(&browser, &code).await.expect(200).json();
    let late = login(scope).code_of_session(&browser).await;
    let known = grants(&server).await;
    assert_eq!((known.len(), &known[0].scope), (1, &words("offline_access openid read:things")));
    withdraw(&server).await;
    assert_eq!(grants(&server).await, []);
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", seed::WEB),
        ("client_secret", seed::WEB_SECRET),
        ("refresh_token", &text(&tokens, "refresh_token")),
    ];
    browser.post_form("/oauth/token", &form).await.expect_error(403, "invalid_grant");
    // A code of before is worth nothing, either.
    exchange_web(&browser, &late).await.expect_error(403, "invalid_grant");
    let page = consent_page(&login(scope).begin(&browser).await);
    // The session goes on, and the same answer gives the same.
    exchange_web(&browser, &code_of(&say(&browser, &page, "accept").await)).await.expect(200);

    // So does a client whose refresh token it is, with the tenant's flag; without it, the consent stays.
    for (flag, asked) in [(false, false), (true, true)] {
        let patch = json!({ "flags": { "revoke_refresh_token_grant": flag } });
        let patch = patch.as_object().unwrap();
        manage::update_tenant(&server.idp, &server.acme(), patch).await.unwrap();
        let code = login(scope).code_of_session(&browser).await;
        let token = text(&exchange_web(&browser, &code).await.expect(200).json(), "refresh_token");
        let form = [("client_id", seed::WEB), ("client_secret", seed::WEB_SECRET), ("token", &token)];
        browser.post_form("/oauth/revoke", &form).await.expect(200);
        let again = login(scope).begin(&browser).await;
        assert_eq!(again.location().starts_with(CONSENT), asked, "{flag}");
    }
}

#[tokio::test]
async fn a_page_gives_what_it_showed_whatever_became_of_the_consent_before() {
    let server = TestServer::start().await;
    third_party(&server).await;
    let (browser, _) = agreed(&server, "openid").await;
    let page = consent_page(&login("openid read:things").begin(&browser).await);
    withdraw(&server).await;
    code_of(&say(&browser, &page, "accept").await);
    assert_eq!(grants(&server).await[0].scope, words("openid read:things"), "what this page showed");
}

#[tokio::test]
async fn an_action_may_add_and_remove_what_the_user_is_asked_for() {
    let server = TestServer::start().await;
    third_party(&server).await;
    let code = "exports.onExecutePostLogin = async (event, api) => {
        api.accessToken.addScope('write:things');
        api.accessToken.removeScope('email');
        if (event.transaction.requested_scopes.includes('profile')) api.access.deny('not you');
    };";
    server.deploy_action("changes", code).await;
    let browser = server.client();
    let page = consent_page(&login("openid email read:things").finish(&browser, seed::ADA).await);
    let shown = browser.get(&page).await;
    assert!(shown.body.contains("write:things") && !shown.body.contains("e-mail"), "{shown:?}");
    let done = say(&browser, &page, "accept").await;
    let tokens = exchange_web(&browser, &code_of(&done)).await.expect(200).json();
    assert_eq!(tokens["scope"], "openid read:things write:things");
    // Whom an Action refuses, nobody asks.
    let denied = login("openid profile").begin(&browser).await;
    assert_eq!(denied.location_parameter("error_description").as_deref(), Some("not you"));
}

#[tokio::test]
async fn an_api_may_want_that_users_of_the_tenants_own_clients_are_asked() {
    let server = TestServer::start().await;
    server.change_api(|api| api.skip_consent_for_verifiable_first_party_clients = false).await;
    let browser = server.client();
    let page = consent_page(&login("openid read:things").finish(&browser, seed::ADA).await);
    code_of(&say(&browser, &page, "accept").await);
    login("openid read:things").code_of_session(&browser).await;
    // It is about this API alone.
    Login::web().code_of_session(&browser).await;
}

#[tokio::test]
async fn a_session_transfer_token_is_a_login_and_no_consent() {
    let server = TestServer::start().await;
    third_party(&server).await;
    let app = server.client();
    let (token, _) = transfer_token(&app, &native_tokens(&app, seed::ADA).await).await;
    let browser = server.client();
    let page = consent_page(&arrive_by_cookie(&browser, &token).await);
    assert_eq!(browser.cookie("auth0"), None);
    let done = say(&browser, &page, "accept").await;
    exchange_web(&browser, &code_of(done.expect(303))).await.expect(200);
    assert!(browser.cookie("auth0").is_some());
    let again = server.client();
    let (token, _) = transfer_token(&app, &native_tokens(&server.client(), seed::ADA).await).await;
    code_of(&arrive_by_cookie(&again, &token).await);
}

#[tokio::test]
async fn to_connect_a_third_partys_device_is_to_agree() {
    let server = TestServer::start().await;
    server.change_client(seed::TV, |client| permissive(client, true)).await;
    let (tv, browser) = (server.client(), server.client());
    let codes = tv::ask(&tv).await;
    let page = tv::enter(&browser, &text(&codes, "user_code")).await;
    assert!(page.expect(200).body.contains("read:things") && page.body.contains("The API"), "{page:?}");
    let (csrf, user_code, shown) = (page.field("csrf"), page.field("user_code"), page.field("shown"));
    let form =
        [("csrf", csrf.as_str()), ("user_code", &user_code), ("shown", &shown), ("decision", "connect")];
    let begun = browser.post_form("/activate/confirm", &form).await;
    let done = log_in(&browser, begun.expect(303).location(), seed::ADA, seed::PASSWORD).await;
    assert_eq!(done.expect(303).location(), "/activate/connected");
    let tokens = tv::poll(&tv, &codes).await.expect(200).json();
    let known = grants(&server).await;
    assert_eq!((known.len(), known[0].client_id.as_str()), (1, seed::TV));
    assert_eq!(known[0].scope, words("offline_access openid profile read:things"));
    let next = refresh(&tv, seed::TV, &text(&tokens, "refresh_token")).await.expect(200).json();
    withdraw(&server).await;
    refresh(&tv, seed::TV, &text(&next, "refresh_token")).await.expect_error(403, "invalid_grant");

    // Who did not see what it wants is asked after the login, and may decline.
    let codes = tv::ask(&tv).await;
    let asked = tv::connect(&browser, &codes).await;
    let page = consent_page(&asked);
    let refused = say(&browser, &page, "decline").await;
    assert!(refused.expect(403).body.contains(DECLINED), "{refused:?}");
    let answer = tv::poll(&tv, &codes).await;
    assert_eq!(answer.expect_error(403, "access_denied").json()["error_description"], DECLINED);
    assert_eq!(grants(&server).await, []);
    let codes = tv::ask(&tv).await;
    let page = consent_page(&tv::connect(&browser, &codes).await);
    assert_eq!(say(&browser, &page, "accept").await.expect(303).location(), "/activate/connected");
    server.clock.advance_secs(5);
    tv::poll(&tv, &codes).await.expect(200);
}

#[tokio::test]
async fn no_consent_can_be_asked_for_where_there_is_no_page() {
    let server = TestServer::start().await;
    let form = [
        ("grant_type", "password"),
        ("client_id", seed::NATIVE),
        ("username", seed::ADA),
        ("password", seed::PASSWORD),
        ("audience", seed::API),
        ("scope", "openid read:things"),
    ];
    let app = server.client();
    let allow = |is_first_party: bool| {
        move |client: &mut model::Client| {
            client.grant_types.push("password".to_owned());
            permissive(client, !is_first_party);
        }
    };
    server.change_client(seed::NATIVE, allow(true)).await;
    app.post_form("/oauth/token", &form).await.expect(200);
    server.change_api(|api| api.skip_consent_for_verifiable_first_party_clients = false).await;
    app.post_form("/oauth/token", &form).await.expect_error(400, "consent_required");
    app.post_form("/oauth/token", &form[..4]).await.expect(200);
    server.change_client(seed::NATIVE, allow(false)).await;
    let refused = app.post_form("/oauth/token", &form).await;
    refused.expect_error(403, "unauthorized_client");
    app.post_form("/oauth/token", &form[..4]).await.expect_error(403, "unauthorized_client");
}

#[tokio::test]
async fn a_client_without_single_sign_on_has_its_users_log_in() {
    let server = TestServer::start().await;
    server.change_client(seed::WEB, |client| client.sso_disabled = true).await;
    let browser = server.client();
    let spa = Login::of(seed::SPA, seed::SPA_CALLBACK);
    spa.code(&browser, seed::ADA).await;
    let session = browser.cookie("auth0");
    for _ in 0..2 {
        let silent = Login::web().with("prompt", "none").begin(&browser).await;
        assert_eq!(silent.location_parameter("error").as_deref(), Some("login_required"));
        Login::web().code(&browser, seed::ADA).await;
    }
    // The session is the same one, and other clients have it.
    assert!(session.is_some() && browser.cookie("auth0") != session, "a new secret at each login");
    spa.code_of_session(&browser).await;
    // A session transfer token is a login.
    let app = server.client();
    let tokens = native_tokens(&app, seed::ADA).await;
    let (token, next) = transfer_token(&app, &tokens).await;
    code_of(&arrive_by_cookie(&browser, &token).await);
    let tokens: Value = json!({ "refresh_token": next });
    let (token, _) = transfer_token(&app, &tokens).await;
    code_of(&arrive_by_cookie(&server.client(), &token).await);
}

#[tokio::test]
async fn what_goes_away_takes_its_consents_with_it() {
    let server = TestServer::start().await;
    third_party(&server).await;
    agreed(&server, "openid").await;
    let (idp, tenant) = (&server.idp, server.acme());
    assert_eq!(grants(&server).await.len(), 1);
    manage::delete_client(idp, &tenant, &ClientId::new(seed::WEB)).await.unwrap();
    assert_eq!(grants(&server).await, []);
    third_party(&server).await;
    let (_, code) = agreed(&server, "openid").await;
    let user: UserId = server.user_id(seed::ADA).await;
    manage::delete_user(idp, &tenant, &user).await.unwrap();
    exchange_web(&server.client(), &code).await.expect_error(403, "invalid_grant");
}

#[tokio::test]
async fn the_settings_are_stored_shown_and_filtered_and_the_grant_is_listed_and_deleted() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let client = format!("/clients/{}", seed::WEB);
    let patch =
        json!({ "is_first_party": false, "third_party_security_mode": "permissive", "sso_disabled": true });
    let changed = api.patch(&client, &patch).await.expect_json(200);
    assert_eq!((&changed["is_first_party"], &changed["sso_disabled"]), (&json!(false), &json!(true)));
    let listed = api.get("/clients?is_first_party=false").await.expect_json(200);
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["client_id"]), (1, &json!(seed::WEB)));
    let (browser, _) = agreed(&server, "openid read:things").await;
    let list = api.get("/grants?include_totals=true").await.expect_json(200);
    assert_eq!(list["total"], 1);
    let grant = &list["grants"][0];
    assert_eq!((&grant["clientID"], &grant["audience"]), (&json!(seed::WEB), &json!(seed::API)));
    assert_eq!(grant["scope"], json!(["openid", "read:things"]));
    let id = text(grant, "id");
    api.delete(&format!("/grants/{id}")).await.expect(204);
    api.delete(&format!("/grants/{id}")).await.expect_api_error(404, "inexistent_grant", "does not exist");
    let begun = login("openid").begin(&browser).await;
    assert!(asks_to_log_in(&begun), "there is no single sign-on: {begun:?}");
    consent_page(&log_in(&browser, begun.location(), seed::ADA, seed::PASSWORD).await);
    let reset = json!({ "is_first_party": null, "sso_disabled": null });
    let changed = api.patch(&client, &reset).await.expect_json(200);
    assert_eq!((&changed["is_first_party"], &changed["sso_disabled"]), (&json!(true), &json!(false)));
    code_of(&login("openid").begin(&browser).await);
}
