//! Actions and versions as answers have them.

use std::collections::BTreeMap;

use idp::Idp;
use idp::manage::{self, ActionError, ManageError, files_of, module_version_id, version_id};
use model::{
    Action, ActionId, ActionModuleId, ActionSettings, ActionSource, ActionVersion, AllowedHosts,
    BuildMessage, Dependency, SecretName, TriggerVersion, UsedModule,
};
use serde::Serialize;
use utoipa::ToSchema;

/// An Action: its draft, and the version that runs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Action)]
pub(super) struct ActionView {
    id: ActionId,
    name: String,
    #[serde(flatten)]
    content: ActionContent,
    /// Whether what runs is what the draft says.
    all_changes_deployed: bool,
    status: DraftStatus,
    /// Always `null`: no integration is installed here.
    #[schema(required = true)]
    installed_integration_id: Option<String>,
    /// The hosts that its requests may go to; absent: any. Not part of the dialect.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    allowed_hosts: Option<Vec<String>>,
    /// Why it is not built.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<ActionError>,
    /// What is built of the draft: the version that runs, or the one that it becomes when it is deployed now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    current_version: Option<CurrentVersion>,
    /// What runs where it is bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    deployed_version: Option<VersionView>,
    #[schema(format = DateTime)]
    built_at: String,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

/// What a draft and a version have in common. What is ours (the name of the script's file, and the files that it requires) is
/// there only where it is not as the dialect has it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ActionContent {
    /// The script; of a component, base64 of its bytes.
    code: String,
    /// As `node22` or `wasm-component-v1`.
    runtime: String,
    supported_triggers: Vec<TriggerVersion>,
    dependencies: Vec<Dependency>,
    secrets: Vec<SecretView>,
    modules: Vec<ModuleOfAction>,
    /// The files that the script requires, by their path from its folder. Not part of the dialect.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    files: BTreeMap<String, String>,
    /// The name of the script's file, where it is not `action.js`. Not part of the dialect.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    file_name: Option<String>,
}

/// Whether a draft is built.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum DraftStatus {
    Built,
    Failed,
}

/// What is built of a draft.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CurrentVersion {
    id: String,
    code: String,
    runtime: String,
    /// `BUILT`.
    status: &'static str,
    number: i64,
    #[schema(format = DateTime)]
    build_time: String,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

/// A version of an Action.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ActionVersion)]
pub(super) struct VersionView {
    id: String,
    action_id: ActionId,
    #[serde(flatten)]
    content: ActionContent,
    /// From 1.
    number: i64,
    /// Whether it runs where its Action is bound.
    deployed: bool,
    /// `built`.
    status: &'static str,
    /// None: what is not built has no version.
    errors: Vec<ActionError>,
    /// Of what runs: SHA-256 in hexadecimal. Not part of the dialect.
    digest: String,
    action: ActionOfVersion,
    #[schema(format = DateTime)]
    built_at: String,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

/// An Action without its code.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ActionOfVersion {
    id: ActionId,
    name: String,
    supported_triggers: Vec<TriggerVersion>,
    all_changes_deployed: bool,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

/// A secret without its value.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ActionSecret)]
pub(super) struct SecretView {
    /// The property of `event.secrets`.
    name: String,
    /// When its value was set.
    #[schema(format = DateTime)]
    updated_at: String,
}

/// A module that an Action requires, pinned to a version.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ModuleOfAction {
    module_id: ActionModuleId,
    module_name: String,
    module_version_id: String,
    module_version_number: i64,
}

/// An Action: its draft, and the version that runs.
pub(super) async fn action(idp: &Idp, action: &Action) -> Result<ActionView, ManageError> {
    let draft = &action.draft;
    let is_built = draft.digest.is_some();
    let content = content(idp, &draft.source, &draft.settings, draft.digest.as_deref()).await?;
    let deployed_version = match &action.deployed {
        Some(deployed) => Some(version(idp, action, deployed, true).await?),
        None => None,
    };
    Ok(ActionView {
        id: action.id.clone(),
        name: action.name.clone(),
        all_changes_deployed: action.all_changes_deployed(),
        status: if is_built { DraftStatus::Built } else { DraftStatus::Failed },
        installed_integration_id: None,
        allowed_hosts: match &action.allowed_hosts {
            AllowedHosts::Any => None,
            AllowedHosts::Only(hosts) => Some(hosts.clone()),
        },
        errors: draft.errors.iter().map(error).collect(),
        current_version: is_built.then(|| current_version(action, &content.code)),
        deployed_version,
        built_at: draft.built_at.to_iso(),
        created_at: action.created_at.to_iso(),
        updated_at: draft.updated_at.to_iso(),
        content,
    })
}

/// What is built of the draft: the version that runs, or the one that it becomes when it is deployed now.
fn current_version(action: &Action, code: &str) -> CurrentVersion {
    let draft = &action.draft;
    let deployed = action.deployed.as_ref().map_or(0, |version| version.number);
    let number = if action.all_changes_deployed() { deployed } else { deployed + 1 };
    CurrentVersion {
        id: version_id(&action.id, number),
        code: code.to_owned(),
        runtime: draft.settings.runtime.clone(),
        status: "BUILT",
        number,
        build_time: draft.built_at.to_iso(),
        created_at: draft.updated_at.to_iso(),
        updated_at: draft.updated_at.to_iso(),
    }
}

/// A version. `deployed`: it runs where its Action is bound.
pub(super) async fn version(
    idp: &Idp,
    action: &Action,
    version: &ActionVersion,
    deployed: bool,
) -> Result<VersionView, ManageError> {
    let at = version.created_at.to_iso();
    Ok(VersionView {
        id: version_id(&version.action_id, version.number),
        action_id: version.action_id.clone(),
        content: content(idp, &version.source, &version.settings, Some(&version.digest)).await?,
        number: version.number,
        deployed,
        status: "built",
        errors: Vec::new(),
        digest: version.digest.clone(),
        action: ActionOfVersion {
            id: action.id.clone(),
            name: action.name.clone(),
            supported_triggers: action.draft.settings.supported_triggers.clone(),
            all_changes_deployed: action.all_changes_deployed(),
            created_at: action.created_at.to_iso(),
            updated_at: action.draft.updated_at.to_iso(),
        },
        built_at: at.clone(),
        created_at: at.clone(),
        updated_at: at,
    })
}

async fn content(
    idp: &Idp,
    source: &ActionSource,
    settings: &ActionSettings,
    digest: Option<&str>,
) -> Result<ActionContent, ManageError> {
    let is_usual = matches!(source.file_name.as_str(), "action.js" | "action.wasm" | "");
    Ok(ActionContent {
        code: manage::code_of(idp, source, &settings.runtime, digest).await?,
        runtime: settings.runtime.clone(),
        supported_triggers: settings.supported_triggers.clone(),
        dependencies: settings.dependencies.clone(),
        secrets: secrets(&settings.secrets),
        modules: settings.modules.iter().map(module).collect(),
        files: files_of(source),
        file_name: (!is_usual).then(|| source.file_name.clone()),
    })
}

/// Names without values.
pub(super) fn secrets(secrets: &[SecretName]) -> Vec<SecretView> {
    let shown = |secret: &SecretName| SecretView {
        name: secret.name.clone(),
        updated_at: secret.updated_at.to_iso(),
    };
    secrets.iter().map(shown).collect()
}

fn module(module: &UsedModule) -> ModuleOfAction {
    ModuleOfAction {
        module_id: module.id.clone(),
        module_name: module.name.clone(),
        module_version_id: module_version_id(&module.id, module.number),
        module_version_number: module.number,
    }
}

fn error(message: &BuildMessage) -> ActionError {
    ActionError { id: message.id.clone(), msg: message.msg.clone(), url: None }
}
