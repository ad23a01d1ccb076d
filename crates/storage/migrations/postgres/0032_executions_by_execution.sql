-- no-transaction
CREATE INDEX CONCURRENTLY executions_by_execution ON executions (tenant_id, execution_id);
