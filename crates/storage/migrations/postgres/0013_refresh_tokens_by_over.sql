-- no-transaction
CREATE INDEX CONCURRENTLY refresh_tokens_by_over ON refresh_tokens (over_by);
