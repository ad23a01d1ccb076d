//! Client assertions that are wrong in one thing (RFC 7523 §3, RFC 8725 §2): each is refused, and the log says why.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use end_to_end::assertion::{claims, header, sign};
use end_to_end::flow::text;
use end_to_end::key::Key;
use end_to_end::{TestServer, seed};
use model::{AssertionAlgorithm, Clock};
use serde_json::{Value, json};

use crate::private_key_jwt::{ask, expect_reason, expect_refused, from, with_key};

// CA3 JW7
#[tokio::test]
async fn every_claim_must_be_there_and_right() {
    const MALFORMED: &str = "has missing or malformed claims";
    let (server, key) = with_key().await;
    let now = server.clock.now().as_secs();
    let issuer = server.issuer("acme");
    let mut cases: Vec<(&str, Option<Value>, &str)> = Vec::new();
    for name in ["iss", "sub", "aud", "exp", "jti"] {
        cases.push((name, None, MALFORMED));
    }
    for name in ["iss", "sub", "jti"] {
        for value in [json!(null), json!(1), json!(true), json!([seed::MACHINE]), json!({})] {
            cases.push((name, Some(value), MALFORMED));
        }
    }
    for name in ["exp", "iat", "nbf"] {
        for value in [
            json!(null),
            json!((now + 30).to_string()),
            json!(now as f64 + 0.5),
            json!(now as f64),
            json!(-1),
            json!(1e300),
            json!(i64::MAX),
            json!(u64::MAX),
            json!([now]),
            json!(true),
        ] {
            cases.push((name, Some(value), MALFORMED));
        }
    }
    for value in [json!(null), json!(1), json!({}), json!([1]), json!([[issuer.clone()]])] {
        cases.push(("aud", Some(value), MALFORMED));
    }
    for value in [
        json!(""),
        json!([]),
        json!(issuer.trim_end_matches('/')),
        json!(issuer.to_uppercase()),
        json!(format!("{issuer}oauth/token")),
        json!(server.issuer("other")),
        json!([issuer.clone(), "https://another.example/"]),
        json!([issuer.clone(), issuer.clone()]),
        json!(seed::MACHINE),
    ] {
        cases.push(("aud", Some(value), "is not for this issuer alone"));
    }
    for name in ["iss", "sub"] {
        for value in ["", seed::WEB, "Machine-App", "machine-app "] {
            cases.push((name, Some(json!(value)), "has an iss that is not its sub"));
        }
    }
    cases.push(("jti", Some(json!("")), "must have a jti of 1 to 256 bytes"));
    cases.push(("jti", Some(json!("j".repeat(257))), "must have a jti of 1 to 256 bytes"));
    cases.push(("exp", Some(json!(0)), "has expired"));
    cases.push(("exp", Some(json!(u32::MAX)), "expires too late"));
    cases.push(("iat", Some(json!(u32::MAX)), "is from the future"));
    cases.push(("nbf", Some(json!(u32::MAX)), "is from the future"));

    let mut app = server.client();
    for (index, (name, value, why)) in cases.into_iter().enumerate() {
        let mut claims = claims(&server, seed::MACHINE);
        match value {
            Some(value) => claims[name] = value,
            None => drop(claims.as_object_mut().unwrap().remove(name)),
        }
        if index % 15 == 0 {
            app = from(&server, index);
        }
        expect_reason(&server, &app, &key.sign(&header(&key), &claims), why).await;
    }
    // What may be missing may be missing.
    for name in ["iat", "nbf"] {
        let mut claims = claims(&server, seed::MACHINE);
        claims.as_object_mut().unwrap().remove(name);
        claims["jti"] = json!(format!("{name}{}", "j".repeat(253)));
        ask(&server.client(), &key.sign(&header(&key), &claims)).await.expect(200);
    }
}

// CA3 JW6 JW7
#[tokio::test]
async fn an_assertion_that_plays_games_is_refused() {
    const MALFORMED: &str = "is malformed, or has an alg that is not supported";
    const NOT_SIGNED: &str = "is not signed with a key of the client that is valid now";
    const OTHER_KIND: &str = "has the typ of another kind of JWT";
    const OWN_KEY: &str = "brings a key of its own";
    let (server, stranger) = (TestServer::start().await, Key::rsa());
    let key = Key::rsa();
    let credential = server.register_key(seed::MACHINE, &key, AssertionAlgorithm::RS256).await;
    server.register_key(seed::WEB, &stranger, AssertionAlgorithm::RS256).await;

    let mut cases: Vec<(String, &str)> = Vec::new();
    let header_cases = [
        (json!({}), MALFORMED),
        (json!({ "alg": null }), MALFORMED),
        (json!({ "alg": ["RS256"] }), MALFORMED),
        (json!({ "alg": "none" }), MALFORMED),
        (json!({ "alg": "None" }), MALFORMED),
        (json!({ "alg": "rs256" }), MALFORMED),
        (json!({ "alg": "RS512" }), MALFORMED),
        (json!({ "alg": "RS256", "typ": null }), MALFORMED),
        (json!({ "alg": "RS256", "typ": 1 }), MALFORMED),
        (json!({ "alg": "RS256", "kid": null }), MALFORMED),
        (json!({ "alg": "RS256", "kid": 7 }), MALFORMED),
        (json!({ "alg": "RS256", "kid": "k".repeat(9000) }), MALFORMED),
        (json!({ "alg": "RS384" }), NOT_SIGNED),
        (json!({ "alg": "ES256" }), NOT_SIGNED),
        (json!({ "alg": "RS256", "kid": "" }), NOT_SIGNED),
        (json!({ "alg": "RS256", "kid": "../../etc/passwd" }), NOT_SIGNED),
        (json!({ "alg": "RS256", "kid": "' OR 1=1 --" }), NOT_SIGNED),
        (json!({ "alg": "RS256", "kid": credential.kid.to_lowercase() }), NOT_SIGNED),
        (json!({ "alg": "RS256", "kid": credential.id }), NOT_SIGNED),
        (json!({ "alg": "RS256", "jwk": key.jwk() }), OWN_KEY),
        (json!({ "alg": "RS256", "jwk": null }), OWN_KEY),
        (json!({ "alg": "RS256", "jku": "https://evil.example/jwks" }), OWN_KEY),
        (json!({ "alg": "RS256", "x5u": "https://evil.example/x5u" }), OWN_KEY),
        (json!({ "alg": "RS256", "x5c": ["AAAA"] }), OWN_KEY),
        (
            json!({ "alg": "RS256", "crit": ["b64"], "b64": false }),
            "has critical extensions, which are not supported",
        ),
        (json!({ "alg": "RS256", "crit": [] }), "has critical extensions, which are not supported"),
        (json!({ "alg": "RS256", "typ": "dpop+jwt" }), OTHER_KIND),
        (json!({ "alg": "RS256", "typ": "at+jwt" }), OTHER_KIND),
        (json!({ "alg": "RS256", "typ": "logout+jwt" }), OTHER_KIND),
        (json!({ "alg": "RS256", "typ": "" }), OTHER_KIND),
    ];
    for (header, why) in header_cases {
        cases.push((key.sign(&header, &claims(&server, seed::MACHINE)), why));
    }
    // The public key as the secret of an HMAC.
    for secret in [key.pem(), key.pem().trim().to_owned(), text(&key.jwk(), "n")] {
        let input = key.sign(&json!({ "alg": "HS256" }), &claims(&server, seed::MACHINE));
        let input = input.rsplit_once('.').unwrap().0;
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), input.as_bytes());
        cases.push((format!("{input}.{}", URL_SAFE_NO_PAD.encode(tag)), MALFORMED));
    }
    // Another client's key, and one that is nobody's.
    for signer in [&stranger, &Key::rsa()] {
        let header = json!({ "alg": "RS256", "kid": credential.kid });
        cases.push((signer.sign(&header, &claims(&server, seed::MACHINE)), NOT_SIGNED));
    }
    // Members that come twice, and numbers that are none.
    let (right_header, right) = (header(&key).to_string(), claims(&server, seed::MACHINE).to_string());
    let exp = claims(&server, seed::MACHINE)["exp"].to_string();
    for (header, claims, why) in [
        (right_header.replacen('{', r#"{"alg":"none","#, 1), right.clone(), MALFORMED),
        (right_header.replacen('{', r#"{"kid":"a","kid":"b","#, 1), right.clone(), MALFORMED),
        (
            right_header.clone(),
            right.replacen('{', r#"{"jti":"another","#, 1),
            "has missing or malformed claims",
        ),
        (right_header.clone(), right.replacen('{', r#"{"aud":"x","#, 1), "has missing or malformed claims"),
        (right_header.clone(), right.replacen(&exp, "1e400", 1), "has missing or malformed claims"),
        (right_header.clone(), right.replacen(&exp, "1e10", 1), "has missing or malformed claims"),
        (right_header.clone(), format!("[{right}]"), "has missing or malformed claims"),
        (right_header.clone(), format!("{right} x"), "has missing or malformed claims"),
        (right_header.clone(), String::new(), "has missing or malformed claims"),
        (format!("[{right_header}]"), right.clone(), MALFORMED),
        (format!("{right_header}{right_header}"), right.clone(), MALFORMED),
    ] {
        cases.push((key.sign_text(&json!({}), &header, &claims), why));
    }
    // Cut and stretched.
    let whole = sign(&server, seed::MACHINE, &key);
    let (input, signature) = whole.rsplit_once('.').unwrap();
    let (first, payload) = input.split_once('.').unwrap();
    for (bad, why) in [
        (".".to_owned(), MALFORMED),
        ("..".to_owned(), MALFORMED),
        (input.to_owned(), MALFORMED),
        (format!("{whole}.{signature}"), MALFORMED),
        (format!(".{payload}.{signature}"), MALFORMED),
        (format!("{first}..{signature}"), "has missing or malformed claims"),
        (format!("{input}."), NOT_SIGNED),
        (format!("{whole}="), NOT_SIGNED),
        (whole[..whole.len() - 1].to_owned(), NOT_SIGNED),
        (format!("{whole}AAAA"), NOT_SIGNED),
        (format!("{input}.{}", URL_SAFE_NO_PAD.encode([0; 256])), NOT_SIGNED),
        (format!("{}{whole}", "A".repeat(9000)), MALFORMED),
        (format!("{whole}{}", "A".repeat(9000)), MALFORMED),
        (whole.replace('.', "%2E"), MALFORMED),
        (format!(" {whole}"), MALFORMED),
    ] {
        cases.push((bad, why));
    }
    let mut app = server.client();
    for (index, (assertion, why)) in cases.into_iter().enumerate() {
        if index % 15 == 0 {
            app = from(&server, index);
        }
        expect_reason(&server, &app, &assertion, why).await;
    }
    // After all that, the untouched one works.
    ask(&app, &whole).await.expect(200);
}

// JW6
#[tokio::test]
async fn an_ec_signature_of_zeros_or_of_another_shape_is_none() {
    let (server, key) = with_key().await;
    let whole = sign(&server, seed::MACHINE, &key);
    let (input, right) = whole.rsplit_once('.').unwrap();
    let right = URL_SAFE_NO_PAD.decode(right).unwrap();
    let mut signatures = vec![vec![0; 64], vec![0; 63], vec![0xff; 64], Vec::new(), right[..63].to_vec()];
    signatures.push([right.as_slice(), &[0]].concat());
    signatures.push([&right[32..], &right[..32]].concat());
    let app = server.client();
    for signature in &signatures {
        let bad = format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature));
        expect_refused(&ask(&app, &bad).await);
    }
    ask(&app, &whole).await.expect(200);
}
