//! What a user may do at an API, by whichever way they have it.

use model::{ConnectionId, GroupScope, OrganizationId, UserId};

use crate::groups::scope_id;
use crate::{StorageError, TenantTx};

/// What roles may do at the API. The crosses hold SQLite to the order from the user to the permissions.
macro_rules! by_groups {
    ($scopes:literal) => {
        concat!(
            " UNION SELECT p.permission_name
             FROM group_members m CROSS JOIN user_groups g CROSS JOIN group_roles r CROSS JOIN role_permissions p
             WHERE m.tenant_id = $1 AND m.user_id = $2 AND g.tenant_id = $1 AND g.id = m.group_id AND ",
            $scopes,
            " AND r.tenant_id = $1 AND r.group_id = m.group_id AND p.tenant_id = $1 AND p.role_id = r.role_id
                 AND p.resource_server_identifier = $3"
        )
    };
}

impl TenantTx {
    /// The user's permissions for the API, by name. In an organization's login they are those of the roles that the user
    /// has there, alone and by groups of the organization; in any other one those of the user themselves, of their roles,
    /// and of groups of the tenant and the connection.
    pub async fn permissions_at(
        &mut self,
        user: &UserId,
        api: &str,
        connection: &ConnectionId,
        organization: Option<&OrganizationId>,
    ) -> Result<Vec<String>, StorageError> {
        const IN_ORGANIZATION: &str = concat!(
            "SELECT p.permission_name AS permission_name
             FROM organization_member_roles r CROSS JOIN role_permissions p
             WHERE r.tenant_id = $1 AND r.user_id = $2 AND r.organization_id = $4 AND p.tenant_id = $1
                 AND p.role_id = r.role_id AND p.resource_server_identifier = $3",
            by_groups!("g.type = $5 AND g.scope_id = $4")
        );
        const ELSEWHERE: &str = concat!(
            "SELECT permission_name FROM user_permissions
             WHERE tenant_id = $1 AND user_id = $2 AND resource_server_identifier = $3
             UNION SELECT p.permission_name FROM user_roles r CROSS JOIN role_permissions p
             WHERE r.tenant_id = $1 AND r.user_id = $2 AND p.tenant_id = $1 AND p.role_id = r.role_id
                 AND p.resource_server_identifier = $3",
            by_groups!("((g.type = $5 AND g.scope_id = $4) OR (g.type = $6 AND g.scope_id = $7))")
        );
        let (sql, scope) = match organization {
            Some(id) => (IN_ORGANIZATION, GroupScope::Organization { organization_id: id.clone() }),
            None => (ELSEWHERE, GroupScope::Connection { connection_id: connection.clone() }),
        };
        let mut query =
            self.sql(sql).bind(user.as_str()).bind(api).bind(scope_id(&scope)).bind(scope.as_str());
        if organization.is_none() {
            query = query.bind(GroupScope::Tenant.as_str()).bind(scope_id(&GroupScope::Tenant));
        }
        let rows = self.rows("permissions", "permission_name", query).await?;
        let names: Result<Vec<_>, _> = rows.iter().map(|row| row.text("permission_name")).collect();
        let mut names = names?;
        names.sort_unstable();
        Ok(names)
    }
}
