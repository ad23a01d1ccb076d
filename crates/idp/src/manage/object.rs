//! Objects of the Management API, sent whole or in part: what is absent stays, `null` puts the default back. Unknown names
//! and wrong types are refused, with their place.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::ManageError;
use crate::ServerError;
use crate::by_name::ByName;

pub(super) type Object = Map<String, Value>;

pub(super) fn as_object<T: Serialize>(value: &T) -> Result<Object, ServerError> {
    match serde_json::to_value(value) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => Err(ServerError::Inconsistent(format!("no object: {other}"))),
        Err(error) => Err(ServerError::Inconsistent(format!("no JSON: {error}"))),
    }
}

/// Reads a struct out of an object. Names that the struct does not have are passed over.
pub(super) fn from_object<T: DeserializeOwned>(object: &Object) -> Result<T, ManageError> {
    serde_path_to_error::deserialize(ByName(Value::Object(object.clone()))).map_err(|error| {
        let path = error.path().to_string();
        let text = error.inner().to_string();
        match text.strip_prefix("missing field `") {
            Some(name) => {
                invalid(&format!("Missing required property: {}", name.trim_end_matches('`')), &path)
            }
            None => invalid(&text, &path),
        }
    })
}

/// Reads the value of this name.
pub(super) fn read<T: DeserializeOwned>(name: &str, value: &Value) -> Result<T, ManageError> {
    serde_path_to_error::deserialize(ByName(value.clone())).map_err(|error| {
        let path = match error.path().to_string().as_str() {
            "." => name.to_owned(),
            below => format!("{name}.{below}"),
        };
        invalid(&error.inner().to_string(), &path)
    })
}

/// What was sent breaks a rule at this place, in the dialect's words.
pub(super) fn invalid(text: &str, path: &str) -> ManageError {
    ManageError::Invalid(match path {
        "" | "." => format!("Payload validation error: '{text}'."),
        path => format!("Payload validation error: '{text}' on property {path}."),
    })
}

/// Refuses the first name in what was sent that is in nothing that became of it.
pub(super) fn only_known(sent: &Object, became: &Object) -> Result<(), ManageError> {
    match unknown(sent, became, "") {
        Some((name, path)) => Err(invalid(&format!("Additional properties not allowed: {name}"), &path)),
        None => Ok(()),
    }
}

/// The name, and where it stands.
fn unknown(sent: &Object, became: &Object, path: &str) -> Option<(String, String)> {
    let sent = sent.iter().filter(|(_, value)| !value.is_null());
    sent.filter_map(|(name, value)| match became.get(name) {
        None => Some((name.clone(), path.to_owned())),
        Some(became) => unknown_below(value, became, &join(path, name)),
    })
    .next()
}

fn unknown_below(sent: &Value, became: &Value, path: &str) -> Option<(String, String)> {
    match (sent, became) {
        (Value::Object(sent), Value::Object(became)) => unknown(sent, became, path),
        (Value::Array(sent), Value::Array(became)) => {
            let mut pairs = sent.iter().zip(became).enumerate();
            pairs.find_map(|(index, (sent, became))| unknown_below(sent, became, &format!("{path}[{index}]")))
        }
        _ => None,
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Puts the members of `from` into `into`. Objects that both have are put together in the same way.
pub(super) fn merge(into: &mut Object, from: Object) {
    for (name, value) in from {
        match (into.get_mut(&name), value) {
            (Some(Value::Object(into)), Value::Object(from)) => merge(into, from),
            (_, value) => drop(into.insert(name, value)),
        }
    }
}

/// Changes an object by one that was sent. `null` removes. The objects that are named in `partial` may be sent in part.
pub(super) fn patch(object: &mut Object, sent: &Object, partial: &[&str]) {
    for (name, value) in sent {
        match (object.get_mut(name), value) {
            (_, Value::Null) => drop(object.remove(name)),
            (Some(Value::Object(inner)), Value::Object(part)) if partial.contains(&name.as_str()) => {
                inner.extend(part.clone());
            }
            _ => drop(object.insert(name.clone(), value.clone())),
        }
    }
}

/// Leaves out what only the server writes.
pub(super) fn pass_over(sent: &mut Object, names: &[&str]) {
    sent.retain(|name, _| !names.contains(&name.as_str()));
}

/// Whether there is something, and it is no `null`.
pub(super) fn is_given(object: &Object, name: &str) -> bool {
    object.get(name).is_some_and(|value| !value.is_null())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Object {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn what_is_unknown_is_named_with_its_place() {
        let became = object(json!({ "a": { "b": 1 }, "c": [{ "d": 1 }] }));
        for (sent, text) in [
            (json!({ "x": 1 }), "'Additional properties not allowed: x'."),
            (json!({ "a": { "x": 1 } }), "'Additional properties not allowed: x' on property a."),
            (json!({ "c": [{ "x": 1 }] }), "'Additional properties not allowed: x' on property c[0]."),
        ] {
            let error = only_known(&object(sent), &became).unwrap_err().to_string();
            assert_eq!(error, format!("Payload validation error: {text}"));
        }
        assert!(only_known(&object(json!({ "a": { "b": 2, "x": null }, "y": null })), &became).is_ok());
    }

    #[test]
    fn objects_are_put_together_and_changed_in_part() {
        let mut all = object(json!({ "a": { "b": 1 }, "c": 1 }));
        merge(&mut all, object(json!({ "a": { "d": 2 }, "e": 3 })));
        assert_eq!(Value::Object(all.clone()), json!({ "a": { "b": 1, "d": 2 }, "c": 1, "e": 3 }));
        patch(&mut all, &object(json!({ "a": { "b": 5 }, "c": null })), &["a"]);
        assert_eq!(Value::Object(all.clone()), json!({ "a": { "b": 5, "d": 2 }, "e": 3 }));
        patch(&mut all, &object(json!({ "a": { "b": 6 } })), &[]);
        assert_eq!(Value::Object(all), json!({ "a": { "b": 6 }, "e": 3 }));
    }
}
