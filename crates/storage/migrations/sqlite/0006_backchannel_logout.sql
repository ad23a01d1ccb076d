-- OpenID Connect Back-Channel Logout: which client is still to be told of the end of which session.

-- The ends that the client wants to be told of, as ` rp-logout idp-logout `, where a statement can read them. NULL: none.
ALTER TABLE clients ADD COLUMN backchannel_logout_initiators TEXT;
CREATE INDEX clients_with_backchannel_logout ON clients (tenant_id) WHERE backchannel_logout_initiators IS NOT NULL;

-- The issuer that the clients know the session by. A session's cookie is one host's. NULL: it is older than this column.
ALTER TABLE sessions ADD COLUMN issuer TEXT;

-- When a session ends by itself: the idle end is never after the absolute one.
CREATE INDEX sessions_by_idle_end ON sessions (tenant_id, idle_expires_at);

-- One row for each session and client, so that no client is told twice. At `due_at` it is sent or, when that is finished,
-- removed.
CREATE TABLE backchannel_logouts (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    session_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    issuer TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    finished BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, session_id, client_id)
);
CREATE INDEX backchannel_logouts_due ON backchannel_logouts (due_at);
CREATE INDEX backchannel_logouts_due_of_tenant ON backchannel_logouts (tenant_id, due_at);
