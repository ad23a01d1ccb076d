-- A client has two grants for an API: for itself, and for its users. The key of a grant is client and `audience`, which is
-- therefore the API's identifier with " user" behind it in a grant for users (no identifier has a space), and its
-- identifier is in `api`.
ALTER TABLE client_grants ADD COLUMN api TEXT;
-- What lists are filtered by has a column.
ALTER TABLE client_grants ADD COLUMN any_organization BIGINT NOT NULL DEFAULT 0;
CREATE INDEX client_grants_by_api_and_id ON client_grants (tenant_id, COALESCE(api, audience), id);
DROP INDEX client_grants_by_audience_and_id;

-- The organizations in whose name a client may have tokens of its own. Without keys to the two tables: a program of an
-- older version deletes from them and knows nothing of this one. What is left over names nothing.
CREATE TABLE organization_client_grants (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    organization_id TEXT NOT NULL,
    grant_id TEXT NOT NULL,
    PRIMARY KEY (tenant_id, organization_id, grant_id)
);
CREATE INDEX organization_client_grants_by_grant ON organization_client_grants (tenant_id, grant_id);
