-- Cookie modes and metadata of sessions, refresh tokens that live as long as their session.

ALTER TABLE sessions ADD COLUMN cookie_mode TEXT NOT NULL DEFAULT 'persistent';
ALTER TABLE sessions ADD COLUMN metadata TEXT NOT NULL DEFAULT '{}';
-- The tenant's idle lifetime, in seconds, when the session was made.
ALTER TABLE sessions ADD COLUMN idle_lifetime BIGINT NOT NULL DEFAULT 259200;

ALTER TABLE refresh_tokens ADD COLUMN online BIGINT NOT NULL DEFAULT 0;
