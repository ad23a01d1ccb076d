-- no-transaction
CREATE INDEX CONCURRENTLY logs_by_code ON logs (tenant_id, code, date, id);
