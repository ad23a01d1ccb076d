use end_to_end::flow::{exchange_web, text};
use end_to_end::{Login, TestServer, jwt, seed};
use reqwest::Method;
use serde_json::Value;

const DOCUMENT: &str = "/.well-known/openid-configuration";
const JWKS: &str = "/.well-known/jwks.json";

// DI1 DI2
#[tokio::test]
async fn both_documents_are_one_and_name_the_issuer() {
    let server = TestServer::start().await;
    let app = server.client();
    let oidc = app.get(DOCUMENT).await;
    let oauth = app.get("/.well-known/oauth-authorization-server").await;
    assert_eq!(oidc.expect(200).body, oauth.expect(200).body);
    assert_eq!(oidc.header("access-control-allow-origin"), Some("*"));
    assert_eq!(oidc.header("content-type"), Some("application/json"));
    assert!(oidc.header("cache-control").expect("cacheable").contains("max-age"));
    assert_eq!(oidc.json()["issuer"], server.issuer(seed::ACME));
    let code = Login::web().code(&app, seed::ADA).await;
    let tokens = exchange_web(&app, &code).await.expect(200).json();
    assert_eq!(jwt::claims(&text(&tokens, "id_token"))["iss"], server.issuer(seed::ACME));
}

// DI3
#[tokio::test]
async fn everything_advertised_is_there() {
    let server = TestServer::start().await;
    let app = server.client();
    let document = app.get(DOCUMENT).await.json();
    for (name, value) in document.as_object().expect("an object") {
        if name.ends_with("_endpoint") || name == "jwks_uri" {
            let answer = app.get(value.as_str().expect("a URL")).await;
            assert_ne!(answer.status, 404, "{name}");
        }
    }
    for scope in document["scopes_supported"].as_array().expect("a list") {
        let login = Login::web().with("scope", scope.as_str().expect("a scope"));
        assert!(end_to_end::flow::asks_to_log_in(&login.begin(&app).await), "{scope}");
    }
    let lists = |name: &str| document[name].as_array().expect(name).iter().map(text_of).collect::<Vec<_>>();
    assert_eq!(lists("response_types_supported"), ["code"]);
    assert_eq!(lists("code_challenge_methods_supported"), ["S256"]);
    assert_eq!(lists("response_modes_supported"), ["query", "fragment", "form_post", "web_message"]);
    let confidential = ["client_secret_basic", "client_secret_post", "private_key_jwt"];
    for (endpoint, public) in [("token", true), ("revocation", true), ("introspection", false)] {
        let methods = lists(&format!("{endpoint}_endpoint_auth_methods_supported"));
        let public = ["none"].iter().filter(|_| public);
        assert_eq!(methods, public.chain(&confidential).copied().collect::<Vec<_>>(), "{endpoint}");
        let algs = lists(&format!("{endpoint}_endpoint_auth_signing_alg_values_supported"));
        assert_eq!(algs, ["RS256", "RS384", "PS256", "ES256"], "{endpoint}");
    }
    assert_eq!(document["request_parameter_supported"], false);
    assert_eq!(document["request_uri_parameter_supported"], false);
    for name in [
        "authorization_response_iss_parameter_supported",
        "backchannel_logout_supported",
        "backchannel_logout_session_supported",
    ] {
        assert_eq!(document[name], true, "{name}");
    }
    for mode in ["jwt", "query.jwt"] {
        let answer = Login::web().with("response_mode", mode).begin(&app).await;
        assert_eq!(answer.location_parameter("error").as_deref(), Some("invalid_request"), "{mode}");
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

// DI4
#[tokio::test]
async fn hostile_headers_change_nothing() {
    let server = TestServer::start().await;
    let app = server.client();
    let honest = app.get(DOCUMENT).await.body;
    for (name, value) in [
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "https"),
        ("forwarded", "host=evil.example;proto=https"),
        ("x-original-url", "/evil"),
        ("x-forwarded-prefix", "/evil"),
    ] {
        let answer = app.send(app.request(Method::GET, DOCUMENT).header(name, value)).await;
        assert_eq!(answer.expect(200).body, honest, "{name}");
    }
    for host in [
        "evil.example",
        "acme.localhost.evil.example",
        "acme.evil.example:80",
        "localhost",
        "nobody.localhost",
    ] {
        let answer = app.send(app.request(Method::GET, DOCUMENT).header("host", host)).await;
        assert!(!answer.expect(404).body.contains("evil"), "{host}");
        let page = app.send(app.request(Method::GET, "/authorize").header("host", host)).await;
        page.expect_page(404);
    }
    // The port of the request is nobody's word either.
    let answer = app.send(app.request(Method::GET, DOCUMENT).header("host", "acme.localhost:1")).await;
    assert_eq!(answer.expect(200).body, honest);
}

// JW9 JW11
#[tokio::test]
async fn keys_are_public_unique_and_of_one_tenant() {
    let server = TestServer::start().await;
    let app = server.client();
    let jwks = app.get(JWKS).await;
    assert_eq!(jwks.expect(200).header("access-control-allow-origin"), Some("*"));
    let keys = jwks.json()["keys"].as_array().expect("keys").clone();
    let algs: Vec<_> = keys.iter().map(|key| text(key, "alg")).collect();
    // The next key is published before it signs; each key is there for each algorithm, the usual one first.
    assert_eq!(algs, ["RS256", "RS256", "RS512", "RS512", "PS256", "PS256"]);
    for key in &keys {
        let key = key.as_object().expect("an object");
        assert_eq!((&key["kty"], &key["use"]), (&"RSA".into(), &"sig".into()));
        for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            assert!(!key.contains_key(private), "{private}");
        }
    }
    let mut kids: Vec<_> = keys.iter().map(|key| text(key, "kid")).collect();
    kids.sort();
    kids.dedup();
    assert_eq!(kids.len(), keys.len());
    let others = app.get(&app.url_of(seed::OTHER, JWKS)).await.json();
    assert!(others["keys"].as_array().expect("keys").iter().all(|key| !kids.contains(&text(key, "kid"))));

    let code = Login::web().code(&app, seed::ADA).await;
    let tokens = exchange_web(&app, &code).await.expect(200).json();
    let id_token = text(&tokens, "id_token");
    assert!(jwt::verifies(&id_token, &jwks.json()));
    assert!(!jwt::verifies(&id_token, &others));
    let mut tampered = id_token.clone();
    tampered.replace_range(
        tampered.len() - 5..tampered.len() - 4,
        if &id_token[id_token.len() - 5..id_token.len() - 4] == "A" { "B" } else { "A" },
    );
    assert!(!jwt::verifies(&tampered, &jwks.json()));
}

// JW10
#[tokio::test]
async fn after_a_rotation_old_tokens_verify_and_new_ones_have_a_published_key() {
    let server = TestServer::start().await;
    let app = server.client();
    let before = app.get(JWKS).await.json();
    let tokens = exchange_web(&app, &Login::web().code(&app, seed::ADA).await).await.expect(200).json();
    idp::keys::rotate(&server.idp, &server.acme()).await.expect("a rotation");
    let fresh = exchange_web(&app, &Login::web().code_of_session(&app).await).await.expect(200).json();
    let after = app.get(JWKS).await.json();
    assert!(jwt::verifies(&text(&tokens, "id_token"), &after));
    assert!(jwt::verifies(&text(&fresh, "id_token"), &before), "a cached JWKS already has the key");
    assert_ne!(jwt::header(&text(&tokens, "id_token"))["kid"], jwt::header(&text(&fresh, "id_token"))["kid"]);
}

// JW1 JW3
#[tokio::test]
async fn tokens_have_the_claims_and_types_that_clients_check() {
    let server = TestServer::start().await;
    let app = server.client();
    let login = Login::web()
        .with("max_age", "1000")
        .with("audience", seed::API)
        .with("scope", "openid email read:things");
    let code = login.code(&app, seed::ADA).await;
    let tokens = exchange_web(&app, &code).await.expect(200).json();
    let id_token = text(&tokens, "id_token");
    let claims = jwt::claims(&id_token);
    assert_eq!((&claims["aud"], &claims["nonce"]), (&seed::WEB.into(), &"the-nonce".into()));
    let number = |name: &str| claims[name].as_i64().unwrap_or_else(|| panic!("{name} is a number: {claims}"));
    assert_eq!(number("exp") - number("iat"), 36_000);
    assert_eq!(number("auth_time"), number("iat"));
    assert!(claims["sid"].is_string() && claims["sub"].as_str().is_some_and(|sub| sub.len() <= 255));
    let header = jwt::header(&id_token);
    assert_eq!(header["alg"], "RS256");
    let access_token = text(&tokens, "access_token");
    let access = jwt::claims(&access_token);
    assert_eq!(access["azp"], seed::WEB);
    let audiences = match &access["aud"] {
        Value::Array(list) => list.clone(),
        one => vec![one.clone()],
    };
    assert_eq!(audiences[0], seed::API);
    assert!(access["scope"].as_str().is_some_and(|scope| scope.contains("read:things")));
}
