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
use crate::manage::{ManageError, hex, sha256, validate};

/// Deploys a new version of the Action of this name, with these secrets and no others, and binds it after the others unless
/// it has its place. `hosts` is where its requests may go from now on; without it that stays as it is, which is anywhere for
/// a new Action.
///
/// # Errors
/// [`ManageError::Invalid`] for a rule that is broken, too many Actions, or an artifact that is not what its digest says.
pub async fn deploy_action(
    idp: &Idp,
    tenant: &TenantId,
    name: &str,
    source: &ActionSource,
    artifact: &Artifact,
    values: &SecretValues,
    hosts: Option<&AllowedHosts>,
) -> Result<ActionVersion, ManageError> {
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
    let new: Vec<_> = values
        .iter()
        .map(|(name, value)| NewSecret { name: name.clone(), value: Some(value.clone()) })
        .collect();
    let (names, values) = secrets::replaced(&new, (&[], &SecretValues::new()), now)?;
    let sealed = drafts::sealed(idp, tenant, name, &values)?;

    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    build::store(&mut tx, artifact).await?;
    let draft = |settings: ActionSettings| ActionDraft {
        source: source.clone(),
        settings: ActionSettings { runtime: runtime.to_owned(), secrets: names, ..settings },
        sealed_secrets: sealed,
        digest: Some(artifact.digest.clone()),
        errors: Vec::new(),
        built_at: now,
        updated_at: now,
    };
    let action = match tx.action_id(name).await? {
        Some(id) => {
            let mut action = existing(&mut tx, &id).await?;
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
    let version = versions::deploy(idp, &mut tx, &action).await?;
    bindings::append(idp, &mut tx, &action).await?;
    tx.commit().await?;
    Ok(version)
}
