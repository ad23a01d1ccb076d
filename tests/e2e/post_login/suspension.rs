//! Section 1.4: an Action sends the browser away. The login waits, and goes on where it was.

use action_api::Limits;
use end_to_end::flow::{
    asks_to_log_in, code_of, exchange_native, exchange_web, native_tokens, refresh, text,
};
use end_to_end::{Login, TestServer, actions, jwt, seed};
use idp::manage;
use reqwest::Method;
use serde_json::{Map, json};

use super::{back, handler, left_to, refused, sent_away, state_of};
use crate::password_grant;

/// Sends the user to another site, and takes what that site says into the ID token.
const ASKS: &str = "
    exports.onExecutePostLogin = async (event, api) => {
      api.user.setAppMetadata('asked', true);
      api.transaction.setMetadata('asked', event.transaction.id ?? 'no browser');
      api.redirect.sendUserTo('https://profile.example/form?keep=1', { query: { user: event.user.email } });
    };
    exports.onContinuePostLogin = async (event, api) => {
      console.log(JSON.stringify(event));
      const { answer } = { ...event.request.query, ...event.request.body };
      if (answer === 'no') api.access.deny('They said no');
      api.idToken.setCustomClaim('answer', answer);
    };";

fn says(claim: &str, value: &str) -> String {
    handler(&format!(
        "console.log(JSON.stringify('{claim}')); api.idToken.setCustomClaim('{claim}', {value});"
    ))
}

async fn asking() -> TestServer {
    let server = TestServer::start().await;
    server.deploy_action("asks", ASKS).await;
    server
}

#[tokio::test]
async fn s1_4_1_the_action_runs_to_its_end_and_later_ones_wait() {
    let server = TestServer::start().await;
    let asks = handler(
        "api.redirect.sendUserTo('https://a.example/');
         await new Promise((done) => setTimeout(done, 5));
         console.log(JSON.stringify('end'));",
    );
    server.deploy_action("asks", &asks).await;
    server.deploy_action("later", &says("later", "1")).await;
    sent_away(&server.client()).await;
    assert_eq!(server.printed().await, ["end"]);
}

#[tokio::test]
async fn s1_4_2_the_url_gets_a_state() {
    let server = asking().await;
    let url = sent_away(&server.client()).await;
    assert_eq!(url.host_str(), Some("profile.example"));
    let query: Vec<_> = url.query_pairs().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(query[..2], ["keep=1", &format!("user={}", seed::ADA)]);
    assert!(query.len() == 3 && state_of(&url).len() >= 22, "{query:?}");
    // The Action's own state is no other's.
    let own = "exports.onExecutePostLogin = async (event, api) => {
        api.redirect.sendUserTo('https://a.example/?state=mine', { query: { state: 'mine' } });
    };";
    server.deploy_action("asks", own).await;
    let url = sent_away(&server.client()).await;
    assert!(url.query_pairs().count() == 1 && state_of(&url) != "mine", "{url}");
}

// BR10
#[tokio::test]
async fn s1_4_3_continue_with_the_same_state() {
    let server = asking().await;
    let browser = server.client();
    let state = state_of(&sent_away(&browser).await);
    let refused = [
        browser.get("/continue").await,
        back(&browser, "another", "yes").await,
        back(&server.client(), &state, "yes").await,
        browser.get(&format!("/u/login?state={state}")).await,
        browser.get(&format!("/continue?state={state}&state={state}")).await,
    ];
    for answer in refused {
        answer.expect_page(400);
        assert!(answer.body.contains("invalid_request"), "{answer:?}");
    }
    back(&browser, &state, "yes").await.expect(302);
    back(&browser, &state, "yes").await.expect_page(400);
    // A login that waits for its password cannot be continued.
    let begun = Login::web().with("prompt", "login").begin(&browser).await;
    back(&browser, &begun.location_parameter("state").expect("a state"), "yes").await.expect_page(400);

    // By a form of the other site: a browser holds the cookie back then, so it is taken with a click.
    let browser = server.client();
    let path = format!("/continue?state={}", state_of(&sent_away(&browser).await));
    let other = server.client();
    let form = [("answer", "<b>\"yes\"</b>")];
    let from_elsewhere =
        other.request(Method::POST, &path).header("sec-fetch-site", "cross-site").form(&form);
    let page = other.send(from_elsewhere).await;
    assert_eq!(page.expect(200).field("answer"), "&#60;b&#62;&#34;yes&#34;&#60;/b&#62;");
    let url = left_to(&browser.post_form(&path, &form).await);
    let code = url.query_pairs().find(|(name, _)| name == "code").expect("a code").1.into_owned();
    let tokens = exchange_web(&browser, &code).await.expect(200).json();
    assert_eq!(jwt::claims(&text(&tokens, "id_token"))["answer"], "<b>\"yes\"</b>");
}

#[tokio::test]
async fn s1_4_4_the_same_action_continues_with_a_new_request_and_the_user_read_again() {
    let server = asking().await;
    let browser = server.client();
    let url = sent_away(&browser).await;
    // The other site writes by the management API meanwhile.
    let id = server.user_id(seed::ADA).await;
    let mut tx = server.idp.storage.begin(&server.acme()).await.unwrap();
    let mut app_metadata = tx.user(&id).await.unwrap().expect("Ada").app_metadata;
    assert_eq!(app_metadata["asked"], true, "what the Action asked for is there before the browser leaves");
    app_metadata.insert("terms".to_owned(), json!(3));
    tx.set_user_metadata(&id, &Map::new(), &app_metadata, server.idp.now()).await.unwrap();
    tx.commit().await.unwrap();
    let state = state_of(&url);
    let form = [("answer", "yes")];
    let done = browser.post_form(&format!("/continue?state={state}&lang=en"), &form).await;
    assert_eq!(left_to(&done).host_str(), Some("web.example"));
    let event = server.printed().await.remove(0);
    assert_eq!(event["request"]["method"], "POST");
    assert_eq!(event["request"]["query"], json!({ "state": state, "lang": "en" }));
    assert_eq!(event["request"]["body"], json!({ "answer": "yes" }));
    assert_eq!(event["user"]["app_metadata"], json!({ "asked": true, "terms": 3 }));
}

#[tokio::test]
async fn s1_4_5_the_following_actions_run_and_earlier_ones_not_again() {
    let server = TestServer::start().await;
    server.deploy_action("first", &says("first", "1")).await;
    server.deploy_action("second", ASKS).await;
    server.deploy_action("third", &says("third", "event.transaction.metadata.asked")).await;
    let browser = server.client();
    let url = sent_away(&browser).await;
    assert_eq!(server.printed().await, [json!("first")]);

    let done = back(&browser, &state_of(&url), "yes").await;
    done.expect(302);
    let tokens = exchange_web(&browser, &code_of(&done)).await.expect(200).json();
    let claims = jwt::claims(&text(&tokens, "id_token"));
    let printed = server.printed().await;
    assert_eq!(printed.len(), 3, "{printed:?}");
    let event = &printed[1];
    assert_eq!((&claims["first"], &claims["answer"]), (&json!(1), &json!("yes")));
    assert_eq!(claims["third"], event["transaction"]["id"], "the transaction's metadata survive");
    assert_eq!(claims["sid"], event["session"]["id"]);
    assert_eq!(server.reports().await.len(), 4);
    // The session is there now: the next time no password is asked for, and the browser is sent away at once.
    let again = Login::web().begin(&browser).await;
    assert!(again.expect(302).location().starts_with("https://profile.example/form"), "{again:?}");
    let denied = back(&browser, &again.location_parameter("state").expect("a state"), "no").await;
    assert_eq!(denied.location_parameter("error").as_deref(), Some("access_denied"));
    assert_eq!(denied.location_parameter("error_description").as_deref(), Some("They said no"));
    assert_eq!(server.printed().await.len(), 5, "no Action after the one that denied");
}

#[tokio::test]
async fn s1_4_6_each_part_has_a_clock_of_its_own() {
    let server = TestServer::start_with_limits(Limits { wall_clock_ms: 2000, ..actions::LIMITS }).await;
    let waits = |then: &str| format!("await new Promise((done) => setTimeout(done, 1100)); {then}");
    let asks = format!(
        "{}; exports.onContinuePostLogin = async (event, api) => {{ {} }};",
        handler(&waits("api.redirect.sendUserTo('https://a.example/')")),
        waits("")
    );
    server.deploy_action("asks", &asks).await;
    let browser = server.client();
    let done = back(&browser, &state_of(&sent_away(&browser).await), "").await;
    code_of(&done);
    // Both waits in one part are too much.
    server.deploy_action("asks", &handler(&waits(""))).await;
    server.deploy_action("more", &handler(&waits(""))).await;
    assert_eq!(refused(&server, "one part").await, "An Action of this login exceeded its limits.");
}

#[tokio::test]
async fn s1_4_7_how_long_the_flow_may_stay_away() {
    let server = asking().await;
    let browser = server.client();
    let state = state_of(&sent_away(&browser).await);
    server.clock.advance_secs(3601);
    back(&browser, &state, "yes").await.expect_page(400);
    // With a session's life of a minute, a minute.
    let patch = json!({ "session_lifetime_in_minutes": 1, "idle_session_lifetime_in_minutes": 1 });
    manage::update_tenant(&server.idp, &server.acme(), patch.as_object().unwrap()).await.unwrap();
    for (away, works) in [(59, true), (60, false)] {
        let browser = server.client();
        let state = state_of(&sent_away(&browser).await);
        server.clock.advance_secs(away);
        assert_eq!(back(&browser, &state, "yes").await.status == 302, works, "{away} s");
    }
    // Who is blocked meanwhile does not come back, either.
    let state = state_of(&sent_away(&browser).await);
    let id = server.user_id(seed::ADA).await;
    let mut tx = server.idp.storage.begin(&server.acme()).await.unwrap();
    let ada = tx.user(&id).await.unwrap().expect("Ada");
    tx.put_user(&model::User { blocked: true, ..ada }).await.unwrap();
    tx.commit().await.unwrap();
    back(&browser, &state, "yes").await.expect_page(400);
    assert_eq!(browser.cookie("auth0"), None);
}

#[tokio::test]
async fn s1_4_8_the_next_part_may_run_on_another_instance() {
    let server = TestServer::start().await;
    let asks = "
        exports.onExecutePostLogin = async (event, api) => {
          api.cache.set('seen', 'yes');
          api.transaction.setMetadata('seen', 'yes');
          api.redirect.sendUserTo('https://a.example/');
        };
        exports.onContinuePostLogin = async (event, api) => {
          console.log(JSON.stringify([api.cache.get('seen') ?? null, event.transaction.metadata.seen]));
        };";
    server.deploy_action("asks", asks).await;
    let browser = server.client();
    let state = state_of(&sent_away(&browser).await);
    let other = server.beside().await;
    let browser = other.client().with_cookies_of(&browser);
    code_of(&back(&browser, &state, "").await);
    assert_eq!(server.printed().await, [json!([null, "yes"])], "the cache is the instance's");
}

#[tokio::test]
async fn s1_4_9_a_redirect_and_a_form_in_one_action_abort() {
    let server = TestServer::start().await;
    let (redirect, form) = ("api.redirect.sendUserTo('https://a.example/');", "api.prompt.render('ap_1');");
    for both in [[redirect, form], [form, redirect], [form, form]] {
        server.deploy_action("asks", &handler(&both.concat())).await;
        let why = refused(&server, &both.concat()).await;
        assert!(why.starts_with("api."), "the error that it threw: {why}");
        // Also where the Action does not let it out.
        let caught = format!("{} try {{ {} }} catch {{}}", both[0], both[1]);
        server.deploy_action("asks", &handler(&caught)).await;
        let why = refused(&server, &caught).await;
        assert!(why.starts_with("An Action may"), "{why}");
    }
    // In two Actions, one after the other: the first one counts, and the second has its turn after it.
    let leaves = format!("{}; exports.onContinuePostLogin = async () => {{}};", handler(redirect));
    server.deploy_action("asks", &leaves).await;
    server.deploy_action("renders", &handler(form)).await;
    let browser = server.client();
    let done = back(&browser, &state_of(&sent_away(&browser).await), "").await;
    let why = done.location_parameter("error_description").expect("a description");
    assert_eq!(why, "This server cannot show the form ap_1 that an Action asks for.");
}

#[tokio::test]
async fn s1_4_10_where_nobody_can_be_redirected() {
    let server = password_grant::server().await;
    let browser = server.client();
    let tokens = native_tokens(&browser, seed::ADA).await;
    server.deploy_action("asks", ASKS).await;
    let silent = Login::web().with("prompt", "none").begin(&browser).await;
    assert_eq!(silent.location_parameter("error").as_deref(), Some("interaction_required"), "{silent:?}");
    password_grant::log_in(&browser, &[]).await.expect_error(400, "interaction_required");
    let token = text(&tokens, "refresh_token");
    refresh(&browser, seed::NATIVE, &token).await.expect_error(400, "interaction_required");
    server.deploy_action("asks", &says("asked", "api.redirect.canRedirect()")).await;
    let refreshed = refresh(&browser, seed::NATIVE, &token).await.expect(200).json();
    assert_eq!(jwt::claims(&text(&refreshed, "id_token"))["asked"], false);
    let code = Login::native().code_of_session(&browser).await;
    let tokens = exchange_native(&browser, &code).await.expect(200).json();
    assert_eq!(jwt::claims(&text(&tokens, "id_token"))["asked"], true);
}

#[tokio::test]
async fn s1_4_11_a_redirect_cannot_be_skipped() {
    let server = asking().await;
    let browser = server.client();
    let url = sent_away(&browser).await;
    // Elsewhere the session is there by now, and a silent login skips the redirect. Here nobody is logged in.
    assert_eq!(browser.cookie("auth0"), None);
    assert!(asks_to_log_in(&Login::web().begin(&browser).await));
    let silent = Login::web().with("prompt", "none").begin(&browser).await;
    assert_eq!(silent.location_parameter("error").as_deref(), Some("login_required"));
    code_of(&back(&browser, &state_of(&url), "yes").await);
    // In a session that is complete, the Action has its say at every login.
    let silent = Login::web().with("prompt", "none").begin(&browser).await;
    assert_eq!(silent.location_parameter("error").as_deref(), Some("interaction_required"));
    let once = ASKS.replace("api.user", "if (event.user.app_metadata.asked) return; api.user");
    server.deploy_action("asks", &once).await;
    Login::web().with("prompt", "none").code_of_session(&browser).await;
}

#[tokio::test]
async fn an_action_that_cannot_go_on_refuses_the_login() {
    let server = TestServer::start().await;
    let only_leaves =
        "exports.onExecutePostLogin = async (event, api) => api.redirect.sendUserTo('https://a.example')";
    server.deploy_action("leaves", only_leaves).await;
    let browser = server.client();
    let done = back(&browser, &state_of(&sent_away(&browser).await), "").await;
    assert_eq!(done.location_parameter("error").as_deref(), Some("access_denied"), "{done:?}");
    assert_eq!(browser.cookie("auth0"), None);
    let error = server.reports().await.pop().expect("a report").error.expect("an error");
    assert!(error.to_string().contains("onContinuePostLogin"), "{error}");
    let not_async = format!("{only_leaves}; exports.onContinuePostLogin = () => {{}};");
    server.deploy_action("leaves", &not_async).await;
    let done = back(&browser, &state_of(&sent_away(&browser).await), "").await;
    assert_eq!(done.location_parameter("error").as_deref(), Some("access_denied"), "{done:?}");
}

#[tokio::test]
async fn a_method_that_the_action_recorded_stays_with_the_session() {
    let server = TestServer::start().await;
    let records = "
        exports.onExecutePostLogin = async (event, api) => {
          console.log(JSON.stringify(event.authentication.methods.map((method) => method.name)));
          if (event.authentication.methods.length === 1) api.redirect.sendUserTo('https://a.example');
        };
        exports.onContinuePostLogin = async (event, api) => {
          api.authentication.recordMethod('https://a.example/method');
        };";
    server.deploy_action("records", records).await;
    let browser = server.client();
    back(&browser, &state_of(&sent_away(&browser).await), "").await.expect(302);
    Login::web().code_of_session(&browser).await;
    assert_eq!(server.printed().await, [json!(["pwd"]), json!(["pwd", "https://a.example/method"])]);
}
