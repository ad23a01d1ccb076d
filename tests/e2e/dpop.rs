//! Proof of possession (RFC 9449).

use end_to_end::dpop::{Prover, post_with_proof, userinfo_with_proof};
use end_to_end::flow::{VERIFIER, text};
use end_to_end::{Login, RawClient, Response, TestServer, jwt, seed};
use model::{PossessionMechanism, ProofOfPossession, RequiredFor};
use reqwest::Method;
use serde_json::{Value, json};

fn code_form(code: &str) -> [(&str, &str); 5] {
    [
        ("grant_type", "authorization_code"),
        ("client_id", seed::NATIVE),
        ("code", code),
        ("redirect_uri", seed::NATIVE_CALLBACK),
        ("code_verifier", VERIFIER),
    ]
}

fn refresh_form(token: &str) -> [(&str, &str); 3] {
    [("grant_type", "refresh_token"), ("client_id", seed::NATIVE), ("refresh_token", token)]
}

const MACHINE: [(&str, &str); 4] = [
    ("grant_type", "client_credentials"),
    ("client_id", seed::MACHINE),
    ("client_secret", seed::MACHINE_SECRET),
    ("audience", seed::API),
];

/// A native login whose tokens are bound to the prover's key.
async fn bound_tokens(server: &TestServer, browser: &RawClient, prover: &Prover) -> Value {
    let code = Login::native().code(browser, seed::ADA).await;
    prover.token(server, browser, &code_form(&code)).await.expect(200).json()
}

#[track_caller]
fn expect_refused(answer: &Response, description: &str) {
    answer.expect_error(400, "invalid_dpop_proof");
    assert_eq!(answer.json()["error_description"], description, "{answer:?}");
}

// DP3 NW3
#[tokio::test]
async fn a_native_apps_tokens_and_its_hand_over_need_the_key() {
    let server = TestServer::start().await;
    let app = server.client();
    let (prover, other) = (Prover::default(), Prover::default());
    let tokens = bound_tokens(&server, &app, &prover).await;
    assert_eq!(tokens["token_type"], "DPoP");
    let access_token = text(&tokens, "access_token");
    prover.userinfo(&server, &app, &access_token).await.expect(200);
    let bearer = app.send(app.request(Method::GET, "/userinfo").bearer_auth(&access_token)).await;
    bearer.expect_error(401, "invalid_token");
    other.userinfo(&server, &app, &access_token).await.expect_error(401, "invalid_token");

    let token = text(&tokens, "refresh_token");
    let missing = app.post_form("/oauth/token", &refresh_form(&token)).await;
    expect_refused(&missing, "The DPoP proof is missing.");
    let wrong = other.token(&server, &app, &refresh_form(&token)).await;
    expect_refused(&wrong, "The DPoP proof has another key than the one that was bound.");
    // Neither has spent it.
    let next = prover.token(&server, &app, &refresh_form(&token)).await.expect(200).json();
    assert_eq!(next["token_type"], "DPoP");
    let token = text(&next, "refresh_token");
    let mut transfer = refresh_form(&token).to_vec();
    transfer.push(("audience", "urn:acme.localhost:session_transfer"));
    expect_refused(&app.post_form("/oauth/token", &transfer).await, "The DPoP proof is missing.");
    let handed = prover.token(&server, &app, &transfer).await.expect(200).json();
    assert_eq!(handed["token_type"], "N_A");
    let arrived = end_to_end::flow::arrive_by_query(&app, &text(&handed, "access_token")).await;
    end_to_end::flow::code_of(&arrived);
}

// DP1 DP2
#[tokio::test]
async fn a_public_client_needs_the_servers_nonce_and_gets_it() {
    let server = TestServer::start().await;
    let app = server.client();
    let prover = Prover::default();
    let code = Login::native().code(&app, seed::ADA).await;
    let mut claims = prover.claims(&server, "POST", "/oauth/token");
    let good = claims["nonce"].clone();
    for nonce in [Value::Null, json!(""), json!("x"), json!(good.as_str().unwrap().to_lowercase())] {
        claims["nonce"] = nonce;
        let answer = post_with_proof(&app, &prover.sign(&claims), &code_form(&code)).await;
        answer.expect_error(400, "use_dpop_nonce");
        assert_eq!(answer.json()["error_description"], "Authorization server requires nonce in DPoP proof");
        assert_eq!(answer.header("dpop-nonce").map(Value::from), Some(good.clone()));
    }
    // A refusal for the nonce spends neither proof nor code.
    claims["nonce"] = good.clone();
    let answer = post_with_proof(&app, &prover.sign(&claims), &code_form(&code)).await;
    let token = text(&answer.expect(200).json(), "refresh_token");
    assert!(answer.header("dpop-nonce").is_some(), "the next one comes with every answer");
    // It lives for five to ten minutes.
    let with_old_nonce = async |token: &str| {
        let mut claims = prover.claims(&server, "POST", "/oauth/token");
        claims["nonce"] = good.clone();
        post_with_proof(&app, &prover.sign(&claims), &refresh_form(token)).await
    };
    server.clock.advance_secs(300);
    let token = text(&with_old_nonce(&token).await.expect(200).json(), "refresh_token");
    server.clock.advance_secs(300);
    with_old_nonce(&token).await.expect_error(400, "use_dpop_nonce");
}

// DP2
#[tokio::test]
async fn a_proof_works_once_also_in_parallel() {
    let server = TestServer::start().await;
    let app = server.client();
    let proof = Prover::default().token_proof(&server);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (app, proof) = (server.client(), proof.clone());
        tasks.spawn(async move { post_with_proof(&app, &proof, &MACHINE).await });
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        expect_refused(answer, "The DPoP proof was used before.");
    }
    // At the very end of its time it still is a replay, and then it is too old.
    for (secs, reason) in [(60, "was used before"), (1, "is too old or from the future")] {
        server.clock.advance_secs(secs);
        let answer = post_with_proof(&app, &proof, &MACHINE).await;
        expect_refused(&answer, &format!("The DPoP proof {reason}."));
    }
}

// DP1
#[tokio::test]
async fn a_proof_is_for_one_request_and_comes_alone() {
    let server = TestServer::start().await;
    let app = server.client();
    let prover = Prover::default();
    let other_tenant = server.issuer(seed::OTHER) + "oauth/token";
    for (name, value, reason) in [
        ("htm", json!("GET"), "is for another HTTP method"),
        ("htu", json!(server.issuer(seed::ACME) + "userinfo"), "is for another URL"),
        ("htu", json!(other_tenant), "is for another URL"),
        ("jti", json!(""), "must have a jti of 1 to 256 bytes"),
        ("jti", json!("j".repeat(257)), "must have a jti of 1 to 256 bytes"),
        ("jti", json!(null), "has missing or malformed claims"),
        ("jti", json!("j".repeat(9000)), "is malformed"),
    ] {
        let mut claims = prover.claims(&server, "POST", "/oauth/token");
        claims[name] = value;
        let answer = post_with_proof(&app, &prover.sign(&claims), &MACHINE).await;
        expect_refused(&answer, &format!("The DPoP proof {reason}."));
    }
    let two = app
        .request(Method::POST, "/oauth/token")
        .header("dpop", prover.token_proof(&server))
        .header("dpop", prover.token_proof(&server))
        .form(&MACHINE);
    expect_refused(&app.send(two).await, "The header dpop is malformed or was sent twice");
}

// DP3
#[tokio::test]
async fn a_code_is_bound_to_the_key_that_the_authorization_request_named() {
    let server = TestServer::start().await;
    let app = server.client();
    let (prover, other) = (Prover::default(), Prover::default());
    let code = Login::native().with("dpop_jkt", &prover.jkt()).code(&app, seed::ADA).await;
    let missing = app.post_form("/oauth/token", &code_form(&code)).await;
    expect_refused(&missing, "The DPoP proof is missing.");
    let wrong = other.token(&server, &app, &code_form(&code)).await;
    expect_refused(&wrong, "The DPoP proof has another key than the one that was bound.");
    prover.token(&server, &app, &code_form(&code)).await.expect(200);
    for bad in ["x", &prover.jkt()[..42], &format!("{}=", prover.jkt())] {
        let answer = Login::native().with("dpop_jkt", bad).begin(&app).await;
        assert_eq!(answer.location_parameter("error").as_deref(), Some("invalid_request"), "{bad}");
    }
}

// DP3, the issue matrix of the dialect
#[tokio::test]
async fn client_and_api_decide_whether_a_token_is_bound() {
    let server = TestServer::start().await;
    let app = server.client();
    let prover = Prover::default();
    let dpop = |required| ProofOfPossession {
        mechanism: PossessionMechanism::Dpop,
        required,
        required_for: RequiredFor::AllClients,
    };
    let public_only = ProofOfPossession { required_for: RequiredFor::PublicClients, ..dpop(true) };
    for (client_requires, sends, api, bound) in [
        (false, false, None, Some(false)),
        (false, false, Some(dpop(false)), Some(false)),
        (false, false, Some(dpop(true)), None),
        (false, false, Some(public_only), Some(false)),
        (false, true, None, Some(false)),
        (false, true, Some(dpop(false)), Some(true)),
        (false, true, Some(dpop(true)), Some(true)),
        (true, false, None, None),
        (true, false, Some(dpop(false)), None),
        (true, false, Some(dpop(true)), None),
        (true, true, None, None),
        (true, true, Some(dpop(false)), Some(true)),
        (true, true, Some(dpop(true)), Some(true)),
    ] {
        let case = format!("client {client_requires}, sends {sends}, api {api:?}");
        server
            .change_client(seed::MACHINE, |client| client.require_proof_of_possession = client_requires)
            .await;
        server.change_api(|resource| resource.proof_of_possession = api).await;
        let answer = match sends {
            true => prover.token(&server, &app, &MACHINE).await,
            false => app.post_form("/oauth/token", &MACHINE).await,
        };
        let Some(bound) = bound else {
            answer.expect_error(400, "invalid_request");
            continue;
        };
        let tokens = answer.expect(200).json();
        assert_eq!(tokens["token_type"], if bound { "DPoP" } else { "Bearer" }, "{case}");
        let cnf = &jwt::claims(&text(&tokens, "access_token"))["cnf"];
        assert_eq!(*cnf, if bound { json!({ "jkt": prover.jkt() }) } else { Value::Null }, "{case}");
    }
    // Tokens for /userinfo alone.
    server.change_client(seed::NATIVE, |client| client.require_proof_of_possession = true).await;
    let code = Login::native().code(&app, seed::ADA).await;
    app.post_form("/oauth/token", &code_form(&code)).await.expect_error(400, "invalid_request");
    prover.token(&server, &app, &code_form(&code)).await.expect(200);
}

// DP1 DP3 RS2
#[tokio::test]
async fn userinfo_wants_a_proof_for_this_token_and_says_so() {
    let server = TestServer::start().await;
    let app = server.client();
    let prover = Prover::default();
    let token = text(&bound_tokens(&server, &app, &prover).await, "access_token");
    let right = prover.claims(&server, "GET", "/userinfo");
    for (ath, nonce, error) in [
        (Value::Null, right["nonce"].clone(), "invalid_dpop_proof"),
        (json!("x"), right["nonce"].clone(), "invalid_dpop_proof"),
        (json!(prover.jkt()), json!("stale"), "invalid_dpop_proof"),
    ] {
        let mut claims = prover.claims(&server, "GET", "/userinfo");
        claims["ath"] = ath;
        claims["nonce"] = nonce;
        let answer = userinfo_with_proof(&app, &token, &prover.sign(&claims)).await;
        let challenge = answer.expect_error(401, error).header("www-authenticate").expect("a challenge");
        assert!(
            challenge.starts_with("DPoP algs=\"ES256 RS256\", error=\"invalid_dpop_proof\""),
            "{challenge}"
        );
        assert!(answer.header("dpop-nonce").is_some());
    }
    let request = app.request(Method::GET, "/userinfo").header("authorization", format!("DPoP {token}"));
    app.send(request).await.expect_error(401, "invalid_dpop_proof");
    let schemes: Vec<_> =
        app.get("/userinfo").await.headers.get_all("www-authenticate").iter().cloned().collect();
    assert_eq!(schemes, ["Bearer realm=\"postern\"", "DPoP algs=\"ES256 RS256\""]);
    // A token that is bound to no key takes no proof.
    let code = Login::native().code(&server.client(), seed::ADA).await;
    let tokens = app.post_form("/oauth/token", &code_form(&code)).await.expect(200).json();
    let unbound = text(&tokens, "access_token");
    prover.userinfo(&server, &app, &unbound).await.expect_error(401, "invalid_token");
}
