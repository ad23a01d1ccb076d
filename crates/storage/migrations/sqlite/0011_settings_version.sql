-- `settings_version` changes with everything that a tenant's people set up, whoever writes it: what is kept in memory
-- counts for one version. Triggers, so that no statement can forget it, nor a program of an older version that runs at
-- the same time. It begins with the time: a tenant that is made again has another one.
ALTER TABLE tenants ADD COLUMN settings_version BIGINT NOT NULL DEFAULT 0;

CREATE TRIGGER tenants_insert AFTER INSERT ON tenants BEGIN
    UPDATE tenants SET settings_version = NEW.created_at WHERE id = NEW.id;
END;
CREATE TRIGGER tenants_update
AFTER UPDATE OF friendly_name, default_audience, allowed_logout_urls, sessions, flags ON tenants BEGIN
    UPDATE tenants SET settings_version = settings_version + 1 WHERE id = NEW.id;
END;

CREATE TRIGGER clients_insert AFTER INSERT ON clients BEGIN
    UPDATE tenants SET settings_version = settings_version + 1 WHERE id = NEW.tenant_id;
END;
CREATE TRIGGER clients_update AFTER UPDATE ON clients BEGIN
    UPDATE tenants SET settings_version = settings_version + 1 WHERE id = NEW.tenant_id;
END;
CREATE TRIGGER clients_delete AFTER DELETE ON clients BEGIN
    UPDATE tenants SET settings_version = settings_version + 1 WHERE id = OLD.tenant_id;
END;
CREATE TRIGGER resource_servers_insert AFTER INSERT ON resource_servers BEGIN
    UPDATE tenants SET settings_version = settings_version + 1 WHERE id = NEW.tenant_id;
END;
CREATE TRIGGER resource_servers_update AFTER UPDATE ON resource_servers BEGIN
    UPDATE tenants SET settings_version = settings_version + 1 WHERE id = NEW.tenant_id;
END;
CREATE TRIGGER resource_servers_delete AFTER DELETE ON resource_servers BEGIN
    UPDATE tenants SET settings_version = settings_version + 1 WHERE id = OLD.tenant_id;
END;
CREATE TRIGGER client_grants_insert AFTER INSERT ON client_grants BEGIN
    UPDATE tenants SET settings_version = settings_version + 1 WHERE id = NEW.tenant_id;
END;
CREATE TRIGGER client_grants_update AFTER UPDATE ON client_grants BEGIN
    UPDATE tenants SET settings_version = settings_version + 1 WHERE id = NEW.tenant_id;
END;
CREATE TRIGGER client_grants_delete AFTER DELETE ON client_grants BEGIN
    UPDATE tenants SET settings_version = settings_version + 1 WHERE id = OLD.tenant_id;
END;
CREATE TRIGGER connections_insert AFTER INSERT ON connections BEGIN
    UPDATE tenants SET settings_version = settings_version + 1 WHERE id = NEW.tenant_id;
END;
CREATE TRIGGER connections_update AFTER UPDATE ON connections BEGIN
    UPDATE tenants SET settings_version = settings_version + 1 WHERE id = NEW.tenant_id;
END;
CREATE TRIGGER connections_delete AFTER DELETE ON connections BEGIN
    UPDATE tenants SET settings_version = settings_version + 1 WHERE id = OLD.tenant_id;
END;
CREATE TRIGGER signing_keys_insert AFTER INSERT ON signing_keys BEGIN
    UPDATE tenants SET settings_version = settings_version + 1 WHERE id = NEW.tenant_id;
END;
CREATE TRIGGER signing_keys_update AFTER UPDATE ON signing_keys BEGIN
    UPDATE tenants SET settings_version = settings_version + 1 WHERE id = NEW.tenant_id;
END;
CREATE TRIGGER signing_keys_delete AFTER DELETE ON signing_keys BEGIN
    UPDATE tenants SET settings_version = settings_version + 1 WHERE id = OLD.tenant_id;
END;
CREATE TRIGGER actions_insert AFTER INSERT ON actions BEGIN
    UPDATE tenants SET settings_version = settings_version + 1 WHERE id = NEW.tenant_id;
END;
CREATE TRIGGER actions_update AFTER UPDATE ON actions BEGIN
    UPDATE tenants SET settings_version = settings_version + 1 WHERE id = NEW.tenant_id;
END;
CREATE TRIGGER actions_delete AFTER DELETE ON actions BEGIN
    UPDATE tenants SET settings_version = settings_version + 1 WHERE id = OLD.tenant_id;
END;
CREATE TRIGGER action_bindings_insert AFTER INSERT ON action_bindings BEGIN
    UPDATE tenants SET settings_version = settings_version + 1 WHERE id = NEW.tenant_id;
END;
CREATE TRIGGER action_bindings_update AFTER UPDATE ON action_bindings BEGIN
    UPDATE tenants SET settings_version = settings_version + 1 WHERE id = NEW.tenant_id;
END;
CREATE TRIGGER action_bindings_delete AFTER DELETE ON action_bindings BEGIN
    UPDATE tenants SET settings_version = settings_version + 1 WHERE id = OLD.tenant_id;
END;
