-- no-transaction
CREATE INDEX CONCURRENTLY logs_as_written ON logs (tenant_id, written_by, id);
