//! What Actions were built to, by digest.

use std::collections::BTreeMap;

use model::ActionSource;

use crate::row::Record;
use crate::statement::Statement;
use crate::{Storage, StorageError, TenantTx};

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
}

impl TenantTx {
    /// Stores the artifact. Harmless when it is there: a digest has one content.
    pub async fn put_artifact(
        &mut self,
        digest: &str,
        kind_json: &str,
        bytes: &[u8],
    ) -> Result<(), StorageError> {
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
