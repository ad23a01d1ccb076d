CREATE INDEX executions_by_execution ON executions (tenant_id, execution_id);
