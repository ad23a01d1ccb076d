//! Section 3: sessions, refresh tokens and the transaction.

use serde_json::json;

use super::{answers, call, call_on, exchange, online_refuses, refuses, without_session};

#[test]
fn s3_api_refresh_token_revoke() {
    answers("refreshToken.revoke('lost')", "undefined", r#"{"reason":"lost"}"#);
    answers("refreshToken.revoke()", "undefined", r#"{"reason":""}"#);
    refuses(
        "refreshToken.revoke('a'.repeat(1025))",
        "Error: api.refreshToken.revoke: `reason` must have at most 1024",
    );
    answers(
        "refreshToken.revoke('a'.repeat(1024))",
        "undefined",
        &format!(r#"{{"reason":"{}"}}"#, "a".repeat(1024)),
    );
}

#[test]
fn s3_api_refresh_token_set_expires_at() {
    answers("refreshToken.setExpiresAt(-1.5)", "undefined", r#"{"absolute":-1.5}"#);
    refuses(
        "refreshToken.setExpiresAt('1')",
        "TypeError: api.refreshToken.setExpiresAt: `absolute` must be a finite number",
    );
    online_refuses("setExpiresAt(1)");
}

#[test]
fn s3_api_refresh_token_set_idle_expires_at() {
    answers("refreshToken.setIdleExpiresAt(1e12)", "undefined", r#"{"inactivity":1000000000000.0}"#);
    refuses(
        "refreshToken.setIdleExpiresAt(0)",
        "Error: api.refreshToken.setIdleExpiresAt: a value must be given",
    );
    online_refuses("setIdleExpiresAt(1)");
}

#[test]
fn s3_api_refresh_token_set_metadata() {
    answers("refreshToken.setMetadata('a', 'b')", "undefined", r#"{"key":"a","value":"b"}"#);
    answers("refreshToken.setMetadata('a', null)", "undefined", "null");
    refuses(
        "refreshToken.setMetadata('a b', 'c')",
        "Error: Failed to set refresh token metadata: a key has 1 to 255",
    );
    refuses(
        "refreshToken.setMetadata('a', 1)",
        "Error: Failed to set refresh token metadata: the value must be a string",
    );
    online_refuses("setMetadata('a', 'b')");
    refuses(
        "refreshToken.setMetadata('a', 'x'.repeat(256))",
        "Error: Failed to set refresh token metadata: a value has at most 255",
    );
    refuses(
        "refreshToken.setMetadata('a', '\\0')",
        "Error: Failed to set refresh token metadata: a value may hold no null byte",
    );
    // Of a token that is not there yet, the event shows nothing.
    let (_, after, report) = call("api.refreshToken.setMetadata('a', 'b')");
    assert_eq!((after.get("refresh_token"), report.commands.len()), (None, 1));
}

#[test]
fn s3_api_refresh_token_delete_metadata() {
    answers("refreshToken.deleteMetadata('a')", "undefined", r#"{"key":"a"}"#);
    online_refuses("deleteMetadata('a')");
    let (given, after, report) = call_on(exchange(), "api.refreshToken.deleteMetadata('a')");
    assert_eq!((given.as_str(), report.commands.len()), ("undefined", 0), "it is not there");
    assert_eq!(after["refresh_token"]["metadata"], json!({ "known": "1" }));
}

#[test]
fn s3_api_refresh_token_evict_metadata() {
    answers("refreshToken.evictMetadata()", "undefined", "{}");
    online_refuses("evictMetadata()");
    let (_, after, report) =
        call_on(exchange(), "[api.refreshToken.evictMetadata(), api.refreshToken.evictMetadata()].length");
    assert_eq!(
        (&after["refresh_token"]["metadata"], report.commands.len()),
        (&json!({}), 1),
        "once is enough"
    );
}

#[test]
fn s3_api_session_revoke() {
    answers(
        "session.revoke('out', { preserveRefreshTokens: true })",
        "undefined",
        r#"{"reason":"out","preserveRefreshTokens":true}"#,
    );
    refuses("session.revoke()", "TypeError: api.session.revoke: `reason` must be a string");
    refuses("session.revoke('a', { other: true })", "Error: api.session.revoke: unknown option `other`");
    answers("session.revoke('out')", "undefined", r#"{"reason":"out","preserveRefreshTokens":false}"#);
    answers(
        "session.revoke('x'.repeat(2000))",
        "undefined",
        &format!(r#"{{"reason":"{}","preserveRefreshTokens":false}}"#, "x".repeat(2000)),
    );
    refuses(
        "session.revoke('a', { preserveRefreshTokens: 1 })",
        "TypeError: api.session.revoke: `preserveRefreshTokens` must be a boolean",
    );
}

#[test]
fn s3_api_session_set_expires_at() {
    answers("session.setExpiresAt(-1)", "undefined", r#"{"absolute":-1.0}"#);
    refuses("session.setExpiresAt(NaN)", "Error: api.session.setExpiresAt: a value must be given");
    refuses(
        "session.setExpiresAt(Infinity)",
        "TypeError: api.session.setExpiresAt: `absolute` must be a finite number",
    );
}

#[test]
fn s3_api_session_set_idle_expires_at() {
    answers("session.setIdleExpiresAt(1.5)", "undefined", r#"{"inactivity":1.5}"#);
    refuses("session.setIdleExpiresAt()", "Error: api.session.setIdleExpiresAt: a value must be given");
    refuses(
        "session.setIdleExpiresAt('1')",
        "TypeError: api.session.setIdleExpiresAt: `inactivity` must be a finite",
    );
}

#[test]
fn s3_api_session_set_cookie_mode() {
    answers("session.setCookieMode('non-persistent')", "undefined", r#"{"mode":"non-persistent"}"#);
    refuses(
        "session.setCookieMode('nonpersistent')",
        "Error: api.session.setCookieMode: `mode` must be one of",
    );
    answers("session.setCookieMode('persistent')", "undefined", r#"{"mode":"persistent"}"#);
    let (_, after, _) = call("api.session.setCookieMode('non-persistent')");
    assert_eq!(after["session"]["cookie"], json!({ "mode": "non-persistent" }), "at once");
    let (given, _, report) = call_on(without_session(), "api.session.setCookieMode('persistent')");
    assert_eq!((given.as_str(), report.commands.len()), ("undefined", 0));
}

#[test]
fn s3_api_session_set_metadata() {
    answers("session.setMetadata('a-1', 'b')", "undefined", r#"{"key":"a-1","value":"b"}"#);
    answers("session.setMetadata('known', null)", "undefined", r#"{"key":"known","value":null}"#);
    answers("session.setMetadata('unknown', null)", "undefined", "null");
    refuses("session.setMetadata('', 'c')", "Error: Failed to set session metadata: a key has 1 to 255");
    refuses(
        "session.setMetadata('a', 'x'.repeat(256))",
        "Error: Failed to set session metadata: a value has at most 255",
    );
    refuses(
        "session.setMetadata('a', '\\0')",
        "Error: Failed to set session metadata: a value may hold no null byte",
    );
    let (_, after, _) = call("[api.session.setMetadata('a', 'b'), api.session.setMetadata('known', null)]");
    assert_eq!(after["session"]["metadata"], json!({ "a": "b" }), "at once");
    let (given, ..) = call_on(without_session(), "api.session.setMetadata('a', 'b')");
    assert_eq!(given, "threw Error: Failed to set session metadata: this flow has no session");
}

#[test]
fn s3_api_session_delete_metadata() {
    answers("session.deleteMetadata('known')", "undefined", r#"{"key":"known"}"#);
    answers("session.deleteMetadata('unknown')", "undefined", "null");
    let (given, _, report) = call_on(without_session(), "api.session.deleteMetadata('a')");
    assert_eq!((given.as_str(), report.commands.len()), ("undefined", 0));
}

#[test]
fn s3_api_session_evict_metadata() {
    answers("session.evictMetadata()", "undefined", "{}");
    let (_, after, _) = call("api.session.evictMetadata()");
    assert_eq!(after["session"]["metadata"], json!({}));
    let (given, _, report) = call_on(without_session(), "api.session.evictMetadata()");
    assert_eq!((given.as_str(), report.commands.len()), ("undefined", 0));
}

#[test]
fn s3_api_transaction_set_metadata() {
    answers("transaction.setMetadata('n', 1.5)", "undefined", r#"{"key":"n","value":1.5}"#);
    answers("transaction.setMetadata('n', null)", "undefined", r#"{"key":"n","value":null}"#);
    refuses(
        "transaction.setMetadata('a'.repeat(65), 1)",
        "Error: api.transaction.setMetadata: `key` must have 1 to 64",
    );
    refuses(
        "transaction.setMetadata('a', {})",
        "TypeError: api.transaction.setMetadata: `value` must be a string",
    );
    refuses(
        "transaction.setMetadata('a', 2 ** 53)",
        "Error: api.transaction.setMetadata: a number must be finite",
    );
    refuses(
        "transaction.setMetadata('a', 'x'.repeat(8193))",
        "Error: api.transaction.setMetadata: a string has at most 8 kB",
    );
    let (_, after, _) = call("api.transaction.setMetadata('n', true)");
    assert_eq!(after["transaction"]["metadata"], json!({ "n": true }), "at once");
}
