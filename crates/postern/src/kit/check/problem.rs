//! What is wrong with a run, as its author should know it.

use std::fmt;

use action_api::{ClaimRefused, Command, RunError, RunReport, check_claim_name};
use model::Timestamp;
use serde_json::{Map, Value};

use crate::kit::{event, stand_ins::is_part};

/// The end of what can only be seconds, or a duration, when it is taken for milliseconds since 1970: March 1973.
const LEAST_MOMENT_MS: f64 = 1e11;
/// Seconds since 1970 are above this since September 2001.
const LEAST_SECONDS: f64 = 1e9;
/// How long a session may be meant to live at most.
const LONGEST_YEARS: f64 = 20.0;
const YEAR_MS: f64 = 365.25 * 24.0 * 3600.0 * 1000.0;

/// A kind of mistake. Runs with the same one are shown as one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Problem {
    /// The run failed, so the login is refused.
    Fails {
        /// The error's kind, or the class of what was thrown.
        what: String,
        /// Where, as `action.js:3:5`.
        at: Option<String>,
    },
    /// A claim that is left out of the token.
    Claim {
        /// As `idToken.setCustomClaim`.
        method: &'static str,
        /// The claim's name.
        name: String,
        /// Why.
        why: String,
    },
    /// A moment that can hardly be meant.
    Moment {
        /// As `session.setExpiresAt`.
        method: &'static str,
        /// What was probably given.
        slip: Slip,
    },
    /// The login of an event of `[[never_deny]]` is refused.
    Denied {
        /// Which entry, from 0.
        rule: usize,
        /// The command.
        method: &'static str,
    },
}

/// What was given for a moment in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slip {
    /// Seconds since 1970.
    Seconds,
    /// A length of time.
    Duration,
    /// Something far in the future, as a moment in microseconds.
    FarOff,
}

impl Slip {
    /// The slip that explains a moment; `None` where none is needed. What lies before 1970 ends a session on purpose.
    pub fn of(moment_ms: f64, now: Timestamp) -> Option<Self> {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of this age are exact")]
        let now_ms = now.as_ms() as f64;
        match moment_ms {
            ms if ms > now_ms + LONGEST_YEARS * YEAR_MS => Some(Self::FarOff),
            ms if ms >= LEAST_MOMENT_MS || ms <= 0.0 => None,
            ms if (LEAST_SECONDS..1e10).contains(&ms) => Some(Self::Seconds),
            _ => Some(Self::Duration),
        }
    }

    /// What to do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Seconds => {
                "the moment is in 1970: it is in milliseconds since 1970, and this looks like seconds; multiply by 1000"
            }
            Self::Duration => {
                "the moment is in the 1970s: it takes a moment, and this looks like a duration; write Date.now() + ..."
            }
            Self::FarOff => "the moment is more than 20 years off: it is in milliseconds since 1970",
        }
    }
}

/// The method and the moment of a command that sets one.
pub fn moment_of(command: &Command) -> Option<f64> {
    match command {
        Command::SessionSetExpiresAt { absolute: ms }
        | Command::SessionSetIdleExpiresAt { inactivity: ms }
        | Command::RefreshTokenSetExpiresAt { absolute: ms }
        | Command::RefreshTokenSetIdleExpiresAt { inactivity: ms } => Some(*ms),
        _ => None,
    }
}

/// The name of the claim that a command sets.
pub fn claim_of(command: &Command) -> Option<&str> {
    match command {
        Command::IdTokenSetCustomClaim { key, .. } | Command::AccessTokenSetCustomClaim { key, .. } => {
            Some(key)
        }
        _ => None,
    }
}

/// Whether an event is one of those that an entry of `[[never_deny]]` is about.
pub fn is_meant(event: &Value, rule: &Map<String, Value>) -> bool {
    let mut wanted = Value::Object(Map::new());
    event::change(&mut wanted, rule).is_ok() && is_part(&wanted, event)
}

/// All that is wrong with a run.
pub fn problems(
    event: &Value,
    report: &RunReport,
    now: Timestamp,
    never_deny: &[Map<String, Value>],
) -> Vec<Problem> {
    let mut found = Vec::new();
    if let Some(error) = &report.error {
        found.push(failure(error));
    }
    for command in &report.commands {
        let method = command.name();
        if let Some(Err(why)) = claim_of(command).map(check_claim_name) {
            let name = claim_of(command).unwrap_or_default().to_owned();
            found.push(Problem::Claim { method, name, why: why.to_string() });
        }
        if let Some(slip) = moment_of(command).and_then(|ms| Slip::of(ms, now)) {
            found.push(Problem::Moment { method, slip });
        }
        if command.ends_the_login() {
            let meant = never_deny.iter().enumerate().filter(|(_, rule)| is_meant(event, rule));
            found.extend(meant.map(|(rule, _)| Problem::Denied { rule, method }));
        }
    }
    found.sort();
    found.dedup();
    found
}

fn failure(error: &RunError) -> Problem {
    let what = match error {
        RunError::Exception { exception } => exception.name.clone(),
        RunError::Limit { limit, .. } => format!("the {limit} limit"),
        other => other.to_string(),
    };
    let at = error.exception().and_then(|exception| {
        let (file, line) = (exception.file.as_ref()?, exception.line?);
        Some(format!("{file}:{line}:{}", exception.column.unwrap_or(1)))
    });
    Problem::Fails { what, at }
}

impl Problem {
    /// One word for a file's name.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Fails { what, .. } if what.starts_with("the ") && what.ends_with(" limit") => "limit",
            Self::Fails { .. } => "throws",
            Self::Claim { .. } => "claim",
            Self::Moment { .. } => "moment",
            Self::Denied { .. } => "denied",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fails { what, at } => {
                write!(f, "the login fails: {what}")?;
                at.as_ref().map_or(Ok(()), |at| write!(f, " at {at}"))
            }
            Self::Claim { method, name, why } => {
                write!(f, "api.{method}: the token will not have the claim {name:?}: {why}")
            }
            Self::Moment { method, slip } => write!(f, "api.{method}: {}", slip.hint()),
            Self::Denied { rule, method } => {
                write!(f, "api.{method} refuses a login that [[never_deny]] number {} is about", rule + 1)
            }
        }
    }
}

/// Why a claim is refused, for a hint.
pub fn claim_hint(why: ClaimRefused) -> &'static str {
    match why {
        ClaimRefused::Reserved => "choose a name of your own, as https://your-site.example/roles",
        ClaimRefused::Namespace => {
            "use an address of your own as the namespace, as https://your-site.example/"
        }
        ClaimRefused::Malformed => "a claim name has 1 to 255 bytes and no control characters",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_moment_that_was_hardly_meant_is_told_from_one_that_was() {
        let now = Timestamp::from_ms(1_780_000_000_000);
        for (ms, slip) in [
            (1_780_001_800.0, Some(Slip::Seconds)),
            (1_800_000.0, Some(Slip::Duration)),
            (1800.0, Some(Slip::Duration)),
            (1_780_000_000_000_000.0, Some(Slip::FarOff)),
            (1_780_001_800_000.0, None),
            (1_700_000_000_000.0, None),
            (-1.0, None),
        ] {
            assert_eq!(Slip::of(ms, now), slip, "{ms}");
        }
    }

    #[test]
    fn a_rule_is_about_events_that_have_all_of_it() {
        let event = json!({ "user": { "email": "a@b", "app_metadata": { "vip": true } }, "stats": { "logins_count": 1 } });
        for (rule, meant) in [
            (json!({ "user.app_metadata.vip": true }), true),
            (json!({ "user": { "email": "a@b" }, "stats.logins_count": 1.0 }), true),
            (json!({ "user.app_metadata.vip": false }), false),
            (json!({ "session.id": "s" }), false),
        ] {
            assert_eq!(is_meant(&event, rule.as_object().expect("an object")), meant, "{rule}");
        }
    }
}
