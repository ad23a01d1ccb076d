//! Actions, their versions and artifacts, what runs at a login, and the records of it.

use std::collections::BTreeMap;

use model::{
    Action, ActionBinding, ActionId, ActionSource, ActionVersion, AllowedHosts, Execution, Timestamp,
};

use crate::row::{Record, to_json};
use crate::statement::Statement;
use crate::{Storage, StorageError, TenantTx};

const POST_LOGIN: &str = "post-login";
/// Versions that an Action keeps; the oldest one goes then.
const VERSIONS_PER_ACTION: i64 = 50;

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
        let (file_name, modules) = match row.opt_text("source_files")? {
            Some(_) => row.json("source_files")?,
            None => ("action.js".to_owned(), BTreeMap::new()),
        };
        Ok(Some(ActionSource { file_name, code: row.text("source")?, modules }))
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

    /// Deploys a new version of the Action of that name. A new name makes an Action with `new_id`. The version has the
    /// secrets that are given here and no others. The Action comes last at a login, unless it has its place already.
    pub async fn deploy_action(
        &mut self,
        new_id: &ActionId,
        name: &str,
        source: &ActionSource,
        digest: &str,
        sealed_secrets: Option<&str>,
        now: Timestamp,
    ) -> Result<ActionVersion, StorageError> {
        self.lock_settings().await?;
        let query = self
            .sql(
                "INSERT INTO actions (tenant_id, id, name, created_at, deployed_version) VALUES ($1, $2, $3, $4, 1)
                 ON CONFLICT (tenant_id, name) DO UPDATE SET deployed_version =
                     (SELECT COALESCE(MAX(number), 0) + 1 FROM action_versions
                      WHERE tenant_id = $1 AND action_id = actions.id)
                 RETURNING id, deployed_version",
            )
            .bind(new_id.as_str())
            .bind(name)
            .bind(now.as_ms());
        let row = self.row("actions", "id", query).await?.ok_or(StorageError::NoRow)?;
        let version = ActionVersion {
            action_id: ActionId::new(row.text("id")?),
            number: row.int("deployed_version")?,
            digest: digest.to_owned(),
            source: source.clone(),
            created_at: now,
        };

        let query = self
            .sql(
                "INSERT INTO action_versions (tenant_id, action_id, number, digest, source, source_files, sealed_secrets,
                     created_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            )
            .bind(version.action_id.as_str())
            .bind(version.number)
            .bind(digest)
            .bind(source.code.as_str())
            .bind(to_json(&(&source.file_name, &source.modules))?)
            .bind(sealed_secrets.map(str::to_owned))
            .bind(now.as_ms());
        self.run(query).await?;

        let query = self
            .sql("DELETE FROM action_versions WHERE tenant_id = $1 AND action_id = $2 AND number <= $3")
            .bind(version.action_id.as_str())
            .bind(version.number - VERSIONS_PER_ACTION);
        self.run(query).await?;

        let query = self
            .sql(
                "INSERT INTO action_bindings (tenant_id, trigger_id, action_id, position)
                 VALUES ($1, $2, $3, (SELECT COALESCE(MAX(position), 0) + 1 FROM action_bindings
                     WHERE tenant_id = $1 AND trigger_id = $2))
                 ON CONFLICT (tenant_id, trigger_id, action_id) DO NOTHING",
            )
            .bind(POST_LOGIN)
            .bind(version.action_id.as_str());
        self.run(query).await?;
        Ok(version)
    }

    /// Sets where the requests of an Action may go.
    pub async fn set_allowed_hosts(
        &mut self,
        action: &ActionId,
        hosts: &AllowedHosts,
    ) -> Result<(), StorageError> {
        self.lock_settings().await?;
        let hosts = match hosts {
            AllowedHosts::Any => None,
            AllowedHosts::Only(_) => Some(to_json(hosts)?),
        };
        let query = self
            .sql("UPDATE actions SET allowed_hosts = $3 WHERE tenant_id = $1 AND id = $2")
            .bind(action.as_str())
            .bind(hosts);
        self.run(query).await.map(drop)
    }

    /// All Actions by name, with the version that is deployed.
    pub async fn actions(&mut self) -> Result<Vec<(Action, Option<i64>)>, StorageError> {
        let query = self.sql(
            "SELECT id, name, deployed_version, created_at FROM actions WHERE tenant_id = $1 ORDER BY name",
        );
        let rows = self.rows("actions", "id", query).await?;
        rows.iter()
            .map(|row| {
                let action = Action {
                    id: ActionId::new(row.text("id")?),
                    name: row.text("name")?,
                    created_at: row.time("created_at")?,
                };
                Ok((action, row.opt_int("deployed_version")?))
            })
            .collect()
    }

    /// What runs at a login, in its order: the deployed versions.
    pub async fn bindings(&mut self) -> Result<Vec<ActionBinding>, StorageError> {
        let query = self
            .sql(
                "SELECT a.id, a.name, a.allowed_hosts, v.number, v.digest, v.sealed_secrets FROM action_bindings b
                 JOIN actions a ON a.tenant_id = b.tenant_id AND a.id = b.action_id
                 JOIN action_versions v ON v.tenant_id = a.tenant_id AND v.action_id = a.id
                     AND v.number = a.deployed_version
                 WHERE b.tenant_id = $1 AND b.trigger_id = $2 ORDER BY b.position, a.id",
            )
            .bind(POST_LOGIN);
        let rows = self.rows("action_bindings", "id", query).await?;
        rows.iter()
            .map(|row| {
                Ok(ActionBinding {
                    action_id: ActionId::new(row.text("id")?),
                    name: row.text("name")?,
                    version: row.int("number")?,
                    digest: row.text("digest")?,
                    sealed_secrets: row.opt_text("sealed_secrets")?,
                    allowed_hosts: match row.opt_text("allowed_hosts")? {
                        Some(_) => row.json("allowed_hosts")?,
                        None => AllowedHosts::Any,
                    },
                })
            })
            .collect()
    }

    /// Records a run in the login of that transaction.
    pub async fn insert_execution(
        &mut self,
        transaction_id: &str,
        execution: &Execution,
    ) -> Result<(), StorageError> {
        let query = self
            .sql(
                "INSERT INTO executions (tenant_id, transaction_id, action_id, action_name, version, report,
                     created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(transaction_id)
            .bind(execution.action_id.as_str())
            .bind(execution.action_name.as_str())
            .bind(execution.version)
            .bind(to_json(&execution.report)?)
            .bind(execution.created_at.as_ms());
        self.write(query)
    }

    /// The last runs with their transactions, newest first.
    pub async fn executions(&mut self, limit: i64) -> Result<Vec<(String, Execution)>, StorageError> {
        let query = self
            .sql(
                "SELECT transaction_id, action_id, action_name, version, report, created_at FROM executions
                 WHERE tenant_id = $1 ORDER BY id DESC LIMIT $2",
            )
            .bind(limit.max(0));
        let rows = self.rows("executions", "transaction_id", query).await?;
        rows.iter()
            .map(|row| {
                let execution = Execution {
                    action_id: ActionId::new(row.text("action_id")?),
                    action_name: row.text("action_name")?,
                    version: row.int("version")?,
                    report: row.json("report")?,
                    created_at: row.time("created_at")?,
                };
                Ok((row.text("transaction_id")?, execution))
            })
            .collect()
    }
}
