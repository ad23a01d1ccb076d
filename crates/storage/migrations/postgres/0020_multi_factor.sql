-- Second factors of users, and logins without a browser that wait for one.

-- One of each kind for a user. Until `confirmed_at` it belongs to the login that began it (`begun_by`), and another login
-- may replace it. `last_step`: the newest time step whose code was used (RFC 6238).
CREATE TABLE authenticators (
    tenant_id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    factor TEXT COLLATE "C" NOT NULL,
    id TEXT NOT NULL,
    sealed_secret TEXT,
    code_hash TEXT,
    begun_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    confirmed_at BIGINT,
    last_used_at BIGINT,
    last_step BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, user_id, factor)
);

-- By the hash of the `mfa_token`. `login` is what goes on when the factor was shown.
CREATE TABLE mfa_tokens (
    tenant_id TEXT COLLATE "C" NOT NULL,
    hash TEXT COLLATE "C" NOT NULL,
    client_id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    login TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    spent_at BIGINT,
    PRIMARY KEY (tenant_id, hash)
);
CREATE INDEX mfa_tokens_by_expiry ON mfa_tokens (expires_at);
