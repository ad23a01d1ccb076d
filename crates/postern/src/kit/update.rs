//! Writes what came out into a case's file: `expect` is made anew, and all else stays as its author wrote it.

use std::io::Write;
use std::path::Path;

use serde_json::{Map, Value};
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table};

/// Why a case was not updated.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// The file system refused.
    #[error("cannot write {path}: {cause}")]
    Write {
        /// The file.
        path: String,
        /// Why.
        cause: std::io::Error,
    },
    /// It was read before, and is something else now.
    #[error("{path} has changed meanwhile: {message}")]
    Changed {
        /// The file.
        path: String,
        /// What it is not.
        message: String,
    },
    /// TOML has no `null` within lists.
    #[error("{path}: what came out cannot be written as TOML; write the case as JSON")]
    Toml {
        /// The file.
        path: String,
    },
}

/// Puts this in the place of the case's `expect`.
///
/// # Errors
/// [`UpdateError`]; the file is then as it was.
pub fn update(path: &Path, expect: Map<String, Value>) -> Result<(), UpdateError> {
    let name = || path.display().to_string();
    let write = |cause| UpdateError::Write { path: name(), cause };
    let changed = |message: String| UpdateError::Changed { path: name(), message };
    let text = std::fs::read_to_string(path).map_err(write)?;
    let text = if path.extension().is_some_and(|ending| ending == "toml") {
        let mut document: DocumentMut =
            text.parse().map_err(|error: toml_edit::TomlError| changed(error.to_string()))?;
        let table = table(&expect).ok_or_else(|| UpdateError::Toml { path: name() })?;
        match document.get_mut("expect").and_then(Item::as_table_mut) {
            // The comments before it stay.
            Some(there) => {
                let decor = there.decor().clone();
                *there = table;
                *there.decor_mut() = decor;
            }
            None => {
                document.insert("expect", Item::Table(table));
            }
        }
        document.to_string()
    } else {
        let mut case: Map<String, Value> =
            serde_json::from_str(&text).map_err(|error| changed(error.to_string()))?;
        case.insert("expect".into(), Value::Object(expect));
        serde_json::to_string_pretty(&case).map_err(|error| changed(error.to_string()))? + "\n"
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(write)?;
    file.write_all(text.as_bytes()).map_err(write)?;
    let mode = std::fs::metadata(path).map_err(write)?.permissions();
    file.as_file().set_permissions(mode).map_err(write)?;
    file.persist(path).map_err(|error| write(error.error))?;
    Ok(())
}

fn table(fields: &Map<String, Value>) -> Option<Table> {
    let mut table = Table::new();
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        let item = match value {
            Value::Object(fields) => Item::Table(self::table(fields)?),
            other => Item::Value(to_toml(other, true)?),
        };
        table.insert(name, item);
    }
    Some(table)
}

/// A list at the top has an entry on each line.
fn to_toml(value: &Value, top: bool) -> Option<toml_edit::Value> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => whole.into(),
            None => number.as_f64()?.into(),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(entries) => {
            let mut array = Array::new();
            for entry in entries {
                let mut entry = to_toml(entry, false)?;
                if top {
                    entry.decor_mut().set_prefix("\n  ");
                }
                array.push_formatted(entry);
            }
            if top && !entries.is_empty() {
                array.set_trailing("\n");
                array.set_trailing_comma(true);
            } else {
                array.fmt();
            }
            array.into()
        }
        Value::Object(fields) => {
            let mut table = InlineTable::new();
            // `command` first: it says what the others are.
            let first = fields.get_key_value("command");
            let rest = fields.iter().filter(|(name, value)| *name != "command" && !value.is_null());
            for (name, value) in first.into_iter().chain(rest) {
                table.insert(name, to_toml(value, false)?);
            }
            table.into()
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_expected_is_written_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("case.toml");
        let kept = "# Why this case is here.\nevent = 'refresh' # yes\n\n[stand_ins]\nnow = 2026-01-15T09:00:00Z\n\n# What comes out.\n[expect]\n";
        std::fs::write(&path, format!("{kept}commands = [1]\nerror = 'x'\n")).expect("written");
        let commands = json!([{ "command": "user.setUserMetadata", "a": 1.5, "key": "k", "value": null }, { "b": 1_000_000_000_000_i64 }]);
        update(&path, Map::from_iter([("commands".to_owned(), commands)])).expect("updated");
        let wanted = "commands = [\n  { command = \"user.setUserMetadata\", a = 1.5, key = \"k\" },\n  { b = 1000000000000 },\n]\n";
        assert_eq!(std::fs::read_to_string(&path).expect("read"), format!("{kept}{wanted}"));
        let null = Map::from_iter([("commands".to_owned(), json!([[null]]))]);
        assert!(matches!(update(&path, null), Err(UpdateError::Toml { .. })));
        assert_eq!(std::fs::read_to_string(&path).expect("read"), format!("{kept}{wanted}"));
    }
}
