//! The world itself, for runs without stand-ins: what the server has, made when an Action first asks. Reading the system's
//! root certificates takes longer than a run.

use std::sync::{Arc, OnceLock};

use action_api::{Limits, NoOperations, OperationAnswer, OperationFuture, Operations};
use model::AllowedHosts;
use postern::outside::Outside;
use serde_json::Value;

/// Makes what the server has.
type Make = dyn Fn() -> Result<Outside, String> + Send + Sync;

/// For all runs of a login.
pub struct RealWorld {
    make: Box<Make>,
    made: OnceLock<Result<Outside, String>>,
}

/// For one run.
struct RunInIt {
    world: Arc<RealWorld>,
    limits: Limits,
    made: OnceLock<Result<Arc<dyn Operations>, String>>,
}

impl RealWorld {
    /// Nothing is made yet.
    pub fn new(make: impl Fn() -> Result<Outside, String> + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { make: Box::new(make), made: OnceLock::new() })
    }

    /// What a run may ask.
    pub fn for_run(self: &Arc<Self>, limits: &Limits) -> Arc<dyn Operations> {
        Arc::new(RunInIt { world: Arc::clone(self), limits: *limits, made: OnceLock::new() })
    }
}

impl RunInIt {
    fn operations(&self) -> Result<&Arc<dyn Operations>, String> {
        let made = self.made.get_or_init(|| {
            let outside = self.world.made.get_or_init(|| (self.world.make)()).as_ref()?;
            outside
                .for_run("", &self.limits, AllowedHosts::Any, Arc::new(NoOperations))
                .map_err(|error| format!("no request can be sent: {error}"))
        });
        made.as_ref().map_err(Clone::clone)
    }
}

impl Operations for RunInIt {
    fn start(&self, kind: &str, input: Value) -> OperationFuture {
        match self.operations() {
            Ok(operations) => operations.start(kind, input),
            Err(text) => Box::pin(async { Err(text) }),
        }
    }

    fn call(&self, kind: &str, input: Value, now_ms: i64) -> OperationAnswer {
        self.operations()?.call(kind, input, now_ms)
    }
}
