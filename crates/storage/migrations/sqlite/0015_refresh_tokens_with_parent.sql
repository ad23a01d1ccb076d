CREATE INDEX refresh_tokens_with_parent ON refresh_tokens (tenant_id, parent_refresh_token) WHERE parent_refresh_token IS NOT NULL;
