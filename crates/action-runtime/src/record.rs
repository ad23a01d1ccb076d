//! What entered a run from outside of its sandbox, so that the run can be repeated.

use serde::{Deserialize, Serialize};

/// The answers that a run got. With the artifact and the event it decides the run: a replay yields the same commands,
/// console and fuel. It holds what outside services answered, so it is as confidential as the run's event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The clock at the run's beginning, in milliseconds since the Unix epoch.
    pub now_ms: i64,
    /// All randomness of the run.
    pub seed: [u8; 32],
    /// In the order in which they entered.
    pub entries: Vec<Entry>,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case", deny_unknown_fields)]
pub enum Entry {
    /// The answer to an operation that the run waited for.
    Answered {
        /// The operation, counted from 1 in the order in which the run started them.
        id: u32,
        /// SHA-256 of the operation's kind and input.
        request: String,
        /// The run's clock from here on.
        now_ms: i64,
        /// What it answered.
        answer: Reply,
    },
    /// The answer to a call that the run did not have to wait for.
    Called {
        /// SHA-256 of the call's kind and input.
        request: String,
        /// What it answered.
        answer: Reply,
    },
    /// The wall clock limit ended the run while it waited.
    OutOfTime,
}

/// What an operation or a call answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// JSON text, byte for byte as the script got it.
    Json(String),
    /// The text of an error.
    Error(String),
}

impl From<action_api::OperationAnswer> for Reply {
    fn from(answer: action_api::OperationAnswer) -> Self {
        match answer {
            Ok(value) => Self::Json(value.to_string()),
            Err(text) => Self::Error(text),
        }
    }
}
