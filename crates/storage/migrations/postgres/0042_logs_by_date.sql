-- no-transaction
CREATE INDEX CONCURRENTLY logs_by_tenant_date ON logs (tenant_id, date, id);
