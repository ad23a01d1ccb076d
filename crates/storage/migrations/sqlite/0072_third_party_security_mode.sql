-- They have an effect now: they are among what a client is, and not among what is kept for its people alone. Clients that
-- were a third party's before and have no mode go on as they are.
UPDATE clients SET data = '{"third_party_security_mode":"'
    || COALESCE(json_extract(profile, '$.third_party_security_mode'), 'permissive') || '",' || SUBSTR(data, 2)
WHERE is_first_party = 0 OR json_extract(profile, '$.third_party_security_mode') IS NOT NULL;
UPDATE clients SET data = '{"redirection_policy":"' || json_extract(profile, '$.redirection_policy') || '",' || SUBSTR(data, 2)
WHERE json_extract(profile, '$.redirection_policy') IS NOT NULL;
