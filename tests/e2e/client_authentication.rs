use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use end_to_end::flow::VERIFIER;
use end_to_end::{Login, RawClient, Response, TestServer, seed};
use reqwest::Method;

fn basic(id: &str, secret: &str) -> String {
    let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", STANDARD.encode(format!("{}:{}", encode(id), encode(secret))))
}

async fn with_header(app: &RawClient, authorization: &str, form: &[(&str, &str)]) -> Response {
    let request = app.request(Method::POST, "/oauth/token").header("authorization", authorization).form(form);
    app.send(request).await
}

// CA1
#[tokio::test]
async fn a_client_authenticates_with_basic_and_an_encoded_secret() {
    let server = TestServer::start().await;
    let browser = server.client();
    let code = Login::of(seed::BASIC, seed::BASIC_CALLBACK).code(&browser, seed::ADA).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", seed::BASIC_CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    with_header(&browser, &basic(seed::BASIC, seed::BASIC_SECRET), &form).await.expect(200);
}

// CA1 TK8
#[tokio::test]
async fn only_the_registered_method_alone_is_accepted() {
    let server = TestServer::start().await;
    let app = server.client();
    let form = [("grant_type", "refresh_token"), ("refresh_token", "x")];
    for authorization in [
        basic(seed::BASIC, "wrong"),
        basic("nobody", seed::BASIC_SECRET),
        // Registered for the body.
        basic(seed::WEB, seed::WEB_SECRET),
        // Has no secret.
        basic(seed::SPA, "x"),
    ] {
        let answer = with_header(&app, &authorization, &form).await;
        answer.expect_error(401, "invalid_client");
        assert!(answer.header("www-authenticate").expect("a challenge").starts_with("Basic "));
    }
    for malformed in ["Basic !!!", "Basic", "Basic Zm9v", "Bearer x", "Digest username=x"] {
        let answer = with_header(&app, malformed, &form).await;
        assert!([400, 401].contains(&answer.status), "{malformed}: {answer:?}");
    }
    let both = [("client_id", seed::BASIC), ("client_secret", seed::BASIC_SECRET), form[0], form[1]];
    with_header(&app, &basic(seed::BASIC, seed::BASIC_SECRET), &both)
        .await
        .expect_error(400, "invalid_request");
    // In the body, though registered for the header.
    app.post_form("/oauth/token", &both).await.expect_error(401, "invalid_client");
}

// CA5
#[tokio::test]
async fn an_unknown_client_and_a_wrong_secret_get_the_same_answer() {
    let server = TestServer::start().await;
    let app = server.client();
    let ask = async |id: &str, secret: &str| {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", id),
            ("client_secret", secret),
            ("audience", seed::API),
        ];
        let answer = app.post_form("/oauth/token", &form).await;
        answer.expect_error(401, "invalid_client");
        digest(&SHA256, answer.body.as_bytes()).as_ref().to_vec()
    };
    assert_eq!(ask(seed::MACHINE, "wrong").await, ask("nobody", "wrong").await);
}

// CA4
#[tokio::test]
async fn revocation_authenticates_like_the_token_endpoint() {
    let server = TestServer::start().await;
    let app = server.client();
    for form in [
        vec![("token", "x"), ("client_id", "nobody")],
        vec![("token", "x"), ("client_id", seed::WEB)],
        vec![("token", "x"), ("client_id", seed::WEB), ("client_secret", "wrong")],
    ] {
        app.post_form("/oauth/revoke", &form).await.expect_error(401, "invalid_client");
    }
    app.post_form("/oauth/revoke", &[("token", "x")]).await.expect_error(400, "invalid_request");
    let right = [("token", "x"), ("client_id", seed::WEB), ("client_secret", seed::WEB_SECRET)];
    app.post_form("/oauth/revoke", &right).await.expect(200);
}
