//! An Action sends the browser away (`post-login.md` section 1.4): the login waits, and goes on where it was.

use end_to_end::flow::{
    asks_to_log_in, code_of, exchange_native, exchange_web, native_tokens, refresh, text,
};
use end_to_end::{Login, RawClient, Response, TestServer, jwt, seed};
use reqwest::Method;
use serde_json::json;

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
    format!(
        "exports.onExecutePostLogin = async (event, api) => {{
           console.log(JSON.stringify('{claim}'));
           api.idToken.setCustomClaim('{claim}', {value});
         }};"
    )
}

/// Where the page after a form sends the browser.
fn left_to(page: &Response) -> url::Url {
    let body = &page.expect(200).body;
    let at =
        body.find("content=\"0; url=").expect("a page that sends the browser on") + "content=\"0; url=".len();
    let url = body[at..].split('"').next().expect("a URL").replace("&amp;", "&").replace("&#38;", "&");
    url.parse().expect("a URL")
}

fn state_of(url: &url::Url) -> String {
    url.query_pairs().find(|(name, _)| name == "state").expect("a state").1.into_owned()
}

/// Logs in with the password; the Action's URL.
async fn sent_away(browser: &RawClient) -> url::Url {
    left_to(&Login::web().finish(browser, seed::ADA).await)
}

async fn back(browser: &RawClient, state: &str, answer: &str) -> Response {
    browser.get_with("/continue", &[("state", state), ("answer", answer)]).await
}

#[tokio::test]
async fn the_login_goes_on_in_the_action_that_sent_the_user_away_and_earlier_ones_are_not_repeated() {
    let server = TestServer::start().await;
    server.deploy_action("first", &says("first", "1")).await;
    server.deploy_action("second", ASKS).await;
    server.deploy_action("third", &says("third", "event.transaction.metadata.asked")).await;
    let browser = server.client();
    let url = sent_away(&browser).await;
    assert_eq!(url.host_str(), Some("profile.example"));
    let query: Vec<_> = url.query_pairs().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(query[..2], ["keep=1", &format!("user={}", seed::ADA)]);
    // Who stays away is not logged in.
    assert_eq!(browser.cookie("auth0"), None);
    assert!(asks_to_log_in(&Login::web().begin(&browser).await));
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
    assert_eq!(event["request"]["query"], json!({ "state": state_of(&url), "answer": "yes" }));
    assert_eq!(event["request"]["method"], "GET");
    assert_eq!(event["user"]["app_metadata"]["asked"], true, "written before the browser left");
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
async fn the_state_is_good_once_and_in_the_same_browser_only() {
    let server = TestServer::start().await;
    server.deploy_action("asks", ASKS).await;
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
}

#[tokio::test]
async fn a_form_of_the_other_site_is_taken_with_a_click_and_its_body_reaches_the_action() {
    let server = TestServer::start().await;
    server.deploy_action("asks", ASKS).await;
    let browser = server.client();
    let state = state_of(&sent_away(&browser).await);
    let path = format!("/continue?state={state}");
    // As a browser sends it: from another site, without the cookie that is for this site only.
    let other = server.client();
    let form = [("answer", "<b>\"yes\"</b>")];
    let from_elsewhere =
        other.request(Method::POST, &path).header("sec-fetch-site", "cross-site").form(&form);
    let page = other.send(from_elsewhere).await;
    assert_eq!(page.expect(200).field("answer"), "&#60;b&#62;&#34;yes&#34;&#60;/b&#62;");
    let done = browser.post_form(&path, &form).await;
    let url = left_to(&done);
    let code = url.query_pairs().find(|(name, _)| name == "code").expect("a code").1.into_owned();
    let tokens = exchange_web(&browser, &code).await.expect(200).json();
    assert_eq!(jwt::claims(&text(&tokens, "id_token"))["answer"], "<b>\"yes\"</b>");
    assert_eq!(server.printed().await[0]["request"]["method"], "POST");
}

#[tokio::test]
async fn where_nobody_can_be_asked_the_answer_is_interaction_required() {
    let server = TestServer::start().await;
    let browser = server.client();
    let tokens = native_tokens(&browser, seed::ADA).await;
    server.deploy_action("asks", ASKS).await;
    let silent = Login::web().with("prompt", "none").begin(&browser).await;
    assert_eq!(silent.location_parameter("error").as_deref(), Some("interaction_required"), "{silent:?}");
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
async fn who_stays_away_for_an_hour_or_is_blocked_meanwhile_begins_anew() {
    let server = TestServer::start().await;
    server.deploy_action("asks", ASKS).await;
    let browser = server.client();
    let state = state_of(&sent_away(&browser).await);
    server.clock.advance_secs(3601);
    back(&browser, &state, "yes").await.expect_page(400);
    let state = state_of(&sent_away(&browser).await);
    let mut tx = server.idp.storage.begin(&server.acme()).await.unwrap();
    let connection = tx.connections().await.unwrap().remove(0);
    let ada = tx.user_by_login(&connection.id, seed::ADA).await.unwrap().expect("Ada");
    tx.put_user(&model::User { blocked: true, ..ada }).await.unwrap();
    tx.commit().await.unwrap();
    back(&browser, &state, "yes").await.expect_page(400);
    assert_eq!(browser.cookie("auth0"), None);
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
