//! What was deployed: immutable, numbered, and deployed again to go back.

use model::{Action, ActionDraft, ActionId, ActionVersion, TenantId};
use storage::TenantTx;

use super::{complete, derived_id, existing, secrets};
use crate::Idp;
use crate::manage::ManageError;

/// The id of a version.
#[must_use]
pub fn version_id(action: &ActionId, number: i64) -> String {
    derived_id(&["action version", action.as_str(), &number.to_string()])
}

/// An Action with its versions, newest first.
///
/// # Errors
/// [`ManageError::NotFound`]
pub async fn action_versions(
    idp: &Idp,
    tenant: &TenantId,
    id: &ActionId,
) -> Result<(Action, Vec<ActionVersion>), ManageError> {
    let mut tx = idp.storage.begin_read(tenant).await?;
    let mut action = existing(&mut tx, id).await?;
    let mut versions = tx.action_versions(id).await?;
    drop(tx);
    complete(idp, tenant, &mut action)?;
    for version in &mut versions {
        secrets::complete_version(idp, tenant, &action.name, version)?;
    }
    Ok((action, versions))
}

/// An Action with one of its versions.
///
/// # Errors
/// [`ManageError::NotFound`]
pub async fn action_version(
    idp: &Idp,
    tenant: &TenantId,
    id: &ActionId,
    version: &str,
) -> Result<(Action, ActionVersion), ManageError> {
    let (action, versions) = action_versions(idp, tenant, id).await?;
    let found = versions.into_iter().find(|found| version_id(id, found.number) == version);
    found.map(|version| (action, version)).ok_or_else(no_such_version)
}

/// Makes the draft the next version, which runs from the next login on where the Action is bound.
///
/// # Errors
/// [`ManageError::NotFound`]; [`ManageError::Invalid`] when the draft is not built.
pub async fn deploy_draft(
    idp: &Idp,
    tenant: &TenantId,
    id: &ActionId,
) -> Result<(Action, ActionVersion), ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    let mut action = existing(&mut tx, id).await?;
    complete(idp, tenant, &mut action)?;
    let version = deploy(idp, &mut tx, &action).await?;
    tx.commit().await?;
    Ok((action, version))
}

/// Makes an old version the next one: it runs again, with the secrets that it had. The draft follows if `update_draft` says
/// so.
///
/// # Errors
/// [`ManageError::NotFound`]; [`ManageError::PreconditionFailed`] when a module that it requires is gone.
pub async fn deploy_version(
    idp: &Idp,
    tenant: &TenantId,
    id: &ActionId,
    version: &str,
    update_draft: bool,
) -> Result<(Action, ActionVersion), ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    let mut action = existing(&mut tx, id).await?;
    let versions = tx.action_versions(id).await?;
    let mut old =
        versions.into_iter().find(|old| version_id(id, old.number) == version).ok_or_else(no_such_version)?;
    secrets::complete_version(idp, tenant, &action.name, &mut old)?;
    for used in &old.settings.modules {
        if tx.action_module_version(&used.id, used.number).await?.is_none() {
            return Err(ManageError::PreconditionFailed(format!(
                "version {} of the module '{}', which that version requires, is not there any more",
                used.number, used.name
            )));
        }
    }
    let now = idp.now();
    let draft = ActionDraft {
        source: old.source,
        settings: old.settings,
        sealed_secrets: old.sealed_secrets,
        digest: Some(old.digest.clone()),
        errors: Vec::new(),
        built_at: old.created_at,
        updated_at: now,
    };
    let version = tx.deploy_action(id, &draft, &old.digest, now).await?;
    if update_draft {
        action.draft = draft;
        tx.set_action(&action).await?;
    }
    tx.commit().await?;
    Ok((action, version))
}

/// Makes the draft of an Action the next version, in this transaction.
pub(super) async fn deploy(
    idp: &Idp,
    tx: &mut TenantTx,
    action: &Action,
) -> Result<ActionVersion, ManageError> {
    let Some(digest) = &action.draft.digest else {
        let why = action.draft.errors.first().map(|error| format!(": {}", error.msg)).unwrap_or_default();
        // Tools look for these words.
        return Err(ManageError::invalid(format!(
            "A draft must be in the 'built' state to be deployed, and this one failed to build{why}"
        )));
    };
    Ok(tx.deploy_action(&action.id, &action.draft, digest, idp.now()).await?)
}

fn no_such_version() -> ManageError {
    ManageError::NotFound { error_code: None, message: "That action version does not exist.".to_owned() }
}
