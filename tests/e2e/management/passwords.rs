//! What a connection asks of passwords.

use end_to_end::database::Database;
use end_to_end::flow::{asks_to_log_in, code_of, log_in};
use end_to_end::management::Api;
use end_to_end::operator::Operator;
use end_to_end::{Login, TestServer, seed};
use serde_json::{Value, json};

const WEAK: &str = "PasswordStrengthError: Password is too weak";
const COMMON: &str = "PasswordDictionaryError: Password is too common";
const PERSONAL: &str = "PasswordNoUserInfoError: Password contains user information";
const USED: &str = "PasswordHistoryError: Password has previously been used";

/// Makes a database for the web app, with these options; its path.
async fn connection(api: &Api, name: &str, options: &Value) -> String {
    let new =
        json!({ "name": name, "strategy": "auth0", "enabled_clients": [seed::WEB], "options": options });
    let made = api.post("/connections", &new).await.expect_json(201);
    assert_eq!(made["options"], *options);
    format!("/connections/{}", made["id"].as_str().unwrap())
}

fn user(connection: &str, email: &str, password: &str) -> Value {
    json!({ "connection": connection, "email": email, "password": password })
}

/// What the user is called in paths.
fn path(user: &Value) -> String {
    format!("/users/{}", user["user_id"].as_str().unwrap().replace('|', "%7C"))
}

#[tokio::test]
async fn new_passwords_follow_the_options_of_the_connection() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let options = json!({
        "passwordPolicy": "excellent", "password_complexity_options": { "min_length": 11 },
        "password_no_personal_info": { "enable": true },
        "password_dictionary": { "enable": true, "dictionary": ["Swordfish-1234"] },
    });
    let at = connection(&api, "Staff", &options).await;
    for (password, refusal) in [
        ("aB1!aB1!aB", WEAK),
        ("abcdefghijk1", WEAK),
        ("aB1!aB1!aBBB", WEAK),
        ("sWORDFISH-1234", COMMON),
        ("12-Grace.Hopper-34", PERSONAL),
    ] {
        let new = user("Staff", "grace.hopper@example.com", password);
        let answer = api.post("/users", &new).await;
        let expected = json!({ "statusCode": 400, "error": "Bad Request", "message": refusal });
        assert_eq!(answer.expect_json(400), expected, "{password}");
    }
    let grace = user("Staff", "grace.hopper@example.com", "aB1!aB1!aBB");
    let grace = api.post("/users", &grace).await.expect_json(201);
    let change = async |change: Value| api.patch(&path(&grace), &change).await;
    change(json!({ "password": "short" })).await.expect_api_error(400, "", WEAK);
    // As the user is after the change.
    let to_rear_admiral = json!({ "nickname": "Amazing", "password": "12-aMAZING-34" });
    change(to_rear_admiral).await.expect_api_error(400, "", PERSONAL);
    change(json!({ "user_metadata": { "last": "Murray" } })).await.expect_json(200);
    change(json!({ "password": "12-Murray-345" })).await.expect_api_error(400, "", PERSONAL);
    let refused = change(json!({ "password": "aB1!".repeat(65) })).await;
    refused.expect_api_error(400, "invalid_body", "at most 256 characters");
    // Nothing was changed.
    let browser = server.client();
    let begun = Login::web().with("connection", "Staff").begin(&browser).await;
    let done = log_in(&browser, begun.location(), "grace.hopper@example.com", "aB1!aB1!aBB").await;
    code_of(&done);
    change(json!({ "password": "Cobol-1959-Flow-Matic" })).await.expect_json(200);

    // What is set for another connection is beside the point, and less may be asked for than by default.
    let other = user("Username-Password-Authentication", "grace.hopper@example.com", "12-Grace.Hopper-34");
    api.post("/users", &other).await.expect_json(201);
    let few = user("Staff", "ann@example.com", "xyz");
    api.post("/users", &few).await.expect_api_error(400, "", WEAK);
    api.patch(&at, &json!({ "options": { "passwordPolicy": "none" } })).await.expect_json(200);
    api.post("/users", &few).await.expect_json(201);
    api.patch(&at, &json!({ "options": {} })).await.expect_json(200);
    api.post("/users", &user("Staff", "bob@example.com", "seven77")).await.expect_api_error(400, "", WEAK);
    api.post("/users", &user("Staff", "bob@example.com", "eight888")).await.expect_json(201);
}

#[tokio::test]
async fn a_password_comes_back_only_after_so_many_others() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let history = |size: u32| json!({ "options": { "password_history": { "enable": true, "size": size } } });
    let at = connection(&api, "Staff", &history(2)["options"]).await;
    let ann = api.post("/users", &user("Staff", "ann@example.com", "password one")).await.expect_json(201);
    let set = async |password: &str| api.patch(&path(&ann), &json!({ "password": password })).await;
    // The one that the user has, too.
    set("password one").await.expect_api_error(400, "", USED);
    for password in ["password two", "password three"] {
        set(password).await.expect_json(200);
    }
    for used in ["password one", "password two", "password three"] {
        set(used).await.expect_api_error(400, "", USED);
    }
    set("password four").await.expect_json(200);
    set("password two").await.expect_api_error(400, "", USED);
    set("password one").await.expect_json(200);
    // A refusal changes nothing.
    let browser = server.client();
    let begun = Login::web().with("connection", "Staff").begin(&browser).await;
    assert!(asks_to_log_in(&begun));
    set("password four").await.expect_api_error(400, "", USED);
    code_of(&log_in(&browser, begun.location(), "ann@example.com", "password one").await);

    // A smaller history forgets; without one nothing is kept, so nothing is known when it is on again.
    api.patch(&at, &history(1)).await.expect_json(200);
    set("password three").await.expect_json(200);
    set("password four").await.expect_json(200);
    set("password three").await.expect_api_error(400, "", USED);
    api.patch(&at, &json!({ "options": {} })).await.expect_json(200);
    set("password three").await.expect_json(200);
    api.patch(&at, &history(24)).await.expect_json(200);
    set("password three").await.expect_api_error(400, "", USED);
    set("password four").await.expect_json(200);
    set("password three").await.expect_api_error(400, "", USED);
    // What is kept goes with the user.
    assert_eq!(api.delete(&path(&ann)).await.status, 204);
    api.post("/users", &user("Staff", "ann@example.com", "password four")).await.expect_json(201);
}

#[tokio::test]
async fn of_two_changes_at_once_one_knows_of_the_other() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    connection(&api, "Staff", &json!({ "password_history": { "enable": true, "size": 24 } })).await;
    let ann = api.post("/users", &user("Staff", "ann@example.com", "password zero")).await.expect_json(201);
    let (at, change) = (path(&ann), json!({ "password": "the same password" }));
    let (one, other) = tokio::join!(api.patch(&at, &change), api.patch(&at, &change));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert!([[200, 400], [200, 409]].contains(&statuses), "{one:?} {other:?}");
}

#[tokio::test]
async fn options_about_passwords_are_checked() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let at = connection(&api, "Staff", &json!({})).await;
    for (options, message) in [
        (json!({ "passwordPolicy": "superb" }), "on property options.passwordPolicy."),
        (json!({ "password_complexity_options": { "min_length": 0 } }), "min_length is 1 to 128"),
        (json!({ "password_complexity_options": { "min_length": 129 } }), "min_length is 1 to 128"),
        (
            json!({ "password_complexity_options": { "min_length": "9" } }),
            "password_complexity_options.min_length.",
        ),
        (json!({ "password_history": { "enable": true, "size": 25 } }), "size is 0 to 24"),
        (json!({ "password_history": { "enable": "yes" } }), "options.password_history.enable."),
        (json!({ "password_dictionary": { "enable": true, "dictionary": [1] } }), "dictionary[0]."),
        (
            json!({ "password_dictionary": { "enable": true, "dictionary": vec!["x"; 201] } }),
            "at most 200 entries",
        ),
        (json!({ "password_no_personal_info": true }), "options.password_no_personal_info."),
        (json!({ "password_options": { "complexity": { "min_length": 73 } } }), "min_length is 1 to 72"),
        (
            json!({ "password_options": { "complexity": { "character_types": ["emoji"] } } }),
            "character_types[0].",
        ),
        (
            json!({ "password_options": { "complexity": { "character_type_rule": "three_of_four" } } }),
            "all four character_types",
        ),
        (json!({ "password_options": { "strength": {} } }), "password_options"),
        (
            json!({ "password_options": { "profile_data": { "blocked_fields": vec!["x"; 13] } } }),
            "at most 12 entries",
        ),
    ] {
        let answer = api.patch(&at, &json!({ "options": options })).await;
        answer.expect_api_error(400, "invalid_body", message);
    }
    let all = json!({
        "passwordPolicy": null, "password_complexity_options": null, "password_dictionary": { "enable": false },
        "password_history": { "enable": false, "size": 0 }, "password_no_personal_info": { "enable": false },
        "password_options": {},
    });
    let changed = api.patch(&at, &json!({ "options": all })).await.expect_json(200);
    assert_eq!(changed["options"], all);
}

#[tokio::test]
async fn an_operator_reads_what_a_password_is_short_of() {
    let database = Database::empty();
    let operator = Operator::of(&database);
    operator.run(&["migrate"]).await.expect(0);
    operator.run(&["tenant", "create", "acme"]).await.expect(0);
    let new = json!({ "email": "ann@example.com", "password": "short" }).to_string();
    let refused = operator.run(&["user", "create", &new, "--tenant", "acme"]).await;
    for text in [WEAK, "at least 8 characters"] {
        assert!(refused.expect(1).stderr.contains(text), "{refused:?}");
    }
    let new = json!({ "email": "ann@example.com", "password": seed::PASSWORD }).to_string();
    let made = operator.run(&["user", "create", &new, "--tenant", "acme"]).await.expect(0).json();
    let id = made["user_id"].as_str().unwrap();
    let change = json!({ "password": "seven77" }).to_string();
    let refused = operator.run(&["user", "update", id, &change, "--tenant", "acme"]).await;
    assert!(refused.expect(1).stderr.contains(WEAK), "{refused:?}");
}
