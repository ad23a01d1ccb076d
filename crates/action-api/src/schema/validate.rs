use std::fmt;
use std::net::IpAddr;

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::shape::{Shape, event_shape};
use super::{Format, Kind, Property};

/// How much of a value is shown.
const SHOWN_CHARACTERS: usize = 60;

/// What of an event is not as the dialect has it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path} {reason}")]
pub struct Violation {
    /// As `event.session.clients[0].client_id`.
    pub path: String,
    /// Why.
    pub reason: Reason,
}

/// Why a value is none of the dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It must be there.
    Missing,
    /// The dialect has no such property here.
    Unknown {
        /// The name that was probably meant.
        meant: Option<&'static str>,
    },
    /// It is of another type.
    Type {
        /// The type that the dialect has.
        expected: &'static str,
        /// The one that was found.
        found: &'static str,
    },
    /// It is none of the values that it can have.
    Value {
        /// The value, cut.
        found: String,
        /// Those that it can have.
        values: &'static [String],
    },
    /// It is not written as it should be.
    Format {
        /// The value, cut.
        found: String,
        /// What it should be.
        expected: &'static str,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is missing"),
            Self::Unknown { meant: None } => f.write_str("is not there in the dialect"),
            Self::Unknown { meant: Some(name) } => {
                write!(f, "is not there in the dialect; did you mean {name}?")
            }
            Self::Type { expected, found } => write!(f, "must be {expected}, not {found}"),
            Self::Value { found, values } => write!(f, "must be one of {}, not {found:?}", values.join(", ")),
            Self::Format { found, expected } => write!(f, "must be {expected}, not {found:?}"),
        }
    }
}

/// Checks an event against the table of the dialect.
///
/// Types are strict. Events of other servers pass as well: what the dialect has and this server has not may be there, null
/// is as good as absent where a property is optional, and profiles, organizations and the like may have more. Secrets come
/// from elsewhere: a saved event need not have them.
///
/// # Errors
/// Every [`Violation`], in the order of the event.
pub fn validate(event: &Value) -> Result<(), Vec<Violation>> {
    let mut violations = Vec::new();
    check("event", event_shape(), event, &mut violations);
    if violations.is_empty() { Ok(()) } else { Err(violations) }
}

fn check(path: &str, shape: &Shape, value: &Value, violations: &mut Vec<Violation>) {
    if value.is_null() && shape.property.is_some_and(|property| property.optional || property.nullable) {
        return;
    }
    let Some(wrong) = mismatch(shape.kind(), value) else {
        return below(path, shape, value, violations);
    };
    let reason = Reason::Type { expected: wrong, found: type_of(value) };
    violations.push(Violation { path: path.to_owned(), reason });
}

/// Of a value with the right type.
fn below(path: &str, shape: &Shape, value: &Value, violations: &mut Vec<Violation>) {
    let mut refuse = |path: String, reason: Option<Reason>| {
        violations.extend(reason.map(|reason| Violation { path, reason }));
    };
    match (shape.kind(), value) {
        (Kind::String, Value::String(text)) => {
            refuse(path.to_owned(), shape.property.and_then(|property| check_text(property, text)));
        }
        (Kind::Strings, Value::Array(list)) => {
            for (index, member) in list.iter().enumerate() {
                let reason = match member.as_str() {
                    Some(text) => shape.property.and_then(|property| check_text(property, text)),
                    None => Some(Reason::Type { expected: "a string", found: type_of(member) }),
                };
                refuse(format!("{path}[{index}]"), reason);
            }
        }
        (Kind::MapOfString | Kind::MapOfScalar, Value::Object(map)) => {
            let kind = if shape.kind() == Kind::MapOfString { Kind::String } else { Kind::Scalar };
            for (name, value) in map {
                let reason =
                    mismatch(kind, value).map(|expected| Reason::Type { expected, found: type_of(value) });
                refuse(format!("{path}.{name}"), reason);
            }
        }
        (Kind::Object | Kind::OpenObject, Value::Object(object)) => {
            check_object(path, shape, object, violations);
        }
        (Kind::Objects | Kind::OpenObjects, Value::Array(list)) => {
            for (index, member) in list.iter().enumerate() {
                let path = format!("{path}[{index}]");
                match member {
                    Value::Object(object) => check_object(&path, shape, object, violations),
                    other => {
                        let reason = Reason::Type { expected: "an object", found: type_of(other) };
                        violations.push(Violation { path, reason });
                    }
                }
            }
        }
        _ => {}
    }
}

fn check_object(path: &str, shape: &Shape, object: &Map<String, Value>, violations: &mut Vec<Violation>) {
    let open = matches!(shape.kind(), Kind::OpenObject | Kind::OpenObjects);
    for (name, value) in object {
        let path = format!("{path}.{name}");
        if let Some(shape) = shape.named.get(name.as_str()).or(shape.others.as_deref()) {
            check(&path, shape, value, violations);
        } else if !open {
            let reason = Reason::Unknown { meant: closest(name, shape) };
            violations.push(Violation { path, reason });
        }
    }
    for (name, below) in &shape.named {
        let required = below.property.is_some_and(|property| !property.optional);
        let elsewhere = path == "event" && *name == "secrets";
        if required && !elsewhere && !object.contains_key(*name) {
            violations.push(Violation { path: format!("{path}.{name}"), reason: Reason::Missing });
        }
    }
}

/// What the value should be, when it is of another type.
fn mismatch(kind: Kind, value: &Value) -> Option<&'static str> {
    let (fits, expected) = match kind {
        Kind::String => (value.is_string(), "a string"),
        Kind::Number => (value.is_number(), "a number"),
        Kind::Boolean => (value.is_boolean(), "true or false"),
        Kind::Scalar => (
            value.is_string() || value.is_number() || value.is_boolean(),
            "a string, a number, true or false",
        ),
        Kind::Object | Kind::OpenObject | Kind::Map | Kind::MapOfString | Kind::MapOfScalar => {
            (value.is_object(), "an object")
        }
        Kind::Strings => (value.is_array(), "an array of strings"),
        Kind::Objects | Kind::OpenObjects => (value.is_array(), "an array of objects"),
    };
    (!fits).then_some(expected)
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn check_text(property: &'static Property, text: &str) -> Option<Reason> {
    let found = || text.chars().take(SHOWN_CHARACTERS).collect();
    if !property.values.is_empty() && !property.values.iter().any(|value| value == text) {
        return Some(Reason::Value { found: found(), values: &property.values });
    }
    let (fits, expected) = match property.format? {
        Format::DateTime => {
            (OffsetDateTime::parse(text, &Rfc3339).is_ok(), "a moment as 2026-01-02T03:04:05.678Z")
        }
        Format::Ip => (text.parse::<IpAddr>().is_ok(), "an IP address"),
        Format::Email => (
            text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty()),
            "an e-mail address",
        ),
        Format::Uri => return None,
    };
    (!fits).then(|| Reason::Format { found: found(), expected })
}

/// The known name that differs by few characters.
fn closest(name: &str, shape: &Shape) -> Option<&'static str> {
    let distances = shape.named.keys().map(|known| (strsim::damerau_levenshtein(name, known), *known));
    let (distance, known) = distances.min()?;
    (distance <= known.len() / 3).then_some(known)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The least that an event has.
    fn least() -> Value {
        json!({
            "client": { "client_id": "web", "name": "Web", "metadata": {} },
            "connection": { "id": "con_1", "name": "Users", "strategy": "auth0" },
            "request": { "ip": "192.0.2.1", "method": "GET", "query": {}, "body": {}, "geoip": {} },
            "stats": { "logins_count": 1 },
            "tenant": { "id": "acme" },
            "user": {
                "user_id": "auth0|ada", "email_verified": true, "identities": [], "app_metadata": {},
                "user_metadata": {}, "created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:04:05.678Z",
            },
        })
    }

    /// The reasons against the event with this at that JSON pointer.
    fn with(pointer: &str, value: Value) -> String {
        let mut event = least();
        let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
        event.pointer_mut(parent).expect("it is there")[name] = value;
        let violations = validate(&event).err().unwrap_or_default();
        violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn an_event_of_another_server_passes() {
        assert_eq!(validate(&least()), Ok(()));
        for (pointer, value) in [
            ("/user/shoe_size", json!(43)),
            ("/user/user_metadata", json!({ "a": [null, { "b": 1 }] })),
            ("/user/email", json!(null)),
            ("/experiment", json!(null)),
            (
                "/organization",
                json!({ "id": "o", "name": "o", "display_name": "O", "metadata": {}, "more": 1 }),
            ),
            ("/session", json!({ "id": "s", "actor": { "sub": "x", "desk": 7, "on": true, "none": null } })),
            ("/transaction", json!({ "metadata": { "a": 1, "b": "c", "d": true } })),
            (
                "/refresh_token",
                json!({ "id": "rt_1", "created_at": "2026-01-02T03:04:05+02:00", "session_id": null }),
            ),
        ] {
            assert_eq!(with(pointer, value), "", "{pointer}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_path() {
        for (pointer, value, said) in [
            ("/sesion", json!({}), "event.sesion is not there in the dialect; did you mean session?"),
            ("/groups", json!([]), "event.groups is not there in the dialect"),
            ("/tenant", json!("acme"), "event.tenant must be an object, not a string"),
            ("/stats", json!({}), "event.stats.logins_count is missing"),
            ("/client", json!(null), "event.client must be an object, not null"),
            (
                "/client/metadata",
                json!({ "tier": 1 }),
                "event.client.metadata.tier must be a string, not a number",
            ),
            (
                "/session",
                json!({ "id": "s", "cookie": { "mode": "nonpersistent" } }),
                "event.session.cookie.mode must be one of persistent, non-persistent, not \"nonpersistent\"",
            ),
            (
                "/session",
                json!({ "id": "s", "expires_at": "tomorrow", "clients": [{}] }),
                "event.session.clients[0].client_id is missing\n\
                 event.session.expires_at must be a moment as 2026-01-02T03:04:05.678Z, not \"tomorrow\"",
            ),
            ("/request/ip", json!("localhost"), "event.request.ip must be an IP address, not \"localhost\""),
            (
                "/authorization",
                json!({ "roles": ["a", 1] }),
                "event.authorization.roles[1] must be a string, not a number",
            ),
            (
                "/session_transfer_token",
                json!({ "client_id": "app", "scope": "openid", "request": { "ip": "::1" } }),
                "event.session_transfer_token.scope must be an array of strings, not a string",
            ),
        ] {
            assert_eq!(with(pointer, value), said, "{pointer}");
        }
        let no_event = validate(&json!([])).expect_err("it is no event");
        assert_eq!(no_event[0].to_string(), "event must be an object, not an array");
    }

    #[test]
    fn the_saved_events_of_the_samples_are_valid() {
        for (name, event) in [
            (
                "native-to-web",
                include_str!(
                    "../../../../samples/actions/limit-transferred-session/events/native-to-web.json"
                ),
            ),
            (
                "ordinary-login",
                include_str!(
                    "../../../../samples/actions/limit-transferred-session/events/ordinary-login.json"
                ),
            ),
            ("terms", include_str!("../../../../samples/actions/ask-for-terms/events/terms-unknown.json")),
        ] {
            let event = serde_json::from_str(event).expect("JSON");
            assert_eq!(validate(&event), Ok(()), "{name}");
        }
    }
}
