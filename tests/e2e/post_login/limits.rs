//! Section 4: the limits that need the server.

use std::collections::BTreeMap;
use std::time::Duration;

use action_api::Limits;
use end_to_end::authenticator::code;
use end_to_end::flow::{exchange_native, exchange_web, native_tokens, refresh, text};
use end_to_end::{Login, TestServer, actions, jwt, seed};
use idp::{hash_credential, manage};
use model::{Clock, RefreshToken, RefreshTokenId, TriggerVersion};
use postern::executor::Places;
use serde_json::{Value, json};

use super::{handler, metadata, refused, warnings};
use crate::mfa;

const DEFAULTS: &str = include_str!("../../../crates/postern/src/default.toml");
const NOTHING: &str = "exports.onExecutePostLogin = async () => {};";

/// Deploys an Action with this source and these secrets; why not, where it is not.
async fn deploy(
    server: &TestServer,
    name: &str,
    source: &str,
    secrets: &[(String, String)],
) -> Result<i64, String> {
    let artifact = actions::build(NOTHING);
    let secrets: BTreeMap<_, _> = secrets.iter().cloned().collect();
    let source = &actions::kept(source);
    let deployment =
        manage::Deployment { source, artifact: &artifact, secrets: &secrets, hosts: None, modules: None };
    manage::deploy_action(&server.idp, &server.acme(), name, deployment)
        .await
        .map(|(version, _)| version.number)
        .map_err(|error| error.to_string())
}

#[tokio::test]
async fn s4_execution_time_of_a_trigger_part() {
    assert!(DEFAULTS.contains("\nwall_clock_ms = 20_000\n"), "20 seconds");
    let server = TestServer::start_with_limits(Limits { wall_clock_ms: 1500, ..actions::LIMITS }).await;
    let waits = handler("await new Promise((done) => setTimeout(done, 800));");
    server.deploy_action("first", &waits).await;
    Login::web().code(&server.client(), seed::ADA).await;
    server.deploy_action("second", &waits).await;
    let why = refused(&server, "both together").await;
    assert_eq!(why, "An Action of this login exceeded its limits.");
    let reports = server.reports().await;
    assert_eq!(
        reports.iter().filter(|report| report.error.is_none()).count(),
        2,
        "the second one of a login"
    );
}

#[tokio::test]
async fn s4_code_size() {
    let server = TestServer::start().await;
    let most = 100 << 10;
    assert_eq!(deploy(&server, "a", &" ".repeat(most), &[]).await, Ok(1));
    let error = deploy(&server, "a", &" ".repeat(most + 1), &[]).await.expect_err("too much");
    assert!(error.contains("100 kB"), "{error}");
}

#[tokio::test]
async fn s4_actions_per_tenant_and_trigger() {
    let server = TestServer::start().await;
    for index in 0..20 {
        assert_eq!(deploy(&server, &format!("a{index}"), NOTHING, &[]).await, Ok(1));
    }
    let error = deploy(&server, "one more", NOTHING, &[]).await.expect_err("the 21st");
    assert!(error.contains("20 Actions"), "{error}");
    assert_eq!(deploy(&server, "a7", NOTHING, &[]).await, Ok(1), "it is what runs");
    let other = format!("{NOTHING}//");
    assert_eq!(deploy(&server, "a7", &other, &[]).await, Ok(2), "a new version is no new Action");
    Login::web().code(&server.client(), seed::ADA).await;
    assert_eq!(server.reports().await.len(), 20);
    // Those that are not bound count as well.
    let create = async |name: String| {
        let trigger = TriggerVersion { id: "post-login".to_owned(), version: "v3".to_owned() };
        let new = manage::ActionChange {
            name: Some(name),
            supported_triggers: Some(vec![trigger]),
            ..manage::ActionChange::default()
        };
        manage::create_action(&server.idp, &server.acme(), new).await
    };
    for index in 20..100 {
        create(format!("a{index}")).await.expect("room for it");
    }
    let error = create("one more".to_owned()).await.expect_err("the 101st").to_string();
    assert!(error.contains("100 Actions"), "{error}");
}

#[tokio::test]
async fn s4_versions_per_action() {
    let server = TestServer::start().await;
    for number in 1..=52 {
        assert_eq!(deploy(&server, "a", &format!("{NOTHING}//{number}"), &[]).await, Ok(number));
    }
    let count = async |sql| server.database.count(sql).await;
    assert_eq!(count("SELECT COUNT(*) FROM action_versions").await, 50);
    assert_eq!(count("SELECT MIN(number) FROM action_versions").await, 3, "the oldest go");
    Login::web().code(&server.client(), seed::ADA).await;
    assert_eq!(server.reports().await.len(), 1);
}

#[tokio::test]
async fn s4_secrets_per_action() {
    let server = TestServer::start().await;
    let secrets = |count: usize| -> Vec<_> {
        (0..count).map(|index| (format!("S{index}"), index.to_string())).collect()
    };
    assert_eq!(deploy(&server, "a", NOTHING, &secrets(30)).await, Ok(1));
    let error = deploy(&server, "a", NOTHING, &secrets(31)).await.expect_err("too many");
    assert!(error.contains("30 secrets"), "{error}");
}

#[tokio::test]
async fn s4_secret_name_and_value() {
    let server = TestServer::start().await;
    let secret = |name: usize, value: usize| [("ü".repeat(name), "é".repeat(value))];
    assert_eq!(deploy(&server, "a", NOTHING, &secret(128, 4096)).await, Ok(1));
    for (name, value) in [(129, 1), (0, 1), (1, 4097)] {
        assert!(deploy(&server, "a", NOTHING, &secret(name, value)).await.is_err(), "{name} {value}");
    }
}

#[tokio::test]
async fn s4_execution_records() {
    let server = TestServer::start().await;
    server.deploy_action("a", NOTHING).await;
    Login::web().code(&server.client(), seed::ADA).await;
    assert!(DEFAULTS.contains("\nlog_days = 30\n"), "longer than the 10 days of the dialect");
    let day = 24 * 3600;
    for (days, kept) in [(11, 1), (20, 0)] {
        server.clock.advance_secs(days * day);
        let mut sweep = server.idp.storage.sweep(server.clock.now(), 30 * day, 100);
        while sweep.next().await.unwrap().is_some() {}
        assert_eq!(server.reports().await.len(), kept, "after {days} days more");
    }
}

#[tokio::test]
async fn s4_cache() {
    let server = TestServer::start().await;
    let fills = "
        const set = (...given) => { const { type, code } = api.cache.set(...given); return code ?? type };
        const codes = [
            set('k'.repeat(64), 'v'), set('k'.repeat(65), 'v'), set('é'.repeat(33), 'v'),
            set('long', 'v'.repeat(4096)), set('k', 'v'.repeat(4097)),
            set('long', 'v'.repeat(4096)), set('long', 'short'), set('long', 'v'.repeat(4096)),
        ];
        api.cache.delete('long');
        const many = [];
        for (let i = 0; i < 20; i++) many.push(set('n' + i, 'v'));
        const lives = (options) => api.cache.set('n1', 'v', options).record.expires_at - Date.now();
        console.log(JSON.stringify({ codes, many, lives: [lives(), lives({ ttl: 9e12 }), lives({ ttl: 5, expires_at: 9e15 })] }));";
    server.deploy_action("fills", &handler(fills)).await;
    Login::web().code(&server.client(), seed::ADA).await;
    let printed = server.printed().await.remove(0);
    let (ok, size) = ("success", "CacheSizeExceeded");
    let codes =
        [ok, "CacheKeySizeExceeded", "CacheKeySizeExceeded", ok, "CacheValueSizeExceeded", size, ok, ok];
    assert_eq!(printed["codes"], json!(codes), "an overwrite counts both values, and bytes count");
    let mut many = vec![ok; 19];
    many.push(size);
    assert_eq!(printed["many"], json!(many), "twenty entries of the trigger");
    let day = 24 * 60 * 60 * 1000;
    assert_eq!(printed["lives"], json!([day / 96, day, 5]), "15 minutes, a day at most, the earlier of both");
}

#[tokio::test]
async fn s4_user_and_app_metadata_written() {
    let server = TestServer::start().await;
    for method in ["setUserMetadata", "setAppMetadata"] {
        let writes = |key: &str, kilobytes: usize| {
            handler(&format!("api.user.{method}('{key}', 'x'.repeat({}));", kilobytes << 10))
        };
        server.deploy_action("first", &writes("one", 20)).await;
        server.deploy_action("second", &writes("two", 11)).await;
        Login::web().code(&server.client(), seed::ADA).await;
        server.deploy_action("second", &writes("two", 13)).await;
        let why = refused(&server, method).await;
        assert_eq!(why, "The changes to the user's metadata are more than 32 kB.");
    }
    assert_eq!(metadata(&server).await[0]["two"].as_str().map(str::len), Some(11 << 10));
}

#[tokio::test]
async fn s4_user_profile() {
    let server = TestServer::start().await;
    let writes = |bytes: usize| handler(&format!("api.user.setUserMetadata('a', 'x'.repeat({bytes}));"));
    server.deploy_action("writes", &writes(10_000)).await;
    Login::web().code(&server.client(), seed::ADA).await;
    assert_eq!(warnings(&server).await, Vec::<String>::new());
    server.deploy_action("writes", &writes(10_300)).await;
    Login::web().code(&server.client(), seed::ADA).await;
    let warned = warnings(&server).await;
    assert!(warned.len() == 1 && warned[0].starts_with("The user's metadata are 103"), "{warned:?}");
}

#[tokio::test]
async fn s4_custom_claims() {
    let server = TestServer::start().await;
    let both = |bytes: usize| {
        let claim = format!("'https://acme.example/a', 'x'.repeat({bytes})");
        handler(&format!("api.idToken.setCustomClaim({claim}); api.accessToken.setCustomClaim({claim});"))
    };
    server.deploy_action("claims", &both(102_300)).await;
    let browser = server.client();
    let code = Login::web().with("audience", seed::API).code(&browser, seed::ADA).await;
    let tokens = exchange_web(&browser, &code).await.expect(200).json();
    for token in ["id_token", "access_token"] {
        let claims = jwt::claims(&text(&tokens, token));
        let length = claims["https://acme.example/a"].as_str().map(str::len);
        assert_eq!(length, Some(102_300), "each has its own 100 kB");
    }
    server.deploy_action("claims", &both(102_401)).await;
    assert_eq!(refused(&server, "too large").await, "The custom claims of a token are more than 100 kB.");
}

#[tokio::test]
async fn s4_scope_added() {
    let limits = Limits { commands: 2_500, fuel: 1_000_000_000, ..actions::LIMITS };
    let server = TestServer::start_with_limits(limits).await;
    let adds = |count: usize| format!("for (let i = 0; i < {count}; i++) api.accessToken.addScope('s' + i);");
    server.deploy_action("adds", &handler(&adds(1000))).await;
    let browser = server.client();
    let code = Login::web().with("audience", seed::API).code(&browser, seed::ADA).await;
    let tokens = exchange_web(&browser, &code).await.expect(200).json();
    assert_eq!(text(&tokens, "scope").split(' ').filter(|scope| scope.starts_with('s')).count(), 1000);
    let changes = format!(
        "for (let i = 0; i < 1001; i++) {{ {} }}",
        "api.accessToken.addScope('a'); api.accessToken.removeScope('a');"
    );
    for body in [adds(1001), changes] {
        server.deploy_action("adds", &handler(&body)).await;
        let why = refused(&server, &body).await;
        assert_eq!(why, "An Action may add 1,000 scopes, and change scopes 2,000 times.");
    }
}

#[tokio::test]
async fn s4_mfa_commands() {
    let server = mfa::server().await;
    let browser = server.client();
    server.deploy_action("asks", &handler("api.authentication.enrollWith({ type: 'otp' })")).await;
    let (secret, _) = mfa::enrolled(&server, &browser).await;
    let four = "for (let i = 0; i < 4; i++) api.authentication.challengeWith({ type: 'otp' });";
    server.deploy_action("asks", &handler(four)).await;
    let browser = server.client();
    let page = browser.get(&mfa::at_the_factor(&browser, &Login::web()).await).await;
    let done = mfa::send(&browser, &page, "otp", &code(&secret, &server.clock)).await;
    mfa::id_token(&browser, done.expect(303)).await;
    // The fifth of the flow, also when another Action asks for it.
    server.clock.advance_secs(30);
    server.deploy_action("more", &handler("api.authentication.enrollWith({ type: 'otp' })")).await;
    let browser = server.client();
    let page = browser.get(&mfa::at_the_factor(&browser, &Login::web()).await).await;
    let done = mfa::send(&browser, &page, "otp", &code(&secret, &server.clock)).await;
    let why = done.expect(303).location_parameter("error_description").expect("a description");
    assert_eq!(why, "A login may ask for four challenges and enrollments at most.");
}

#[tokio::test]
async fn s4_client_metadata() {
    let server = TestServer::start().await;
    let native = seed::clients().remove(0);
    let with = async |count: usize, length: usize| {
        let metadata = (0..count).map(|index| (format!("k{index}"), "v".repeat(length))).collect();
        let client = model::Client { metadata, ..native.clone() };
        manage::put_client(&server.idp, &server.acme(), &client).await.is_ok()
    };
    assert!(!with(11, 1).await && !with(1, 256).await);
    assert!(with(10, 255).await);
    server.deploy_action("sees", &handler("console.log(JSON.stringify(event.client.metadata));")).await;
    native_tokens(&server.client(), seed::ADA).await;
    assert_eq!(server.printed().await[0].as_object().map(|metadata| metadata.len()), Some(10));
}

#[tokio::test]
async fn s4_concurrency() {
    assert!(DEFAULTS.contains("\nconcurrent_runs = 256\n"), "about as many as the public cloud's 250");
    // Who finds all places taken waits for one, as long as the operator says.
    let places = Places { runs: 1, runs_per_tenant: 1, queue: Duration::from_secs(20) };
    let server = TestServer::start_with_places(places).await;
    server.deploy_action("waits", &handler("await new Promise((done) => setTimeout(done, 300))")).await;
    let browsers = [server.client(), server.client(), server.client()];
    let login = Login::web();
    let logins = browsers.each_ref().map(|browser| login.code(browser, seed::ADA));
    let [one, two, three] = logins;
    tokio::join!(one, two, three);
    assert_eq!(server.reports().await.len(), 3);
}

#[tokio::test]
async fn s4_refresh_tokens() {
    let server = TestServer::start().await;
    let app = server.client();
    let first = text(&native_tokens(&app, seed::ADA).await, "refresh_token");
    let now = server.idp.now();
    let mut tx = server.idp.storage.begin(&server.acme()).await.unwrap();
    let known = tx.refresh_token_use(&hash_credential(&first), now).await.unwrap().expect("it").token;
    for index in 1..200 {
        let another = RefreshToken {
            id: RefreshTokenId::new(format!("rt_{index}")),
            created_at: now.plus_secs(index),
            ..known.clone()
        };
        tx.insert_refresh_token(&another, &hash_credential(&format!("secret-{index}"))).await.unwrap();
    }
    tx.commit().await.unwrap();
    server.clock.advance_secs(300);
    let next = async || {
        let code = Login::native().code_of_session(&app).await;
        text(&exchange_native(&app, &code).await.expect(200).json(), "refresh_token")
    };
    let newest = next().await;
    refresh(&app, seed::NATIVE, &first).await.expect_error(403, "invalid_grant");
    refresh(&app, seed::NATIVE, "secret-1").await.expect(200);
    refresh(&app, seed::NATIVE, &newest).await.expect(200);
    next().await;
    refresh(&app, seed::NATIVE, "secret-2").await.expect(200);
    let alive = "SELECT COUNT(*) FROM refresh_tokens WHERE revoked_at IS NULL";
    assert_eq!(server.database.count(alive).await, 200);
    // Another user's are counted for themselves.
    let bob: Value = native_tokens(&server.client(), seed::BOB).await;
    assert_eq!(server.database.count(alive).await, 201);
    refresh(&app, seed::NATIVE, &text(&bob, "refresh_token")).await.expect(200);
}
