//! Section 3.2: the metadata of sessions and refresh tokens.

use serde_json::json;

use super::{call, call_on, commands, exchange, refuses, without_session};

#[test]
fn s3_2_without_a_session_or_a_token() {
    let of = |expression: &str| call_on(without_session(), expression);
    let (given, _, report) = of("api.session.setMetadata('a', 'b')");
    assert_eq!(given, "threw Error: Failed to set session metadata: this flow has no session");
    assert!(report.commands.is_empty());
    for silent in ["deleteMetadata('a')", "evictMetadata()"] {
        let (given, _, report) = of(&format!("api.session.{silent}"));
        assert_eq!((given.as_str(), report.commands.len()), ("undefined", 0), "{silent}");
    }
    for allowed in ["setMetadata('a', 'b')", "deleteMetadata('a')", "evictMetadata()"] {
        let (given, after, report) = of(&format!("api.refreshToken.{allowed}"));
        assert_eq!((given.as_str(), report.commands.len()), ("undefined", 1), "{allowed}");
        assert_eq!(after.get("refresh_token"), None, "the event gets none");
    }
}

#[test]
fn s3_2_null_removes() {
    let (_, after, report) = call("api.session.setMetadata('known', null)");
    assert_eq!(after["session"]["metadata"], json!({}));
    assert_eq!(
        commands(&report),
        json!([{ "command": "session.setMetadata", "key": "known", "value": null }])
    );
    for absent in
        ["api.session.setMetadata('unknown', null)", "api.refreshToken.setMetadata('unknown', null)"]
    {
        assert!(call(absent).2.commands.is_empty(), "{absent}");
    }
    let (_, after, report) = call_on(exchange(), "api.refreshToken.setMetadata('known', null)");
    assert_eq!((&after["refresh_token"]["metadata"], report.commands.len()), (&json!({}), 1));
}

#[test]
fn s3_2_strings_alone_and_the_whole_object() {
    for (group, what) in [("session", "session"), ("refreshToken", "refresh token")] {
        for (arguments, rule) in [
            ("1, 'a'", "the key must be a string"),
            ("'a', 1", "the value must be a string or null"),
            ("'a', { b: 1 }", "the value must be a string or null"),
            ("'a'", "the value must be a string or null"),
        ] {
            let call = format!("{group}.setMetadata({arguments})");
            refuses(&call, &format!("Error: Failed to set {what} metadata: {rule}"));
        }
    }
    // What was there stays beside what is set.
    let (_, after, _) = call("api.session.setMetadata('a', 'b')");
    assert_eq!(after["session"]["metadata"], json!({ "known": "1", "a": "b" }));
    let (_, after, _) = call_on(exchange(), "api.refreshToken.setMetadata('a', 'b')");
    assert_eq!(after["refresh_token"]["metadata"], json!({ "known": "1", "a": "b" }));
}

#[test]
fn s3_2_errors_have_a_prefix_and_leave_nothing() {
    for (group, what) in [("session", "session"), ("refreshToken", "refresh token")] {
        refuses(
            &format!("{group}.setMetadata('a b', 'c')"),
            &format!("Error: Failed to set {what} metadata: a key has 1 to 255"),
        );
        // A caught error costs the entry that it is about, and no other.
        let caught = format!(
            "(() => {{ try {{ api.{group}.setMetadata('a b', 'c') }} catch {{}} api.{group}.setMetadata('good', 'c') }})()"
        );
        let (given, after, report) =
            call_on(if group == "session" { super::event() } else { exchange() }, &caught);
        assert_eq!((given.as_str(), report.commands.len()), ("undefined", 1), "{given}");
        let place = if group == "session" { "session" } else { "refresh_token" };
        assert_eq!(after[place]["metadata"], json!({ "known": "1", "good": "c" }));
    }
}
