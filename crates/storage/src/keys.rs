//! The keys that sign the tenant's tokens.

use model::{SigningKey, SigningKeyState, Timestamp};

use crate::row::{Record, ms};
use crate::{StorageError, TenantTx};

impl TenantTx {
    /// All signing keys, oldest first.
    pub async fn signing_keys(&mut self) -> Result<Vec<SigningKey>, StorageError> {
        let query = self.sql(
            "SELECT kid, state, published_until, sealed_private_key, modulus, exponent, created_at,
                 current_since, current_until, revoked_at FROM signing_keys WHERE tenant_id = $1 ORDER BY created_at, kid",
        );
        self.rows("signing_keys", "kid", query).await?.iter().map(signing_key).collect()
    }

    /// Makes or replaces the key.
    pub async fn put_signing_key(&mut self, key: &SigningKey) -> Result<(), StorageError> {
        let (state, published_until) = columns(key.state);
        let query = self
            .sql(
                "INSERT INTO signing_keys (tenant_id, kid, state, published_until, sealed_private_key, modulus,
                     exponent, created_at, current_since, current_until, revoked_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
                 ON CONFLICT (tenant_id, kid) DO UPDATE SET state = excluded.state,
                     published_until = excluded.published_until, sealed_private_key = excluded.sealed_private_key,
                     modulus = excluded.modulus, exponent = excluded.exponent, created_at = excluded.created_at,
                     current_since = excluded.current_since, current_until = excluded.current_until,
                     revoked_at = excluded.revoked_at",
            )
            .bind(key.kid.as_str())
            .bind(state)
            .bind(ms(published_until))
            .bind(key.sealed_private_key.as_str())
            .bind(key.modulus.as_str())
            .bind(key.exponent.as_str())
            .bind(key.created_at.as_ms())
            .bind(ms(key.current_since))
            .bind(ms(key.current_until))
            .bind(ms(key.revoked_at));
        self.write(query)
    }

    /// Removes the key.
    pub async fn delete_signing_key(&mut self, kid: &str) -> Result<(), StorageError> {
        let query = self.sql("DELETE FROM signing_keys WHERE tenant_id = $1 AND kid = $2").bind(kid);
        self.write(query)
    }
}

fn columns(state: SigningKeyState) -> (&'static str, Option<Timestamp>) {
    match state {
        SigningKeyState::Next => ("next", None),
        SigningKeyState::Current => ("current", None),
        SigningKeyState::Previous { published_until } => ("previous", Some(published_until)),
    }
}

fn signing_key(row: &Record) -> Result<SigningKey, StorageError> {
    let state = match (row.text("state")?.as_str(), row.opt_time("published_until")?) {
        ("next", None) => SigningKeyState::Next,
        ("current", None) => SigningKeyState::Current,
        ("previous", Some(published_until)) => SigningKeyState::Previous { published_until },
        (other, end) => return Err(row.wrong("state", format!("{other:?} with published_until {end:?}"))),
    };
    Ok(SigningKey {
        kid: row.text("kid")?,
        state,
        sealed_private_key: row.text("sealed_private_key")?,
        modulus: row.text("modulus")?,
        exponent: row.text("exponent")?,
        created_at: row.time("created_at")?,
        current_since: row.opt_time("current_since")?,
        current_until: row.opt_time("current_until")?,
        revoked_at: row.opt_time("revoked_at")?,
    })
}
