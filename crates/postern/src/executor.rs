//! Runs Actions for the server: artifacts from the database through a bounded cache, and runs behind limits for all and
//! for each tenant, so that no tenant can take the others' turn.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use action_api::{Artifact, ArtifactKind, Limits, RunError, RunReport};
use action_runtime::{Environment, RunInput, Runtime};
use idp::{ActionExecutor, ActionRun};
use metrics::{Gauge, gauge, histogram};
use model::TenantId;
use storage::Storage;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use crate::outside::Outside;
use crate::rebuild::Rebuilder;

/// Bytes of artifacts kept in memory.
const CACHE_BYTES: usize = 64 << 20;
/// Threads on which Actions compute, when there are fewer processors. More than these wait for a turn.
const COMPUTING: usize = 64;
/// Components that are compiled at once, each for another tenant.
const COMPILING: usize = 2;

/// How many runs there may be.
#[derive(Debug, Clone, Copy)]
pub struct Places {
    /// Sandboxes at once, those that wait for something included.
    pub runs: u32,
    /// Of these, one tenant's.
    pub runs_per_tenant: u32,
    /// How long a run waits for its place.
    pub queue: Duration,
}

/// The server's executor.
pub struct SandboxExecutor {
    runtime: Arc<Runtime>,
    rebuilder: Rebuilder,
    outside: Arc<Outside>,
    cache: Mutex<ArtifactCache>,
    limits: Places,
    places: Arc<Semaphore>,
    computing: Arc<Semaphore>,
    compiling: Arc<Semaphore>,
    /// One tenant computes on all processors but one, so that its endless loops leave room for the others' logins.
    computing_per_tenant: usize,
    tenants: Mutex<HashMap<String, Arc<Tenant>>>,
}

/// One tenant's share.
struct Tenant {
    places: Arc<Semaphore>,
    computing: Arc<Semaphore>,
    /// One artifact is loaded at a time: many logins wait for the same one.
    loading: Arc<Semaphore>,
}

impl SandboxExecutor {
    /// An executor with so many places. What must be built again has the limits `build`.
    pub fn new(
        runtime: Arc<Runtime>,
        storage: Storage,
        outside: Arc<Outside>,
        limits: Places,
        build: Limits,
    ) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            rebuilder: Rebuilder::new(Arc::clone(&runtime), storage, build),
            runtime,
            outside,
            cache: Mutex::new(ArtifactCache::new(CACHE_BYTES)),
            limits,
            places: Arc::new(Semaphore::new(limits.runs as usize)),
            computing: Arc::new(Semaphore::new(COMPUTING.max(processors))),
            compiling: Arc::new(Semaphore::new(COMPILING)),
            computing_per_tenant: processors.saturating_sub(1).max(1),
            tenants: Mutex::new(HashMap::new()),
        }
    }

    async fn try_run(&self, run: ActionRun) -> Result<RunReport, RunError> {
        let host = |message: String| RunError::Host { message };
        let event = serde_json::to_string(&run.event).map_err(|error| host(format!("the event: {error}")))?;
        let name = run.event.pointer("/tenant/id").and_then(serde_json::Value::as_str).unwrap_or_default();
        let tenant = self.tenant(name);
        let artifact = self.artifact(&TenantId::new(name), &tenant, &run.digest).await?;
        let operations = self
            .outside
            .for_run(name, &run.limits, run.allowed_hosts, run.operations)
            .map_err(|error| host(error.to_string()))?;
        let permits = {
            let _waiting = Counted::new("postern_action_runs_waiting");
            let started = Instant::now();
            let permits = self.in_time(self.places(&tenant)).await;
            histogram!("postern_action_wait_seconds").record(started.elapsed().as_secs_f64());
            permits?.map_err(host)?
        };
        let environment = Environment {
            now_ms: run.now.as_ms(),
            seed: run.seed,
            operations,
            turns: vec![Arc::clone(&tenant.computing), Arc::clone(&self.computing)],
            // A caller that goes away does not free the place of a sandbox that is still there.
            held: Box::new((permits, tenant, Counted::new("postern_action_runs_under_way"))),
        };
        let input = RunInput { handler: run.handler, event, secrets: run.secrets };
        Ok(self.runtime.run(&artifact, input, environment, &run.limits).await.report)
    }

    fn tenant(&self, name: &str) -> Arc<Tenant> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        // Forget tenants that run nothing now: only the map knows them.
        if tenants.len() > 1024 {
            tenants.retain(|_, tenant| Arc::strong_count(tenant) > 1);
        }
        let fresh = || {
            Arc::new(Tenant {
                places: Arc::new(Semaphore::new(self.limits.runs_per_tenant as usize)),
                computing: Arc::new(Semaphore::new(self.computing_per_tenant)),
                loading: Arc::new(Semaphore::new(1)),
            })
        };
        Arc::clone(tenants.entry(name.to_owned()).or_insert_with(fresh))
    }

    /// The tenant's place first: who waits for it does not hold one of all tenants' places.
    async fn places(&self, tenant: &Tenant) -> Result<[OwnedSemaphorePermit; 2], String> {
        let closed = |_| "the server is stopping".to_owned();
        let own = Arc::clone(&tenant.places).acquire_owned().await.map_err(closed)?;
        let all = Arc::clone(&self.places).acquire_owned().await.map_err(closed)?;
        Ok([own, all])
    }

    async fn artifact(
        &self,
        name: &TenantId,
        tenant: &Tenant,
        digest: &str,
    ) -> Result<Arc<Artifact>, RunError> {
        let host = |message: String| RunError::Host { message };
        if let Some(artifact) = self.cache().get(&self.rebuilder.digest(digest)) {
            return Ok(artifact);
        }
        let loading = Arc::clone(&tenant.loading).acquire_owned();
        let loading = self.in_time(loading).await?.map_err(|_| host("the server is stopping".into()))?;
        // By whoever was before us.
        if let Some(artifact) = self.cache().get(&self.rebuilder.digest(digest)) {
            return Ok(artifact);
        }
        let artifact = Arc::new(self.rebuilder.artifact(name, digest).await.map_err(host)?);
        if artifact.kind == ArtifactKind::Component {
            let load = self.load(Arc::clone(&artifact), loading);
            self.in_time(load).await?.map_err(|error| host(error.to_string()))??;
        }
        for evicted in self.cache().put(Arc::clone(&artifact)) {
            self.runtime.evict(&evicted);
        }
        Ok(artifact)
    }

    /// Compiles a component, if this node has not yet. It goes on when the login that needs it has given up: the next one
    /// finds the code.
    fn load(
        &self,
        artifact: Arc<Artifact>,
        loading: OwnedSemaphorePermit,
    ) -> JoinHandle<Result<(), RunError>> {
        let (runtime, compiling) = (Arc::clone(&self.runtime), Arc::clone(&self.compiling));
        tokio::spawn(async move {
            let host = |message: String| RunError::Host { message };
            let compiling = compiling.acquire_owned().await.map_err(|error| host(error.to_string()))?;
            let load = move || {
                let loaded = runtime.load(&artifact).map_err(|error| error.to_string());
                drop((loading, compiling));
                loaded
            };
            let loaded = tokio::task::spawn_blocking(load).await.map_err(|error| host(error.to_string()))?;
            loaded.map_err(host)
        })
    }

    /// What a login may wait for before its Action runs.
    async fn in_time<T>(&self, wait: impl Future<Output = T>) -> Result<T, RunError> {
        tokio::time::timeout(self.limits.queue, wait).await.map_err(|_| RunError::Exhausted {
            message: format!("no sandbox was free within {} ms", self.limits.queue.as_millis()),
        })
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, ArtifactCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ActionExecutor for SandboxExecutor {
    fn run<'a>(&'a self, run: ActionRun) -> Pin<Box<dyn Future<Output = RunReport> + Send + 'a>> {
        Box::pin(async move {
            let digest = run.digest.clone();
            self.try_run(run).await.unwrap_or_else(|error| RunReport::failed(digest, error))
        })
    }
}

/// One of those that a gauge counts, until it is dropped.
struct Counted(Gauge);

impl Counted {
    fn new(gauge: &'static str) -> Self {
        let gauge = gauge!(gauge);
        gauge.increment(1);
        Self(gauge)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

/// Artifacts by digest, the least recently used ones dropped when they are more than `limit` bytes.
struct ArtifactCache {
    entries: HashMap<String, (Arc<Artifact>, u64)>,
    bytes: usize,
    limit: usize,
    uses: u64,
}

impl ArtifactCache {
    fn new(limit: usize) -> Self {
        Self { entries: HashMap::new(), bytes: 0, limit, uses: 0 }
    }

    fn get(&mut self, digest: &str) -> Option<Arc<Artifact>> {
        self.uses += 1;
        let (artifact, used) = self.entries.get_mut(digest)?;
        *used = self.uses;
        Some(Arc::clone(artifact))
    }

    /// Keeps the artifact and returns the digests that had to go for it.
    fn put(&mut self, artifact: Arc<Artifact>) -> Vec<String> {
        self.uses += 1;
        self.bytes += artifact.bytes.len();
        let digest = artifact.digest.clone();
        if let Some((before, _)) = self.entries.insert(digest.clone(), (artifact, self.uses)) {
            self.bytes -= before.bytes.len();
        }
        let mut evicted = Vec::new();
        while self.bytes > self.limit {
            let oldest =
                self.entries.iter().filter(|(key, _)| **key != digest).min_by_key(|(_, (_, used))| *used);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else { break };
            if let Some((gone, _)) = self.entries.remove(&oldest) {
                self.bytes -= gone.bytes.len();
            }
            evicted.push(oldest);
        }
        evicted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(digest: &str, length: usize) -> Arc<Artifact> {
        Arc::new(Artifact {
            kind: ArtifactKind::Component,
            digest: digest.to_owned(),
            bytes: vec![0; length],
        })
    }

    #[test]
    fn the_least_recently_used_artifact_goes_first() {
        let mut cache = ArtifactCache::new(100);
        assert!(cache.put(artifact("a", 40)).is_empty());
        assert!(cache.put(artifact("b", 40)).is_empty());
        assert!(cache.get("a").is_some());
        assert_eq!(cache.put(artifact("c", 40)), ["b"]);
        assert!(cache.put(artifact("c", 40)).is_empty(), "the same one again takes no more room");
        assert_eq!(cache.bytes, 80);
        assert_eq!(cache.put(artifact("d", 500)).len(), 2, "one that is too large stays alone");
        assert!(cache.get("d").is_some());
    }
}
