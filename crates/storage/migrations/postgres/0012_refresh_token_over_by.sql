-- When housekeeping is to look at the refresh token. Not the end itself, which moves with each exchange: with an index on
-- what moves, PostgreSQL writes each index of the table anew at each exchange. NULL: a node of a version before this column
-- stored it; housekeeping fills it in.
ALTER TABLE refresh_tokens ADD COLUMN over_by BIGINT;

-- Each of their rows is written again soon after it was made: there is to be room for that on its page.
ALTER TABLE refresh_tokens SET (fillfactor = 70);
ALTER TABLE refresh_token_secrets SET (fillfactor = 70);
ALTER TABLE codes SET (fillfactor = 70);
