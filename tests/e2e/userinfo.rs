use end_to_end::flow::{exchange_native, text};
use end_to_end::{Login, TestServer, jwt, seed};
use reqwest::Method;
use serde_json::Value;

async fn tokens(server: &TestServer, scope: &str) -> Value {
    let browser = server.client();
    let code = Login::native().with("scope", scope).code(&browser, seed::ADA).await;
    exchange_native(&browser, &code).await.expect(200).json()
}

// RS1
#[tokio::test]
async fn a_token_is_taken_from_the_header_or_a_form_and_from_one_of_them() {
    let server = TestServer::start().await;
    let app = server.client();
    let token = text(&tokens(&server, "openid").await, "access_token");
    for scheme in ["Bearer", "bearer", "BEARER"] {
        for method in [Method::GET, Method::POST] {
            let request =
                app.request(method, "/userinfo").header("authorization", format!("{scheme} {token}"));
            app.send(request).await.expect(200);
        }
    }
    app.post_form("/userinfo", &[("access_token", &token)]).await.expect(200);
    let both = app.request(Method::POST, "/userinfo").bearer_auth(&token).form(&[("access_token", &token)]);
    app.send(both).await.expect_error(400, "invalid_request");
    app.get(&format!("/userinfo?access_token={token}")).await.expect_error(400, "invalid_request");
}

// RS2
#[tokio::test]
async fn a_refusal_has_a_challenge_that_says_no_more_than_it_may() {
    let server = TestServer::start().await;
    let app = server.client();
    let bare = app.get("/userinfo").await;
    let challenge = bare.expect(401).header("www-authenticate").expect("a challenge");
    assert!(challenge.starts_with("Bearer") && !challenge.contains("error"), "{challenge}");
    for token in ["x", "a.b.c", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0."] {
        let answer = app.send(app.request(Method::GET, "/userinfo").bearer_auth(token)).await;
        let challenge = answer.expect_error(401, "invalid_token").header("www-authenticate").expect("one");
        assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    }
    let tokens = tokens(&server, "profile").await;
    let request = app.request(Method::GET, "/userinfo").bearer_auth(text(&tokens, "access_token"));
    let answer = app.send(request).await;
    assert_eq!(answer.expect(403).error(), "insufficient_scope");
    // Another tenant's token, and tokens that are no access tokens.
    let tokens = self::tokens(&server, "openid offline_access").await;
    for name in ["id_token", "refresh_token"] {
        let request = app.request(Method::GET, "/userinfo").bearer_auth(text(&tokens, name));
        app.send(request).await.expect_error(401, "invalid_token");
    }
    let url = app.url_of(seed::OTHER, "/userinfo");
    let elsewhere = app.request(Method::GET, &url).bearer_auth(text(&tokens, "access_token"));
    app.send(elsewhere).await.expect_error(401, "invalid_token");
}

// RS3 JW2
#[tokio::test]
async fn claims_follow_the_granted_scopes_and_the_user_is_the_one_of_the_id_token() {
    let server = TestServer::start().await;
    let app = server.client();
    for (scope, name, email) in [
        ("openid", false, false),
        ("openid profile", true, false),
        ("openid email", false, true),
        ("openid profile email", true, true),
    ] {
        let tokens = tokens(&server, scope).await;
        let request = app.request(Method::GET, "/userinfo").bearer_auth(text(&tokens, "access_token"));
        let claims = app.send(request).await.expect(200).json();
        let id_token = jwt::claims(&text(&tokens, "id_token"));
        assert_eq!(claims["sub"], id_token["sub"]);
        for claims in [claims, id_token] {
            assert_eq!(
                (claims["name"] == "Ada", claims["email"] == seed::ADA),
                (name, email),
                "{scope}: {claims}"
            );
        }
    }
}

// RS3
#[tokio::test]
async fn a_logout_ends_the_access_to_userinfo() {
    let server = TestServer::start().await;
    let browser = server.client();
    let code = Login::web().code(&browser, seed::ADA).await;
    let tokens = end_to_end::flow::exchange_web(&browser, &code).await.expect(200).json();
    let ask = async || {
        let request = browser.request(Method::GET, "/userinfo").bearer_auth(text(&tokens, "access_token"));
        browser.send(request).await
    };
    ask().await.expect(200);
    browser.get("/v2/logout").await;
    ask().await.expect_error(401, "invalid_token");
}
