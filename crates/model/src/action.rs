use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ActionId, Timestamp};

/// A tenant's Action, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// As `act_...`.
    pub id: ActionId,
    /// Unique in the tenant.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
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
    /// When it was deployed.
    pub created_at: Timestamp,
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
    /// The `RunReport` as JSON, without secrets.
    pub report: Value,
    /// When it ran.
    pub created_at: Timestamp,
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
