use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ActionId, ActionModuleId, Timestamp};

/// A tenant's Action: what its author works on, and the version that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// A UUID; `act_...` in what older versions of the program stored.
    pub id: ActionId,
    /// Unique in the tenant.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// What its author works on. Nothing of it runs before it is deployed.
    pub draft: ActionDraft,
    /// The version that runs where the Action is bound.
    pub deployed: Option<ActionVersion>,
    /// Where its requests may go.
    pub allowed_hosts: AllowedHosts,
}

impl Action {
    /// Whether what runs is what the draft says.
    #[must_use]
    pub fn all_changes_deployed(&self) -> bool {
        let Self { draft, deployed: Some(version), .. } = self else { return false };
        // The code of a component is in its artifact alone.
        let is_same_component =
            !draft.source.code.is_empty() || draft.digest.as_ref() == Some(&version.digest);
        (&version.source, &version.settings) == (&draft.source, &draft.settings) && is_same_component
    }
}

/// What an author works on, and what came of building it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionDraft {
    /// What the author wrote.
    pub source: ActionSource,
    /// What belongs to it.
    pub settings: ActionSettings,
    /// JSON of its secrets, sealed with the installation's key.
    pub sealed_secrets: Option<String>,
    /// The artifact that it was built to; `None`: it did not build.
    pub digest: Option<String>,
    /// Why it did not build.
    pub errors: Vec<BuildMessage>,
    /// When it was built, or was not.
    pub built_at: Timestamp,
    /// When its author changed it last.
    pub updated_at: Timestamp,
}

/// What belongs to the code of an Action: in its draft, and in each version as it was deployed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionSettings {
    /// What the code is, as `node22` or `wasm-component-v1`.
    pub runtime: String,
    /// The trigger that it is for.
    pub supported_triggers: Vec<TriggerVersion>,
    /// The npm packages that its author names. None can be installed.
    pub dependencies: Vec<Dependency>,
    /// The `actions:` modules that it requires, each pinned to a version.
    pub modules: Vec<UsedModule>,
    /// Its secrets, without their values.
    pub secrets: Vec<SecretName>,
}

/// A trigger, and the version of its contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TriggerVersion {
    /// As `post-login`.
    pub id: String,
    /// As `v3`.
    pub version: String,
}

/// An npm package as an author names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Dependency {
    /// The package.
    pub name: String,
    /// Which version of it.
    pub version: String,
    /// Where it is from, when that is not npm's own registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub registry_url: Option<String>,
}

/// A version of an `actions:` module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsedModule {
    /// Which module.
    pub id: ActionModuleId,
    /// Its name, as in `require('actions:NAME')`.
    pub name: String,
    /// The version of it.
    pub number: i64,
}

/// A secret whose value is elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretName {
    /// The property of `event.secrets`.
    pub name: String,
    /// When its value was set.
    pub updated_at: Timestamp,
}

/// Why something does not build. For its author.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildMessage {
    /// Which kind of mistake, as `SyntaxError`.
    pub id: String,
    /// What is wrong, with file, line and column where they are known.
    pub msg: String,
}

/// What an author deployed: for reading again, and for building it again for another version of the JS engine. Of a
/// component nothing is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionSource {
    /// The name that positions in errors carry, as `action.ts`. It says which language the script is in.
    pub file_name: String,
    /// The script.
    pub code: String,
    /// The files that it requires or imports, by their path from the script's folder.
    pub modules: BTreeMap<String, String>,
}

/// Hosts that an Action may send requests to: a policy of the tenant, beside the server's address guard.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AllowedHosts {
    /// Any host. Names that it asks for may carry data out.
    #[default]
    Any,
    /// These: host names, and `*.example.com` for all names below one. Lower case.
    Only(Vec<String>),
}

impl AllowedHosts {
    /// Whether requests may go to this host, as a URL names it: lower case, punycode.
    #[must_use]
    pub fn allows(&self, host: &str) -> bool {
        let Self::Only(hosts) = self else { return true };
        hosts.iter().any(|allowed| match allowed.strip_prefix('*') {
            Some(below) => host.len() > below.len() && host.ends_with(below),
            None => host == allowed,
        })
    }
}

/// One immutable version of an Action. Versions count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionVersion {
    /// Of which Action.
    pub action_id: ActionId,
    /// From 1.
    pub number: i64,
    /// The artifact that it runs.
    pub digest: String,
    /// What the author deployed.
    pub source: ActionSource,
    /// What belongs to it.
    pub settings: ActionSettings,
    /// JSON of its secrets, sealed with the installation's key.
    pub sealed_secrets: Option<String>,
    /// When it was deployed.
    pub created_at: Timestamp,
}

/// The place of an Action at a trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriggerBinding {
    /// Which Action.
    pub action_id: ActionId,
    /// What the tenant calls it there.
    pub display_name: String,
    /// When it was bound.
    pub created_at: Timestamp,
    /// When that was changed last.
    pub updated_at: Timestamp,
}

/// An Action that runs at a trigger, with all that a login needs to run it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionBinding {
    /// Which Action.
    pub action_id: ActionId,
    /// Its name, for records.
    pub name: String,
    /// The deployed version.
    pub version: i64,
    /// Its artifact.
    pub digest: String,
    /// JSON of its secrets, sealed with the installation's key.
    pub sealed_secrets: Option<String>,
    /// Where its requests may go.
    pub allowed_hosts: AllowedHosts,
    /// The `actions:` modules that have secrets.
    pub modules: Vec<BoundModule>,
}

/// An `actions:` module of a bound Action, with its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundModule {
    /// Which module.
    pub id: ActionModuleId,
    /// Its name.
    pub name: String,
    /// JSON of its secrets, sealed with the installation's key.
    pub sealed_secrets: String,
}

/// The record of one run in a login.
#[derive(Debug, Clone, PartialEq)]
pub struct Execution {
    /// Which Action.
    pub action_id: ActionId,
    /// Its name at that time.
    pub action_name: String,
    /// The version that ran.
    pub version: i64,
    /// The execution of the trigger that it is part of; `None` in what older versions of the program stored.
    pub execution_id: Option<String>,
    /// What became of the execution after this run.
    pub status: ExecutionStatus,
    /// The `RunReport` as JSON, without secrets.
    pub report: Value,
    /// When it ran.
    pub created_at: Timestamp,
}

/// What became of an execution of a trigger.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ExecutionStatus {
    /// It ran to its end.
    #[default]
    Final,
    /// An Action failed, so that what followed did not run.
    Partial,
    /// The browser has left for an Action. When it is back, that is another execution.
    Suspended,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_for_the_names_below_and_for_whole_labels() {
        let hosts = AllowedHosts::Only(vec!["api.example".to_owned(), "*.example.com".to_owned()]);
        for allowed in ["api.example", "a.example.com", "a.b.example.com"] {
            assert!(hosts.allows(allowed), "{allowed}");
        }
        for refused in
            ["example.com", "evilexample.com", "x.api.example", "api.example.evil", ".example.com", ""]
        {
            assert!(!hosts.allows(refused), "{refused}");
        }
        assert!(AllowedHosts::Any.allows("anything"));
        assert!(!AllowedHosts::Only(Vec::new()).allows("anything"));
    }
}
