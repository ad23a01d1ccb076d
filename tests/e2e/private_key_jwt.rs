//! Clients that authenticate with a signed assertion (RFC 7523 §2.2, OpenID Connect Core §9).

use std::net::Ipv4Addr;
use std::sync::Arc;

use end_to_end::assertion::{claims, form, header, sign};
use end_to_end::key::Key;
use end_to_end::{RawClient, Response, TestServer, assertion, race, seed};
use idp::hash_credential;
use idp::manage::{NewCredential, add_client_credential, put_client};
use model::{AssertionAlgorithm, Client, ClientId, Clock, TokenEndpointAuthMethod};
use serde_json::json;

/// From addresses of their own, so that no limit on failures is met.
pub(crate) fn from(server: &TestServer, index: usize) -> RawClient {
    let [high, low] = u16::try_from(index).unwrap().to_be_bytes();
    server.client_from(Ipv4Addr::new(127, 1, high, low))
}

/// `client_credentials` for the API, with nothing but the assertion to say who asks.
pub(crate) async fn ask(app: &RawClient, assertion: &str) -> Response {
    let [one, two] = form(assertion);
    let body = [("grant_type", "client_credentials"), ("audience", seed::API), one, two];
    app.post_form("/oauth/token", &body).await
}

/// The one answer to all that is wrong with an assertion.
#[track_caller]
pub(crate) fn expect_refused(answer: &Response) {
    answer.expect(401);
    let body = json!({ "error": "invalid_client", "error_description": "Client authentication failed" });
    assert_eq!(answer.json(), body, "{answer:?}");
    assert_eq!(answer.header("www-authenticate"), None, "{answer:?}");
}

/// Names its client beside the assertion, so that the reason for the refusal is found in that client's log.
pub(crate) async fn expect_reason(server: &TestServer, app: &RawClient, assertion: &str, why: &str) {
    let [one, two] = form(assertion);
    let named = [("grant_type", "client_credentials"), ("client_id", seed::MACHINE), one, two];
    expect_refused(&app.post_form("/oauth/token", &named).await);
    assert_eq!(reason(server).await, why, "{assertion}");
}

/// What the tenant's people find in the log.
async fn reason(server: &TestServer) -> String {
    let entry = server.logs().await.remove(0);
    assert_eq!((entry.code.as_str(), entry.client_id), ("w", Some(ClientId::new(seed::MACHINE))));
    let text = entry.description.strip_prefix("A client assertion was refused: it ").unwrap().to_owned();
    text.strip_suffix('.').unwrap().to_owned()
}

pub(crate) async fn with_key() -> (TestServer, Key) {
    let (server, key) = (TestServer::start().await, Key::ec());
    server.register_key(seed::MACHINE, &key, AssertionAlgorithm::ES256).await;
    (server, key)
}

// CA1 CA3
#[tokio::test]
async fn a_registered_key_stands_in_for_the_secret_with_each_algorithm() {
    let server = TestServer::start().await;
    let app = server.client();
    let (rsa, ec) = (Key::rsa(), Key::ec());
    for (key, alg, name) in [
        (&rsa, AssertionAlgorithm::RS256, "RS256"),
        (&rsa, AssertionAlgorithm::RS384, "RS384"),
        (&rsa, AssertionAlgorithm::PS256, "PS256"),
        (&ec, AssertionAlgorithm::ES256, "ES256"),
    ] {
        server.change_client(seed::MACHINE, |_| ()).await;
        let credential = server.register_key(seed::MACHINE, key, alg).await;
        for header in [
            json!({ "alg": name }),
            json!({ "alg": name, "typ": "JWT", "kid": credential.kid }),
            json!({ "alg": name, "typ": "jwt", "x5t": "ignored" }),
            json!({ "alg": name, "typ": "client-authentication+jwt" }),
        ] {
            let answer = ask(&app, &key.sign(&header, &claims(&server, seed::MACHINE))).await;
            assert_eq!(answer.expect(200).json()["scope"], "read:things", "{header}");
        }
        // The other algorithms of the same key are not registered.
        for other in ["RS256", "RS384", "PS256"].into_iter().filter(|other| *other != name) {
            let assertion = rsa.sign(&json!({ "alg": other }), &claims(&server, seed::MACHINE));
            expect_refused(&ask(&app, &assertion).await);
            assert_eq!(reason(&server).await, "is not signed with a key of the client that is valid now");
        }
    }
    // In JSON, with the client named; and with the issuer in a list.
    let mut listed = claims(&server, seed::MACHINE);
    listed["aud"] = json!([server.issuer("acme")]);
    let body = json!({
        "grant_type": "client_credentials", "audience": seed::API, "client_id": seed::MACHINE,
        "client_assertion_type": assertion::TYPE, "client_assertion": ec.sign(&header(&ec), &listed),
    });
    app.post_json("/oauth/token", &body).await.expect(200);
    // The secret is none any more.
    let secret = [
        ("grant_type", "client_credentials"),
        ("client_id", seed::MACHINE),
        ("client_secret", seed::MACHINE_SECRET),
        ("audience", seed::API),
    ];
    app.post_form("/oauth/token", &secret).await.expect_error(401, "invalid_client");
    app.post_form("/oauth/token", &secret[..2]).await.expect_error(401, "invalid_client");
}

// CA3 CA4
#[tokio::test]
async fn an_assertion_works_once_wherever_it_was_used() {
    let (server, key) = with_key().await;
    let app = server.client();
    let assertion = sign(&server, seed::MACHINE, &key);
    let [one, two] = form(&assertion);
    app.post_form("/oauth/revoke", &[("token", "x"), one, two]).await.expect(200);
    expect_refused(&ask(&app, &assertion).await);
    assert_eq!(reason(&server).await, "was used before");
    expect_refused(&app.post_form("/oauth/introspect", &[("token", "x"), one, two]).await);
    // The id is spent, not the text.
    let mut again = claims(&server, seed::MACHINE);
    ask(&app, &key.sign(&header(&key), &again)).await.expect(200);
    again["exp"] = json!(again["exp"].as_i64().unwrap() + 1);
    expect_refused(&ask(&app, &key.sign(&header(&key), &again)).await);
    // It is this client's, at this tenant.
    server.register_key(seed::WEB, &key, AssertionAlgorithm::ES256).await;
    for name in ["iss", "sub"] {
        again[name] = json!(seed::WEB);
    }
    let others = key.sign(&header(&key), &again);
    let [one, two] = form(&others);
    app.post_form("/oauth/revoke", &[("token", "x"), one, two]).await.expect(200);
    let new = NewCredential {
        name: String::new(),
        pem: key.pem(),
        alg: AssertionAlgorithm::ES256,
        expires_at: None,
    };
    let (other, machine) = (model::TenantId::new(seed::OTHER), ClientId::new(seed::MACHINE));
    add_client_credential(&server.idp, &other, &machine, new).await.unwrap();
    for name in ["iss", "sub"] {
        again[name] = json!(seed::MACHINE);
    }
    again["aud"] = json!(server.issuer(seed::OTHER));
    let elsewhere = key.sign(&header(&key), &again);
    let [one, two] = form(&elsewhere);
    let url = app.url_of(seed::OTHER, "/oauth/revoke");
    app.post_form(&url, &[("token", "x"), one, two]).await.expect(200);
}

// CA3
#[tokio::test]
async fn of_64_parallel_uses_of_an_assertion_one_succeeds() {
    let (server, key) = with_key().await;
    let apps: Vec<_> = (0..64).map(|index| Arc::new(from(&server, index))).collect();
    for _ in 0..race::ROUNDS / 4 {
        let assertion = sign(&server, seed::MACHINE, &key);
        let answers = race::run(|index| {
            let (app, assertion) = (apps[index].clone(), assertion.clone());
            async move { ask(&app, &assertion).await }
        })
        .await;
        let (right, wrong): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
        assert_eq!((right.len(), wrong.len()), (1, 63));
        for answer in wrong {
            expect_refused(answer);
        }
        server.clock.advance_secs(60);
    }
}

// CA3 JW12
#[tokio::test]
async fn clocks_may_be_a_minute_apart_and_an_assertion_lives_for_minutes() {
    let (server, key) = with_key().await;
    let app = server.client();
    for (name, offset, works) in [
        ("exp", -59, true),
        ("exp", -60, false),
        ("exp", -61, false),
        ("exp", 360, true),
        ("exp", 361, false),
        ("iat", 59, true),
        ("iat", 60, true),
        ("iat", 61, false),
        ("iat", -100_000, true),
        ("nbf", 60, true),
        ("nbf", 61, false),
    ] {
        let mut claims = claims(&server, seed::MACHINE);
        claims[name] = json!(server.clock.now().as_secs() + offset);
        let answer = ask(&app, &key.sign(&header(&key), &claims)).await;
        match works {
            true => drop(answer.expect(200)),
            false => expect_refused(&answer),
        }
    }
    // At the last moment of its life it is a replay still, and then it is too old.
    let assertion = sign(&server, seed::MACHINE, &key);
    ask(&app, &assertion).await.expect(200);
    for (secs, why) in [(119, "was used before"), (1, "has expired")] {
        server.clock.advance_secs(secs);
        expect_reason(&server, &app, &assertion, why).await;
    }
}

// CA1 TK6
#[tokio::test]
async fn one_method_at_a_time_and_all_of_it() {
    const ONE: &str = "Only one method of client authentication may be used";
    const TOGETHER: &str = "client_assertion and client_assertion_type must be sent together";
    let (server, key) = with_key().await;
    let app = server.client();
    let assertion = sign(&server, seed::MACHINE, &key);
    let [kind, signed] = form(&assertion);
    let secret = ("client_secret", "x");
    let saml = ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer");
    let basic = Some("Basic bWFjaGluZS1hcHA6eA==");
    for (fields, authorization, status, error, description) in [
        (vec![kind, signed, secret], None, 400, "invalid_request", ONE),
        (vec![kind, signed], basic, 400, "invalid_request", ONE),
        (vec![kind, signed], Some("Bearer x"), 400, "invalid_request", ONE),
        (vec![secret, ("client_id", seed::MACHINE)], basic, 400, "invalid_request", ONE),
        (vec![signed], None, 400, "invalid_request", TOGETHER),
        (vec![kind], None, 400, "invalid_request", TOGETHER),
        (vec![kind, ("client_assertion", "")], None, 400, "invalid_request", TOGETHER),
        (vec![signed, secret], basic, 400, "invalid_request", TOGETHER),
        (vec![saml, signed], None, 401, "invalid_client", "Unsupported client_assertion_type"),
        (
            vec![kind, signed, kind],
            None,
            400,
            "invalid_request",
            "Parameter given more than once: client_assertion_type",
        ),
    ] {
        let mut form = vec![("grant_type", "client_credentials"), ("audience", seed::API)];
        form.extend(fields);
        let mut request = app.request(reqwest::Method::POST, "/oauth/token").form(&form);
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let answer = app.send(request).await;
        answer.expect(status);
        let body = json!({ "error": error, "error_description": description });
        assert_eq!(answer.json(), body, "{form:?} {authorization:?}");
    }
    // In the URL it is refused, and none of these has spent it.
    let in_url = end_to_end::client::with_query(&app.url("/oauth/token"), &[signed]);
    let answer = app.post_form(&in_url, &[("grant_type", "client_credentials"), kind]).await;
    assert_eq!(
        answer.expect_error(400, "invalid_request").json()["error_description"],
        "client_assertion must be in the body, not in the URL"
    );
    // A client that is named must be the one of the assertion, even where both have one key.
    server.register_key(seed::WEB, &key, AssertionAlgorithm::ES256).await;
    for client_id in [seed::WEB, "nobody"] {
        let named = [("grant_type", "client_credentials"), ("client_id", client_id), kind, signed];
        expect_refused(&app.post_form("/oauth/token", &named).await);
    }
    ask(&app, &assertion).await.expect(200);
}

// CA1 CA4
#[tokio::test]
async fn each_endpoint_takes_each_method_from_the_clients_that_are_registered_for_it() {
    use TokenEndpointAuthMethod::{
        ClientSecretBasic, ClientSecretPost, None, PrivateKeyJwt, SelfSignedTlsClientAuth, TlsClientAuth,
    };
    let server = TestServer::start().await;
    let key = Key::ec();
    let methods = [None, ClientSecretPost, ClientSecretBasic, PrivateKeyJwt];
    let id = |method| format!("client-of-{method:?}").to_lowercase();
    for method in methods {
        let web = seed::clients().into_iter().find(|client| client.client_id.as_str() == seed::WEB).unwrap();
        let has_secret = matches!(method, ClientSecretPost | ClientSecretBasic | PrivateKeyJwt);
        let client = Client {
            client_id: ClientId::new(id(method)),
            client_secret_hashes: has_secret.then(|| hash_credential("a-secret")).into_iter().collect(),
            token_endpoint_auth_method: if method == PrivateKeyJwt { ClientSecretPost } else { method },
            grant_types: vec!["refresh_token".into(), idp::device::GRANT_TYPE.into()],
            ..web
        };
        put_client(&server.idp, &server.acme(), &client).await.unwrap();
        if method == PrivateKeyJwt {
            server.register_key(&id(method), &key, AssertionAlgorithm::ES256).await;
        }
    }
    let app = server.client();
    for (path, fields, right) in [
        // A refresh token that is unknown: the client was known.
        (
            "/oauth/token",
            vec![("grant_type", "refresh_token"), ("refresh_token", "x")],
            (403, "invalid_grant"),
        ),
        ("/oauth/revoke", vec![("token", "x")], (200, "")),
        ("/oauth/introspect", vec![("token", "x")], (200, "")),
        ("/oauth/device/code", vec![("scope", "openid")], (200, "")),
        ("/oauth/par", vec![("response_type", "token")], (400, "unsupported_response_type")),
    ] {
        for registered in methods {
            for sent in methods {
                let id = id(registered);
                let assertion = sign(&server, &id, &key);
                let mut form = fields.clone();
                let mut request = app.request(reqwest::Method::POST, path);
                match sent {
                    None => form.push(("client_id", &id)),
                    ClientSecretPost => {
                        form.extend([("client_id", id.as_str()), ("client_secret", "a-secret")])
                    }
                    ClientSecretBasic => request = request.basic_auth(&id, Some("a-secret")),
                    PrivateKeyJwt => form.extend(assertion::form(&assertion)),
                    TlsClientAuth | SelfSignedTlsClientAuth => panic!("nothing that a test could send"),
                }
                let answer = app.send(request.form(&form)).await;
                let case = format!("{path}: registered {registered:?}, sent {sent:?}: {answer:?}");
                let public = registered == None && ["/oauth/par", "/oauth/introspect"].contains(&path);
                let (status, error) = match (registered == sent, public) {
                    (false, _) => (401, "invalid_client"),
                    (true, true) => (403, "unauthorized_client"),
                    (true, false) => right,
                };
                assert_eq!(answer.status, status, "{case}");
                if !error.is_empty() {
                    assert_eq!(answer.error(), error, "{case}");
                }
                // TK8
                let challenged = answer.header("www-authenticate").is_some();
                assert_eq!(challenged, status == 401 && sent == ClientSecretBasic, "{case}");
            }
        }
    }
}

// CA2 CA5
#[tokio::test]
async fn an_unknown_client_a_wrong_signature_and_a_replay_get_one_answer_and_count_alike() {
    let (server, key) = with_key().await;
    let app = server.client();
    let used = sign(&server, seed::MACHINE, &key);
    ask(&app, &used).await.expect(200);
    let unknown = sign(&server, "nobody", &key);
    let wrong = sign(&server, seed::MACHINE, &Key::ec());
    let mut headers = Vec::new();
    for assertion in [&used, &unknown, &wrong] {
        let answer = ask(&app, assertion).await;
        expect_refused(&answer);
        headers.push(answer.headers.keys().map(ToString::to_string).collect::<Vec<_>>());
    }
    assert!(headers.iter().all(|names| *names == headers[0]), "{headers:?}");
    for (client, before) in [(seed::MACHINE, 2), ("nobody", 1)] {
        let wrong = || sign(&server, client, &Key::ec());
        for _ in before..20 {
            expect_refused(&ask(&app, &wrong()).await);
        }
        let stopped = ask(&app, &wrong()).await;
        stopped.expect_error(429, "too_many_requests");
        assert!(stopped.header("retry-after").is_some());
    }
    // What has no sender is counted as well.
    for _ in 0..20 {
        expect_refused(&ask(&app, "x").await);
    }
    ask(&app, "x").await.expect_error(429, "too_many_requests");
    // The log does not grow with what is not answered.
    let refused = server.log_codes().await.iter().filter(|code| *code == "w").count();
    assert_eq!(refused, 20);
    // The right client is not locked out.
    ask(&app, &sign(&server, seed::MACHINE, &key)).await.expect(200);
}

// CA3
#[tokio::test]
async fn two_keys_are_good_while_one_replaces_the_other_and_an_expired_one_is_not() {
    let server = TestServer::start().await;
    let app = server.client();
    let (old, new, third) = (Key::rsa(), Key::rsa(), Key::ec());
    let credential = server.register_key(seed::MACHINE, &old, AssertionAlgorithm::RS256).await;
    assert_eq!((credential.kid.len(), credential.id.starts_with("cred_")), (43, true), "{credential:?}");
    let end = server.clock.now().plus_secs(100);
    let acme = server.acme();
    let machine = ClientId::new(seed::MACHINE);
    let add = async |key: &Key, alg, expires_at| {
        let new = NewCredential { name: "n".to_owned(), pem: key.pem(), alg, expires_at };
        add_client_credential(&server.idp, &acme, &machine, new).await.map_err(|error| error.to_string())
    };
    let twice = add(&old, AssertionAlgorithm::PS256, None).await;
    assert_eq!(twice, Err("the credentials must differ in id and key".to_owned()));
    add(&new, AssertionAlgorithm::RS256, Some(end)).await.unwrap();
    let full = add(&third, AssertionAlgorithm::ES256, None).await;
    assert_eq!(full, Err("private_key_jwt has one or two credentials".to_owned()));
    // With kid and without.
    for (key, kid) in [(&old, None), (&new, None), (&old, Some(credential.kid.clone()))] {
        let mut header = json!({ "alg": "RS256" });
        if let Some(kid) = kid {
            header["kid"] = json!(kid);
        }
        ask(&app, &key.sign(&header, &claims(&server, seed::MACHINE))).await.expect(200);
    }
    let other_kid = json!({ "alg": "RS256", "kid": credential.kid });
    expect_refused(&ask(&app, &new.sign(&other_kid, &claims(&server, seed::MACHINE))).await);
    server.clock.advance_secs(99);
    ask(&app, &sign(&server, seed::MACHINE, &new)).await.expect(200);
    server.clock.advance_secs(1);
    expect_refused(&ask(&app, &sign(&server, seed::MACHINE, &new)).await);
    ask(&app, &sign(&server, seed::MACHINE, &old)).await.expect(200);
}
