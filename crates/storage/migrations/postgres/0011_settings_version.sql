-- `settings_version` changes with everything that a tenant's people set up, whoever writes it: what is kept in memory
-- counts for one version. Triggers, so that no statement can forget it, nor a program of an older version that runs at
-- the same time. It begins with the time: a tenant that is made again has another one.
ALTER TABLE tenants ADD COLUMN settings_version BIGINT NOT NULL DEFAULT 0;

CREATE FUNCTION new_tenant() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.settings_version := NEW.created_at;
    RETURN NEW;
END $$;
CREATE TRIGGER tenants_insert BEFORE INSERT ON tenants FOR EACH ROW EXECUTE FUNCTION new_tenant();

CREATE FUNCTION changed_tenant() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.settings_version := OLD.settings_version + 1;
    RETURN NEW;
END $$;
CREATE TRIGGER tenants_update BEFORE UPDATE ON tenants FOR EACH ROW EXECUTE FUNCTION changed_tenant();

-- The update itself is enough: the trigger above counts.
CREATE FUNCTION changed_settings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        UPDATE tenants SET settings_version = settings_version WHERE id = OLD.tenant_id;
    ELSE
        UPDATE tenants SET settings_version = settings_version WHERE id = NEW.tenant_id;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER clients_change AFTER INSERT OR UPDATE OR DELETE ON clients FOR EACH ROW EXECUTE FUNCTION changed_settings();
CREATE TRIGGER resource_servers_change AFTER INSERT OR UPDATE OR DELETE ON resource_servers FOR EACH ROW EXECUTE FUNCTION changed_settings();
CREATE TRIGGER client_grants_change AFTER INSERT OR UPDATE OR DELETE ON client_grants FOR EACH ROW EXECUTE FUNCTION changed_settings();
CREATE TRIGGER connections_change AFTER INSERT OR UPDATE OR DELETE ON connections FOR EACH ROW EXECUTE FUNCTION changed_settings();
CREATE TRIGGER signing_keys_change AFTER INSERT OR UPDATE OR DELETE ON signing_keys FOR EACH ROW EXECUTE FUNCTION changed_settings();
CREATE TRIGGER actions_change AFTER INSERT OR UPDATE OR DELETE ON actions FOR EACH ROW EXECUTE FUNCTION changed_settings();
CREATE TRIGGER action_bindings_change AFTER INSERT OR UPDATE OR DELETE ON action_bindings FOR EACH ROW EXECUTE FUNCTION changed_settings();
