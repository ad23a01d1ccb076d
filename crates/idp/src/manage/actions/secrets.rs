//! Secrets go in and never come back: only their names do.

use std::collections::BTreeMap;

use model::{Action, ActionModuleId, ActionVersion, SecretName, TenantId, Timestamp};

use super::secrets_context;
use crate::manage::validate::rule;
use crate::manage::{ManageError, limits};
use crate::{Idp, ServerError};

/// A secret as an author sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSecret {
    /// The property of `event.secrets`.
    pub name: String,
    /// `None`: the value that is stored stays.
    pub value: Option<String>,
}

/// Names of secrets with their values.
pub type SecretValues = BTreeMap<String, String>;

/// Opens what [`seal`] sealed. No secrets are an empty list.
pub(crate) fn open_secrets(
    idp: &Idp,
    tenant: &TenantId,
    action: &str,
    sealed: Option<&str>,
) -> Result<SecretValues, ServerError> {
    open(idp, &secrets_context(tenant, action), sealed)
}

/// The same of a module's.
pub(crate) fn open_module_secrets(
    idp: &Idp,
    tenant: &TenantId,
    module: &ActionModuleId,
    sealed: Option<&str>,
) -> Result<SecretValues, ServerError> {
    open(idp, &module_context(tenant, module), sealed)
}

/// How the vault calls the place of a module's secrets.
pub(in crate::manage) fn module_context(tenant: &TenantId, module: &ActionModuleId) -> String {
    format!("{tenant}/action_module_secrets/{module}")
}

fn open(idp: &Idp, context: &str, sealed: Option<&str>) -> Result<SecretValues, ServerError> {
    let Some(sealed) = sealed else { return Ok(BTreeMap::new()) };
    let opened = idp.vault.open(context, sealed)?;
    serde_json::from_slice(&opened)
        .map_err(|error| ServerError::Inconsistent(format!("Action secrets: {error}")))
}

/// Seals the secrets for their place. No secrets are nothing.
pub(in crate::manage) fn seal(
    idp: &Idp,
    context: &str,
    secrets: &SecretValues,
) -> Result<Option<String>, ServerError> {
    if secrets.is_empty() {
        return Ok(None);
    }
    let plain = serde_json::to_vec(secrets)
        .map_err(|error| ServerError::Inconsistent(format!("Action secrets: {error}")))?;
    idp.vault.seal(&*idp.random, context, &plain).map(Some)
}

/// What is to be stored, when these replace those: an entry without a value keeps the one that is there. A value that is set
/// to what it is does not change: a tool that sends the same again makes nothing to deploy.
pub(in crate::manage) fn replaced(
    new: &[NewSecret],
    (names, values): (&[SecretName], &SecretValues),
    now: Timestamp,
) -> Result<(Vec<SecretName>, SecretValues), ManageError> {
    rule(new.len() <= limits::SECRETS, "at most 30 secrets")?;
    let (mut new_names, mut new_values): (Vec<SecretName>, _) = (Vec::new(), SecretValues::new());
    for secret in new {
        let NewSecret { name, value } = secret;
        rule(
            (1..=limits::SECRET_NAME_CHARS).contains(&name.chars().count()),
            "the name of a secret has 1 to 128 characters",
        )?;
        let stored = values.get(name);
        let value = value.as_ref().or(stored).cloned().ok_or_else(|| {
            ManageError::invalid(format!("the secret {name} has no value, and none is stored"))
        })?;
        let before = names.iter().find(|before| before.name == *name && stored == Some(&value));
        let updated_at = before.map_or(now, |before| before.updated_at);
        rule(
            value.chars().count() <= limits::SECRET_CHARS,
            format!("the secret {name} has more than 4,096 characters"),
        )?;
        if new_values.insert(name.clone(), value).is_some() {
            return Err(ManageError::invalid(format!("the secret {name} is there twice")));
        }
        new_names.push(SecretName { name: name.clone(), updated_at });
    }
    Ok((new_names, new_values))
}

/// What an older version of the program stored has no list of names beside the values.
pub(super) fn complete(idp: &Idp, tenant: &TenantId, action: &mut Action) -> Result<(), ServerError> {
    let Action { name, draft, deployed, .. } = action;
    let sealed = draft.sealed_secrets.as_deref();
    complete_names(idp, tenant, name, sealed, &mut draft.settings.secrets, draft.updated_at)?;
    deployed.as_mut().map_or(Ok(()), |version| complete_version(idp, tenant, name, version))
}

/// The same of a version.
pub(super) fn complete_version(
    idp: &Idp,
    tenant: &TenantId,
    action: &str,
    version: &mut ActionVersion,
) -> Result<(), ServerError> {
    let sealed = version.sealed_secrets.as_deref();
    complete_names(idp, tenant, action, sealed, &mut version.settings.secrets, version.created_at)
}

fn complete_names(
    idp: &Idp,
    tenant: &TenantId,
    action: &str,
    sealed: Option<&str>,
    names: &mut Vec<SecretName>,
    updated_at: Timestamp,
) -> Result<(), ServerError> {
    if names.is_empty() && sealed.is_some() {
        let values = open_secrets(idp, tenant, action, sealed)?;
        names.extend(values.into_keys().map(|name| SecretName { name, updated_at }));
    }
    Ok(())
}
