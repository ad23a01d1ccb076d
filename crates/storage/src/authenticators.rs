//! Second factors of users: one row for each user and kind.

use model::{Authenticator, AuthenticatorId, FactorType, Timestamp, UserId};

use crate::row::{Record, ms};
use crate::{StorageError, TenantTx};

impl TenantTx {
    /// The user's factors, also those that are not confirmed.
    pub async fn authenticators_of(&mut self, user: &UserId) -> Result<Vec<Authenticator>, StorageError> {
        let query = self
            .sql(
                "SELECT id, user_id, factor, sealed_secret, begun_by, created_at, confirmed_at, last_used_at
                 FROM authenticators WHERE tenant_id = $1 AND user_id = $2 ORDER BY factor",
            )
            .bind(user.as_str());
        self.rows("authenticators", "id", query).await?.iter().map(authenticator).collect()
    }

    /// Stores a factor in place of one of its kind that is not confirmed. `false`: the user has confirmed one.
    pub async fn begin_authenticator(
        &mut self,
        new: &Authenticator,
        code_hash: Option<&str>,
    ) -> Result<bool, StorageError> {
        let query = self
            .sql(
                "INSERT INTO authenticators (tenant_id, id, user_id, factor, sealed_secret, code_hash, begun_by,
                     created_at, confirmed_at, last_step) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0)
                 ON CONFLICT (tenant_id, user_id, factor) DO UPDATE SET id = excluded.id,
                     sealed_secret = excluded.sealed_secret, code_hash = excluded.code_hash,
                     begun_by = excluded.begun_by, created_at = excluded.created_at,
                     confirmed_at = excluded.confirmed_at, last_used_at = NULL, last_step = 0
                 WHERE authenticators.confirmed_at IS NULL",
            )
            .bind(new.id.as_str())
            .bind(new.user_id.as_str())
            .bind(new.factor.as_str())
            .bind(new.sealed_secret.clone())
            .bind(code_hash.map(str::to_owned))
            .bind(new.begun_by.as_str())
            .bind(new.created_at.as_ms())
            .bind(ms(new.confirmed_at));
        Ok(self.run(query).await? > 0)
    }

    /// Makes a factor count that was begun in this login, its code of that time step being used. `false`: there is none.
    pub async fn confirm_authenticator(
        &mut self,
        user: &UserId,
        factor: FactorType,
        begun_by: &str,
        step: i64,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        let query = self
            .sql(
                "UPDATE authenticators SET confirmed_at = $6, last_used_at = $6, last_step = $5
                 WHERE tenant_id = $1 AND user_id = $2 AND factor = $3 AND begun_by = $4 AND confirmed_at IS NULL",
            )
            .bind(user.as_str())
            .bind(factor.as_str())
            .bind(begun_by)
            .bind(step)
            .bind(now.as_ms());
        Ok(self.run(query).await? > 0)
    }

    /// Spends the code of a time step and those of all before (RFC 6238 §5.2): `true` for one caller.
    pub async fn spend_otp_step(
        &mut self,
        user: &UserId,
        step: i64,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        let query = self
            .sql(
                "UPDATE authenticators SET last_step = $3, last_used_at = $4
                 WHERE tenant_id = $1 AND user_id = $2 AND factor = 'otp' AND confirmed_at IS NOT NULL
                     AND last_step < $3",
            )
            .bind(user.as_str())
            .bind(step)
            .bind(now.as_ms());
        Ok(self.run(query).await? > 0)
    }

    /// Spends the user's recovery code, and puts the next one in its place: `true` for one caller.
    pub async fn spend_recovery_code(
        &mut self,
        user: &UserId,
        hash: &str,
        next_hash: &str,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        let query = self
            .sql(
                "UPDATE authenticators SET code_hash = $4, last_used_at = $5
                 WHERE tenant_id = $1 AND user_id = $2 AND factor = 'recovery-code' AND confirmed_at IS NOT NULL
                     AND code_hash = $3",
            )
            .bind(user.as_str())
            .bind(hash)
            .bind(next_hash)
            .bind(now.as_ms());
        Ok(self.run(query).await? > 0)
    }

    /// Removes a factor of the user. `false`: there is none of that kind.
    pub async fn delete_authenticator(
        &mut self,
        user: &UserId,
        factor: FactorType,
    ) -> Result<bool, StorageError> {
        let query = self
            .sql("DELETE FROM authenticators WHERE tenant_id = $1 AND user_id = $2 AND factor = $3")
            .bind(user.as_str())
            .bind(factor.as_str());
        Ok(self.run(query).await? > 0)
    }
}

fn authenticator(row: &Record) -> Result<Authenticator, StorageError> {
    let factor = row.text("factor")?;
    Ok(Authenticator {
        id: AuthenticatorId::new(row.text("id")?),
        user_id: UserId::new(row.text("user_id")?),
        factor: FactorType::named(&factor)
            .ok_or_else(|| row.wrong("factor", format!("{factor:?} is no factor")))?,
        sealed_secret: row.opt_text("sealed_secret")?,
        begun_by: row.text("begun_by")?,
        created_at: row.time("created_at")?,
        confirmed_at: row.opt_time("confirmed_at")?,
        last_used_at: row.opt_time("last_used_at")?,
    })
}
