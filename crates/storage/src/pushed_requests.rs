//! Pushed authorization requests, by the hash of their `request_uri`.

use std::collections::BTreeMap;

use model::{ClientId, PushedAuthorizationRequest, Timestamp};

use crate::row::to_json;
use crate::{StorageError, TenantTx};

impl TenantTx {
    /// Stores a pushed request.
    pub async fn insert_pushed_request(
        &mut self,
        hash: &str,
        request: &PushedAuthorizationRequest,
    ) -> Result<(), StorageError> {
        let query = self
            .sql(
                "INSERT INTO pushed_authorization_requests (tenant_id, hash, client_id, parameters, created_at,
                     expires_at) VALUES ($1, $2, $3, $4, $5, $6)",
            )
            .bind(hash)
            .bind(request.client_id.as_str())
            .bind(to_json(&request.parameters)?)
            .bind(request.created_at.as_ms())
            .bind(request.expires_at.as_ms());
        self.write(query)
    }

    /// Takes the parameters that this client pushed: one caller gets them, once, before they expire. Another client's
    /// attempt spends nothing.
    pub async fn spend_pushed_request(
        &mut self,
        hash: &str,
        client: &ClientId,
        now: Timestamp,
    ) -> Result<Option<BTreeMap<String, String>>, StorageError> {
        let query = self
            .sql(
                "UPDATE pushed_authorization_requests SET used_at = $4
                 WHERE tenant_id = $1 AND hash = $2 AND client_id = $3 AND used_at IS NULL AND expires_at > $4
                 RETURNING hash, parameters",
            )
            .bind(hash)
            .bind(client.as_str())
            .bind(now.as_ms());
        let row = self.row("pushed_authorization_requests", "hash", query).await?;
        row.map(|row| row.json("parameters")).transpose()
    }
}
