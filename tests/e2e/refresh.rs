use std::sync::Arc;

use end_to_end::flow::{native_tokens, refresh, text};
use end_to_end::{Login, RawClient, Response, TestServer, flow, jwt, race, seed};
use idp::manage;
use model::{Client, ExpirationType, RefreshTokenPolicy, ResourceServer, RotationType};

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

/// The tokens of a native login for the API, and a form that refreshes them for another.
async fn refresh_for(app: &RawClient, token: &str, audience: &str, scope: &str) -> Response {
    let mut form = vec![
        ("grant_type", "refresh_token"),
        ("client_id", seed::NATIVE),
        ("refresh_token", token),
        ("audience", audience),
    ];
    form.extend(Some(("scope", scope)).filter(|(_, scope)| !scope.is_empty()));
    app.post_form("/oauth/token", &form).await
}

// RT7
#[tokio::test]
async fn policies_of_the_client_open_further_apis_to_a_refresh_token() {
    const BILLING: &str = "https://billing.acme.example/";
    let server = TestServer::start().await;
    let billing = ResourceServer {
        identifier: BILLING.to_owned(),
        scopes: vec!["read:bills".into(), "pay:bills".into()],
        ..seed::api()
    };
    manage::put_resource_server(&server.idp, &server.acme(), &billing).await.unwrap();
    let policy = |audience: &str, scope: &[&str]| RefreshTokenPolicy {
        audience: audience.to_owned(),
        scope: scope.iter().map(|scope| (*scope).to_owned()).collect(),
    };
    server
        .change_client(seed::NATIVE, |client| {
            client.refresh_token.policies =
                vec![policy(BILLING, &["read:bills", "no:such"]), policy(seed::API, &["write:things"])];
        })
        .await;
    let app = server.client();
    let login =
        Login::native().with("audience", seed::API).with("scope", "openid offline_access read:things");
    let code = login.code(&app, seed::ADA).await;
    let mut token = text(&flow::exchange_native(&app, &code).await.expect(200).json(), "refresh_token");
    for (audience, asked, aud, granted) in [
        (BILLING, "", BILLING, "openid offline_access read:bills"),
        (BILLING, "openid read:bills pay:bills read:things", BILLING, "openid read:bills"),
        (seed::API, "", seed::API, "openid offline_access read:things write:things"),
        // What neither the user nor a policy named is passed over.
        ("https://unknown.example/", "", seed::API, "openid offline_access read:things"),
    ] {
        let answer = refresh_for(&app, &token, audience, asked).await.expect(200).json();
        let claims = jwt::claims(&text(&answer, "access_token"));
        assert_eq!(claims["aud"][0], aud, "{claims}");
        assert_eq!(
            (&claims["scope"], &answer["scope"]),
            (&granted.into(), &granted.into()),
            "{audience} {asked}"
        );
        token = text(&answer, "refresh_token");
    }
    let refused = refresh_for(&app, &token, BILLING, "pay:bills").await;
    refused.expect_error(400, "invalid_scope");
    // Without policies, another API is a mistake that the client should learn of.
    server.change_client(seed::NATIVE, |_| {}).await;
    refresh_for(&app, &token, BILLING, "").await.expect_error(400, "invalid_request");
}

// RT2 RT8
#[tokio::test]
async fn a_token_follows_the_settings_of_the_moment() {
    const YEAR: i64 = 365 * 86_400;
    let server = TestServer::start().await;
    let without_end = |client: &mut Client| {
        client.refresh_token.rotation_type = RotationType::NonRotating;
        client.refresh_token.expiration_type = ExpirationType::NonExpiring;
    };
    server.change_client(seed::NATIVE, without_end).await;
    let app = server.client();
    let token = text(&native_tokens(&app, seed::ADA).await, "refresh_token");
    let sibling = text(&native_tokens(&server.client(), seed::ADA).await, "refresh_token");
    server.clock.advance_secs(3 * YEAR);
    for token in [&token, &token, &sibling] {
        let answer = refresh(&app, seed::NATIVE, token).await.expect(200).json();
        assert!(answer.get("refresh_token").is_none(), "{answer}");
    }

    // Rotation is turned on: the first token to be used rotates from now on, and its siblings are gone.
    server.change_client(seed::NATIVE, |_| {}).await;
    let answer = refresh(&app, seed::NATIVE, &token).await.expect(200).json();
    let second = text(&answer, "refresh_token");
    refresh(&app, seed::NATIVE, &sibling).await.expect_error(403, "invalid_grant");
    let third = text(&refresh(&app, seed::NATIVE, &second).await.expect(200).json(), "refresh_token");

    // And off again: the rotated secret is exchanged for one that stays. The end that it got meanwhile stays as well.
    server.change_client(seed::NATIVE, without_end).await;
    let fourth = text(&refresh(&app, seed::NATIVE, &third).await.expect(200).json(), "refresh_token");
    for _ in 0..2 {
        let answer = refresh(&app, seed::NATIVE, &fourth).await.expect(200).json();
        assert!(answer.get("refresh_token").is_none(), "{answer}");
    }
    server.clock.advance_secs(31 * 86_400);
    refresh(&app, seed::NATIVE, &fourth).await.expect_error(403, "invalid_grant");
}
