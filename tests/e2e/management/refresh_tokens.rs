use end_to_end::flow::{native_tokens, refresh, text};
use end_to_end::management::Api;
use end_to_end::{TestServer, seed};
use model::{RefreshTokenId, TenantId};
use serde_json::{Value, json};

use super::Foreign;
use crate::online::online_tokens;

/// The ids of a user's refresh tokens, newest first.
pub async fn ids_of(api: &Api, server: &TestServer, email: &str) -> Vec<String> {
    let user = server.user_id(email).await;
    let list = api.get(&format!("/refresh-tokens?user_id={}", user.as_str().replace('|', "%7C"))).await;
    let list = list.expect_json(200);
    list["refresh_tokens"].as_array().unwrap().iter().map(|token| text(token, "id")).collect()
}

/// Copies a refresh token of Bob to the other tenant under another id.
pub async fn stored_in_other(server: &TestServer, id: &str) {
    native_tokens(&server.client(), seed::BOB).await;
    let bob = server.user_id(seed::BOB).await;
    let mut tx = server.idp.storage.begin_read(&server.acme()).await.unwrap();
    let found = tx.refresh_tokens_of(&bob, None, None, 1, server.idp.now()).await.unwrap();
    drop(tx);
    let token = model::RefreshToken { id: RefreshTokenId::new(id), ..found[0].clone() };
    let mut tx = server.idp.storage.begin(&TenantId::new(seed::OTHER)).await.unwrap();
    tx.insert_refresh_token(&token, id).await.unwrap();
    tx.commit().await.unwrap();
}

pub async fn foreign(server: &TestServer, _other: &Api) -> Vec<Foreign> {
    stored_in_other(server, "rt_of_other").await;
    let changes = json!({ "refresh_token_metadata": { "a": "b" } });
    vec![
        Foreign::unknown("GET", "/refresh-tokens/{id}", "/refresh-tokens/rt_of_other", None),
        Foreign::unknown("PATCH", "/refresh-tokens/{id}", "/refresh-tokens/rt_of_other", Some(changes)),
        Foreign::unknown("DELETE", "/refresh-tokens/{id}", "/refresh-tokens/rt_of_other", None),
    ]
}

#[tokio::test]
async fn a_refresh_token_is_shown_changed_and_ended_by_its_id() {
    let server = TestServer::start().await;
    let (api, app) = (Api::of(&server).await, server.client());
    let tokens = native_tokens(&app, seed::ADA).await;
    let rotated = refresh(&app, seed::NATIVE, &text(&tokens, "refresh_token")).await.expect(200).json();
    let ids = ids_of(&api, &server, seed::ADA).await;
    assert_eq!(ids.len(), 1, "one token with all its rotations");
    let at = format!("/refresh-tokens/{}", ids[0]);
    let token = api.get(&at).await.expect_json(200);
    assert_eq!(token["client_id"], seed::NATIVE);
    assert_eq!((&token["rotating"], token["session_id"].is_string()), (&json!(true), true));
    assert!(token["last_exchanged_at"].is_string() && token["expires_at"].is_string(), "{token}");
    assert_eq!(token["refresh_token_metadata"], json!({}));
    assert!(token["resource_servers"].is_array() && token["device"]["initial_ip"].is_string(), "{token}");
    let secret = text(&rotated, "refresh_token");
    assert!(!token.to_string().contains(&secret));

    let changes = json!({ "refresh_token_metadata": { "device": "blue" } });
    let changed = api.patch(&at, &changes).await.expect_json(200);
    assert_eq!(changed["refresh_token_metadata"], json!({ "device": "blue" }));
    for (metadata, message) in [(json!({ "a b": "c" }), "letters, digits"), (json!({ "a": true }), "string")]
    {
        let answer = api.patch(&at, &json!({ "refresh_token_metadata": metadata })).await;
        answer.expect_api_error(400, "invalid_body", message);
    }
    api.patch(&at, &json!({})).await.expect_api_error(400, "invalid_body", "refresh_token_metadata");

    assert_eq!(api.delete(&at).await.expect_json(202), json!({}));
    refresh(&app, seed::NATIVE, &secret).await.expect_error(403, "invalid_grant");
    api.get(&at).await.expect_api_error(404, "inexistent_refresh_token", "does not exist");
    api.patch(&at, &changes).await.expect_api_error(404, "inexistent_refresh_token", "");
    api.delete(&at).await.expect_json(202);
    api.delete("/refresh-tokens/rt_unknown").await.expect_api_error(404, "inexistent_refresh_token", "");
    assert!(ids_of(&api, &server, seed::ADA).await.is_empty());
}

#[tokio::test]
async fn online_refresh_tokens_are_their_sessions_and_not_seen_here() {
    let server = TestServer::start().await;
    let (api, browser) = (Api::of(&server).await, server.client());
    online_tokens(&browser).await;
    assert!(ids_of(&api, &server, seed::ADA).await.is_empty());
    let ada = server.user_id(seed::ADA).await;
    let online = {
        let mut tx = server.idp.storage.begin_read(&server.acme()).await.unwrap();
        let filter = storage::TokenFilter { user: Some(&ada), ..Default::default() };
        let grants = tx.user_grants(filter, 10, 0, server.idp.now()).await.unwrap();
        assert_eq!(grants.len(), 1);
        tx.oldest_refresh_token(&ada, &grants[0].client_id, server.idp.now()).await.unwrap().unwrap()
    };
    let at = format!("/refresh-tokens/{online}");
    let revoke = json!({ "ids": [online] });
    for answer in [
        api.get(&at).await,
        api.patch(&at, &json!({ "refresh_token_metadata": {} })).await,
        api.delete(&at).await,
        api.post("/refresh-tokens/revoke", &revoke).await,
    ] {
        answer.expect_api_error(400, "invalid_body", "/revoke");
    }
}

#[tokio::test]
async fn refresh_tokens_are_listed_by_positions_and_revoked_by_selectors() {
    let server = TestServer::start().await;
    let (api, app) = (Api::of(&server).await, server.client());
    let ada = server.user_id(seed::ADA).await;
    let user = ada.as_str().replace('|', "%7C");
    let mut secrets = Vec::new();
    for _ in 0..5 {
        server.clock.advance_secs(1);
        let tokens = native_tokens(&server.client(), seed::ADA).await;
        secrets.push(text(&tokens, "refresh_token"));
    }
    let ids = ids_of(&api, &server, seed::ADA).await;
    let walk = async |list: &str, name: &str| {
        let (mut walked, mut from) = (Vec::new(), String::new());
        loop {
            let answer = api.get(&format!("{list}take=2{from}")).await.expect_json(200);
            let rows = answer[name].as_array().unwrap();
            walked.extend(rows.iter().map(|token| text(token, "id")));
            match answer["next"].as_str() {
                Some(next) => from = format!("&from={next}"),
                None => return walked,
            }
        }
    };
    let by_client = format!("/refresh-tokens?user_id={user}&client_id={}&", seed::NATIVE);
    assert_eq!(walk(&by_client, "refresh_tokens").await, ids);
    let of_user = format!("/users/{user}/refresh-tokens?");
    assert_eq!(walk(&of_user, "tokens").await, ids);
    let totals = api.get(&format!("{of_user}include_totals=true")).await.expect_json(200);
    assert_eq!(totals["total"], 5);
    let none = api.get(&format!("/refresh-tokens?user_id={user}&client_id=another")).await.expect_json(200);
    assert_eq!(none, json!({ "refresh_tokens": [] }));
    let few = api.get(&format!("/refresh-tokens?user_id={user}&take=1&fields=id")).await.expect_json(200);
    assert_eq!(few["refresh_tokens"], json!([{ "id": ids[0] }]));
    api.get("/refresh-tokens").await.expect_api_error(400, "invalid_query_string", "user_id");
    let position = totals_position(&api, &of_user).await;
    let elsewhere = api.get(&format!("{by_client}from={position}")).await;
    elsewhere.expect_api_error(400, "invalid_query_string", "no position of this list");

    let revoke = async |body: Value| api.post("/refresh-tokens/revoke", &body).await;
    for wrong in [
        json!({}),
        json!({ "ids": [] }),
        json!({ "ids": vec!["rt_x"; 101] }),
        json!({ "ids": ["rt_x"], "user_id": ada }),
        json!({ "client_id": seed::NATIVE }),
        json!({ "user_id": ada, "audience": seed::API }),
        json!({ "ids": "rt_x" }),
    ] {
        revoke(wrong).await.expect_api_error(400, "invalid_body", "");
    }
    assert_eq!(revoke(json!({ "ids": [ids[0], "rt_unknown"] })).await.expect_json(202), json!({}));
    refresh(&app, seed::NATIVE, &secrets[4]).await.expect_error(403, "invalid_grant");
    revoke(json!({ "user_id": ada, "client_id": "another" })).await.expect_json(202);
    let other_api = json!({ "user_id": ada, "client_id": seed::NATIVE, "audience": "urn:another" });
    revoke(other_api).await.expect_json(202);
    assert_eq!(ids_of(&api, &server, seed::ADA).await, ids[1..]);
    revoke(json!({ "user_id": ada, "client_id": seed::NATIVE })).await.expect_json(202);
    assert!(ids_of(&api, &server, seed::ADA).await.is_empty());
    native_tokens(&server.client(), seed::ADA).await;
    api.delete(&format!("/users/{user}/refresh-tokens")).await.expect_json(202);
    assert!(ids_of(&api, &server, seed::ADA).await.is_empty());
}

async fn totals_position(api: &Api, list: &str) -> String {
    text(&api.get(&format!("{list}take=1")).await.expect_json(200), "next")
}
