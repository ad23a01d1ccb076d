//! Devices that wait for their user, by the hash of their device code.

use model::{ClientId, DeviceCode, DeviceDecision, Timestamp};

use crate::row::{Record, to_json};
use crate::{StorageError, TenantTx};

impl TenantTx {
    /// Stores a device code; `false` when its user code is taken.
    pub async fn insert_device_code(
        &mut self,
        hash: &str,
        user_code_hash: &str,
        code: &DeviceCode,
    ) -> Result<bool, StorageError> {
        let query = self
            .sql(
                "INSERT INTO device_codes (tenant_id, hash, user_code_hash, client_id, request, created_at,
                     expires_at, next_poll_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $6)
                 ON CONFLICT DO NOTHING",
            )
            .bind(hash)
            .bind(user_code_hash)
            .bind(code.request.client_id.as_str())
            .bind(to_json(&code.request)?)
            .bind(code.created_at.as_ms())
            .bind(code.expires_at.as_ms());
        Ok(self.run(query).await? > 0)
    }

    /// The device of that user code, while nobody has decided about it and it has not expired.
    pub async fn waiting_device(
        &mut self,
        user_code_hash: &str,
        now: Timestamp,
    ) -> Result<Option<DeviceCode>, StorageError> {
        let query = self
            .sql(
                "SELECT hash, request, created_at, expires_at, approved_at, denied_reason FROM device_codes
                 WHERE tenant_id = $1 AND user_code_hash = $2
                     AND approved_at IS NULL AND denied_at IS NULL AND expires_at > $3",
            )
            .bind(user_code_hash)
            .bind(now.as_ms());
        self.row("device_codes", "hash", query).await?.as_ref().map(device_code).transpose()
    }

    /// One poll of the device's client: `None` for a code that is not this client's, and for a poll before its time.
    /// The next one may come at `next`.
    pub async fn poll_device_code(
        &mut self,
        hash: &str,
        client: &ClientId,
        now: Timestamp,
        next: Timestamp,
    ) -> Result<Option<DeviceCode>, StorageError> {
        let query = self
            .sql(
                "UPDATE device_codes SET next_poll_at = $5
                 WHERE tenant_id = $1 AND hash = $2 AND client_id = $3 AND next_poll_at <= $4
                 RETURNING hash, request, created_at, expires_at, approved_at, denied_reason",
            )
            .bind(hash)
            .bind(client.as_str())
            .bind(now.as_ms())
            .bind(next.as_ms());
        self.row("device_codes", "hash", query).await?.as_ref().map(device_code).transpose()
    }

    /// Whether the code is this client's.
    pub async fn has_device_code(&mut self, hash: &str, client: &ClientId) -> Result<bool, StorageError> {
        let query = self
            .sql("SELECT hash FROM device_codes WHERE tenant_id = $1 AND hash = $2 AND client_id = $3")
            .bind(hash)
            .bind(client.as_str());
        Ok(self.row("device_codes", "hash", query).await?.is_some())
    }

    /// The user lets the device in: one caller may, once, while it waits. When the code expires.
    pub async fn approve_device_code(
        &mut self,
        hash: &str,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StorageError> {
        let query = self
            .sql(
                "UPDATE device_codes SET approved_at = $3
                 WHERE tenant_id = $1 AND hash = $2
                     AND approved_at IS NULL AND denied_at IS NULL AND expires_at > $3
                 RETURNING hash, expires_at",
            )
            .bind(hash)
            .bind(now.as_ms());
        self.row("device_codes", "hash", query).await?.map(|row| row.time("expires_at")).transpose()
    }

    /// The device is refused: `false` when it does not wait any more.
    pub async fn deny_device_code(
        &mut self,
        hash: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        let query = self
            .sql(
                "UPDATE device_codes SET denied_at = $4, denied_reason = $3
                 WHERE tenant_id = $1 AND hash = $2
                     AND approved_at IS NULL AND denied_at IS NULL AND expires_at > $4",
            )
            .bind(hash)
            .bind(reason.to_owned())
            .bind(now.as_ms());
        Ok(self.run(query).await? > 0)
    }

    /// Notes that the client was told of the expiry: `true` the first time.
    pub async fn tell_device_expiry(&mut self, hash: &str, now: Timestamp) -> Result<bool, StorageError> {
        let query = self
            .sql(
                "UPDATE device_codes SET expiry_told_at = $3
                 WHERE tenant_id = $1 AND hash = $2 AND expiry_told_at IS NULL",
            )
            .bind(hash)
            .bind(now.as_ms());
        Ok(self.run(query).await? > 0)
    }
}

fn device_code(row: &Record) -> Result<DeviceCode, StorageError> {
    let decision = match (row.opt_time("approved_at")?, row.opt_text("denied_reason")?) {
        (Some(_), _) => DeviceDecision::Approved,
        (None, Some(reason)) => DeviceDecision::Denied { reason },
        (None, None) => DeviceDecision::Pending,
    };
    Ok(DeviceCode {
        request: row.json("request")?,
        decision,
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
    })
}
