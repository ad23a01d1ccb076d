//! Actions and versions as answers have them.

use idp::Idp;
use idp::manage::{self, ManageError, files_of, module_version_id, version_id};
use model::{
    Action, ActionSettings, ActionSource, ActionVersion, AllowedHosts, BuildMessage, SecretName, UsedModule,
};
use serde_json::{Value, json};

/// An Action: its draft, and the version that runs.
pub(super) async fn action(idp: &Idp, action: &Action) -> Result<Value, ManageError> {
    let draft = &action.draft;
    let status = if draft.digest.is_some() { "built" } else { "failed" };
    let mut shown = content(idp, &draft.source, &draft.settings, draft.digest.as_deref()).await?;
    shown["id"] = json!(action.id);
    shown["name"] = json!(action.name);
    shown["all_changes_deployed"] = json!(action.all_changes_deployed());
    shown["created_at"] = json!(action.created_at.to_iso());
    shown["updated_at"] = json!(draft.updated_at.to_iso());
    shown["built_at"] = json!(draft.built_at.to_iso());
    shown["status"] = json!(status);
    shown["installed_integration_id"] = Value::Null;
    if let AllowedHosts::Only(hosts) = &action.allowed_hosts {
        shown["allowed_hosts"] = json!(hosts);
    }
    if !draft.errors.is_empty() {
        shown["errors"] = errors(&draft.errors);
    }
    if draft.digest.is_some() {
        shown["current_version"] = current_version(action, &shown["code"]);
    }
    if let Some(deployed) = &action.deployed {
        shown["deployed_version"] = version(idp, action, deployed, true).await?;
    }
    Ok(shown)
}

/// What is built of the draft: the version that runs, or the one that it becomes when it is deployed now.
fn current_version(action: &Action, code: &Value) -> Value {
    let draft = &action.draft;
    let deployed = action.deployed.as_ref().map_or(0, |version| version.number);
    let number = if action.all_changes_deployed() { deployed } else { deployed + 1 };
    json!({
        "id": version_id(&action.id, number),
        "code": code,
        "runtime": draft.settings.runtime,
        "status": "BUILT",
        "number": number,
        "build_time": draft.built_at.to_iso(),
        "created_at": draft.updated_at.to_iso(),
        "updated_at": draft.updated_at.to_iso(),
    })
}

/// A version. `deployed`: it runs where its Action is bound.
pub(super) async fn version(
    idp: &Idp,
    action: &Action,
    version: &ActionVersion,
    deployed: bool,
) -> Result<Value, ManageError> {
    let mut shown = content(idp, &version.source, &version.settings, Some(&version.digest)).await?;
    let at = version.created_at.to_iso();
    shown["id"] = json!(version_id(&version.action_id, version.number));
    shown["action_id"] = json!(version.action_id);
    shown["number"] = json!(version.number);
    shown["deployed"] = json!(deployed);
    shown["status"] = json!("built");
    shown["errors"] = json!([]);
    shown["digest"] = json!(version.digest);
    for moment in ["built_at", "created_at", "updated_at"] {
        shown[moment] = json!(at);
    }
    shown["action"] = base(action);
    Ok(shown)
}

/// An Action without its code, where something else is about it.
pub(super) fn base(action: &Action) -> Value {
    json!({
        "id": action.id,
        "name": action.name,
        "supported_triggers": action.draft.settings.supported_triggers,
        "all_changes_deployed": action.all_changes_deployed(),
        "created_at": action.created_at.to_iso(),
        "updated_at": action.draft.updated_at.to_iso(),
    })
}

/// What a draft and a version have in common. What is ours (the name of the script's file, and the files that it requires) is
/// there only where it is not as the dialect has it.
async fn content(
    idp: &Idp,
    source: &ActionSource,
    settings: &ActionSettings,
    digest: Option<&str>,
) -> Result<Value, ManageError> {
    let code = manage::code_of(idp, source, &settings.runtime, digest).await?;
    let mut shown = json!({
        "code": code,
        "runtime": settings.runtime,
        "supported_triggers": settings.supported_triggers,
        "dependencies": settings.dependencies,
        "secrets": secrets(&settings.secrets),
        "modules": modules(&settings.modules),
    });
    let files = files_of(source);
    if !files.is_empty() {
        shown["files"] = json!(files);
    }
    if !matches!(source.file_name.as_str(), "action.js" | "action.wasm" | "") {
        shown["file_name"] = json!(source.file_name);
    }
    Ok(shown)
}

/// Names without values.
pub(super) fn secrets(secrets: &[SecretName]) -> Value {
    let shown =
        |secret: &SecretName| json!({ "name": secret.name, "updated_at": secret.updated_at.to_iso() });
    secrets.iter().map(shown).collect()
}

fn modules(modules: &[UsedModule]) -> Value {
    let shown = |module: &UsedModule| {
        json!({
            "module_id": module.id,
            "module_name": module.name,
            "module_version_id": module_version_id(&module.id, module.number),
            "module_version_number": module.number,
        })
    };
    modules.iter().map(shown).collect()
}

pub(super) fn errors(errors: &[BuildMessage]) -> Value {
    let shown = |error: &BuildMessage| json!({ "id": error.id, "msg": error.msg, "url": null });
    errors.iter().map(shown).collect()
}
