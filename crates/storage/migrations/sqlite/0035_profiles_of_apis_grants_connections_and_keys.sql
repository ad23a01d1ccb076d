-- As for clients. A row without an id was stored by a node of a version before this column.
ALTER TABLE resource_servers ADD COLUMN id TEXT;
ALTER TABLE resource_servers ADD COLUMN profile TEXT NOT NULL DEFAULT '{}';
UPDATE resource_servers SET id = lower(hex(randomblob(12)));
CREATE UNIQUE INDEX resource_servers_by_id ON resource_servers (tenant_id, id);

ALTER TABLE client_grants ADD COLUMN id TEXT;
ALTER TABLE client_grants ADD COLUMN profile TEXT NOT NULL DEFAULT '{}';
UPDATE client_grants SET id = 'cgr_' || lower(hex(randomblob(8)));
CREATE UNIQUE INDEX client_grants_by_id ON client_grants (tenant_id, id);
CREATE INDEX client_grants_by_audience ON client_grants (tenant_id, audience);

ALTER TABLE connections ADD COLUMN profile TEXT NOT NULL DEFAULT '{}';

ALTER TABLE signing_keys ADD COLUMN current_since BIGINT;
ALTER TABLE signing_keys ADD COLUMN current_until BIGINT;
ALTER TABLE signing_keys ADD COLUMN revoked_at BIGINT;
