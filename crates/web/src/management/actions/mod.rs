//! `/actions/`: Actions with their versions, what runs at triggers, modules, and the records of runs.

mod drafts;
mod executions;
mod modules;
mod shown;
mod triggers;
mod versions;

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use idp::manage::{Listed, NewSecret};
use model::{Dependency, TriggerVersion};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;

use super::page::DEFAULT;
use super::{ApiError, ApiQuery, Page};
use crate::AppState;

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

/// The query of lists of the Actions family.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ActionsPageQuery {
    /// The first page is 0.
    page: Option<i64>,
    /// At most 100.
    per_page: Option<i64>,
}

/// A part of such a list: `ROWS` rows where the query does not say how many.
struct ActionsPage<const ROWS: i64 = DEFAULT>(Page);

impl<const ROWS: i64> FromRequestParts<AppState> for ActionsPage<ROWS> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let ApiQuery(query) = ApiQuery::<ActionsPageQuery>::from_request_parts(parts, state).await?;
        Page::new(query.page, query.per_page, None, ROWS).map(Self)
    }
}

impl<const ROWS: i64> ActionsPage<ROWS> {
    /// These rows of a list that is read whole.
    fn of<T>(&self, all: Vec<T>) -> Listed<T> {
        self.0.span().of(all)
    }

    /// `{<name>, total, page, per_page}`; `page` and `total` are not there when they are 0. A page behind the last one has no
    /// `total`: clients of Go ask for pages until there is none.
    fn answer(&self, name: &str, listed: Listed<impl Serialize>) -> Json<Value> {
        let Listed { rows, total, .. } = listed;
        let total = if rows.is_empty() { 0 } else { total };
        let mut answer = json!({ name: rows, "per_page": self.0.span().limit });
        for (name, value) in [("page", self.0.number()), ("total", total)] {
            if value != 0 {
                answer[name] = json!(value);
            }
        }
        Json(answer)
    }
}
