-- They have an effect now: they are among what a client is, and not among what is kept for its people alone.
UPDATE clients SET data = '{"token_quota":' || json_extract(profile, '$.token_quota') || ',' || SUBSTR(data, 2)
WHERE json_extract(profile, '$.token_quota') IS NOT NULL;
UPDATE clients SET data = '{"signed_request_object":' || json_extract(profile, '$.signed_request_object') || ',' || SUBSTR(data, 2)
WHERE json_extract(profile, '$.signed_request_object') IS NOT NULL;
UPDATE clients SET data = '{"compliance_level":"none",' || SUBSTR(data, 2)
WHERE json_extract(profile, '$.compliance_level') IS NOT NULL;
