-- They have an effect now: they are among what a client is, and not among what is kept for its people alone. (PostgreSQL's
-- JSON has no U+0000.)
UPDATE clients SET data = '{"token_quota":'
    || (CAST(REPLACE(profile, '\u0000', '\ufffd') AS JSONB) ->> 'token_quota') || ',' || SUBSTR(data, 2)
WHERE CAST(REPLACE(profile, '\u0000', '\ufffd') AS JSONB) ->> 'token_quota' IS NOT NULL;
UPDATE clients SET data = '{"signed_request_object":'
    || (CAST(REPLACE(profile, '\u0000', '\ufffd') AS JSONB) ->> 'signed_request_object') || ',' || SUBSTR(data, 2)
WHERE CAST(REPLACE(profile, '\u0000', '\ufffd') AS JSONB) ->> 'signed_request_object' IS NOT NULL;
UPDATE clients SET data = '{"compliance_level":"none",' || SUBSTR(data, 2)
WHERE CAST(REPLACE(profile, '\u0000', '\ufffd') AS JSONB) ->> 'compliance_level' IS NOT NULL;
