//! What an author works on. Nothing of it runs at a login before it is deployed.

use std::collections::BTreeMap;

use action_api::Artifact;
use model::{
    Action, ActionDraft, ActionId, ActionSettings, ActionSource, AllowedHosts, BuildMessage, Dependency,
    TenantId, TriggerVersion, UsedModule, random_uuid,
};
use storage::TenantTx;

use super::content::{COMPONENT_RUNTIME, MODULE_PREFIX, SCRIPT_RUNTIME, files_of};
use super::{
    MAX_ACTIONS, NewSecret, SecretValues, build, complete, content, existing, no_such_action, secrets,
    secrets_context,
};
use crate::Idp;
use crate::manage::modules::{self, NewUsedModule};
use crate::manage::{ManageError, validate};

/// What an author sets. What is absent stays as it is, or is the default.
#[derive(Debug, Clone, Default)]
pub struct ActionChange {
    /// Unique in the tenant.
    pub name: Option<String>,
    /// Exactly one.
    pub supported_triggers: Option<Vec<TriggerVersion>>,
    /// The script, or base64 of a component.
    pub code: Option<String>,
    /// The script's name in positions; its ending says which language it is in. Ours, not the dialect's.
    pub file_name: Option<String>,
    /// The files that the script requires, by their path from its folder. Ours, not the dialect's.
    pub files: Option<BTreeMap<String, String>>,
    /// As `node22` or `wasm-component-v1`.
    pub runtime: Option<String>,
    /// Accepted and shown; none is installed.
    pub dependencies: Option<Vec<Dependency>>,
    /// All secrets that there are to be.
    pub secrets: Option<Vec<NewSecret>>,
    /// All modules that there are to be.
    pub modules: Option<Vec<NewUsedModule>>,
    /// Where its requests may go. Ours, not the dialect's.
    pub allowed_hosts: Option<AllowedHosts>,
}

impl ActionChange {
    /// Whether what is built changes.
    fn changes_build(&self) -> bool {
        self.code.is_some()
            || self.file_name.is_some()
            || self.files.is_some()
            || self.runtime.is_some()
            || self.modules.is_some()
    }
}

/// All Actions, by name.
///
/// # Errors
/// [`ManageError::Server`]
pub async fn actions(idp: &Idp, tenant: &TenantId) -> Result<Vec<Action>, ManageError> {
    let mut actions = idp.storage.begin_read(tenant).await?.actions().await?;
    for action in &mut actions {
        complete(idp, tenant, action)?;
    }
    Ok(actions)
}

/// One Action.
///
/// # Errors
/// [`ManageError::NotFound`]
pub async fn action(idp: &Idp, tenant: &TenantId, id: &ActionId) -> Result<Action, ManageError> {
    let mut action = existing(&mut idp.storage.begin_read(tenant).await?, id).await?;
    complete(idp, tenant, &mut action)?;
    Ok(action)
}

/// Makes an Action and builds it. That it does not build is no error: its draft says so.
///
/// # Errors
/// [`ManageError::Invalid`] for a rule that is broken or a 101st Action, [`ManageError::Conflict`] for a name that is taken.
pub async fn create_action(
    idp: &Idp,
    tenant: &TenantId,
    change: ActionChange,
) -> Result<Action, ManageError> {
    let now = idp.now();
    let (Some(name), Some(triggers)) = (&change.name, &change.supported_triggers) else {
        return Err(ManageError::invalid("name and supported_triggers are needed"));
    };
    let empty = Action {
        id: ActionId::new(random_uuid(&*idp.random)),
        name: name.clone(),
        created_at: now,
        draft: ActionDraft {
            source: ActionSource { file_name: "action.js".to_owned(), ..ActionSource::default() },
            settings: ActionSettings {
                runtime: SCRIPT_RUNTIME.to_owned(),
                supported_triggers: triggers.clone(),
                ..ActionSettings::default()
            },
            sealed_secrets: None,
            digest: None,
            errors: Vec::new(),
            built_at: now,
            updated_at: now,
        },
        deployed: None,
        allowed_hosts: AllowedHosts::Any,
    };
    let changed = Changed::of(idp, tenant, &empty, &change, true).await?;
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    insert(&mut tx, &changed.action).await?;
    changed.store_artifact(&mut tx).await?;
    tx.commit().await?;
    Ok(changed.action)
}

/// Changes the draft and builds it. What runs stays as it is.
///
/// # Errors
/// As [`create_action`]; [`ManageError::NotFound`]; [`ManageError::Conflict`] also when somebody else changed it at the same
/// time.
pub async fn update_action(
    idp: &Idp,
    tenant: &TenantId,
    id: &ActionId,
    change: ActionChange,
) -> Result<Action, ManageError> {
    let stored = existing(&mut idp.storage.begin_read(tenant).await?, id).await?;
    let mut before = stored.clone();
    complete(idp, tenant, &mut before)?;
    let changed = Changed::of(idp, tenant, &before, &change, change.changes_build()).await?;
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    if existing(&mut tx, id).await? != stored {
        return Err(ManageError::Conflict("The action was changed by another request meanwhile.".to_owned()));
    }
    if changed.action.name != stored.name {
        free_name(&mut tx, &changed.action.name).await?;
        seal_again(idp, tenant, &mut tx, &stored, &changed.action.name).await?;
    }
    changed.store_artifact(&mut tx).await?;
    tx.set_action(&changed.action).await?;
    let changed = existing(&mut tx, id).await?;
    tx.commit().await?;
    Ok(changed)
}

/// Removes an Action with its versions. A login that is suspended in it is refused when it comes back.
///
/// # Errors
/// [`ManageError::NotFound`]; [`ManageError::Conflict`] when it is bound, but for `force`.
pub async fn delete_action(
    idp: &Idp,
    tenant: &TenantId,
    id: &ActionId,
    force: bool,
) -> Result<(), ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    if !force && tx.is_bound(id).await? {
        return Err(ManageError::Conflict(
            "The action is bound to a trigger: unbind it first, or delete it with force=true.".to_owned(),
        ));
    }
    if !tx.delete_action(id).await? {
        return Err(no_such_action());
    }
    Ok(tx.commit().await?)
}

/// An Action with its change, before it is stored.
pub(super) struct Changed {
    pub(super) action: Action,
    artifact: Option<Artifact>,
}

impl Changed {
    /// Checks the change, builds what it makes of the Action, and seals its secrets. No transaction may be open.
    async fn of(
        idp: &Idp,
        tenant: &TenantId,
        before: &Action,
        change: &ActionChange,
        builds: bool,
    ) -> Result<Self, ManageError> {
        let now = idp.now();
        let mut action = before.clone();
        if let Some(name) = &change.name {
            content::name(name)?;
            action.name.clone_from(name);
        }
        if let Some(hosts) = &change.allowed_hosts {
            if let AllowedHosts::Only(hosts) = hosts {
                validate::hosts(hosts)?;
            }
            action.allowed_hosts = hosts.clone();
        }
        let ActionDraft { source, settings, sealed_secrets, .. } = &mut action.draft;
        if let Some(triggers) = &change.supported_triggers {
            content::triggers(triggers)?;
            settings.supported_triggers.clone_from(triggers);
        }
        if let Some(runtime) = &change.runtime {
            content::runtime(runtime)?;
            settings.runtime.clone_from(runtime);
        }
        if let Some(dependencies) = &change.dependencies {
            content::dependencies(dependencies)?;
            settings.dependencies.clone_from(dependencies);
        }
        if let Some(file_name) = &change.file_name {
            source.file_name.clone_from(file_name);
        }
        if let Some(code) = &change.code {
            // As the database has it: the draft and what is deployed of it are compared.
            source.code = code.replace('\0', "\u{fffd}");
        }
        let files = change.files.clone().unwrap_or_else(|| files_of(source));
        if let Some(used) = &change.modules {
            settings.modules = modules::used(idp, tenant, used).await?;
        }
        source.modules = files;
        let is_component = settings.runtime == COMPONENT_RUNTIME;
        content::source(source, is_component)?;
        let required = required_modules(idp, tenant, &settings.modules).await?;
        source.modules.extend(required);

        let values = secrets::open_secrets(idp, tenant, &before.name, sealed_secrets.as_deref())?;
        let values = match &change.secrets {
            Some(new) => {
                let (names, values) = secrets::replaced(new, (&settings.secrets, &values), now)?;
                settings.secrets = names;
                values
            }
            None => values,
        };
        if change.secrets.is_some() || action.name != before.name {
            *sealed_secrets = sealed(idp, tenant, &action.name, &values)?;
        }
        action.draft.updated_at = now;
        let mut changed = Self { action, artifact: None };
        if builds {
            changed.build(idp, tenant).await?;
        }
        Ok(changed)
    }

    async fn build(&mut self, idp: &Idp, tenant: &TenantId) -> Result<(), ManageError> {
        let draft = &self.action.draft;
        // A component whose code is the artifact's: there is nothing new to build it from.
        let is_stored = draft.settings.runtime == COMPONENT_RUNTIME && draft.source.code.is_empty();
        if is_stored && draft.digest.is_some() {
            return Ok(());
        }
        let built = build::build(idp, tenant, &draft.source, &draft.settings.runtime).await?;
        self.artifact = take_in(&mut self.action.draft, built);
        self.action.draft.built_at = idp.now();
        Ok(())
    }

    async fn store_artifact(&self, tx: &mut TenantTx) -> Result<(), ManageError> {
        match &self.artifact {
            Some(artifact) => build::store(tx, artifact).await,
            None => Ok(()),
        }
    }
}

/// What a build makes of a draft.
fn take_in(draft: &mut ActionDraft, built: Result<Artifact, BuildMessage>) -> Option<Artifact> {
    match built {
        Ok(artifact) => {
            content::without_copy(&mut draft.source, &artifact.bytes, &artifact.kind);
            draft.digest = Some(artifact.digest.clone());
            draft.errors = Vec::new();
            Some(artifact)
        }
        Err(message) => {
            draft.digest = None;
            draft.errors = vec![message];
            None
        }
    }
}

/// The code of the modules, under the names by which `require` finds it.
async fn required_modules(
    idp: &Idp,
    tenant: &TenantId,
    used: &[UsedModule],
) -> Result<BTreeMap<String, String>, ManageError> {
    let mut files = BTreeMap::new();
    if used.is_empty() {
        return Ok(files);
    }
    let mut tx = idp.storage.begin_read(tenant).await?;
    for module in used {
        if let Some(version) = tx.action_module_version(&module.id, module.number).await? {
            files.insert(format!("{MODULE_PREFIX}{}", module.name), version.content.code);
        }
    }
    Ok(files)
}

/// The modules that the draft of the Action of this name requires.
///
/// # Errors
/// [`ManageError::Server`]
pub async fn modules_of_draft(
    idp: &Idp,
    tenant: &TenantId,
    name: &str,
) -> Result<Vec<UsedModule>, ManageError> {
    let mut tx = idp.storage.begin_read(tenant).await?;
    let Some(id) = tx.action_id(name).await? else { return Ok(Vec::new()) };
    Ok(existing(&mut tx, &id).await?.draft.settings.modules)
}

/// Stores a new Action under a free name, where there is room for one.
pub(super) async fn insert(tx: &mut TenantTx, action: &Action) -> Result<(), ManageError> {
    free_name(tx, &action.name).await?;
    if tx.actions().await?.len() >= MAX_ACTIONS {
        return Err(ManageError::invalid("a tenant has at most 100 Actions"));
    }
    Ok(tx.insert_action(action).await?)
}

async fn free_name(tx: &mut TenantTx, name: &str) -> Result<(), ManageError> {
    match tx.action_id(name).await? {
        None => Ok(()),
        Some(_) => Err(ManageError::Conflict(format!("An action with the name '{name}' exists already."))),
    }
}

pub(super) fn sealed(
    idp: &Idp,
    tenant: &TenantId,
    name: &str,
    secrets: &SecretValues,
) -> Result<Option<String>, ManageError> {
    Ok(secrets::seal(idp, &secrets_context(tenant, name), secrets)?)
}

/// Secrets are sealed for the name of their Action: those of its versions are sealed again for the new one.
async fn seal_again(
    idp: &Idp,
    tenant: &TenantId,
    tx: &mut TenantTx,
    before: &Action,
    name: &str,
) -> Result<(), ManageError> {
    for version in tx.action_versions(&before.id).await? {
        let values = secrets::open_secrets(idp, tenant, &before.name, version.sealed_secrets.as_deref())?;
        if let Some(again) = sealed(idp, tenant, name, &values)? {
            tx.set_sealed_secrets(&before.id, version.number, &again).await?;
        }
    }
    Ok(())
}
