-- The API that a client is the back end of, where a statement can read it: its access tokens are kept, so that they can
-- be introspected.
ALTER TABLE clients ADD COLUMN resource_server_identifier TEXT COLLATE "C";
UPDATE clients SET resource_server_identifier = CAST(data AS json) ->> 'resource_server_identifier';
CREATE INDEX clients_by_resource_server ON clients (tenant_id, resource_server_identifier);
