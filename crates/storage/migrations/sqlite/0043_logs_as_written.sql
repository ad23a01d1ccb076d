-- Who follows a tenant's log reads it in this order.
CREATE INDEX logs_as_written ON logs (tenant_id, written_by);
