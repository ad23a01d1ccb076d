-- no-transaction
CREATE INDEX CONCURRENTLY refresh_tokens_by_client ON refresh_tokens (tenant_id, client_id);
