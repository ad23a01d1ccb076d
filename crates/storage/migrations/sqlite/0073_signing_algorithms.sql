-- They have an effect now: they are among what an API and a client are, and not among what is kept for their people alone.
UPDATE resource_servers SET data = '{"signing_alg":"' || json_extract(profile, '$.signing_alg') || '",' || SUBSTR(data, 2)
WHERE json_extract(profile, '$.signing_alg') IS NOT NULL;
UPDATE clients SET data = REPLACE(data, '"jwt_configuration":{',
    '"jwt_configuration":{"alg":"' || json_extract(profile, '$.jwt_configuration.alg') || '",')
WHERE json_extract(profile, '$.jwt_configuration.alg') IS NOT NULL;
