//! Actions: what an author works on, builds, deploys and binds (`reference/management-api.md` section 2.1).

mod bindings;
mod build;
mod content;
mod drafts;
mod executions;
mod one_step;
mod secrets;
mod test;
mod versions;

use model::{Action, ActionId, TenantId, uuid};
use storage::TenantTx;

use super::{ManageError, sha256};

pub use bindings::*;
pub use content::*;
pub use drafts::*;
pub use executions::*;
pub use one_step::*;
use secrets::complete;
pub use secrets::{NewSecret, SecretValues};
pub(super) use secrets::{module_context, replaced, seal};
pub(crate) use secrets::{open_module_secrets, open_secrets};
pub use test::*;
pub use versions::*;

pub(super) use build::build as build_source;
pub(super) use content::dependencies;

/// Actions of a tenant.
const MAX_ACTIONS: usize = 100;

fn no_such_action() -> ManageError {
    ManageError::NotFound { error_code: None, message: "That action does not exist.".to_owned() }
}

async fn existing(tx: &mut TenantTx, id: &ActionId) -> Result<Action, ManageError> {
    tx.action(id).await?.ok_or_else(no_such_action)
}

/// An id that is made of what it names, so that it need not be stored: a UUID of one's own kind (RFC 9562 §5.8).
pub(super) fn derived_id(parts: &[&str]) -> String {
    let mut bytes = [0; 16];
    for (byte, hash) in bytes.iter_mut().zip(sha256(parts.join("\0").as_bytes()).as_ref()) {
        *byte = *hash;
    }
    uuid(bytes, 8)
}

/// How the vault calls the place of an Action's secrets.
fn secrets_context(tenant: &TenantId, action: &str) -> String {
    format!("{tenant}/action_secrets/{action}")
}
