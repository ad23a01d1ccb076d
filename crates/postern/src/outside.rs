//! What Actions can ask of the world while they run: outgoing requests and the cache, beside the server's own data. The
//! server and `postern action run` have the same.

use std::sync::Arc;

use action_api::{Limits, OperationAnswer, OperationFuture, Operations};
use model::AllowedHosts;
use serde_json::Value;
use tracing::{Instrument, Span};
use url::Url;

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
    /// The run's, for traces.
    span: Span,
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
        Ok(Arc::new(RunOutside { fetch, cache: self.cache.for_run(tenant), server, span: Span::current() }))
    }
}

impl Operations for RunOutside {
    fn start(&self, kind: &str, input: Value) -> OperationFuture {
        let span = self.call_span(kind);
        if kind != "http.fetch" {
            return Box::pin(self.server.start(kind, input).instrument(span));
        }
        if let Some(origin) = (!span.is_disabled()).then(|| origin(&input)).flatten() {
            span.record("origin", origin);
        }
        let fetch = Arc::clone(&self.fetch);
        Box::pin(async move { fetch.fetch(input).await }.instrument(span))
    }

    fn call(&self, kind: &str, input: Value, now_ms: i64) -> OperationAnswer {
        let _span = self.call_span(kind).entered();
        self.cache.call(kind, &input, now_ms).unwrap_or_else(|| self.server.call(kind, input, now_ms))
    }
}

impl RunOutside {
    fn call_span(&self, kind: &str) -> Span {
        tracing::trace_span!(
            target: "postern::trace", parent: &self.span, "action.call", kind, origin = tracing::field::Empty
        )
    }
}

/// Scheme, host and port of what is fetched: the rest of a URL may hold anything.
fn origin(input: &Value) -> Option<String> {
    let url = Url::parse(input.get("url")?.as_str()?).ok()?;
    Some(url.origin().ascii_serialization())
}
