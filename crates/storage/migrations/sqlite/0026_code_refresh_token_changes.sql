-- What Actions asked for the refresh token that the code's exchange issues, as JSON. NULL: nothing.
ALTER TABLE codes ADD COLUMN refresh_token_changes TEXT;
