//! Token introspection (RFC 7662): who may ask about what, and how fast it knows of an end.

use end_to_end::dpop::Prover;
use end_to_end::flow::{
    VERIFIER, arrive_by_query, asks_to_log_in, code_of, exchange_native, exchange_web, refresh, text,
    transfer, transfer_token,
};
use end_to_end::key::Key;
use end_to_end::{Login, RawClient, Response, TestServer, assertion, jwt, seed};
use idp::manage::{self, NewUser};
use idp::{hash_credential, keys};
use model::{
    AssertionAlgorithm, Client, ClientId, Clock, PossessionMechanism, ProofOfPossession, RequiredFor,
    ResourceServer, SessionId, TenantId, TokenDialect, UserId,
};
use reqwest::Method;
use serde_json::{Value, json};

const ENDPOINT: &str = "/oauth/introspect";
const OTHER_API: &str = "https://other-api.acme.example/";
/// The back end of the API, and that of another one.
const BACK_END: &str = "api-back-end";
const OTHER_BACK_END: &str = "other-api-back-end";
const SECRET: &str = "back-end-secret-back-end-secret!";

/// With back ends for two APIs, at both tenants.
async fn start() -> TestServer {
    let server = TestServer::start().await;
    for tenant in [seed::ACME, seed::OTHER].map(TenantId::new) {
        let other = ResourceServer { identifier: OTHER_API.to_owned(), ..seed::api() };
        manage::put_resource_server(&server.idp, &tenant, &other).await.unwrap();
        for (id, api) in [(BACK_END, seed::API), (OTHER_BACK_END, OTHER_API)] {
            manage::put_client(&server.idp, &tenant, &back_end(id, api)).await.unwrap();
        }
    }
    server
}

fn back_end(id: &str, api: &str) -> Client {
    Client {
        client_id: ClientId::new(id),
        client_secret_hashes: vec![hash_credential(SECRET)],
        resource_server_identifier: Some(api.to_owned()),
        ..seed::client(seed::MACHINE)
    }
}

async fn ask_as(app: &RawClient, client_id: &str, secret: &str, token: &str) -> Response {
    app.post_form(ENDPOINT, &[("client_id", client_id), ("client_secret", secret), ("token", token)]).await
}

/// As the back end of the API.
async fn ask(app: &RawClient, token: &str) -> Value {
    let answer = ask_as(app, BACK_END, SECRET, token).await;
    assert_eq!(answer.expect(200).header("cache-control"), Some("no-store"));
    answer.json()
}

async fn is_active(app: &RawClient, token: &str) -> bool {
    let answer = ask(app, token).await;
    if answer["active"] == true {
        return true;
    }
    assert_eq!(answer, json!({ "active": false }));
    false
}

fn for_api(login: Login) -> Login {
    login.with("audience", seed::API).with("scope", "openid email offline_access read:things")
}

/// The tokens of the web client, for the API.
async fn web_tokens(browser: &RawClient, user: &str) -> Value {
    let code = for_api(Login::web()).code(browser, user).await;
    exchange_web(browser, &code).await.expect(200).json()
}

pub(crate) async fn machine_token(server: &TestServer) -> String {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", seed::MACHINE),
        ("client_secret", seed::MACHINE_SECRET),
        ("audience", seed::API),
    ];
    text(&server.client().post_form("/oauth/token", &form).await.expect(200).json(), "access_token")
}

// RS4 JW4
#[tokio::test]
async fn the_back_end_of_an_api_learns_what_the_token_says() {
    let server = start().await;
    let app = server.client();
    let now = server.clock.now().as_secs();
    let issuer = server.issuer(seed::ACME);
    for dialect in [TokenDialect::AccessToken, TokenDialect::Rfc9068Profile] {
        server.change_api(|api| api.token_dialect = dialect).await;
        let tokens = web_tokens(&server.client(), seed::ADA).await;
        let token = text(&tokens, "access_token");
        let mut expected = json!({
            "active": true, "iss": issuer, "aud": [seed::API, format!("{issuer}userinfo")],
            "sub": jwt::claims(&text(&tokens, "id_token"))["sub"], "client_id": seed::WEB,
            "scope": "openid email offline_access read:things", "token_type": "Bearer",
            "iat": now, "exp": now + 3600,
        });
        expected["jti"] = text(&jwt::claims(&token), "jti").into();
        assert_eq!(ask(&app, &token).await, expected);
        let machine = machine_token(&server).await;
        let mut expected = json!({
            "active": true, "iss": issuer, "aud": seed::API, "sub": format!("{}@clients", seed::MACHINE),
            "client_id": seed::MACHINE, "scope": "read:things", "token_type": "Bearer",
            "iat": now, "exp": now + 3600,
        });
        if dialect == TokenDialect::Rfc9068Profile {
            expected["jti"] = jwt::claims(&machine)["jti"].clone();
        }
        assert_eq!(ask(&app, &machine).await, expected);
    }
    // Bound to a key: the API checks the proof itself, and is told the key.
    server
        .change_api(|api| {
            api.proof_of_possession = Some(ProofOfPossession {
                mechanism: PossessionMechanism::Dpop,
                required: false,
                required_for: RequiredFor::AllClients,
            });
        })
        .await;
    let (prover, browser) = (Prover::default(), server.client());
    let code = for_api(Login::native()).code(&browser, seed::ADA).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", seed::NATIVE),
        ("code", &code),
        ("redirect_uri", seed::NATIVE_CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let bound = prover.token(&server, &browser, &form).await.expect(200).json();
    let answer = ask(&app, &text(&bound, "access_token")).await;
    assert_eq!((&answer["token_type"], &answer["cnf"]), (&json!("DPoP"), &json!({ "jkt": prover.jkt() })));
}

// RS4 NW7 TK11
#[tokio::test]
async fn each_token_is_active_for_those_whom_it_concerns_and_for_nobody_else() {
    let server = start().await;
    let (app, browser) = (server.client(), server.client());
    let api = web_tokens(&browser, seed::ADA).await;
    let code = Login::web().with("scope", "openid offline_access").code_of_session(&browser).await;
    let own = exchange_web(&browser, &code).await.expect(200).json();
    let native = exchange_native(&app, &Login::native().code(&app, seed::BOB).await).await.expect(200).json();
    let (transfer_token, native_refresh) = transfer_token(&app, &native).await;
    let unused_code = Login::web().code_of_session(&browser).await;
    // The same, of the other tenant.
    let elsewhere = server.client();
    let begun = for_api(Login::web()).begin_at(&elsewhere, seed::OTHER).await;
    let page = elsewhere.url_of(seed::OTHER, begun.location());
    let foreign_code = code_of(&end_to_end::flow::log_in(&elsewhere, &page, seed::ADA, seed::PASSWORD).await);
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", seed::WEB),
        ("client_secret", seed::WEB_SECRET),
        ("code", &foreign_code),
        ("redirect_uri", seed::WEB_CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let foreign = elsewhere.post_form(&elsewhere.url_of(seed::OTHER, "/oauth/token"), &form).await;
    let foreign = foreign.expect(200).json();

    let nobody: &[&str] = &[];
    let tokens = [
        ("the API's access token", text(&api, "access_token"), &[BACK_END][..]),
        ("a machine's access token", machine_token(&server).await, &[BACK_END]),
        ("its refresh token", text(&api, "refresh_token"), &[seed::WEB]),
        ("its ID token", text(&api, "id_token"), nobody),
        ("an access token for /userinfo", text(&own, "access_token"), &[seed::WEB]),
        ("a refresh token for no API", text(&own, "refresh_token"), &[seed::WEB]),
        ("a public client's access token", text(&native, "access_token"), nobody),
        ("its new refresh token", native_refresh, nobody),
        ("its spent refresh token", text(&native, "refresh_token"), nobody),
        ("a session transfer token", transfer_token, nobody),
        ("a code", unused_code.clone(), nobody),
        ("the other tenant's access token", text(&foreign, "access_token"), nobody),
        ("the other tenant's refresh token", text(&foreign, "refresh_token"), nobody),
        ("a session cookie", browser.cookie("auth0").unwrap(), nobody),
        ("a client's secret", seed::WEB_SECRET.to_owned(), nobody),
        ("nothing like a token", "x".to_owned(), nobody),
    ];
    let callers = [
        (BACK_END, SECRET),
        (OTHER_BACK_END, SECRET),
        (seed::WEB, seed::WEB_SECRET),
        (seed::COOKIE_WEB, seed::WEB_SECRET),
        (seed::MACHINE, seed::MACHINE_SECRET),
    ];
    for (what, token, concerned) in &tokens {
        for (client_id, secret) in callers {
            let case = format!("{client_id} asks about {what}");
            let answer = ask_as(&app, client_id, secret, token).await;
            if concerned.contains(&client_id) {
                assert_eq!(answer.expect(200).json()["active"], true, "{case}");
            } else {
                // RFC 7662 §2.2: no more than that.
                assert_eq!(answer.expect(200).body, r#"{"active":false}"#, "{case}");
            }
        }
    }
    // At the other tenant, the same clients hear of its tokens and of no other's.
    for (what, token, _) in &tokens {
        for (client_id, secret) in callers {
            let form = [("client_id", client_id), ("client_secret", secret), ("token", token)];
            let answer = app.post_form(&app.url_of(seed::OTHER, ENDPOINT), &form).await;
            let concerned = match *what {
                "the other tenant's access token" => client_id == BACK_END,
                "the other tenant's refresh token" => client_id == seed::WEB,
                _ => false,
            };
            assert_eq!(
                answer.expect(200).json()["active"],
                concerned,
                "{client_id} asks elsewhere about {what}"
            );
        }
    }
    // Having asked about a code has not spent it.
    exchange_web(&browser, &unused_code).await.expect(200);
    // A client that becomes the back end of an API asks about nothing else any more.
    server
        .change_client(seed::WEB, |client| client.resource_server_identifier = Some(OTHER_API.to_owned()))
        .await;
    for (_, token, _) in &tokens {
        assert_eq!(ask_as(&app, seed::WEB, seed::WEB_SECRET, token).await.body, r#"{"active":false}"#);
    }
}

// RS4
#[tokio::test]
async fn a_client_learns_of_its_own_refresh_token_and_spends_nothing() {
    let server = start().await;
    let (app, browser) = (server.client(), server.client());
    let now = server.clock.now().as_secs();
    let tokens = web_tokens(&browser, seed::ADA).await;
    let sub = jwt::claims(&text(&tokens, "id_token"))["sub"].clone();
    let first = text(&tokens, "refresh_token");
    let ask = async |token: &str| ask_as(&app, seed::WEB, seed::WEB_SECRET, token).await.expect(200).json();
    let expected = json!({
        "active": true, "iss": server.issuer(seed::ACME), "sub": sub, "client_id": seed::WEB, "aud": seed::API,
        "scope": "openid email offline_access read:things", "iat": now, "exp": now + 1_296_000,
    });
    assert_eq!(ask(&first).await, expected);
    let exchange = async |token: &str| {
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", seed::WEB),
            ("client_secret", seed::WEB_SECRET),
            ("refresh_token", token),
        ];
        app.post_form("/oauth/token", &form).await
    };
    let second = text(&exchange(&first).await.expect(200).json(), "refresh_token");
    // The spent one is not active, and asking about it is no reuse.
    assert_eq!(ask(&first).await, json!({ "active": false }));
    assert_eq!(ask(&second).await["active"], true);
    server.clock.advance_secs(1_296_000 - 1);
    assert_eq!(ask(&second).await["active"], true);
    server.clock.advance_secs(1);
    assert_eq!(ask(&second).await, json!({ "active": false }));
    // An access token for /userinfo.
    let code = Login::web().with("scope", "openid").code(&browser, seed::ADA).await;
    let opaque = text(&exchange_web(&browser, &code).await.expect(200).json(), "access_token");
    let expected = json!({
        "active": true, "iss": server.issuer(seed::ACME), "sub": sub, "client_id": seed::WEB,
        "aud": format!("{}userinfo", server.issuer(seed::ACME)), "scope": "openid", "token_type": "Bearer",
        "exp": server.clock.now().as_secs() + 86_400,
    });
    assert_eq!(ask(&opaque).await, expected);
    browser.get("/v2/logout").await;
    assert_eq!(ask(&opaque).await, json!({ "active": false }));
}

// RS4 RS5 LO5
#[tokio::test]
async fn an_access_token_ends_at_once_with_what_it_came_from() {
    let server = start().await;
    let app = server.client();
    let (idp, acme) = (server.idp.clone(), server.acme());
    // Each event ends the tokens of a login of its own; another user's go on.
    let bystander = text(&web_tokens(&server.client(), seed::BOB).await, "access_token");
    for event in [
        "logout",
        "session deleted",
        "session revoked",
        "refresh token revoked by its client",
        "refresh token used twice",
        "code used twice",
        "access revoked",
        "another user logs in",
        "session idles out",
        "blocked",
        "password changed",
        "user deleted",
    ] {
        let browser = server.client();
        let new = NewUser {
            email: format!("{}@example.com", event.replace(' ', "-")),
            password: seed::PASSWORD.to_owned(),
            ..NewUser::default()
        };
        let user = manage::create_user(&idp, &acme, new).await.unwrap();
        let code = for_api(Login::web()).code(&browser, user.email.as_deref().unwrap()).await;
        let tokens = exchange_web(&browser, &code).await.expect(200).json();
        let token = text(&tokens, "access_token");
        let session = SessionId::new(text(&jwt::claims(&text(&tokens, "id_token")), "sid"));
        let refresh_token = text(&tokens, "refresh_token");
        let exchange = async || {
            let form = [
                ("grant_type", "refresh_token"),
                ("client_id", seed::WEB),
                ("client_secret", seed::WEB_SECRET),
                ("refresh_token", refresh_token.as_str()),
            ];
            browser.post_form("/oauth/token", &form).await
        };
        let mut all = vec![token];
        assert!(is_active(&app, &all[0]).await, "{event}");
        match event {
            "logout" => drop(browser.get("/v2/logout").await),
            "session deleted" => assert!(manage::delete_session(&idp, &acme, &session).await.unwrap().any()),
            "session revoked" => assert!(manage::revoke_session(&idp, &acme, &session).await.unwrap().any()),
            "refresh token revoked by its client" => {
                all.push(text(&exchange().await.expect(200).json(), "access_token"));
                assert!(is_active(&app, &all[1]).await);
                let form = [
                    ("client_id", seed::WEB),
                    ("client_secret", seed::WEB_SECRET),
                    ("token", refresh_token.as_str()),
                ];
                browser.post_form("/oauth/revoke", &form).await.expect(200);
            }
            "refresh token used twice" => {
                all.push(text(&exchange().await.expect(200).json(), "access_token"));
                assert!(is_active(&app, &all[1]).await);
                exchange().await.expect_error(403, "invalid_grant");
            }
            "code used twice" => drop(exchange_web(&browser, &code).await.expect_error(403, "invalid_grant")),
            "access revoked" => {
                assert!(manage::revoke_access(&idp, &acme, &user.user_id, None, false).await.unwrap().any());
            }
            "another user logs in" => {
                Login::web().with("prompt", "login").code(&browser, seed::BOB).await;
            }
            // The API's tokens live for an hour.
            "session idles out" => {
                server.change_api(|api| api.token_lifetime_secs = 100 * 3600).await;
                let code = for_api(Login::web()).code_of_session(&browser).await;
                all.push(text(&exchange_web(&browser, &code).await.expect(200).json(), "access_token"));
                server.clock.advance_secs(72 * 3600 - 1);
                assert!(is_active(&app, &all[1]).await);
                server.clock.advance_secs(1);
            }
            "blocked" => {
                let mut tx = idp.storage.begin(&acme).await.unwrap();
                let stored = tx.user(&user.user_id).await.unwrap().unwrap();
                tx.put_user(&model::User { blocked: true, ..stored }).await.unwrap();
                tx.commit().await.unwrap();
            }
            "password changed" => {
                let password = Some("another long password".to_owned());
                let changes = manage::UserChanges { password, ..Default::default() };
                manage::update_user(&idp, &acme, &user.user_id, changes).await.unwrap();
            }
            "user deleted" => assert!(manage::delete_user(&idp, &acme, &user.user_id).await.unwrap().any()),
            other => panic!("{other}"),
        }
        for token in &all {
            assert!(!is_active(&app, token).await, "{event}");
        }
        if event == "access revoked" {
            assert!(is_active(&app, &bystander).await, "another user's token goes on");
        }
    }
}

// NW4 RS4
#[tokio::test]
async fn revoking_the_native_token_ends_the_access_tokens_of_the_web_session_made_from_it() {
    let server = start().await;
    let (app, browser) = (server.client(), server.client());
    let code = for_api(Login::native()).code(&app, seed::ADA).await;
    let native = exchange_native(&app, &code).await.expect(200).json();
    let handed = transfer(&app, &text(&native, "refresh_token")).await.expect(200).json();
    code_of(&arrive_by_query(&browser, &text(&handed, "access_token")).await);
    let code = for_api(Login::web()).code_of_session(&browser).await;
    let web = exchange_web(&browser, &code).await.expect(200).json();
    let tokens = [text(&native, "access_token"), text(&web, "access_token")];
    for token in &tokens {
        assert!(is_active(&app, token).await);
    }
    let newest = text(&handed, "refresh_token");
    app.post_form("/oauth/revoke", &[("client_id", seed::NATIVE), ("token", &newest)]).await.expect(200);
    for token in &tokens {
        assert!(!is_active(&app, token).await);
    }
    assert!(asks_to_log_in(&Login::web().begin(&browser).await));
    refresh(&app, seed::NATIVE, &newest).await.expect_error(403, "invalid_grant");
}

// RS4
#[tokio::test]
async fn two_logins_in_one_second_have_tokens_that_end_apart() {
    let server = start().await;
    let (app, first, second) = (server.client(), server.client(), server.client());
    let [one, two, again] = [web_tokens(&first, seed::ADA).await, web_tokens(&second, seed::ADA).await, {
        let code = for_api(Login::web()).code_of_session(&second).await;
        exchange_web(&second, &code).await.expect(200).json()
    }]
    .map(|tokens| text(&tokens, "access_token"));
    assert_eq!(jwt::claims(&one)["iat"], jwt::claims(&again)["iat"]);
    first.get("/v2/logout").await;
    assert!(!is_active(&app, &one).await);
    assert!(is_active(&app, &two).await && is_active(&app, &again).await);
}

// RS4 JW12
#[tokio::test]
async fn an_access_token_is_active_to_its_last_second_whatever_key_signs_now() {
    let server = start().await;
    let app = server.client();
    let token = text(&web_tokens(&server.client(), seed::ADA).await, "access_token");
    let machine = machine_token(&server).await;
    keys::rotate(&server.idp, &server.acme()).await.unwrap();
    for (secs, active) in [(0, true), (3599, true), (1, false), (60, false)] {
        server.clock.advance_secs(secs);
        for token in [&token, &machine] {
            assert_eq!(is_active(&app, token).await, active, "{secs} s later");
        }
    }
}

// RS4 JW5 JW6
#[tokio::test]
async fn a_token_that_was_cut_changed_or_made_up_is_not_active() {
    let server = start().await;
    let app = server.client();
    let token = text(&web_tokens(&server.client(), seed::ADA).await, "access_token");
    let (input, signature) = token.rsplit_once('.').unwrap();
    let (header, payload) = input.split_once('.').unwrap();
    let stranger = Key::rsa();
    let claims = jwt::claims(&token);
    let real = jwt::header(&token);
    let with = |header: Value| stranger.sign(&header, &claims);
    let mut bad = vec![
        with(real.clone()),
        with(json!({ "alg": "RS256", "typ": "JWT" })),
        with(json!({ "alg": "RS256", "typ": "JWT", "kid": "../keys" })),
        with(json!({ "alg": "RS256", "typ": "JWT", "kid": real["kid"], "jwk": stranger.jwk() })),
        format!("{input}."),
        input.to_owned(),
        format!("{token}.{signature}"),
        format!("{token}="),
        format!("{token}A"),
        format!(" {token}"),
        format!("{token}\n"),
        format!("..{signature}"),
        ".".repeat(1000),
        "A".repeat(60_000),
        format!("{header}.{}.{signature}", "A".repeat(60_000)),
    ];
    for length in [1, header.len(), header.len() + 1, input.len(), token.len() - 1] {
        bad.push(token[..length].to_owned());
    }
    // One character of each part.
    for at in [2, header.len() + 2, input.len() + 2] {
        let other = if &token[at..=at] == "A" { "B" } else { "A" };
        bad.push(format!("{}{other}{}", &token[..at], &token[at + 1..]));
    }
    for swapped in [json!({ "alg": "none", "typ": "JWT", "kid": real["kid"] }), json!({ "alg": "HS256" })] {
        let forged = with(swapped);
        bad.push(format!("{}.{payload}.", forged.split('.').next().unwrap()));
        bad.push(format!("{}.{payload}.{signature}", forged.split('.').next().unwrap()));
    }
    for token in &bad {
        assert!(!is_active(&app, token).await, "{token}");
    }
    assert!(is_active(&app, &token).await);
    let too_large = ask_as(&app, BACK_END, SECRET, &"A".repeat(70_000)).await;
    assert_eq!(
        too_large.expect(413).json(),
        json!({ "error": "invalid_request", "error_description": "The body is too large" })
    );
}

// RS4
#[tokio::test]
async fn a_token_from_before_the_api_had_a_back_end_is_not_known_to_live() {
    let server = TestServer::start().await;
    let app = server.client();
    let browser = server.client();
    let before = text(&web_tokens(&browser, seed::ADA).await, "access_token");
    manage::put_client(&server.idp, &server.acme(), &back_end(BACK_END, seed::API)).await.unwrap();
    assert!(!is_active(&app, &before).await);
    let code = for_api(Login::web()).code_of_session(&browser).await;
    let after = text(&exchange_web(&browser, &code).await.expect(200).json(), "access_token");
    assert!(is_active(&app, &after).await);
    // A machine's has nothing that could end before it.
    assert!(is_active(&app, &machine_token(&server).await).await);
    let unknown = manage::put_client(&server.idp, &server.acme(), &back_end("x", "https://nowhere/")).await;
    assert_eq!(unknown.unwrap_err().to_string(), "unknown API: https://nowhere/");
}

// RS4 CA4 TK6 TK7
#[tokio::test]
async fn the_request_is_a_post_of_an_authenticated_client_with_one_token() {
    let server = start().await;
    let app = server.client();
    let token = text(&web_tokens(&server.client(), seed::ADA).await, "access_token");
    let who = [("client_id", BACK_END), ("client_secret", SECRET)];
    let answer = app.get_with(ENDPOINT, &[who[0], who[1], ("token", &token)]).await;
    answer.expect(405);
    let missing = app.post_form(ENDPOINT, &who).await;
    missing.expect_error(400, "invalid_request");
    assert_eq!(missing.json()["error_description"], "Missing required parameter: token");
    let twice = app.post_form(ENDPOINT, &[who[0], who[1], ("token", &token), ("token", &token)]).await;
    twice.expect_error(400, "invalid_request");
    let in_url = end_to_end::client::with_query(&app.url(ENDPOINT), &[("token", &token)]);
    app.post_form(&in_url, &who).await.expect_error(400, "invalid_request");
    // The hint makes no difference, however wrong it is.
    for hint in ["access_token", "refresh_token", "nonsense"] {
        let form = [who[0], who[1], ("token", &token), ("token_type_hint", hint)];
        assert_eq!(app.post_form(ENDPOINT, &form).await.expect(200).json()["active"], true);
    }
    let body = json!({ "client_id": BACK_END, "client_secret": SECRET, "token": token });
    assert_eq!(app.post_json(ENDPOINT, &body).await.expect(200).json()["active"], true);
    // Nobody is told anything without authentication, and no page of a browser either.
    for form in [
        vec![("token", token.as_str())],
        vec![("token", &token), who[0]],
        vec![("token", &token), who[0], ("client_secret", "wrong")],
        vec![("token", &token), ("client_id", "nobody"), who[1]],
    ] {
        let answer = app.post_form(ENDPOINT, &form).await;
        assert!([400, 401].contains(&answer.status) && answer.json()["active"].is_null(), "{answer:?}");
    }
    let public = app.post_form(ENDPOINT, &[("token", &token), ("client_id", seed::NATIVE)]).await;
    public.expect_error(403, "unauthorized_client");
    assert_eq!(public.json()["error_description"], "Public clients cannot introspect tokens.");
    let origin = app.request(Method::POST, ENDPOINT).header("origin", "https://web.example").form(&who);
    assert_eq!(app.send(origin).await.header("access-control-allow-origin"), None);
    // With a key.
    let key = Key::ec();
    server.register_key(BACK_END, &key, AssertionAlgorithm::ES256).await;
    let signed = assertion::sign(&server, BACK_END, &key);
    let [one, two] = assertion::form(&signed);
    let answer = app.post_form(ENDPOINT, &[one, two, ("token", &token)]).await;
    assert_eq!(answer.expect(200).json()["active"], true);
    assert_eq!(answer.json()["sub"], json!(UserId::new(text(&jwt::claims(&token), "sub"))));
}
