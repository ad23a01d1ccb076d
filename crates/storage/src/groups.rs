//! Groups, their members, and the roles that they give them.

use model::{Group, GroupId, GroupScope, Membership, Role, RoleId, Timestamp, UserId};

use crate::roles::{role_columns, roles};
use crate::row::to_json;
use crate::{StorageError, TenantTx};

impl TenantTx {
    /// Makes or replaces the group. A name that another group of its scope has is a conflict
    /// ([`StorageError::is_conflict`]).
    pub async fn put_group(&mut self, group: &Group) -> Result<(), StorageError> {
        let query = self
            .sql(
                "INSERT INTO user_groups (tenant_id, id, type, scope_id, name, data) VALUES ($1, $2, $3, $4, $5, $6)
                 ON CONFLICT (tenant_id, id) DO UPDATE SET type = excluded.type, scope_id = excluded.scope_id,
                     name = excluded.name, data = excluded.data",
            )
            .bind(group.id.as_str())
            .bind(group.scope.as_str())
            .bind(scope_id(&group.scope))
            .bind(group.name.as_str())
            .bind(to_json(group)?);
        self.run(query).await.map(drop)
    }

    /// The group of that id.
    pub async fn group(&mut self, id: &GroupId) -> Result<Option<Group>, StorageError> {
        let query =
            self.sql("SELECT id, data FROM user_groups WHERE tenant_id = $1 AND id = $2").bind(id.as_str());
        self.row("user_groups", "id", query).await?.map(|row| row.json("data")).transpose()
    }

    /// All groups, by id.
    pub async fn groups(&mut self) -> Result<Vec<Group>, StorageError> {
        let query = self.sql("SELECT id, data FROM user_groups WHERE tenant_id = $1 ORDER BY id");
        self.rows("user_groups", "id", query).await?.iter().map(|row| row.json("data")).collect()
    }

    /// Removes the group with its members. `false`: there is none.
    pub async fn delete_group(&mut self, id: &GroupId) -> Result<bool, StorageError> {
        for sql in [
            "DELETE FROM group_members WHERE tenant_id = $1 AND group_id = $2",
            "DELETE FROM group_roles WHERE tenant_id = $1 AND group_id = $2",
        ] {
            let query = self.sql(sql).bind(id.as_str());
            self.run(query).await?;
        }
        let query = self.sql("DELETE FROM user_groups WHERE tenant_id = $1 AND id = $2").bind(id.as_str());
        Ok(self.run(query).await? > 0)
    }

    /// Puts the user into the group, since `now` when they are not in it yet.
    pub async fn add_group_member(
        &mut self,
        id: &GroupId,
        user: &UserId,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let query = self
            .sql(
                "INSERT INTO group_members (tenant_id, user_id, group_id, created_at) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (tenant_id, user_id, group_id) DO NOTHING",
            )
            .bind(user.as_str())
            .bind(id.as_str())
            .bind(now.as_ms());
        self.run(query).await.map(drop)
    }

    /// Takes the user out of the group. `false`: they are not in it.
    pub async fn remove_group_member(&mut self, id: &GroupId, user: &UserId) -> Result<bool, StorageError> {
        let query = self
            .sql("DELETE FROM group_members WHERE tenant_id = $1 AND user_id = $2 AND group_id = $3")
            .bind(user.as_str())
            .bind(id.as_str());
        Ok(self.run(query).await? > 0)
    }

    /// The group's members, by id.
    pub async fn group_members(&mut self, id: &GroupId) -> Result<Vec<UserId>, StorageError> {
        let query = self
            .sql("SELECT user_id FROM group_members WHERE tenant_id = $1 AND group_id = $2 ORDER BY user_id")
            .bind(id.as_str());
        let rows = self.rows("group_members", "user_id", query).await?;
        rows.iter().map(|row| row.text("user_id").map(UserId::new)).collect()
    }

    /// The groups that the user is in, by id, from the one after `after` on.
    pub async fn groups_of(
        &mut self,
        user: &UserId,
        after: &str,
        limit: i64,
    ) -> Result<Vec<Membership>, StorageError> {
        let query = self
            .sql(
                "SELECT g.id AS id, g.data AS data, m.created_at AS since FROM group_members m
                 JOIN user_groups g ON g.tenant_id = m.tenant_id AND g.id = m.group_id
                 WHERE m.tenant_id = $1 AND m.user_id = $2 AND m.group_id > $3 ORDER BY m.group_id LIMIT $4",
            )
            .bind(user.as_str())
            .bind(after)
            .bind(limit);
        let rows = self.rows("user_groups", "id", query).await?;
        rows.iter()
            .map(|row| Ok(Membership { group: row.json("data")?, since: row.time("since")? }))
            .collect()
    }

    /// Gives the group a role. Harmless when it has it.
    pub async fn add_group_role(&mut self, id: &GroupId, role: &RoleId) -> Result<(), StorageError> {
        let query = self
            .sql(
                "INSERT INTO group_roles (tenant_id, group_id, role_id) VALUES ($1, $2, $3)
                 ON CONFLICT (tenant_id, group_id, role_id) DO NOTHING",
            )
            .bind(id.as_str())
            .bind(role.as_str());
        self.run(query).await.map(drop)
    }

    /// Takes a role from the group. `false`: it has not got it.
    pub async fn remove_group_role(&mut self, id: &GroupId, role: &RoleId) -> Result<bool, StorageError> {
        let query = self
            .sql("DELETE FROM group_roles WHERE tenant_id = $1 AND group_id = $2 AND role_id = $3")
            .bind(id.as_str())
            .bind(role.as_str());
        Ok(self.run(query).await? > 0)
    }

    /// The roles that the user has by groups of one of these scopes, by name.
    pub async fn roles_by_groups(
        &mut self,
        user: &UserId,
        scopes: [&GroupScope; 2],
    ) -> Result<Vec<Role>, StorageError> {
        let [one, other] = scopes;
        // The crosses hold SQLite to this order: it would read all groups' roles first.
        let query = self
            .sql(concat!(
                "SELECT DISTINCT ",
                role_columns!(),
                "
                 FROM group_members m CROSS JOIN user_groups g CROSS JOIN group_roles r CROSS JOIN roles
                 WHERE m.tenant_id = $1 AND m.user_id = $2 AND g.tenant_id = $1 AND g.id = m.group_id
                     AND ((g.type = $3 AND g.scope_id = $4) OR (g.type = $5 AND g.scope_id = $6))
                     AND r.tenant_id = $1 AND r.group_id = m.group_id
                     AND roles.tenant_id = $1 AND roles.id = r.role_id",
            ))
            .bind(user.as_str())
            .bind(one.as_str())
            .bind(scope_id(one))
            .bind(other.as_str())
            .bind(scope_id(other));
        roles(self.rows("roles", "id", query).await?)
    }
}

pub(crate) fn scope_id(scope: &GroupScope) -> &str {
    match scope {
        GroupScope::Tenant => "",
        GroupScope::Organization { organization_id } => organization_id.as_str(),
        GroupScope::Connection { connection_id } => connection_id.as_str(),
    }
}
