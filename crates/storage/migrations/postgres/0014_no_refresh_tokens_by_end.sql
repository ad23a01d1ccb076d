-- no-transaction
DROP INDEX CONCURRENTLY refresh_tokens_by_end;
