//! Clients as their people see them: with the settings that have no effect, in pages.

use model::{ClientId, ClientProfile, ManagedClient, Timestamp};

use crate::row::{Record, to_json};
use crate::statement::Statement;
use crate::{StorageError, TenantTx};

/// Which clients. Without anything: all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientFilter {
    /// Of one of these types, as the Management API writes them.
    pub app_types: Vec<String>,
    /// Whose `is_first_party` is this.
    pub is_first_party: Option<bool>,
    /// Whose name has this in it; lower-case letters of ASCII are as good as capitals.
    pub name_part: Option<String>,
}

/// Whether the row is one of those that are filtered for. `$a` to `$c` are bound by [`ClientFilter::bind`].
macro_rules! fits {
    ($app_types:literal, $is_first_party:literal, $name_part:literal) => {
        concat!(
            "COALESCE(",
            $app_types,
            ", ' ' || app_type || ' ') LIKE '% ' || app_type || ' %'
             AND is_first_party = COALESCE(",
            $is_first_party,
            ", is_first_party)
             AND LOWER(name) LIKE COALESCE(",
            $name_part,
            ", '%') ESCAPE '\\'"
        )
    };
}

impl ClientFilter {
    fn bind(&self, query: Statement) -> Statement {
        let types = (!self.app_types.is_empty()).then(|| format!(" {} ", self.app_types.join(" ")));
        query
            .bind(types)
            .bind(self.is_first_party.map(i64::from))
            .bind(self.name_part.as_deref().map(containing))
    }
}

/// The pattern of `LIKE` for whatever has this text in it.
pub(crate) fn containing(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.to_ascii_lowercase().chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

impl TenantTx {
    /// The client of that id, with what has no effect.
    pub async fn managed_client(&mut self, id: &ClientId) -> Result<Option<ManagedClient>, StorageError> {
        let query = self
            .sql(
                "SELECT id, data, profile, created_at, updated_at FROM clients WHERE tenant_id = $1 AND id = $2",
            )
            .bind(id.as_str());
        self.row("clients", "id", query).await?.as_ref().map(managed_client).transpose()
    }

    /// Clients in the order in which they were made: at most `limit`, without the first `offset`.
    pub async fn managed_clients(
        &mut self,
        filter: &ClientFilter,
        offset: i64,
        limit: i64,
    ) -> Result<Vec<ManagedClient>, StorageError> {
        let query = self
            .sql(concat!(
                "SELECT id, data, profile, created_at, updated_at FROM clients WHERE tenant_id = $1 AND ",
                fits!("$4", "$5", "$6"),
                " ORDER BY created_at, id LIMIT $2 OFFSET $3"
            ))
            .bind(limit)
            .bind(offset);
        let rows = self.rows("clients", "id", filter.bind(query)).await?;
        rows.iter().map(managed_client).collect()
    }

    /// The same after the client of that moment and id, which need not be there any more.
    pub async fn managed_clients_after(
        &mut self,
        filter: &ClientFilter,
        after: (Timestamp, &ClientId),
        limit: i64,
    ) -> Result<Vec<ManagedClient>, StorageError> {
        let query = self
            .sql(concat!(
                "SELECT id, data, profile, created_at, updated_at FROM clients
                 WHERE tenant_id = $1 AND (created_at, id) > ($3, $4) AND ",
                fits!("$5", "$6", "$7"),
                " ORDER BY created_at, id LIMIT $2"
            ))
            .bind(limit)
            .bind(after.0.as_ms())
            .bind(after.1.as_str());
        let rows = self.rows("clients", "id", filter.bind(query)).await?;
        rows.iter().map(managed_client).collect()
    }

    /// How many clients there are.
    pub async fn count_clients(&mut self, filter: &ClientFilter) -> Result<i64, StorageError> {
        let query = self.sql(concat!(
            "SELECT COUNT(*) AS clients FROM clients WHERE tenant_id = $1 AND ",
            fits!("$2", "$3", "$4")
        ));
        let row = self.row("clients", "clients", filter.bind(query)).await?;
        row.ok_or(StorageError::NoRow)?.int("clients")
    }

    /// Gives the client, which is there, the settings that have no effect. It was made now, if that is not known.
    pub async fn put_client_profile(
        &mut self,
        id: &ClientId,
        profile: &ClientProfile,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let query = self
            .sql(
                "UPDATE clients SET profile = $3, updated_at = $4,
                     created_at = CASE WHEN created_at = 0 THEN $4 ELSE created_at END
                 WHERE tenant_id = $1 AND id = $2",
            )
            .bind(id.as_str())
            .bind(to_json(profile)?)
            .bind(now.as_ms());
        self.write(query)
    }

    /// Removes the client with what it may have for APIs and what users have agreed to. `false`: there is none. Its refresh tokens are revoked before:
    /// what comes from them is ended as the client's settings say.
    pub async fn delete_client(&mut self, id: &ClientId) -> Result<bool, StorageError> {
        self.delete_client_grants_of(id).await?;
        let consents =
            self.sql("DELETE FROM consents WHERE tenant_id = $1 AND client_id = $2").bind(id.as_str());
        self.write(consents)?;
        let query = self.sql("DELETE FROM clients WHERE tenant_id = $1 AND id = $2").bind(id.as_str());
        Ok(self.run(query).await? > 0)
    }
}

fn managed_client(row: &Record) -> Result<ManagedClient, StorageError> {
    Ok(ManagedClient {
        client: row.json("data")?,
        profile: row.json("profile")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}
