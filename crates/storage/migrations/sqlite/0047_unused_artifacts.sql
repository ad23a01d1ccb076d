-- Since when an artifact has been known not to be needed. It goes a day later, if nothing needs it then.
CREATE TABLE unused_artifacts (
    digest TEXT NOT NULL PRIMARY KEY,
    since BIGINT NOT NULL
);
CREATE INDEX unused_artifacts_by_since ON unused_artifacts (since);

-- What needs an artifact is looked up by its digest.
CREATE INDEX rebuilt_artifacts_by_rebuilt ON rebuilt_artifacts (rebuilt);
CREATE INDEX actions_by_draft_digest ON actions (json_extract(draft, '$.digest'));
