-- The `jti` of each DPoP proof and client assertion, hashed with whose it is. A row may go when it has expired.
CREATE TABLE spent_jwt_ids (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    hash TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, hash)
);
CREATE INDEX spent_jwt_ids_by_expiry ON spent_jwt_ids (expires_at);

-- Thumbprint of the key that a token is bound to (RFC 9449 §6).
ALTER TABLE refresh_tokens ADD COLUMN dpop_jkt TEXT;
ALTER TABLE access_tokens ADD COLUMN dpop_jkt TEXT;
