//! A partial object on the command line.

use std::io::Read;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::exit_code::{ExitCode, Failure, OrExit};

/// Reads what changes, as the Management API takes it.
pub fn parse<T: DeserializeOwned>(argument: &str) -> Result<T, Failure> {
    let object = Value::Object(read(argument)?);
    serde_json::from_value(object).or_exit(ExitCode::Usage, "not what can be changed")
}

/// Reads a JSON object: as it stands, from a file (`@FILE`) or from standard input (`-`).
pub fn read(argument: &str) -> Result<Map<String, Value>, Failure> {
    let text = match argument.strip_prefix('@') {
        Some(file) => {
            std::fs::read_to_string(file).or_exit(ExitCode::Usage, format!("cannot read {file}"))?
        }
        None if argument == "-" => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .or_exit(ExitCode::Usage, "cannot read standard input")?;
            text
        }
        None => argument.to_owned(),
    };
    serde_json::from_str(&text).or_exit(ExitCode::Usage, "not a JSON object")
}
