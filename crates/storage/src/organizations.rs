//! Organizations, their members, and the roles that these have in them.

use model::{
    ConnectionId, Organization, OrganizationConnection, OrganizationId, Role, RoleId, Timestamp, User, UserId,
};

use crate::roles::{role_columns, roles};
use crate::row::to_json;
use crate::users::{user, user_columns};
use crate::{StorageError, TenantTx};

impl TenantTx {
    /// Makes or replaces the organization. A name that another one has is a conflict ([`StorageError::is_conflict`]).
    pub async fn put_organization(&mut self, organization: &Organization) -> Result<(), StorageError> {
        let query = self
            .sql(
                "INSERT INTO organizations (tenant_id, id, name, data) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (tenant_id, id) DO UPDATE SET name = excluded.name, data = excluded.data",
            )
            .bind(organization.id.as_str())
            .bind(organization.name.as_str())
            .bind(to_json(organization)?);
        self.run(query).await.map(drop)
    }

    /// The organization of that id.
    pub async fn organization(&mut self, id: &OrganizationId) -> Result<Option<Organization>, StorageError> {
        let query =
            self.sql("SELECT id, data FROM organizations WHERE tenant_id = $1 AND id = $2").bind(id.as_str());
        self.row("organizations", "id", query).await?.map(|row| row.json("data")).transpose()
    }

    /// The organization of that name.
    pub async fn organization_by_name(&mut self, name: &str) -> Result<Option<Organization>, StorageError> {
        let query =
            self.sql("SELECT id, data FROM organizations WHERE tenant_id = $1 AND name = $2").bind(name);
        self.row("organizations", "id", query).await?.map(|row| row.json("data")).transpose()
    }

    /// The organizations by name, from the one after `after` on.
    pub async fn organizations(
        &mut self,
        after: &str,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<Organization>, StorageError> {
        let query = self
            .sql(
                "SELECT id, data FROM organizations WHERE tenant_id = $1 AND name > $2 ORDER BY name LIMIT $3 OFFSET $4",
            )
            .bind(after)
            .bind(limit)
            .bind(offset);
        self.rows("organizations", "id", query).await?.iter().map(|row| row.json("data")).collect()
    }

    /// How many organizations there are.
    pub async fn count_organizations(&mut self) -> Result<i64, StorageError> {
        let query = self.sql("SELECT COUNT(*) AS found FROM organizations WHERE tenant_id = $1");
        self.count(query).await
    }

    /// The organizations that the user is a member of, in the order in which they became one.
    pub async fn organizations_of(
        &mut self,
        user: &UserId,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<Organization>, StorageError> {
        let query = self
            .sql(
                "SELECT o.id AS id, o.data AS data FROM organization_members m
                 JOIN organizations o ON o.tenant_id = m.tenant_id AND o.id = m.organization_id
                 WHERE m.tenant_id = $1 AND m.user_id = $2 ORDER BY m.created_at, m.organization_id
                 LIMIT $3 OFFSET $4",
            )
            .bind(user.as_str())
            .bind(limit)
            .bind(offset);
        self.rows("organizations", "id", query).await?.iter().map(|row| row.json("data")).collect()
    }

    /// How many organizations the user is a member of.
    pub async fn count_organizations_of(&mut self, user: &UserId) -> Result<i64, StorageError> {
        let query = self
            .sql("SELECT COUNT(*) AS found FROM organization_members WHERE tenant_id = $1 AND user_id = $2")
            .bind(user.as_str());
        self.count(query).await
    }

    /// The organization of that id, when the user is a member of it.
    pub async fn organization_of_member(
        &mut self,
        id: &OrganizationId,
        user: &UserId,
    ) -> Result<Option<Organization>, StorageError> {
        let query = self
            .sql(
                "SELECT o.id AS id, o.data AS data FROM organization_members m
                 JOIN organizations o ON o.tenant_id = m.tenant_id AND o.id = m.organization_id
                 WHERE m.tenant_id = $1 AND m.organization_id = $2 AND m.user_id = $3",
            )
            .bind(id.as_str())
            .bind(user.as_str());
        self.row("organizations", "id", query).await?.map(|row| row.json("data")).transpose()
    }

    /// Makes the user a member, since `now` when they are not one yet.
    pub async fn add_organization_member(
        &mut self,
        id: &OrganizationId,
        user: &UserId,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let query = self
            .sql(
                "INSERT INTO organization_members (tenant_id, organization_id, user_id, created_at)
                 VALUES ($1, $2, $3, $4) ON CONFLICT (tenant_id, organization_id, user_id) DO NOTHING",
            )
            .bind(id.as_str())
            .bind(user.as_str())
            .bind(now.as_ms());
        self.run(query).await.map(drop)
    }

    /// Removes the member with their roles in the organization. `false`: the user is none.
    pub async fn remove_organization_member(
        &mut self,
        id: &OrganizationId,
        user: &UserId,
    ) -> Result<bool, StorageError> {
        let roles = self
            .sql(
                "DELETE FROM organization_member_roles
                 WHERE tenant_id = $1 AND organization_id = $2 AND user_id = $3",
            )
            .bind(id.as_str())
            .bind(user.as_str());
        self.run(roles).await?;
        let query = self
            .sql(
                "DELETE FROM organization_members WHERE tenant_id = $1 AND organization_id = $2 AND user_id = $3",
            )
            .bind(id.as_str())
            .bind(user.as_str());
        Ok(self.run(query).await? > 0)
    }

    /// The members, by id, from the one after `after` on.
    pub async fn organization_members(
        &mut self,
        id: &OrganizationId,
        after: &str,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<User>, StorageError> {
        let query = self
            .sql(concat!(
                "SELECT ",
                user_columns!(),
                " FROM organization_members m JOIN users u ON u.tenant_id = m.tenant_id AND u.id = m.user_id
                 WHERE m.tenant_id = $1 AND m.organization_id = $2 AND m.user_id > $3
                 ORDER BY m.user_id LIMIT $4 OFFSET $5"
            ))
            .bind(id.as_str())
            .bind(after)
            .bind(limit)
            .bind(offset);
        self.rows("users", "u_id", query).await?.iter().map(user).collect()
    }

    /// How many members there are.
    pub async fn count_organization_members(&mut self, id: &OrganizationId) -> Result<i64, StorageError> {
        let query = self
            .sql(
                "SELECT COUNT(*) AS found FROM organization_members WHERE tenant_id = $1 AND organization_id = $2",
            )
            .bind(id.as_str());
        self.count(query).await
    }

    /// Gives the member a role in the organization. Harmless when they have it.
    pub async fn add_organization_role(
        &mut self,
        id: &OrganizationId,
        user: &UserId,
        role: &RoleId,
    ) -> Result<(), StorageError> {
        let query = self
            .sql(
                "INSERT INTO organization_member_roles (tenant_id, organization_id, user_id, role_id)
                 VALUES ($1, $2, $3, $4)
                 ON CONFLICT (tenant_id, organization_id, user_id, role_id) DO NOTHING",
            )
            .bind(id.as_str())
            .bind(user.as_str())
            .bind(role.as_str());
        self.run(query).await.map(drop)
    }

    /// Takes a role in the organization from the member. `false`: they have not got it.
    pub async fn remove_organization_role(
        &mut self,
        id: &OrganizationId,
        user: &UserId,
        role: &RoleId,
    ) -> Result<bool, StorageError> {
        let query = self
            .sql(
                "DELETE FROM organization_member_roles
                 WHERE tenant_id = $1 AND organization_id = $2 AND user_id = $3 AND role_id = $4",
            )
            .bind(id.as_str())
            .bind(user.as_str())
            .bind(role.as_str());
        Ok(self.run(query).await? > 0)
    }

    /// The member's roles in the organization, by name.
    pub async fn organization_roles_of(
        &mut self,
        id: &OrganizationId,
        user: &UserId,
    ) -> Result<Vec<Role>, StorageError> {
        let query = self
            .sql(concat!(
                "SELECT ",
                role_columns!(),
                " FROM organization_member_roles m
                 JOIN roles ON roles.tenant_id = m.tenant_id AND roles.id = m.role_id
                 WHERE m.tenant_id = $1 AND m.organization_id = $2 AND m.user_id = $3",
            ))
            .bind(id.as_str())
            .bind(user.as_str());
        roles(self.rows("roles", "id", query).await?)
    }

    /// Makes or replaces a connection of the organization.
    pub async fn put_organization_connection(
        &mut self,
        id: &OrganizationId,
        connection: &OrganizationConnection,
    ) -> Result<(), StorageError> {
        let query = self
            .sql(
                "INSERT INTO organization_connections (tenant_id, organization_id, connection_id, data)
                 VALUES ($1, $2, $3, $4)
                 ON CONFLICT (tenant_id, organization_id, connection_id) DO UPDATE SET data = excluded.data",
            )
            .bind(id.as_str())
            .bind(connection.connection_id.as_str())
            .bind(to_json(connection)?);
        self.run(query).await.map(drop)
    }

    /// The connections of the organization, by id.
    pub async fn organization_connections(
        &mut self,
        id: &OrganizationId,
    ) -> Result<Vec<OrganizationConnection>, StorageError> {
        let query = self
            .sql(
                "SELECT connection_id, data FROM organization_connections
                 WHERE tenant_id = $1 AND organization_id = $2 ORDER BY connection_id",
            )
            .bind(id.as_str());
        let rows = self.rows("organization_connections", "connection_id", query).await?;
        rows.iter().map(|row| row.json("data")).collect()
    }

    /// Takes a connection from the organization. `false`: it has not got it.
    pub async fn remove_organization_connection(
        &mut self,
        id: &OrganizationId,
        connection: &ConnectionId,
    ) -> Result<bool, StorageError> {
        let query = self
            .sql(
                "DELETE FROM organization_connections
                 WHERE tenant_id = $1 AND organization_id = $2 AND connection_id = $3",
            )
            .bind(id.as_str())
            .bind(connection.as_str());
        Ok(self.run(query).await? > 0)
    }

    /// Removes the organization with its members and groups. `false`: there is none.
    pub async fn delete_organization(&mut self, id: &OrganizationId) -> Result<bool, StorageError> {
        for sql in [
            "DELETE FROM organization_client_grants WHERE tenant_id = $1 AND organization_id = $2",
            "DELETE FROM organization_member_roles WHERE tenant_id = $1 AND organization_id = $2",
            "DELETE FROM organization_members WHERE tenant_id = $1 AND organization_id = $2",
            "DELETE FROM group_members WHERE tenant_id = $1 AND group_id IN
                 (SELECT id FROM user_groups WHERE tenant_id = $1 AND type = 'organization' AND scope_id = $2)",
            "DELETE FROM group_roles WHERE tenant_id = $1 AND group_id IN
                 (SELECT id FROM user_groups WHERE tenant_id = $1 AND type = 'organization' AND scope_id = $2)",
            "DELETE FROM user_groups WHERE tenant_id = $1 AND type = 'organization' AND scope_id = $2",
        ] {
            let query = self.sql(sql).bind(id.as_str());
            self.run(query).await?;
        }
        let query = self.sql("DELETE FROM organizations WHERE tenant_id = $1 AND id = $2").bind(id.as_str());
        Ok(self.run(query).await? > 0)
    }
}
