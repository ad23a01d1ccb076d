-- They have an effect now: they are among what an API and a client are, and not among what is kept for their people alone.
-- (PostgreSQL's JSON has no U+0000.)
UPDATE resource_servers SET data = '{"signing_alg":"'
    || (CAST(REPLACE(profile, '\u0000', '\ufffd') AS JSONB) ->> 'signing_alg') || '",' || SUBSTR(data, 2)
WHERE CAST(REPLACE(profile, '\u0000', '\ufffd') AS JSONB) ->> 'signing_alg' IS NOT NULL;
UPDATE clients SET data = REPLACE(data, '"jwt_configuration":{', '"jwt_configuration":{"alg":"'
    || (CAST(REPLACE(profile, '\u0000', '\ufffd') AS JSONB) -> 'jwt_configuration' ->> 'alg') || '",')
WHERE CAST(REPLACE(profile, '\u0000', '\ufffd') AS JSONB) -> 'jwt_configuration' ->> 'alg' IS NOT NULL;
