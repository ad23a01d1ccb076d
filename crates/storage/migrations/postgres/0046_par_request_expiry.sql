-- It has an effect now: it is among what a client is, and not among what is kept for its people alone. (PostgreSQL's JSON
-- has no U+0000.)
UPDATE clients SET data = '{"par_request_expiry":'
    || (CAST(REPLACE(profile, '\u0000', '\ufffd') AS JSONB) ->> 'par_request_expiry') || ',' || SUBSTR(data, 2)
WHERE CAST(REPLACE(profile, '\u0000', '\ufffd') AS JSONB) ->> 'par_request_expiry' IS NOT NULL;
