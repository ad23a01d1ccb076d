-- What the Management API shows of an entry. `context` is a JSON object of what nothing is searched by.
ALTER TABLE logs ADD COLUMN client_name TEXT;
ALTER TABLE logs ADD COLUMN user_name TEXT;
ALTER TABLE logs ADD COLUMN user_agent TEXT;
ALTER TABLE logs ADD COLUMN hostname TEXT;
ALTER TABLE logs ADD COLUMN connection TEXT;
ALTER TABLE logs ADD COLUMN connection_id TEXT;
ALTER TABLE logs ADD COLUMN organization_id TEXT;
ALTER TABLE logs ADD COLUMN context TEXT;

-- The number of the transaction that wrote the entry, where transactions commit in another order than they got their ids.
-- On SQLite they do not.
ALTER TABLE logs ADD COLUMN written_by BIGINT NOT NULL DEFAULT 0;

DROP INDEX logs_by_tenant;

-- Where a tenant's log is sent. `settings` is a JSON object without secrets; those are sealed. What is sent is after the
-- cursor. A node that sends something takes `due_at` forward before.
CREATE TABLE log_streams (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    settings TEXT NOT NULL,
    sealed_secrets TEXT,
    cursor_written_by BIGINT NOT NULL,
    cursor_id BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    -- How often sending has failed since it last succeeded, since when, and why.
    failures BIGINT NOT NULL DEFAULT 0,
    failing_since BIGINT,
    last_error TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX log_streams_by_name ON log_streams (tenant_id, name);
CREATE INDEX log_streams_by_due ON log_streams (due_at) WHERE status = 'active';
CREATE INDEX log_streams_of_tenant_by_due ON log_streams (tenant_id, due_at) WHERE status = 'active';
