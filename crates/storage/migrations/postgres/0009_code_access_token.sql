-- The hash of the opaque access token that the code's exchange issued: a replay of the code ends it.
ALTER TABLE codes ADD COLUMN issued_access_token TEXT;
