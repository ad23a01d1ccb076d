-- Permissions of roles and users, connections of organizations, users by their address at whatever connection.

ALTER TABLE roles ADD COLUMN description TEXT;

-- A permission is a scope of an API. Nodes of a version before these tables remove users without looking here.
CREATE TABLE role_permissions (
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    role_id TEXT COLLATE "C" NOT NULL,
    resource_server_identifier TEXT COLLATE "C" NOT NULL,
    permission_name TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_id, role_id, resource_server_identifier, permission_name),
    FOREIGN KEY (tenant_id, role_id) REFERENCES roles (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX role_permissions_by_api
    ON role_permissions (tenant_id, resource_server_identifier, permission_name);

CREATE TABLE user_permissions (
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    user_id TEXT COLLATE "C" NOT NULL,
    resource_server_identifier TEXT COLLATE "C" NOT NULL,
    permission_name TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_id, user_id, resource_server_identifier, permission_name),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX user_permissions_by_api
    ON user_permissions (tenant_id, resource_server_identifier, permission_name);

CREATE TABLE organization_connections (
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    organization_id TEXT COLLATE "C" NOT NULL,
    connection_id TEXT COLLATE "C" NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (tenant_id, organization_id, connection_id),
    FOREIGN KEY (tenant_id, organization_id) REFERENCES organizations (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connections (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX organization_connections_by_connection ON organization_connections (tenant_id, connection_id);

CREATE INDEX users_by_email ON users (tenant_id, email_lower, id);

-- In the order in which they are listed.
CREATE INDEX user_roles_by_role_and_user ON user_roles (tenant_id, role_id, user_id);
DROP INDEX user_roles_by_role;
