//! A component decides about logins of the whole server.

use std::collections::BTreeMap;

use action_api::RunError;
use end_to_end::flow::{code_of, exchange_web, text};
use end_to_end::{Login, RawClient, Response, TestServer, actions, jwt, seed};
use idp::manage;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::guest;
use crate::outgoing::Service;
use crate::post_login::{refused, sent_away, state_of};

const SECRET: &str = "shared with the other site";

async fn deploy(server: &TestServer, name: &str, secrets: &[(&str, &str)]) {
    let source = guest(name);
    let limits = server.idp.limits;
    let built =
        tokio::task::spawn_blocking(move || action_build::build(actions::runtime(), &source, &limits)).await;
    let artifact = built.unwrap().expect("it builds");
    let secrets: BTreeMap<String, String> =
        secrets.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let source = &actions::kept("");
    let deployment =
        manage::Deployment { source, artifact: &artifact, secrets: &secrets, hosts: None, modules: None };
    manage::deploy_action(&server.idp, &server.acme(), "guest", deployment).await.expect("a deploy");
}

/// What the other site sends back.
fn token(claims: Value, secret: &str) -> String {
    encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

async fn back_with(browser: &RawClient, state: &str, token: &str) -> Response {
    browser.get_with("/continue", &[("state", state), ("session_token", token)]).await
}

#[tokio::test]
async fn a_component_sends_the_browser_away_and_goes_on_when_it_is_back() {
    let server = TestServer::start().await;
    deploy(&server, "terms.c", &[("SHARED", SECRET)]).await;
    let browser = server.client();
    let url = sent_away(&browser).await;
    assert_eq!(url.host_str(), Some("profile.example"));
    let parameters: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
    assert_eq!(parameters["keep"], "1");
    let told = jwt::claims(&parameters["session_token"]);
    assert_eq!((&told["terms"], &told["sub"]), (&json!(3), &json!(server.user_id(seed::ADA).await.as_str())));

    let state = state_of(&url);
    let claims = json!({ "state": state, "sub": told["sub"], "exp": told["exp"], "accepted": true });
    let answer = back_with(&browser, &state, &token(claims.clone(), SECRET)).await;
    let code = code_of_page(&answer);
    let tokens = exchange_web(&browser, &code).await.expect(200).json();
    assert_eq!(jwt::claims(&text(&tokens, "id_token"))["terms"], claims);

    // Somebody else's token.
    let browser = server.client();
    let state = state_of(&sent_away(&browser).await);
    let claims = json!({ "state": state, "sub": told["sub"], "exp": told["exp"] });
    let answer = back_with(&browser, &state, &token(claims, "another secret")).await;
    let why = answer.expect(302).location_parameter("error_description");
    assert_eq!(why.as_deref(), Some("The terms were not accepted"));

    // Nobody can be sent anywhere in a silent login, and the component asks first.
    let silent = Login::web().with("prompt", "none").begin(&browser).await;
    assert_eq!(silent.location_parameter("error").as_deref(), Some("login_required"), "{silent:?}");
}

fn code_of_page(answer: &Response) -> String {
    answer.expect(302).location_parameter("code").unwrap_or_else(|| panic!("no code: {answer:?}"))
}

#[tokio::test]
async fn a_component_without_its_secret_fails_the_login_with_its_own_text() {
    let server = TestServer::start().await;
    deploy(&server, "terms.c", &[]).await;
    assert_eq!(refused(&server, "no secret").await, "no secret");
    let report = server.reports().await.pop().expect("a run");
    assert!(matches!(report.error, Some(RunError::Exception { .. })), "{:?}", report.error);
}

#[tokio::test]
async fn a_component_asks_a_service_twice_at_once_and_the_claim_has_both_answers() {
    let (server, service) = (TestServer::start().await, Service::start().await);
    deploy(&server, "fetches.c", &[("URL", &service.url("/echo"))]).await;
    let browser = server.client();
    let code = code_of(&Login::web().finish(&browser, seed::ADA).await);
    let tokens = exchange_web(&browser, &code).await.expect(200).json();
    let answers = text(&jwt::claims(&text(&tokens, "id_token")), "answers");
    assert!(answers.contains("one") && answers.contains("two"), "{answers}");
    assert_eq!(service.requests().len(), 2);
}

#[tokio::test]
async fn a_component_may_not_reach_what_a_script_may_not_reach() {
    let server = TestServer::start().await;
    deploy(&server, "fetches.c", &[("URL", "http://192.168.7.7/")]).await;
    let why = refused(&server, "a private network").await;
    assert!(why.contains("192.168.7.7"), "{why}");
    deploy(&server, "fetches.c", &[("URL", "file:///etc/passwd")]).await;
    refused(&server, "no web address").await;
}

#[tokio::test]
async fn a_component_that_waits_too_long_is_ended_and_the_login_refused() {
    let service = Service::start().await;
    let server =
        TestServer::start_with_limits(action_api::Limits { wall_clock_ms: 300, ..actions::LIMITS }).await;
    deploy(&server, "fetches.c", &[("URL", &service.url("/slow"))]).await;
    refused(&server, "too slow").await;
    let report = server.reports().await.pop().expect("a run");
    assert!(
        matches!(&report.error, Some(RunError::Limit { limit, .. }) if limit == "wall_clock_ms"),
        "{report:?}"
    );
    // Its place is free again.
    deploy(&server, "fetches.c", &[("URL", &service.url("/echo"))]).await;
    code_of(&Login::web().finish(&server.client(), seed::ADA).await);
}
