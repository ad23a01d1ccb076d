//! `actions:` modules: code of a tenant that its Actions share, with versions and secrets of its own.

use model::{
    Action, ActionModule, ActionModuleId, ActionModuleVersion, ActionSource, Dependency, ModuleContent,
    TenantId, UsedModule, random_uuid,
};
use storage::TenantTx;

use super::actions::{
    NewSecret, SCRIPT_RUNTIME, SecretValues, build_source, dependencies, derived_id, module_context,
    open_module_secrets, replaced, seal,
};
use super::validate::rule;
use super::{ManageError, limits};
use crate::Idp;

/// Modules of a tenant, and versions of a module (`reference/management-api.md` section 2.1).
const MAX_MODULES: usize = 100;
const MAX_VERSIONS: usize = 50;

/// A module that an Action is to require.
#[derive(Debug, Clone)]
pub struct NewUsedModule {
    /// Which module.
    pub module_id: String,
    /// Which version of it; without it, the newest one.
    pub module_version_id: Option<String>,
}

/// What an author sets of a module. What is absent stays as it is, or is empty.
#[derive(Debug, Clone, Default)]
pub struct ModuleChange {
    /// The script.
    pub code: Option<String>,
    /// Accepted and shown; none is installed.
    pub dependencies: Option<Vec<Dependency>>,
    /// All secrets that there are to be.
    pub secrets: Option<Vec<NewSecret>>,
}

/// An Action that requires a module.
#[derive(Debug, Clone)]
pub struct ModuleUse {
    /// The Action.
    pub action: Action,
    /// The version of the module.
    pub number: i64,
}

/// The id of a version of a module.
#[must_use]
pub fn module_version_id(module: &ActionModuleId, number: i64) -> String {
    derived_id(&["module version", module.as_str(), &number.to_string()])
}

/// All modules, by name.
///
/// # Errors
/// [`ManageError::Server`]
pub async fn action_modules(idp: &Idp, tenant: &TenantId) -> Result<Vec<ActionModule>, ManageError> {
    Ok(idp.storage.begin_read(tenant).await?.action_modules().await?)
}

/// One module.
///
/// # Errors
/// [`ManageError::NotFound`]
pub async fn action_module(
    idp: &Idp,
    tenant: &TenantId,
    id: &ActionModuleId,
) -> Result<ActionModule, ManageError> {
    existing(&mut idp.storage.begin_read(tenant).await?, id).await
}

/// Makes a module, and with `publish` its first version.
///
/// # Errors
/// [`ManageError::Invalid`] for a rule that is broken, code that does not build or a 101st module;
/// [`ManageError::Conflict`] for a name that is taken.
pub async fn create_action_module(
    idp: &Idp,
    tenant: &TenantId,
    name: &str,
    change: ModuleChange,
    publish: bool,
) -> Result<ActionModule, ManageError> {
    let is_name = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
    rule(
        (1..=limits::SHORT_NAME_BYTES).contains(&name.len()) && name.bytes().all(is_name),
        "a module's name has 1 to 128 of the characters A-Z a-z 0-9 - _",
    )?;
    let now = idp.now();
    let mut module = ActionModule {
        id: ActionModuleId::new(random_uuid(&*idp.random)),
        name: name.to_owned(),
        created_at: now,
        updated_at: now,
        draft: ModuleContent {
            code: String::new(),
            dependencies: Vec::new(),
            secrets: Vec::new(),
            sealed_secrets: None,
        },
        latest: None,
    };
    change_draft(idp, tenant, &mut module, change).await?;
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    let others = tx.action_modules().await?;
    rule(others.len() < MAX_MODULES, "a tenant has at most 100 modules")?;
    if others.iter().any(|other| other.name == name) {
        return Err(ManageError::Conflict(format!("A module with the name '{name}' exists already.")));
    }
    tx.insert_action_module(&module).await?;
    if publish {
        module.latest = Some(tx.publish_action_module(&module, now).await?);
    }
    tx.commit().await?;
    Ok(module)
}

/// Changes the draft of a module. No Action sees it before it is published and the Action takes that version.
///
/// # Errors
/// As [`create_action_module`]; [`ManageError::NotFound`].
pub async fn update_action_module(
    idp: &Idp,
    tenant: &TenantId,
    id: &ActionModuleId,
    change: ModuleChange,
) -> Result<ActionModule, ManageError> {
    let stored = action_module(idp, tenant, id).await?;
    let mut module = stored.clone();
    change_draft(idp, tenant, &mut module, change).await?;
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    if existing(&mut tx, id).await? != stored {
        return Err(ManageError::Conflict("The module was changed by another request meanwhile.".to_owned()));
    }
    tx.set_action_module(&module).await?;
    tx.commit().await?;
    Ok(module)
}

/// Removes a module with its versions.
///
/// # Errors
/// [`ManageError::NotFound`]; [`ManageError::PreconditionFailed`] when an Action requires it.
pub async fn delete_action_module(
    idp: &Idp,
    tenant: &TenantId,
    id: &ActionModuleId,
) -> Result<(), ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    let module = existing(&mut tx, id).await?;
    if let Some(used) = uses(&mut tx, id).await?.first() {
        return Err(ManageError::PreconditionFailed(format!(
            "The module '{}' is in use by the action '{}'.",
            module.name, used.action.name
        )));
    }
    tx.delete_action_module(id).await?;
    Ok(tx.commit().await?)
}

/// Makes the draft of a module its next version.
///
/// # Errors
/// [`ManageError::NotFound`]; [`ManageError::PreconditionFailed`] when there are 50 and Actions require them all.
pub async fn publish_action_module(
    idp: &Idp,
    tenant: &TenantId,
    id: &ActionModuleId,
) -> Result<ActionModuleVersion, ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    let module = existing(&mut tx, id).await?;
    let version = publish(idp, &mut tx, &module).await?;
    tx.commit().await?;
    Ok(version)
}

/// Makes an old version of a module its draft and its next version.
///
/// # Errors
/// As [`publish_action_module`].
pub async fn rollback_action_module(
    idp: &Idp,
    tenant: &TenantId,
    id: &ActionModuleId,
    version: &str,
) -> Result<ActionModule, ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    let mut module = existing(&mut tx, id).await?;
    let versions = tx.action_module_versions(id).await?;
    let old = versions.into_iter().find(|old| module_version_id(id, old.number) == version);
    module.draft = old.ok_or_else(no_such_version)?.content;
    module.updated_at = idp.now();
    tx.set_action_module(&module).await?;
    module.latest = Some(publish(idp, &mut tx, &module).await?);
    tx.commit().await?;
    Ok(module)
}

/// The versions of a module, newest first.
///
/// # Errors
/// [`ManageError::NotFound`]
pub async fn action_module_versions(
    idp: &Idp,
    tenant: &TenantId,
    id: &ActionModuleId,
) -> Result<Vec<ActionModuleVersion>, ManageError> {
    let mut tx = idp.storage.begin_read(tenant).await?;
    existing(&mut tx, id).await?;
    Ok(tx.action_module_versions(id).await?)
}

/// One version of a module.
///
/// # Errors
/// [`ManageError::NotFound`]
pub async fn action_module_version(
    idp: &Idp,
    tenant: &TenantId,
    id: &ActionModuleId,
    version: &str,
) -> Result<ActionModuleVersion, ManageError> {
    let versions = action_module_versions(idp, tenant, id).await?;
    versions
        .into_iter()
        .find(|found| module_version_id(id, found.number) == version)
        .ok_or_else(no_such_version)
}

/// The Actions that require a module, in their draft or in what runs, by name.
///
/// # Errors
/// [`ManageError::NotFound`]
pub async fn actions_of_module(
    idp: &Idp,
    tenant: &TenantId,
    id: &ActionModuleId,
) -> Result<Vec<ModuleUse>, ManageError> {
    let mut tx = idp.storage.begin_read(tenant).await?;
    existing(&mut tx, id).await?;
    uses(&mut tx, id).await
}

/// Which of the modules an Action requires: of all Actions that are given.
#[must_use]
pub fn count_uses(id: &ActionModuleId, actions: &[Action]) -> usize {
    actions.iter().filter(|action| used_by(action).any(|used| used.id == *id)).count()
}

/// What an Action's draft and its deployed version require.
fn used_by(action: &Action) -> impl Iterator<Item = &UsedModule> {
    let deployed = action.deployed.iter().flat_map(|version| &version.settings.modules);
    action.draft.settings.modules.iter().chain(deployed)
}

async fn uses(tx: &mut TenantTx, id: &ActionModuleId) -> Result<Vec<ModuleUse>, ManageError> {
    let mut uses = Vec::new();
    for action in tx.actions().await? {
        let number = used_by(&action).find(|used| used.id == *id).map(|used| used.number);
        if let Some(number) = number {
            uses.push(ModuleUse { action, number });
        }
    }
    Ok(uses)
}

/// The modules that an Action is to require, each with its version.
pub(super) async fn used(
    idp: &Idp,
    tenant: &TenantId,
    new: &[NewUsedModule],
) -> Result<Vec<UsedModule>, ManageError> {
    rule(new.len() <= limits::MODULES_OF_ACTION, "an Action has at most 3 modules")?;
    let mut tx = idp.storage.begin_read(tenant).await?;
    let mut used: Vec<UsedModule> = Vec::with_capacity(new.len());
    for NewUsedModule { module_id, module_version_id: wanted } in new {
        let id = ActionModuleId::new(module_id.as_str());
        let module = tx.action_module(&id).await?;
        let module =
            module.ok_or_else(|| ManageError::invalid(format!("there is no module with the id '{id}'")))?;
        let number = match wanted {
            None => module.latest.map(|version| version.number),
            Some(wanted) => {
                let versions = tx.action_module_versions(&id).await?;
                let numbers = versions.iter().map(|version| version.number);
                numbers.into_iter().find(|number| module_version_id(&id, *number) == *wanted)
            }
        };
        let number = number.ok_or_else(|| {
            ManageError::invalid(format!(
                "the module '{}' has no such version: publish it first",
                module.name
            ))
        })?;
        if used.iter().any(|other| other.id == id) {
            return Err(ManageError::invalid(format!("the module '{}' is there twice", module.name)));
        }
        used.push(UsedModule { id, name: module.name, number });
    }
    Ok(used)
}

async fn change_draft(
    idp: &Idp,
    tenant: &TenantId,
    module: &mut ActionModule,
    change: ModuleChange,
) -> Result<(), ManageError> {
    let now = idp.now();
    let draft = &mut module.draft;
    if let Some(code) = change.code {
        rule(
            code.chars().count() <= limits::MODULE_CODE_CHARS,
            "a module's code has at most 65,536 characters",
        )?;
        check(idp, tenant, &module.name, &code).await?;
        draft.code = code;
    }
    if let Some(new) = change.dependencies {
        dependencies(&new)?;
        draft.dependencies = new;
    }
    if let Some(secrets) = &change.secrets {
        let values: SecretValues =
            open_module_secrets(idp, tenant, &module.id, draft.sealed_secrets.as_deref())?;
        let (names, new) = replaced(secrets, (&draft.secrets, &values), now)?;
        draft.secrets = names;
        // What is sealed again differs: then there would be something to publish.
        if new != values {
            draft.sealed_secrets = seal(idp, &module_context(tenant, &module.id), &new)?;
        }
    }
    module.updated_at = now;
    Ok(())
}

/// Builds an Action that does nothing but require the module.
async fn check(idp: &Idp, tenant: &TenantId, name: &str, code: &str) -> Result<(), ManageError> {
    let name = format!("actions:{name}");
    let source = ActionSource {
        file_name: "action.js".to_owned(),
        code: format!("require('{name}'); exports.onExecutePostLogin = async () => {{}};"),
        modules: [(name, code.to_owned())].into(),
    };
    match build_source(idp, tenant, &source, SCRIPT_RUNTIME).await? {
        Ok(_) => Ok(()),
        Err(message) => Err(ManageError::invalid(format!("the module does not build: {}", message.msg))),
    }
}

async fn publish(
    idp: &Idp,
    tx: &mut TenantTx,
    module: &ActionModule,
) -> Result<ActionModuleVersion, ManageError> {
    let versions = tx.action_module_versions(&module.id).await?;
    if versions.len() >= MAX_VERSIONS {
        let actions = tx.actions().await?;
        let is_used = |number: i64| {
            let mut used = actions.iter().flat_map(used_by);
            used.any(|used| used.id == module.id && used.number == number)
        };
        let oldest = versions.iter().rev().find(|version| !is_used(version.number));
        let oldest = oldest.ok_or_else(|| {
            ManageError::PreconditionFailed(format!(
                "the module '{}' has 50 versions, and Actions require each of them",
                module.name
            ))
        })?;
        tx.delete_action_module_version(&module.id, oldest.number).await?;
    }
    Ok(tx.publish_action_module(module, idp.now()).await?)
}

async fn existing(tx: &mut TenantTx, id: &ActionModuleId) -> Result<ActionModule, ManageError> {
    tx.action_module(id).await?.ok_or_else(|| ManageError::NotFound {
        error_code: None,
        message: "That module does not exist.".to_owned(),
    })
}

fn no_such_version() -> ManageError {
    ManageError::NotFound { error_code: None, message: "That module version does not exist.".to_owned() }
}
