use end_to_end::flow::{asks_to_log_in, code_of, log_in, native_tokens, refresh, text};
use end_to_end::management::Api;
use end_to_end::{Login, TestServer, seed};
use serde_json::{Value, json};

use super::Foreign;

const CONNECTION: &str = "Username-Password-Authentication";

pub fn new_user(email: &str) -> Value {
    json!({ "connection": CONNECTION, "email": email, "password": seed::PASSWORD })
}

/// The path of a user.
pub fn path(user_id: &Value) -> String {
    format!("/users/{}", user_id.as_str().unwrap().replace('|', "%7C"))
}

pub async fn foreign(other: &Api) -> Vec<Foreign> {
    let user = other.post("/users", &new_user("mallory@other.example")).await.expect_json(201);
    let role = other.post("/roles", &json!({ "name": "of other" })).await.expect_json(200);
    let roles = json!({ "roles": [role["id"]] });
    let permissions =
        json!({ "permissions": [{ "resource_server_identifier": "urn:x", "permission_name": "read" }] });
    let at = path(&user["user_id"]);
    let mut calls = Vec::new();
    for (method, rest, body) in [
        ("GET", "", None),
        ("PATCH", "", Some(json!({ "name": "Eve" }))),
        ("DELETE", "", None),
        ("GET", "/roles", None),
        ("POST", "/roles", Some(roles.clone())),
        ("DELETE", "/roles", Some(roles)),
        ("GET", "/permissions", None),
        ("POST", "/permissions", Some(permissions.clone())),
        ("DELETE", "/permissions", Some(permissions)),
        ("GET", "/organizations", None),
        ("GET", "/sessions", None),
        ("DELETE", "/sessions", None),
        ("GET", "/refresh-tokens", None),
        ("DELETE", "/refresh-tokens", None),
        ("POST", "/revoke-access", Some(json!({}))),
        ("DELETE", "/authenticators", None),
        ("GET", "/logs", None),
    ] {
        let route: &'static str = format!("/users/{{id}}{rest}").leak();
        calls.push(Foreign::unknown(method, route, format!("{at}{rest}"), body));
    }
    calls
}

#[tokio::test]
async fn a_user_is_made_shown_changed_and_deleted() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let new = json!({
        "connection": CONNECTION, "email": "Grace@Example.com", "password": seed::PASSWORD, "user_id": "grace",
        "username": "grace", "email_verified": true, "phone_number": "+15550100", "given_name": "Grace",
        "picture": "https://example.com/g.png", "user_metadata": { "theme": "dark", "font": "large" },
        "app_metadata": { "plan": { "seats": 3 } }, "verify_email": false,
    });
    let made = api.post("/users", &new).await.expect_json(201);
    assert_eq!(made["user_id"], "auth0|grace");
    let identity =
        json!([{ "connection": CONNECTION, "provider": "auth0", "user_id": "grace", "isSocial": false }]);
    assert_eq!(made["identities"], identity);
    for (name, value) in [
        ("email", json!("Grace@Example.com")),
        ("name", json!("Grace@Example.com")),
        ("nickname", json!("Grace")),
        ("given_name", json!("Grace")),
        ("email_verified", json!(true)),
        ("phone_number", json!("+15550100")),
        ("blocked", json!(false)),
        ("logins_count", json!(0)),
        ("app_metadata", json!({ "plan": { "seats": 3 } })),
    ] {
        assert_eq!(made[name], value, "{name}");
    }
    assert!(made["created_at"].as_str().unwrap().ends_with('Z') && made.get("password").is_none(), "{made}");
    assert_eq!(api.get("/users/auth0%7Cgrace").await.expect_json(200), made);
    let some = api.get("/users/auth0%7Cgrace?fields=email,user_id").await.expect_json(200);
    assert_eq!(some, json!({ "email": "Grace@Example.com", "user_id": "auth0|grace" }));
    let others = api.get("/users/auth0%7Cgrace?fields=email&include_fields=false").await.expect_json(200);
    assert!(others.get("email").is_none() && others["nickname"] == "Grace", "{others}");
    let by_email = api.get("/users-by-email?email=grace%40EXAMPLE.com").await.expect_json(200);
    assert_eq!(by_email, json!([made]));
    assert_eq!(api.get("/users-by-email?email=nobody%40example.com").await.expect_json(200), json!([]));

    let changes = json!({
        "email": "grace@navy.example", "given_name": null, "nickname": "amazing",
        "user_metadata": { "theme": null, "lang": "en" }, "app_metadata": {},
    });
    let changed = api.patch("/users/auth0%7Cgrace", &changes).await.expect_json(200);
    assert_eq!(
        (&changed["email"], &changed["email_verified"]),
        (&json!("grace@navy.example"), &json!(false))
    );
    assert!(changed.get("given_name").is_none() && changed["nickname"] == "amazing", "{changed}");
    assert_eq!(changed["user_metadata"], json!({ "font": "large", "lang": "en" }));
    assert_eq!(changed["app_metadata"], json!({}));
    assert_eq!(changed["picture"], "https://example.com/g.png");

    api.delete("/users/auth0%7Cgrace").await.expect(204);
    api.get("/users/auth0%7Cgrace").await.expect_api_error(
        404,
        "inexistent_user",
        "The user does not exist.",
    );
    api.delete("/users/auth0%7Cgrace").await.expect_api_error(404, "inexistent_user", "");
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused_and_changes_nothing() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    api.post("/users", &new_user("first@example.com")).await.expect_json(201);
    let second = api.post("/users", &new_user("second@example.com")).await.expect_json(201);
    let with = |name: &str, value: Value| {
        let mut new = new_user("third@example.com");
        new[name] = value;
        new
    };
    for (body, status, code, message) in [
        (new_user("FIRST@example.com"), 409, "", "The user already exists."),
        (with("user_id", second["identities"][0]["user_id"].clone()), 409, "", "The user already exists."),
        (with("connection", json!("nowhere")), 404, "inexistent_connection", "does not exist"),
        (with("connection", Value::Null), 400, "invalid_body", "connection"),
        (with("email", json!("no address")), 400, "invalid_body", "e-mail"),
        (with("password", json!("short")), 400, "", "PasswordStrengthError: Password is too weak"),
        (with("username", json!("a@b")), 400, "invalid_body", "user name"),
        (with("phone_number", json!("12")), 400, "invalid_body", "E.164"),
        (with("picture", json!("javascript:alert(1)")), 400, "invalid_body", "picture"),
        (with("user_id", json!("a|b")), 400, "invalid_body", "user_id"),
        (with("blocked", json!("yes")), 400, "invalid_body", "blocked"),
        (with("user_metadata", json!([])), 400, "invalid_body", "user_metadata"),
        (with("logins_count", json!(7)), 400, "invalid_body", "logins_count"),
        (json!({ "connection": CONNECTION, "password": seed::PASSWORD }), 400, "invalid_body", "email"),
    ] {
        api.post("/users", &body).await.expect_api_error(status, code, message);
    }
    let at = path(&second["user_id"]);
    let large = "x".repeat(300_000);
    for (body, status, message) in [
        (json!({ "email": "first@example.com" }), 409, "email already exists"),
        (json!({ "email": "" }), 400, "e-mail"),
        (json!({ "name": "" }), 400, "name"),
        (json!({ "connection": "nowhere", "blocked": true }), 400, "connection"),
        (json!({ "user_metadata": { "large": large } }), 400, "at most"),
        (json!({ "user_id": "auth0|other" }), 400, "user_id"),
    ] {
        assert_eq!(api.patch(&at, &body).await.status, status, "{body}");
        api.patch(&at, &body).await.expect_api_error(
            status,
            if status == 400 { "invalid_body" } else { "" },
            message,
        );
    }
    // `null` leaves an address as it is, and removes a name.
    let weak = json!({ "email": null, "name": null, "password": "short" });
    api.patch(&at, &weak).await.expect_api_error(400, "", "PasswordStrengthError: Password is too weak");
    assert_eq!(api.get(&at).await.expect_json(200), second);
    assert_eq!(api.get("/users-by-email?email=third%40example.com").await.expect_json(200), json!([]));

    let metadata = Api::with_scopes(&server, &["update:users_app_metadata"]).await;
    let changed = metadata.patch(&at, &json!({ "app_metadata": { "plan": "gold" } })).await.expect_json(200);
    assert_eq!(changed["app_metadata"]["plan"], "gold");
    let refused = metadata.patch(&at, &json!({ "app_metadata": {}, "blocked": true })).await;
    refused.expect_api_error(403, "insufficient_scope", "expected any of: update:users");
}

#[tokio::test]
async fn a_user_with_a_new_password_or_blocked_has_to_log_in_again_or_cannot() {
    let server = TestServer::start().await;
    let (api, app) = (Api::of(&server).await, server.client());
    let user = api.post("/users", &new_user("grace@example.com")).await.expect_json(201);
    let at = path(&user["user_id"]);
    let tokens = native_tokens(&app, "grace@example.com").await;
    let shown = api.get(&at).await.expect_json(200);
    assert_eq!(shown["logins_count"], 1, "{shown}");
    assert!(shown["last_login"].is_string() && shown["last_ip"].is_string(), "{shown}");
    let logs = api.get(&format!("{at}/logs?include_totals=true&sort=date:-1")).await.expect_json(200);
    let codes: Vec<_> = logs["logs"].as_array().unwrap().iter().map(|log| text(log, "type")).collect();
    assert!(codes.contains(&"s".to_owned()) && codes.contains(&"seacft".to_owned()), "{logs}");
    assert_eq!(logs["total"], codes.len());
    assert!(logs["logs"].as_array().unwrap().iter().all(|log| log["user_id"] == user["user_id"]), "{logs}");
    native_tokens(&server.client(), seed::BOB).await;
    let more = api.get(&format!("{at}/logs?include_totals=true")).await.expect_json(200);
    assert_eq!(more["total"], logs["total"], "another user's");

    let changed = api.patch(&at, &json!({ "password": "another long password" })).await.expect_json(200);
    assert!(changed["last_password_reset"].is_string(), "{changed}");
    let token = text(&tokens, "refresh_token");
    refresh(&app, seed::NATIVE, &token).await.expect_error(403, "invalid_grant");
    let begun = Login::native().begin(&app).await;
    assert!(asks_to_log_in(&begun));
    log_in(&app, begun.location(), "grace@example.com", seed::PASSWORD).await.expect(400);
    let second = server.client();
    let begun = Login::native().begin(&second).await;
    code_of(&log_in(&second, begun.location(), "grace@example.com", "another long password").await);

    assert_eq!(api.patch(&at, &json!({ "blocked": true })).await.expect_json(200)["blocked"], true);
    let third = server.client();
    let begun = Login::native().begin(&third).await;
    log_in(&third, begun.location(), "grace@example.com", "another long password").await.expect(400);
}

#[tokio::test]
async fn users_are_listed_by_pages_searched_and_sorted() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    for (index, name) in ["ann", "bob", "cyd", "dee", "eve"].iter().enumerate() {
        server.clock.advance_secs(1);
        let mut new = new_user(&format!("{name}@people.example"));
        new["user_id"] = json!(format!("p-{name}"));
        new["name"] = json!(format!("{name} Person"));
        new["app_metadata"] =
            json!({ "rank": index, "teams": ["all", if index < 2 { "red" } else { "blue" }] });
        api.post("/users", &new).await.expect_json(201);
    }
    let found = async |query: &str| {
        let list = api.get(&format!("/users?search_engine=v3&fields=user_id&{query}")).await.expect_json(200);
        let ids = list.as_array().unwrap().iter().map(|user| text(user, "user_id"));
        ids.map(|id| id.trim_start_matches("auth0|p-").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found("q=name%3A%22ANN%20person%22").await, ["ann"]);
    assert_eq!(found("q=email%3Abob%40people.example").await, ["bob"]);
    assert_eq!(found("q=app_metadata.teams%3Ared").await, ["ann", "bob"]);
    assert_eq!(found("q=app_metadata.rank%3A3%20OR%20name%3Aeve*").await, ["dee", "eve"]);
    let blue = "q=app_metadata.teams%3Ablue%20AND%20NOT%20name%3Adee*";
    assert_eq!(found(&format!("{blue}&sort=created_at%3A-1")).await, ["eve", "cyd"]);
    assert_eq!(found("q=user_id%3A%22auth0%7Cp-cyd%22&connection=nowhere").await, [""; 0]);
    let people = "q=email%3A*%20AND%20_exists_%3Aapp_metadata.rank";
    assert_eq!(found(&format!("{people}&per_page=2&page=1")).await, ["cyd", "dee"]);

    let list =
        api.get(&format!("/users?{people}&include_totals=true&per_page=2&page=2")).await.expect_json(200);
    let numbers = ["start", "limit", "length", "total"].map(|name| list[name].as_i64().unwrap());
    assert_eq!((numbers, list["users"][0]["name"].as_str()), ([4, 2, 1, 5], Some("eve Person")));
    let all = api.get("/users?include_totals=true").await.expect_json(200);
    assert_eq!(all["users"].as_array().unwrap().len(), all["total"]);
    for wrong in [
        "q=ann",
        "q=email%3A",
        "q=password_hash%3Ax",
        "q=name%3A*nn",
        "sort=name",
        "sort=app_metadata.a%3A1",
        "search_engine=v2",
        "per_page=101",
        "page=-1",
        "page=x",
        "include_totals=perhaps",
    ] {
        let answer = api.get(&format!("/users?{wrong}")).await;
        answer.expect_api_error(400, "invalid_query_string", "");
    }
}

#[tokio::test]
async fn a_list_of_100_users_takes_little_of_the_server() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let acme = server.acme();
    let mut tx = server.idp.storage.begin(&acme).await.unwrap();
    let ada = server.user_id(seed::ADA).await;
    let ada = tx.user(&ada).await.unwrap().unwrap();
    for number in 0..2_000 {
        let user_id = model::UserId::new(format!("auth0|{number:06}"));
        let email = Some(format!("{number}@many.example"));
        tx.put_user(&model::User { user_id, email, ..ada.clone() }).await.unwrap();
    }
    tx.commit().await.unwrap();
    let mut best = std::time::Duration::MAX;
    for _ in 0..10 {
        let begun = std::time::Instant::now();
        let list = api.get("/users?per_page=100&page=7&include_totals=true").await.expect_json(200);
        best = best.min(begun.elapsed());
        assert_eq!(list["users"].as_array().unwrap().len(), 100);
    }
    // An optimised program takes less than 5 ms. This one is not, and the machine has other things to do.
    assert!(best.as_millis() < 250, "{best:?}");
    println!("100 users: {best:?}");
}
