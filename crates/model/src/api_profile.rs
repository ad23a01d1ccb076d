use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::profile::{optional_fields, values};
use crate::{ClientGrant, Connection, ResourceServer};

/// An API with all that its people have set.
#[derive(Debug, Clone, PartialEq)]
pub struct ManagedResourceServer {
    /// 24 hexadecimal digits.
    pub id: String,
    /// What has an effect.
    pub server: ResourceServer,
    /// What has none.
    pub profile: ResourceServerProfile,
}

optional_fields! {
    /// The settings of an API that are kept for its people and tools: they have no effect on what this server does.
    pub struct ResourceServerProfile {
        /// What the scopes are for, by their values.
        #[schema(ignore)]
        scope_descriptions: BTreeMap<String, String>,
        token_lifetime_for_web: i64,
        authorization_details: Vec<AuthorizationDetailsType>,
    }
}

optional_fields! {
    /// One of `authorization_details`.
    pub struct AuthorizationDetailsType {
        r#type: String,
    }
}

/// A client grant with all that its people have set.
#[derive(Debug, Clone, PartialEq)]
pub struct ManagedClientGrant {
    /// As `cgr_...`.
    pub id: String,
    /// Whose it is, for which API, and its scopes.
    pub grant: ClientGrant,
    /// The rest.
    pub profile: ClientGrantProfile,
}

impl ManagedClientGrant {
    /// Whose tokens it is for.
    #[must_use]
    pub fn subject_type(&self) -> SubjectType {
        self.profile.subject_type.unwrap_or(SubjectType::Client)
    }

    /// Of these scopes of its API, those that it grants, in their order in the grant.
    #[must_use]
    pub fn scopes_among(&self, of_api: &[String]) -> Vec<String> {
        match self.profile.allow_all_scopes {
            Some(true) => of_api.to_vec(),
            _ => self.grant.scope.iter().filter(|scope| of_api.contains(scope)).cloned().collect(),
        }
    }
}

optional_fields! {
    /// The settings of a client grant besides its scopes. `authorization_details_types` has no effect on what this server
    /// does.
    pub struct ClientGrantProfile {
        organization_usage: GrantOrganizationUsage,
        allow_any_organization: bool,
        subject_type: SubjectType,
        authorization_details_types: Vec<String>,
        allow_all_scopes: bool,
        default_for: DefaultFor,
    }
}

values! {
    /// `default_for` of a client grant.
    pub enum DefaultFor("snake_case") {
        ThirdPartyClients,
    }
}

values! {
    /// `organization_usage` of a client grant.
    pub enum GrantOrganizationUsage("lowercase") {
        Deny,
        Allow,
        Require,
    }
}

values! {
    /// `subject_type`.
    pub enum SubjectType("lowercase") {
        Client,
        User,
    }
}

/// A connection with all that its people have set.
#[derive(Debug, Clone, PartialEq)]
pub struct ManagedConnection {
    /// What has an effect.
    pub connection: Connection,
    /// What has none.
    pub profile: ConnectionProfile,
}

optional_fields! {
    /// The settings of a connection that are kept for its people and tools: they have no effect on what this server does.
    pub struct ConnectionProfile {
        display_name: String,
        is_domain_connection: bool,
        show_as_button: bool,
        realms: Vec<String>,
        options: Map<String, Value>,
        authentication: Active,
        connected_accounts: Active,
    }
}

optional_fields! {
    /// Something that is in use or not.
    pub struct Active {
        active: bool,
    }
}
