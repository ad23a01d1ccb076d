//! Images for the JS engine that is there. An image runs only on the engine that made it; after an upgrade, what was deployed
//! before is built again from its source at its first login, once for all nodes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use action_api::{Artifact, ArtifactKind, Limits};
use action_build::{Program, Source};
use action_runtime::Runtime;
use model::{ActionSource, TenantId};
use storage::Storage;

/// What the database keeps of a source.
#[must_use]
pub fn kept(source: &Source) -> ActionSource {
    let (code, modules) = match &source.program {
        Program::Script { code, modules } => (code.clone(), modules.clone()),
        Program::Component(_) => Default::default(),
    };
    ActionSource { file_name: source.file_name.clone(), code, modules }
}

/// Builds images again.
pub struct Rebuilder {
    runtime: Arc<Runtime>,
    storage: Storage,
    /// What a build may use.
    limits: Limits,
    /// One build at a time: many logins wait for the same image, and builds take processors from logins.
    building: tokio::sync::Mutex<()>,
    /// By the digest of an artifact for another engine, that of the one for this engine.
    known: Mutex<HashMap<String, String>>,
}

impl Rebuilder {
    /// For this engine, with these limits of a build.
    pub fn new(runtime: Arc<Runtime>, storage: Storage, limits: Limits) -> Self {
        let (building, known) = (tokio::sync::Mutex::default(), Mutex::default());
        Self { runtime, storage, limits, building, known }
    }

    /// The digest under which this engine has that artifact, as far as that is known.
    pub fn digest(&self, digest: &str) -> String {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(digest).cloned().unwrap_or_else(|| digest.to_owned())
    }

    /// The artifact from the database, for this engine.
    ///
    /// # Errors
    /// A text for the operator: it is not there, or its source does not build any more.
    pub async fn artifact(&self, tenant: &TenantId, digest: &str) -> Result<Artifact, String> {
        let stored = match self.find(&self.digest(digest)).await? {
            Some(stored) => stored,
            // It was removed while nothing needed it: there is the one that it was made for.
            None => {
                self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(digest);
                self.stored(digest).await?
            }
        };
        match &stored.kind {
            ArtifactKind::MemoryImage { engine, .. } if engine != self.runtime.engine_digest() => {
                self.rebuilt(tenant, digest).await.map_err(|error| format!("artifact {digest}: {error}"))
            }
            _ => Ok(stored),
        }
    }

    async fn stored(&self, digest: &str) -> Result<Artifact, String> {
        self.find(digest).await?.ok_or_else(|| format!("artifact {digest} is not in the database"))
    }

    async fn find(&self, digest: &str) -> Result<Option<Artifact>, String> {
        let stored = self.storage.artifact(digest).await;
        let Some((kind, bytes)) = stored.map_err(|error| format!("artifact {digest}: {error}"))? else {
            return Ok(None);
        };
        let kind = serde_json::from_str(&kind).map_err(|error| format!("artifact {digest}: {error}"))?;
        Ok(Some(Artifact { kind, digest: digest.to_owned(), bytes }))
    }

    async fn rebuilt(&self, tenant: &TenantId, digest: &str) -> Result<Artifact, String> {
        let _one = self.building.lock().await;
        let engine = self.runtime.engine_digest();
        let text = |error: storage::StorageError| error.to_string();
        let artifact = match self.storage.rebuilt_artifact(digest, engine).await.map_err(text)? {
            Some(rebuilt) => self.stored(&rebuilt).await?,
            None => {
                let kept = self.storage.artifact_source(digest).await.map_err(text)?;
                let kept =
                    kept.ok_or("another JS engine made it, and its source is not there: deploy it again")?;
                let artifact = self.build(kept).await?;
                self.keep(tenant, digest, &artifact).await?;
                tracing::info!(%tenant, digest, rebuilt = artifact.digest, "an Action was built again for this JS engine");
                artifact
            }
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(digest.to_owned(), artifact.digest.clone());
        Ok(artifact)
    }

    async fn build(&self, kept: ActionSource) -> Result<Artifact, String> {
        let (runtime, limits) = (Arc::clone(&self.runtime), self.limits);
        let ActionSource { file_name, code, modules } = kept;
        let source = Source { file_name, program: Program::Script { code, modules } };
        tokio::task::spawn_blocking(move || action_build::build(&runtime, &source, &limits))
            .await
            .map_err(|error| format!("the build did not end: {error}"))?
            .map_err(|error| {
                format!("another JS engine made it, and it does not build for this one: {error}")
            })
    }

    async fn keep(&self, tenant: &TenantId, digest: &str, artifact: &Artifact) -> Result<(), String> {
        let kind = serde_json::to_string(&artifact.kind).map_err(|error| error.to_string())?;
        let store = async {
            let mut tx = self.storage.begin(tenant).await?;
            tx.put_artifact(&artifact.digest, &kind, &artifact.bytes).await?;
            tx.put_rebuilt_artifact(digest, self.runtime.engine_digest(), &artifact.digest).await?;
            tx.commit().await
        };
        store.await.map_err(|error| error.to_string())
    }
}
