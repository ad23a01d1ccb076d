-- When housekeeping is to look at the refresh token. Not the end itself, which moves with each exchange, and an index on it
-- with it. NULL: a node of a version before this column stored it; housekeeping fills it in.
ALTER TABLE refresh_tokens ADD COLUMN over_by BIGINT;
