use serde::{Deserialize, Serialize};

use crate::{ActionModuleId, Dependency, SecretName, Timestamp};

/// Code of a tenant that its Actions share: `require('actions:NAME')`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionModule {
    /// A UUID.
    pub id: ActionModuleId,
    /// Unique in the tenant, and stays as it is.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its author changed it last.
    pub updated_at: Timestamp,
    /// What its author works on.
    pub draft: ModuleContent,
    /// The newest version.
    pub latest: Option<ActionModuleVersion>,
}

/// What an author sets of a module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleContent {
    /// The script.
    pub code: String,
    /// The npm packages that its author names. None can be installed.
    pub dependencies: Vec<Dependency>,
    /// Its secrets, without their values.
    pub secrets: Vec<SecretName>,
    /// JSON of its secrets, sealed with the installation's key.
    pub sealed_secrets: Option<String>,
}

/// One immutable version of a module. Versions count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionModuleVersion {
    /// Of which module.
    pub module_id: ActionModuleId,
    /// From 1.
    pub number: i64,
    /// What was published.
    pub content: ModuleContent,
    /// When it was published.
    pub created_at: Timestamp,
}
