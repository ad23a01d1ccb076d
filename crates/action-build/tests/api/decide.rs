//! Section 3: what decides about the login, its tokens and its user.

use action_api::Handler;
use serde_json::json;

use super::{answers, call, call_in, call_on, commands, event, names, refuses};

#[test]
fn s3_api_access_deny() {
    answers("access.deny('no')", "api", r#"{"reason":"no"}"#);
    // Nothing is checked, and the rest of the function still runs.
    answers("access.deny()", "api", r#"{"reason":""}"#);
    answers("access.deny(7)", "api", r#"{"reason":"7"}"#);
    let (_, _, report) = call("[api.access.deny('no'), api.user.setAppMetadata('a', 1)].length");
    assert_eq!(names(&report), ["access.deny", "user.setAppMetadata"]);
}

#[test]
fn s3_api_access_token_set_custom_claim() {
    answers("accessToken.setCustomClaim('plan', { a: [1] })", "api", r#"{"key":"plan","value":{"a":[1]}}"#);
    refuses(
        "accessToken.setCustomClaim(1, 'a')",
        "TypeError: api.accessToken.setCustomClaim: `key` must be a string",
    );
    refuses(
        "accessToken.setCustomClaim('scope', 'a')",
        "Error: api.accessToken.setCustomClaim: `scope` is no claim",
    );
    // What is reserved is no error here: it is left out when the token is made.
    answers("accessToken.setCustomClaim('sub', 1)", "api", r#"{"key":"sub","value":1}"#);
    let (_, _, report) = call("api.accessToken.setCustomClaim('a', 1).accessToken.setCustomClaim('a', 2)");
    assert_eq!(report.commands.len(), 2, "the last one counts");
}

#[test]
fn s3_api_access_token_add_scope() {
    answers("accessToken.addScope(' read:a ')", "undefined", r#"{"scope":"read:a"}"#);
    refuses("accessToken.addScope(1)", "TypeError: api.accessToken.addScope: `scope` must be a string");
    refuses("accessToken.addScope('  ')", "Error: api.accessToken.addScope: `scope` must not be empty");
    refuses(
        "accessToken.addScope('a b')",
        "Error: api.accessToken.addScope: `scope` must hold no white space",
    );
    answers(
        "accessToken.addScope('a'.repeat(280))",
        "undefined",
        &format!(r#"{{"scope":"{}"}}"#, "a".repeat(280)),
    );
    refuses(
        "accessToken.addScope('a'.repeat(281))",
        "Error: api.accessToken.addScope: `scope` must have at most 280",
    );
}

#[test]
fn s3_api_access_token_remove_scope() {
    answers("accessToken.removeScope('read:a')", "undefined", r#"{"scope":"read:a"}"#);
    refuses(
        "accessToken.removeScope('a'.repeat(281))",
        "Error: api.accessToken.removeScope: `scope` must have at most 280",
    );
    refuses("accessToken.removeScope(1)", "TypeError: api.accessToken.removeScope: `scope` must be a string");
    refuses("accessToken.removeScope('')", "Error: api.accessToken.removeScope: `scope` must not be empty");
    refuses(
        "accessToken.removeScope('a b')",
        "Error: api.accessToken.removeScope: `scope` must hold no white space",
    );
}

#[test]
fn s3_api_authentication_challenge_with() {
    answers(
        "authentication.challengeWith({ type: 'phone', options: { preferredMethod: 'sms' } }, { additionalFactors: [{ type: 'otp' }] })",
        "undefined",
        r#"{"factor":{"type":"phone","options":{"preferredMethod":"sms"}},"additionalFactors":[{"type":"otp"}]}"#,
    );
    refuses(
        "authentication.challengeWith({ type: 'fax' })",
        "Error: api.authentication.challengeWith: `factor.type` must be one of",
    );
    refuses(
        "authentication.challengeWith('otp')",
        "TypeError: api.authentication.challengeWith: `factor` must be an object",
    );
    refuses(
        "authentication.challengeWith({ type: 'otp', options: { preferredMethod: 'sms' } })",
        "Error: api.authentication.challengeWith: `preferredMethod` is for `phone` only",
    );
    refuses(
        "authentication.challengeWith({ type: 'phone', options: { preferredMethod: 'fax' } })",
        "Error: api.authentication.challengeWith: `preferredMethod` must be one of",
    );
    refuses(
        "authentication.challengeWith({ type: 'otp' }, { additionalFactors: [{ type: 'fax' }] })",
        "Error: api.authentication.challengeWith: `additionalFactors[0].type`",
    );
    for factor in [
        "otp",
        "email",
        "phone",
        "push-notification",
        "webauthn-platform",
        "webauthn-roaming",
        "recovery-code",
    ] {
        let recorded = format!(r#"{{"factor":{{"type":"{factor}"}},"additionalFactors":[]}}"#);
        answers(&format!("authentication.challengeWith({{ type: '{factor}' }})"), "undefined", &recorded);
    }
    for method in ["sms", "voice", "both"] {
        let call = format!(
            "authentication.challengeWith({{ type: 'phone', options: {{ preferredMethod: '{method}' }} }})"
        );
        let factor = format!(r#"{{"type":"phone","options":{{"preferredMethod":"{method}"}}}}"#);
        answers(&call, "undefined", &format!(r#"{{"factor":{factor},"additionalFactors":[]}}"#));
    }
    refuses(
        "authentication.challengeWith({ type: 'otp', options: { otpFallback: true } })",
        "Error: api.authentication.challengeWith: `otpFallback` is for `push-notification` only",
    );
}

#[test]
fn s3_api_authentication_challenge_with_any() {
    answers(
        "authentication.challengeWithAny([{ type: 'push', options: { otpFallback: false } }, { type: 'recovery-code' }])",
        "undefined",
        r#"{"factors":[{"type":"push-notification","options":{"otpFallback":false}},{"type":"recovery-code"}]}"#,
    );
    refuses(
        "authentication.challengeWithAny([])",
        "Error: api.authentication.challengeWithAny: `factors` must not be empty",
    );
    refuses(
        "authentication.challengeWithAny([{ type: 'otp' }, { type: 'fax' }])",
        "Error: api.authentication.challengeWithAny: `factors[1].type` must be one of",
    );
}

#[test]
fn s3_api_authentication_enroll_with() {
    answers(
        "authentication.enrollWith({ type: 'otp' })",
        "undefined",
        r#"{"factor":{"type":"otp"},"additionalFactors":[]}"#,
    );
    refuses(
        "authentication.enrollWith({ type: 'email' })",
        "Error: api.authentication.enrollWith: `factor.type` must be one of",
    );
    for factor in
        ["otp", "phone", "push-notification", "webauthn-platform", "webauthn-roaming", "recovery-code"]
    {
        let recorded =
            format!(r#"{{"factor":{{"type":"{factor}"}},"additionalFactors":[{{"type":"otp"}}]}}"#);
        let call = format!(
            "authentication.enrollWith({{ type: '{factor}' }}, {{ additionalFactors: [{{ type: 'otp' }}] }})"
        );
        answers(&call, "undefined", &recorded);
    }
}

#[test]
fn s3_api_authentication_enroll_with_any() {
    answers(
        "authentication.enrollWithAny([{ type: 'otp' }, { type: 'webauthn-roaming' }])",
        "undefined",
        r#"{"factors":[{"type":"otp"},{"type":"webauthn-roaming"}]}"#,
    );
    refuses(
        "authentication.enrollWithAny('otp')",
        "TypeError: api.authentication.enrollWithAny: `factors` must be an array",
    );
    refuses(
        "authentication.enrollWithAny([{ type: 'email' }])",
        "Error: api.authentication.enrollWithAny: `factors[0].type` must be one of",
    );
}

#[test]
fn s3_api_authentication_record_method() {
    refuses(
        "authentication.recordMethod('https://a.example')",
        "Error: api.authentication.recordMethod: a method is recorded in onContinuePostLogin only",
    );
    refuses(
        "authentication.recordMethod('pwd')",
        "Error: api.authentication.recordMethod: `provider_url` must be an absolute URL",
    );
    let (given, _, report) =
        call_in(Handler::Continue, event(), "api.authentication.recordMethod('https://a.example/m')");
    assert_eq!(given, "api");
    let recorded =
        json!([{ "command": "authentication.recordMethod", "provider_url": "https://a.example/m" }]);
    assert_eq!(commands(&report), recorded);
    refuses(
        "authentication.recordMethod('ftp://a.example')",
        "Error: api.authentication.recordMethod: `provider_url` must be http or https",
    );
}

#[test]
fn s3_api_authentication_set_primary_user() {
    answers("authentication.setPrimaryUser('auth0|1')", "undefined", r#"{"primary_user_id":"auth0|1"}"#);
    refuses(
        "authentication.setPrimaryUser('')",
        "Error: api.authentication.setPrimaryUser: `primary_user_id` must not be empty",
    );
    refuses(
        "authentication.setPrimaryUser('a'.repeat(129))",
        "Error: api.authentication.setPrimaryUser: `primary_user_id` must have at most 128",
    );
    refuses(
        "(api.authentication.setPrimaryUser('a'), api.authentication.setPrimaryUser('b'))",
        "Error: api.authentication.setPrimaryUser: the primary user may be set once",
    );
    refuses(
        "authentication.setPrimaryUser(1)",
        "TypeError: api.authentication.setPrimaryUser: `primary_user_id` must be a string",
    );
}

#[test]
fn s3_api_id_token_set_custom_claim() {
    answers("idToken.setCustomClaim('plan', null)", "api", r#"{"key":"plan","value":null}"#);
    refuses("idToken.setCustomClaim('scope', 'a')", "Error: api.idToken.setCustomClaim: `scope` is no claim");
    refuses(
        "idToken.setCustomClaim(1, 'a')",
        "TypeError: api.idToken.setCustomClaim: `key` must be a string",
    );
    answers("idToken.setCustomClaim('a')", "api", "null");
}

#[test]
fn s3_api_multifactor_enable() {
    answers(
        "multifactor.enable('google-authenticator', { allowRememberBrowser: true })",
        "api",
        r#"{"provider":"google-authenticator","allowRememberBrowser":true}"#,
    );
    answers(
        "multifactor.enable('duo', { providerOptions: { host: 'h', ikey: 'i', skey: 's' } })",
        "api",
        r#"{"provider":"duo","allowRememberBrowser":false}"#,
    );
    refuses("multifactor.enable('sms')", "Error: api.multifactor.enable: `provider` must be one of");
    refuses(
        "multifactor.enable('any', { allowRememberBrowser: 1 })",
        "TypeError: api.multifactor.enable: `allowRememberBrowser` must be a boolean",
    );
    refuses(
        "multifactor.enable('duo', { providerOptions: { host: 'h' } })",
        "TypeError: api.multifactor.enable: `providerOptions.ikey` must be a string",
    );
    refuses(
        "multifactor.enable('any', { providerOptions: {} })",
        "Error: api.multifactor.enable: `providerOptions` are for `duo` only",
    );
    for provider in ["none", "any", "guardian"] {
        let recorded = format!(r#"{{"provider":"{provider}","allowRememberBrowser":false}}"#);
        answers(&format!("multifactor.enable('{provider}', {{ other: 1 }})"), "api", &recorded);
    }
}

#[test]
fn s3_api_prompt_render() {
    answers(
        "prompt.render('ap_1', { fields: { a_1: 1 }, vars: { 'b c': [2] } })",
        "undefined",
        r#"{"promptId":"ap_1","fields":{"a_1":1},"vars":{"b c":[2]}}"#,
    );
    refuses("prompt.render('a'.repeat(49))", "Error: api.prompt.render: `promptId` must have at most 48");
    refuses(
        "prompt.render('a', { fields: { '1': 1 } })",
        "Error: api.prompt.render: `fields` may not have the key `1`",
    );
    refuses(
        "prompt.render('a', { vars: { a: 'x'.repeat(25000) } })",
        "Error: api.prompt.render: `promptOptions` may have at most 24 KiB",
    );
    answers("prompt.render('ap_1')", "undefined", r#"{"promptId":"ap_1","fields":{},"vars":{}}"#);
    refuses(
        "prompt.render('a', { vars: Object.fromEntries(Array.from({ length: 25 }, (_, i) => ['k' + i, i])) })",
        "Error: api.prompt.render: `vars` may have at most 24 keys",
    );
    // A second one is recorded although it throws: the server refuses the login, also when the Action catches it.
    for both in [
        "api.redirect.sendUserTo('https://a.example') && api.prompt.render('ap_1')",
        "api.prompt.render('ap_1') || api.prompt.render('ap_2')",
    ] {
        let (given, _, report) = call(both);
        assert!(given.starts_with("threw Error: api."), "{given}");
        assert_eq!(report.commands.len(), 2, "{both}");
    }
}

#[test]
fn s3_api_rules_was_executed() {
    answers("rules.wasExecuted('r')", "false", "null");
    refuses("rules.wasExecuted()", "TypeError: api.rules.wasExecuted: `ruleId` must be a string");
}

#[test]
fn s3_api_user_set_app_metadata() {
    answers("user.setAppMetadata('a', { b: 1 })", "api", r#"{"key":"a","value":{"b":1}}"#);
    refuses("user.setAppMetadata('a.b', 1)", "Error: api.user.setAppMetadata: a key may not be empty");
    refuses("user.setAppMetadata('blocked', 1)", "TypeError: metadata key `blocked` is empty, reserved");
    refuses("user.setAppMetadata(1, 1)", "TypeError: api.user.setAppMetadata: `key` must be a string");
    let (_, after, _) = call("api.user.setAppMetadata('a', 1)");
    assert_eq!(after["user"]["app_metadata"], json!({}), "the event stays as it is");
    let mut broken = event();
    broken["user"]["app_metadata"] = json!("text");
    let (given, ..) = call_on(broken, "api.user.setAppMetadata('a', 1)");
    assert_eq!(given, "threw Error: api.user.setAppMetadata: the user's app_metadata is no object");
}

#[test]
fn s3_api_user_set_user_metadata() {
    answers("user.setUserMetadata('a', null)", "api", r#"{"key":"a","value":null}"#);
    refuses("user.setUserMetadata('a$', 1)", "Error: api.user.setUserMetadata: a key may not be empty");
    answers("user.setUserMetadata('a', [1, { b: null }])", "api", r#"{"key":"a","value":[1,{"b":null}]}"#);
    let (_, after, _) = call("api.user.setUserMetadata('a', 1)");
    assert_eq!(after["user"]["user_metadata"], json!({}), "the event stays as it is");
}

#[test]
fn s3_api_validation_error() {
    answers("validation.error('code', 'message')", "api", r#"{"errorCode":"code","errorMessage":"message"}"#);
    refuses(
        "validation.error('a'.repeat(101), 'b')",
        "Error: api.validation.error: `errorCode` must have at most 100",
    );
    refuses("validation.error('a', 1)", "TypeError: api.validation.error: `errorMessage` must be a string");
    refuses(
        "validation.error('a', 'b'.repeat(101))",
        "Error: api.validation.error: `errorMessage` must have at most 100",
    );
}
