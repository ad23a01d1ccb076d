-- Pushed authorization requests (RFC 9126) and the device authorization grant (RFC 8628).

CREATE TABLE pushed_authorization_requests (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    hash TEXT NOT NULL,
    client_id TEXT NOT NULL,
    parameters TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT,
    PRIMARY KEY (tenant_id, hash)
);

-- What the user decided: `approved_at` or `denied_at`, never both. The approved login itself is a row of `codes`.
CREATE TABLE device_codes (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    hash TEXT NOT NULL,
    user_code_hash TEXT NOT NULL,
    client_id TEXT NOT NULL,
    request TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    next_poll_at BIGINT NOT NULL,
    approved_at BIGINT,
    denied_at BIGINT,
    denied_reason TEXT,
    expiry_told_at BIGINT,
    PRIMARY KEY (tenant_id, hash),
    UNIQUE (tenant_id, user_code_hash)
);
