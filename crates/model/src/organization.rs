use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{ConnectionId, GroupId, OrganizationId, Timestamp};

/// A customer of a tenant, in whose name its users log in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Organization {
    /// As `org_...`.
    pub id: OrganizationId,
    /// What programs call it: lower-case letters, digits, `-` and `_`.
    pub name: String,
    /// What people call it.
    pub display_name: String,
    /// What pages in its name may look like. This server's look the same for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub branding: Option<OrganizationBranding>,
    /// Free data for Actions.
    #[serde(default)]
    #[schema(required = true)]
    pub metadata: BTreeMap<String, String>,
}

/// `branding` of an organization.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrganizationBranding {
    /// An https address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo_url: Option<String>,
    /// Its two colors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colors: Option<OrganizationColors>,
}

/// `branding.colors` of an organization, as `#rrggbb`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of the Management API")]
pub struct OrganizationColors {
    pub primary: String,
    pub page_background: String,
}

/// A connection of an organization. Its users log in by it whether it is named here or not: it is kept for tools.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrganizationConnection {
    /// Which.
    pub connection_id: ConnectionId,
    /// Whoever logs in by it is a member from then on.
    #[serde(default)]
    #[schema(required = true)]
    pub assign_membership_on_login: bool,
    /// Pages offer it.
    #[serde(default = "shown")]
    #[schema(required = true)]
    pub show_as_button: bool,
    /// Users may sign up at it.
    #[serde(default)]
    #[schema(required = true)]
    pub is_signup_enabled: bool,
}

fn shown() -> bool {
    true
}

/// Whether a client's users log in in the name of an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
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
