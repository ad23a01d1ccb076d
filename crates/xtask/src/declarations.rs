//! `cargo xtask generate`: the TypeScript declarations of `event` and `api`, from the table that events are checked against.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use action_api::schema::{self, Kind, Method, Property, Shape};
use anyhow::{Context, Result};

use crate::process::{root, say};

/// What the table's signatures name.
const NAMED_TYPES: &str = "\
  /** What can be written as JSON. */
  type JsonValue = string | number | boolean | null | JsonValue[] | { [name: string]: JsonValue };
  /** A second factor that a user can be asked for. */
  interface ChallengeFactor {
    type: 'otp' | 'recovery-code' | 'email' | 'phone' | 'push-notification' | 'push' | 'webauthn-platform' | 'webauthn-roaming';
    options?: { preferredMethod?: 'sms' | 'voice' | 'both'; otpFallback?: boolean };
  }
  /** A second factor that a user can set up. */
  interface EnrollFactor {
    type: 'otp' | 'recovery-code' | 'phone' | 'push-notification' | 'push' | 'webauthn-platform' | 'webauthn-roaming';
    options?: { preferredMethod?: 'sms' | 'voice' | 'both' };
  }
  /** Whether the cache took the value. */
  type CacheSetResult =
    | { type: 'success'; record: { value: string; expires_at: number } }
    | { type: 'error'; code: string };
  /** Whether the cache had the key. */
  type CacheDeleteResult = { type: 'success' } | { type: 'error'; code: string };
  /** A group that the user is in. */
  interface Group {
    id: string;
    name: string;
    [name: string]: any;
  }
  /** Whether the user is in a group, and in which of those with that name. */
  interface GroupMembership {
    is_member: boolean;
    matches?: { id: string; name: string; group_type: string }[];
  }
  /** A role that the user has. */
  interface Role {
    id: string;
    name: string;
    type: string;
  }
";

const GLOBALS: &str = "\
/** Who logs in, with what, and from where. */
interface Event extends PostLogin.Event {}
/** What an Action can ask of the login. */
interface PostLoginAPI extends PostLogin.API {}
/** Runs at each login. */
type OnExecutePostLogin = (event: PostLogin.Event, api: PostLogin.API) => Promise<void>;
/** Runs when the browser is back from where this Action had sent it. */
type OnContinuePostLogin = (event: PostLogin.Event, api: PostLogin.API) => Promise<void>;
/** In the code of an `actions:` module, and there alone: what belongs to the module. */
declare const actions: {
  /** The module's own secrets by name, while the Action runs. */
  readonly secrets: Readonly<Record<string, string>>;
};
/** A module that Actions of a tenant share. */
declare module 'actions:*';
";

fn file() -> PathBuf {
    root().join("actions/sdk-js/index.d.ts")
}

/// Writes the declarations where they are kept.
pub(crate) fn run() -> Result<()> {
    let file = file();
    std::fs::write(&file, declarations()).with_context(|| format!("cannot write {}", file.display()))?;
    say(&format!("wrote {}", file.display()));
    Ok(())
}

fn declarations() -> String {
    let mut text = "// Made by `cargo xtask generate` from crates/action-api/src/schema/post_login.json. Do not edit.\n\n\
                    declare namespace PostLogin {\n"
        .to_owned();
    text.push_str("  /** Who logs in, with what, and from where. */\n  interface Event ");
    object(&mut text, schema::event_shape(), 1);
    text.push_str("\n  /** What an Action can ask of the login. */\n  interface API {\n");
    for (group, methods) in groups() {
        let _ = writeln!(text, "    {group}: {{");
        methods.iter().for_each(|method| signature(&mut text, method));
        text.push_str("    };\n");
    }
    text.push_str("  }\n");
    text.push_str(NAMED_TYPES);
    text.push_str("}\n\n");
    text.push_str(GLOBALS);
    text
}

/// The methods that this server has, by the object below `api` that they are in.
fn groups() -> BTreeMap<&'static str, Vec<&'static Method>> {
    let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for method in schema::methods().iter().filter(|method| !method.absent) {
        let name = method.method.trim_start_matches("api.");
        groups.entry(name.split_once('.').map_or("", |(group, _)| group)).or_default().push(method);
    }
    groups
}

fn signature(text: &mut String, method: &Method) {
    let _ = writeln!(text, "      /**\n       * {}", method.about);
    for param in &method.params {
        let _ = writeln!(text, "       * @param {} {}", param.name, param.about);
    }
    let params = method
        .params
        .iter()
        .map(|param| format!("{}{}: {}", param.name, if param.optional { "?" } else { "" }, param.kind));
    let name = method.method.rsplit('.').next().unwrap_or_default();
    let params = params.collect::<Vec<_>>().join(", ");
    let _ = writeln!(text, "       */\n      {name}({params}): {};", method.returns);
}

/// `{ ... }` with the properties below a shape. `depth`: how far the line is indented, in steps of two.
fn object(text: &mut String, shape: &Shape, depth: usize) {
    let indent = "  ".repeat(depth + 1);
    text.push_str("{\n");
    for (name, below) in &shape.named {
        let Some(property) = below.property else { continue };
        let _ = writeln!(text, "{indent}/** {} */", property.about);
        let _ = write!(text, "{indent}{name}{}: ", if property.optional { "?" } else { "" });
        value(text, below, property, depth + 1);
        text.push_str(if property.nullable { " | null;\n" } else { ";\n" });
    }
    if shape.others.is_some() || matches!(shape.kind(), Kind::OpenObject | Kind::OpenObjects) {
        let _ = writeln!(text, "{indent}[name: string]: any;");
    }
    let _ = write!(text, "{}}}", "  ".repeat(depth));
}

fn value(text: &mut String, shape: &Shape, property: &Property, depth: usize) {
    let strings = || {
        let literals: Vec<String> = property.values.iter().map(|value| format!("'{value}'")).collect();
        if literals.is_empty() { "string".to_owned() } else { literals.join(" | ") }
    };
    match property.kind {
        Kind::String => text.push_str(&strings()),
        Kind::Strings if property.values.is_empty() => text.push_str("string[]"),
        Kind::Strings => {
            let _ = write!(text, "({})[]", strings());
        }
        Kind::Number => text.push_str("number"),
        Kind::Boolean => text.push_str("boolean"),
        Kind::Scalar => text.push_str("string | number | boolean"),
        Kind::Map => text.push_str("Record<string, any>"),
        Kind::MapOfString => text.push_str("Record<string, string>"),
        Kind::MapOfScalar => text.push_str("Record<string, string | number | boolean>"),
        Kind::Object | Kind::OpenObject => object(text, shape, depth),
        Kind::Objects | Kind::OpenObjects => {
            object(text, shape, depth);
            text.push_str("[]");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_declarations_in_the_repository_are_those_of_the_table() {
        let kept = std::fs::read_to_string(file()).expect("they are there");
        assert_eq!(kept, declarations(), "run `cargo xtask generate`");
    }
}
