-- They have an effect now: they are among what a client is, and not among what is kept for its people alone. Clients that
-- were a third party's before and have no mode go on as they are. (PostgreSQL's JSON has no U+0000.)
UPDATE clients SET data = '{"third_party_security_mode":"'
    || COALESCE(CAST(REPLACE(profile, '\u0000', '\ufffd') AS JSONB) ->> 'third_party_security_mode', 'permissive')
    || '",' || SUBSTR(data, 2)
WHERE is_first_party = 0
    OR CAST(REPLACE(profile, '\u0000', '\ufffd') AS JSONB) ->> 'third_party_security_mode' IS NOT NULL;
UPDATE clients SET data = '{"redirection_policy":"'
    || (CAST(REPLACE(profile, '\u0000', '\ufffd') AS JSONB) ->> 'redirection_policy') || '",' || SUBSTR(data, 2)
WHERE CAST(REPLACE(profile, '\u0000', '\ufffd') AS JSONB) ->> 'redirection_policy' IS NOT NULL;
