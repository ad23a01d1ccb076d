use end_to_end::flow::{exchange_native, native_tokens, refresh, text};
use end_to_end::management::Api;
use end_to_end::{Login, TestServer, seed};
use serde_json::{Value, json};

use super::Foreign;
use super::refresh_tokens::{ids_of, stored_in_other};
use crate::online::online_tokens;

pub async fn foreign(server: &TestServer, other: &Api) -> Vec<Foreign> {
    stored_in_other(server, "rt_of_grant").await;
    let grants = other.get("/grants").await.expect_json(200);
    let id = text(&grants[0], "id");
    // Whose it is stands in it, and the same user has none here.
    let user = server.user_id(seed::BOB).await;
    server_side_end(server, &user).await;
    vec![
        Foreign::unknown("DELETE", "/grants/{id}", format!("/grants/{id}"), None),
        Foreign::unknown("DELETE", "/device-credentials/{id}", "/device-credentials/rt_of_grant", None),
    ]
}

async fn server_side_end(server: &TestServer, user: &model::UserId) {
    idp::manage::delete_grants_of_user(&server.idp, &server.acme(), user).await.unwrap();
}

fn list_of(list: &Value) -> Vec<(String, String)> {
    let rows = list.as_array().unwrap().iter();
    rows.map(|grant| (text(grant, "clientID"), text(grant, "audience"))).collect()
}

#[tokio::test]
async fn a_grant_is_what_lives_of_refresh_tokens_and_ends_them() {
    let server = TestServer::start().await;
    let (api, app) = (Api::of(&server).await, server.client());
    let userinfo = format!("{}userinfo", server.issuer(seed::ACME));
    let login = Login::native().with("scope", "openid offline_access").with("audience", seed::API);
    let mut secrets = Vec::new();
    for _ in 0..2 {
        let code = login.code(&server.client(), seed::ADA).await;
        secrets.push(text(&exchange_native(&app, &code).await.expect(200).json(), "refresh_token"));
    }
    let plain = Login::native().without("audience").with("scope", "openid offline_access");
    let code = plain.code(&server.client(), seed::ADA).await;
    let for_none = text(&exchange_native(&app, &code).await.expect(200).json(), "refresh_token");
    let browser = server.client();
    let online = text(&online_tokens(&browser).await, "refresh_token");
    native_tokens(&app, seed::BOB).await;

    let ada = server.user_id(seed::ADA).await;
    let user = ada.as_str().replace('|', "%7C");
    let list = api.get(&format!("/grants?user_id={user}")).await.expect_json(200);
    let pair = |client: &str, audience: &str| (client.to_owned(), audience.to_owned());
    let mut found = list_of(&list);
    found.sort();
    let mut expected =
        vec![pair(seed::NATIVE, seed::API), pair(seed::NATIVE, &userinfo), pair(seed::WEB, seed::API)];
    expected.sort();
    assert_eq!(found, expected, "{list}");
    assert!(list[0]["scope"].as_array().unwrap().contains(&json!("openid")), "{list}");
    let by_api = format!("/grants?user_id={user}&client_id={}&audience=", seed::NATIVE);
    let one = api.get(&format!("{by_api}{}", seed::API)).await.expect_json(200);
    assert_eq!(list_of(&one), [pair(seed::NATIVE, seed::API)]);
    let other = api.get(&format!("{by_api}{userinfo}")).await.expect_json(200);
    assert_eq!(list_of(&other), [pair(seed::NATIVE, &userinfo)]);
    let totals = api.get("/grants?include_totals=true&per_page=2&page=1").await.expect_json(200);
    assert_eq!((&totals["total"], totals["grants"].as_array().unwrap().len()), (&json!(4), 2));

    let id = text(&one[0], "id");
    let again = refresh(&app, seed::NATIVE, &secrets[0]).await.expect(200).json();
    assert_eq!(api.get(&format!("{by_api}{}", seed::API)).await.expect_json(200)[0]["id"], json!(id));
    api.delete(&format!("/grants/{id}")).await.expect(204);
    for secret in [&text(&again, "refresh_token"), &secrets[1]] {
        refresh(&app, seed::NATIVE, secret).await.expect_error(403, "invalid_grant");
    }
    let kept = refresh(&app, seed::NATIVE, &for_none).await.expect(200).json();
    for unknown in [&*id, "nonsense", "W10"] {
        let answer = api.delete(&format!("/grants/{unknown}")).await;
        answer.expect_api_error(404, "inexistent_grant", "does not exist");
    }
    api.delete(&format!("/grants?user_id={user}")).await.expect(204);
    refresh(&app, seed::NATIVE, &text(&kept, "refresh_token")).await.expect_error(403, "invalid_grant");
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", seed::WEB),
        ("client_secret", seed::WEB_SECRET),
        ("refresh_token", &online),
    ];
    app.post_form("/oauth/token", &form).await.expect_error(403, "invalid_grant");
    end_to_end::flow::code_of(&Login::web().begin(&browser).await);
    assert_eq!(api.get(&format!("/grants?user_id={user}")).await.expect_json(200), json!([]));
    api.delete("/grants").await.expect_api_error(400, "invalid_query_string", "user_id");
}

#[tokio::test]
async fn device_credentials_are_refresh_tokens_by_another_name() {
    let server = TestServer::start().await;
    let (api, app) = (Api::of(&server).await, server.client());
    let tokens = native_tokens(&app, seed::ADA).await;
    let ids = ids_of(&api, &server, seed::ADA).await;
    let ada = server.user_id(seed::ADA).await;
    let list = format!("/device-credentials?user_id={}&type=", ada.as_str().replace('|', "%7C"));
    let found = api.get(&format!("{list}rotating_refresh_token")).await.expect_json(200);
    assert_eq!(found[0]["id"], json!(ids[0]));
    assert_eq!((&found[0]["user_id"], &found[0]["client_id"]), (&json!(ada), &json!(seed::NATIVE)));
    assert!(found[0]["device_name"].is_string(), "{found}");
    for none in ["refresh_token", "public_key"] {
        let found = api.get(&format!("{list}{none}&include_totals=true")).await.expect_json(200);
        assert_eq!(found, json!({ "start": 0, "limit": 50, "total": 0, "device_credentials": [] }));
    }
    let page = api.get(&format!("{list}rotating_refresh_token&page=1&per_page=1")).await.expect_json(200);
    assert_eq!(page, json!([]));
    api.get(&format!("{list}another")).await.expect_api_error(400, "invalid_query_string", "");
    api.delete(&format!("/device-credentials/{}", ids[0])).await.expect(204);
    let token = text(&tokens, "refresh_token");
    refresh(&app, seed::NATIVE, &token).await.expect_error(403, "invalid_grant");
    api.delete("/device-credentials/rt_unknown").await.expect_api_error(404, "inexistent_refresh_token", "");
}
