//! Section 3: `api.redirect`.

use serde_json::{Value, json};

use super::{answers, call, call_on, common, event, refuses};

#[test]
fn s3_api_redirect_can_redirect() {
    for (protocol, prompt, can) in [
        ("oidc-basic-profile", json!("login"), true),
        ("oidc-basic-profile", json!("none"), false),
        ("oauth2-refresh-token", Value::Null, false),
        ("oauth2-password", Value::Null, false),
        ("oauth2-resource-owner", Value::Null, false),
        ("oauth2-webauthn", Value::Null, false),
        ("oauth2-device-code", Value::Null, true),
        ("", Value::Null, true),
    ] {
        let mut event = event();
        event["transaction"]["protocol"] = json!(protocol);
        event["request"]["query"]["prompt"] = prompt;
        assert_eq!(call_on(event, "api.redirect.canRedirect()").0, can.to_string(), "{protocol}");
    }
    assert_eq!(call_on(json!({}), "api.redirect.canRedirect()").0, "true");
}

/// What `encodeToken` signs.
fn payload(options: &str) -> Value {
    let (token, ..) = call(&format!("api.redirect.encodeToken({options})"));
    let token: String = serde_json::from_str(&token).expect("a string");
    let parts: Vec<&str> = token.split('.').collect();
    assert_eq!(parts[0], "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9");
    let (payload, ..) = call(&format!("JSON.parse(Buffer.from('{}', 'base64url').toString())", parts[1]));
    serde_json::from_str(&payload).expect("JSON")
}

#[test]
fn s3_api_redirect_encode_token() {
    let now = common::NOW_MS / 1000;
    let given = payload("{ secret: 'shh', expiresInSeconds: 60, payload: { a: 1, sub: 'mine' } }");
    let expected = json!({
        "iat": now, "exp": now + 60, "iss": "acme.example", "sub": "mine", "ip": "192.0.2.1", "a": 1,
    });
    assert_eq!(given, expected);
    let given = payload("{ secret: 'shh', payload: {} }");
    assert_eq!((&given["sub"], &given["exp"]), (&json!("auth0|ada"), &json!(now + 900)));
    refuses(
        "redirect.encodeToken({ payload: {} })",
        "TypeError: api.redirect.encodeToken: `secret` must be a string",
    );
    refuses(
        "redirect.encodeToken({ secret: '', payload: {} })",
        "Error: api.redirect.encodeToken: `secret` must not be empty",
    );
    refuses(
        "redirect.encodeToken({ secret: 's' })",
        "TypeError: api.redirect.encodeToken: `payload` must be an object",
    );
}

#[test]
fn s3_api_redirect_send_user_to() {
    answers(
        "redirect.sendUserTo('https://a.example/p?x=1&y=2', { query: { y: 'z z', w: '' } })",
        "api",
        r#"{"url":"https://a.example/p?x=1&y=z+z&w="}"#,
    );
    refuses(
        "redirect.sendUserTo('/relative')",
        "Error: api.redirect.sendUserTo: `url` must be an absolute URL",
    );
    refuses(
        "redirect.sendUserTo('javascript:alert(1)')",
        "Error: api.redirect.sendUserTo: `url` must be http or https",
    );
    let (given, _, report) =
        call("api.prompt.render('ap_1') || api.redirect.sendUserTo('https://a.example')");
    assert!(given.starts_with("threw Error: api."), "{given}");
    assert_eq!(report.commands.len(), 2, "the server sees both, and refuses the login");
    // The helper that the reference names does not exist there, either.
    assert_eq!(call("typeof api.redirect.createUrl").0, "\"undefined\"");
}

#[test]
fn s3_api_redirect_validate_token() {
    refuses(
        "redirect.validateToken({ secret: 's' })",
        "Error: api.redirect.validateToken: the parameter `session_token` is missing",
    );
    let now = common::NOW_MS / 1000;
    let answer = |payload: &str| {
        let encode = format!("api.redirect.encodeToken({{ secret: 'shh', payload: {payload} }})");
        serde_json::from_str::<String>(&call(&encode).0).expect("a string")
    };
    let validate_in = |name: &str, token: &str, options: &str| {
        let mut back = event();
        back["request"]["query"] = json!({ "state": "the-state", name: "from the query" });
        back["request"]["body"] = json!({ name: token });
        call_on(back, &format!("api.redirect.validateToken({options}).done")).0
    };
    let validate =
        |token: &str, secret: &str| validate_in("session_token", token, &format!("{{ secret: '{secret}' }}"));
    let good = answer("{ state: 'the-state', done: true }");
    assert_eq!(validate(&good, "shh"), "true", "the body wins");
    let named = "{ secret: 'shh', tokenParameterName: 'answer' }";
    assert_eq!(validate_in("answer", &good, named), "true");
    // Whoever the other site says it is: the documents do not agree on the issuer, so it is not checked.
    assert_eq!(
        validate(&answer("{ state: 'the-state', iss: 'https://other.example', done: true }"), "shh"),
        "true"
    );
    let past = now - 1;
    for (token, secret, why) in [
        (good.clone(), "other", "its signature is wrong"),
        (format!("{good}A"), "shh", "its signature is wrong"),
        (answer("{ done: true }"), "shh", "its `state` is another"),
        (answer("{ state: 'the-state', sub: 'auth0|eve' }"), "shh", "its `sub` is not the user"),
        (answer(&format!("{{ state: 'the-state', exp: {past} }}")), "shh", "it has expired"),
        (answer(&format!("{{ state: 'the-state', nbf: {now} + 9 }}")), "shh", "it is from the future"),
        (
            format!("eyJhbGciOiJub25lIn0.{}.", good.split('.').nth(1).expect("a payload")),
            "shh",
            "it is not signed with HS256",
        ),
        ("garbage".to_owned(), "shh", "it is no JWT"),
    ] {
        let given = validate(&token, secret);
        assert_eq!(given, format!("threw Error: api.redirect.validateToken: the token is not valid: {why}"));
    }
}
