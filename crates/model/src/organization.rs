use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{ConnectionId, GroupId, OrganizationId, Timestamp};

/// A customer of a tenant, in whose name its users log in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    /// As `org_...`.
    pub id: OrganizationId,
    /// What programs call it: lower-case letters, digits, `-` and `_`.
    pub name: String,
    /// What people call it.
    pub display_name: String,
    /// Free data for Actions.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

/// Whether a client's users log in in the name of an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum OrganizationUsage {
    /// Never.
    #[default]
    Deny,
    /// When the request names one.
    Allow,
    /// Always.
    Require,
}

/// A set of users, who have its roles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// As `grp_...`.
    pub id: GroupId,
    /// Two of different scopes may have the same.
    pub name: String,
    /// What it is called where it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Where it counts.
    #[serde(flatten)]
    pub scope: GroupScope,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed; its members and roles are not counted.
    pub updated_at: Timestamp,
}

/// Where a group counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum GroupScope {
    /// In each login.
    Tenant,
    /// In logins of this organization.
    Organization {
        /// Which.
        organization_id: OrganizationId,
    },
    /// In logins by this connection.
    Connection {
        /// Which.
        connection_id: ConnectionId,
    },
}

impl GroupScope {
    /// `tenant`, `organization` or `connection`.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Organization { .. } => "organization",
            Self::Connection { .. } => "connection",
        }
    }
}

/// A group, as one of its members has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The group.
    pub group: Group,
    /// Since when the user is in it.
    pub since: Timestamp,
}
