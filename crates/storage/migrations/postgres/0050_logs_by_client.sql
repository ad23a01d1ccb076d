-- no-transaction
CREATE INDEX CONCURRENTLY logs_by_client ON logs (tenant_id, client_id, date, id) WHERE client_id IS NOT NULL;
