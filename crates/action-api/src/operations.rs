use std::future::Future;
use std::pin::Pin;

use serde_json::Value;

/// What an operation answers: a value, or an error text for the Action's author. The text reaches the script as the
/// message of an error, so it names nothing internal.
pub type OperationAnswer = Result<Value, String>;

/// The answer of an operation that is under way.
pub type OperationFuture = Pin<Box<dyn Future<Output = OperationAnswer> + Send>>;

/// What one run may ask of the world outside of its sandbox, by name. Every answer is in the run's record.
pub trait Operations: Send + Sync {
    /// Begins an operation that the run waits for, as `http.fetch`. Dropping the future cancels it.
    fn start(&self, kind: &str, input: Value) -> OperationFuture;

    /// Answers at once, as `cache.get` does. It must not block. `now_ms` is the run's clock.
    fn call(&self, kind: &str, input: Value, now_ms: i64) -> OperationAnswer;
}

/// For a run that may ask nothing.
#[derive(Debug, Clone, Copy)]
pub struct NoOperations;

impl Operations for NoOperations {
    fn start(&self, kind: &str, _input: Value) -> OperationFuture {
        let refused = Err(unknown_operation(kind));
        Box::pin(async { refused })
    }

    fn call(&self, kind: &str, _input: Value, _now_ms: i64) -> OperationAnswer {
        Err(unknown_operation(kind))
    }
}

/// The error text for an operation that nobody serves.
#[must_use]
pub fn unknown_operation(kind: &str) -> String {
    format!("the operation {kind:?} is not available here")
}
