//! Credentials stay where they belong: not in the log, not in the database.

use std::io;
use std::sync::{Arc, Mutex};

use end_to_end::flow::{arrive_by_query, code_of, exchange_web, log_in, refresh, text, transfer_token};
use end_to_end::key::Key;
use end_to_end::{Login, TestServer, assertion, flow, seed};
use model::AssertionAlgorithm;
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("the log").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

// OP2 TK1 NW5
#[tokio::test]
async fn no_credential_reaches_the_log_or_the_database() {
    let log = Captured::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_writer(log.clone());
    // This test's runtime has one thread, so that all of its server's lines come here.
    let _guard = tracing::subscriber::set_default(subscriber.finish());

    let server = TestServer::start().await;
    let (app, browser) = (server.client(), server.client());
    let begun = Login::native().begin(&app).await;
    let handle = begun.location_parameter("state").expect("a handle");
    let csrf = app.get(begun.location()).await.field("csrf");
    log_in(&app, begun.location(), seed::ADA, "canary-wrong-password").await.expect(400);
    let native_code = code_of(&log_in(&app, begun.location(), seed::ADA, seed::PASSWORD).await);
    let tokens = flow::exchange_native(&app, &native_code).await.expect(200).json();
    let (transfer, refresh_token) = transfer_token(&app, &tokens).await;
    let code = code_of(&arrive_by_query(&browser, &transfer).await);
    let web = exchange_web(&browser, &code).await.expect(200).json();
    refresh(&app, seed::NATIVE, &refresh_token).await.expect(200);
    arrive_by_query(&browser, "canary-refused-transfer-token").await;

    let key = Key::ec();
    server.register_key(seed::MACHINE, &key, AssertionAlgorithm::ES256).await;
    let assertion = assertion::sign(&server, seed::MACHINE, &key);
    for _ in ["right", "replayed"] {
        app.post_form("/oauth/revoke", &[&assertion::form(&assertion)[..], &[("token", "x")]].concat()).await;
    }
    // An API with a back end that introspects: its access tokens are stored.
    server
        .change_client(seed::COOKIE_WEB, |client| client.resource_server_identifier = Some(seed::API.into()))
        .await;
    let stored = Login::web().with("audience", seed::API).code_of_session(&browser).await;
    let stored = text(&exchange_web(&browser, &stored).await.expect(200).json(), "access_token");
    let form = [("client_id", seed::COOKIE_WEB), ("client_secret", seed::WEB_SECRET), ("token", &stored)];
    assert_eq!(app.post_form("/oauth/introspect", &form).await.expect(200).json()["active"], true);

    let mut secrets = vec![
        ("client assertion", assertion),
        ("introspected access token", stored),
        ("handle", handle),
        ("csrf", csrf),
        ("right password", seed::PASSWORD.to_owned()),
        ("wrong password", "canary-wrong-password".to_owned()),
        ("native code", native_code),
        ("web code", code),
        ("first refresh token", text(&tokens, "refresh_token")),
        ("second refresh token", refresh_token),
        ("session transfer token", transfer),
        ("refused session transfer token", "canary-refused-transfer-token".to_owned()),
        ("client secret", seed::WEB_SECRET.to_owned()),
        ("session cookie", browser.cookie("auth0").expect("a session")),
        ("browser cookie", app.cookie("postern_login").expect("a binding")),
    ];
    for (name, tokens) in [("native", &tokens), ("web", &web)] {
        secrets.push((name, text(tokens, "access_token")));
        secrets.push((name, text(tokens, "id_token")));
    }
    let log = String::from_utf8_lossy(&log.0.lock().expect("the log")).into_owned();
    assert!(log.contains("/authorize"), "the log was captured: {log}");
    let database = server.database.bytes();
    for (name, secret) in secrets {
        assert!(!log.contains(&secret), "the {name} is in the log");
        let found = database.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "the {name} is in the database");
    }
}
