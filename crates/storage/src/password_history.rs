//! Hashes of the passwords that users had before the one that they have, where their connection remembers them.

use model::UserId;

use crate::{StorageError, TenantTx};

impl TenantTx {
    /// The hashes of the user's last passwords but the one that they have, newest first, at most so many.
    pub async fn passwords_before(&mut self, user: &UserId, limit: i64) -> Result<Vec<String>, StorageError> {
        let query = self
            .sql(
                "SELECT number, password_hash FROM password_history WHERE tenant_id = $1 AND user_id = $2
                 ORDER BY number DESC LIMIT $3",
            )
            .bind(user.as_str())
            .bind(limit);
        let rows = self.rows("password_history", "number", query).await?;
        rows.iter().map(|row| row.text("password_hash")).collect()
    }

    /// Adds the hash of a password that the user has no more, and removes all but the last `size`. The user must be locked.
    pub async fn remember_password(
        &mut self,
        user: &UserId,
        hash: &str,
        size: i64,
    ) -> Result<(), StorageError> {
        let last = self
            .sql(
                "SELECT number FROM password_history WHERE tenant_id = $1 AND user_id = $2
                 ORDER BY number DESC LIMIT 1",
            )
            .bind(user.as_str());
        let last = self.row("password_history", "number", last).await?;
        let number = last.map_or(Ok(0), |row| row.int("number"))? + 1;
        let query = self
            .sql(
                "INSERT INTO password_history (tenant_id, user_id, number, password_hash)
                 VALUES ($1, $2, $3, $4)",
            )
            .bind(user.as_str())
            .bind(number)
            .bind(hash);
        self.write(query)?;
        let query = self
            .sql("DELETE FROM password_history WHERE tenant_id = $1 AND user_id = $2 AND number <= $3")
            .bind(user.as_str())
            .bind(number - size);
        self.write(query)
    }

    /// Removes all of them.
    pub async fn forget_passwords(&mut self, user: &UserId) -> Result<(), StorageError> {
        let query = self
            .sql("DELETE FROM password_history WHERE tenant_id = $1 AND user_id = $2")
            .bind(user.as_str());
        self.write(query)
    }
}
