//! Native to Web single sign-on, the whole road.

use std::net::Ipv4Addr;
use std::sync::Arc;

use end_to_end::flow::{
    TRANSFER_COOKIE, arrive_by_cookie, arrive_by_query, asks_to_log_in, code_of, exchange_web, native_tokens,
    refresh, text, transfer, transfer_token,
};
use end_to_end::{Login, TestServer, flow, jwt, race, seed};
use idp::{hash_credential, manage};
use model::{Client, DeviceBinding, TokenEndpointAuthMethod};
use reqwest::Method;

// NW1
#[tokio::test]
async fn a_refresh_token_is_traded_for_a_session_transfer_token() {
    let server = TestServer::start().await;
    let app = server.client();
    let tokens = native_tokens(&app, seed::ADA).await;
    let answer = transfer(&app, &text(&tokens, "refresh_token")).await.expect(200).json();
    assert_eq!(answer["issued_token_type"], "urn:auth0:params:oauth:token-type:session_transfer_token");
    assert_eq!((&answer["token_type"], &answer["expires_in"]), (&"N_A".into(), &60.into()));
    assert!(text(&answer, "access_token").len() >= 43, "256 random bits");
    let id_token = jwt::claims(&text(&answer, "id_token"));
    assert_eq!(
        id_token["sub"],
        jwt::claims(&text(&tokens, "id_token"))["sub"],
        "an SDK fails without an ID token"
    );
    assert!(answer["refresh_token"].is_string(), "the client's refresh tokens rotate");
}

// NW1
#[tokio::test]
async fn the_exchange_is_refused_where_it_is_not_allowed() {
    let server = TestServer::start().await;
    let app = server.client();
    let spa = Login::of(seed::SPA, seed::SPA_CALLBACK).with("scope", "openid offline_access");
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", seed::SPA),
        ("code", &spa.code(&app, seed::ADA).await),
        ("redirect_uri", seed::SPA_CALLBACK),
        ("code_verifier", flow::VERIFIER),
    ];
    let spa_tokens = app.post_form("/oauth/token", &form).await.expect(200).json();
    let native = text(&native_tokens(&server.client(), seed::ADA).await, "refresh_token");
    for (client, token, audience) in [
        (seed::SPA, text(&spa_tokens, "refresh_token"), "urn:acme.localhost:session_transfer"),
        (seed::NATIVE, native.clone(), "urn:evil.example:session_transfer"),
        (seed::NATIVE, native.clone(), "urn:other.localhost:session_transfer"),
        (seed::NATIVE, "never-issued".to_owned(), "urn:acme.localhost:session_transfer"),
    ] {
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", client),
            ("refresh_token", &token),
            ("audience", audience),
        ];
        let answer = app.post_form("/oauth/token", &form).await;
        assert!([400, 403].contains(&answer.status), "{client} {audience}: {answer:?}");
        assert!(answer.json()["access_token"].is_null());
    }
    let invalid = transfer(&app, "never-issued").await;
    assert_eq!(
        invalid.expect_error(403, "invalid_grant").json()["error_description"],
        "Unknown or invalid refresh token."
    );
}

// NW3
#[tokio::test]
async fn the_token_logs_a_browser_in_by_cookie_and_by_query() {
    let server = TestServer::start().await;
    let app = server.client();
    let mut tokens = native_tokens(&app, seed::ADA).await;
    let native_sub = jwt::claims(&text(&tokens, "id_token"))["sub"].clone();
    for by_cookie in [true, false] {
        let browser = server.client();
        let (token, next) = transfer_token(&app, &tokens).await;
        tokens["refresh_token"] = next.into();
        let arrived = match by_cookie {
            true => arrive_by_cookie(&browser, &token).await,
            false => arrive_by_query(&browser, &token).await,
        };
        let code = code_of(arrived.expect(302));
        let web = exchange_web(&browser, &code).await.expect(200).json();
        assert_eq!(jwt::claims(&text(&web, "id_token"))["sub"], native_sub);
        assert!(web["refresh_token"].is_null());
        // The browser has a session of its own now, and the cookie is gone.
        assert_eq!(browser.cookie(TRANSFER_COOKIE), None);
        code_of(&Login::web().begin(&browser).await);
    }
}

// NW5
#[tokio::test]
async fn the_token_leaves_the_url_at_the_first_answer() {
    let server = TestServer::start().await;
    let app = server.client();
    let (token, _) = transfer_token(&app, &native_tokens(&app, seed::ADA).await).await;
    for value in [token.as_str(), "canary-that-is-not-valid"] {
        let browser = server.client();
        let arrived = arrive_by_query(&browser, value).await;
        assert!(!arrived.expect(302).location().contains(value), "{arrived:?}");
        assert!(!arrived.body.contains(value));
        if asks_to_log_in(&arrived) {
            assert!(!browser.get(arrived.location()).await.body.contains(value));
        }
    }
}

// NW5
#[tokio::test]
async fn the_cookie_is_expired_whatever_became_of_it() {
    let server = TestServer::start().await;
    for path in ["/authorize?client_id=nobody", "/authorize"] {
        let browser = server.client();
        browser.set_cookie(TRANSFER_COOKIE, "x");
        let answer = browser.get(path).await;
        let cookies = answer.expect_page(400).set_cookies();
        assert!(
            cookies.iter().any(|cookie| cookie.starts_with("auth0_session_transfer_token=; ")),
            "{cookies:?}"
        );
        assert_eq!(browser.cookie(TRANSFER_COOKIE), None);
    }
}

// NW3
#[tokio::test]
async fn each_binding_of_the_token_holds() {
    let server = TestServer::start().await;
    let app = server.client();
    let mut tokens = native_tokens(&app, seed::ADA).await;
    for (age, works) in [(59, true), (60, false)] {
        let (token, next) = transfer_token(&app, &tokens).await;
        tokens["refresh_token"] = next.into();
        server.clock.advance_secs(age);
        let arrived = arrive_by_cookie(&server.client(), &token).await;
        assert_eq!(!asks_to_log_in(&arrived), works, "after {age} s: {arrived:?}");
    }
    let (token, next) = transfer_token(&app, &tokens).await;
    tokens["refresh_token"] = next.into();
    code_of(&arrive_by_cookie(&server.client(), &token).await);
    assert!(asks_to_log_in(&arrive_by_cookie(&server.client(), &token).await), "once");

    let (token, next) = transfer_token(&app, &tokens).await;
    tokens["refresh_token"] = next.into();
    let elsewhere = server.client_from(Ipv4Addr::new(127, 0, 0, 2));
    assert!(asks_to_log_in(&arrive_by_cookie(&elsewhere, &token).await), "another address");
    assert!(asks_to_log_in(&arrive_by_cookie(&server.client(), &token).await), "spent by the attempt");

    let (token, next) = transfer_token(&app, &tokens).await;
    let other =
        Login::web().with("session_transfer_token", &token).begin_at(&server.client(), seed::OTHER).await;
    assert!(asks_to_log_in(&other), "another tenant");
    code_of(&arrive_by_cookie(&server.client(), &token).await);

    let (token, next) = transfer_token(&app, &serde_json::json!({ "refresh_token": next })).await;
    app.post_form("/oauth/revoke", &[("client_id", seed::NATIVE), ("token", &next)]).await.expect(200);
    assert!(
        asks_to_log_in(&arrive_by_cookie(&server.client(), &token).await),
        "its refresh token was revoked"
    );
}

// NW3
#[tokio::test]
async fn without_device_binding_another_address_will_do() {
    let server = TestServer::start().await;
    seed::change_client(&server.idp, seed::WEB, |web| {
        web.session_transfer.as_mut().expect("settings").enforce_device_binding = DeviceBinding::None;
    })
    .await;
    let app = server.client();
    let (token, _) = transfer_token(&app, &native_tokens(&app, seed::ADA).await).await;
    code_of(&arrive_by_cookie(&server.client_from(Ipv4Addr::new(127, 0, 0, 2)), &token).await);
}

// NW3 BR9
#[tokio::test]
async fn a_backend_names_its_users_address_only_when_it_is_trusted_and_has_a_secret() {
    const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;
    const THERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
    let server = TestServer::start().await;
    let native = seed::client(seed::NATIVE);
    let confidential = Client {
        client_secret_hashes: vec![hash_credential(seed::WEB_SECRET)],
        token_endpoint_auth_method: TokenEndpointAuthMethod::ClientSecretPost,
        ..native.clone()
    };
    for (client, trusted, header, bound_to) in [
        (&confidential, true, "127.0.0.2", THERE),
        (&confidential, true, " ::ffff:127.0.0.2", THERE),
        (&confidential, true, "nonsense", HERE),
        (&confidential, false, "127.0.0.2", HERE),
        (&native, true, "127.0.0.2", HERE),
    ] {
        let client = Client { is_token_endpoint_ip_header_trusted: trusted, ..client.clone() };
        manage::put_client(&server.idp, &server.acme(), &client).await.expect("a client");
        let app = server.client();
        let ask = async |form: &[(&str, &str)]| {
            let mut form = [&[("client_id", seed::NATIVE)], form].concat();
            if !client.client_secret_hashes.is_empty() {
                form.push(("client_secret", seed::WEB_SECRET));
            }
            let request = app.request(Method::POST, "/oauth/token").header("auth0-forwarded-for", header);
            app.send(request.form(&form)).await.expect(200).json()
        };
        let code = Login::native().code(&app, seed::ADA).await;
        let tokens = ask(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", seed::NATIVE_CALLBACK),
            ("code_verifier", flow::VERIFIER),
        ])
        .await;
        let transferred = ask(&[
            ("grant_type", "refresh_token"),
            ("refresh_token", &text(&tokens, "refresh_token")),
            ("audience", "urn:acme.localhost:session_transfer"),
        ])
        .await;
        let browser = server.client_from(bound_to);
        let arrived = arrive_by_cookie(&browser, &text(&transferred, "access_token")).await;
        assert!(!asks_to_log_in(&arrived), "{header}, trusted: {trusted}");
        // And only there.
        let again = ask(&[
            ("grant_type", "refresh_token"),
            ("refresh_token", &text(&transferred, "refresh_token")),
            ("audience", "urn:acme.localhost:session_transfer"),
        ])
        .await;
        let elsewhere = server.client_from(if bound_to == HERE { THERE } else { HERE });
        let arrived = arrive_by_cookie(&elsewhere, &text(&again, "access_token")).await;
        assert!(asks_to_log_in(&arrived), "{header}, trusted: {trusted}");
    }
}

// NW3
#[tokio::test]
async fn a_client_accepts_the_token_only_in_its_own_ways() {
    let server = TestServer::start().await;
    let app = server.client();
    let (token, _) = transfer_token(&app, &native_tokens(&app, seed::ADA).await).await;
    let cookie_only = Login::of(seed::COOKIE_WEB, seed::COOKIE_WEB_CALLBACK);
    let by_query = cookie_only.clone().with("session_transfer_token", &token).begin(&server.client()).await;
    assert!(asks_to_log_in(&by_query));
    let none = Login::of(seed::SPA, seed::SPA_CALLBACK).with("session_transfer_token", &token);
    assert!(asks_to_log_in(&none.begin(&server.client()).await));
    let browser = server.client();
    browser.set_cookie(TRANSFER_COOKIE, &token);
    code_of(&cookie_only.begin(&browser).await);
}

// NW4
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_parallel_arrivals_exactly_one_gets_a_session() {
    let server = Arc::new(TestServer::start().await);
    let app = server.client();
    let mut tokens = native_tokens(&app, seed::ADA).await;
    for _ in 0..race::ROUNDS {
        let (token, next) = transfer_token(&app, &tokens).await;
        tokens["refresh_token"] = next.into();
        let arrivals = race::run(|index| {
            let (browser, token) = (server.client(), token.clone());
            async move {
                let arrived = match index % 2 {
                    0 => arrive_by_cookie(&browser, &token).await,
                    _ => arrive_by_query(&browser, &token).await,
                };
                (arrived, browser.cookie("auth0"))
            }
        })
        .await;
        let sessions = arrivals.iter().filter(|(arrived, session)| {
            let in_session = !asks_to_log_in(arrived.expect(302));
            assert_eq!(session.is_some(), in_session, "{arrived:?}");
            in_session
        });
        assert_eq!(sessions.count(), 1);
    }
}

// NW3 NW4
#[tokio::test]
async fn the_token_may_come_both_ways_at_once_but_two_different_ones_may_not() {
    let server = TestServer::start().await;
    let app = server.client();
    let (token, next) = transfer_token(&app, &native_tokens(&app, seed::ADA).await).await;
    let browser = server.client();
    browser.set_cookie(TRANSFER_COOKIE, &token);
    code_of(&arrive_by_query(&browser, &token).await);
    let (token, _) = transfer_token(&app, &serde_json::json!({ "refresh_token": next })).await;
    let browser = server.client();
    browser.set_cookie(TRANSFER_COOKIE, "another");
    assert!(asks_to_log_in(&arrive_by_query(&browser, &token).await));
    assert!(asks_to_log_in(&arrive_by_query(&server.client(), &token).await), "it is spent all the same");
}

// NW6
#[tokio::test]
async fn a_token_of_another_user_ends_the_session_and_logs_nobody_in() {
    let server = TestServer::start().await;
    let app = server.client();
    let victim = server.client();
    Login::web().code(&victim, seed::BOB).await;
    let old_cookie = victim.cookie("auth0").expect("a session");
    let (token, _) = transfer_token(&app, &native_tokens(&app, seed::ADA).await).await;
    assert!(asks_to_log_in(&arrive_by_query(&victim, &token).await));
    assert_eq!(victim.cookie("auth0"), None);
    let thief = server.client();
    thief.set_cookie("auth0", &old_cookie);
    assert!(asks_to_log_in(&Login::web().begin(&thief).await), "the session has ended on the server, too");
}

// NW6
#[tokio::test]
async fn an_invalid_token_forces_a_login_and_leaves_the_session() {
    let server = TestServer::start().await;
    let browser = server.client();
    Login::web().code(&browser, seed::BOB).await;
    assert!(asks_to_log_in(&arrive_by_query(&browser, "invalid").await));
    code_of(&Login::web().begin(&browser).await);
}

// NW3
#[tokio::test]
async fn the_same_users_session_is_kept() {
    let server = TestServer::start().await;
    let app = server.client();
    let browser = server.client();
    let code = Login::web().code(&browser, seed::ADA).await;
    let sid = |tokens: &serde_json::Value| jwt::claims(&text(tokens, "id_token"))["sid"].clone();
    let before = sid(&exchange_web(&browser, &code).await.expect(200).json());
    let (token, _) = transfer_token(&app, &native_tokens(&app, seed::ADA).await).await;
    let code = code_of(&arrive_by_cookie(&browser, &token).await);
    assert_eq!(sid(&exchange_web(&browser, &code).await.expect(200).json()), before);
}

// NW7
#[tokio::test]
async fn the_token_is_accepted_nowhere_else_and_nothing_else_in_its_place() {
    let server = TestServer::start().await;
    let app = server.client();
    let tokens = native_tokens(&app, seed::ADA).await;
    let (token, next) = transfer_token(&app, &tokens).await;
    let userinfo = app.send(app.request(Method::GET, "/userinfo").bearer_auth(&token)).await;
    userinfo.expect_error(401, "invalid_token");
    refresh(&app, seed::NATIVE, &token).await.expect_error(403, "invalid_grant");
    flow::exchange_native(&app, &token).await.expect_error(403, "invalid_grant");
    let browser = server.client();
    browser.set_cookie("auth0", &token);
    assert!(asks_to_log_in(&Login::web().begin(&browser).await));
    for wrong in [next, text(&tokens, "access_token"), text(&tokens, "id_token")] {
        assert!(asks_to_log_in(&arrive_by_query(&server.client(), &wrong).await));
    }
}

// NW8
#[tokio::test]
async fn revoking_the_native_token_ends_the_web_session_and_its_codes_and_tokens() {
    let server = TestServer::start().await;
    let app = server.client();
    let (token, next) = transfer_token(&app, &native_tokens(&app, seed::ADA).await).await;
    let browser = server.client();
    let tokens =
        exchange_web(&browser, &code_of(&arrive_by_cookie(&browser, &token).await)).await.expect(200).json();
    let pending_code = Login::web().code_of_session(&browser).await;
    app.post_form("/oauth/revoke", &[("client_id", seed::NATIVE), ("token", &next)]).await.expect(200);
    assert!(asks_to_log_in(&Login::web().begin(&browser).await));
    exchange_web(&browser, &pending_code).await.expect_error(403, "invalid_grant");
    let request = browser.request(Method::GET, "/userinfo").bearer_auth(text(&tokens, "access_token"));
    browser.send(request).await.expect_error(401, "invalid_token");
}

// NW8 RT3
#[tokio::test]
async fn a_replayed_native_token_takes_the_web_session_along() {
    let server = TestServer::start().await;
    let app = server.client();
    let tokens = native_tokens(&app, seed::ADA).await;
    let (token, _) = transfer_token(&app, &tokens).await;
    let browser = server.client();
    code_of(&arrive_by_cookie(&browser, &token).await);
    refresh(&app, seed::NATIVE, &text(&tokens, "refresh_token")).await.expect_error(403, "invalid_grant");
    assert!(asks_to_log_in(&Login::web().begin(&browser).await));
}

// NW8
#[tokio::test]
async fn refresh_tokens_of_a_transferred_session_end_with_it_and_cannot_be_transferred_again() {
    let server = TestServer::start().await;
    let app = server.client();
    let (token, _) = transfer_token(&app, &native_tokens(&app, seed::ADA).await).await;
    let browser = server.client();
    browser.set_cookie(TRANSFER_COOKIE, &token);
    let login = Login::of(seed::COOKIE_WEB, seed::COOKIE_WEB_CALLBACK).with("scope", "openid offline_access");
    let code = code_of(&login.begin(&browser).await);
    let with_secret = [("client_id", seed::COOKIE_WEB), ("client_secret", seed::WEB_SECRET)];
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", seed::COOKIE_WEB_CALLBACK),
        ("code_verifier", flow::VERIFIER),
    ];
    form.extend(with_secret);
    let tokens = browser.post_form("/oauth/token", &form).await.expect(200).json();
    let use_it = async |token: &str, audience: Option<&str>| {
        let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", token)];
        form.extend(with_secret);
        form.extend(audience.map(|audience| ("audience", audience)));
        browser.post_form("/oauth/token", &form).await
    };
    let token = text(&tokens, "refresh_token");
    let nested = use_it(&token, Some("urn:acme.localhost:session_transfer")).await;
    assert_ne!(nested.status, 200);
    let token = text(&use_it(&token, None).await.expect(200).json(), "refresh_token");
    browser.get("/v2/logout").await;
    use_it(&token, None).await.expect_error(403, "invalid_grant");
}

/// Ten minutes for a session that was transferred, and a look at the token.
const SHORTEN: &str = r"
exports.onExecutePostLogin = async (event, api) => {
  if (!event.session_transfer_token) return;
  console.log(JSON.stringify(event.session_transfer_token));
  api.session.setExpiresAt(Date.now() + 10 * 60 * 1000);
};";

// The reason for all this: an Action shortens what was transferred.
#[tokio::test]
async fn an_action_sees_the_transfer_and_shortens_the_session() {
    let server = TestServer::start().await;
    server.deploy_action("shorten", SHORTEN).await;
    let app = server.client();
    let (token, _) = transfer_token(&app, &native_tokens(&app, seed::ADA).await).await;
    let browser = server.client();
    code_of(&arrive_by_cookie(&browser, &token).await);
    let seen = server.printed().await;
    assert_eq!(seen.len(), 1, "only the redemption has the token in its event: {seen:?}");
    assert_eq!(seen[0]["client_id"], seed::NATIVE);
    assert_eq!(seen[0]["request"]["ip"], "127.0.0.1");
    server.clock.advance_secs(599);
    code_of(&Login::web().begin(&browser).await);
    server.clock.advance_secs(1);
    assert!(asks_to_log_in(&Login::web().begin(&browser).await));
}
