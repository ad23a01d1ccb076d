//! Every method of the dialect's `api`: what it answers, which command it records, what it refuses. The list of methods is
//! `tests/fixtures/post-login.json`; a method that is neither called here nor absent with a reason fails the test.
#![allow(clippy::expect_used, clippy::panic, reason = "a test stops where something is not as it should be")]

mod common;

use std::sync::{Arc, LazyLock};

use action_api::{Artifact, Command, OperationAnswer, OperationFuture, Operations, RunReport};
use common::{LIMITS, run_recorded, script};
use serde_json::{Value, json};

/// Says what was asked.
struct Echo;

impl Operations for Echo {
    fn start(&self, kind: &str, input: Value) -> OperationFuture {
        let answer = Ok(json!({ "asked": kind, "input": input }));
        Box::pin(async { answer })
    }

    fn call(&self, kind: &str, input: Value, _now_ms: i64) -> OperationAnswer {
        Ok(json!({ "asked": kind, "input": input }))
    }
}

/// An Action that does what its event says, and prints what came of it.
static CALLER: LazyLock<Artifact> = LazyLock::new(|| {
    let code = "
        const call = async (event, api) => {
          try {
            const answer = await new Function('event', 'api', `return ${event.call}`)(event, api);
            console.log(answer === api ? 'api' : answer === undefined ? 'undefined' : JSON.stringify(answer));
          } catch (error) {
            console.log('threw ' + error.name + ': ' + error.message);
          }
          console.log(JSON.stringify(event));
        };
        exports.onExecutePostLogin = async (event, api) => call(event, api);
        exports.onContinuePostLogin = async (event, api) => call(event, api);";
    script(code).expect("it builds")
});

fn event() -> Value {
    json!({
        "transaction": { "protocol": "oidc-basic-profile", "metadata": {} },
        "request": { "hostname": "acme.example", "ip": "192.0.2.1", "query": {}, "body": {} },
        "session": { "id": "s", "metadata": { "known": "1" }, "cookie": { "mode": "persistent" } },
        "user": { "user_id": "auth0|ada", "app_metadata": {}, "user_metadata": {} },
    })
}

/// What the call printed (its answer or what it threw, and the event after it), and the run.
fn call_on(mut event: Value, call: &str) -> (String, Value, RunReport) {
    event["call"] = json!(call);
    let report = run_recorded(&CALLER, &event.to_string(), 1, &LIMITS, Arc::new(Echo)).report;
    assert_eq!(report.error, None, "{call}");
    let printed: Vec<&str> = report.console.iter().map(|line| line.text.as_str()).collect();
    let [answer, after] = printed[..] else { panic!("{call} printed {printed:?}") };
    (answer.to_owned(), serde_json::from_str(after).expect("the event"), report)
}

fn call(call: &str) -> (String, Value, RunReport) {
    call_on(event(), call)
}

fn commands(report: &RunReport) -> Value {
    json!(report.commands)
}

/// A call, what it answers, and the command that it records without its name; `null`: none.
const CALLS: &[(&str, &str, &str)] = &[
    ("access.deny('no')", "api", r#"{"reason":"no"}"#),
    ("accessToken.setCustomClaim('plan', { a: [1] })", "api", r#"{"key":"plan","value":{"a":[1]}}"#),
    ("accessToken.addScope(' read:a ')", "undefined", r#"{"scope":"read:a"}"#),
    ("accessToken.removeScope('read:a')", "undefined", r#"{"scope":"read:a"}"#),
    (
        "authentication.challengeWith({ type: 'phone', options: { preferredMethod: 'sms' } }, { additionalFactors: [{ type: 'otp' }] })",
        "undefined",
        r#"{"factor":{"type":"phone","options":{"preferredMethod":"sms"}},"additionalFactors":[{"type":"otp"}]}"#,
    ),
    (
        "authentication.challengeWithAny([{ type: 'push', options: { otpFallback: false } }, { type: 'recovery-code' }])",
        "undefined",
        r#"{"factors":[{"type":"push-notification","options":{"otpFallback":false}},{"type":"recovery-code"}]}"#,
    ),
    (
        "authentication.enrollWith({ type: 'otp' })",
        "undefined",
        r#"{"factor":{"type":"otp"},"additionalFactors":[]}"#,
    ),
    (
        "authentication.enrollWithAny([{ type: 'otp' }, { type: 'webauthn-roaming' }])",
        "undefined",
        r#"{"factors":[{"type":"otp"},{"type":"webauthn-roaming"}]}"#,
    ),
    ("authentication.setPrimaryUser('auth0|1')", "undefined", r#"{"primary_user_id":"auth0|1"}"#),
    ("cache.get('k')", r#"{"asked":"cache.get","input":{"key":"k"}}"#, "null"),
    (
        "cache.set('k', 'v', { ttl: 9.9 })",
        r#"{"asked":"cache.set","input":{"key":"k","ttl":9,"value":"v"}}"#,
        "null",
    ),
    ("cache.delete('k')", r#"{"asked":"cache.delete","input":{"key":"k"}}"#, "null"),
    ("idToken.setCustomClaim('plan', null)", "api", r#"{"key":"plan","value":null}"#),
    (
        "multifactor.enable('google-authenticator', { allowRememberBrowser: true })",
        "api",
        r#"{"provider":"google-authenticator","allowRememberBrowser":true}"#,
    ),
    (
        "multifactor.enable('duo', { providerOptions: { host: 'h', ikey: 'i', skey: 's' } })",
        "api",
        r#"{"provider":"duo","allowRememberBrowser":false}"#,
    ),
    (
        "prompt.render('ap_1', { fields: { a_1: 1 }, vars: { 'b c': [2] } })",
        "undefined",
        r#"{"promptId":"ap_1","fields":{"a_1":1},"vars":{"b c":[2]}}"#,
    ),
    ("redirect.canRedirect()", "true", "null"),
    (
        "redirect.sendUserTo('https://a.example/p?x=1&y=2', { query: { y: 'z z', w: '' } })",
        "api",
        r#"{"url":"https://a.example/p?x=1&y=z+z&w="}"#,
    ),
    ("refreshToken.revoke('lost')", "undefined", r#"{"reason":"lost"}"#),
    ("refreshToken.revoke()", "undefined", r#"{"reason":""}"#),
    ("refreshToken.setExpiresAt(-1.5)", "undefined", r#"{"absolute":-1.5}"#),
    ("refreshToken.setIdleExpiresAt(1e12)", "undefined", r#"{"inactivity":1000000000000.0}"#),
    ("refreshToken.setMetadata('a', 'b')", "undefined", r#"{"key":"a","value":"b"}"#),
    ("refreshToken.setMetadata('a', null)", "undefined", "null"),
    ("refreshToken.deleteMetadata('a')", "undefined", r#"{"key":"a"}"#),
    ("refreshToken.evictMetadata()", "undefined", "{}"),
    ("rules.wasExecuted('r')", "false", "null"),
    (
        "samlResponse.setAttribute('a', ['x', 1, true])",
        "api",
        r#"{"setting":"setAttribute","value":{"attribute":"a","value":["x",1,true]}}"#,
    ),
    (
        "samlResponse.setAttribute('a')",
        "api",
        r#"{"setting":"setAttribute","value":{"attribute":"a","value":null}}"#,
    ),
    ("samlResponse.setAudience('a')", "api", r#"{"setting":"setAudience","value":"a"}"#),
    ("samlResponse.setRecipient('a')", "api", r#"{"setting":"setRecipient","value":"a"}"#),
    ("samlResponse.setDestination('a')", "api", r#"{"setting":"setDestination","value":"a"}"#),
    ("samlResponse.setIssuer('a')", "api", r#"{"setting":"setIssuer","value":"a"}"#),
    ("samlResponse.setRelayState('a')", "api", r#"{"setting":"setRelayState","value":"a"}"#),
    ("samlResponse.setCreateUpnClaim(true)", "api", r#"{"setting":"setCreateUpnClaim","value":true}"#),
    (
        "samlResponse.setPassthroughClaimsWithNoMapping(true)",
        "api",
        r#"{"setting":"setPassthroughClaimsWithNoMapping","value":true}"#,
    ),
    (
        "samlResponse.setMapUnknownClaimsAsIs(true)",
        "api",
        r#"{"setting":"setMapUnknownClaimsAsIs","value":true}"#,
    ),
    ("samlResponse.setMapIdentities(false)", "api", r#"{"setting":"setMapIdentities","value":false}"#),
    (
        "samlResponse.setSignatureAlgorithm('rsa-sha256')",
        "api",
        r#"{"setting":"setSignatureAlgorithm","value":"rsa-sha256"}"#,
    ),
    ("samlResponse.setDigestAlgorithm('sha1')", "api", r#"{"setting":"setDigestAlgorithm","value":"sha1"}"#),
    (
        "samlResponse.setEncryptionAlgorithm('aes256-gcm')",
        "api",
        r#"{"setting":"setEncryptionAlgorithm","value":"aes256-gcm"}"#,
    ),
    ("samlResponse.setLifetimeInSeconds(60)", "api", r#"{"setting":"setLifetimeInSeconds","value":60}"#),
    ("samlResponse.setSignResponse(true)", "api", r#"{"setting":"setSignResponse","value":true}"#),
    (
        "samlResponse.setNameIdentifierFormat()",
        "api",
        r#"{"setting":"setNameIdentifierFormat","value":null}"#,
    ),
    (
        "samlResponse.setNameIdentifierProbes(['a'])",
        "api",
        r#"{"setting":"setNameIdentifierProbes","value":["a"]}"#,
    ),
    (
        "samlResponse.setAuthnContextClassRef('a')",
        "api",
        r#"{"setting":"setAuthnContextClassRef","value":"a"}"#,
    ),
    ("samlResponse.setSigningCert('a')", "api", r#"{"setting":"setSigningCert","value":"a"}"#),
    (
        "samlResponse.setIncludeAttributeNameFormat(true)",
        "api",
        r#"{"setting":"setIncludeAttributeNameFormat","value":true}"#,
    ),
    ("samlResponse.setTypedAttributes(true)", "api", r#"{"setting":"setTypedAttributes","value":true}"#),
    ("samlResponse.setEncryptionCert('a')", "api", r#"{"setting":"setEncryptionCert","value":"a"}"#),
    (
        "samlResponse.setEncryptionPublicKey('a')",
        "api",
        r#"{"setting":"setEncryptionPublicKey","value":"a"}"#,
    ),
    ("samlResponse.setCert('a')", "api", r#"{"setting":"setCert","value":"a"}"#),
    ("samlResponse.setKey('secret')", "api", r#"{"setting":"setKey","value":"(a key)"}"#),
    (
        "session.revoke('out', { preserveRefreshTokens: true })",
        "undefined",
        r#"{"reason":"out","preserveRefreshTokens":true}"#,
    ),
    ("session.setExpiresAt(-1)", "undefined", r#"{"absolute":-1.0}"#),
    ("session.setIdleExpiresAt(1.5)", "undefined", r#"{"inactivity":1.5}"#),
    ("session.setCookieMode('non-persistent')", "undefined", r#"{"mode":"non-persistent"}"#),
    ("session.setMetadata('a-1', 'b')", "undefined", r#"{"key":"a-1","value":"b"}"#),
    ("session.setMetadata('known', null)", "undefined", r#"{"key":"known","value":null}"#),
    ("session.setMetadata('unknown', null)", "undefined", "null"),
    ("session.deleteMetadata('known')", "undefined", r#"{"key":"known"}"#),
    ("session.deleteMetadata('unknown')", "undefined", "null"),
    ("session.evictMetadata()", "undefined", "{}"),
    ("transaction.setMetadata('n', 1.5)", "undefined", r#"{"key":"n","value":1.5}"#),
    ("transaction.setMetadata('n', null)", "undefined", r#"{"key":"n","value":null}"#),
    ("user.setAppMetadata('a', { b: 1 })", "api", r#"{"key":"a","value":{"b":1}}"#),
    ("user.setUserMetadata('a', null)", "api", r#"{"key":"a","value":null}"#),
    ("validation.error('code', 'message')", "api", r#"{"errorCode":"code","errorMessage":"message"}"#),
];

/// A call that is refused, and what it throws.
const REFUSED: &[(&str, &str)] = &[
    (
        "accessToken.setCustomClaim(1, 'a')",
        "TypeError: api.accessToken.setCustomClaim: `key` must be a string",
    ),
    ("idToken.setCustomClaim('scope', 'a')", "Error: api.idToken.setCustomClaim: `scope` is no claim"),
    ("accessToken.addScope(1)", "TypeError: api.accessToken.addScope: `scope` must be a string"),
    ("accessToken.addScope('  ')", "Error: api.accessToken.addScope: `scope` must not be empty"),
    ("accessToken.addScope('a b')", "Error: api.accessToken.addScope: `scope` must hold no white space"),
    (
        "accessToken.removeScope('a'.repeat(281))",
        "Error: api.accessToken.removeScope: `scope` must have at most 280",
    ),
    (
        "authentication.challengeWith({ type: 'fax' })",
        "Error: api.authentication.challengeWith: `factor.type` must be one of",
    ),
    (
        "authentication.challengeWith('otp')",
        "TypeError: api.authentication.challengeWith: `factor` must be an object",
    ),
    (
        "authentication.challengeWith({ type: 'otp', options: { preferredMethod: 'sms' } })",
        "Error: api.authentication.challengeWith: `preferredMethod` is for `phone` only",
    ),
    (
        "authentication.challengeWith({ type: 'phone', options: { preferredMethod: 'fax' } })",
        "Error: api.authentication.challengeWith: `preferredMethod` must be one of",
    ),
    (
        "authentication.challengeWith({ type: 'otp' }, { additionalFactors: [{ type: 'fax' }] })",
        "Error: api.authentication.challengeWith: `additionalFactors[0].type`",
    ),
    (
        "authentication.challengeWithAny([])",
        "Error: api.authentication.challengeWithAny: `factors` must not be empty",
    ),
    (
        "authentication.enrollWith({ type: 'email' })",
        "Error: api.authentication.enrollWith: `factor.type` must be one of",
    ),
    (
        "authentication.enrollWithAny('otp')",
        "TypeError: api.authentication.enrollWithAny: `factors` must be an array",
    ),
    (
        "authentication.recordMethod('https://a.example')",
        "Error: api.authentication.recordMethod: a method is recorded in onContinuePostLogin only",
    ),
    (
        "authentication.recordMethod('pwd')",
        "Error: api.authentication.recordMethod: `provider_url` must be an absolute URL",
    ),
    (
        "authentication.setPrimaryUser('')",
        "Error: api.authentication.setPrimaryUser: `primary_user_id` must not be empty",
    ),
    (
        "authentication.setPrimaryUser('a'.repeat(129))",
        "Error: api.authentication.setPrimaryUser: `primary_user_id` must have at most 128",
    ),
    (
        "(api.authentication.setPrimaryUser('a'), api.authentication.setPrimaryUser('b'))",
        "Error: api.authentication.setPrimaryUser: the primary user may be set once",
    ),
    ("multifactor.enable('sms')", "Error: api.multifactor.enable: `provider` must be one of"),
    (
        "multifactor.enable('any', { allowRememberBrowser: 1 })",
        "TypeError: api.multifactor.enable: `allowRememberBrowser` must be a boolean",
    ),
    (
        "multifactor.enable('duo', { providerOptions: { host: 'h' } })",
        "TypeError: api.multifactor.enable: `providerOptions.ikey` must be a string",
    ),
    (
        "multifactor.enable('any', { providerOptions: {} })",
        "Error: api.multifactor.enable: `providerOptions` are for `duo` only",
    ),
    ("prompt.render('a'.repeat(49))", "Error: api.prompt.render: `promptId` must have at most 48"),
    (
        "prompt.render('a', { fields: { '1': 1 } })",
        "Error: api.prompt.render: `fields` may not have the key `1`",
    ),
    (
        "prompt.render('a', { vars: { a: 'x'.repeat(25000) } })",
        "Error: api.prompt.render: `promptOptions` may have at most 24 KiB",
    ),
    ("redirect.sendUserTo('/relative')", "Error: api.redirect.sendUserTo: `url` must be an absolute URL"),
    (
        "redirect.sendUserTo('javascript:alert(1)')",
        "Error: api.redirect.sendUserTo: `url` must be http or https",
    ),
    (
        "redirect.encodeToken({ payload: {} })",
        "TypeError: api.redirect.encodeToken: `secret` must be a string",
    ),
    (
        "redirect.validateToken({ secret: 's' })",
        "Error: api.redirect.validateToken: the parameter `session_token` is missing",
    ),
    (
        "refreshToken.revoke('a'.repeat(1025))",
        "Error: api.refreshToken.revoke: `reason` must have at most 1024",
    ),
    (
        "refreshToken.setExpiresAt('1')",
        "TypeError: api.refreshToken.setExpiresAt: `absolute` must be a finite number",
    ),
    ("refreshToken.setIdleExpiresAt(0)", "Error: api.refreshToken.setIdleExpiresAt: a value must be given"),
    (
        "refreshToken.setMetadata('a b', 'c')",
        "Error: Failed to set refresh token metadata: a key has 1 to 255",
    ),
    (
        "refreshToken.setMetadata('a', 1)",
        "Error: Failed to set refresh token metadata: the value must be a string",
    ),
    ("session.setMetadata('', 'c')", "Error: Failed to set session metadata: a key has 1 to 255"),
    (
        "session.setMetadata('a', 'x'.repeat(256))",
        "Error: Failed to set session metadata: a value has at most 255",
    ),
    (
        "session.setMetadata('a', '\\0')",
        "Error: Failed to set session metadata: a value may hold no null byte",
    ),
    ("session.setCookieMode('nonpersistent')", "Error: api.session.setCookieMode: `mode` must be one of"),
    ("session.revoke()", "TypeError: api.session.revoke: `reason` must be a string"),
    ("session.revoke('a', { other: true })", "Error: api.session.revoke: unknown option `other`"),
    ("session.setExpiresAt(NaN)", "Error: api.session.setExpiresAt: a value must be given"),
    (
        "session.setExpiresAt(Infinity)",
        "TypeError: api.session.setExpiresAt: `absolute` must be a finite number",
    ),
    ("rules.wasExecuted()", "TypeError: api.rules.wasExecuted: `ruleId` must be a string"),
    ("samlResponse.setAttribute('a', { b: 1 })", "TypeError: api.samlResponse.setAttribute: `value` must be"),
    (
        "samlResponse.setAudience('a'.repeat(2049))",
        "Error: api.samlResponse.setAudience: `value` must have at most 2048",
    ),
    (
        "samlResponse.setSignatureAlgorithm('md5')",
        "Error: api.samlResponse.setSignatureAlgorithm: `value` must be one of",
    ),
    (
        "samlResponse.setLifetimeInSeconds('1')",
        "TypeError: api.samlResponse.setLifetimeInSeconds: `seconds` must be",
    ),
    (
        "samlResponse.setNameIdentifierProbes(Array(11).fill('a'))",
        "Error: api.samlResponse.setNameIdentifierProbes: there may be at most 10",
    ),
    (
        "samlResponse.setSignResponse('yes')",
        "TypeError: api.samlResponse.setSignResponse: `value` must be a boolean",
    ),
    (
        "transaction.setMetadata('a'.repeat(65), 1)",
        "Error: api.transaction.setMetadata: `key` must have 1 to 64",
    ),
    ("transaction.setMetadata('a', {})", "TypeError: api.transaction.setMetadata: `value` must be a string"),
    ("transaction.setMetadata('a', 2 ** 53)", "Error: api.transaction.setMetadata: a number must be finite"),
    (
        "transaction.setMetadata('a', 'x'.repeat(8193))",
        "Error: api.transaction.setMetadata: a string has at most 8 kB",
    ),
    ("user.setAppMetadata('a.b', 1)", "Error: api.user.setAppMetadata: a key may not be empty"),
    ("user.setUserMetadata('a$', 1)", "Error: api.user.setUserMetadata: a key may not be empty"),
    ("user.setAppMetadata('blocked', 1)", "TypeError: metadata key `blocked` is empty, reserved"),
    (
        "validation.error('a'.repeat(101), 'b')",
        "Error: api.validation.error: `errorCode` must have at most 100",
    ),
    ("validation.error('a', 1)", "TypeError: api.validation.error: `errorMessage` must be a string"),
];

/// Methods that are called in another test of this file, or in the test of their own.
const ELSEWHERE: &[&str] = &[
    "authentication.recordMethod",
    "redirect.encodeToken",
    "redirect.validateToken",
    "groups.getUserGroups",
    "groups.hasGroupMembership",
    "roles.getUserEffectiveRoles",
    "roles.getUserEffectiveRolesByIds",
    "roles.getUserEffectiveRolesByNames",
];

/// Methods that are not there: the dialect has them behind a flag, and says nothing of what they do.
const ABSENT: &[&str] = &[
    "transaction.addTargetScope",
    "transaction.removeTargetScope",
    "transaction.setTargetScopes",
    "transaction.clearTargetScopes",
];

#[test]
fn every_method_is_called_here_or_absent_with_a_reason() {
    let list: Value =
        serde_json::from_str(include_str!("../../../tests/fixtures/post-login.json")).expect("JSON");
    let methods = list["api"].as_array().expect("a list of methods");
    assert_eq!(methods.len(), 72);
    for method in methods {
        let name = method.as_str().and_then(|name| name.strip_prefix("api.")).expect("a name");
        let called =
            CALLS.iter().any(|(call, ..)| call.starts_with(&format!("{name}("))) || ELSEWHERE.contains(&name);
        assert_ne!(called, ABSENT.contains(&name), "{name}");
        let (there, ..) = call(&format!("typeof api.{name}"));
        assert_eq!(there == "\"function\"", called, "{name}: {there}");
    }
}

#[test]
fn each_call_answers_and_records_what_the_dialect_says() {
    for (expression, answer, recorded) in CALLS {
        let (given, _, report) = call(&format!("api.{expression}"));
        assert_eq!(given, *answer, "{expression}");
        let recorded: Value = serde_json::from_str(recorded).expect("JSON");
        let expected = match recorded {
            Value::Null => json!([]),
            mut command => {
                let name = expression.split('(').next().expect("a name");
                command["command"] =
                    json!(if name.starts_with("samlResponse") { "samlResponse" } else { name });
                json!([command])
            }
        };
        assert_eq!(commands(&report), expected, "{expression}");
    }
}

#[test]
fn each_bad_argument_is_refused_at_the_call() {
    for (expression, thrown) in REFUSED {
        let expression =
            if expression.starts_with('(') { (*expression).to_owned() } else { format!("api.{expression}") };
        let (given, ..) = call(&expression);
        assert!(given.starts_with(&format!("threw {thrown}")), "{expression}: {given}");
    }
}

#[test]
fn metadata_and_cookie_mode_are_seen_at_once() {
    let (_, after, _) = call("[api.session.setMetadata('a', 'b'), api.session.setMetadata('known', null)]");
    assert_eq!(after["session"]["metadata"], json!({ "a": "b" }));
    let (_, after, _) = call("api.session.evictMetadata()");
    assert_eq!(after["session"]["metadata"], json!({}));
    let (_, after, _) = call("api.session.setCookieMode('non-persistent')");
    assert_eq!(after["session"]["cookie"], json!({ "mode": "non-persistent" }));
    let (_, after, _) = call("api.transaction.setMetadata('n', true)");
    assert_eq!(after["transaction"]["metadata"], json!({ "n": true }));
    // Of a refresh token that is not there yet, the event shows nothing.
    let (_, after, report) = call("api.refreshToken.setMetadata('a', 'b')");
    assert_eq!((after.get("refresh_token"), report.commands.len()), (None, 1));
    let mut exchange = event();
    exchange["refresh_token"] = json!({ "id": "rt_1", "access": "offline" });
    let (_, after, _) = call_on(exchange, "api.refreshToken.setMetadata('a', 'b')");
    assert_eq!(after["refresh_token"]["metadata"], json!({ "a": "b" }));
}

#[test]
fn a_session_or_token_has_25_entries_at_most() {
    let fill = |group: &str| {
        format!("Array.from({{ length: 26 }}, (_, i) => api.{group}.setMetadata('k' + i, 'v')).length")
    };
    for (group, what) in [("session", "session"), ("refreshToken", "refresh token")] {
        let (given, _, report) = call(&fill(group));
        let expected = format!("threw Error: Failed to set {what} metadata: there may be at most 25 entries");
        assert_eq!(given, expected);
        let left = if group == "session" { 24 } else { 25 };
        assert_eq!(report.commands.len(), left, "{group}");
    }
}

#[test]
fn without_a_session_its_methods_do_what_the_dialect_says() {
    let mut without = event();
    without.as_object_mut().expect("an object").remove("session");
    let of = |expression: &str| call_on(without.clone(), expression);
    let (given, ..) = of("api.session.setMetadata('a', 'b')");
    assert_eq!(given, "threw Error: Failed to set session metadata: this flow has no session");
    for silent in ["deleteMetadata('a')", "evictMetadata()", "setCookieMode('persistent')"] {
        let (given, _, report) = of(&format!("api.session.{silent}"));
        assert_eq!((given.as_str(), report.commands.len()), ("undefined", 0), "{silent}");
    }
    let (given, _, report) = of("api.session.setExpiresAt(1)");
    assert_eq!((given.as_str(), report.commands.len()), ("undefined", 1));
}

#[test]
fn an_online_refresh_token_has_nothing_of_its_own() {
    let mut online = event();
    online["refresh_token"] = json!({ "id": "rt_1", "access": "online" });
    for method in [
        "setExpiresAt(1)",
        "setIdleExpiresAt(1)",
        "setMetadata('a', 'b')",
        "deleteMetadata('a')",
        "evictMetadata()",
    ] {
        let (given, _, report) = call_on(online.clone(), &format!("api.refreshToken.{method}"));
        assert!(given.starts_with("threw Error: api.refreshToken."), "{method}: {given}");
        assert!(report.commands.is_empty());
    }
}

#[test]
fn where_nobody_can_be_redirected_the_api_says_so() {
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

#[test]
fn a_redirect_and_a_form_in_one_action_are_refused_although_the_action_catches_it() {
    for both in [
        "api.redirect.sendUserTo('https://a.example') && api.prompt.render('ap_1')",
        "api.prompt.render('ap_1') || api.redirect.sendUserTo('https://a.example')",
        "api.prompt.render('ap_1') || api.prompt.render('ap_2')",
    ] {
        let (given, _, report) = call(both);
        assert!(given.starts_with("threw Error: api."), "{given}");
        assert_eq!(report.commands.len(), 2, "the server sees both, and refuses the login");
    }
}

#[test]
fn a_token_for_the_other_site_is_read_there_and_its_answer_here() {
    let encode =
        "api.redirect.encodeToken({ secret: 'shh', expiresInSeconds: 60, payload: { a: 1, sub: 'mine' } })";
    let (token, ..) = call(encode);
    let token: String = serde_json::from_str(&token).expect("a string");
    let parts: Vec<&str> = token.split('.').collect();
    assert_eq!(parts[0], "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9");
    let (payload, ..) = call(&format!("JSON.parse(Buffer.from('{}', 'base64url').toString())", parts[1]));
    let now = common::NOW_MS / 1000;
    let expected = json!({ "iat": now, "exp": now + 60, "iss": "acme.example", "sub": "mine", "ip": "192.0.2.1", "a": 1 });
    assert_eq!(serde_json::from_str::<Value>(&payload).expect("JSON"), expected);

    let answer = |payload: &str| {
        let encode = format!("api.redirect.encodeToken({{ secret: 'shh', payload: {payload} }})");
        serde_json::from_str::<String>(&call(&encode).0).expect("a string")
    };
    let validate = |token: &str, secret: &str| {
        let mut back = event();
        back["request"]["query"] = json!({ "state": "the-state", "session_token": "from the query" });
        back["request"]["body"] = json!({ "session_token": token });
        call_on(back, &format!("api.redirect.validateToken({{ secret: '{secret}' }}).done")).0
    };
    let good = answer("{ state: 'the-state', done: true }");
    assert_eq!(validate(&good, "shh"), "true");
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

#[test]
fn the_host_checks_what_goes_round_the_api() {
    for bad in [
        r#"{"command":"session.setMetadata","key":"a b","value":"x"}"#,
        r#"{"command":"transaction.setMetadata","key":"a","value":[]}"#,
        r#"{"command":"accessToken.addScope","scope":"a b"}"#,
        r#"{"command":"redirect.sendUserTo","url":"javascript:alert(1)"}"#,
        r#"{"command":"authentication.enrollWith","factor":{"type":"email"}}"#,
        r#"{"command":"authentication.challengeWithAny","factors":[]}"#,
        r#"{"command":"authentication.recordMethod","provider_url":"pwd"}"#,
        r#"{"command":"validation.error","errorCode":1,"errorMessage":""}"#,
        r#"{"command":"samlResponse","setting":"setNothing","value":1}"#,
    ] {
        assert!(Command::decode(bad.as_bytes()).is_err(), "{bad}");
    }
}
