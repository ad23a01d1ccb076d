//! Access tokens in JWT form, in the profile that their API asks for, and what no token is taken for.

use end_to_end::dpop::{Prover, post_with_proof};
use end_to_end::flow::{asks_to_log_in, exchange_web, native_tokens, text, transfer_token};
use end_to_end::key::Key;
use end_to_end::{Login, RawClient, Response, TestServer, assertion, jwt, seed};
use idp::{hash_credential, manage};
use model::{AssertionAlgorithm, Client, ClientId, Clock, TokenDialect};
use reqwest::Method;
use serde_json::{Value, json};

fn for_api(scope: &str) -> Login {
    Login::web().with("audience", seed::API).with("scope", scope)
}

async fn web_tokens(browser: &RawClient, scope: &str) -> Value {
    let code = for_api(scope).code(browser, seed::ADA).await;
    exchange_web(browser, &code).await.expect(200).json()
}

const WEB_REFRESH: [(&str, &str); 3] =
    [("grant_type", "refresh_token"), ("client_id", seed::WEB), ("client_secret", seed::WEB_SECRET)];

const MACHINE: [(&str, &str); 4] = [
    ("grant_type", "client_credentials"),
    ("client_id", seed::MACHINE),
    ("client_secret", seed::MACHINE_SECRET),
    ("audience", seed::API),
];

// JW4 AC5
#[tokio::test]
async fn each_api_gets_access_tokens_of_its_profile() {
    let server = TestServer::start().await;
    let claims = "api.accessToken.setCustomClaim('https://acme.example/plan', 'gold');
        for (const name of ['azp', 'gty', 'jti', 'client_id', 'auth_time', 'typ', 'cnf'])
            api.accessToken.setCustomClaim(name, 'evil');";
    let action = format!("exports.onExecutePostLogin = async (event, api) => {{ {claims} }};");
    server.deploy_action("claims", &action).await;
    let app = server.client();
    let issuer = server.issuer(seed::ACME);
    let scope = "openid offline_access read:things";
    for dialect in [TokenDialect::AccessToken, TokenDialect::Rfc9068Profile] {
        let is_9068 = dialect == TokenDialect::Rfc9068Profile;
        server.change_api(|api| api.token_dialect = dialect).await;
        let browser = server.client();
        let logged_in = server.clock.now().as_secs();
        let tokens = web_tokens(&browser, scope).await;
        let sub = jwt::claims(&text(&tokens, "id_token"))["sub"].clone();
        server.clock.advance_secs(100);
        let now = server.clock.now().as_secs();
        let refresh_token = text(&tokens, "refresh_token");
        let form = [&WEB_REFRESH[..], &[("refresh_token", &refresh_token)]].concat();
        let refreshed = app.post_form("/oauth/token", &form).await.expect(200).json();
        let machine = app.post_form("/oauth/token", &MACHINE).await.expect(200).json();

        let aud = json!([seed::API, format!("{issuer}userinfo")]);
        let plan = "https://acme.example/plan";
        let of_user = |iat: i64| {
            json!({
                "iss": issuer, "sub": sub, "aud": aud, "iat": iat, "exp": iat + 3600, "scope": scope,
                plan: "gold",
            })
        };
        let of_machine = json!({
            "iss": issuer, "sub": format!("{}@clients", seed::MACHINE), "aud": seed::API, "iat": now,
            "exp": now + 3600, "scope": "read:things",
        });
        let mut seen = Vec::new();
        for (answer, mut expected, client, gty, user) in [
            (&tokens, of_user(logged_in), seed::WEB, None, true),
            (&refreshed, of_user(now), seed::WEB, Some("refresh_token"), true),
            (&machine, of_machine, seed::MACHINE, Some("client-credentials"), false),
        ] {
            let token = text(answer, "access_token");
            let claims = jwt::claims(&token);
            let header = jwt::header(&token);
            let typ = if is_9068 { "at+jwt" } else { "JWT" };
            assert_eq!(header, json!({ "alg": "RS256", "kid": header["kid"], "typ": typ }));
            if is_9068 {
                expected["client_id"] = json!(client);
                expected["jti"] = claims["jti"].clone();
                if user {
                    expected["auth_time"] = json!(logged_in);
                }
                seen.push(text(&claims, "jti"));
            } else {
                expected["azp"] = json!(client);
                if let Some(gty) = gty {
                    expected["gty"] = json!(gty);
                }
            }
            assert_eq!(claims, expected);
            assert!(jwt::verifies(&token, &app.get("/.well-known/jwks.json").await.json()));
            // It is good at /userinfo when a user granted openid.
            let shown = app.send(app.request(Method::GET, "/userinfo").bearer_auth(&token)).await;
            match user {
                true => assert_eq!(shown.expect(200).json()["sub"], sub),
                false => drop(shown.expect_error(401, "invalid_token")),
            }
        }
        assert!(seen.iter().all(|jti| jti.len() >= 22), "at least 128 random bits: {seen:?}");
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), if is_9068 { 3 } else { 0 });
    }
    // Without openid there is one audience.
    let token = text(&web_tokens(&server.client(), "read:things").await, "access_token");
    assert_eq!(jwt::claims(&token)["aud"], seed::API);
    let shown = app.send(app.request(Method::GET, "/userinfo").bearer_auth(&token)).await;
    shown.expect_error(401, "invalid_token");
}

/// A place that takes one kind of token, or two.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    Userinfo,
    IntrospectionOfTheApi,
    IntrospectionOfTheClient,
    IdTokenHint,
    RefreshToken,
    Code,
    DeviceCode,
    ClientAssertion,
    DpopProof,
    SessionTransferToken,
    RequestUri,
    ClientSecret,
}

/// Whether the answer is the right one, or else exactly this refusal.
#[track_caller]
fn is_right(answer: &Response, status: u16, error: &str) -> bool {
    if answer.status != 200 {
        answer.expect_error(status, error);
    }
    answer.status == 200
}

/// Whether the place takes the token.
async fn takes(server: &TestServer, app: &RawClient, place: Place, token: &str) -> bool {
    let web = [("client_id", seed::WEB), ("client_secret", seed::WEB_SECRET)];
    let post = async |path: &str, form: &[(&str, &str)]| app.post_form(path, form).await;
    match place {
        Place::Userinfo => {
            let answer = app.send(app.request(Method::GET, "/userinfo").bearer_auth(token)).await;
            is_right(&answer, 401, "invalid_token")
        }
        Place::IntrospectionOfTheApi => {
            let form = [("client_id", "back-end"), web[1], ("token", token)];
            post("/oauth/introspect", &form).await.expect(200).json()["active"] == true
        }
        Place::IntrospectionOfTheClient => {
            let form = [web[0], web[1], ("token", token)];
            post("/oauth/introspect", &form).await.expect(200).json()["active"] == true
        }
        Place::IdTokenHint => {
            let answer = app.get_with("/oidc/logout", &[("id_token_hint", token)]).await;
            answer.status == 200
                || !answer.expect_page(400).body.contains("is not an ID token of this server")
        }
        Place::RefreshToken => {
            let form = [&WEB_REFRESH[..], &[("refresh_token", token)]].concat();
            is_right(&post("/oauth/token", &form).await, 403, "invalid_grant")
        }
        Place::Code => is_right(&exchange_web(app, token).await, 403, "invalid_grant"),
        Place::DeviceCode => {
            let grant = ("grant_type", idp::device::GRANT_TYPE);
            let answer =
                post("/oauth/token", &[grant, ("client_id", seed::TV), ("device_code", token)]).await;
            // Its user has not been asked yet.
            answer.expect(403).error() == "authorization_pending"
        }
        Place::ClientAssertion => {
            let [one, two] = assertion::form(token);
            is_right(&post("/oauth/revoke", &[("token", "x"), one, two]).await, 401, "invalid_client")
        }
        Place::DpopProof => is_right(&post_with_proof(app, token, &MACHINE).await, 400, "invalid_dpop_proof"),
        Place::SessionTransferToken => {
            let login = Login::web().with("session_transfer_token", token);
            !asks_to_log_in(&login.begin(&server.client()).await)
        }
        Place::RequestUri => {
            let uri = format!("urn:ietf:params:oauth:request_uri:{token}");
            let query = [("client_id", seed::WEB), ("request_uri", uri.as_str())];
            let answer = app.get_with("/authorize", &query).await;
            answer.status == 302 || !answer.expect_page(400).body.contains("invalid_request_uri")
        }
        Place::ClientSecret => {
            let form = [web[0], ("client_secret", token), ("token", "x")];
            is_right(&post("/oauth/revoke", &form).await, 401, "invalid_client")
        }
    }
}

// JW5 NW7
#[tokio::test]
async fn no_token_is_taken_for_one_of_another_kind() {
    use Place::*;
    let server = TestServer::start().await;
    let back_end = Client {
        client_id: ClientId::new("back-end"),
        client_secret_hashes: vec![hash_credential(seed::WEB_SECRET)],
        resource_server_identifier: Some(seed::API.to_owned()),
        ..seed::client(seed::WEB)
    };
    manage::put_client(&server.idp, &server.acme(), &back_end).await.unwrap();
    let key = Key::ec();
    server.register_key(seed::BASIC, &key, AssertionAlgorithm::ES256).await;

    let browser = server.client();
    let dialect = web_tokens(&browser, "openid offline_access").await;
    server.change_api(|api| api.token_dialect = TokenDialect::Rfc9068Profile).await;
    let profile = for_api("openid").code_of_session(&browser).await;
    let profile = exchange_web(&browser, &profile).await.expect(200).json();
    let plain = for_api("read:things").code_of_session(&browser).await;
    let plain = exchange_web(&browser, &plain).await.expect(200).json();
    server.change_api(|_| ()).await;
    let own = Login::web().with("scope", "openid").code_of_session(&browser).await;
    let own = exchange_web(&browser, &own).await.expect(200).json();
    let app = server.client();
    let (transfer, _) = transfer_token(&app, &native_tokens(&app, seed::BOB).await).await;
    let device = app.post_form("/oauth/device/code", &[("client_id", seed::TV)]).await.expect(200).json();
    let login = Login::web();
    let push = [&login.pairs()[..], &[("client_secret", seed::WEB_SECRET)]].concat();
    let pushed = text(&app.post_form("/oauth/par", &push).await.expect(201).json(), "request_uri");

    let tokens = [
        ("ID token", text(&dialect, "id_token"), &[IdTokenHint][..]),
        ("access token of the dialect", text(&dialect, "access_token"), &[Userinfo, IntrospectionOfTheApi]),
        ("access token of RFC 9068", text(&profile, "access_token"), &[Userinfo, IntrospectionOfTheApi]),
        ("access token without openid", text(&plain, "access_token"), &[IntrospectionOfTheApi]),
        ("access token for /userinfo", text(&own, "access_token"), &[Userinfo, IntrospectionOfTheClient]),
        ("refresh token", text(&dialect, "refresh_token"), &[IntrospectionOfTheClient, RefreshToken]),
        ("code", Login::web().code_of_session(&browser).await, &[Code]),
        ("device code", text(&device, "device_code"), &[DeviceCode]),
        ("user code", text(&device, "user_code"), &[]),
        ("client assertion", assertion::sign(&server, seed::BASIC, &key), &[ClientAssertion]),
        ("DPoP proof", Prover::default().token_proof(&server), &[DpopProof]),
        ("session transfer token", transfer, &[SessionTransferToken]),
        ("pushed request", pushed.rsplit(':').next().unwrap().to_owned(), &[RequestUri]),
        ("client secret", seed::WEB_SECRET.to_owned(), &[ClientSecret]),
        ("session cookie", browser.cookie("auth0").unwrap(), &[]),
    ];
    let places = [
        Userinfo,
        IntrospectionOfTheApi,
        IntrospectionOfTheClient,
        IdTokenHint,
        RefreshToken,
        Code,
        DeviceCode,
        ClientAssertion,
        DpopProof,
        SessionTransferToken,
        RequestUri,
        ClientSecret,
    ];
    let nobody = server.client();
    for (what, token, right) in &tokens {
        for place in places.iter().filter(|place| !right.contains(place)) {
            assert!(!takes(&server, &nobody, *place, token).await, "a {what} at {place:?}");
        }
    }
    // None of those attempts has spent anything.
    for (what, token, right) in &tokens {
        for place in *right {
            assert!(takes(&server, &nobody, *place, token).await, "a {what} at {place:?}");
        }
    }
}
