use std::collections::BTreeMap;

use super::*;

fn session(created_ms: i64, expires_ms: i64) -> Session {
    Session {
        id: model::SessionId::new("s"),
        user_id: model::UserId::new("u"),
        connection_id: model::ConnectionId::new("c"),
        created_at: Timestamp::from_ms(created_ms),
        updated_at: Timestamp::from_ms(created_ms),
        authenticated_at: Timestamp::from_ms(created_ms),
        last_interacted_at: Timestamp::from_ms(created_ms),
        expires_at: Timestamp::from_ms(expires_ms),
        idle_expires_at: Timestamp::from_ms(expires_ms),
        revoked_at: None,
        methods: Vec::new(),
        device: model::Device::default(),
        clients: Vec::new(),
        parent_refresh_token: None,
        cookie_mode: model::CookieMode::Persistent,
        idle_lifetime_secs: 100,
        metadata: BTreeMap::new(),
    }
}

const SETTINGS: SessionSettings = SessionSettings {
    session_lifetime_secs: 1000,
    idle_session_lifetime_secs: 100,
    ephemeral_session_lifetime_secs: 500,
    idle_ephemeral_session_lifetime_secs: 50,
    cookie_mode: model::CookieMode::Persistent,
};

#[test]
fn a_lower_limit_counts_at_once_and_a_higher_one_for_new_sessions_only() {
    let at = Timestamp::from_ms;
    for (setting, mode, idle_ms) in [
        (SETTINGS, model::CookieMode::Persistent, 100_000),
        (SETTINGS, model::CookieMode::NonPersistent, 50_000),
        (
            SessionSettings { idle_session_lifetime_secs: 40, ..SETTINGS },
            model::CookieMode::Persistent,
            40_000,
        ),
        (
            SessionSettings { idle_session_lifetime_secs: 400, ..SETTINGS },
            model::CookieMode::Persistent,
            100_000,
        ),
    ] {
        let mut session = session(0, 1_000_000);
        session.cookie_mode = mode;
        Decision::default().limit_session(&mut session, mode, &setting, at(0));
        assert_eq!(session.idle_expires_at, at(idle_ms), "{setting:?}");
        let absolute_ms = if mode == model::CookieMode::Persistent { 1_000_000 } else { 500_000 };
        assert_eq!(session.expires_at, at(absolute_ms));
    }
}

#[test]
fn earliest_expiry_wins_over_all_actions() {
    let mut decision = Decision::default();
    decision
        .fold("a", &[Command::SessionSetExpiresAt { absolute: 500_000.9 }], Timestamp::from_ms(0))
        .unwrap();
    decision
        .fold("b", &[Command::SessionSetExpiresAt { absolute: 900_000.0 }], Timestamp::from_ms(0))
        .unwrap();
    let mut session = session(0, 1_000_000);
    decision.limit_session(&mut session, CookieMode::Persistent, &SETTINGS, Timestamp::from_ms(0));
    assert_eq!(session.expires_at.as_ms(), 500_000);
    assert_eq!(session.idle_expires_at.as_ms(), 100_000);
    assert!(decision.warnings.is_empty());
}

#[test]
fn expiry_beyond_the_tenants_limit_is_cut_with_a_warning() {
    let mut decision = Decision::default();
    decision
        .fold(
            "a",
            &[
                Command::SessionSetExpiresAt { absolute: 1e300 },
                Command::SessionSetIdleExpiresAt { inactivity: 1e15 },
            ],
            Timestamp::from_ms(0),
        )
        .unwrap();
    let mut session = session(0, 1_000_000);
    decision.limit_session(&mut session, CookieMode::Persistent, &SETTINGS, Timestamp::from_ms(0));
    assert_eq!((session.expires_at.as_ms(), session.idle_expires_at.as_ms()), (1_000_000, 100_000));
    assert_eq!(decision.warnings.len(), 2);
}

#[test]
fn a_moment_in_the_past_ends_the_session_at_once() {
    let mut decision = Decision::default();
    decision.fold("a", &[Command::SessionSetExpiresAt { absolute: -1.0 }], Timestamp::from_ms(0)).unwrap();
    let mut session = session(5000, 1_000_000);
    decision.limit_session(&mut session, CookieMode::Persistent, &SETTINGS, Timestamp::from_ms(5000));
    assert!(!session.is_alive(Timestamp::from_ms(5000)));
}

#[test]
fn reserved_claims_are_left_out_with_a_warning() {
    let mut decision = Decision::default();
    decision
        .fold(
            "a",
            &[
                Command::IdTokenSetCustomClaim { key: "SUB".into(), value: json!("evil") },
                Command::IdTokenSetCustomClaim { key: "plan".into(), value: json!("pro") },
            ],
            Timestamp::from_ms(0),
        )
        .unwrap();
    assert_eq!(Value::Object(decision.id_token_claims.clone()), json!({"plan": "pro"}));
    assert_eq!(decision.warnings.len(), 1);
}

#[test]
fn null_removes_a_metadata_key() {
    let mut stored = Map::from_iter([("a".to_owned(), json!(1)), ("b".to_owned(), json!(2))]);
    merge_metadata(&mut stored, &Map::from_iter([("a".to_owned(), Value::Null), ("c".to_owned(), json!(3))]));
    assert_eq!(Value::Object(stored), json!({"b": 2, "c": 3}));
}

#[test]
fn a_refusal_wins_over_a_redirect_and_of_two_redirects_the_last_counts() {
    let to = |url: &str| Command::RedirectSendUserTo { url: url.into() };
    let asked = Decision::default().fold("a", &[to("https://one.test/"), to("https://two.test/")], now());
    assert_eq!(asked, Ok(Some(Suspension::Redirect("https://two.test/".into()))));
    let mut denied = Decision::default();
    let deny = Command::AccessDeny { reason: "no".into() };
    assert_eq!(denied.fold("a", &[deny, to("https://one.test/")], now()), Ok(None));
    assert_eq!(denied.denied.as_deref(), Some("no"));
}

#[test]
fn a_redirect_with_a_form_or_a_factor_and_a_second_form_fail_the_login() {
    let redirect = Command::RedirectSendUserTo { url: "https://one.test/".into() };
    let form = Command::PromptRender { prompt_id: "ap_1".into(), fields: Map::new(), vars: Map::new() };
    let otp = Factor { factor_type: action_api::FactorType::Otp, options: None };
    let factor = Command::AuthenticationChallengeWithAny { factors: vec![otp] };
    for commands in [
        [redirect.clone(), form.clone()],
        [form.clone(), form.clone()],
        [redirect, factor.clone()],
        [form, factor],
    ] {
        assert!(Decision::default().fold("a", &commands, now()).is_err(), "{commands:?}");
    }
}

#[test]
fn a_fifth_challenge_of_a_flow_fails_the_login() {
    let otp = Factor { factor_type: action_api::FactorType::Otp, options: None };
    let challenge = Command::AuthenticationChallengeWithAny { factors: vec![otp] };
    let mut decision = Decision::default();
    for _ in 0..4 {
        assert!(matches!(decision.fold("a", std::slice::from_ref(&challenge), now()), Ok(Some(_))));
    }
    assert!(decision.fold("a", &[challenge], now()).is_err());
}

#[test]
fn the_last_change_of_a_scope_counts() {
    let mut decision = Decision::default();
    let add = |scope: &str| Command::AccessTokenAddScope { scope: scope.into() };
    let remove = |scope: &str| Command::AccessTokenRemoveScope { scope: scope.into() };
    decision.fold("a", &[add("new"), remove("email"), remove("back")], now()).unwrap();
    decision.fold("b", &[add("back"), add("openid")], now()).unwrap();
    let mut scope = ["openid", "email", "back"].map(str::to_owned).to_vec();
    decision.change_scope(&mut scope);
    assert_eq!(scope, ["openid", "back", "new"]);
}

#[test]
fn a_login_may_add_1000_scopes_and_a_run_change_2000() {
    let add = |number: usize| Command::AccessTokenAddScope { scope: format!("s{number}") };
    let remove = |number: usize| Command::AccessTokenRemoveScope { scope: format!("s{number}") };
    let mut decision = Decision::default();
    let all: Vec<Command> = (0..1000).map(add).chain((1000..2000).map(remove)).collect();
    assert_eq!(decision.fold("a", &all, now()), Ok(None));
    assert!(decision.fold("b", &[add(1000)], now()).is_err(), "the 1,001st");
    let many: Vec<Command> = (0..2001).map(remove).collect();
    assert!(Decision::default().fold("a", &many, now()).is_err());
}

#[test]
fn transaction_metadata_are_bounded_over_all_actions() {
    let mut decision = Decision::default();
    let set = |key: &str, length| Command::TransactionSetMetadata {
        key: key.into(),
        value: json!("x".repeat(length)),
    };
    assert!(decision.fold("a", &[set("one", 8000), set("two", 8000)], now()).is_ok());
    assert!(decision.fold("b", &[set("three", 1000)], now()).is_err());
}

#[test]
fn a_refresh_token_is_cut_to_the_clients_lifetimes_and_gets_ends_of_the_defaults_at_most() {
    let settings = RefreshTokenSettings { infinite_token_lifetime: true, ..RefreshTokenSettings::default() };
    let mut decision = Decision::default();
    let (absolute, idle) = (1e13, 5000.0);
    let commands = [
        Command::RefreshTokenSetExpiresAt { absolute },
        Command::RefreshTokenSetIdleExpiresAt { inactivity: idle },
    ];
    decision.fold("a", &commands, now()).unwrap();
    decision.limit_refresh_token(&settings, now());
    assert_eq!(decision.refresh_token.expires_at, Some(now().plus_secs(2_592_000)));
    assert_eq!(decision.refresh_token.idle_expires_at, Some(Timestamp::from_ms(5000)));
    assert_eq!(decision.warnings.len(), 1);
}

fn now() -> Timestamp {
    Timestamp::from_ms(0)
}
