//! Which Actions run at a trigger, in which order.

use model::{Action, ActionId, TenantId, TriggerBinding};
use storage::TenantTx;

use super::{POST_LOGIN, content, derived_id};
use crate::Idp;
use crate::manage::{ManageError, limits, validate};

/// The Action of a binding, as a request names it.
#[derive(Debug, Clone)]
pub enum BindingReference {
    /// By its id.
    ActionId(String),
    /// By its name.
    ActionName(String),
    /// By the binding that it has at this trigger.
    BindingId(String),
}

/// A binding as it is to be.
#[derive(Debug, Clone)]
pub struct NewBinding {
    /// Which Action.
    pub reference: BindingReference,
    /// What the tenant calls it there; without it, as it was called before, or as the Action.
    pub display_name: Option<String>,
}

/// The id of a binding.
#[must_use]
pub fn binding_id(trigger: &str, action: &ActionId) -> String {
    derived_id(&["action binding", trigger, action.as_str()])
}

/// What is bound to a trigger, in its order.
///
/// # Errors
/// [`ManageError::NotFound`] for a trigger that the dialect does not have.
pub async fn trigger_bindings(
    idp: &Idp,
    tenant: &TenantId,
    trigger: &str,
) -> Result<Vec<(TriggerBinding, Action)>, ManageError> {
    known(trigger)?;
    bound(&mut idp.storage.begin_read(tenant).await?, trigger).await
}

/// Replaces what is bound to a trigger: these Actions, in this order.
///
/// # Errors
/// [`ManageError::NotFound`] for an unknown trigger; [`ManageError::Invalid`] for one that does not run here, an Action that
/// is unknown, not deployed or bound twice, and a 21st binding.
pub async fn set_trigger_bindings(
    idp: &Idp,
    tenant: &TenantId,
    trigger: &str,
    new: &[NewBinding],
) -> Result<Vec<(TriggerBinding, Action)>, ManageError> {
    known(trigger)?;
    if trigger != POST_LOGIN && !new.is_empty() {
        return Err(content::does_not_run(trigger));
    }
    validate::rule(new.len() <= limits::BINDINGS, "at most 20 Actions are bound to a trigger")?;
    let now = idp.now();
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    let before = bound(&mut tx, trigger).await?;
    let actions = tx.actions().await?;
    let mut bindings: Vec<TriggerBinding> = Vec::with_capacity(new.len());
    for NewBinding { reference, display_name } in new {
        let action = actions.iter().find(|action| match reference {
            BindingReference::ActionId(id) => action.id.as_str() == id,
            BindingReference::ActionName(name) => action.name == *name,
            BindingReference::BindingId(id) => before
                .iter()
                .any(|(binding, _)| binding.action_id == action.id && binding_id(trigger, &action.id) == *id),
        });
        let Some(action) = action else { return Err(unknown(reference)) };
        if action.deployed.is_none() {
            return Err(ManageError::invalid(format!(
                "the action '{}' is not deployed: deploy it before it is bound",
                action.name
            )));
        }
        if bindings.iter().any(|binding| binding.action_id == action.id) {
            return Err(ManageError::invalid(format!("the action '{}' is bound twice", action.name)));
        }
        if let Some(name) = display_name {
            validate::name("a binding's display_name", name)?;
        }
        let old = before.iter().map(|(binding, _)| binding).find(|old| old.action_id == action.id);
        let old_name = old.map(|old| &old.display_name);
        let display_name = display_name.as_ref().or(old_name).unwrap_or(&action.name).clone();
        let unchanged = old.filter(|old| old.display_name == display_name);
        bindings.push(TriggerBinding {
            action_id: action.id.clone(),
            display_name,
            created_at: old.map_or(now, |old| old.created_at),
            updated_at: unchanged.map_or(now, |old| old.updated_at),
        });
    }
    tx.set_trigger_bindings(trigger, &bindings).await?;
    let bound = bound(&mut tx, trigger).await?;
    tx.commit().await?;
    Ok(bound)
}

/// Puts an Action behind those that are bound, unless it has its place already.
pub(super) async fn append(idp: &Idp, tx: &mut TenantTx, action: &Action) -> Result<(), ManageError> {
    let mut bindings = tx.trigger_bindings(POST_LOGIN).await?;
    if bindings.iter().any(|binding| binding.action_id == action.id) {
        return Ok(());
    }
    validate::rule(bindings.len() < limits::BINDINGS, "at most 20 Actions are bound to a trigger")?;
    let now = idp.now();
    bindings.push(TriggerBinding {
        action_id: action.id.clone(),
        display_name: action.name.clone(),
        created_at: now,
        updated_at: now,
    });
    Ok(tx.set_trigger_bindings(POST_LOGIN, &bindings).await?)
}

async fn bound(tx: &mut TenantTx, trigger: &str) -> Result<Vec<(TriggerBinding, Action)>, ManageError> {
    let bindings = tx.trigger_bindings(trigger).await?;
    if bindings.is_empty() {
        return Ok(Vec::new());
    }
    let actions = tx.actions().await?;
    let with_action = |binding: TriggerBinding| {
        let action = actions.iter().find(|action| action.id == binding.action_id)?.clone();
        Some((binding, action))
    };
    Ok(bindings.into_iter().filter_map(with_action).collect())
}

fn known(trigger: &str) -> Result<(), ManageError> {
    if content::is_trigger(trigger) {
        return Ok(());
    }
    Err(ManageError::NotFound { error_code: None, message: "That trigger does not exist.".to_owned() })
}

fn unknown(reference: &BindingReference) -> ManageError {
    ManageError::invalid(match reference {
        BindingReference::ActionId(id) => format!("there is no action with the id '{id}'"),
        BindingReference::ActionName(name) => format!("there is no action with the name '{name}'"),
        BindingReference::BindingId(id) => format!("there is no binding with the id '{id}' at this trigger"),
    })
}
