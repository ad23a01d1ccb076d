//! Actions: drafts, and the versions that were deployed.

use model::{
    Action, ActionDraft, ActionId, ActionSettings, ActionVersion, AllowedHosts, Timestamp, TriggerVersion,
};
use serde_json::Value;

use crate::artifacts::source;
use crate::row::{Record, to_json};
use crate::{StorageError, TenantTx};

/// Versions that an Action keeps; the oldest one goes then.
const VERSIONS_PER_ACTION: i64 = 50;

impl TenantTx {
    /// Stores a new Action, which has no version yet. A name that another one has is a conflict.
    pub async fn insert_action(&mut self, action: &Action) -> Result<(), StorageError> {
        let query = self
            .sql(
                "INSERT INTO actions (tenant_id, id, name, created_at, draft, allowed_hosts)
                 VALUES ($1, $2, $3, $4, $5, $6)",
            )
            .bind(action.id.as_str())
            .bind(action.name.as_str())
            .bind(action.created_at.as_ms())
            .bind(to_json(&action.draft)?)
            .bind(hosts(&action.allowed_hosts)?);
        self.run(query).await.map(drop)
    }

    /// Stores name, draft and allowed hosts of an Action that is there. A name that another one has is a conflict.
    pub async fn set_action(&mut self, action: &Action) -> Result<(), StorageError> {
        let query = self
            .sql(
                "UPDATE actions SET name = $3, draft = $4, allowed_hosts = $5 WHERE tenant_id = $1 AND id = $2",
            )
            .bind(action.id.as_str())
            .bind(action.name.as_str())
            .bind(to_json(&action.draft)?)
            .bind(hosts(&action.allowed_hosts)?);
        self.run(query).await.map(drop)
    }

    /// All Actions, by name.
    pub async fn actions(&mut self) -> Result<Vec<Action>, StorageError> {
        let query = self.sql(
            "SELECT a.id AS id, a.name, a.draft, a.allowed_hosts, a.created_at AS made_at, v.number, v.digest, v.source,
                 v.source_files, v.settings, v.sealed_secrets, v.created_at, k.kind
             FROM actions a LEFT JOIN action_versions v ON v.tenant_id = a.tenant_id AND v.action_id = a.id
                 AND v.number = a.deployed_version
             LEFT JOIN artifacts k ON k.digest = v.digest
             WHERE a.tenant_id = $1 ORDER BY a.name",
        );
        self.rows("actions", "id", query).await?.iter().map(action).collect()
    }

    /// The Action of that id.
    pub async fn action(&mut self, id: &ActionId) -> Result<Option<Action>, StorageError> {
        let query = self
            .sql(
                "SELECT a.id AS id, a.name, a.draft, a.allowed_hosts, a.created_at AS made_at, v.number, v.digest,
                     v.source, v.source_files, v.settings, v.sealed_secrets, v.created_at, k.kind
                 FROM actions a LEFT JOIN action_versions v ON v.tenant_id = a.tenant_id AND v.action_id = a.id
                     AND v.number = a.deployed_version
                 LEFT JOIN artifacts k ON k.digest = v.digest
                 WHERE a.tenant_id = $1 AND a.id = $2",
            )
            .bind(id.as_str());
        self.row("actions", "id", query).await?.as_ref().map(action).transpose()
    }

    /// The id of the Action of that name.
    pub async fn action_id(&mut self, name: &str) -> Result<Option<ActionId>, StorageError> {
        let query = self.sql("SELECT id FROM actions WHERE tenant_id = $1 AND name = $2").bind(name);
        self.row("actions", "id", query).await?.map(|row| row.text("id").map(ActionId::new)).transpose()
    }

    /// Makes the draft of an Action that is built its next version, which runs from now on. The oldest version goes, where
    /// there are too many.
    pub async fn deploy_action(
        &mut self,
        id: &ActionId,
        draft: &ActionDraft,
        digest: &str,
        now: Timestamp,
    ) -> Result<ActionVersion, StorageError> {
        let query = self
            .sql(
                "UPDATE actions SET deployed_version = (SELECT COALESCE(MAX(number), 0) + 1 FROM action_versions
                     WHERE tenant_id = $1 AND action_id = $2)
                 WHERE tenant_id = $1 AND id = $2 RETURNING id, deployed_version",
            )
            .bind(id.as_str());
        let row = self.row("actions", "id", query).await?.ok_or(StorageError::NoRow)?;
        let version = ActionVersion {
            action_id: id.clone(),
            number: row.int("deployed_version")?,
            digest: digest.to_owned(),
            source: draft.source.clone(),
            settings: draft.settings.clone(),
            sealed_secrets: draft.sealed_secrets.clone(),
            created_at: now,
        };
        let query = self
            .sql(
                "INSERT INTO action_versions (tenant_id, action_id, number, digest, source, source_files, settings,
                     sealed_secrets, created_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            )
            .bind(id.as_str())
            .bind(version.number)
            .bind(digest)
            .bind(version.source.code.as_str())
            .bind(to_json(&(&version.source.file_name, &version.source.modules))?)
            .bind(to_json(&version.settings)?)
            .bind(version.sealed_secrets.clone())
            .bind(now.as_ms());
        self.run(query).await?;
        let query = self
            .sql("DELETE FROM action_versions WHERE tenant_id = $1 AND action_id = $2 AND number <= $3")
            .bind(id.as_str())
            .bind(version.number - VERSIONS_PER_ACTION);
        self.run(query).await?;
        Ok(version)
    }

    /// The versions of an Action, newest first.
    pub async fn action_versions(&mut self, id: &ActionId) -> Result<Vec<ActionVersion>, StorageError> {
        let query = self
            .sql(
                "SELECT v.action_id, v.number, v.digest, v.source, v.source_files, v.settings, v.sealed_secrets,
                     v.created_at, k.kind
                 FROM action_versions v LEFT JOIN artifacts k ON k.digest = v.digest
                 WHERE v.tenant_id = $1 AND v.action_id = $2 ORDER BY v.number DESC",
            )
            .bind(id.as_str());
        let rows = self.rows("action_versions", "action_id", query).await?;
        rows.iter().map(|row| version(row, id.clone())).collect()
    }

    /// Replaces the sealed secrets of a version: they were sealed for another name of the Action.
    pub async fn set_sealed_secrets(
        &mut self,
        id: &ActionId,
        number: i64,
        sealed: &str,
    ) -> Result<(), StorageError> {
        let query = self
            .sql(
                "UPDATE action_versions SET sealed_secrets = $4
                 WHERE tenant_id = $1 AND action_id = $2 AND number = $3",
            )
            .bind(id.as_str())
            .bind(number)
            .bind(sealed);
        self.run(query).await.map(drop)
    }

    /// Removes an Action with its versions and bindings. `false`: there is none.
    pub async fn delete_action(&mut self, id: &ActionId) -> Result<bool, StorageError> {
        for sql in [
            "DELETE FROM action_bindings WHERE tenant_id = $1 AND action_id = $2",
            "DELETE FROM action_versions WHERE tenant_id = $1 AND action_id = $2",
        ] {
            let query = self.sql(sql).bind(id.as_str());
            self.run(query).await?;
        }
        let query = self.sql("DELETE FROM actions WHERE tenant_id = $1 AND id = $2").bind(id.as_str());
        Ok(self.run(query).await? > 0)
    }
}

fn hosts(hosts: &AllowedHosts) -> Result<Option<String>, StorageError> {
    match hosts {
        AllowedHosts::Any => Ok(None),
        AllowedHosts::Only(_) => to_json(hosts).map(Some),
    }
}

pub(crate) fn allowed_hosts(row: &Record) -> Result<AllowedHosts, StorageError> {
    match row.opt_text("allowed_hosts")? {
        Some(_) => row.json("allowed_hosts"),
        None => Ok(AllowedHosts::Any),
    }
}

fn action(row: &Record) -> Result<Action, StorageError> {
    let id = ActionId::new(row.text("id")?);
    let created_at = row.time("made_at")?;
    let deployed = row.opt_int("number")?.map(|_| version(row, id.clone())).transpose()?;
    let draft = match (row.opt_text("draft")?, &deployed) {
        (Some(_), _) => row.json("draft")?,
        // An older version of the program has no drafts: what it deployed is what there is to work on.
        (None, Some(deployed)) => draft_of(deployed),
        (None, None) => return Err(row.wrong("draft", "there is neither a draft nor a version")),
    };
    let allowed_hosts = allowed_hosts(row)?;
    Ok(Action { id, name: row.text("name")?, created_at, draft, deployed, allowed_hosts })
}

fn draft_of(version: &ActionVersion) -> ActionDraft {
    ActionDraft {
        source: version.source.clone(),
        settings: version.settings.clone(),
        sealed_secrets: version.sealed_secrets.clone(),
        digest: Some(version.digest.clone()),
        errors: Vec::new(),
        built_at: version.created_at,
        updated_at: version.created_at,
    }
}

fn version(row: &Record, action_id: ActionId) -> Result<ActionVersion, StorageError> {
    let created_at = row.time("created_at")?;
    let sealed_secrets = row.opt_text("sealed_secrets")?;
    let settings = match row.opt_text("settings")? {
        Some(_) => row.json("settings")?,
        None => settings_before(&row.json("kind")?),
    };
    Ok(ActionVersion {
        action_id,
        number: row.int("number")?,
        digest: row.text("digest")?,
        source: source(row)?,
        settings,
        sealed_secrets,
        created_at,
    })
}

/// Of a version that an older version of the program deployed: it says no more than what the artifact is.
fn settings_before(kind: &Value) -> ActionSettings {
    let is_component = kind.get("kind").is_some_and(|kind| kind == "component");
    let runtime = if is_component { "wasm-component-v1" } else { "node22" };
    ActionSettings {
        runtime: runtime.to_owned(),
        supported_triggers: vec![TriggerVersion { id: "post-login".to_owned(), version: "v3".to_owned() }],
        ..ActionSettings::default()
    }
}
