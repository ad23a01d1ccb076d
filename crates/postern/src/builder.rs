//! Builds what authors send to the Management API: a few at once, and one at a time for each tenant.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use action_api::{Artifact, GuestException, Limits, RunError};
use action_build::{BuildError, Program, Source};
use action_runtime::Runtime;
use idp::{ActionBuilder, BuildInput, BuildProblem};
use model::{BuildMessage, TenantId};
use tokio::sync::Semaphore;

/// Builds at once: they take processors from logins.
const BUILDING: usize = 2;
/// Tenants that are remembered before those that build nothing are forgotten.
const TENANTS: usize = 1024;

/// The server's builder.
pub struct SandboxBuilder {
    runtime: Arc<Runtime>,
    limits: Limits,
    building: Semaphore,
    tenants: Mutex<HashMap<TenantId, Arc<tokio::sync::Mutex<()>>>>,
}

impl SandboxBuilder {
    /// With these limits of a build.
    #[must_use]
    pub fn new(runtime: Arc<Runtime>, limits: Limits) -> Self {
        Self { runtime, limits, building: Semaphore::new(BUILDING), tenants: Mutex::default() }
    }

    fn turn(&self, tenant: &TenantId) -> Arc<tokio::sync::Mutex<()>> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if tenants.len() > TENANTS {
            tenants.retain(|_, turn| Arc::strong_count(turn) > 1);
        }
        Arc::clone(tenants.entry(tenant.clone()).or_default())
    }

    async fn built(&self, tenant: &TenantId, input: BuildInput) -> Result<Artifact, BuildProblem> {
        let turn = self.turn(tenant);
        let _own = turn.lock().await;
        let server = |error: &dyn std::fmt::Display| BuildProblem::Server(error.to_string());
        let _place = self.building.acquire().await.map_err(|error| server(&error))?;
        let (runtime, limits) = (Arc::clone(&self.runtime), self.limits);
        let source = match input {
            BuildInput::Script(source) => Source {
                file_name: source.file_name,
                program: Program::Script { code: source.code, modules: source.modules },
            },
            BuildInput::Component(bytes) => Source::component("action.wasm", bytes),
        };
        let built = tokio::task::spawn_blocking(move || action_build::build(&runtime, &source, &limits));
        built.await.map_err(|error| server(&error))?.map_err(|error| problem(&error))
    }
}

impl ActionBuilder for SandboxBuilder {
    fn build<'a>(
        &'a self,
        tenant: &'a TenantId,
        input: BuildInput,
    ) -> Pin<Box<dyn Future<Output = Result<Artifact, BuildProblem>> + Send + 'a>> {
        Box::pin(self.built(tenant, input))
    }
}

fn problem(error: &BuildError) -> BuildProblem {
    if let BuildError::Script(RunError::Host { message }) = error {
        return BuildProblem::Server(message.clone());
    }
    BuildProblem::Author(build_message(error))
}

/// The error as the author of the source reads it, with the position that it has.
#[must_use]
pub fn build_message(error: &BuildError) -> BuildMessage {
    let exception = error.exception();
    let id = match error {
        BuildError::Read { .. } | BuildError::Unsuitable { .. } => "invalid_code".to_owned(),
        BuildError::Script(RunError::Limit { limit, .. }) => format!("{limit}_limit"),
        BuildError::Script(RunError::NoHandler { .. } | RunError::HandlerNotAsync { .. }) => {
            "no_handler".to_owned()
        }
        BuildError::Script(_) => exception.map_or("invalid_code", |it| it.name.as_str()).to_owned(),
    };
    let place = match exception {
        Some(GuestException { file: Some(file), line: Some(line), column: Some(column), .. }) => {
            format!("{file}:{line}:{column}: ")
        }
        _ => String::new(),
    };
    BuildMessage { id, msg: format!("{place}{error}") }
}
