use end_to_end::flow::{asks_to_log_in, code_of, exchange_native, native_tokens, refresh, text};
use end_to_end::management::Api;
use end_to_end::{Login, RawClient, TestServer, jwt, seed};
use serde_json::{Value, json};

use super::Foreign;

/// Where Ada's session of a native login is, and its refresh token.
pub async fn session_of_ada(browser: &RawClient) -> (String, String) {
    let tokens = native_tokens(browser, seed::ADA).await;
    let sid = text(&jwt::claims(&text(&tokens, "id_token")), "sid");
    (format!("/sessions/{sid}"), text(&tokens, "refresh_token"))
}

/// The id of a living session of the other tenant, which has no clients of its own that could log in here.
pub async fn foreign(server: &TestServer, _other: &Api) -> Vec<Foreign> {
    let id = stored_in_other(server).await;
    let at = format!("/sessions/{id}");
    vec![
        Foreign::unknown("GET", "/sessions/{id}", &at, None),
        Foreign::unknown("PATCH", "/sessions/{id}", &at, Some(json!({ "session_metadata": { "a": "b" } }))),
        Foreign::unknown("DELETE", "/sessions/{id}", &at, None),
        Foreign::unknown("POST", "/sessions/{id}/revoke", format!("{at}/revoke"), None),
    ]
}

/// Copies a session of Ada to the other tenant under another id.
async fn stored_in_other(server: &TestServer) -> String {
    let (path, _) = session_of_ada(&server.client()).await;
    let id = model::SessionId::new(path.trim_start_matches("/sessions/"));
    let mut tx = server.idp.storage.begin_read(&server.acme()).await.unwrap();
    let mut session = tx.session(&id).await.unwrap().unwrap();
    drop(tx);
    session.id = model::SessionId::new("of-the-other-tenant");
    let mut tx = server.idp.storage.begin(&model::TenantId::new(seed::OTHER)).await.unwrap();
    tx.insert_session(&session, "secret", "https://other.example/").await.unwrap();
    tx.commit().await.unwrap();
    session.id.as_str().to_owned()
}

#[tokio::test]
async fn a_session_is_shown_as_the_dialect_has_it_and_gets_metadata() {
    let server = TestServer::start().await;
    let (api, browser) = (Api::of(&server).await, server.client());
    let (at, _) = session_of_ada(&browser).await;
    let session = api.get(&at).await.expect_json(200);
    assert_eq!(session["user_id"], json!(server.user_id(seed::ADA).await));
    assert_eq!(session["clients"], json!([{ "client_id": seed::NATIVE }]));
    assert_eq!(session["authentication"]["methods"][0]["name"], "pwd");
    assert_eq!(session["cookie"], json!({ "mode": "persistent" }));
    assert_eq!(session["session_metadata"], json!({}));
    for moment in [
        "created_at",
        "updated_at",
        "authenticated_at",
        "expires_at",
        "idle_expires_at",
        "last_interacted_at",
    ] {
        assert!(session[moment].as_str().is_some_and(|text| text.ends_with('Z')), "{moment}: {session}");
    }
    assert!(session["device"]["initial_ip"].is_string(), "{session}");
    assert!(session.get("parent_refresh_token").is_none(), "{session}");

    let changes = json!({ "session_metadata": { "kiosk": "7" } });
    assert_eq!(api.patch(&at, &changes).await.expect_json(200)["session_metadata"], json!({ "kiosk": "7" }));
    let other = json!({ "session_metadata": { "floor": "2" } });
    assert_eq!(api.patch(&at, &other).await.expect_json(200)["session_metadata"], json!({ "floor": "2" }));
    let many: serde_json::Map<_, _> = (0..26).map(|n| (n.to_string(), json!("x"))).collect();
    for (metadata, message) in [
        (json!({ "no blanks": "7" }), "letters, digits"),
        (json!({ "a": 7 }), "expected a string"),
        (json!({ "a": "x".repeat(256) }), "at most 255"),
        (json!(many), "at most 25"),
        (json!([]), "session_metadata"),
    ] {
        let answer = api.patch(&at, &json!({ "session_metadata": metadata })).await;
        answer.expect_api_error(400, "invalid_body", message);
    }
    api.patch(&at, &json!({})).await.expect_api_error(400, "invalid_body", "session_metadata");
    let cleared = api.patch(&at, &json!({ "session_metadata": null })).await.expect_json(200);
    assert_eq!(cleared["session_metadata"], json!({}));
}

#[tokio::test]
async fn a_deleted_session_leaves_refresh_tokens_and_a_revoked_one_does_not() {
    let server = TestServer::start().await;
    let (api, app) = (Api::of(&server).await, server.client());
    for (ending, tokens_live) in [("delete", true), ("revoke", false)] {
        let browser = server.client();
        let (at, token) = session_of_ada(&browser).await;
        let answer = match ending {
            "delete" => api.delete(&at).await,
            _ => api.call(reqwest::Method::POST, &format!("{at}/revoke"), None).await,
        };
        assert_eq!(answer.expect_json(202), json!({}));
        assert!(asks_to_log_in(&Login::web().begin(&browser).await), "{ending}");
        let status = refresh(&app, seed::NATIVE, &token).await.status;
        assert_eq!(status == 200, tokens_live, "{ending}");
        api.get(&at).await.expect_api_error(404, "inexistent_session", "The session does not exist.");
        let changes = json!({ "session_metadata": {} });
        api.patch(&at, &changes).await.expect_api_error(404, "inexistent_session", "");
        api.delete(&at).await.expect_json(202);
    }
    api.delete("/sessions/unknown").await.expect_api_error(404, "inexistent_session", "");
    let logs = server.logs().await;
    assert!(logs.iter().any(|entry| entry.code == "session_revoked"), "{logs:?}");
}

#[tokio::test]
async fn a_users_sessions_are_listed_by_positions_and_ended_together() {
    let server = TestServer::start().await;
    let (api, app) = (Api::of(&server).await, server.client());
    let ada = server.user_id(seed::ADA).await;
    let user = format!("/users/{}", ada.as_str().replace('|', "%7C"));
    let mut all = Vec::new();
    let mut browsers = Vec::new();
    for _ in 0..5 {
        // Two are made in one millisecond.
        if all.len() != 2 {
            server.clock.advance_secs(1);
        }
        let browser = server.client();
        let (at, token) = session_of_ada(&browser).await;
        all.push((at.trim_start_matches("/sessions/").to_owned(), token));
        browsers.push(browser);
    }
    let ids = |list: &Value| {
        let rows = list["sessions"].as_array().unwrap().iter();
        rows.map(|session| text(session, "id")).collect::<Vec<_>>()
    };
    let whole = api.get(&format!("{user}/sessions?include_totals=true&take=50")).await.expect_json(200);
    assert_eq!((&whole["total"], whole.get("next")), (&json!(5), None));
    let mut walked = Vec::new();
    let mut from = String::new();
    loop {
        let list = api.get(&format!("{user}/sessions?take=2{from}")).await.expect_json(200);
        walked.extend(ids(&list));
        assert_eq!(list["sessions"][0]["clients"], json!([{ "client_id": seed::NATIVE }]));
        match list["next"].as_str() {
            Some(next) => from = format!("&from={next}"),
            None => break,
        }
    }
    assert_eq!(walked, ids(&whole));
    assert_eq!(walked[0], all[4].0, "the newest first");
    for wrong in ["take=0", "take=101", "from=x", "page=1"] {
        let answer = api.get(&format!("{user}/sessions?{wrong}")).await;
        answer.expect_api_error(400, "invalid_query_string", "");
    }

    let revoke = format!("{user}/revoke-access");
    api.post(&revoke, &json!({ "session_id": all[0].0 })).await.expect_json(202);
    refresh(&app, seed::NATIVE, &all[0].1).await.expect_error(403, "invalid_grant");
    let bob = server.user_id(seed::BOB).await;
    let of_bob = format!("/users/{}/revoke-access", bob.as_str().replace('|', "%7C"));
    let stranger = api.post(&of_bob, &json!({ "session_id": all[1].0 })).await;
    stranger.expect_api_error(404, "inexistent_session", "");
    let keeps = json!({ "session_id": all[1].0, "preserve_refresh_tokens": true });
    api.post(&revoke, &keeps).await.expect_json(202);
    assert!(asks_to_log_in(&Login::web().begin(&browsers[1]).await));
    refresh(&app, seed::NATIVE, &all[1].1).await.expect(200);
    code_of(&Login::web().begin(&browsers[2]).await);
    api.delete(&format!("{user}/sessions")).await.expect_json(202);
    assert!(asks_to_log_in(&Login::web().begin(&browsers[2]).await));
    refresh(&app, seed::NATIVE, &all[2].1).await.expect(200);
    api.post(&revoke, &json!({})).await.expect_json(202);
    refresh(&app, seed::NATIVE, &all[3].1).await.expect_error(403, "invalid_grant");
    let code = Login::native().code(&server.client(), seed::ADA).await;
    exchange_native(&app, &code).await.expect(200);
}
