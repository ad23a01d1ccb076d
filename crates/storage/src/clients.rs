//! Clients and the APIs that they call.

use model::{Client, ClientId, OidcLogout, ResourceServer};

use crate::row::to_json;
use crate::{StorageError, TenantTx};

impl TenantTx {
    /// The client of that id.
    pub async fn client(&mut self, id: &ClientId) -> Result<Option<Client>, StorageError> {
        let query =
            self.sql("SELECT id, data FROM clients WHERE tenant_id = $1 AND id = $2").bind(id.as_str());
        self.row("clients", "id", query).await?.map(|row| row.json("data")).transpose()
    }

    /// All clients, by id.
    pub async fn clients(&mut self) -> Result<Vec<Client>, StorageError> {
        let query = self.sql("SELECT id, data FROM clients WHERE tenant_id = $1 ORDER BY id");
        self.rows("clients", "id", query).await?.iter().map(|row| row.json("data")).collect()
    }

    /// Makes the client, or replaces what of it has an effect.
    pub async fn put_client(&mut self, client: &Client) -> Result<(), StorageError> {
        let cascades =
            client.session_transfer.as_ref().is_none_or(|settings| settings.enforce_cascade_revocation);
        let query = self
            .sql(
                "INSERT INTO clients (tenant_id, id, data, cascades, resource_server_identifier,
                     backchannel_logout_initiators, name, app_type, is_first_party)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
                 ON CONFLICT (tenant_id, id) DO UPDATE SET data = excluded.data, cascades = excluded.cascades,
                     name = excluded.name, app_type = excluded.app_type,
                     resource_server_identifier = excluded.resource_server_identifier,
                     backchannel_logout_initiators = excluded.backchannel_logout_initiators,
                     is_first_party = excluded.is_first_party",
            )
            .bind(client.client_id.as_str())
            .bind(to_json(client)?)
            .bind(i64::from(cascades))
            .bind(client.resource_server_identifier.clone())
            .bind(client.oidc_logout.as_ref().and_then(initiators))
            .bind(client.name.as_str())
            .bind(client.app_type.as_str())
            .bind(i64::from(client.is_first_party));
        self.write(query)
    }

    /// The API of that audience.
    pub async fn resource_server(
        &mut self,
        identifier: &str,
    ) -> Result<Option<ResourceServer>, StorageError> {
        let query = self
            .sql("SELECT identifier, data FROM resource_servers WHERE tenant_id = $1 AND identifier = $2")
            .bind(identifier);
        self.row("resource_servers", "identifier", query).await?.map(|row| row.json("data")).transpose()
    }

    /// How many APIs there are.
    pub async fn count_resource_servers(&mut self) -> Result<i64, StorageError> {
        let query = self.sql("SELECT COUNT(*) AS total FROM resource_servers WHERE tenant_id = $1");
        let row = self.row("resource_servers", "total", query).await?.ok_or(StorageError::NoRow)?;
        row.int("total")
    }

    /// Whether a client is the back end of this API, and so introspects its access tokens.
    pub async fn has_introspecting_client(&mut self, identifier: &str) -> Result<bool, StorageError> {
        let query = self
            .sql("SELECT id FROM clients WHERE tenant_id = $1 AND resource_server_identifier = $2 LIMIT 1")
            .bind(identifier);
        Ok(self.row("clients", "id", query).await?.is_some())
    }

    /// Makes or replaces the API.
    pub async fn put_resource_server(&mut self, server: &ResourceServer) -> Result<(), StorageError> {
        let query = self
            .sql(
                "INSERT INTO resource_servers (tenant_id, identifier, data) VALUES ($1, $2, $3)
                 ON CONFLICT (tenant_id, identifier) DO UPDATE SET data = excluded.data",
            )
            .bind(server.identifier.as_str())
            .bind(to_json(server)?);
        self.write(query)
    }
}

/// With a space around each, so that one is found by `LIKE`.
fn initiators(settings: &OidcLogout) -> Option<String> {
    let names: Vec<_> = settings.initiators().iter().map(|initiator| initiator.as_str()).collect();
    (!names.is_empty()).then(|| format!(" {} ", names.join(" ")))
}
