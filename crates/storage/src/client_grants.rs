//! What clients may have for APIs, by themselves and for users, and in the name of which organizations.

use std::borrow::Cow;
use std::fmt::Write;

use model::{ClientGrant, ClientId, DefaultFor, ManagedClientGrant, OrganizationId, SubjectType};

use crate::row::{Record, to_json};
use crate::statement::Statement;
use crate::{StorageError, TenantTx};

/// Which client grants. Without anything: all.
#[derive(Debug, Clone, Copy, Default)]
pub struct ClientGrantFilter<'a> {
    /// Of this client.
    pub client: Option<&'a ClientId>,
    /// For this API.
    pub audience: Option<&'a str>,
    /// For clients themselves, or for users.
    pub subject_type: Option<SubjectType>,
    /// Those that count for any organization, or those that do not.
    pub allow_any_organization: Option<bool>,
    /// The default of these clients.
    pub default_for: Option<DefaultFor>,
}

/// What stands in the column `client_id` of a grant that is the default of all third parties' clients: no client has it.
const NO_CLIENT: &str = "";

macro_rules! columns {
    () => {
        "client_id, audience, api, scope, id, profile"
    };
}

/// The API. The column `audience` is the API's identifier in grants for clients themselves alone: see the migration.
macro_rules! api {
    () => {
        "COALESCE(api, audience)"
    };
}

impl ClientGrantFilter<'_> {
    /// The list of `what` of the grants that are filtered for. It ends with a condition.
    fn select(&self, what: &str, statement: &mut Statement) -> String {
        let mut sql = format!("SELECT {what} FROM client_grants WHERE tenant_id = $1");
        let default = self.default_for.map(|DefaultFor::ThirdPartyClients| NO_CLIENT);
        let client = self.client.map(ClientId::as_str);
        // Of a client and an API, the client has the fewer grants.
        let api = if client.or(default).is_some() { concat!(api!(), " || ''") } else { api!() };
        for (column, value) in [("client_id", client), ("client_id", default), (api, self.audience)] {
            if let Some(value) = value {
                let _ = write!(sql, " AND {column} = {}", statement.push(value.into()));
            }
        }
        match self.subject_type {
            None => {}
            Some(SubjectType::Client) => sql += " AND api IS NULL",
            Some(SubjectType::User) => sql += " AND api IS NOT NULL",
        }
        if let Some(any) = self.allow_any_organization {
            let _ = write!(sql, " AND any_organization = {}", statement.push(i64::from(any).into()));
        }
        sql
    }

    /// What they are in the order of. A client has a grant or two for an API, a few in all: they are found by the client and
    /// sorted then. SQLite would go through all of the tenant's in their order if it could.
    fn place(&self) -> &'static str {
        if self.client.is_some() || self.default_for.is_some() { "id || ''" } else { "id" }
    }
}

/// What stands in the column `audience`. No identifier of an API has a space.
fn key(audience: &str, subject_type: SubjectType) -> Cow<'_, str> {
    match subject_type {
        SubjectType::Client => audience.into(),
        SubjectType::User => format!("{audience} user").into(),
    }
}

impl TenantTx {
    /// What the client may have for the API: by itself, or for users. `None`: the default of third parties' clients.
    pub async fn client_grant(
        &mut self,
        client: Option<&ClientId>,
        audience: &str,
        subject_type: SubjectType,
    ) -> Result<Option<ManagedClientGrant>, StorageError> {
        let query = self
            .sql(concat!(
                "SELECT ",
                columns!(),
                " FROM client_grants WHERE tenant_id = $1 AND client_id = $2 AND audience = $3"
            ))
            .bind(client.map_or(NO_CLIENT, ClientId::as_str))
            .bind(key(audience, subject_type).as_ref());
        self.row("client_grants", "client_id", query).await?.as_ref().map(client_grant).transpose()
    }

    /// Makes the grant, or replaces it and leaves it its id.
    pub async fn put_client_grant(&mut self, managed: &ManagedClientGrant) -> Result<(), StorageError> {
        let (grant, profile) = (&managed.grant, &managed.profile);
        let api = match managed.subject_type() {
            SubjectType::Client => None,
            SubjectType::User => Some(grant.audience.clone()),
        };
        let query = self
            .sql(
                "INSERT INTO client_grants (tenant_id, client_id, audience, api, scope, id, profile, any_organization)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                 ON CONFLICT (tenant_id, client_id, audience) DO UPDATE SET scope = excluded.scope,
                     id = COALESCE(client_grants.id, excluded.id), profile = excluded.profile,
                     any_organization = excluded.any_organization",
            )
            .bind(grant.client_id.as_ref().map_or(NO_CLIENT, ClientId::as_str))
            .bind(key(&grant.audience, managed.subject_type()).as_ref())
            .bind(api)
            .bind(to_json(&grant.scope)?)
            .bind(managed.id.as_str())
            .bind(to_json(profile)?)
            .bind(i64::from(profile.allow_any_organization == Some(true)));
        self.write(query)
    }

    /// The client grant of that id.
    pub async fn client_grant_by_id(&mut self, id: &str) -> Result<Option<ManagedClientGrant>, StorageError> {
        let query = self
            .sql(concat!("SELECT ", columns!(), " FROM client_grants WHERE tenant_id = $1 AND id = $2"))
            .bind(id);
        self.row("client_grants", "client_id", query).await?.as_ref().map(client_grant).transpose()
    }

    /// Client grants by id, which is in the order in which they were made: at most `limit` after the one of the id `after`,
    /// which need not be there any more, and without the first `offset` of those.
    pub async fn client_grants(
        &mut self,
        filter: ClientGrantFilter<'_>,
        after: Option<&str>,
        offset: i64,
        limit: i64,
    ) -> Result<Vec<ManagedClientGrant>, StorageError> {
        let statement = self.client_grants_statement(filter, after, offset, limit);
        self.rows("client_grants", "client_id", statement).await?.iter().map(client_grant).collect()
    }

    fn client_grants_statement(
        &self,
        filter: ClientGrantFilter<'_>,
        after: Option<&str>,
        offset: i64,
        limit: i64,
    ) -> Statement {
        let mut statement = self.sql_of_parts();
        let mut sql = filter.select(columns!(), &mut statement);
        if let Some(after) = after {
            let _ = write!(sql, " AND {} > {}", filter.place(), statement.push(after.into()));
        }
        let (limit, offset) = (statement.push(limit.max(0).into()), statement.push(offset.max(0).into()));
        let _ = write!(sql, " ORDER BY {} LIMIT {limit} OFFSET {offset}", filter.place());
        statement.sql = sql.into();
        statement
    }

    /// SQLite's plan for a list of client grants.
    #[cfg(test)]
    pub(crate) async fn explain_client_grants(
        &mut self,
        filter: ClientGrantFilter<'_>,
        after: Option<&str>,
    ) -> Vec<String> {
        let mut statement = self.client_grants_statement(filter, after, 0, 10);
        statement.sql = format!("EXPLAIN QUERY PLAN {}", statement.sql).into();
        let steps = self.rows("client_grants", "detail", statement).await.unwrap();
        steps.iter().map(|step| step.text("detail").unwrap()).collect()
    }

    /// How many client grants there are.
    pub async fn count_client_grants(&mut self, filter: ClientGrantFilter<'_>) -> Result<i64, StorageError> {
        let mut statement = self.sql_of_parts();
        statement.sql = filter.select("COUNT(*) AS found", &mut statement).into();
        self.count(statement).await
    }

    /// Removes the client grant. `false`: there is none.
    pub async fn delete_client_grant(&mut self, id: &str) -> Result<bool, StorageError> {
        self.forget_organizations_of(id)?;
        let query = self.sql("DELETE FROM client_grants WHERE tenant_id = $1 AND id = $2").bind(id);
        Ok(self.run(query).await? > 0)
    }

    /// Removes all client grants for the API.
    pub(crate) async fn delete_client_grants_for(&mut self, identifier: &str) -> Result<(), StorageError> {
        let filter = ClientGrantFilter { audience: Some(identifier), ..ClientGrantFilter::default() };
        for grant in self.client_grants(filter, None, 0, i64::MAX).await? {
            self.forget_organizations_of(&grant.id)?;
        }
        let query = self
            .sql(concat!("DELETE FROM client_grants WHERE tenant_id = $1 AND ", api!(), " = $2"))
            .bind(identifier);
        self.write(query)
    }

    /// Removes all client grants of the client.
    pub(crate) async fn delete_client_grants_of(&mut self, client: &ClientId) -> Result<(), StorageError> {
        let filter = ClientGrantFilter { client: Some(client), ..ClientGrantFilter::default() };
        for grant in self.client_grants(filter, None, 0, i64::MAX).await? {
            self.forget_organizations_of(&grant.id)?;
        }
        let query = self
            .sql("DELETE FROM client_grants WHERE tenant_id = $1 AND client_id = $2")
            .bind(client.as_str());
        self.write(query)
    }

    fn forget_organizations_of(&mut self, grant: &str) -> Result<(), StorageError> {
        let query = self
            .sql("DELETE FROM organization_client_grants WHERE tenant_id = $1 AND grant_id = $2")
            .bind(grant);
        self.write(query)
    }

    /// Lets the grant count in the name of the organization. `false`: it did before.
    pub async fn add_organization_client_grant(
        &mut self,
        organization: &OrganizationId,
        grant: &str,
    ) -> Result<bool, StorageError> {
        let query = self
            .sql(
                "INSERT INTO organization_client_grants (tenant_id, organization_id, grant_id) VALUES ($1, $2, $3)
                 ON CONFLICT (tenant_id, organization_id, grant_id) DO NOTHING",
            )
            .bind(organization.as_str())
            .bind(grant);
        Ok(self.run(query).await? > 0)
    }

    /// Whether the grant counts in the name of the organization.
    pub async fn has_organization_client_grant(
        &mut self,
        organization: &OrganizationId,
        grant: &str,
    ) -> Result<bool, StorageError> {
        let query = self
            .sql(
                "SELECT grant_id FROM organization_client_grants
                 WHERE tenant_id = $1 AND organization_id = $2 AND grant_id = $3",
            )
            .bind(organization.as_str())
            .bind(grant);
        Ok(self.row("organization_client_grants", "grant_id", query).await?.is_some())
    }

    /// The grants that count in the name of the organization, in the order in which they were made.
    pub async fn organization_client_grants(
        &mut self,
        organization: &OrganizationId,
    ) -> Result<Vec<ManagedClientGrant>, StorageError> {
        let query = self
            .sql(
                "SELECT g.client_id AS client_id, g.audience AS audience, g.api AS api, g.scope AS scope, g.id AS id,
                     g.profile AS profile
                 FROM organization_client_grants o
                 JOIN client_grants g ON g.tenant_id = o.tenant_id AND g.id = o.grant_id
                 WHERE o.tenant_id = $1 AND o.organization_id = $2 ORDER BY o.grant_id",
            )
            .bind(organization.as_str());
        self.rows("client_grants", "client_id", query).await?.iter().map(client_grant).collect()
    }

    /// The grant does not count in the name of the organization any more. `false`: it did not before.
    pub async fn remove_organization_client_grant(
        &mut self,
        organization: &OrganizationId,
        grant: &str,
    ) -> Result<bool, StorageError> {
        let query = self
            .sql(
                "DELETE FROM organization_client_grants
                 WHERE tenant_id = $1 AND organization_id = $2 AND grant_id = $3",
            )
            .bind(organization.as_str())
            .bind(grant);
        Ok(self.run(query).await? > 0)
    }
}

fn client_grant(row: &Record) -> Result<ManagedClientGrant, StorageError> {
    let audience = match row.opt_text("api")? {
        Some(api) => api,
        None => row.text("audience")?,
    };
    Ok(ManagedClientGrant {
        id: row.opt_text("id")?.unwrap_or_default(),
        grant: ClientGrant {
            client_id: Some(row.text("client_id")?).filter(|id| id != NO_CLIENT).map(ClientId::new),
            audience,
            scope: row.json("scope")?,
        },
        profile: row.json("profile")?,
    })
}
