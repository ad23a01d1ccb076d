//! `/actions/triggers`: where Actions run, and which ones.

use axum::Json;
use idp::Idp;
use idp::manage::{
    self, BindingReference, Listed, ManageError, NewBinding, RUNTIMES, SCRIPT_RUNTIME, TRIGGERS, Trigger,
    binding_id,
};
use model::{Action, TriggerBinding, TriggerVersion};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::shown::ActionView;
use super::{ActionsPage, ActionsPageQuery, SecretBody, shown};
use crate::AppState;
use crate::management::schema::list;
use crate::management::{ApiCaller, ApiError, ApiJson, ApiPath};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(bindings, bind))
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

/// A trigger that runs here, in one version of its contract.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Trigger)]
struct TriggerView {
    /// As `post-login`.
    id: &'static str,
    /// As `v3`.
    version: &'static str,
    status: TriggerStatus,
    runtimes: Vec<&'static str>,
    default_runtime: &'static str,
    /// `trigger-bound`.
    binding_policy: &'static str,
    /// The other versions of its contract.
    compatible_triggers: Vec<TriggerVersion>,
}

/// Whether it is the newest version.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
enum TriggerStatus {
    Current,
    Deprecated,
}

/// The triggers.
#[derive(Debug, Serialize, ToSchema)]
struct TriggerList {
    triggers: Vec<TriggerView>,
}

/// An Action at a trigger.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ActionBinding)]
struct BindingView {
    id: String,
    trigger_id: String,
    /// What the tenant calls it there.
    display_name: String,
    action: ActionView,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

list!(
    /// Actions at a trigger.
    BindingPage, "Actions at a trigger.", BindingView, "bindings", [ActionsPage]
);

/// All Actions at a trigger.
#[derive(Debug, Serialize, ToSchema)]
struct BindingList {
    bindings: Vec<BindingView>,
}

/// List the triggers that run here
#[utoipa::path(
    get, path = "/actions/triggers", operation_id = "list_triggers", tag = "actions",
    security(("token" = ["read:actions"])),
    responses((status = 200, description = "`triggers`: post-login alone.", body = TriggerList))
)]
async fn list(_: ApiCaller) -> Json<TriggerList> {
    let triggers = TRIGGERS
        .iter()
        .map(|trigger| {
            let compatible = TRIGGERS.iter().filter(|other| *other != trigger);
            let version = |other: &Trigger| TriggerVersion {
                id: other.id.to_owned(),
                version: other.version.to_owned(),
            };
            TriggerView {
                id: trigger.id,
                version: trigger.version,
                status: if trigger.is_current { TriggerStatus::Current } else { TriggerStatus::Deprecated },
                runtimes: RUNTIMES.to_vec(),
                default_runtime: SCRIPT_RUNTIME,
                binding_policy: "trigger-bound",
                compatible_triggers: compatible.map(version).collect(),
            }
        })
        .collect();
    Json(TriggerList { triggers })
}

/// List what is bound to a trigger
#[utoipa::path(
    get, path = "/actions/triggers/{triggerId}/bindings", operation_id = "list_trigger_bindings", tag = "actions",
    params(("triggerId" = String, Path, description = "As post-login."), ActionsPageQuery),
    security(("token" = ["read:actions"])),
    responses((status = 200, description = "A page of `bindings`, in the order in which they run.", body = BindingPage), (status = 404, description = "There is no such trigger."))
)]
async fn bindings(
    caller: ApiCaller,
    ApiPath(trigger): ApiPath<String>,
    page: ActionsPage,
) -> Result<Json<Value>, ApiError> {
    let listed = page.of(manage::trigger_bindings(caller.idp(), caller.tenant(), &trigger).await?);
    let rows = bindings_shown(caller.idp(), &trigger, &listed.rows).await?;
    Ok(page.answer("bindings", Listed { rows, total: listed.total, last_key: None }))
}

/// Replace what is bound to a trigger
#[utoipa::path(
    patch, path = "/actions/triggers/{triggerId}/bindings", operation_id = "update_trigger_bindings", tag = "actions", request_body = BindingsBody,
    params(("triggerId" = String, Path, description = "As post-login.")),
    security(("token" = ["update:actions"])),
    responses((status = 200, description = "The `bindings`.", body = BindingList), (status = 404, description = "There is no such trigger."))
)]
async fn bind(
    caller: ApiCaller,
    ApiPath(trigger): ApiPath<String>,
    ApiJson(body): ApiJson<BindingsBody>,
) -> Result<Json<BindingList>, ApiError> {
    if body.bindings.iter().any(|binding| !binding.secrets.is_empty()) {
        return Err(ApiError::invalid_body("a binding has no secrets here: set them on its Action"));
    }
    let new: Vec<_> = body.bindings.into_iter().map(NewBinding::from).collect();
    let bound = manage::set_trigger_bindings(caller.idp(), caller.tenant(), &trigger, &new).await?;
    Ok(Json(BindingList { bindings: bindings_shown(caller.idp(), &trigger, &bound).await? }))
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
) -> Result<Vec<BindingView>, ManageError> {
    let mut rows = Vec::with_capacity(bound.len());
    for (binding, action) in bound {
        rows.push(BindingView {
            id: binding_id(trigger, &action.id),
            trigger_id: trigger.to_owned(),
            display_name: binding.display_name.clone(),
            action: shown::action(idp, action).await?,
            created_at: binding.created_at.to_iso(),
            updated_at: binding.updated_at.to_iso(),
        });
    }
    Ok(rows)
}
