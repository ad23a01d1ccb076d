//! Draft, deployment and binding in one step, of something that was built elsewhere: what `postern action deploy` does with
//! the database.

use action_api::Artifact;
use model::{
    Action, ActionDraft, ActionId, ActionSettings, ActionSource, ActionVersion, AllowedHosts, TenantId,
    TriggerVersion, random_uuid,
};

use super::content::{POST_LOGIN, SCRIPT_RUNTIME, runtime_of};
use super::{NewSecret, SecretValues, bindings, build, content, drafts, existing, secrets, versions};
use crate::Idp;
use crate::manage::modules::{self, NewUsedModule};
use crate::manage::{ManageError, hex, sha256, validate};

/// What is deployed in one step.
#[derive(Debug, Clone, Copy)]
pub struct Deployment<'a> {
    /// With the code of the `actions:` modules that it requires.
    pub source: &'a ActionSource,
    /// What was built of it.
    pub artifact: &'a Artifact,
    /// All secrets that there are to be.
    pub secrets: &'a SecretValues,
    /// Where its requests may go from now on; without it that stays as it is, which is anywhere for a new Action.
    pub hosts: Option<&'a AllowedHosts>,
    /// The `actions:` modules that it requires; without it, those of its draft.
    pub modules: Option<&'a [NewUsedModule]>,
}

/// Deploys a new version of the Action of this name, and binds it after the others unless it has its place. There is no new
/// version where it would be what runs: then that is the answer, with `false`.
///
/// # Errors
/// [`ManageError::Invalid`] for a rule that is broken, too many Actions, or an artifact that is not what its digest says.
pub async fn deploy_action(
    idp: &Idp,
    tenant: &TenantId,
    name: &str,
    deployment: Deployment<'_>,
) -> Result<(ActionVersion, bool), ManageError> {
    let Deployment { source, artifact, secrets: values, hosts, modules } = deployment;
    let now = idp.now();
    content::name(name)?;
    let runtime = runtime_of(&artifact.kind);
    let own = ActionSource { modules: content::files_of(source), ..source.clone() };
    content::source(&own, runtime != SCRIPT_RUNTIME)?;
    if let Some(AllowedHosts::Only(hosts)) = hosts {
        validate::hosts(hosts)?;
    }
    if hex(sha256(&artifact.bytes).as_ref()) != artifact.digest {
        return Err(ManageError::invalid("the artifact does not have its digest"));
    }
    let used = match modules {
        Some(new) => Some(modules::used(idp, tenant, new).await?),
        None => None,
    };
    let new: Vec<_> = values
        .iter()
        .map(|(name, value)| NewSecret { name: name.clone(), value: Some(value.clone()) })
        .collect();

    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    build::store(&mut tx, artifact).await?;
    let stored = match tx.action_id(name).await? {
        Some(id) => Some(existing(&mut tx, &id).await?),
        None => None,
    };
    let open = |sealed: Option<&str>| secrets::open_secrets(idp, tenant, name, sealed);
    let before = stored.as_ref().map(|action| &action.draft);
    let (names, values) = secrets::replaced(
        &new,
        (
            before.map_or(&[], |draft| &draft.settings.secrets),
            &open(before.and_then(|draft| draft.sealed_secrets.as_deref()))?,
        ),
        now,
    )?;
    let sealed = drafts::sealed(idp, tenant, name, &values)?;
    let draft = |settings: ActionSettings| ActionDraft {
        source: source.clone(),
        settings: ActionSettings {
            runtime: runtime.to_owned(),
            secrets: names,
            modules: used.unwrap_or(settings.modules),
            ..settings
        },
        sealed_secrets: sealed,
        digest: Some(artifact.digest.clone()),
        errors: Vec::new(),
        built_at: now,
        updated_at: now,
    };
    let action = match stored {
        Some(mut action) => {
            action.draft = draft(action.draft.settings);
            if let Some(hosts) = hosts {
                action.allowed_hosts = hosts.clone();
            }
            tx.set_action(&action).await?;
            action
        }
        None => {
            let trigger = TriggerVersion { id: POST_LOGIN.to_owned(), version: "v3".to_owned() };
            let settings = ActionSettings { supported_triggers: vec![trigger], ..ActionSettings::default() };
            let action = Action {
                id: ActionId::new(random_uuid(&*idp.random)),
                name: name.to_owned(),
                created_at: now,
                draft: draft(settings),
                deployed: None,
                allowed_hosts: hosts.cloned().unwrap_or_default(),
            };
            drafts::insert(&mut tx, &action).await?;
            action
        }
    };
    let unchanged = match action.deployed.as_ref().filter(|_| action.all_changes_deployed()) {
        // Of the same source, another engine makes another image. And a moment is not enough to tell two values by.
        Some(version) if version.digest == artifact.digest => {
            (open(version.sealed_secrets.as_deref())? == values).then(|| version.clone())
        }
        _ => None,
    };
    let (version, is_new) = match unchanged {
        Some(version) => (version, false),
        None => (versions::deploy(idp, &mut tx, &action).await?, true),
    };
    bindings::append(idp, &mut tx, &action).await?;
    tx.commit().await?;
    Ok((version, is_new))
}
