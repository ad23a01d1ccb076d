//! `/actions/triggers`: where Actions run, and which ones.

use axum::Json;
use axum::extract::State;
use idp::Idp;
use idp::manage::{
    self, BindingReference, ManageError, NewBinding, RUNTIMES, SCRIPT_RUNTIME, TRIGGERS, binding_id,
};
use model::{Action, TriggerBinding};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{SecretBody, page, rows_of, shown};
use crate::AppState;
use crate::management::{ApiCaller, ApiError, ApiJson, ApiPath, ApiQuery};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(bindings, bind))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct BindingsQuery {
    /// The first page is 0.
    page: Option<i64>,
    /// At most 100.
    per_page: Option<i64>,
}

/// What is to be bound.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BindingsBody {
    /// In the order in which they run, at most 20. They replace what is bound.
    bindings: Vec<BindingBody>,
}

/// An Action at a trigger.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BindingBody {
    #[serde(rename = "ref")]
    reference: ReferenceBody,
    /// What the tenant calls it there.
    display_name: Option<String>,
    /// None: secrets are the Action's.
    #[serde(default)]
    secrets: Vec<SecretBody>,
}

/// Which Action.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReferenceBody {
    #[serde(rename = "type")]
    kind: ReferenceKind,
    value: String,
}

/// How it is named.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ReferenceKind {
    ActionId,
    ActionName,
    BindingId,
}

/// List the triggers that run here
#[utoipa::path(
    get, path = "/actions/triggers", operation_id = "list_triggers", tag = "actions",
    security(("token" = ["read:actions"])),
    responses((status = 200, description = "`triggers`: post-login alone."))
)]
async fn list(_: ApiCaller) -> Json<Value> {
    let triggers: Vec<Value> = TRIGGERS
        .iter()
        .map(|trigger| {
            let compatible = TRIGGERS.iter().filter(|other| *other != trigger);
            let compatible: Vec<_> =
                compatible.map(|other| json!({ "id": other.id, "version": other.version })).collect();
            json!({
                "id": trigger.id,
                "version": trigger.version,
                "status": if trigger.is_current { "CURRENT" } else { "DEPRECATED" },
                "runtimes": RUNTIMES,
                "default_runtime": SCRIPT_RUNTIME,
                "binding_policy": "trigger-bound",
                "compatible_triggers": compatible,
            })
        })
        .collect();
    Json(json!({ "triggers": triggers }))
}

/// List what is bound to a trigger
#[utoipa::path(
    get, path = "/actions/triggers/{triggerId}/bindings", operation_id = "list_trigger_bindings", tag = "actions",
    params(("triggerId" = String, Path, description = "As post-login."), BindingsQuery),
    security(("token" = ["read:actions"])),
    responses((status = 200, description = "A page of `bindings`, in the order in which they run."), (status = 404, description = "There is no such trigger."))
)]
async fn bindings(
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiPath(trigger): ApiPath<String>,
    ApiQuery(query): ApiQuery<BindingsQuery>,
) -> Result<Json<Value>, ApiError> {
    let page = page(query.page, query.per_page, 50)?;
    let bound = manage::trigger_bindings(&state.idp, &caller.context().tenant.id, &trigger).await?;
    let (bound, total) = rows_of(&page, bound);
    Ok(Json(page.actions_answer("bindings", total, bindings_shown(&state.idp, &trigger, &bound).await?)))
}

/// Replace what is bound to a trigger
#[utoipa::path(
    patch, path = "/actions/triggers/{triggerId}/bindings", operation_id = "update_trigger_bindings", tag = "actions", request_body = BindingsBody,
    params(("triggerId" = String, Path, description = "As post-login.")),
    security(("token" = ["update:actions"])),
    responses((status = 200, description = "The `bindings`."), (status = 404, description = "There is no such trigger."))
)]
async fn bind(
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiPath(trigger): ApiPath<String>,
    ApiJson(body): ApiJson<BindingsBody>,
) -> Result<Json<Value>, ApiError> {
    if body.bindings.iter().any(|binding| !binding.secrets.is_empty()) {
        return Err(ApiError::invalid_body("a binding has no secrets here: set them on its Action"));
    }
    let new: Vec<_> = body.bindings.into_iter().map(NewBinding::from).collect();
    let tenant = &caller.context().tenant.id;
    let bound = manage::set_trigger_bindings(&state.idp, tenant, &trigger, &new).await?;
    Ok(Json(json!({ "bindings": bindings_shown(&state.idp, &trigger, &bound).await? })))
}

impl From<BindingBody> for NewBinding {
    fn from(body: BindingBody) -> Self {
        let value = body.reference.value;
        Self {
            reference: match body.reference.kind {
                ReferenceKind::ActionId => BindingReference::ActionId(value),
                ReferenceKind::ActionName => BindingReference::ActionName(value),
                ReferenceKind::BindingId => BindingReference::BindingId(value),
            },
            display_name: body.display_name,
        }
    }
}

async fn bindings_shown(
    idp: &Idp,
    trigger: &str,
    bound: &[(TriggerBinding, Action)],
) -> Result<Vec<Value>, ManageError> {
    let mut rows = Vec::with_capacity(bound.len());
    for (binding, action) in bound {
        rows.push(json!({
            "id": binding_id(trigger, &action.id),
            "trigger_id": trigger,
            "display_name": binding.display_name,
            "action": shown::action(idp, action).await?,
            "created_at": binding.created_at.to_iso(),
            "updated_at": binding.updated_at.to_iso(),
        }));
    }
    Ok(rows)
}
