-- It has an effect now: it is among what a client is, and not among what is kept for its people alone.
UPDATE clients SET data =
    '{"par_request_expiry":' || json_extract(profile, '$.par_request_expiry') || ',' || SUBSTR(data, 2)
WHERE json_extract(profile, '$.par_request_expiry') IS NOT NULL;
