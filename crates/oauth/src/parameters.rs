use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::OAuthError;

/// The parameters of one request (RFC 6749 §3.1, §3.2): each at most once; one without a value counts as not sent;
/// unknown ones are ignored.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Parameters(BTreeMap<String, String>);

/// Names only: values may be credentials.
impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Parameters {
    /// From names and values.
    ///
    /// # Errors
    /// `invalid_request` when a name comes twice, even with an empty value.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self, OAuthError> {
        let mut parameters = BTreeMap::new();
        for (name, value) in pairs {
            if parameters.contains_key(&name) {
                return Err(OAuthError::invalid_request(format!("Parameter given more than once: {name}")));
            }
            parameters.insert(name, value);
        }
        parameters.retain(|_, value| !value.is_empty());
        Ok(Self(parameters))
    }

    /// From a form body or a raw query string (RFC 6749 Appendix B).
    ///
    /// # Errors
    /// As [`Parameters::from_pairs`].
    pub fn from_form(body: &[u8]) -> Result<Self, OAuthError> {
        Self::from_pairs(
            form_urlencoded::parse(body).map(|(name, value)| (name.into_owned(), value.into_owned())),
        )
    }

    /// From a JSON object whose values are strings: the dialect's SDKs send the token request so.
    ///
    /// # Errors
    /// `invalid_request` for anything else, and for a name that comes twice.
    pub fn from_json(body: &[u8]) -> Result<Self, OAuthError> {
        read_json(body, Pairs { with_lists: false })
            .ok_or_else(|| OAuthError::invalid_request("The body must be a JSON object with string values."))
            .and_then(Self::from_pairs)
    }

    /// The same where a value may be a list of strings, which becomes a text with blanks between them.
    ///
    /// # Errors
    /// As [`Parameters::from_json`].
    pub fn from_json_with_lists(body: &[u8]) -> Result<Self, OAuthError> {
        let text = "The body must be a JSON object whose values are strings or lists of strings.";
        read_json(body, Pairs { with_lists: true })
            .ok_or_else(|| OAuthError::invalid_request(text))
            .and_then(Self::from_pairs)
    }

    /// The value of this parameter; `None` when it was not sent or was empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The value of a parameter that must be there.
    ///
    /// # Errors
    /// `invalid_request` when it is not.
    pub fn require(&self, name: &str) -> Result<&str, OAuthError> {
        self.get(name)
            .ok_or_else(|| OAuthError::invalid_request(format!("Missing required parameter: {name}")))
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// All but these, as JSON: what an Action may see.
    #[must_use]
    pub fn without(&self, names: &[&str]) -> Map<String, Value> {
        self.iter()
            .filter(|(name, _)| !names.contains(name))
            .map(|(name, value)| (name.to_owned(), Value::from(value)))
            .collect()
    }
}

fn read_json(body: &[u8], pairs: Pairs) -> Option<Vec<(String, String)>> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    reader.deserialize_map(pairs).and_then(|pairs| reader.end().map(|()| pairs)).ok()
}

/// Keeps repeated members, which `serde_json::Map` would merge.
struct Pairs {
    with_lists: bool,
}

impl Pairs {
    fn text(&self, value: Value) -> Option<String> {
        match value {
            Value::String(text) => Some(text),
            Value::Array(list) if self.with_lists => {
                let words: Option<Vec<_>> = list.iter().map(Value::as_str).collect();
                Some(words?.join(" "))
            }
            _ => None,
        }
    }
}

impl<'de> Visitor<'de> for Pairs {
    type Value = Vec<(String, String)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            match self.text(value) {
                Some(value) => pairs.push((name, value)),
                None => return Err(A::Error::custom("not a string")),
            }
        }
        Ok(pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_strings_is_a_value_where_lists_may_be() {
        let body = br#"{"a": ["otp", "oob"], "b": "c", "d": []}"#;
        let parameters = Parameters::from_json_with_lists(body).unwrap();
        assert_eq!((parameters.get("a"), parameters.get("b")), (Some("otp oob"), Some("c")));
        assert_eq!(parameters.get("d"), None);
        assert!(Parameters::from_json(body).is_err());
        for body in [r#"{"a": [1]}"#, r#"{"a": {"b": "c"}}"#, r#"{"a": [["b"]]}"#, "[]"] {
            assert!(Parameters::from_json_with_lists(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn a_repeated_parameter_is_an_error_in_every_encoding() {
        for body in ["a=1&a=1", "a=1&a=2", "a=&a=1", "b=1&a=1&%61=2", "a&a"] {
            assert!(Parameters::from_form(body.as_bytes()).is_err(), "{body}");
        }
        for body in [r#"{"a":"1","a":"1"}"#, r#"{"a":"","a":"2"}"#, r#"{"a":"1","\u0061":"2"}"#] {
            assert!(Parameters::from_json(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn an_empty_value_counts_as_absent() {
        let parameters = Parameters::from_form(b"a=&b&c=1+2%26").unwrap();
        assert_eq!(
            (parameters.get("a"), parameters.get("b"), parameters.get("c")),
            (None, None, Some("1 2&"))
        );
        let error = parameters.require("a").unwrap_err();
        assert_eq!(error.description, "Missing required parameter: a");
        assert_eq!(error.status(), 400);
    }

    #[test]
    fn json_holds_only_strings() {
        let parameters = Parameters::from_json(br#"{"grant_type":"refresh_token","scope":""}"#).unwrap();
        assert_eq!(parameters.get("grant_type"), Some("refresh_token"));
        assert_eq!(parameters.get("scope"), None);
        for body in [
            r#"{"a":1}"#,
            r#"{"a":null}"#,
            r#"{"a":["b"]}"#,
            r#"{"a":{}}"#,
            r#"{"a":true}"#,
            "[]",
            "\"a\"",
            "null",
            "",
            "{",
            r#"{"a":"b"} x"#,
            r#"{"a":"b"}{}"#,
            "{\"a\":\"\u{1}\"}",
        ] {
            assert!(Parameters::from_json(body.as_bytes()).is_err(), "{body}");
        }
        assert!(Parameters::from_json(&[b'{', b'"', 0xff, b'"', b':', b'"', b'"', b'}']).is_err());
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(Parameters::from_json(deep.as_bytes()).is_err());
    }

    #[test]
    fn without_leaves_credentials_out_and_debug_shows_names_only() {
        let parameters = Parameters::from_form(b"client_id=c&client_secret=hunter2").unwrap();
        assert_eq!(
            Value::Object(parameters.without(&["client_secret"])),
            serde_json::json!({"client_id": "c"})
        );
        assert!(!format!("{parameters:?}").contains("hunter2"));
    }
}
