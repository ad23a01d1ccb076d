//! What is known of users' earlier logins.

use model::{LoginHistory, UserId};

use crate::row::to_json;
use crate::{StorageError, TenantTx};

impl TenantTx {
    /// The user's history; `None`: no login was noted yet.
    pub async fn login_history(&mut self, user: &UserId) -> Result<Option<LoginHistory>, StorageError> {
        let query = self
            .sql("SELECT user_id, data FROM login_histories WHERE tenant_id = $1 AND user_id = $2")
            .bind(user.as_str());
        self.row("login_histories", "user_id", query).await?.map(|row| row.json("data")).transpose()
    }

    /// Stores the user's history in place of the one before; nothing when the user is gone.
    pub fn put_login_history(&mut self, user: &UserId, history: &LoginHistory) -> Result<(), StorageError> {
        let query = self
            .sql(
                "INSERT INTO login_histories (tenant_id, user_id, data)
                 SELECT tenant_id, id, $3 FROM users WHERE tenant_id = $1 AND id = $2
                 ON CONFLICT (tenant_id, user_id) DO UPDATE SET data = excluded.data",
            )
            .bind(user.as_str())
            .bind(to_json(history)?);
        self.write(query)
    }
}
