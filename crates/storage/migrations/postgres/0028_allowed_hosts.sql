-- Where the requests of an Action may go, as a JSON list of host names. NULL: anywhere.
ALTER TABLE actions ADD COLUMN allowed_hosts TEXT;
