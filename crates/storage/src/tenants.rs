use model::{Tenant, TenantId, TenantProfile};

use crate::row::{Record, Row, to_json};
use crate::statement::Statement;
use crate::{Storage, StorageError, TenantTx};

impl Storage {
    /// All tenants, by id.
    pub async fn tenants(&self) -> Result<Vec<Tenant>, StorageError> {
        let sql =
            "SELECT id, friendly_name, default_audience, allowed_logout_urls, sessions, flags, created_at,
                 settings_version FROM tenants ORDER BY id";
        let rows = self.read(Statement::new(sql)).await?;
        rows.into_iter().map(|row| tenant(&Record { table: "tenants", id_column: "id", row })).collect()
    }

    /// The tenant of that name.
    pub async fn tenant(&self, id: &TenantId) -> Result<Option<Tenant>, StorageError> {
        first_tenant(self.read(tenant_of(id)).await?)
    }

    /// Makes the tenant, or replaces its settings. When it was made stays; `settings_version` is the database's.
    pub async fn put_tenant(&self, tenant: &Tenant) -> Result<(), StorageError> {
        let query = Statement::new(
            "INSERT INTO tenants (id, friendly_name, default_audience, allowed_logout_urls, sessions, flags, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (id) DO UPDATE SET friendly_name = excluded.friendly_name,
                 default_audience = excluded.default_audience,
                 allowed_logout_urls = excluded.allowed_logout_urls, sessions = excluded.sessions,
                 flags = excluded.flags",
        )
        .bind(tenant.id.as_str())
        .bind(tenant.friendly_name.as_str())
        .bind(tenant.default_audience.clone())
        .bind(to_json(&tenant.allowed_logout_urls)?)
        .bind(to_json(&tenant.sessions)?)
        .bind(to_json(&tenant.flags)?)
        .bind(tenant.created_at.as_ms());
        self.write(&query).await.map(drop)
    }
}

impl TenantTx {
    /// The tenant, with its settings that have no effect.
    pub async fn tenant(&mut self) -> Result<Option<(Tenant, TenantProfile)>, StorageError> {
        let query = self.sql(
            "SELECT id, friendly_name, default_audience, allowed_logout_urls, sessions, flags, created_at,
                 settings_version, profile FROM tenants WHERE id = $1",
        );
        let Some(row) = self.row("tenants", "id", query).await? else { return Ok(None) };
        Ok(Some((tenant(&row)?, row.json("profile")?)))
    }

    /// Replaces the settings of the tenant, which is there, and those that have no effect.
    pub async fn put_tenant(&mut self, tenant: &Tenant, profile: &TenantProfile) -> Result<(), StorageError> {
        let query = self
            .sql(
                "UPDATE tenants SET friendly_name = $2, default_audience = $3, allowed_logout_urls = $4,
                     sessions = $5, flags = $6, profile = $7 WHERE id = $1",
            )
            .bind(tenant.friendly_name.as_str())
            .bind(tenant.default_audience.clone())
            .bind(to_json(&tenant.allowed_logout_urls)?)
            .bind(to_json(&tenant.sessions)?)
            .bind(to_json(&tenant.flags)?)
            .bind(to_json(profile)?);
        self.write(query)
    }
}

/// The statement that finds the tenant of that name.
pub(crate) fn tenant_of(id: &TenantId) -> Statement {
    let sql = "SELECT id, friendly_name, default_audience, allowed_logout_urls, sessions, flags, created_at,
             settings_version FROM tenants WHERE id = $1";
    Statement::new(sql).bind(id.as_str())
}

/// What [`tenant_of`] has found.
pub(crate) fn first_tenant(rows: Vec<Row>) -> Result<Option<Tenant>, StorageError> {
    let row = rows.into_iter().next();
    row.map(|row| tenant(&Record { table: "tenants", id_column: "id", row })).transpose()
}

fn tenant(row: &Record) -> Result<Tenant, StorageError> {
    Ok(Tenant {
        id: TenantId::new(row.text("id")?),
        friendly_name: row.text("friendly_name")?,
        default_audience: row.opt_text("default_audience")?,
        allowed_logout_urls: row.json("allowed_logout_urls")?,
        sessions: row.json("sessions")?,
        flags: row.json("flags")?,
        created_at: row.time("created_at")?,
        settings_version: row.int("settings_version")?,
    })
}
