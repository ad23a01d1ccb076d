-- With `source`, all that an image is built from, as JSON: the script's file name and its modules. NULL: a version from before,
-- which had no modules, or a component.
ALTER TABLE action_versions ADD COLUMN source_files TEXT;
CREATE INDEX action_versions_by_digest ON action_versions (digest);

-- The artifact of a version's source for another JS engine than the one that built the version's own. An installation has
-- both while nodes are upgraded one by one.
CREATE TABLE rebuilt_artifacts (
    digest TEXT COLLATE "C" NOT NULL,
    engine TEXT COLLATE "C" NOT NULL,
    rebuilt TEXT COLLATE "C" NOT NULL REFERENCES artifacts (digest),
    PRIMARY KEY (digest, engine)
);
