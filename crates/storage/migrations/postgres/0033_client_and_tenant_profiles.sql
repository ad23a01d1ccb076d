-- `profile` has the settings that are kept for people and tools and have no effect. What lists are filtered by has columns.
ALTER TABLE clients ADD COLUMN profile TEXT NOT NULL DEFAULT '{}';
ALTER TABLE clients ADD COLUMN name TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE clients ADD COLUMN app_type TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE clients ADD COLUMN is_first_party BIGINT NOT NULL DEFAULT 1;
ALTER TABLE clients ADD COLUMN created_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE clients ADD COLUMN updated_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX clients_by_creation ON clients (tenant_id, created_at, id);
-- Of those that are there, nobody knows when they were made.
UPDATE clients SET name = data::json ->> 'name', app_type = data::json ->> 'app_type',
    created_at = (SELECT tenants.created_at FROM tenants WHERE tenants.id = clients.tenant_id),
    updated_at = (SELECT tenants.created_at FROM tenants WHERE tenants.id = clients.tenant_id);

ALTER TABLE tenants ADD COLUMN profile TEXT NOT NULL DEFAULT '{}';
