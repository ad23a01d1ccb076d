-- As for SQLite, with PostgreSQL's names of types. Text that is looked up or sorted is compared by its bytes (COLLATE
-- "C"), whatever the database's own collation. Tables that grow with each request have no foreign key to `tenants`:
-- each insert would lock the tenant's one row. What they hold is written by requests that have read that row.

CREATE TABLE tenants (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    friendly_name TEXT NOT NULL,
    default_audience TEXT,
    allowed_logout_urls TEXT NOT NULL,
    sessions TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE clients (
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    id TEXT COLLATE "C" NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE TABLE resource_servers (
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    identifier TEXT COLLATE "C" NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (tenant_id, identifier)
);

CREATE TABLE client_grants (
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    client_id TEXT COLLATE "C" NOT NULL,
    audience TEXT COLLATE "C" NOT NULL,
    scope TEXT NOT NULL,
    PRIMARY KEY (tenant_id, client_id, audience)
);

CREATE TABLE connections (
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);

-- `data` has what is not in a column.
CREATE TABLE users (
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    id TEXT COLLATE "C" NOT NULL,
    connection_id TEXT COLLATE "C" NOT NULL,
    email_lower TEXT COLLATE "C",
    username_lower TEXT COLLATE "C",
    password_hash TEXT,
    user_metadata TEXT NOT NULL,
    app_metadata TEXT NOT NULL,
    logins_count BIGINT NOT NULL,
    last_login BIGINT,
    last_ip TEXT,
    updated_at BIGINT NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, connection_id, email_lower),
    UNIQUE (tenant_id, connection_id, username_lower)
);

CREATE TABLE roles (
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);

CREATE TABLE user_roles (
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    user_id TEXT COLLATE "C" NOT NULL,
    role_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_id, user_id, role_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id),
    FOREIGN KEY (tenant_id, role_id) REFERENCES roles (tenant_id, id)
);
CREATE INDEX user_roles_by_role ON user_roles (tenant_id, role_id);

CREATE TABLE sessions (
    tenant_id TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    secret_hash TEXT COLLATE "C" NOT NULL,
    user_id TEXT NOT NULL,
    connection_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    authenticated_at BIGINT NOT NULL,
    last_interacted_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    idle_expires_at BIGINT NOT NULL,
    revoked_at BIGINT,
    methods TEXT NOT NULL,
    device TEXT NOT NULL,
    parent_refresh_token TEXT COLLATE "C",
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, secret_hash)
);
CREATE INDEX sessions_by_parent ON sessions (tenant_id, parent_refresh_token);

CREATE TABLE session_clients (
    tenant_id TEXT COLLATE "C" NOT NULL,
    session_id TEXT COLLATE "C" NOT NULL,
    client_id TEXT COLLATE "C" NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, session_id, client_id),
    FOREIGN KEY (tenant_id, session_id) REFERENCES sessions (tenant_id, id)
);

CREATE TABLE pending_authorizations (
    tenant_id TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    handle_hash TEXT COLLATE "C" NOT NULL,
    browser_hash TEXT NOT NULL,
    request TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    spent_at BIGINT,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, handle_hash)
);

CREATE TABLE codes (
    tenant_id TEXT COLLATE "C" NOT NULL,
    hash TEXT COLLATE "C" NOT NULL,
    client_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    session_id TEXT COLLATE "C" NOT NULL,
    request TEXT NOT NULL,
    auth_time BIGINT NOT NULL,
    id_token_claims TEXT NOT NULL,
    access_token_claims TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT,
    issued_refresh_token TEXT,
    PRIMARY KEY (tenant_id, hash)
);
CREATE INDEX codes_by_session ON codes (tenant_id, session_id);

CREATE TABLE refresh_tokens (
    tenant_id TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    client_id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    session_id TEXT COLLATE "C",
    bound_to_session BIGINT NOT NULL,
    parent_refresh_token TEXT COLLATE "C",
    connection_id TEXT NOT NULL,
    audience TEXT,
    scope TEXT NOT NULL,
    auth_time BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    idle_expires_at BIGINT,
    last_exchanged_at BIGINT,
    revoked_at BIGINT,
    rotating BIGINT NOT NULL,
    device TEXT NOT NULL,
    metadata TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX refresh_tokens_by_parent ON refresh_tokens (tenant_id, parent_refresh_token);
CREATE INDEX refresh_tokens_by_session ON refresh_tokens (tenant_id, session_id);
CREATE INDEX refresh_tokens_by_user ON refresh_tokens (tenant_id, user_id, client_id, created_at);

-- The secrets of a family, numbered from 1. Two may be made in one millisecond: the number tells which is newer.
CREATE TABLE refresh_token_secrets (
    tenant_id TEXT COLLATE "C" NOT NULL,
    hash TEXT COLLATE "C" NOT NULL,
    refresh_token_id TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    spent_at BIGINT,
    PRIMARY KEY (tenant_id, hash),
    UNIQUE (tenant_id, refresh_token_id, number),
    FOREIGN KEY (tenant_id, refresh_token_id) REFERENCES refresh_tokens (tenant_id, id)
);

CREATE TABLE session_transfer_tokens (
    tenant_id TEXT COLLATE "C" NOT NULL,
    hash TEXT COLLATE "C" NOT NULL,
    client_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    refresh_token_id TEXT NOT NULL,
    connection_id TEXT NOT NULL,
    scope TEXT NOT NULL,
    request TEXT NOT NULL,
    auth_time BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT,
    PRIMARY KEY (tenant_id, hash)
);

CREATE TABLE access_tokens (
    tenant_id TEXT COLLATE "C" NOT NULL,
    hash TEXT COLLATE "C" NOT NULL,
    client_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    session_id TEXT,
    refresh_token_id TEXT,
    scope TEXT NOT NULL,
    custom_claims TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, hash)
);

-- By digest: the same bytes are the same for every tenant.
CREATE TABLE artifacts (
    digest TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    bytes BYTEA NOT NULL
);

CREATE TABLE actions (
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    deployed_version BIGINT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);

CREATE TABLE action_versions (
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    action_id TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    digest TEXT COLLATE "C" NOT NULL REFERENCES artifacts (digest) DEFERRABLE INITIALLY DEFERRED,
    source TEXT NOT NULL,
    sealed_secrets TEXT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, action_id, number),
    FOREIGN KEY (tenant_id, action_id) REFERENCES actions (tenant_id, id)
);

CREATE TABLE action_bindings (
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    trigger_id TEXT COLLATE "C" NOT NULL,
    action_id TEXT COLLATE "C" NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, trigger_id, action_id),
    FOREIGN KEY (tenant_id, action_id) REFERENCES actions (tenant_id, id)
);
CREATE INDEX action_bindings_by_action ON action_bindings (tenant_id, action_id);

CREATE TABLE executions (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id TEXT COLLATE "C" NOT NULL,
    transaction_id TEXT NOT NULL,
    action_id TEXT NOT NULL,
    action_name TEXT NOT NULL,
    version BIGINT NOT NULL,
    report TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX executions_by_tenant ON executions (tenant_id, id);

CREATE TABLE logs (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id TEXT COLLATE "C" NOT NULL,
    code TEXT NOT NULL,
    date BIGINT NOT NULL,
    client_id TEXT,
    user_id TEXT,
    ip TEXT,
    description TEXT NOT NULL,
    details TEXT NOT NULL
);
CREATE INDEX logs_by_tenant ON logs (tenant_id, id);

CREATE TABLE signing_keys (
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    kid TEXT COLLATE "C" NOT NULL,
    state TEXT NOT NULL,
    published_until BIGINT,
    sealed_private_key TEXT NOT NULL,
    modulus TEXT NOT NULL,
    exponent TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, kid)
);

CREATE TABLE rate_limits (
    tenant_id TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    window_start BIGINT NOT NULL,
    hits BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, key)
);
