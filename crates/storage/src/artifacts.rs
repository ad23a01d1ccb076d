//! What Actions were built to, by digest.

use std::collections::BTreeMap;

use model::{ActionSource, Timestamp};

use crate::row::Record;
use crate::statement::Statement;
use crate::user_search::as_jsonb;
use crate::{DatabaseKind, Storage, StorageError, TenantTx};

/// So long an artifact stays that nothing needs any more: logins and deployments under way have read of it.
const UNUSED_SECS: i64 = 24 * 3600;
/// Artifacts that are removed at once: each has some hundred kilobytes.
const BATCH: i64 = 16;

impl Storage {
    /// The artifact of that digest: what kind it is, as JSON, and its bytes.
    pub async fn artifact(&self, digest: &str) -> Result<Option<(String, Vec<u8>)>, StorageError> {
        let sql = "SELECT digest, kind, bytes FROM artifacts WHERE digest = $1";
        let rows = self.read(Statement::new(sql).bind(digest)).await?;
        let Some(row) =
            rows.into_iter().next().map(|row| Record { table: "artifacts", id_column: "digest", row })
        else {
            return Ok(None);
        };
        Ok(Some((row.text("kind")?, row.bytes("bytes")?)))
    }

    /// The digest of what was built from that artifact's source for this JS engine.
    pub async fn rebuilt_artifact(&self, digest: &str, engine: &str) -> Result<Option<String>, StorageError> {
        let sql = "SELECT digest, rebuilt FROM rebuilt_artifacts WHERE digest = $1 AND engine = $2";
        let rows = self.read(Statement::new(sql).bind(digest).bind(engine)).await?;
        let row = rows.into_iter().next().map(|row| Record {
            table: "rebuilt_artifacts",
            id_column: "digest",
            row,
        });
        row.map(|row| row.text("rebuilt")).transpose()
    }

    /// What the artifact of that digest was built from. Whoever deployed it, the source is the same.
    pub async fn artifact_source(&self, digest: &str) -> Result<Option<ActionSource>, StorageError> {
        let sql = "SELECT digest, source, source_files FROM action_versions WHERE digest = $1 LIMIT 1";
        let rows = self.read(Statement::new(sql).bind(digest)).await?;
        let Some(row) =
            rows.into_iter().next().map(|row| Record { table: "action_versions", id_column: "digest", row })
        else {
            return Ok(None);
        };
        source(&row).map(Some)
    }

    /// Looks at up to `rows` artifacts after the one of that digest, and notes those that nothing needs, if that was not
    /// noted before. The digest of the last one; `None`: there are no more.
    pub(crate) async fn note_unused_artifacts(
        &self,
        after: &str,
        rows: u32,
        now: Timestamp,
    ) -> Result<Option<String>, StorageError> {
        let window = "SELECT MAX(digest) AS last FROM
             (SELECT digest FROM artifacts WHERE digest > $1 ORDER BY digest LIMIT $2) w";
        let found = self.read(Statement::new(window).bind(after).bind(i64::from(rows))).await?;
        let last = found.into_iter().next().map(|row| Record { table: "artifacts", id_column: "last", row });
        let Some(last) = last.map_or(Ok(None), |row| row.opt_text("last"))? else { return Ok(None) };
        let note = format!(
            "INSERT INTO unused_artifacts (digest, since) SELECT a.digest, CAST($3 AS BIGINT) FROM artifacts a
             WHERE a.digest > $1 AND a.digest <= $2 AND {} ON CONFLICT (digest) DO NOTHING",
            is_unused(self.kind())
        );
        self.write(&Statement::new(note).bind(after).bind(last.as_str()).bind(now.as_ms())).await?;
        Ok(Some(last))
    }

    /// Removes some of the artifacts that nothing has needed for long: how many. `None`: there are no more.
    pub(crate) async fn remove_unused_artifacts(&self, now: Timestamp) -> Result<Option<u64>, StorageError> {
        // What is stored again meanwhile waits here, or has taken its note away (`TenantTx::put_artifact`).
        let lock = match self.kind() {
            DatabaseKind::Sqlite => "",
            DatabaseKind::Postgres => " FOR UPDATE SKIP LOCKED",
        };
        let due = format!(
            "SELECT digest FROM unused_artifacts WHERE since <= $1 ORDER BY since, digest LIMIT $2{lock}"
        );
        let mut tx = self.begin_any().await?;
        let due = Statement::new(due).bind(now.plus_secs(-UNUSED_SECS).as_ms()).bind(BATCH);
        let due = tx.run(due).await?.0;
        if due.is_empty() {
            return Ok(None);
        }
        let remove = format!("DELETE FROM artifacts AS a WHERE a.digest = $1 AND {}", is_unused(self.kind()));
        let mut removed = 0;
        for row in due {
            let digest = Record { table: "unused_artifacts", id_column: "digest", row }.text("digest")?;
            let of_digest = |sql: &str| Statement::new(sql.to_owned()).bind(digest.as_str());
            if tx.run(of_digest(&remove)).await?.1 > 0 {
                removed += 1;
                tx.run(of_digest("DELETE FROM rebuilt_artifacts WHERE digest = $1")).await?;
            }
            tx.run(of_digest("DELETE FROM unused_artifacts WHERE digest = $1")).await?;
        }
        tx.commit().await?;
        Ok(Some(removed))
    }

    /// How many artifacts are to go, up to `limit`.
    pub(crate) async fn count_unused_artifacts(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<i64, StorageError> {
        let count = "SELECT COUNT(*) AS ended FROM
             (SELECT 1 AS one FROM unused_artifacts WHERE since <= $1 LIMIT $2) w";
        let until = now.plus_secs(-UNUSED_SECS).as_ms();
        let rows = self.read(Statement::new(count).bind(until).bind(i64::from(limit))).await?;
        let row = rows.into_iter().next().ok_or(StorageError::NoRow)?;
        Record { table: "unused_artifacts", id_column: "ended", row }.int("ended")
    }
}

/// The condition that no tenant has a version or a draft of the artifact `a`, and that it stands in for none that another JS
/// engine made. A draft and its version, or a version and the one that is the same again, come to be in one transaction:
/// there is no moment between them. (`actions:` modules have no artifacts: their code is in the Action's.)
pub(crate) fn is_unused(kind: DatabaseKind) -> String {
    let draft = match kind {
        // The `+` takes the column's type away: to an expression that is indexed, no other type may be applied.
        DatabaseKind::Sqlite => "json_extract(n.draft, '$.digest') = +a.digest".to_owned(),
        DatabaseKind::Postgres => format!("({} ->> 'digest') COLLATE \"C\" = a.digest", as_jsonb("n.draft")),
    };
    format!(
        "NOT EXISTS (SELECT 1 FROM action_versions n WHERE n.digest = a.digest)
         AND NOT EXISTS (SELECT 1 FROM rebuilt_artifacts n WHERE n.rebuilt = a.digest)
         AND NOT EXISTS (SELECT 1 FROM actions n WHERE {draft})"
    )
}

impl TenantTx {
    /// Stores the artifact. Harmless when it is there: a digest has one content. What needs it is stored in the same
    /// transaction.
    pub async fn put_artifact(
        &mut self,
        digest: &str,
        kind_json: &str,
        bytes: &[u8],
    ) -> Result<(), StorageError> {
        // First: who removes it has locked this, or passes over it.
        let used = Statement::new("DELETE FROM unused_artifacts WHERE digest = $1").bind(digest);
        self.run_for_all(used).await?;
        let query = Statement::new(
            "INSERT INTO artifacts (digest, kind, bytes) VALUES ($1, $2, $3) ON CONFLICT (digest) DO NOTHING",
        )
        .bind(digest.to_owned())
        .bind(kind_json.to_owned())
        .bind(bytes.to_vec());
        self.run_for_all(query).await
    }

    /// Notes what was built from that artifact's source for this JS engine. Another node may have been first.
    pub async fn put_rebuilt_artifact(
        &mut self,
        digest: &str,
        engine: &str,
        rebuilt: &str,
    ) -> Result<(), StorageError> {
        let query = Statement::new(
            "INSERT INTO rebuilt_artifacts (digest, engine, rebuilt) VALUES ($1, $2, $3)
             ON CONFLICT (digest, engine) DO NOTHING",
        )
        .bind(digest)
        .bind(engine)
        .bind(rebuilt);
        self.run_for_all(query).await
    }
}

/// The source of a version, from its row.
pub(crate) fn source(row: &Record) -> Result<ActionSource, StorageError> {
    let (file_name, modules) = match row.opt_text("source_files")? {
        Some(_) => row.json("source_files")?,
        None => ("action.js".to_owned(), BTreeMap::new()),
    };
    Ok(ActionSource { file_name, code: row.text("source")?, modules })
}
