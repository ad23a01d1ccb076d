//! What Actions can ask of the world while they run: outgoing requests and the cache, beside the server's own data. The
//! server and `postern action run` have the same.

use std::sync::Arc;

use action_api::{Limits, OperationAnswer, OperationFuture, Operations};
use model::AllowedHosts;
use serde_json::Value;

use crate::action_cache::{ActionCache, RunCache};
use crate::outgoing::{ClientError, Fetcher, RunFetch};

/// For all runs of the process.
pub struct Outside {
    fetcher: Fetcher,
    cache: ActionCache,
}

/// For one run.
struct RunOutside {
    fetch: Arc<RunFetch>,
    cache: RunCache,
    server: Arc<dyn Operations>,
}

impl Outside {
    /// With an empty cache.
    #[must_use]
    pub fn new(fetcher: Fetcher) -> Self {
        Self { fetcher, cache: ActionCache::default() }
    }

    /// What a run of this tenant can ask: requests to `hosts`, and `server` for what is not outside of it.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn for_run(
        &self,
        tenant: &str,
        limits: &Limits,
        hosts: AllowedHosts,
        server: Arc<dyn Operations>,
    ) -> Result<Arc<dyn Operations>, ClientError> {
        let fetch = Arc::new(self.fetcher.for_run(tenant, limits, hosts)?);
        Ok(Arc::new(RunOutside { fetch, cache: self.cache.for_run(tenant), server }))
    }
}

impl Operations for RunOutside {
    fn start(&self, kind: &str, input: Value) -> OperationFuture {
        if kind != "http.fetch" {
            return self.server.start(kind, input);
        }
        let fetch = Arc::clone(&self.fetch);
        Box::pin(async move { fetch.fetch(input).await })
    }

    fn call(&self, kind: &str, input: Value, now_ms: i64) -> OperationAnswer {
        self.cache.call(kind, &input, now_ms).unwrap_or_else(|| self.server.call(kind, input, now_ms))
    }
}
