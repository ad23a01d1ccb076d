//! Roles, who has them, and the permissions that they and users have.

use model::{Permission, Role, RoleId, User, UserId};

use crate::row::Record;
use crate::statement::Statement;
use crate::users::{user, user_columns};
use crate::{StorageError, TenantTx};

macro_rules! role_columns {
    () => {
        "roles.id AS id, roles.name AS name, roles.description AS description"
    };
}
pub(crate) use role_columns;

/// Who has permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PermissionHolder<'a> {
    /// A role, and with it whoever has the role.
    Role(&'a RoleId),
    /// A user by themselves.
    User(&'a UserId),
}

impl PermissionHolder<'_> {
    fn id(self) -> String {
        match self {
            Self::Role(id) => id.as_str().to_owned(),
            Self::User(id) => id.as_str().to_owned(),
        }
    }
}

/// The same statement for both kinds of holders.
macro_rules! of_holder {
    ($holder:expr, $before:literal, $between:literal, $after:literal) => {
        match $holder {
            PermissionHolder::Role(_) => concat!($before, "role_permissions", $between, "role_id", $after),
            PermissionHolder::User(_) => concat!($before, "user_permissions", $between, "user_id", $after),
        }
    };
}

impl TenantTx {
    /// Makes or replaces the role. A name that another one has is a conflict ([`StorageError::is_conflict`]).
    pub async fn put_role(&mut self, role: &Role) -> Result<(), StorageError> {
        let query = self
            .sql(
                "INSERT INTO roles (tenant_id, id, name, description) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (tenant_id, id) DO UPDATE SET name = excluded.name, description = excluded.description",
            )
            .bind(role.id.as_str())
            .bind(role.name.as_str())
            .bind(role.description.clone());
        self.run(query).await.map(drop)
    }

    /// The role of that id.
    pub async fn role(&mut self, id: &RoleId) -> Result<Option<Role>, StorageError> {
        const SQL: &str = concat!("SELECT ", role_columns!(), " FROM roles WHERE tenant_id = $1 AND id = $2");
        let query = self.sql(SQL).bind(id.as_str());
        Ok(roles(self.rows("roles", "id", query).await?)?.pop())
    }

    /// The role of that name.
    pub async fn role_by_name(&mut self, name: &str) -> Result<Option<Role>, StorageError> {
        const SQL: &str =
            concat!("SELECT ", role_columns!(), " FROM roles WHERE tenant_id = $1 AND name = $2");
        let query = self.sql(SQL).bind(name);
        Ok(roles(self.rows("roles", "id", query).await?)?.pop())
    }

    /// The roles whose name has this text in it, in whatever case of the letters A to Z, by name.
    pub async fn roles(
        &mut self,
        name_has: &str,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<Role>, StorageError> {
        const SQL: &str = concat!(
            "SELECT ",
            role_columns!(),
            " FROM roles WHERE tenant_id = $1 AND LOWER(name) LIKE $4 ESCAPE '\\' ORDER BY name LIMIT $2 OFFSET $3"
        );
        let query = self.sql(SQL).bind(limit).bind(offset).bind(having(name_has));
        roles(self.rows("roles", "id", query).await?)
    }

    /// How many roles [`TenantTx::roles`] would find without a limit.
    pub async fn count_roles(&mut self, name_has: &str) -> Result<i64, StorageError> {
        let query = self
            .sql(
                "SELECT COUNT(*) AS found FROM roles WHERE tenant_id = $1 AND LOWER(name) LIKE $2 ESCAPE '\\'",
            )
            .bind(having(name_has));
        self.count(query).await
    }

    /// Removes the role, and takes it from all who have it. `false`: there is none.
    pub async fn delete_role(&mut self, id: &RoleId) -> Result<bool, StorageError> {
        for sql in [
            "DELETE FROM user_roles WHERE tenant_id = $1 AND role_id = $2",
            "DELETE FROM organization_member_roles WHERE tenant_id = $1 AND role_id = $2",
            "DELETE FROM group_roles WHERE tenant_id = $1 AND role_id = $2",
        ] {
            let query = self.sql(sql).bind(id.as_str());
            self.run(query).await?;
        }
        let query = self.sql("DELETE FROM roles WHERE tenant_id = $1 AND id = $2").bind(id.as_str());
        Ok(self.run(query).await? > 0)
    }

    /// Takes the role from the user. `false`: they have not got it.
    pub async fn unassign_role(&mut self, user: &UserId, role: &RoleId) -> Result<bool, StorageError> {
        let query = self
            .sql("DELETE FROM user_roles WHERE tenant_id = $1 AND user_id = $2 AND role_id = $3")
            .bind(user.as_str())
            .bind(role.as_str());
        Ok(self.run(query).await? > 0)
    }

    /// Gives the user the role. Harmless when they have it.
    pub async fn assign_role(&mut self, user: &UserId, role: &RoleId) -> Result<(), StorageError> {
        let query = self
            .sql(
                "INSERT INTO user_roles (tenant_id, user_id, role_id) VALUES ($1, $2, $3)
                 ON CONFLICT (tenant_id, user_id, role_id) DO NOTHING",
            )
            .bind(user.as_str())
            .bind(role.as_str());
        self.run(query).await.map(drop)
    }

    /// The user's roles, by name.
    pub async fn roles_of(&mut self, user: &UserId) -> Result<Vec<Role>, StorageError> {
        const SQL: &str = concat!(
            "SELECT ",
            role_columns!(),
            " FROM user_roles JOIN roles ON roles.tenant_id = user_roles.tenant_id AND roles.id = user_roles.role_id
             WHERE user_roles.tenant_id = $1 AND user_roles.user_id = $2"
        );
        let query = self.sql(SQL).bind(user.as_str());
        roles(self.rows("roles", "id", query).await?)
    }

    /// Who has the role by themselves, by id, from the one after `after` on.
    pub async fn users_with_role(
        &mut self,
        role: &RoleId,
        after: &str,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<User>, StorageError> {
        const SQL: &str = concat!(
            "SELECT ",
            user_columns!(),
            " FROM user_roles m JOIN users u ON u.tenant_id = m.tenant_id AND u.id = m.user_id
             WHERE m.tenant_id = $1 AND m.role_id = $2 AND m.user_id > $3 ORDER BY m.user_id LIMIT $4 OFFSET $5"
        );
        let query = self.sql(SQL).bind(role.as_str()).bind(after).bind(limit).bind(offset);
        self.rows("users", "u_id", query).await?.iter().map(user).collect()
    }

    /// How many have the role by themselves.
    pub async fn count_users_with_role(&mut self, role: &RoleId) -> Result<i64, StorageError> {
        let query = self
            .sql("SELECT COUNT(*) AS found FROM user_roles WHERE tenant_id = $1 AND role_id = $2")
            .bind(role.as_str());
        self.count(query).await
    }

    /// Gives a role or a user the permission. Harmless when they have it.
    pub async fn add_permission(
        &mut self,
        holder: PermissionHolder<'_>,
        permission: &Permission,
    ) -> Result<(), StorageError> {
        let sql = of_holder!(
            holder,
            "INSERT INTO ",
            " (tenant_id, ",
            ", resource_server_identifier, permission_name) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"
        );
        let query = self.of_permission(sql, holder, permission);
        self.run(query).await.map(drop)
    }

    /// Takes the permission from a role or a user. `false`: they have not got it.
    pub async fn remove_permission(
        &mut self,
        holder: PermissionHolder<'_>,
        permission: &Permission,
    ) -> Result<bool, StorageError> {
        let sql = of_holder!(
            holder,
            "DELETE FROM ",
            " WHERE tenant_id = $1 AND ",
            " = $2 AND resource_server_identifier = $3 AND permission_name = $4"
        );
        let query = self.of_permission(sql, holder, permission);
        Ok(self.run(query).await? > 0)
    }

    fn of_permission(
        &self,
        sql: &'static str,
        holder: PermissionHolder<'_>,
        permission: &Permission,
    ) -> Statement {
        self.sql(sql)
            .bind(holder.id())
            .bind(permission.resource_server_identifier.as_str())
            .bind(permission.permission_name.as_str())
    }

    /// The permissions of a role, or those that a user has by themselves, by API and name.
    pub async fn permissions_of(
        &mut self,
        holder: PermissionHolder<'_>,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<Permission>, StorageError> {
        let sql = of_holder!(
            holder,
            "SELECT resource_server_identifier, permission_name FROM ",
            " WHERE tenant_id = $1 AND ",
            " = $2 ORDER BY resource_server_identifier, permission_name LIMIT $3 OFFSET $4"
        );
        let query = self.sql(sql).bind(holder.id()).bind(limit).bind(offset);
        let rows = self.rows("permissions", "permission_name", query).await?;
        rows.iter().map(permission).collect()
    }

    /// How many permissions a role has, or a user by themselves.
    pub async fn count_permissions_of(&mut self, holder: PermissionHolder<'_>) -> Result<i64, StorageError> {
        let sql = of_holder!(holder, "SELECT COUNT(*) AS found FROM ", " WHERE tenant_id = $1 AND ", " = $2");
        let query = self.sql(sql).bind(holder.id());
        self.count(query).await
    }

    /// Takes from everybody what this API does not have: it has these scopes and no others.
    pub async fn keep_permissions(&mut self, api: &str, scopes: &[String]) -> Result<(), StorageError> {
        for (known, gone) in [
            (
                "SELECT DISTINCT permission_name FROM role_permissions
                 WHERE tenant_id = $1 AND resource_server_identifier = $2",
                "DELETE FROM role_permissions
                 WHERE tenant_id = $1 AND resource_server_identifier = $2 AND permission_name = $3",
            ),
            (
                "SELECT DISTINCT permission_name FROM user_permissions
                 WHERE tenant_id = $1 AND resource_server_identifier = $2",
                "DELETE FROM user_permissions
                 WHERE tenant_id = $1 AND resource_server_identifier = $2 AND permission_name = $3",
            ),
        ] {
            let known = self.sql(known).bind(api);
            for row in self.rows("permissions", "permission_name", known).await? {
                let name = row.text("permission_name")?;
                if !scopes.contains(&name) {
                    let gone = self.sql(gone).bind(api).bind(name);
                    self.run(gone).await?;
                }
            }
        }
        Ok(())
    }

    /// The number in `found` of the one row.
    pub(crate) async fn count(&mut self, query: Statement) -> Result<i64, StorageError> {
        self.row("counted", "found", query).await?.map_or(Ok(0), |row| row.int("found"))
    }
}

/// The roles of these rows, by name. Sorted here: for an ORDER BY, SQLite would walk all of the tenant's roles by name.
pub(crate) fn roles(rows: Vec<Record>) -> Result<Vec<Role>, StorageError> {
    let mut roles = Vec::with_capacity(rows.len());
    for row in rows {
        roles.push(Role {
            id: RoleId::new(row.text("id")?),
            name: row.text("name")?,
            description: row.opt_text("description")?,
        });
    }
    roles.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(roles)
}

fn permission(row: &Record) -> Result<Permission, StorageError> {
    Ok(Permission {
        resource_server_identifier: row.text("resource_server_identifier")?,
        permission_name: row.text("permission_name")?,
    })
}

/// The pattern of `LIKE` for what has this text in it.
fn having(text: &str) -> String {
    let escaped = text.to_ascii_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}
