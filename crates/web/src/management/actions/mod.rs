//! `/actions/`: Actions with their versions, what runs at triggers, modules, and the records of runs.

mod drafts;
mod executions;
mod modules;
mod shown;
mod triggers;
mod versions;

use model::{Dependency, TriggerVersion};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::{ApiError, Page};
use crate::AppState;
use idp::manage::NewSecret;

/// The most bytes of a body that carries code: a component as base64.
const MAX_CODE_BODY_BYTES: usize = 48 << 20;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(drafts::routes())
        .merge(versions::routes())
        .merge(triggers::routes())
        .merge(executions::routes())
        .merge(modules::routes())
}

/// A trigger, as Actions name it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TriggerBody {
    /// As `post-login`.
    id: String,
    /// As `v3`, which is the current one.
    version: Option<String>,
    /// Ignored: exported Actions carry it.
    #[serde(default, rename = "status")]
    _status: Option<String>,
    #[serde(default, rename = "runtimes")]
    #[schema(value_type = Value)]
    _runtimes: Option<Value>,
    #[serde(default, rename = "default_runtime")]
    _default_runtime: Option<String>,
    #[serde(default, rename = "binding_policy")]
    _binding_policy: Option<String>,
    #[serde(default, rename = "compatible_triggers")]
    #[schema(value_type = Value)]
    _compatible_triggers: Option<Value>,
}

impl From<TriggerBody> for TriggerVersion {
    fn from(body: TriggerBody) -> Self {
        Self { id: body.id, version: body.version.unwrap_or_else(|| "v3".to_owned()) }
    }
}

/// An npm package. It is accepted and shown; none is installed, and code that requires one does not build.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DependencyBody {
    name: String,
    version: String,
    registry_url: Option<String>,
}

impl From<DependencyBody> for Dependency {
    fn from(body: DependencyBody) -> Self {
        Self { name: body.name, version: body.version, registry_url: body.registry_url }
    }
}

/// A secret.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SecretBody {
    /// The property of `event.secrets`.
    name: String,
    /// Without it, the value that is stored stays.
    value: Option<String>,
    /// Ignored: what an answer said of the secret may be sent back.
    #[serde(default, rename = "updated_at")]
    _updated_at: Option<String>,
}

impl From<SecretBody> for NewSecret {
    fn from(body: SecretBody) -> Self {
        Self { name: body.name, value: body.value }
    }
}

/// A list as the model has it.
fn all<B: Into<T>, T>(list: Option<Vec<B>>) -> Option<Vec<T>> {
    list.map(|list| list.into_iter().map(Into::into).collect())
}

/// The rows of a page.
fn rows_of<T>(page: &Page, all: Vec<T>) -> (Vec<T>, i64) {
    let total = i64::try_from(all.len()).unwrap_or(i64::MAX);
    let count = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
    (all.into_iter().skip(count(page.offset())).take(count(page.limit())).collect(), total)
}

/// The page that a query asks for.
fn page(page: Option<i64>, per_page: Option<i64>, default: i64) -> Result<Page, ApiError> {
    Page::new(page, per_page, None, default)
}
