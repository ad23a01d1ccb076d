//! Clients of third parties in the mode `strict`: they have what a client grant gives them, theirs or the default, and what
//! their requests do wrong stays on a page of the server.

use end_to_end::flow::{code_of, exchange_web, text};
use end_to_end::management::Api;
use end_to_end::{Login, RawClient, Response, TestServer, seed};
use reqwest::Method;
use serde_json::{Value, json};

const SCOPE: &str = "openid offline_access read:things write:things";

/// The web client is somebody else's from now on.
async fn strict() -> (TestServer, Api) {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let changed = api.patch(&web(), &json!({ "is_first_party": false })).await.expect_json(200);
    assert_eq!(changed["third_party_security_mode"], "strict");
    (server, api)
}

fn web() -> String {
    format!("/clients/{}", seed::WEB)
}

fn login() -> Login {
    Login::web().with("scope", SCOPE).with("audience", seed::API)
}

/// A grant for users of the API; its path.
async fn grant(api: &Api, whose: Value, scope: &[&str]) -> String {
    let mut sent = json!({ "audience": seed::API, "subject_type": "user", "scope": scope });
    sent.as_object_mut().unwrap().extend(whose.as_object().unwrap().clone());
    let made = api.post("/client-grants", &sent).await.expect_json(201);
    assert_eq!(
        (made.get("client_id"), made.get("default_for")),
        (sent.get("client_id"), sent.get("default_for"))
    );
    let path = format!("/client-grants/{}", text(&made, "id"));
    assert_eq!(api.get(&path).await.expect_json(200), made);
    path
}

fn for_all() -> Value {
    json!({ "default_for": "third_party_clients" })
}

/// Logs in and agrees; what the client has then.
async fn tokens(browser: &RawClient) -> Value {
    let asked = login().finish(browser, seed::ADA).await;
    let page = asked.location().to_owned();
    assert!(page.starts_with("/u/consent?state="), "{asked:?}");
    let csrf = browser.get(&page).await.expect(200).field("csrf");
    let done = browser.post_form(&page, &[("csrf", &csrf), ("decision", "accept")]).await;
    exchange_web(browser, &code_of(done.expect(303))).await.expect(200).json()
}

/// The error is on a page, and the browser is sent nowhere.
#[track_caller]
fn kept_here(response: &Response, status: u16, code: &str) {
    assert_eq!(response.status, status, "{response:?}");
    assert_eq!(response.header("location"), None, "{response:?}");
    assert!(response.body.contains("<h1>") && response.body.contains(code), "{response:?}");
}

#[tokio::test]
async fn a_strict_client_has_of_an_api_what_its_own_grant_gives_or_else_the_default_one() {
    let (server, api) = strict().await;
    let browser = server.client();
    kept_here(&login().begin(&browser).await, 403, "access_denied");

    let default = grant(&api, for_all(), &["read:things"]).await;
    let by_default = tokens(&browser).await;
    assert_eq!(by_default["scope"], "openid offline_access read:things");

    // Its own takes precedence.
    let own = grant(&api, json!({ "client_id": seed::WEB }), &["write:things"]).await;
    let by_its_own = tokens(&server.client()).await;
    assert_eq!(by_its_own["scope"], "openid offline_access write:things");
    let token = text(&by_default, "refresh_token");
    let refreshed = refresh_web(&browser, &token).await.expect(200).json();
    assert_eq!(
        refreshed["scope"], "openid offline_access",
        "what the login had and the grant has not is gone"
    );

    // What is taken away counts at the next request.
    for path in [&own, &default] {
        api.delete(path).await.expect(204);
    }
    let token = text(&refreshed, "refresh_token");
    refresh_web(&browser, &token).await.expect_error(403, "access_denied");
    kept_here(&login().begin(&browser).await, 403, "access_denied");
}

async fn refresh_web(app: &RawClient, token: &str) -> Response {
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", seed::WEB),
        ("client_secret", seed::WEB_SECRET),
        ("refresh_token", token),
    ];
    app.post_form("/oauth/token", &form).await
}

#[tokio::test]
async fn a_default_grant_is_for_third_parties_alone() {
    let (server, api) = strict().await;
    server
        .change_api(|api| {
            api.subject_type_authorization.user.policy = model::UserAuthorizationPolicy::RequireClientGrant;
        })
        .await;
    grant(&api, for_all(), &["read:things"]).await;
    let native = Login::native().with("scope", SCOPE).with("audience", seed::API);
    let refused = native.begin(&server.client()).await;
    assert!(refused.location().contains("error=access_denied"), "{refused:?}");
    assert_eq!(tokens(&server.client()).await["scope"], "openid offline_access read:things");

    let all = api.get("/client-grants?default_for=third_party_clients").await.expect_json(200);
    assert_eq!((all.as_array().unwrap().len(), &all[0]["default_for"]), (1, &for_all()["default_for"]));
    let mut again = for_all();
    again
        .as_object_mut()
        .unwrap()
        .extend([("audience".to_owned(), json!(seed::API)), ("subject_type".to_owned(), json!("user"))]);
    api.post("/client-grants", &again).await.expect_api_error(409, "", "default grant");
    let management =
        json!({ "default_for": "third_party_clients", "audience": server.issuer(seed::ACME) + "api/v2/" });
    let refused = api.post("/client-grants", &management).await;
    refused.expect_api_error(400, "invalid_body", "Management API");
}

#[tokio::test]
async fn a_strict_machine_has_tokens_by_the_default_grant_and_never_for_the_management_api() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let management = server.issuer(seed::ACME) + "api/v2/";
    api.post("/resource-servers", &json!({ "identifier": "urn:open", "scopes": [{ "value": "a" }] }))
        .await
        .expect_json(201);
    let own = json!({ "client_id": seed::MACHINE, "audience": management, "scope": ["read:clients"] });
    let own = text(&api.post("/client-grants", &own).await.expect_json(201), "id");
    let token = async |audience: &str| {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", seed::MACHINE),
            ("client_secret", seed::MACHINE_SECRET),
            ("audience", audience),
        ];
        server.client().post_form("/oauth/token", &form).await
    };
    let before = text(&token(&management).await.expect(200).json(), "access_token");
    let read = async |token: &str| {
        let app = server.client();
        app.send(app.request(Method::GET, "/api/v2/clients").bearer_auth(token)).await
    };
    read(&before).await.expect(200);

    let path = format!("/clients/{}", seed::MACHINE);
    api.patch(&path, &json!({ "is_first_party": false })).await.expect_json(200);
    // What it has is worth nothing from now on, and it gets no more.
    read(&before).await.expect(401);
    token(&management).await.expect_error(403, "unauthorized_client");
    let again = json!({ "scope": ["read:users"] });
    let refused = api.patch(&format!("/client-grants/{own}"), &again).await;
    refused.expect_api_error(400, "invalid_body", "no access to the Management API");

    token("urn:open").await.expect_error(403, "unauthorized_client");
    let default =
        json!({ "default_for": "third_party_clients", "audience": "urn:open", "allow_all_scopes": true });
    api.post("/client-grants", &default).await.expect_json(201);
    assert_eq!(token("urn:open").await.expect(200).json()["scope"], "a");
}

// AZ13
#[tokio::test]
async fn a_strict_client_must_use_pkce_and_hears_of_errors_only_where_it_may() {
    let (server, api) = strict().await;
    grant(&api, for_all(), &["read:things"]).await;
    let browser = server.client();
    let without = Login::web().without("code_challenge").without("code_challenge_method");
    let silent = login().with("prompt", "none");
    kept_here(&without.begin(&browser).await, 400, "invalid_request");
    kept_here(&silent.begin(&browser).await, 400, "login_required");
    for mode in ["form_post", "fragment"] {
        kept_here(
            &login().with("prompt", "none").with("response_mode", mode).begin(&browser).await,
            400,
            "login_required",
        );
    }
    // The user declines: the session is not made, and the client does not hear of it.
    let page = login().finish(&browser, seed::ADA).await.location().to_owned();
    let csrf = browser.get(&page).await.expect(200).field("csrf");
    let declined = browser.post_form(&page, &[("csrf", &csrf), ("decision", "decline")]).await;
    kept_here(&declined, 403, "User did not authorize the request");

    let changed = api.patch(&web(), &json!({ "redirection_policy": "allow_always" })).await.expect_json(200);
    assert_eq!(changed["redirection_policy"], "allow_always");
    for (login, error) in [(without, "invalid_request"), (silent, "login_required")] {
        let answer = login.begin(&browser).await;
        assert!(answer.location().contains(&format!("error={error}")), "{answer:?}");
    }
}

#[tokio::test]
async fn the_mode_is_set_once_and_strict_has_its_rules() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let sent = json!({ "name": "Theirs", "app_type": "regular_web", "is_first_party": false });
    let made = api.post("/clients", &sent).await.expect_json(201);
    assert_eq!(made["third_party_security_mode"], "strict");
    assert_eq!(made["grant_types"], json!(["authorization_code", "refresh_token", "client_credentials"]));
    assert_eq!(made["refresh_token"]["expiration_type"], "expiring");
    let path = format!("/clients/{}", text(&made, "client_id"));
    for (sent, message) in [
        (json!({ "third_party_security_mode": "permissive" }), "does not change"),
        (json!({ "grant_types": ["implicit"] }), "grant_types of a third party's client"),
        (json!({ "refresh_token": { "expiration_type": "non-expiring" } }), "refresh tokens"),
        (json!({ "refresh_token": { "infinite_idle_token_lifetime": true } }), "refresh tokens"),
        (json!({ "session_transfer": { "can_create_session_transfer_token": true } }), "session_transfer"),
        (json!({ "allowed_origins": ["https://*.a.example"] }), "allowed_origins"),
    ] {
        api.patch(&path, &sent).await.expect_api_error(400, "invalid_body", message);
    }
    // One of ours that is to be theirs must fit, or say that it is permissive.
    let ours = format!("/clients/{}", seed::NATIVE);
    let theirs = api.patch(&ours, &json!({ "is_first_party": false })).await;
    theirs.expect_api_error(400, "invalid_body", "third party's client");
    let permissive = json!({ "is_first_party": false, "third_party_security_mode": "permissive" });
    api.patch(&ours, &permissive).await.expect_json(200);
    let back = json!({ "third_party_security_mode": "strict" });
    api.patch(&ours, &back).await.expect_api_error(400, "invalid_body", "does not change");
}
