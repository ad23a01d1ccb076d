//! What an Action decides reaches the client; what fails denies.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use action_api::{RunError, RunReport};
use action_build::{Program, Source};
use end_to_end::flow::{exchange_native, exchange_web, native_tokens, refresh, text};
use end_to_end::{Login, TestServer, actions, jwt, seed};
use idp::{ActionExecutor, ActionRun, manage};
use postern::rebuild::Rebuilder;
use reqwest::Method;
use serde_json::json;

use crate::post_login::{handler, refused};

/// Does what no script can do.
struct Broken(fn() -> RunError);

impl ActionExecutor for Broken {
    fn run<'a>(&'a self, run: ActionRun) -> Pin<Box<dyn Future<Output = RunReport> + Send + 'a>> {
        Box::pin(async move { RunReport::failed(run.digest, (self.0)()) })
    }
}

#[tokio::test]
async fn a_failure_of_the_server_denies_the_login_and_keeps_its_cause() {
    let cause = || RunError::Host { message: "secret of the operator".into() };
    let server = TestServer::start_with_executor(Arc::new(Broken(cause))).await;
    server.deploy_action("innocent", &handler("")).await;
    let description = refused(&server, "a host failure").await;
    assert_eq!(description, "An Action of this login could not be run.");
}

// OP5
#[tokio::test]
async fn a_panic_is_an_error_page_and_not_a_dropped_connection() {
    let server = TestServer::start_with_executor(Arc::new(Broken(|| panic!("the detail")))).await;
    server.deploy_action("innocent", &handler("")).await;
    let answer = Login::web().finish(&server.client(), seed::ADA).await;
    answer.expect_page(500);
    assert!(!answer.body.contains("the detail"));
    assert!(answer.body.contains(answer.header("x-request-id").expect("a correlation id")));
}

#[tokio::test]
async fn a_denied_login_tells_the_reason_in_safe_characters() {
    let server = TestServer::start().await;
    let denies = handler(r#"api.access.deny('Not "today"\r\nSet-Cookie: a=b \u20ac');"#);
    server.deploy_action("denies", &denies).await;
    let description = refused(&server, "denied").await;
    assert!(
        description.starts_with("Not 'today'") && !description.contains(['\r', '\n', '"']),
        "{description}"
    );
}

#[tokio::test]
async fn claims_reach_the_tokens_and_metadata_the_next_event() {
    let server = TestServer::start().await;
    let claims = handler(
        "console.log(JSON.stringify(event));
         api.idToken.setCustomClaim('https://acme.example/plan', 'gold');
         api.accessToken.setCustomClaim('https://acme.example/roles', ['a']);
         api.user.setAppMetadata('seen', 1);",
    );
    server.deploy_action("claims", &claims).await;
    let browser = server.client();
    let code = Login::web().with("audience", seed::API).code(&browser, seed::ADA).await;
    let tokens = exchange_web(&browser, &code).await.expect(200).json();
    assert_eq!(jwt::claims(&text(&tokens, "id_token"))["https://acme.example/plan"], "gold");
    assert_eq!(jwt::claims(&text(&tokens, "access_token"))["https://acme.example/roles"], json!(["a"]));
    Login::web().code_of_session(&browser).await;
    let events = server.printed().await;
    assert_eq!(events.len(), 2);
    assert_eq!(events[0]["user"]["app_metadata"], json!({}));
    assert_eq!(events[1]["user"]["app_metadata"]["seen"], 1);
    assert!(
        !events.iter().any(|event| event.to_string().contains(seed::PASSWORD)),
        "no password in an event"
    );
}

#[tokio::test]
async fn actions_run_in_their_order_until_one_denies() {
    let server = TestServer::start().await;
    server.deploy_action("first", &handler("api.idToken.setCustomClaim('who', 'first')")).await;
    server.deploy_action("second", &handler("api.idToken.setCustomClaim('who', 'second')")).await;
    let browser = server.client();
    let code = Login::web().code(&browser, seed::ADA).await;
    let tokens = exchange_web(&browser, &code).await.expect(200).json();
    assert_eq!(jwt::claims(&text(&tokens, "id_token"))["who"], "second");
    server.deploy_action("first", &handler("api.access.deny('no')")).await;
    assert_eq!(refused(&server, "the first denies").await, "no");
    assert_eq!(server.reports().await.len(), 3, "the second did not run");
}

#[tokio::test]
async fn claims_of_a_refresh_are_in_its_tokens_and_the_event_says_what_it_is() {
    let server = TestServer::start().await;
    let app = server.client();
    let tokens = native_tokens(&app, seed::ADA).await;
    let claims = handler(
        "api.idToken.setCustomClaim('plan', event.transaction.protocol);
         api.accessToken.setCustomClaim('https://acme.example/roles', ['b']);
         api.user.setAppMetadata('refreshed', true);
         console.log(JSON.stringify(event));",
    );
    server.deploy_action("claims", &claims).await;
    let token = text(&tokens, "refresh_token");
    let refreshed = refresh(&app, seed::NATIVE, &token).await.expect(200).json();
    assert_eq!(jwt::claims(&text(&refreshed, "id_token"))["plan"], "oauth2-refresh-token");
    let request = app.request(Method::GET, "/userinfo").bearer_auth(text(&refreshed, "access_token"));
    let userinfo = app.send(request).await.expect(200).json();
    assert_eq!(userinfo["plan"], "oauth2-refresh-token", "an opaque token has the claims of its ID token");
    let event = server.printed().await.remove(0);
    assert_eq!(event["client"]["client_id"], seed::NATIVE);
    assert!(event["refresh_token"]["session_id"].is_string(), "{event}");
    assert!(event["session"].is_null(), "a refresh has no browser session: {event}");
    assert!(!event.to_string().contains(&token), "no credential in an event");
    // An access token for an API has its own.
    let login = Login::native().with("audience", seed::API).with("scope", "openid offline_access");
    let code = login.code_of_session(&app).await;
    let for_api = exchange_native(&app, &code).await.expect(200).json();
    let for_api = refresh(&app, seed::NATIVE, &text(&for_api, "refresh_token")).await.expect(200).json();
    let claims = jwt::claims(&text(&for_api, "access_token"));
    assert_eq!(claims["https://acme.example/roles"], json!(["b"]), "{claims}");
    // At the next refresh nothing is left of the claims, but the metadata.
    server.deploy_action("claims", &handler("console.log(JSON.stringify(event.user.app_metadata))")).await;
    let again = refresh(&app, seed::NATIVE, &text(&refreshed, "refresh_token")).await.expect(200).json();
    assert!(jwt::claims(&text(&again, "id_token"))["plan"].is_null());
    assert_eq!(server.printed().await.last(), Some(&json!({ "refreshed": true })));
}

/// An image runs only on the JS engine that made it. After an upgrade nobody has to deploy anything again.
#[tokio::test]
async fn an_action_of_another_engine_is_built_again_from_its_source_once() {
    let server = TestServer::start().await;
    let code = "import { plan } from './plan.ts';
        export const onExecutePostLogin = async (event: { user: unknown }, api: any): Promise<void> => {
            api.idToken.setCustomClaim('plan', plan);
        };";
    let modules = [("plan.ts".to_owned(), "export const plan: string = 'gold';".to_owned())].into();
    let source = Source {
        file_name: "action.ts".to_owned(),
        program: Program::Script { code: code.to_owned(), modules },
    };
    let artifact = action_build::build(actions::runtime(), &source, &actions::LIMITS).expect("it builds");
    let kept = postern::rebuild::kept(&source);
    let none = BTreeMap::new();
    let deployment =
        manage::Deployment { source: &kept, artifact: &artifact, secrets: &none, hosts: None, modules: None };
    manage::deploy_action(&server.idp, &server.acme(), "plan", deployment).await.expect("a deploy");
    let engine = actions::runtime().engine_digest().to_owned();
    for sql in [
        format!(
            "INSERT INTO artifacts (digest, kind, bytes)
             SELECT 'old', replace(kind, '{engine}', 'another'), bytes FROM artifacts WHERE digest = '{}'",
            artifact.digest
        ),
        "UPDATE action_versions SET digest = 'old'".to_owned(),
        format!("DELETE FROM artifacts WHERE digest = '{}'", artifact.digest),
    ] {
        assert_eq!(server.database.execute(sql).await, 1);
    }
    for _ in 0..2 {
        let browser = server.client();
        let code = Login::web().code(&browser, seed::ADA).await;
        let tokens = exchange_web(&browser, &code).await.expect(200).json();
        assert_eq!(jwt::claims(&text(&tokens, "id_token"))["plan"], "gold");
    }
    assert_eq!(server.database.count("SELECT COUNT(*) FROM rebuilt_artifacts").await, 1);

    // Another node has it from the first one, and needs no source.
    let node = || {
        let storage = server.idp.storage.clone();
        Rebuilder::new(Arc::clone(actions::runtime()), storage, actions::LIMITS)
    };
    server.database.execute("UPDATE action_versions SET source = 'syntax error'".to_owned()).await;
    let rebuilt = node().artifact(&server.acme(), "old").await.expect("the first node's");
    assert_eq!(rebuilt.digest, artifact.digest);

    // What cannot be built says so to the operator.
    server.database.execute("DELETE FROM rebuilt_artifacts".to_owned()).await;
    let error = node().artifact(&server.acme(), "old").await.expect_err("no JavaScript");
    assert!(error.contains("does not build for this one: SyntaxError"), "{error}");
}

#[test]
fn the_same_script_makes_the_same_artifact() {
    let script = handler("api.access.deny('no')");
    assert_eq!(actions::build(&script).digest, actions::build(&script).digest);
}
