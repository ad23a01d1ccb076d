//! The shape of the post-login trigger's event and `api`: one table, `post_login.json`. Events are validated and generated
//! by it, and the type declarations of `actions/sdk-js` are made from it (`reference/post-login.md` sections 2 and 3).

mod flow;
mod shape;
mod validate;

use std::sync::LazyLock;

use serde::Deserialize;

pub use flow::Flow;
pub use shape::{Shape, event_shape};
pub use validate::{Reason, Violation, validate};

/// What a property of the event holds. An array's members and a map's values have no names of their own in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Kind {
    /// Text.
    #[serde(rename = "string")]
    String,
    /// Any JSON number.
    #[serde(rename = "number")]
    Number,
    /// A truth value.
    #[serde(rename = "boolean")]
    Boolean,
    /// A string, a number or a boolean.
    #[serde(rename = "scalar")]
    Scalar,
    /// The properties that the table names, and no others.
    #[serde(rename = "object")]
    Object,
    /// The properties that the table names, and others.
    #[serde(rename = "open object")]
    OpenObject,
    /// Any names with any values.
    #[serde(rename = "map")]
    Map,
    /// Any names with strings.
    #[serde(rename = "map of string")]
    MapOfString,
    /// Any names with strings, numbers and booleans.
    #[serde(rename = "map of scalar")]
    MapOfScalar,
    /// An array of strings.
    #[serde(rename = "string[]")]
    Strings,
    /// An array of objects with the properties that the table names.
    #[serde(rename = "object[]")]
    Objects,
    /// An array of objects that may have other properties as well.
    #[serde(rename = "open object[]")]
    OpenObjects,
}

/// How a string is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// A moment, as `2026-01-02T03:04:05.678Z` (RFC 3339).
    DateTime,
    /// An IPv4 or IPv6 address.
    Ip,
    /// An e-mail address.
    Email,
    /// An address. Profiles have them from elsewhere, so this is not checked.
    Uri,
}

/// Whether this server fills a property, where what it is part of is there and the flow has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Filled {
    /// In every event.
    Always,
    /// When there is such data.
    Sometimes,
    /// It is of the dialect only.
    Never,
}

/// One path of the event.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Property {
    /// As `event.session.clients[].client_id`.
    pub path: String,
    /// What it holds.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Whether the dialect may leave it out where what it is part of is there.
    #[serde(default)]
    pub optional: bool,
    /// Whether the dialect may have null there.
    #[serde(default)]
    pub nullable: bool,
    /// What this server does.
    pub filled: Filled,
    /// The flows that have it; empty: all that have what it is part of.
    #[serde(default)]
    pub flows: Vec<Flow>,
    /// All values that it can have, or that its members can have; empty: any.
    #[serde(default)]
    pub values: Vec<String>,
    /// Some values, for generated events.
    #[serde(default)]
    pub examples: Vec<String>,
    /// How it is written.
    #[serde(default)]
    pub format: Option<Format>,
    /// What it is, for an author.
    pub about: String,
}

/// One method of `api`.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Method {
    /// As `api.session.setExpiresAt`.
    pub method: String,
    /// In their order.
    pub params: Vec<Param>,
    /// A TypeScript type; `API` is the object itself.
    pub returns: String,
    /// What it does, for an author.
    pub about: String,
    /// Whether this server has not got it.
    #[serde(default)]
    pub absent: bool,
}

/// One parameter of a method.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Param {
    /// Its name.
    pub name: String,
    /// A TypeScript type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it may be left out.
    #[serde(default)]
    pub optional: bool,
    /// What it is, for an author.
    pub about: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    event: Vec<Property>,
    api: Vec<Method>,
}

#[expect(clippy::expect_used, reason = "the table is compiled in; every test that uses it reads it")]
static TABLE: LazyLock<Table> = LazyLock::new(|| {
    serde_json::from_str(include_str!("post_login.json")).expect("the table of the dialect")
});

/// Every path of the event, in the order of the reference.
#[must_use]
pub fn properties() -> &'static [Property] {
    &TABLE.event
}

/// Every method of `api`, in the order of the reference.
#[must_use]
pub fn methods() -> &'static [Method] {
    &TABLE.api
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    #[test]
    fn the_table_has_every_path_and_every_method_of_the_reference_once() {
        let reference: Value =
            serde_json::from_str(include_str!("../../../../tests/fixtures/post-login.json")).expect("JSON");
        let names = |list: &str| -> Vec<String> {
            serde_json::from_value(reference[list].clone()).expect("a list of names")
        };
        let paths: Vec<String> = properties().iter().map(|property| property.path.clone()).collect();
        assert_eq!(paths, names("event"));
        assert_eq!(paths.iter().collect::<BTreeSet<_>>().len(), 266);
        let methods: Vec<String> = methods().iter().map(|method| method.method.clone()).collect();
        assert_eq!(methods, names("api"));
    }

    #[test]
    fn the_table_says_of_each_path_what_the_documentation_says() {
        let documented = include_str!("../../../../docs/event.md");
        for property in properties() {
            let row = format!("| `{}` | ", property.path);
            let row = documented.lines().find_map(|line| line.strip_prefix(&row)).expect(&property.path);
            assert_eq!(row.starts_with("yes"), property.filled != Filled::Never, "{}", property.path);
        }
    }

    #[test]
    fn values_formats_and_examples_are_of_strings_only() {
        for property in properties() {
            let text = matches!(property.kind, Kind::String | Kind::Strings);
            let said =
                !property.values.is_empty() || !property.examples.is_empty() || property.format.is_some();
            assert!(text || !said, "{}", property.path);
            let known = |example: &String| property.values.is_empty() || property.values.contains(example);
            assert!(property.examples.iter().all(known), "{}", property.path);
            assert!(property.about.ends_with('.'), "{}", property.path);
        }
    }
}
