-- Housekeeping finds what has ended by these indexes (see `housekeeping.rs`).

CREATE INDEX pending_authorizations_by_expiry ON pending_authorizations (expires_at);
CREATE INDEX pushed_authorization_requests_by_expiry ON pushed_authorization_requests (expires_at);
CREATE INDEX device_codes_by_expiry ON device_codes (expires_at);
CREATE INDEX session_transfer_tokens_by_expiry ON session_transfer_tokens (expires_at);
CREATE INDEX codes_by_expiry ON codes (expires_at);
CREATE INDEX access_tokens_by_expiry ON access_tokens (expires_at);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);
CREATE INDEX refresh_tokens_by_end ON refresh_tokens (COALESCE(revoked_at, expires_at, idle_expires_at));
CREATE INDEX rate_limits_by_window ON rate_limits (window_start);
CREATE INDEX logs_by_date ON logs (date);
CREATE INDEX executions_by_date ON executions (created_at);

-- Whether an access token is still there that came from a refresh token.
CREATE INDEX access_tokens_by_refresh_token ON access_tokens (tenant_id, refresh_token_id)
    WHERE refresh_token_id IS NOT NULL;
