-- Where a login stands whose browser has left for an Action, as JSON.
ALTER TABLE pending_authorizations ADD COLUMN suspended TEXT;
