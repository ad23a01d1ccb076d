use end_to_end::management::Api;
use end_to_end::{TestServer, jwt, seed};
use serde_json::{Value, json};

use super::Foreign;

pub async fn foreign(other: &Api) -> Vec<Foreign> {
    let keys = other.get("/keys/signing").await.expect_json(200);
    let path = format!("/keys/signing/{}", keys[1]["kid"].as_str().unwrap());
    vec![
        Foreign::unknown("GET", "/keys/signing/{kid}", &path, None),
        Foreign::unknown("PUT", "/keys/signing/{kid}/revoke", format!("{path}/revoke"), None),
    ]
}

async fn published(server: &TestServer) -> Vec<String> {
    let jwks = server.client().get("/.well-known/jwks.json").await.expect(200).json();
    jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

async fn signs(server: &TestServer) -> String {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", seed::MACHINE),
        ("client_secret", seed::MACHINE_SECRET),
        ("audience", seed::API),
    ];
    let tokens = server.client().post_form("/oauth/token", &form).await.expect(200).json();
    jwt::header(tokens["access_token"].as_str().unwrap())["kid"].as_str().unwrap().to_owned()
}

fn with(keys: &Value, state: &str) -> Value {
    keys.as_array().unwrap().iter().find(|key| key[state] == true).cloned().unwrap_or_default()
}

#[tokio::test]
async fn keys_are_rotated_and_revoked_and_each_has_a_certificate() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let keys = api.get("/keys/signing").await.expect_json(200);
    let (current, next) = (with(&keys, "current"), with(&keys, "next"));
    assert_eq!(current["kid"], signs(&server).await);
    for key in [&current, &next] {
        assert!(key["cert"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE-----\n"), "{key}");
        assert!(key["pkcs7"].as_str().unwrap().starts_with("-----BEGIN PKCS7-----\n"), "{key}");
        let (thumbprint, fingerprint) =
            (key["thumbprint"].as_str().unwrap(), key["fingerprint"].as_str().unwrap());
        assert_eq!((thumbprint.len(), fingerprint.replace(':', "").as_str()), (40, thumbprint));
        let path = format!("/keys/signing/{}", key["kid"].as_str().unwrap());
        assert_eq!(api.get(&path).await.expect_json(200), *key, "it is the same each time");
    }
    let revoke = async |key: &Value| {
        api.put(&format!("/keys/signing/{}/revoke", key["kid"].as_str().unwrap()), &json!({})).await
    };
    revoke(&current).await.expect_api_error(409, "", "rotate before");

    let rotated = api.post("/keys/signing/rotate", &json!({})).await.expect_json(201);
    assert_eq!(rotated, json!({ "kid": next["kid"], "cert": next["cert"] }));
    assert_eq!(next["kid"], signs(&server).await);
    let old = current["kid"].as_str().unwrap().to_owned();
    assert!(published(&server).await.contains(&old));
    // The caller's own token is of the key that goes: it is refused from then on.
    let fresh = Api::of(&server).await;
    let revoked = fresh.put(&format!("/keys/signing/{old}/revoke"), &json!({})).await.expect_json(200);
    assert_eq!(revoked, json!({ "kid": old, "cert": current["cert"] }));
    assert!(!published(&server).await.contains(&old));
    api.get("/keys/signing").await.expect_api_error(401, "invalid_token", "Invalid token");
    let keys = fresh.get("/keys/signing").await.expect_json(200);
    let gone = keys.as_array().unwrap().iter().find(|key| key["kid"] == old.as_str()).unwrap();
    assert!(gone["revoked"] == true && gone["previous"] == false && gone["revoked_at"].is_string(), "{gone}");
    assert!(gone["current_until"].is_string(), "{gone}");

    // In the place of a next key that is revoked comes another one.
    let next = with(&keys, "next")["kid"].as_str().unwrap().to_owned();
    fresh.put(&format!("/keys/signing/{next}/revoke"), &json!({})).await.expect_json(200);
    let keys = fresh.get("/keys/signing").await.expect_json(200);
    let after = with(&keys, "next")["kid"].as_str().unwrap().to_owned();
    let jwks = published(&server).await;
    assert!(after != next && jwks.contains(&after) && !jwks.contains(&next), "{jwks:?}");
    fresh.put("/keys/signing/none/revoke", &json!({})).await.expect_api_error(404, "", "does not exist");
}
