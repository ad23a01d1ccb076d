-- Revocation, back-channel logout, housekeeping.

-- When the token was revoked with all that was made from it. Sessions and refresh tokens whose parent has it are over:
-- it is read with them, never written to them.
ALTER TABLE refresh_tokens ADD COLUMN cascaded_at BIGINT;

-- `session_transfer.enforce_cascade_revocation`, where a statement can read it.
ALTER TABLE clients ADD COLUMN cascades BIGINT NOT NULL DEFAULT 1;
UPDATE clients SET cascades = 0 WHERE data LIKE '%"enforce_cascade_revocation":false%';

ALTER TABLE tenants ADD COLUMN flags TEXT NOT NULL DEFAULT '{}';

CREATE INDEX sessions_by_user ON sessions (tenant_id, user_id);

-- A code asks for a living session when it is spent: nobody looks codes up by session any more.
DROP INDEX codes_by_session;
