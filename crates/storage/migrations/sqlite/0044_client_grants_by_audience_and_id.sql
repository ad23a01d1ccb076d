-- Pages of the client grants for an API are in the order of their ids.
CREATE INDEX client_grants_by_audience_and_id ON client_grants (tenant_id, audience, id);
DROP INDEX client_grants_by_audience;
