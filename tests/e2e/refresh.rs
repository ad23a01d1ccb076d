use std::sync::Arc;

use end_to_end::flow::{native_tokens, refresh, text};
use end_to_end::{Login, TestServer, flow, jwt, race, seed};

const UNKNOWN: &str = "Unknown or invalid refresh token.";

// RT1
#[tokio::test]
async fn a_refresh_token_works_for_its_client_alone() {
    let server = TestServer::start().await;
    let browser = server.client();
    let token = text(&native_tokens(&browser, seed::ADA).await, "refresh_token");
    let answer = refresh(&browser, seed::SPA, &token).await;
    answer.expect_error(403, "invalid_grant");
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", seed::WEB),
        ("client_secret", seed::WEB_SECRET),
        ("refresh_token", &token),
    ];
    browser.post_form("/oauth/token", &form).await.expect_error(403, "invalid_grant");
    refresh(&browser, seed::NATIVE, &token).await.expect(200);
}

// RT2 RT10
#[tokio::test]
async fn each_use_gives_a_new_token() {
    let server = TestServer::start().await;
    let browser = server.client();
    let mut tokens = native_tokens(&browser, seed::ADA).await;
    let first = jwt::claims(&text(&tokens, "id_token"));
    let mut seen = vec![text(&tokens, "refresh_token")];
    for _ in 0..30 {
        server.clock.advance_secs(1);
        tokens = refresh(&browser, seed::NATIVE, seen.last().expect("one")).await.expect(200).json();
        let next = text(&tokens, "refresh_token");
        assert!(!seen.contains(&next));
        seen.push(next);
    }
    let last = jwt::claims(&text(&tokens, "id_token"));
    for name in ["iss", "sub", "aud"] {
        assert_eq!(first[name], last[name], "{name}");
    }
    assert_ne!(first["iat"], last["iat"]);
}

// RT3
#[tokio::test]
async fn a_spent_token_revokes_the_whole_family() {
    let server = TestServer::start().await;
    let browser = server.client();
    let first = text(&native_tokens(&browser, seed::ADA).await, "refresh_token");
    let second = text(&refresh(&browser, seed::NATIVE, &first).await.expect(200).json(), "refresh_token");
    let third = text(&refresh(&browser, seed::NATIVE, &second).await.expect(200).json(), "refresh_token");
    let replay = refresh(&browser, seed::NATIVE, &first).await;
    replay.expect_error(403, "invalid_grant");
    assert_eq!(replay.json()["error_description"], UNKNOWN);
    refresh(&browser, seed::NATIVE, &third).await.expect_error(403, "invalid_grant");
    assert!(server.log_codes().await.contains(&"ferrt".to_owned()));
}

// RT5
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_parallel_uses_exactly_one_succeeds() {
    let server = TestServer::start().await;
    let browser = Arc::new(server.client());
    Login::native().code(&browser, seed::ADA).await;
    for _ in 0..race::ROUNDS {
        let code = Login::native().code_of_session(&browser).await;
        let tokens = flow::exchange_native(&browser, &code).await.expect(200).json();
        let token = text(&tokens, "refresh_token");
        let answers = race::run(|_| {
            let (browser, token) = (browser.clone(), token.clone());
            async move { refresh(&browser, seed::NATIVE, &token).await }
        })
        .await;
        let won: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
        assert_eq!(won.len(), 1);
        for lost in answers.iter().filter(|answer| answer.status != 200) {
            lost.expect_error(403, "invalid_grant");
        }
        // The others were replays: the family has ended, for the winner as well.
        let next = text(&won[0].json(), "refresh_token");
        refresh(&browser, seed::NATIVE, &next).await.expect_error(403, "invalid_grant");
    }
}

// RT8
#[tokio::test]
async fn idle_and_absolute_lifetimes_end_a_token() {
    const DAY: i64 = 86_400;
    let server = TestServer::start().await;
    let browser = server.client();
    let idle = text(&native_tokens(&browser, seed::ADA).await, "refresh_token");
    server.clock.advance_secs(15 * DAY);
    refresh(&browser, seed::NATIVE, &idle).await.expect_error(403, "invalid_grant");

    let browser = server.client();
    let mut token = text(&native_tokens(&browser, seed::ADA).await, "refresh_token");
    for _ in 0..2 {
        server.clock.advance_secs(14 * DAY);
        token = text(&refresh(&browser, seed::NATIVE, &token).await.expect(200).json(), "refresh_token");
    }
    server.clock.advance_secs(2 * DAY);
    refresh(&browser, seed::NATIVE, &token).await.expect_error(403, "invalid_grant");
}

// RT7
#[tokio::test]
async fn scope_and_audience_cannot_grow() {
    let server = TestServer::start().await;
    let browser = server.client();
    let login =
        Login::native().with("audience", seed::API).with("scope", "openid offline_access read:things");
    let code = login.code(&browser, seed::ADA).await;
    let tokens = flow::exchange_native(&browser, &code).await.expect(200).json();
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", seed::NATIVE),
        ("refresh_token", tokens["refresh_token"].as_str().expect("one")),
        ("scope", "openid read:things write:things"),
    ];
    let answer = browser.post_form("/oauth/token", &form).await;
    if answer.status == 200 {
        let claims = jwt::claims(&text(&answer.json(), "access_token"));
        assert!(!claims["scope"].as_str().expect("scope").contains("write:things"), "{claims}");
    } else {
        answer.expect_error(400, "invalid_scope");
    }
}

// RT9 RS5
#[tokio::test]
async fn a_revoked_token_is_dead_and_revocation_tells_nothing() {
    let server = TestServer::start().await;
    let browser = server.client();
    let token = text(&native_tokens(&browser, seed::ADA).await, "refresh_token");
    let revoke = async |client: &str, token: &str| {
        browser.post_form("/oauth/revoke", &[("client_id", client), ("token", token)]).await
    };
    // Not by another client.
    revoke(seed::SPA, &token).await;
    let token = text(&refresh(&browser, seed::NATIVE, &token).await.expect(200).json(), "refresh_token");
    for token in ["never-issued", &token, &token] {
        let answer = revoke(seed::NATIVE, token).await;
        assert_eq!(answer.expect(200).body, "");
    }
    let answer = refresh(&browser, seed::NATIVE, &token).await;
    answer.expect_error(403, "invalid_grant");
    assert_eq!(answer.json()["error_description"], UNKNOWN, "SDKs compare this text");
}

// RT11
#[tokio::test]
async fn a_token_has_no_slack_in_its_format() {
    let server = TestServer::start().await;
    let browser = server.client();
    let token = text(&native_tokens(&browser, seed::ADA).await, "refresh_token");
    let cut = &token[..token.len() - 1];
    for wrong in
        [cut, &format!("{token}A"), &format!("{token}="), &format!(" {token}"), &token.to_uppercase()]
    {
        refresh(&browser, seed::NATIVE, wrong).await.expect_error(403, "invalid_grant");
    }
    refresh(&browser, seed::NATIVE, &token).await.expect(200);
}
