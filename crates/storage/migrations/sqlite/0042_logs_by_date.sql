-- A tenant's log by time; each index ends with `id`, the rowid.
CREATE INDEX logs_by_tenant_date ON logs (tenant_id, date);
CREATE INDEX logs_by_code ON logs (tenant_id, code, date);
CREATE INDEX logs_by_user ON logs (tenant_id, user_id, date) WHERE user_id IS NOT NULL;
CREATE INDEX logs_by_client ON logs (tenant_id, client_id, date) WHERE client_id IS NOT NULL;
