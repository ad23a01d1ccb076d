use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;

use action_api::{Command, RunError, RunReport};
use idp::{ActionExecutor, ActionRun};
use serde_json::Value;

type Handler = Box<dyn Fn(&Value) -> Result<Vec<Command>, Box<RunError>> + Send + Sync>;

/// Runs a closure in place of an Action, and remembers what events it got.
#[derive(Default)]
pub struct FakeActions {
    handler: Mutex<Option<Handler>>,
    events: Mutex<Vec<Value>>,
}

impl FakeActions {
    /// What every bound Action does from now on.
    pub fn set(
        &self,
        handler: impl Fn(&Value) -> Result<Vec<Command>, Box<RunError>> + Send + Sync + 'static,
    ) {
        *self.handler.lock().unwrap() = Some(Box::new(handler));
    }

    /// The events so far.
    pub fn events(&self) -> Vec<Value> {
        self.events.lock().unwrap().clone()
    }
}

impl ActionExecutor for FakeActions {
    fn run<'a>(&'a self, run: ActionRun) -> Pin<Box<dyn Future<Output = RunReport> + Send + 'a>> {
        let result = match &*self.handler.lock().unwrap() {
            Some(handler) => handler(&run.event),
            None => Ok(Vec::new()),
        };
        self.events.lock().unwrap().push(run.event);
        let (commands, error) = match result {
            Ok(commands) => (commands, None),
            Err(error) => (Vec::new(), Some(*error)),
        };
        let report = RunReport {
            digest: run.digest,
            commands,
            console: Vec::new(),
            console_dropped_bytes: 0,
            fuel: 1,
            elapsed_us: 1,
            memory_bytes: 1,
            evaluated_at_login: false,
            error,
        };
        Box::pin(async move { report })
    }
}
