use end_to_end::flow::{asks_to_log_in, exchange_web, text};
use end_to_end::{Login, RawClient, TestServer, seed};

async fn logged_in(server: &TestServer) -> (RawClient, String) {
    let browser = server.client();
    let code = Login::web().code(&browser, seed::ADA).await;
    let tokens = exchange_web(&browser, &code).await.expect(200).json();
    (browser, text(&tokens, "id_token"))
}

async fn is_logged_in(browser: &RawClient) -> bool {
    !asks_to_log_in(&Login::web().begin(browser).await)
}

// LO1
#[tokio::test]
async fn a_client_with_an_id_token_logs_out_and_gets_the_browser_back() {
    let server = TestServer::start().await;
    for by_post in [false, true] {
        let (browser, id_token) = logged_in(&server).await;
        // An expired hint is as good as any.
        server.clock.advance_secs(11 * 3600);
        let parameters = [
            ("id_token_hint", id_token.as_str()),
            ("post_logout_redirect_uri", seed::LOGOUT_URL),
            ("state", "s t\u{e9}"),
        ];
        let answer = match by_post {
            true => browser.post_form("/oidc/logout", &parameters).await,
            false => browser.get_with("/oidc/logout", &parameters).await,
        };
        assert_eq!(answer.status, if by_post { 303 } else { 302 });
        assert!(answer.location().starts_with(seed::LOGOUT_URL), "{answer:?}");
        assert_eq!(answer.location_parameter("state").as_deref(), Some("s t\u{e9}"));
        assert!(!is_logged_in(&browser).await);
    }
}

// LO1 LO2
#[tokio::test]
async fn a_bad_hint_or_address_leads_nowhere() {
    let server = TestServer::start().await;
    let (browser, id_token) = logged_in(&server).await;
    let forged = format!("{}A.{}", &id_token[..20], &id_token[20..]);
    let evil = "https://evil.example/";
    let changed = format!("{}x", seed::LOGOUT_URL);
    let cases: Vec<Vec<(&str, &str)>> = vec![
        vec![("id_token_hint", &forged), ("post_logout_redirect_uri", seed::LOGOUT_URL)],
        vec![("id_token_hint", &id_token), ("post_logout_redirect_uri", evil)],
        vec![("id_token_hint", &id_token), ("post_logout_redirect_uri", &changed)],
        vec![("id_token_hint", &id_token), ("client_id", seed::SPA)],
        vec![("id_token_hint", &id_token), ("logout_hint", "another-session")],
        vec![("client_id", "nobody"), ("post_logout_redirect_uri", seed::LOGOUT_URL)],
        vec![("post_logout_redirect_uri", evil)],
    ];
    for case in cases {
        let answer = browser.get_with("/oidc/logout", &case).await;
        assert_eq!(answer.header("location"), None, "{case:?}: {answer:?}");
        assert!(is_logged_in(&browser).await, "{case:?}");
    }
}

// LO1 BR2
#[tokio::test]
async fn without_a_hint_the_user_is_asked_and_only_our_own_form_counts() {
    let server = TestServer::start().await;
    let (browser, _) = logged_in(&server).await;
    let parameters = [("client_id", seed::WEB), ("post_logout_redirect_uri", seed::LOGOUT_URL)];
    let asked = browser.get_with("/oidc/logout", &parameters).await;
    let csrf = asked.expect(200).field("csrf");
    assert!(is_logged_in(&browser).await);
    for wrong in ["", "wrong"] {
        let mut form = parameters.to_vec();
        form.push(("csrf", wrong));
        let answer = browser.post_form("/oidc/logout", &form).await;
        assert_eq!(answer.header("location"), None);
        assert!(is_logged_in(&browser).await);
    }
    let mut form = parameters.to_vec();
    form.push(("csrf", &csrf));
    let elsewhere =
        browser.request(reqwest::Method::POST, "/oidc/logout").header("sec-fetch-site", "cross-site");
    browser.send(elsewhere.form(&form)).await.expect_page(403);
    assert!(is_logged_in(&browser).await);
    let done = browser.post_form("/oidc/logout", &form).await;
    assert!(done.expect(303).location().starts_with(seed::LOGOUT_URL));
    assert!(!is_logged_in(&browser).await);
}

// LO2
#[tokio::test]
async fn v2_logout_returns_to_listed_addresses_only() {
    let server = TestServer::start().await;
    for (parameters, location) in [
        (vec![], None),
        (vec![("returnTo", seed::TENANT_LOGOUT_URL)], Some(seed::TENANT_LOGOUT_URL)),
        (vec![("client_id", seed::WEB), ("returnTo", seed::LOGOUT_URL)], Some(seed::LOGOUT_URL)),
        (vec![("client_id", seed::WEB)], Some(seed::LOGOUT_URL)),
        (vec![("client_id", seed::WEB), ("returnTo", seed::TENANT_LOGOUT_URL)], None),
        (vec![("returnTo", seed::LOGOUT_URL)], None),
        (vec![("returnTo", "https://evil.example/")], None),
        (vec![("returnTo", "https://acme.example/bye/../evil")], None),
        (vec![("returnTo", "https://acme.example/BYE")], None),
        (vec![("returnTo", "https://acme.example@evil.example/bye")], None),
        (vec![("returnTo", "https://acme.example.evil.example/bye")], None),
        (vec![("returnTo", "//evil.example/bye")], None),
        (vec![("returnTo", "javascript:alert(1)")], None),
        (vec![("returnTo", "https://acme.example/bye\r\nSet-Cookie: a=b")], None),
        (vec![("client_id", "nobody"), ("returnTo", seed::TENANT_LOGOUT_URL)], None),
    ] {
        let (browser, _) = logged_in(&server).await;
        let answer = browser.get_with("/v2/logout", &parameters).await;
        assert_eq!(answer.header("location"), location, "{parameters:?}");
    }
    let (browser, _) = logged_in(&server).await;
    browser.get("/v2/logout").await;
    assert!(!is_logged_in(&browser).await);
}

// AZ4
#[tokio::test]
async fn a_repeated_parameter_is_an_error_at_logout_as_well() {
    let server = TestServer::start().await;
    let browser = server.client();
    for path in ["/v2/logout", "/oidc/logout"] {
        browser.get_with(path, &[("client_id", seed::WEB), ("client_id", seed::WEB)]).await.expect_page(400);
    }
}
