//! How tokens are signed: `signing_alg` of APIs, `jwt_configuration.alg` of clients (RFC 7518 §3.3, §3.5), and that each is read
//! with the one algorithm that its `kid` is for (RFC 8725 §3.1).

use aws_lc_rs::digest::{SHA256, SHA512, digest};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use end_to_end::flow::{exchange_web, text};
use end_to_end::management::Api;
use end_to_end::{Login, RawClient, Response, TestServer, jwt, seed};
use idp::{hash_credential, keys, manage};
use model::{Client, ClientId, SigningKeyState};
use reqwest::Method;
use serde_json::{Value, json};

use crate::introspection::machine_token;

const JWKS: &str = "/.well-known/jwks.json";
/// What signs with each algorithm, one that is not offered among them.
const SIGNS: [(&str, &dyn RsaEncoding); 4] = [
    ("RS256", &RSA_PKCS1_SHA256),
    ("RS512", &RSA_PKCS1_SHA512),
    ("PS256", &RSA_PSS_SHA256),
    ("RS384", &RSA_PKCS1_SHA384),
];

/// How the API's access tokens and the web client's ID tokens are signed from now on.
async fn sign_with(api: &Api, of_api: &Value, of_client: &Value) {
    let path = format!("/resource-servers/{}", seed::API.replace(':', "%3A").replace('/', "%2F"));
    api.patch(&path, &json!({ "signing_alg": of_api })).await.expect_json(200);
    let patch = json!({ "jwt_configuration": { "alg": of_client } });
    api.patch(&format!("/clients/{}", seed::WEB), &patch).await.expect_json(200);
}

fn login() -> Login {
    Login::web().with("scope", "openid email offline_access read:things").with("audience", seed::API)
}

async fn post_as_web(app: &RawClient, path: &str, form: &[(&str, &str)]) -> Response {
    let mut form = form.to_vec();
    form.extend([("client_id", seed::WEB), ("client_secret", seed::WEB_SECRET)]);
    app.post_form(path, &form).await
}

async fn refreshed(app: &RawClient, tokens: &Value) -> Value {
    let token = text(tokens, "refresh_token");
    let form = [("grant_type", "refresh_token"), ("refresh_token", &token)];
    post_as_web(app, "/oauth/token", &form).await.expect(200).json()
}

async fn userinfo(app: &RawClient, token: &str) -> Response {
    app.send(app.request(Method::GET, "/userinfo").bearer_auth(token)).await
}

/// Whether the token is signed so, by what its header and the JWKS say.
#[track_caller]
fn expect_signed(token: &str, alg: &str, jwks: &Value) {
    let header = jwt::header(token);
    let entry = jwks["keys"].as_array().unwrap().iter().find(|key| key["kid"] == header["kid"]).unwrap();
    assert_eq!((&header["alg"], &entry["alg"]), (&json!(alg), &json!(alg)));
    assert!(jwt::verifies(token, jwks), "{alg}");
}

#[tokio::test]
async fn tokens_are_signed_as_their_api_and_their_client_say() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let machine = seed::clients().into_iter().find(|client| client.client_id.as_str() == seed::MACHINE);
    let back_end = Client {
        client_id: ClientId::new("back-end"),
        client_secret_hashes: vec![hash_credential(seed::MACHINE_SECRET)],
        resource_server_identifier: Some(seed::API.to_owned()),
        ..machine.unwrap()
    };
    manage::put_client(&server.idp, &server.acme(), &back_end).await.unwrap();
    let jwks = server.client().get(JWKS).await.json();
    let metadata = server.client().get("/.well-known/openid-configuration").await.json();
    let offered = metadata["id_token_signing_alg_values_supported"].as_array().unwrap();
    for (of_api, of_client) in
        [("PS256", "RS512"), ("RS512", "PS256"), ("RS256", "RS256"), ("PS256", "RS256")]
    {
        sign_with(&api, &json!(of_api), &json!(of_client)).await;
        assert!(offered.contains(&json!(of_client)));
        let browser = server.client();
        let code = login().code(&browser, seed::ADA).await;
        let first = exchange_web(&browser, &code).await.expect(200).json();
        let again = refreshed(&browser, &first).await;
        for tokens in [&first, &again] {
            let (access_token, id_token) = (text(tokens, "access_token"), text(tokens, "id_token"));
            expect_signed(&access_token, of_api, &jwks);
            expect_signed(&id_token, of_client, &jwks);
            let hash = digest(if of_client == "RS512" { &SHA512 } else { &SHA256 }, access_token.as_bytes());
            let half = URL_SAFE_NO_PAD.encode(&hash.as_ref()[..hash.as_ref().len() / 2]);
            assert_eq!(jwt::claims(&id_token)["at_hash"], half);
            // Whoever reads our own tokens knows each of them.
            assert_eq!(userinfo(&browser, &access_token).await.expect(200).json()["email"], seed::ADA);
            let form = [
                ("client_id", "back-end"),
                ("client_secret", seed::MACHINE_SECRET),
                ("token", &access_token),
            ];
            let seen = browser.post_form("/oauth/introspect", &form).await.expect(200).json();
            assert_eq!(seen["active"], true, "{seen}");
        }
        expect_signed(&machine_token(&server).await, of_api, &jwks);
        let id_token = text(&again, "id_token");
        let hint = [("id_token_hint", id_token.as_str()), ("post_logout_redirect_uri", seed::LOGOUT_URL)];
        let out = browser.get_with("/oidc/logout", &hint).await;
        assert!(out.location().starts_with(seed::LOGOUT_URL), "{out:?}");
        // The tokens of this server's own API are as before.
        expect_signed(api.token(), "RS256", &jwks);
        api.get("/clients").await.expect(200);
    }
    // Without a setting, and with the one that has no effect.
    for setting in [json!(null), json!("HS256")] {
        sign_with(&api, &setting, &setting).await;
        let code = login().code(&server.client(), seed::ADA).await;
        let tokens = exchange_web(&server.client(), &code).await.expect(200).json();
        expect_signed(&text(&tokens, "access_token"), "RS256", &jwks);
        expect_signed(&text(&tokens, "id_token"), "RS256", &jwks);
    }
}

// JW10
#[tokio::test]
async fn keys_rotate_and_end_with_each_of_their_algorithms() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    sign_with(&api, &json!("PS256"), &json!("RS512")).await;
    let browser = server.client();
    let before = browser.get(JWKS).await.json();
    let tokens = exchange_web(&browser, &login().code(&browser, seed::ADA).await).await.expect(200).json();
    keys::rotate(&server.idp, &server.acme()).await.unwrap();
    let fresh = refreshed(&browser, &tokens).await;
    let after = browser.get(JWKS).await.json();
    assert_eq!((before["keys"].as_array().unwrap().len(), after["keys"].as_array().unwrap().len()), (6, 9));
    for (tokens, jwks) in [(&tokens, &after), (&fresh, &after), (&fresh, &before)] {
        expect_signed(&text(tokens, "access_token"), "PS256", jwks);
        expect_signed(&text(tokens, "id_token"), "RS512", jwks);
        userinfo(&browser, &text(tokens, "access_token")).await.expect(200);
    }
    let kid = |tokens: &Value| text(&jwt::header(&text(tokens, "access_token")), "kid");
    assert_ne!(kid(&tokens), kid(&fresh));

    // The old key is revoked: with it go all of its entries, and what was signed with any of them.
    let old = kid(&tokens).strip_suffix("-PS256").unwrap().to_owned();
    let fresh_api = Api::of(&server).await;
    fresh_api.put(&format!("/keys/signing/{old}/revoke"), &json!({})).await.expect_json(200);
    let left = browser.get(JWKS).await.json();
    let kids: Vec<_> = left["keys"].as_array().unwrap().iter().map(|key| text(key, "kid")).collect();
    assert!(kids.len() == 6 && kids.iter().all(|kid| !kid.starts_with(&old)), "{kids:?}");
    userinfo(&browser, &text(&tokens, "access_token")).await.expect(401);
    userinfo(&browser, &text(&fresh, "access_token")).await.expect(200);
    // The Management API knows keys, not entries.
    let listed = fresh_api.get("/keys/signing").await.expect_json(200);
    assert!(listed.as_array().unwrap().iter().all(|key| !text(key, "kid").contains("-PS256")), "{listed}");
    let path = format!("/keys/signing/{}", kid(&fresh));
    fresh_api.get(&path).await.expect_api_error(404, "", "does not exist");
}

/// The key that signs: its `kid`, and its private part, as only a test can have it.
async fn signing_key(server: &TestServer) -> (String, RsaKeyPair) {
    let acme = server.acme();
    let keys = server.idp.storage.begin_read(&acme).await.unwrap().signing_keys().await.unwrap();
    let key = keys.into_iter().find(|key| key.state == SigningKeyState::Current).unwrap();
    let place = format!("{acme}/signing_keys/{}", key.kid);
    let private = server.idp.vault.open(&place, &key.sealed_private_key).unwrap();
    (key.kid, RsaKeyPair::from_pkcs8(&private).unwrap())
}

fn signed(key: &RsaKeyPair, encoding: &'static dyn RsaEncoding, header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let input = format!("{}.{}", part(header), part(claims));
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(encoding, &SystemRandom::new(), input.as_bytes(), &mut signature).unwrap();
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}

// JW6
#[tokio::test]
async fn a_token_is_forged_unless_header_kid_and_signature_have_one_algorithm() {
    let server = TestServer::start().await;
    let browser = server.client();
    let tokens = exchange_web(&browser, &login().code(&browser, seed::ADA).await).await.expect(200).json();
    let of_access = jwt::claims(&text(&tokens, "access_token"));
    let of_id = jwt::claims(&text(&tokens, "id_token"));
    let of_management = jwt::claims(Api::of(&server).await.token());
    let (kid, key) = signing_key(&server).await;
    let named = |alg: &str| if alg == "RS256" { kid.clone() } else { format!("{kid}-{alg}") };
    let mut accepted = Vec::new();
    for (kid_of, _) in SIGNS {
        for (alg, _) in SIGNS {
            for (made, encoding) in SIGNS {
                let header = json!({ "alg": alg, "kid": named(kid_of), "typ": "JWT" });
                let right = kid_of == alg && alg == made && alg != "RS384";
                let access = signed(&key, encoding, &header, &of_access);
                let answer = userinfo(&server.client(), &access).await;
                answer.expect(if right { 200 } else { 401 });
                let management = signed(&key, encoding, &header, &of_management);
                let request = browser.request(Method::GET, "/api/v2/clients").bearer_auth(&management);
                browser.send(request).await.expect(if right { 200 } else { 401 });
                let hint = signed(&key, encoding, &header, &of_id);
                let hinted =
                    login().with("prompt", "none").with("id_token_hint", &hint).begin(&browser).await;
                assert_eq!(hinted.location_parameter("code").is_some(), right, "{header} {made}: {hinted:?}");
                if right {
                    accepted.push(alg);
                }
            }
        }
    }
    assert_eq!(accepted, ["RS256", "RS512", "PS256"]);
    // The public key as the secret of an HMAC, by each of its names.
    let jwks = browser.get(JWKS).await.json();
    for entry in jwks["keys"].as_array().unwrap() {
        let header = json!({ "alg": "HS256", "kid": entry["kid"], "typ": "JWT" });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let input = format!("{}.{}", part(&header), part(&of_access));
        let secret = hmac::Key::new(hmac::HMAC_SHA256, text(entry, "n").as_bytes());
        let tag = URL_SAFE_NO_PAD.encode(hmac::sign(&secret, input.as_bytes()));
        userinfo(&browser, &format!("{input}.{tag}")).await.expect(401);
    }
}
