use std::sync::Arc;

use end_to_end::flow::{CHALLENGE, VERIFIER, exchange_native, exchange_web, refresh, text};
use end_to_end::{Login, RawClient, Response, TestServer, race, seed};
use reqwest::Method;
use serde_json::json;

async fn redeem(app: &RawClient, code: &str, change: (&str, Option<&str>)) -> Response {
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("client_id", seed::WEB),
        ("client_secret", seed::WEB_SECRET),
        ("code", code),
        ("redirect_uri", seed::WEB_CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    form.retain(|(name, _)| *name != change.0);
    if let (name, Some(value)) = change {
        form.push((name, value));
    }
    app.post_form("/oauth/token", &form).await
}

// TK2
#[tokio::test]
async fn a_code_lives_for_sixty_seconds() {
    let server = TestServer::start().await;
    for (age, works) in [(59, true), (60, false), (61, false)] {
        let browser = server.client();
        let code = Login::web().code(&browser, seed::ADA).await;
        server.clock.advance_secs(age);
        let answer = exchange_web(&browser, &code).await;
        if works {
            answer.expect(200);
        } else {
            answer.expect_error(403, "invalid_grant");
        }
    }
}

// TK3
#[tokio::test]
async fn a_second_use_of_a_code_fails_and_revokes_what_the_first_issued() {
    let server = TestServer::start().await;
    let browser = server.client();
    let code = Login::native().code(&browser, seed::ADA).await;
    let tokens = exchange_native(&browser, &code).await.expect(200).json();
    let refresh_token = tokens["refresh_token"].as_str().expect("a refresh token");
    // A thief without the verifier cannot end the session of the right client.
    let thief = [("grant_type", "authorization_code"), ("client_id", seed::NATIVE), ("code", &code)];
    browser.post_form("/oauth/token", &thief).await.expect_error(403, "invalid_grant");
    let next = refresh(&browser, seed::NATIVE, refresh_token).await.expect(200).json();
    server.clock.advance_secs(30);
    exchange_native(&browser, &code).await.expect_error(403, "invalid_grant");
    let next = next["refresh_token"].as_str().expect("rotation");
    refresh(&browser, seed::NATIVE, next).await.expect_error(403, "invalid_grant");
}

// TK3
#[tokio::test]
async fn a_second_use_of_a_code_ends_the_access_token_of_the_first_without_a_refresh_token_too() {
    let server = TestServer::start().await;
    let browser = server.client();
    let code = Login::web().code(&browser, seed::ADA).await;
    let tokens = exchange_web(&browser, &code).await.expect(200).json();
    assert!(tokens["refresh_token"].is_null(), "{tokens}");
    let userinfo = async || {
        let request = browser.request(Method::GET, "/userinfo");
        browser.send(request.bearer_auth(text(&tokens, "access_token"))).await
    };
    userinfo().await.expect(200);
    // A replay that is not valid otherwise ends nothing.
    redeem(&browser, &code, ("code_verifier", None)).await.expect_error(403, "invalid_grant");
    userinfo().await.expect(200);
    let other =
        exchange_web(&browser, &Login::web().code_of_session(&browser).await).await.expect(200).json();
    exchange_web(&browser, &code).await.expect_error(403, "invalid_grant");
    userinfo().await.expect_error(401, "invalid_token");
    let request = browser.request(Method::GET, "/userinfo").bearer_auth(text(&other, "access_token"));
    browser.send(request).await.expect(200);
}

// TK3
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_parallel_exchanges_of_a_code_exactly_one_succeeds() {
    let server = TestServer::start().await;
    let browser = Arc::new(server.client());
    Login::native().code(&browser, seed::ADA).await;
    for _ in 0..race::ROUNDS {
        let code = Login::native().code_of_session(&browser).await;
        let answers = race::run(|_| {
            let (browser, code) = (browser.clone(), code.clone());
            async move { exchange_native(&browser, &code).await }
        })
        .await;
        let won: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
        assert_eq!(won.len(), 1);
        for lost in answers.iter().filter(|answer| answer.status != 200) {
            lost.expect_error(403, "invalid_grant");
        }
        // The others were replays: what the winner got has ended.
        let token = text(&won[0].json(), "refresh_token");
        refresh(&browser, seed::NATIVE, &token).await.expect_error(403, "invalid_grant");
    }
}

// TK4 TK5 PK3 PK5
#[tokio::test]
async fn a_code_is_redeemed_only_with_everything_it_is_bound_to() {
    let server = TestServer::start().await;
    let long = "a".repeat(128);
    let too_long = "a".repeat(129);
    for (name, value, status) in [
        ("redirect_uri", None, 403),
        ("redirect_uri", Some("https://web.example/callback"), 403),
        ("redirect_uri", Some("https://WEB.example/callback?kept=1"), 403),
        ("code_verifier", None, 403),
        ("code_verifier", Some(""), 403),
        ("code_verifier", Some(CHALLENGE), 403),
        ("code_verifier", Some(&VERIFIER[..42]), 400),
        ("code_verifier", Some(&long), 403),
        ("code_verifier", Some(&too_long), 400),
        ("code_verifier", Some("dBjftJeZ4CVP mB92K27uhbUJU1p1r wW1gFWFOEjXk"), 400),
        ("code", Some("never-issued"), 403),
    ] {
        let browser = server.client();
        let code = Login::web().code(&browser, seed::ADA).await;
        let answer = redeem(&browser, &code, (name, value)).await;
        assert!([400, 403].contains(&answer.status), "{name}={value:?}: {answer:?}");
        assert!(["invalid_grant", "invalid_request"].contains(&answer.error().as_str()), "{answer:?}");
        if status == 403 {
            answer.expect_error(403, "invalid_grant");
        }
    }
}

// TK4
#[tokio::test]
async fn another_clients_valid_credentials_do_not_redeem_a_code() {
    let server = TestServer::start().await;
    let browser = server.client();
    let code = Login::web().code(&browser, seed::ADA).await;
    for (client, secret) in
        [(seed::COOKIE_WEB, Some(seed::WEB_SECRET)), (seed::NATIVE, None), (seed::SPA, None)]
    {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("client_id", client),
            ("code", &code),
            ("redirect_uri", seed::WEB_CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        form.extend(secret.map(|secret| ("client_secret", secret)));
        browser.post_form("/oauth/token", &form).await.expect_error(403, "invalid_grant");
    }
    exchange_web(&browser, &code).await.expect(200);
}

// PK1 PK2 PK5
#[tokio::test]
async fn a_challenge_is_s256_well_formed_and_required_of_public_clients() {
    let server = TestServer::start().await;
    let browser = server.client();
    let spa = Login::of(seed::SPA, seed::SPA_CALLBACK);
    let confidential = Login::of(seed::BASIC, seed::BASIC_CALLBACK);
    let none = |login: &Login| login.clone().without("code_challenge").without("code_challenge_method");
    for (login, accepted) in [
        (spa.clone(), true),
        (none(&spa), false),
        (none(&confidential), true),
        (spa.clone().with("code_challenge_method", "plain"), false),
        (spa.clone().without("code_challenge_method"), false),
        (spa.clone().with("code_challenge_method", "s256"), false),
        (spa.clone().with("code_challenge", &CHALLENGE[..42]), false),
        (spa.clone().with("code_challenge", &format!("{CHALLENGE}a")), false),
        (spa.clone().with("code_challenge", &format!("{}=", &CHALLENGE[..42])), false),
        (spa.clone().with("code_challenge", &CHALLENGE.replace('-', "+")), false),
    ] {
        let response = login.begin(&browser).await;
        let error = response.location_parameter("error");
        assert_eq!(error.as_deref(), (!accepted).then_some("invalid_request"), "{response:?}");
    }
}

// PK4
#[tokio::test]
async fn a_verifier_without_a_challenge_is_refused() {
    let server = TestServer::start().await;
    let browser = server.client();
    let login = Login::web().without("code_challenge").without("code_challenge_method");
    let code = login.code(&browser, seed::ADA).await;
    redeem(&browser, &code, ("unheard_of", None)).await.expect_error(403, "invalid_grant");
    let code = login.code_of_session(&browser).await;
    redeem(&browser, &code, ("code_verifier", None)).await.expect(200);
}

// TK6
#[tokio::test]
async fn the_token_endpoint_takes_a_form_or_json_by_post_and_nothing_else() {
    let server = TestServer::start().await;
    let app = server.client();
    let get = app.get("/oauth/token?grant_type=client_credentials").await;
    assert!(get.expect(405).header("allow").expect("Allow").contains("POST"));
    let good = json!({
        "grant_type": "client_credentials", "client_id": seed::MACHINE, "client_secret": seed::MACHINE_SECRET,
        "audience": seed::API, "unheard_of": "1",
    });
    app.post_json("/oauth/token", &good).await.expect(200);
    for (content_type, body, status) in [
        ("text/plain", good.to_string(), 415),
        ("multipart/form-data; boundary=x", String::new(), 415),
        ("application/json", "{".to_owned(), 400),
        ("application/json", "[]".to_owned(), 400),
        ("application/json", r#"{"grant_type":["client_credentials"]}"#.to_owned(), 400),
        ("application/json", r#"{"grant_type":1}"#.to_owned(), 400),
        ("application/json", r#"{"grant_type":null}"#.to_owned(), 400),
        ("application/json", r#"{"grant_type":"a","grant_type":"b"}"#.to_owned(), 400),
        ("application/json", "\u{0}".to_owned(), 400),
        ("application/json", "[".repeat(50_000), 400),
        ("application/x-www-form-urlencoded", "grant_type=a&grant_type=a".to_owned(), 400),
        ("application/x-www-form-urlencoded", "%ff=%fe&grant_type=%00".to_owned(), 400),
        ("application/x-www-form-urlencoded", String::new(), 400),
    ] {
        let request =
            app.request(Method::POST, "/oauth/token").header("content-type", content_type).body(body);
        let answer = app.send(request).await;
        assert_eq!(answer.status, status, "{content_type}: {answer:?}");
        answer.error();
    }
    let without_type = app.send(app.request(Method::POST, "/oauth/token").body("grant_type=x")).await;
    without_type.expect(415);
}

// TK6
#[tokio::test]
async fn credentials_in_the_query_are_refused() {
    let server = TestServer::start().await;
    let app = server.client();
    let form = [("grant_type", "client_credentials"), ("client_id", seed::MACHINE), ("audience", seed::API)];
    let in_query = format!("/oauth/token?client_secret={}", seed::MACHINE_SECRET);
    app.post_form(&in_query, &form).await.expect_error(400, "invalid_request");
    app.post_form("/oauth/revoke?token=x", &[("client_id", seed::SPA)])
        .await
        .expect_error(400, "invalid_request");
}

// TK7
#[tokio::test]
async fn a_token_response_says_what_the_token_is_and_for_how_long() {
    let server = TestServer::start().await;
    let browser = server.client();
    let code = Login::web().with("audience", seed::API).code(&browser, seed::ADA).await;
    let answer = exchange_web(&browser, &code).await;
    let tokens = answer.expect(200).json();
    assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("Bearer"), &json!(3600)));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

// TK8
#[tokio::test]
async fn each_mistake_has_its_error() {
    let server = TestServer::start().await;
    let app = server.client();
    for (form, status, error) in [
        (vec![("client_id", seed::SPA)], 400, "invalid_request"),
        (vec![("grant_type", "dance"), ("client_id", seed::SPA)], 400, "unsupported_grant_type"),
        (vec![("grant_type", "password"), ("client_id", seed::SPA)], 403, "unauthorized_client"),
        (vec![("grant_type", "authorization_code")], 400, "invalid_request"),
        (vec![("grant_type", "authorization_code"), ("client_id", "nobody")], 401, "invalid_client"),
        (vec![("grant_type", "authorization_code"), ("client_id", seed::WEB)], 401, "invalid_client"),
        (vec![("grant_type", "authorization_code"), ("client_id", seed::SPA)], 400, "invalid_request"),
        (vec![("grant_type", "refresh_token"), ("client_id", seed::SPA)], 400, "invalid_request"),
        (
            vec![("grant_type", "client_credentials"), ("client_id", seed::SPA), ("audience", seed::API)],
            403,
            "unauthorized_client",
        ),
    ] {
        let answer = app.post_form("/oauth/token", &form).await;
        assert_eq!((answer.status, answer.error().as_str()), (status, error), "{form:?}: {answer:?}");
        assert_eq!(answer.header("www-authenticate"), None, "no challenge, as no header was used");
    }
}
