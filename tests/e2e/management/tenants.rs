use end_to_end::flow::Login;
use end_to_end::management::Api;
use end_to_end::{TestServer, seed};
use serde_json::json;

#[tokio::test]
async fn settings_are_sent_in_part_come_back_and_count_for_the_next_login() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let before = api.get("/tenants/settings").await.expect_json(200);
    assert!(before["flags"].is_object() && before["session_lifetime"] == 168, "{before}");
    let sent = json!({
        "friendly_name": "Acme & Sons", "session_lifetime_in_minutes": 181, "idle_session_lifetime_in_minutes": 60,
        "picture_url": "https://acme.example/logo.png", "support_email": "help@acme.example",
        "enabled_locales": ["de", "en"], "flags": { "enable_sso": true, "enable_pipeline2": false },
        "error_page": { "html": "<h1>Oh</h1>", "show_log_link": false, "url": "https://acme.example/error" },
        "device_flow": { "charset": "digits", "mask": "***-***" }, "sandbox_version": "22",
        "acr_values_supported": ["urn:a"], "mtls": { "enable_endpoint_aliases": false },
        "default_redirection_uri": "https://acme.example/", "resource_parameter_profile": "audience",
    });
    let changed = api.patch("/tenants/settings", &sent).await.expect_json(200);
    for (name, value) in sent.as_object().unwrap() {
        if name.ends_with("_in_minutes") {
            assert!(changed[name].is_null(), "{name} is for writing");
        } else if name == "flags" {
            assert_eq!(
                (&changed["flags"]["enable_sso"], &changed["flags"]["enable_pipeline2"]),
                (&json!(true), &json!(false))
            );
        } else {
            assert_eq!(changed[name], *value, "{name}");
        }
    }
    assert_eq!(
        (&changed["session_lifetime"], &changed["idle_session_lifetime"]),
        (&json!(181.0 / 60.0), &json!(1))
    );
    assert_eq!(api.get("/tenants/settings").await.expect_json(200), changed);
    let triggers = api.get("/actions/triggers").await.expect_json(200);
    let runtimes = triggers["triggers"][0]["runtimes"].as_array().unwrap().iter();
    let versions: Vec<_> = runtimes.filter_map(|name| name.as_str().unwrap().strip_prefix("node")).collect();
    assert_eq!(changed["sandbox_versions_available"], json!(versions));
    assert!(versions.contains(&changed["sandbox_version"].as_str().unwrap()), "{versions:?}");
    // A tool that sends back what it has read changes nothing.
    assert_eq!(api.patch("/tenants/settings", &changed).await.expect_json(200), changed);
    let some = api.get("/tenants/settings?fields=flags,friendly_name").await.expect_json(200);
    assert_eq!(some.as_object().unwrap().len(), 2, "{some}");

    // The next login is in a session of the new lifetime, on a page with the new name.
    let browser = server.client();
    let page = Login::web().begin(&browser).await;
    let page = browser.get(page.location()).await;
    assert!(page.body.contains("Acme &#38; Sons") || page.body.contains("Acme &amp; Sons"), "{page:?}");
    Login::web().code(&browser, seed::ADA).await;
    let sessions = server
        .idp
        .storage
        .begin_read(&server.acme())
        .await
        .unwrap()
        .sessions_of(&server.user_id(seed::ADA).await, None, 10, idp_now(&server))
        .await
        .unwrap();
    let session = &sessions[0];
    assert_eq!(session.expires_at.ms_since(session.created_at), 181 * 60 * 1000);

    api.patch("/tenants/settings", &json!({
        "pushed_authorization_requests_supported": true, "flags": { "require_pushed_authorization_requests": true },
    })).await.expect_json(200);
    let refused = Login::web().begin(&browser).await;
    assert_eq!(refused.location_parameter("error").as_deref(), Some("invalid_request"), "{refused:?}");
    let reset = json!({ "support_email": null, "flags": { "require_pushed_authorization_requests": null } });
    let reset = api.patch("/tenants/settings", &reset).await.expect_json(200);
    assert!(reset["support_email"].is_null(), "{reset}");
    assert_eq!(reset["flags"]["enable_sso"], true);
}

fn idp_now(server: &TestServer) -> model::Timestamp {
    server.idp.now()
}

#[tokio::test]
async fn bad_settings_are_refused() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let before = api.get("/tenants/settings").await.expect_json(200);
    for (sent, message) in [
        (json!({ "x": 1 }), "Payload validation error: 'Additional properties not allowed: x'."),
        (json!({ "flags": { "x": true } }), "not allowed: x' on property flags."),
        (json!({ "flags": null, "sandbox_versions": [] }), "not allowed: sandbox_versions'"),
        (json!({ "session_lifetime": 1, "session_lifetime_in_minutes": 60 }), "cannot be sent together"),
        (json!({ "session_lifetime": "24" }), "on property session_lifetime."),
        (json!({ "idle_session_lifetime_in_minutes": 0 }), "at least a minute"),
        (json!({ "session_cookie": { "mode": "forever" } }), "unknown variant"),
        (json!({ "default_directory": "Nowhere" }), "there is no connection Nowhere"),
        (json!({ "mtls": { "enable_endpoint_aliases": 1 } }), "on property mtls.enable_endpoint_aliases."),
        (json!({ "allowed_logout_urls": ["/bye"] }), "is not an absolute URI"),
    ] {
        api.patch("/tenants/settings", &sent).await.expect_api_error(400, "invalid_body", message);
    }
    assert_eq!(api.get("/tenants/settings").await.expect_json(200), before);
}
