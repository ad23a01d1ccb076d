//! Which Actions run at a trigger, in which order.

use model::{ActionBinding, ActionId, ActionSettings, BoundModule, TriggerBinding, UsedModule};

use crate::actions::allowed_hosts;
use crate::{StorageError, TenantTx};

const POST_LOGIN: &str = "post-login";

impl TenantTx {
    /// What runs at a login, in its order: the deployed versions.
    pub async fn bindings(&mut self) -> Result<Vec<ActionBinding>, StorageError> {
        let query = self
            .sql(
                "SELECT a.id, a.name, a.allowed_hosts, v.number, v.digest, v.sealed_secrets, v.settings
                 FROM action_bindings b
                 JOIN actions a ON a.tenant_id = b.tenant_id AND a.id = b.action_id
                 JOIN action_versions v ON v.tenant_id = a.tenant_id AND v.action_id = a.id
                     AND v.number = a.deployed_version
                 WHERE b.tenant_id = $1 AND b.trigger_id = $2 ORDER BY b.position, a.id",
            )
            .bind(POST_LOGIN);
        let rows = self.rows("action_bindings", "id", query).await?;
        let mut bindings = Vec::with_capacity(rows.len());
        for row in rows {
            let settings: Option<ActionSettings> =
                row.opt_text("settings")?.is_some().then(|| row.json("settings")).transpose()?;
            let mut modules = Vec::new();
            for used in settings.map(|settings| settings.modules).unwrap_or_default() {
                modules.extend(self.bound_module(used).await?);
            }
            bindings.push(ActionBinding {
                action_id: ActionId::new(row.text("id")?),
                name: row.text("name")?,
                version: row.int("number")?,
                digest: row.text("digest")?,
                sealed_secrets: row.opt_text("sealed_secrets")?,
                allowed_hosts: allowed_hosts(&row)?,
                modules,
            });
        }
        Ok(bindings)
    }

    /// The secrets of that version of a module; `None`: it has none.
    async fn bound_module(&mut self, used: UsedModule) -> Result<Option<BoundModule>, StorageError> {
        let UsedModule { id, name, number } = used;
        let content = self.action_module_version(&id, number).await?.map(|version| version.content);
        let sealed = content.and_then(|content| content.sealed_secrets);
        Ok(sealed.map(|sealed_secrets| BoundModule { id, name, sealed_secrets }))
    }

    /// The Actions that are bound to a trigger, in their order.
    pub async fn trigger_bindings(&mut self, trigger: &str) -> Result<Vec<TriggerBinding>, StorageError> {
        let query = self
            .sql(
                "SELECT a.id, b.display_name, COALESCE(b.created_at, a.created_at) AS created_at,
                     COALESCE(b.updated_at, a.created_at) AS updated_at, a.name FROM action_bindings b
                 JOIN actions a ON a.tenant_id = b.tenant_id AND a.id = b.action_id
                 WHERE b.tenant_id = $1 AND b.trigger_id = $2 ORDER BY b.position, a.id",
            )
            .bind(trigger);
        let rows = self.rows("action_bindings", "id", query).await?;
        rows.iter()
            .map(|row| {
                let display_name = row.opt_text("display_name")?;
                Ok(TriggerBinding {
                    action_id: ActionId::new(row.text("id")?),
                    display_name: display_name.map_or_else(|| row.text("name"), Ok)?,
                    created_at: row.time("created_at")?,
                    updated_at: row.time("updated_at")?,
                })
            })
            .collect()
    }

    /// Replaces what is bound to a trigger: these Actions, in this order.
    pub async fn set_trigger_bindings(
        &mut self,
        trigger: &str,
        bindings: &[TriggerBinding],
    ) -> Result<(), StorageError> {
        let query =
            self.sql("DELETE FROM action_bindings WHERE tenant_id = $1 AND trigger_id = $2").bind(trigger);
        self.run(query).await?;
        for (position, binding) in (1_i64..).zip(bindings) {
            let query = self
                .sql(
                    "INSERT INTO action_bindings (tenant_id, trigger_id, action_id, position, display_name, created_at,
                         updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
                )
                .bind(trigger)
                .bind(binding.action_id.as_str())
                .bind(position)
                .bind(binding.display_name.as_str())
                .bind(binding.created_at.as_ms())
                .bind(binding.updated_at.as_ms());
            self.run(query).await?;
        }
        Ok(())
    }

    /// Whether an Action is bound to any trigger.
    pub async fn is_bound(&mut self, action: &ActionId) -> Result<bool, StorageError> {
        let query = self
            .sql("SELECT action_id FROM action_bindings WHERE tenant_id = $1 AND action_id = $2")
            .bind(action.as_str());
        Ok(self.row("action_bindings", "action_id", query).await?.is_some())
    }
}
