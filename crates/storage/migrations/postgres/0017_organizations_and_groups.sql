-- Organizations with their members, groups with theirs, and the roles that come of both.

CREATE TABLE organizations (
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);

CREATE TABLE organization_members (
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    organization_id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, organization_id, user_id),
    FOREIGN KEY (tenant_id, organization_id) REFERENCES organizations (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX organization_members_by_user ON organization_members (tenant_id, user_id);

CREATE TABLE organization_member_roles (
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    organization_id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    role_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_id, organization_id, user_id, role_id),
    FOREIGN KEY (tenant_id, organization_id, user_id)
        REFERENCES organization_members (tenant_id, organization_id, user_id),
    FOREIGN KEY (tenant_id, role_id) REFERENCES roles (tenant_id, id)
);
CREATE INDEX organization_member_roles_by_user ON organization_member_roles (tenant_id, user_id);
CREATE INDEX organization_member_roles_by_role ON organization_member_roles (tenant_id, role_id);

-- `scope_id` is the organization's or the connection's id, or empty.
CREATE TABLE user_groups (
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    id TEXT COLLATE "C" NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    scope_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, type, scope_id, name)
);

CREATE TABLE group_members (
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    user_id TEXT COLLATE "C" NOT NULL,
    group_id TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, user_id, group_id),
    FOREIGN KEY (tenant_id, group_id) REFERENCES user_groups (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX group_members_by_group ON group_members (tenant_id, group_id, user_id);

CREATE TABLE group_roles (
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    group_id TEXT COLLATE "C" NOT NULL,
    role_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_id, group_id, role_id),
    FOREIGN KEY (tenant_id, group_id) REFERENCES user_groups (tenant_id, id),
    FOREIGN KEY (tenant_id, role_id) REFERENCES roles (tenant_id, id)
);
CREATE INDEX group_roles_by_role ON group_roles (tenant_id, role_id);

-- The organization in whose name the user logged in.
ALTER TABLE refresh_tokens ADD COLUMN organization_id TEXT COLLATE "C";
ALTER TABLE session_transfer_tokens ADD COLUMN organization_id TEXT COLLATE "C";
