//! Section 4.1: the rules for custom claims.

use action_api::{Limits, PROFILE_CLAIMS};
use end_to_end::flow::{exchange_web, text};
use end_to_end::{Login, RawClient, TestServer, actions, jwt, seed};
use reqwest::Method;
use serde_json::{Value, json};

use super::{handler, refused, warnings};
use crate::mfa_api;

/// The reference's list.
const RESERVED: &str = "acr act active amr at_hash ath attest aud auth_time authorization_details azp c_hash \
    client_id cnf cty dest entitlements events exp groups gty htm htu iat internalService iss jcard jku jti jwe jwk \
    kid may_act mky nbf nonce object_id org_id org_name orig origid permissions roles rph s_hash sid sip_callid \
    sip_cseq_num sip_date sip_from_tag sip_via_branch sub sub_jwk toe txn typ uuid vot vtm x5t#S256";

async fn server() -> TestServer {
    TestServer::start_with_limits(Limits { commands: 500, ..actions::LIMITS }).await
}

/// Sets these claims, to "evil", in both tokens.
async fn sets(server: &TestServer, names: &[&str]) {
    let body = format!(
        "for (const name of {}) for (const token of ['idToken', 'accessToken']) api[token].setCustomClaim(name, 'evil');",
        json!(names)
    );
    server.deploy_action("sets", &handler(&body)).await;
}

/// The claims of ID token and access token, and the tokens.
async fn tokens(browser: &RawClient, login: &Login) -> (Value, Value, Value) {
    let code = login.code(browser, seed::ADA).await;
    let tokens = exchange_web(browser, &code).await.expect(200).json();
    let access_token = text(&tokens, "access_token");
    let access = if access_token.contains('.') { jwt::claims(&access_token) } else { json!(access_token) };
    (jwt::claims(&text(&tokens, "id_token")), access, tokens)
}

fn for_api(scope: &str) -> Login {
    Login::web().with("audience", seed::API).with("scope", scope)
}

/// The names whose values are the Action's.
fn taken(claims: &Value, names: &[&str]) -> Vec<String> {
    names.iter().filter(|name| claims[**name] == "evil").map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn s4_1_rule_1_scope_throws() {
    let server = server().await;
    for token in ["idToken", "accessToken"] {
        server.deploy_action("sets", &handler(&format!("api.{token}.setCustomClaim('scope', 'all')"))).await;
        let why = refused(&server, token).await;
        assert!(why.starts_with(&format!("api.{token}.setCustomClaim: `scope` is no claim")), "{why}");
    }
    let changes = "api.accessToken.addScope('more'); api.accessToken.removeScope('email');";
    server.deploy_action("sets", &handler(changes)).await;
    let (_, access, _) = tokens(&server.client(), &for_api("openid email")).await;
    assert_eq!(access["scope"], "openid more");
}

#[tokio::test]
async fn s4_1_rule_2_reserved_names() {
    let server = server().await;
    let names: Vec<&str> = RESERVED.split_whitespace().collect();
    assert_eq!(names.len(), 60);
    sets(&server, &names).await;
    let (id, access, _) = tokens(&server.client(), &for_api("openid")).await;
    assert_eq!((taken(&id, &names), taken(&access, &names)), (vec![], vec![]), "{id} {access}");
    // Not added, and not without a word: the log has each of them.
    let warned = warnings(&server).await;
    assert!(warned.iter().any(|text| text.contains("`x5t#S256` was left out")), "{warned:?}");
}

#[tokio::test]
async fn s4_1_rule_3_namespaces() {
    let server = server().await;
    let allowed = [
        "plan",
        "https://acme.example/plan",
        "http://acme.example/plan",
        "https://notauth0.com/plan",
        "urn:acme:plan",
    ];
    let refused = [
        "https://auth0.com/plan",
        "http://webtask.io/plan",
        "https://webtask.run/plan",
        "https://sub.auth0.com/plan",
        "urn:auth0",
        "urn:auth0:plan",
    ];
    sets(&server, &[&allowed[..], &refused].concat()).await;
    let (id, access, _) = tokens(&server.client(), &for_api("openid")).await;
    for claims in [id, access] {
        assert_eq!(taken(&claims, &allowed), allowed, "{claims}");
        assert_eq!(taken(&claims, &refused), Vec::<String>::new(), "{claims}");
    }
}

#[tokio::test]
async fn s4_1_rule_4_oidc_profile_claims() {
    let server = server().await;
    assert_eq!(PROFILE_CLAIMS.len(), 19);
    sets(&server, PROFILE_CLAIMS).await;
    for (scope, kept) in [
        ("openid", &[][..]),
        ("openid email", &["email", "email_verified"]),
        ("openid phone", &["phone_number", "phone_number_verified"]),
        ("openid address", &["address"]),
    ] {
        let browser = server.client();
        let (id, access, _) = tokens(&browser, &for_api(scope)).await;
        assert_eq!(taken(&id, PROFILE_CLAIMS), kept, "{scope}");
        assert_eq!(taken(&access, PROFILE_CLAIMS), kept, "{scope}");
        let opaque = Login::web().with("scope", scope).code_of_session(&browser).await;
        let opaque = text(&exchange_web(&browser, &opaque).await.expect(200).json(), "access_token");
        let userinfo = browser.request(Method::GET, "/userinfo").bearer_auth(opaque);
        assert_eq!(taken(&browser.send(userinfo).await.expect(200).json(), PROFILE_CLAIMS), kept, "{scope}");
    }
    let (id, ..) = tokens(&server.client(), &for_api("openid profile email phone address")).await;
    assert_eq!(taken(&id, PROFILE_CLAIMS), PROFILE_CLAIMS);
}

#[tokio::test]
async fn s4_1_rule_5_access_tokens_for_apis_of_the_server() {
    let server = mfa_api::server().await;
    sets(&server, &["plan", "https://acme.example/plan"]).await;
    let audience = format!("{}mfa/", server.issuer(seed::ACME));
    let app = server.client();
    let tokens = mfa_api::password(&app, &[("audience", &audience)]).await.expect(200).json();
    let access = jwt::claims(&text(&tokens, "access_token"));
    assert_eq!(access["aud"], audience);
    assert_eq!(taken(&access, &["plan", "https://acme.example/plan"]), Vec::<String>::new(), "{access}");
    // A tenant's own API takes them.
    let tokens = mfa_api::password(&app, &[("audience", seed::API)]).await.expect(200).json();
    assert_eq!(jwt::claims(&text(&tokens, "access_token"))["plan"], "evil");
}

#[tokio::test]
async fn s4_1_rule_6_a_collision_never_fails_the_login() {
    let server = server().await;
    let body = "api.idToken.setCustomClaim('sub', 'evil'); api.idToken.setCustomClaim('', 1);
        api.idToken.setCustomClaim('plan', 1); api.idToken.setCustomClaim('plan', 2);";
    server.deploy_action("sets", &handler(body)).await;
    let (id, ..) = tokens(&server.client(), &for_api("openid")).await;
    assert!(text(&id, "sub").starts_with("auth0|"), "{id}");
    assert_eq!((&id["plan"], &id[""]), (&json!(2), &Value::Null), "the last call counts");
}

#[tokio::test]
async fn s4_1_rule_7_opaque_access_tokens() {
    let server = server().await;
    server.deploy_action("sets", &handler("api.accessToken.setCustomClaim('plan', 'pro')")).await;
    let browser = server.client();
    let (id, access, tokens) = tokens(&browser, &Login::web()).await;
    assert!(access.is_string(), "no audience, no JWT");
    assert_eq!(id.get("plan"), None);
    let userinfo = browser.request(Method::GET, "/userinfo").bearer_auth(text(&tokens, "access_token"));
    assert_eq!(browser.send(userinfo).await.expect(200).json().get("plan"), None);
}
