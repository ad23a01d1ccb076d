use std::sync::Arc;

use action_api::{Command, Handler, NoOperations};
use serde_json::{Value, json};

use super::{guest, input, printed, run};
use crate::common::{LIMITS, run_handler, script};

/// The same calls, in the same order. `continues`: with the one that only the continuing handler may make.
fn script_commands() -> Vec<Command> {
    let body = r#"
        api.session.setExpiresAt(1780001800000.5);
        api.session.setIdleExpiresAt(1780000900000);
        api.session.setCookieMode('non-persistent');
        api.session.setMetadata('key', 'value');
        api.session.setMetadata('key', null);
        api.session.setMetadata('key', 'value');
        api.session.deleteMetadata('key');
        api.session.setMetadata('key', 'value');
        api.session.evictMetadata();
        api.idToken.setCustomClaim('key', { a: [1, null] });
        api.accessToken.setCustomClaim('key', { a: [1, null] });
        api.accessToken.addScope('read:x');
        api.accessToken.removeScope('read:x');
        api.refreshToken.setExpiresAt(1780001800000);
        api.refreshToken.setIdleExpiresAt(1780000900000);
        api.refreshToken.setMetadata('key', 'value');
        api.refreshToken.deleteMetadata('key');
        api.refreshToken.evictMetadata();
        api.user.setUserMetadata('key', { a: [1, null] });
        api.user.setAppMetadata('key', null);
        api.transaction.setMetadata('key', 7);
        const phone = { type: 'phone', options: { preferredMethod: 'sms' } };
        const push = { type: 'push-notification', options: { otpFallback: true } };
        api.authentication.challengeWith({ type: 'otp' }, { additionalFactors: [phone, push] });
        api.authentication.challengeWithAny([phone, push]);
        api.authentication.enrollWith({ type: 'otp' });
        api.authentication.enrollWithAny([phone, push]);
        api.multifactor.enable('google-authenticator', { allowRememberBrowser: true });
        api.authentication.recordMethod('https://method.example/x');
        api.authentication.setPrimaryUser('auth0|2');
        api.redirect.sendUserTo('https://site.example/a?b=1&c=2&b=3', { query: { b: 'x y', d: '&' } });
        try { api.prompt.render('ap_1', { fields: { f: 1 }, vars: {} }) } catch {}
        api.validation.error('code', 'message');
        api.refreshToken.revoke('message');
        api.session.revoke('message', { preserveRefreshTokens: true });
        api.access.deny('message');
    "#;
    let code = format!("exports.onContinuePostLogin = async (event, api) => {{\n{body}\n}};");
    let artifact =
        script(&format!("{code}\nexports.onExecutePostLogin = async () => {{}};")).expect("it builds");
    let event = r#"{"session":{"id":"s","metadata":{}}}"#;
    let report = run_handler(&artifact, Handler::Continue, event, 1, &LIMITS, Arc::new(NoOperations)).report;
    assert_eq!(report.error, None);
    // The script's metadata are live: a second entry is needed before it can be removed or all can be evicted.
    let mut commands = report.commands;
    let again = Command::SessionSetMetadata { key: "key".into(), value: Some("value".into()) };
    let first = commands.iter().position(|command| *command == again).expect("it is set");
    let mut at = 0;
    commands.retain(|command| {
        at += 1;
        *command != again || at == first + 1
    });
    commands
}

#[test]
fn a_component_gives_every_command_that_a_script_gives() {
    let component = guest("every.c");
    let report = run(&component, &input(Handler::Continue, "{}"), Arc::new(NoOperations)).report;
    assert_eq!((report.error, printed_or_nothing(&report.console)), (None, Vec::<&str>::new()));
    assert_eq!(json!(report.commands), json!(script_commands()));

    let mut names: Vec<&str> = report.commands.iter().map(Command::name).collect();
    names.dedup();
    names.sort_unstable();
    names.dedup();
    let reference: Value =
        serde_json::from_str(include_str!("../../../../tests/fixtures/post-login.json")).expect("JSON");
    // These make no command, are asked of the world, or are of SAML.
    let others = ["cache.", "groups.", "roles.", "rules.", "samlResponse.", "redirect.", "access.", "fetch"];
    let all = methods(&reference);
    assert!(all.len() > 40, "{all:?}");
    for method in all {
        assert!(
            names.contains(&method.as_str())
                || others.iter().any(|other| method.starts_with(other))
                || method.contains("TargetScope"),
            "{method} has no function of a component"
        );
    }
}

fn printed_or_nothing(console: &[action_api::ConsoleLine]) -> Vec<&str> {
    console.iter().map(|line| line.text.as_str()).collect()
}

/// The names of methods, after `api.`.
fn methods(reference: &Value) -> Vec<String> {
    fn collect(value: &Value, into: &mut Vec<String>) {
        match value {
            Value::String(text) => {
                if let Some(name) = text.strip_prefix("api.")
                    && name.split('.').count() == 2
                    && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
                {
                    into.push(name.to_owned());
                }
            }
            Value::Array(all) => all.iter().for_each(|value| collect(value, into)),
            Value::Object(all) => all.iter().for_each(|(key, value)| {
                collect(&json!(key), into);
                collect(value, into);
            }),
            _ => {}
        }
    }
    let mut all = Vec::new();
    collect(reference, &mut all);
    all.sort();
    all.dedup();
    all
}

#[test]
fn a_component_that_goes_on_after_a_redirect_has_another_export_for_it() {
    let continues = guest("every.c");
    let execute = run(&continues, &input(Handler::Execute, "{}"), Arc::new(NoOperations)).report;
    assert_eq!(execute.error, None);
    assert!(!execute.commands.iter().any(|command| command.name() == "authentication.recordMethod"));

    let does_not = guest("outside.c");
    let report = run(&does_not, &input(Handler::Continue, "{}"), Arc::new(NoOperations)).report;
    let error = report.error.expect("it has none").to_string();
    assert!(error.contains("`on-continue-post-login`"), "{error}");
}

#[test]
fn what_a_command_may_not_be_is_refused_at_the_call_with_the_reason() {
    let report = run(&guest("every.c"), &input(Handler::Execute, "{ }"), Arc::new(NoOperations)).report;
    assert_eq!((report.error.clone(), report.commands.len()), (None, 0));
    let said = printed(&report);
    let expected = [
        "session.setExpiresAt needs a finite number of milliseconds since the Unix epoch",
        "refreshToken.setIdleExpiresAt needs a finite number",
        "idToken.setCustomClaim cannot set `scope`",
        "the value is not JSON",
        "metadata key `a.b`",
        "metadata key `blocked`",
        "session.setMetadata: a key has 1 to 255",
        "accessToken.addScope: a scope has 1 to 280",
        "transaction.setMetadata: a value is a string",
        "a method is recorded in `on-continue-post-login` only",
        "authentication.challengeWithAny: there must be a factor",
        "the user is sent to an absolute http or https URL",
        "`fields` and `vars` are JSON objects",
    ];
    assert_eq!(said.len(), expected.len(), "{said:?}");
    for (line, text) in said.iter().zip(expected) {
        assert!(line.starts_with(text), "{line:?} is not {text:?}");
    }
}
