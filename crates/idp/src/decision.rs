use std::collections::{BTreeMap, BTreeSet};

use action_api::{Blame, Command, Factor, MultifactorProvider, RunError, RunReport, check_claim_name};
use model::{
    AuthenticationMethod, CookieMode, FactorType, LogEntry, LogType, MetadataChange, RefreshToken,
    RefreshTokenChanges, RefreshTokenSettings, Session, SessionSettings, Timestamp, check_metadata,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

#[cfg(test)]
mod tests;

/// The one decision that all commands of a login fold into. It is committed once, with the session and the code. A login
/// that leaves for a redirect takes it along.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// `error_description` of the refusal, when an Action denied or failed.
    pub denied: Option<String>,
    /// `api.session.revoke`: the session ends as well. Holds `preserveRefreshTokens`.
    pub revoke_session: Option<bool>,
    /// `api.refreshToken.revoke`: the token that is exchanged ends as well.
    pub revoke_refresh_token: bool,
    /// The earliest absolute expiry asked for.
    pub session_expires_at: Option<Timestamp>,
    /// The earliest idle expiry asked for.
    pub session_idle_expires_at: Option<Timestamp>,
    /// The last cookie mode asked for.
    pub cookie_mode: Option<CookieMode>,
    /// Changes to the session's metadata, in order.
    pub session_metadata: Vec<MetadataChange>,
    /// Methods of authentication that Actions recorded.
    pub methods: Vec<AuthenticationMethod>,
    /// What was asked for the refresh token, the one that is exchanged or one that is yet to be issued.
    pub refresh_token: RefreshTokenChanges,
    /// Scopes of the access token: added, or removed.
    pub scopes: BTreeMap<String, bool>,
    /// For the ID token.
    pub id_token_claims: Map<String, Value>,
    /// For the access token.
    pub access_token_claims: Map<String, Value>,
    /// Changes to `user_metadata`; `null` removes.
    pub user_metadata: Map<String, Value>,
    /// Changes to `app_metadata`; `null` removes.
    pub app_metadata: Map<String, Value>,
    /// `event.transaction.metadata`.
    pub transaction_metadata: Map<String, Value>,
    /// `api.authentication.setPrimaryUser`.
    pub primary_user: Option<String>,
    /// `api.multifactor.enable`: what is due after the last Action.
    pub multifactor: Option<MultifactorProvider>,
    /// How many challenges and enrolments were asked for in this flow.
    pub factor_commands: usize,
    /// For the tenant's log: what was asked for and had no effect.
    pub warnings: Vec<String>,
}

/// Challenges and enrolments of one flow.
const MAX_FACTOR_COMMANDS: usize = 4;
/// Scopes that the Actions of one login may add, and calls that add or remove one in one run.
const MAX_ADDED_SCOPES: usize = 1_000;
const MAX_SCOPE_CHANGES: usize = 2_000;
/// Bytes of `event.transaction.metadata` as JSON.
const MAX_TRANSACTION_METADATA_BYTES: usize = 16 << 10;
/// Bytes of the changes to `user_metadata`, and of those to `app_metadata`, as JSON.
const MAX_PROFILE_CHANGE_BYTES: usize = 32 << 10;

/// Bytes of the custom claims of an ID token, and of those of an access token, as JSON.
const MAX_CLAIM_BYTES: usize = 100 << 10;

/// What comes between two Actions, or between an Action and the end: the browser leaves, and comes back.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Suspension {
    /// `api.redirect.sendUserTo`: to this URL. The same Action goes on.
    Redirect(String),
    /// `api.prompt.render`: the form of this id. The same Action goes on.
    Form(String),
    /// `api.authentication.challengeWith` and the like, in order. The next Action goes on.
    Factors(Vec<FactorRequest>),
}

/// One challenge or enrolment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactorRequest {
    /// Set one up; else ask for one.
    pub enroll: bool,
    /// In the order in which they are offered.
    pub factors: Vec<Factor>,
    /// Whether the user picks one first.
    pub pick: bool,
}

impl FactorRequest {
    /// An authenticator app: to be set up, or shown.
    pub(crate) fn for_otp(enroll: bool) -> Self {
        let otp = Factor { factor_type: action_api::FactorType::Otp, options: None };
        Self { enroll, factors: vec![otp], pick: false }
    }

    fn with(enroll: bool, factor: &Factor, more: &[Factor]) -> Self {
        Self { enroll, factors: [std::slice::from_ref(factor), more].concat(), pick: false }
    }
}

/// What one Action asked for besides its decision.
#[derive(Default)]
struct Asked {
    redirect: Option<String>,
    form: Option<String>,
    factors: Vec<FactorRequest>,
}

impl Asked {
    /// A refusal, and a mix that the dialect aborts.
    fn suspension(self) -> Result<Option<Suspension>, &'static str> {
        match (self.redirect, self.form, self.factors) {
            (None, None, factors) if factors.is_empty() => Ok(None),
            (None, None, factors) => Ok(Some(Suspension::Factors(factors))),
            (Some(url), None, factors) if factors.is_empty() => Ok(Some(Suspension::Redirect(url))),
            (None, Some(form), factors) if factors.is_empty() => Ok(Some(Suspension::Form(form))),
            _ => {
                Err("An Action may ask for a redirect, a form or a second factor, and for one of them only.")
            }
        }
    }
}

impl Decision {
    /// That of a login whose Action failed: nothing is applied but the refusal.
    pub(crate) fn failed(reason: String) -> Self {
        Self { denied: Some(reason), ..Self::default() }
    }

    /// Takes in what one run did: its commands, or its failure, which refuses the login as a whole.
    ///
    /// # Errors
    /// Why the login fails: the run did, or its commands break a rule together. The decision is then that refusal alone.
    pub fn take_in(
        &mut self,
        action: &str,
        report: &RunReport,
        now: Timestamp,
    ) -> Result<Option<Suspension>, RunError> {
        let taken = match &report.error {
            None => self
                .fold(action, &report.commands, now)
                .map_err(|rule| RunError::Refused { message: rule.to_owned() }),
            Some(error) => Err(error.clone()),
        };
        if let Err(error) = &taken {
            *self = Self::failed(external_reason(error));
        }
        taken
    }

    /// Takes in the commands of one run, in order. The earliest expiry wins; the last call for a claim, a scope or a
    /// metadata key wins (`reference/post-login.md` section 3).
    ///
    /// # Errors
    /// The Action broke a rule that only all of its commands together can break: the login fails with this text.
    pub(crate) fn fold(
        &mut self,
        action: &str,
        commands: &[Command],
        now: Timestamp,
    ) -> Result<Option<Suspension>, &'static str> {
        let mut asked = Asked::default();
        let mut saml = BTreeSet::new();
        for command in commands {
            match command {
                Command::AccessDeny { reason } => self.deny(reason),
                Command::ValidationError { error_code, error_message } => {
                    self.deny(error_message);
                    self.warnings.push(format!("Action {action}: validation error {error_code}"));
                }
                Command::SessionRevoke { reason, preserve_refresh_tokens } => {
                    self.deny(reason);
                    self.revoke_session.get_or_insert(*preserve_refresh_tokens);
                }
                Command::RefreshTokenRevoke { reason } => {
                    self.deny(reason);
                    self.revoke_refresh_token = true;
                }
                Command::SessionSetExpiresAt { absolute } => {
                    earliest(&mut self.session_expires_at, *absolute)
                }
                Command::SessionSetIdleExpiresAt { inactivity } => {
                    earliest(&mut self.session_idle_expires_at, *inactivity);
                }
                Command::SessionSetCookieMode { mode } => self.cookie_mode = Some(cookie_mode(*mode)),
                Command::SessionSetMetadata { key, value } => {
                    self.session_metadata.push(metadata_change(key, value.as_ref()));
                }
                Command::SessionDeleteMetadata { key } => {
                    self.session_metadata.push(MetadataChange::Delete(key.clone()));
                }
                Command::SessionEvictMetadata => self.session_metadata.push(MetadataChange::Evict),
                Command::RefreshTokenSetExpiresAt { absolute } => {
                    earliest(&mut self.refresh_token.expires_at, *absolute);
                }
                Command::RefreshTokenSetIdleExpiresAt { inactivity } => {
                    earliest(&mut self.refresh_token.idle_expires_at, *inactivity);
                }
                Command::RefreshTokenSetMetadata { key, value } => {
                    self.refresh_token.metadata.push(metadata_change(key, value.as_ref()));
                }
                Command::RefreshTokenDeleteMetadata { key } => {
                    self.refresh_token.metadata.push(MetadataChange::Delete(key.clone()));
                }
                Command::RefreshTokenEvictMetadata => {
                    self.refresh_token.metadata.push(MetadataChange::Evict);
                }
                Command::IdTokenSetCustomClaim { key, value } => {
                    set_claim(&mut self.id_token_claims, &mut self.warnings, action, key, value);
                }
                Command::AccessTokenSetCustomClaim { key, value } => {
                    set_claim(&mut self.access_token_claims, &mut self.warnings, action, key, value);
                }
                Command::AccessTokenAddScope { scope } => {
                    self.scopes.insert(scope.clone(), true);
                }
                Command::AccessTokenRemoveScope { scope } => {
                    self.scopes.insert(scope.clone(), false);
                }
                Command::UserSetUserMetadata { key, value } => {
                    self.user_metadata.insert(key.clone(), value.clone());
                }
                Command::UserSetAppMetadata { key, value } => {
                    self.app_metadata.insert(key.clone(), value.clone());
                }
                Command::TransactionSetMetadata { key, value } => {
                    self.set_transaction_metadata(key, value)?;
                }
                Command::AuthenticationRecordMethod { provider_url } => {
                    self.methods.push(AuthenticationMethod::new(provider_url, now))
                }
                Command::AuthenticationSetPrimaryUser { primary_user_id } => {
                    if self.primary_user.replace(primary_user_id.clone()).is_some() {
                        return Err("The primary user may be set once in a transaction.");
                    }
                }
                Command::AuthenticationChallengeWith { factor, additional_factors } => {
                    asked.factors.push(FactorRequest::with(false, factor, additional_factors));
                }
                Command::AuthenticationEnrollWith { factor, additional_factors } => {
                    asked.factors.push(FactorRequest::with(true, factor, additional_factors));
                }
                Command::AuthenticationChallengeWithAny { factors } => {
                    asked.factors.push(FactorRequest { enroll: false, factors: factors.clone(), pick: true });
                }
                Command::AuthenticationEnrollWithAny { factors } => {
                    asked.factors.push(FactorRequest { enroll: true, factors: factors.clone(), pick: true });
                }
                Command::MultifactorEnable { provider, .. } => {
                    self.multifactor = Some(*provider).filter(|asked| *asked != MultifactorProvider::None);
                }
                Command::RedirectSendUserTo { url } => asked.redirect = Some(url.clone()),
                Command::PromptRender { prompt_id, .. } => {
                    if asked.form.replace(prompt_id.clone()).is_some() {
                        return Err("An Action may render one form only.");
                    }
                }
                Command::SamlResponse { setting, .. } => {
                    saml.insert(setting.method());
                }
            }
        }
        for method in saml {
            self.warnings
                .push(format!("Action {action}: api.{method} had no effect: this login is no SAML login"));
        }
        let of_scope = |command: &&Command| {
            matches!(command, Command::AccessTokenAddScope { .. } | Command::AccessTokenRemoveScope { .. })
        };
        if commands.iter().filter(of_scope).count() > MAX_SCOPE_CHANGES
            || self.scopes.values().filter(|added| **added).count() > MAX_ADDED_SCOPES
        {
            return Err("An Action may add 1,000 scopes, and change scopes 2,000 times.");
        }
        self.factor_commands += asked.factors.len();
        if self.factor_commands > MAX_FACTOR_COMMANDS {
            return Err("A login may ask for four challenges and enrollments at most.");
        }
        for claims in [&self.id_token_claims, &self.access_token_claims] {
            if json!(claims).to_string().len() > MAX_CLAIM_BYTES {
                return Err("The custom claims of a token are more than 100 kB.");
            }
        }
        for changes in [&self.user_metadata, &self.app_metadata] {
            if json!(changes).to_string().len() > MAX_PROFILE_CHANGE_BYTES {
                return Err("The changes to the user's metadata are more than 32 kB.");
            }
        }
        // Whoever is refused goes nowhere.
        if self.denied.is_some() { Ok(None) } else { asked.suspension() }
    }

    /// The second factors that were shown in this login.
    pub(crate) fn shown_factors(&self) -> Vec<FactorType> {
        self.methods.iter().filter_map(|method| method.factor).collect()
    }

    /// Whether a second factor is due after the last Action: challenges and enrollments take the place of
    /// `api.multifactor.enable`.
    #[must_use]
    pub fn due_at_the_end(&self) -> Option<MultifactorProvider> {
        self.multifactor.filter(|_| self.factor_commands == 0 && self.shown_factors().is_empty())
    }

    fn deny(&mut self, reason: &str) {
        self.denied.get_or_insert_with(|| reason.to_owned());
    }

    fn set_transaction_metadata(&mut self, key: &str, value: &Value) -> Result<(), &'static str> {
        if value.is_null() {
            self.transaction_metadata.remove(key);
        } else {
            self.transaction_metadata.insert(key.to_owned(), value.clone());
        }
        if json!(self.transaction_metadata).to_string().len() > MAX_TRANSACTION_METADATA_BYTES {
            return Err("The metadata of the transaction are more than 16 kB.");
        }
        Ok(())
    }

    /// The scopes after what the Actions added and removed.
    pub(crate) fn change_scope(&self, scope: &mut Vec<String>) {
        scope.retain(|granted| self.scopes.get(granted) != Some(&false));
        for (added, _) in self.scopes.iter().filter(|(_, add)| **add) {
            if !scope.contains(added) {
                scope.push(added.clone());
            }
        }
    }

    /// What the Actions asked for the session besides its ends: cookie mode, metadata and methods.
    ///
    /// # Errors
    /// Its metadata would break a rule: the login fails with this text.
    pub(crate) fn change_session(&self, session: &mut Session) -> Result<(), String> {
        if let Some(mode) = self.cookie_mode {
            session.cookie_mode = mode;
        }
        MetadataChange::apply(&self.session_metadata, &mut session.metadata);
        check_metadata(&session.metadata)
            .map_err(|rule| format!("Failed to set session metadata: {rule}"))?;
        for method in &self.methods {
            session.methods.retain(|known| known.name != method.name);
            session.methods.push(method.clone());
        }
        Ok(())
    }

    /// Sets the session's two ends: what the Actions asked for, cut to the tenant's limits with a warning. The cookie mode
    /// that an Action set decides about the cookie, not about the ends.
    pub(crate) fn limit_session(
        &mut self,
        session: &mut Session,
        mode: CookieMode,
        settings: &SessionSettings,
        now: Timestamp,
    ) {
        let (lifetime_secs, _) = settings.lifetimes(mode);
        let absolute_limit = session.expires_at.min(session.created_at.plus_secs(lifetime_secs));
        session.expires_at = cut(
            &mut self.warnings,
            self.session_expires_at,
            absolute_limit,
            "api.session.setExpiresAt",
            "the tenant's session lifetime",
        );
        let idle = cut(
            &mut self.warnings,
            self.session_idle_expires_at,
            idle_limit(session, mode, settings, now),
            "api.session.setIdleExpiresAt",
            "the tenant's idle session lifetime",
        );
        session.idle_expires_at = idle.min(session.expires_at);
    }

    /// Warns of what was asked of a session in a flow that has none.
    pub(crate) fn has_no_session(&mut self) {
        let asked = [
            ("setExpiresAt", self.session_expires_at.is_some()),
            ("setIdleExpiresAt", self.session_idle_expires_at.is_some()),
            ("setMetadata", !self.session_metadata.is_empty()),
        ];
        for (method, _) in asked.into_iter().filter(|(_, asked)| *asked) {
            self.warnings.push(format!("api.session.{method} had no effect: this flow has no session"));
        }
    }

    /// What the Actions asked for a refresh token.
    ///
    /// # Errors
    /// Its metadata would break a rule: the login fails with this text.
    pub(crate) fn change_refresh_token(&self, token: &mut RefreshToken) -> Result<(), String> {
        self.refresh_token.apply(token);
        check_metadata(&token.metadata)
            .map_err(|rule| format!("Failed to set refresh token metadata: {rule}"))
    }

    /// Looks whether the metadata of a refresh token that is yet to be issued keep the rules.
    ///
    /// # Errors
    /// The login fails with this text.
    pub(crate) fn check_new_refresh_token(&self) -> Result<(), String> {
        let mut metadata = BTreeMap::new();
        MetadataChange::apply(&self.refresh_token.metadata, &mut metadata);
        check_metadata(&metadata).map_err(|rule| format!("Failed to set refresh token metadata: {rule}"))
    }

    /// Cuts what was asked for a refresh token of this client, issued or exchanged now, to the client's settings. A token
    /// without an end gets one, of at most the default settings.
    pub(crate) fn limit_refresh_token(&mut self, settings: &RefreshTokenSettings, now: Timestamp) {
        let default = RefreshTokenSettings::default();
        let absolute = settings.absolute_lifetime().unwrap_or(default.token_lifetime);
        let idle = settings.idle_lifetime().unwrap_or(default.idle_token_lifetime);
        let changes = &mut self.refresh_token;
        for (asked, secs, method) in [
            (&mut changes.expires_at, absolute, "api.refreshToken.setExpiresAt"),
            (&mut changes.idle_expires_at, idle, "api.refreshToken.setIdleExpiresAt"),
        ] {
            if asked.is_some() {
                let limit = now.plus_secs(secs);
                *asked = Some(cut(&mut self.warnings, *asked, limit, method, "the client's lifetime"));
            }
        }
    }

    /// Whether the session changes.
    pub(crate) fn changes_session(&self) -> bool {
        let ends = self.session_expires_at.or(self.session_idle_expires_at);
        ends.is_some()
            || self.cookie_mode.is_some()
            || !self.session_metadata.is_empty()
            || !self.methods.is_empty()
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

fn cut(
    warnings: &mut Vec<String>,
    asked: Option<Timestamp>,
    limit: Timestamp,
    method: &str,
    what: &str,
) -> Timestamp {
    match asked {
        Some(asked) if asked > limit => {
            warnings.push(format!(
                "{method} asked for {}, beyond {what}: cut to {}",
                asked.to_iso(),
                limit.to_iso()
            ));
            limit
        }
        Some(asked) => asked,
        None => limit,
    }
}

/// When a session that is used now ends if nobody uses it again: a lower limit of the tenant counts at once, a higher
/// one for new sessions only.
pub(crate) fn idle_limit(
    session: &Session,
    mode: CookieMode,
    settings: &SessionSettings,
    now: Timestamp,
) -> Timestamp {
    let (_, idle_secs) = settings.lifetimes(mode);
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

fn metadata_change(key: &str, value: Option<&String>) -> MetadataChange {
    match value {
        Some(value) => MetadataChange::Set(key.to_owned(), value.clone()),
        None => MetadataChange::Delete(key.to_owned()),
    }
}

fn cookie_mode(mode: action_api::CookieMode) -> CookieMode {
    match mode {
        action_api::CookieMode::Persistent => CookieMode::Persistent,
        action_api::CookieMode::NonPersistent => CookieMode::NonPersistent,
    }
}

/// What the client may read of a failure. The dialect shows an uncaught error's own message; nothing else of ours
/// leaves the server.
fn external_reason(error: &RunError) -> String {
    match error {
        RunError::Exception { exception } if !exception.message.is_empty() => {
            exception.message.chars().take(1000).collect()
        }
        RunError::Refused { message } => message.clone(),
        // The dialect's word for it.
        RunError::Exhausted { .. } => "resource_exhausted: too many Actions run at once".to_owned(),
        RunError::Limit { .. } => "An Action of this login exceeded its limits.".to_owned(),
        _ if error.blame() == Blame::Host => "An Action of this login could not be run.".to_owned(),
        _ => "An Action of this login failed.".to_owned(),
    }
}
