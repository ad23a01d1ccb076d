-- What an author works on, as JSON. NULL: an Action of before, whose deployed version is what there is.
ALTER TABLE actions ADD COLUMN draft TEXT;
-- What belongs to the code of a version, as JSON. NULL: a version of before, which had its secrets alone.
ALTER TABLE action_versions ADD COLUMN settings TEXT;
-- NULL: a binding of before, which is called as its Action, and is as old.
ALTER TABLE action_bindings ADD COLUMN display_name TEXT;
ALTER TABLE action_bindings ADD COLUMN created_at BIGINT;
ALTER TABLE action_bindings ADD COLUMN updated_at BIGINT;

CREATE TABLE action_modules (
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    draft TEXT NOT NULL,
    latest_version BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);

CREATE TABLE action_module_versions (
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    module_id TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    content TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, module_id, number),
    FOREIGN KEY (tenant_id, module_id) REFERENCES action_modules (tenant_id, id)
);
