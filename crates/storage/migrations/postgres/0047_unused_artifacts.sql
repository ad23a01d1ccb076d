-- Since when an artifact has been known not to be needed. It goes a day later, if nothing needs it then.
CREATE TABLE unused_artifacts (
    digest TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    since BIGINT NOT NULL
);
CREATE INDEX unused_artifacts_by_since ON unused_artifacts (since);

-- What needs an artifact is looked up by its digest.
CREATE INDEX rebuilt_artifacts_by_rebuilt ON rebuilt_artifacts (rebuilt);
-- (PostgreSQL's JSON has no U+0000.)
CREATE INDEX actions_by_draft_digest ON actions
    (((CAST(REPLACE(draft, '\u0000', '\ufffd') AS JSONB) ->> 'digest') COLLATE "C"));
