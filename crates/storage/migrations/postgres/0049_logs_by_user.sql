-- no-transaction
CREATE INDEX CONCURRENTLY logs_by_user ON logs (tenant_id, user_id, date, id) WHERE user_id IS NOT NULL;
