//! The events of a runner: from a file, from standard input, or one that the program has; and changes to them.

use std::fmt::Write;
use std::io::Read;
use std::path::Path;

use action_api::schema::{self, Violation};
use serde_json::{Map, Value};

/// One of each kind of login, as the server makes them.
const BUILT_IN: [(&str, &str); 7] = [
    ("native-to-web", include_str!("events/native-to-web.json")),
    ("ordinary-login", include_str!("events/ordinary-login.json")),
    ("first-login", include_str!("events/first-login.json")),
    ("silent", include_str!("events/silent.json")),
    ("refresh", include_str!("events/refresh.json")),
    ("device", include_str!("events/device.json")),
    ("password", include_str!("events/password.json")),
];
/// Why there is no event. The texts are for the author of an Action.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// There is no such file, or it cannot be read.
    #[error(
        "cannot read the event {name}: {cause}\n  it is a file, `-` for standard input, or one of: {}",
        built_in_names()
    )]
    Read {
        /// As it was asked for.
        name: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// No JSON.
    #[error("the event {name} is not JSON: {cause}")]
    Json {
        /// As it was asked for.
        name: String,
        /// With line and column.
        cause: serde_json::Error,
    },
    /// JSON of another kind.
    #[error("the event {0} is not a JSON object")]
    NoObject(String),
    /// It is none of the dialect.
    #[error("the event is none of the post-login trigger:{}", listed(.0))]
    Invalid(Vec<Violation>),
    /// A change of what no event has.
    #[error("an event has no property {name:?}; it has: {}", property_names().collect::<Vec<_>>().join(", "))]
    Property {
        /// The first part of its path.
        name: String,
    },
    /// A change to an entry of a list that is not there.
    #[error("{0}: the list has no such entry")]
    Entry(String),
}

/// How many violations are shown.
const SHOWN_VIOLATIONS: usize = 12;

/// The names of what an event has.
fn property_names() -> impl Iterator<Item = &'static str> {
    schema::event_shape().named.keys().copied()
}

fn listed(violations: &[Violation]) -> String {
    let mut text = String::new();
    for violation in violations.iter().take(SHOWN_VIOLATIONS) {
        let _ = write!(text, "\n  {violation}");
    }
    if violations.len() > SHOWN_VIOLATIONS {
        let _ = write!(text, "\n  and {} more", violations.len() - SHOWN_VIOLATIONS);
    }
    text
}

/// The text of an event that the program has.
pub fn built_in(name: &str) -> Option<&'static str> {
    BUILT_IN.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The names of the events that the program has.
pub fn built_in_names() -> String {
    BUILT_IN.map(|(name, _)| name).join(", ")
}

/// Reads an event: a built-in one by its name, standard input for `-`, else a file from this folder.
///
/// # Errors
/// [`EventError`]
pub fn read(name: &str, folder: &Path) -> Result<Value, EventError> {
    let text = match built_in(name) {
        Some(text) => text.to_owned(),
        None => {
            let mut text = String::new();
            let read = if name == "-" {
                std::io::stdin().read_to_string(&mut text).map(|_| ())
            } else {
                std::fs::read_to_string(folder.join(name)).map(|content| text = content)
            };
            read.map_err(|cause| EventError::Read { name: name.into(), cause })?;
            text
        }
    };
    let event: Value =
        serde_json::from_str(&text).map_err(|cause| EventError::Json { name: name.into(), cause })?;
    if event.is_object() { Ok(event) } else { Err(EventError::NoObject(name.into())) }
}

/// Changes an event by a partial one, as RFC 7396 merges: objects are merged, `null` removes, all else takes the place of
/// what was there. Besides, a key may be a path with dots (`\.` for a dot in a name), and a number an entry of a list.
///
/// # Errors
/// [`EventError::Property`] for a property that events do not have, [`EventError::Entry`].
pub fn change(event: &mut Value, changes: &Map<String, Value>) -> Result<(), EventError> {
    for (path, value) in changes {
        let mut names = split(path);
        let first = names.first().cloned().unwrap_or_default();
        if !property_names().any(|name| name == first) {
            return Err(EventError::Property { name: first });
        }
        let mut patch = value.clone();
        while let Some(name) = names.pop() {
            patch = Value::Object(Map::from_iter([(name, patch)]));
        }
        merge(event, &patch, path)?;
    }
    Ok(())
}

/// Looks whether an event is one of the dialect, so that what an Action makes of it says something.
///
/// # Errors
/// [`EventError::Invalid`]
pub fn check(event: &Value) -> Result<(), EventError> {
    schema::validate(event).map_err(EventError::Invalid)
}

/// Reads `path=value` of a command line: the value is JSON, or else a text.
pub fn assignment(text: &str) -> Result<(String, Value), String> {
    match text.split_once('=') {
        Some((path, value)) if !path.is_empty() => {
            let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
            Ok((path.to_owned(), value))
        }
        _ => Err("expected PATH=VALUE, as user.email=eve@example.com".to_owned()),
    }
}

fn split(path: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut characters = path.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' if characters.peek() == Some(&'.') => {}
            '.' => {
                names.push(String::new());
                continue;
            }
            _ => {}
        }
        let character = if character == '\\' { characters.next().unwrap_or('\\') } else { character };
        if let Some(name) = names.last_mut() {
            name.push(character);
        }
    }
    names
}

fn merge(target: &mut Value, patch: &Value, path: &str) -> Result<(), EventError> {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return Ok(());
    };
    if let Value::Array(entries) = target
        && !changes.is_empty()
    {
        for (index, change) in changes {
            let entry = index.parse::<usize>().ok().and_then(|index| entries.get_mut(index));
            merge(entry.ok_or_else(|| EventError::Entry(path.to_owned()))?, change, path)?;
        }
        return Ok(());
    }
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(fields) = target.as_object_mut() else { return Ok(()) };
    for (name, change) in changes {
        if change.is_null() {
            fields.remove(name);
        } else {
            merge(fields.entry(name).or_insert(Value::Null), change, path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn changed(changes: Value) -> Result<Value, EventError> {
        let mut event =
            json!({ "user": { "email": "a", "tags": [1, { "x": 2 }] }, "session": { "id": "s" } });
        change(&mut event, changes.as_object().expect("an object"))?;
        Ok(event)
    }

    #[test]
    fn every_built_in_event_is_one_of_the_dialect() {
        for (name, _) in BUILT_IN {
            let event = read(name, Path::new(".")).expect("an event");
            check(&event).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(schema::Flow::of(&event).is_some(), "{name}");
        }
    }

    #[test]
    fn changes_are_merged_by_name_and_by_path() {
        let same = json!({ "user": { "email": "b", "tags": [1, { "x": 2 }] }, "session": { "id": "s" } });
        assert_eq!(changed(json!({ "user.email": "b" })).expect("changed"), same);
        assert_eq!(changed(json!({ "user": { "email": "b" } })).expect("changed"), same);
        let event = changed(
            json!({ "session": null, "user.tags.1.x": 3, "user.app_metadata.a\\.b": [4], "client": { "name": "c" } }),
        );
        let user = json!({ "email": "a", "tags": [1, { "x": 3 }], "app_metadata": { "a.b": [4] } });
        assert_eq!(event.expect("changed"), json!({ "user": user, "client": { "name": "c" } }));
    }

    #[test]
    fn an_event_of_another_shape_is_refused_with_each_path() {
        let mut event = read("refresh", Path::new(".")).expect("an event");
        event["transaction"] = json!("x");
        event["sesion"] = json!({});
        let said = check(&event).expect_err("another shape").to_string();
        assert_eq!(
            said,
            "the event is none of the post-login trigger:\n  \
             event.sesion is not there in the dialect; did you mean session?\n  \
             event.transaction must be an object, not a string"
        );
    }

    #[test]
    fn what_no_event_has_is_refused() {
        let error = changed(json!({ "usr.email": "b" })).expect_err("a slip of the pen");
        assert!(error.to_string().contains("\"usr\"") && error.to_string().contains("transaction, user"));
        assert!(matches!(changed(json!({ "user.tags.7": 1 })), Err(EventError::Entry(_))));
    }
}
