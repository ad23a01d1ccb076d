use action_api::{Command, check_claim_name};
use model::{LogEntry, LogType, Session, SessionSettings, Timestamp};
use serde_json::{Map, Value, json};

/// The one decision that all commands of a login fold into. It is committed once, with the session and the code.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Decision {
    /// `error_description` of the refusal, when an Action denied or failed.
    pub denied: Option<String>,
    /// `api.session.revoke`: the session ends as well. Holds `preserveRefreshTokens`.
    pub revoke_session: Option<bool>,
    /// The earliest absolute expiry asked for.
    pub session_expires_at: Option<Timestamp>,
    /// The earliest idle expiry asked for.
    pub session_idle_expires_at: Option<Timestamp>,
    /// For the ID token.
    pub id_token_claims: Map<String, Value>,
    /// For the access token.
    pub access_token_claims: Map<String, Value>,
    /// Changes to `user_metadata`; `null` removes.
    pub user_metadata: Map<String, Value>,
    /// Changes to `app_metadata`; `null` removes.
    pub app_metadata: Map<String, Value>,
    /// For the tenant's log: what was asked for and had no effect.
    pub warnings: Vec<String>,
}

impl Decision {
    /// Takes in the commands of one run, in order. The earliest expiry wins; the last call for a claim or a metadata
    /// key wins (`reference/post-login.md` section 3).
    pub(crate) fn fold(&mut self, action: &str, commands: &[Command]) {
        for command in commands {
            match command {
                Command::AccessDeny { reason } => {
                    self.denied.get_or_insert_with(|| reason.clone());
                }
                Command::SessionRevoke { reason, preserve_refresh_tokens } => {
                    self.denied.get_or_insert_with(|| reason.clone());
                    self.revoke_session.get_or_insert(*preserve_refresh_tokens);
                }
                Command::SessionSetExpiresAt { absolute } => {
                    earliest(&mut self.session_expires_at, *absolute)
                }
                Command::SessionSetIdleExpiresAt { inactivity } => {
                    earliest(&mut self.session_idle_expires_at, *inactivity);
                }
                Command::IdTokenSetCustomClaim { key, value } => {
                    set_claim(&mut self.id_token_claims, &mut self.warnings, action, key, value);
                }
                Command::AccessTokenSetCustomClaim { key, value } => {
                    set_claim(&mut self.access_token_claims, &mut self.warnings, action, key, value);
                }
                Command::UserSetUserMetadata { key, value } => {
                    self.user_metadata.insert(key.clone(), value.clone());
                }
                Command::UserSetAppMetadata { key, value } => {
                    self.app_metadata.insert(key.clone(), value.clone());
                }
            }
        }
    }

    /// Sets the session's two ends: what the Actions asked for, cut to the tenant's limits with a warning.
    pub(crate) fn limit_session(
        &mut self,
        session: &mut Session,
        settings: &SessionSettings,
        now: Timestamp,
    ) {
        let (lifetime_secs, _) = settings.lifetimes(session.cookie_mode);
        let absolute_limit = session.expires_at.min(session.created_at.plus_secs(lifetime_secs));
        session.expires_at =
            self.cut(self.session_expires_at, absolute_limit, "api.session.setExpiresAt", "session lifetime");
        let idle_limit = idle_limit(session, settings, now);
        let idle = self.cut(
            self.session_idle_expires_at,
            idle_limit,
            "api.session.setIdleExpiresAt",
            "idle session lifetime",
        );
        session.idle_expires_at = idle.min(session.expires_at);
    }

    fn cut(&mut self, asked: Option<Timestamp>, limit: Timestamp, method: &str, what: &str) -> Timestamp {
        match asked {
            Some(asked) if asked > limit => {
                self.warnings.push(format!(
                    "{method} asked for {}, beyond the tenant's {what}: cut to {}",
                    asked.to_iso(),
                    limit.to_iso()
                ));
                limit
            }
            Some(asked) => asked,
            None => limit,
        }
    }

    /// Whether the user's profile changes.
    pub(crate) fn changes_metadata(&self) -> bool {
        !self.user_metadata.is_empty() || !self.app_metadata.is_empty()
    }

    /// The warnings as entries of the tenant's log.
    pub(crate) fn warning_entries(&self, template: &LogEntry) -> Vec<LogEntry> {
        self.warnings
            .iter()
            .map(|warning| LogEntry {
                log_type: LogType::Warning,
                description: warning.clone(),
                details: json!({}),
                ..template.clone()
            })
            .collect()
    }
}

/// When a session that is used now ends if nobody uses it again: a lower limit of the tenant counts at once, a higher
/// one for new sessions only.
pub(crate) fn idle_limit(session: &Session, settings: &SessionSettings, now: Timestamp) -> Timestamp {
    let (_, idle_secs) = settings.lifetimes(session.cookie_mode);
    now.plus_secs(idle_secs.min(session.idle_lifetime_secs))
}

/// Applies changes to stored metadata: `null` removes a key.
pub(crate) fn merge_metadata(stored: &mut Map<String, Value>, changes: &Map<String, Value>) {
    for (key, value) in changes {
        if value.is_null() {
            stored.remove(key);
        } else {
            stored.insert(key.clone(), value.clone());
        }
    }
}

fn earliest(slot: &mut Option<Timestamp>, moment_ms: f64) {
    // `as` saturates, and cuts the fraction off.
    let moment = Timestamp::from_ms(moment_ms as i64);
    *slot = Some(slot.map_or(moment, |known| known.min(moment)));
}

fn set_claim(
    claims: &mut Map<String, Value>,
    warnings: &mut Vec<String>,
    action: &str,
    key: &str,
    value: &Value,
) {
    match check_claim_name(key) {
        Ok(()) => {
            claims.insert(key.to_owned(), value.clone());
        }
        Err(refused) => {
            warnings.push(format!("Action {action}: custom claim `{key}` was left out: {refused}"))
        }
    }
}

#[cfg(test)]
mod tests {
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
            Decision::default().limit_session(&mut session, &setting, at(0));
            assert_eq!(session.idle_expires_at, at(idle_ms), "{setting:?}");
            let absolute_ms = if mode == model::CookieMode::Persistent { 1_000_000 } else { 500_000 };
            assert_eq!(session.expires_at, at(absolute_ms));
        }
    }

    #[test]
    fn earliest_expiry_wins_over_all_actions() {
        let mut decision = Decision::default();
        decision.fold("a", &[Command::SessionSetExpiresAt { absolute: 500_000.9 }]);
        decision.fold("b", &[Command::SessionSetExpiresAt { absolute: 900_000.0 }]);
        let mut session = session(0, 1_000_000);
        decision.limit_session(&mut session, &SETTINGS, Timestamp::from_ms(0));
        assert_eq!(session.expires_at.as_ms(), 500_000);
        assert_eq!(session.idle_expires_at.as_ms(), 100_000);
        assert!(decision.warnings.is_empty());
    }

    #[test]
    fn expiry_beyond_the_tenants_limit_is_cut_with_a_warning() {
        let mut decision = Decision::default();
        decision.fold(
            "a",
            &[
                Command::SessionSetExpiresAt { absolute: 1e300 },
                Command::SessionSetIdleExpiresAt { inactivity: 1e15 },
            ],
        );
        let mut session = session(0, 1_000_000);
        decision.limit_session(&mut session, &SETTINGS, Timestamp::from_ms(0));
        assert_eq!((session.expires_at.as_ms(), session.idle_expires_at.as_ms()), (1_000_000, 100_000));
        assert_eq!(decision.warnings.len(), 2);
    }

    #[test]
    fn a_moment_in_the_past_ends_the_session_at_once() {
        let mut decision = Decision::default();
        decision.fold("a", &[Command::SessionSetExpiresAt { absolute: -1.0 }]);
        let mut session = session(5000, 1_000_000);
        decision.limit_session(&mut session, &SETTINGS, Timestamp::from_ms(5000));
        assert!(!session.is_alive(Timestamp::from_ms(5000)));
    }

    #[test]
    fn reserved_claims_are_left_out_with_a_warning() {
        let mut decision = Decision::default();
        decision.fold(
            "a",
            &[
                Command::IdTokenSetCustomClaim { key: "SUB".into(), value: json!("evil") },
                Command::IdTokenSetCustomClaim { key: "plan".into(), value: json!("pro") },
            ],
        );
        assert_eq!(Value::Object(decision.id_token_claims.clone()), json!({"plan": "pro"}));
        assert_eq!(decision.warnings.len(), 1);
    }

    #[test]
    fn null_removes_a_metadata_key() {
        let mut stored = Map::from_iter([("a".to_owned(), json!(1)), ("b".to_owned(), json!(2))]);
        merge_metadata(
            &mut stored,
            &Map::from_iter([("a".to_owned(), Value::Null), ("c".to_owned(), json!(3))]),
        );
        assert_eq!(Value::Object(stored), json!({"b": 2, "c": 3}));
    }
}
