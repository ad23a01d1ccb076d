//! `actions:` modules and their versions.

use model::{ActionModule, ActionModuleId, ActionModuleVersion, Timestamp};

use crate::row::{Record, to_json};
use crate::{StorageError, TenantTx};

impl TenantTx {
    /// Stores a new module, which has no version yet. A name that another one has is a conflict.
    pub async fn insert_action_module(&mut self, module: &ActionModule) -> Result<(), StorageError> {
        let query = self
            .sql(
                "INSERT INTO action_modules (tenant_id, id, name, draft, created_at, updated_at)
                 VALUES ($1, $2, $3, $4, $5, $6)",
            )
            .bind(module.id.as_str())
            .bind(module.name.as_str())
            .bind(to_json(&module.draft)?)
            .bind(module.created_at.as_ms())
            .bind(module.updated_at.as_ms());
        self.run(query).await.map(drop)
    }

    /// Stores the draft of a module that is there.
    pub async fn set_action_module(&mut self, module: &ActionModule) -> Result<(), StorageError> {
        let query = self
            .sql("UPDATE action_modules SET draft = $3, updated_at = $4 WHERE tenant_id = $1 AND id = $2")
            .bind(module.id.as_str())
            .bind(to_json(&module.draft)?)
            .bind(module.updated_at.as_ms());
        self.run(query).await.map(drop)
    }

    /// All modules, by name.
    pub async fn action_modules(&mut self) -> Result<Vec<ActionModule>, StorageError> {
        let query = self.sql(
            "SELECT m.id AS id, m.name, m.draft, m.created_at AS made_at, m.updated_at, v.number, v.content, v.created_at
             FROM action_modules m LEFT JOIN action_module_versions v ON v.tenant_id = m.tenant_id
                 AND v.module_id = m.id AND v.number = m.latest_version
             WHERE m.tenant_id = $1 ORDER BY m.name",
        );
        self.rows("action_modules", "id", query).await?.iter().map(module).collect()
    }

    /// The module of that id.
    pub async fn action_module(&mut self, id: &ActionModuleId) -> Result<Option<ActionModule>, StorageError> {
        let query = self
            .sql(
                "SELECT m.id AS id, m.name, m.draft, m.created_at AS made_at, m.updated_at, v.number, v.content,
                     v.created_at
                 FROM action_modules m LEFT JOIN action_module_versions v ON v.tenant_id = m.tenant_id
                     AND v.module_id = m.id AND v.number = m.latest_version
                 WHERE m.tenant_id = $1 AND m.id = $2",
            )
            .bind(id.as_str());
        self.row("action_modules", "id", query).await?.as_ref().map(module).transpose()
    }

    /// Makes the draft of a module its next version.
    pub async fn publish_action_module(
        &mut self,
        module: &ActionModule,
        now: Timestamp,
    ) -> Result<ActionModuleVersion, StorageError> {
        let query = self
            .sql(
                "UPDATE action_modules SET latest_version = COALESCE(latest_version, 0) + 1
                 WHERE tenant_id = $1 AND id = $2 RETURNING id, latest_version",
            )
            .bind(module.id.as_str());
        let row = self.row("action_modules", "id", query).await?.ok_or(StorageError::NoRow)?;
        let version = ActionModuleVersion {
            module_id: module.id.clone(),
            number: row.int("latest_version")?,
            content: module.draft.clone(),
            created_at: now,
        };
        let query = self
            .sql(
                "INSERT INTO action_module_versions (tenant_id, module_id, number, content, created_at)
                 VALUES ($1, $2, $3, $4, $5)",
            )
            .bind(module.id.as_str())
            .bind(version.number)
            .bind(to_json(&version.content)?)
            .bind(now.as_ms());
        self.run(query).await?;
        Ok(version)
    }

    /// The versions of a module, newest first.
    pub async fn action_module_versions(
        &mut self,
        id: &ActionModuleId,
    ) -> Result<Vec<ActionModuleVersion>, StorageError> {
        let query = self
            .sql(
                "SELECT module_id, number, content, created_at FROM action_module_versions
                 WHERE tenant_id = $1 AND module_id = $2 ORDER BY number DESC",
            )
            .bind(id.as_str());
        let rows = self.rows("action_module_versions", "module_id", query).await?;
        rows.iter().map(|row| version(row, id.clone())).collect()
    }

    /// That version of a module.
    pub async fn action_module_version(
        &mut self,
        id: &ActionModuleId,
        number: i64,
    ) -> Result<Option<ActionModuleVersion>, StorageError> {
        let query = self
            .sql(
                "SELECT module_id, number, content, created_at FROM action_module_versions
                 WHERE tenant_id = $1 AND module_id = $2 AND number = $3",
            )
            .bind(id.as_str())
            .bind(number);
        let row = self.row("action_module_versions", "module_id", query).await?;
        row.as_ref().map(|row| version(row, id.clone())).transpose()
    }

    /// Removes a version of a module.
    pub async fn delete_action_module_version(
        &mut self,
        id: &ActionModuleId,
        number: i64,
    ) -> Result<(), StorageError> {
        let query = self
            .sql("DELETE FROM action_module_versions WHERE tenant_id = $1 AND module_id = $2 AND number = $3")
            .bind(id.as_str())
            .bind(number);
        self.run(query).await.map(drop)
    }

    /// Removes a module with its versions. `false`: there is none.
    pub async fn delete_action_module(&mut self, id: &ActionModuleId) -> Result<bool, StorageError> {
        let query = self
            .sql("DELETE FROM action_module_versions WHERE tenant_id = $1 AND module_id = $2")
            .bind(id.as_str());
        self.run(query).await?;
        let query = self.sql("DELETE FROM action_modules WHERE tenant_id = $1 AND id = $2").bind(id.as_str());
        Ok(self.run(query).await? > 0)
    }
}

fn module(row: &Record) -> Result<ActionModule, StorageError> {
    let id = ActionModuleId::new(row.text("id")?);
    let latest = row.opt_int("number")?.map(|_| version(row, id.clone())).transpose()?;
    Ok(ActionModule {
        id,
        name: row.text("name")?,
        created_at: row.time("made_at")?,
        updated_at: row.time("updated_at")?,
        draft: row.json("draft")?,
        latest,
    })
}

fn version(row: &Record, module_id: ActionModuleId) -> Result<ActionModuleVersion, StorageError> {
    Ok(ActionModuleVersion {
        module_id,
        number: row.int("number")?,
        content: row.json("content")?,
        created_at: row.time("created_at")?,
    })
}
