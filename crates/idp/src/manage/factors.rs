//! Second factors, for who administers a tenant's users.

use model::{FactorType, LogEntry, LogType, TenantId, UserId};
use serde_json::json;

use super::ManageError;
use crate::mfa::remove_factor;
use crate::{Idp, rate_limit};

/// Removes all second factors of a user, and forgets their wrong codes. Which factors it were.
///
/// # Errors
/// [`ManageError::Server`].
pub async fn remove_factors(
    idp: &Idp,
    tenant: &TenantId,
    user: &UserId,
) -> Result<Vec<FactorType>, ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_user(user).await?;
    let factors: Vec<_> = tx.authenticators_of(user).await?.iter().map(|known| known.factor).collect();
    for factor in &factors {
        remove_factor(&mut tx, user, *factor).await?;
    }
    tx.clear_rate_limit(&rate_limit::factor_key(user)).await?;
    if !factors.is_empty() {
        let entry = LogEntry {
            user_id: Some(user.clone()),
            description: "By an administrator".to_owned(),
            details: json!({ "factors": factors }),
            ..LogEntry::new(LogType::FactorRemoved, idp.now())
        };
        tx.insert_log(&entry).await?;
    }
    tx.commit().await?;
    Ok(factors)
}
