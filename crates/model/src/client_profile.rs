use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::profile::{optional_fields, values};
use crate::{Client, PublicKeyCredential, Timestamp};

/// A client with all that its people have set.
#[derive(Debug, Clone, PartialEq)]
pub struct ManagedClient {
    /// What has an effect.
    pub client: Client,
    /// What has none.
    pub profile: ClientProfile,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

optional_fields! {
    /// The settings of a client that are kept for its people and tools: they have no effect on what this server does.
    pub struct ClientProfile {
        description: String,
        logo_uri: String,
        oidc_conformant: bool,
        sso: bool,
        cross_origin_authentication: bool,
        cross_origin_loc: String,
        custom_login_page_on: bool,
        custom_login_page: String,
        custom_login_page_preview: String,
        form_template: String,
        initiate_login_uri: String,
        allowed_clients: Vec<String>,
        client_aliases: Vec<String>,
        addons: Map<String, Value>,
        mobile: Mobile,
        native_social_login: NativeSocialLogin,
        jwt_configuration: JwtProfile,
        session_transfer: SessionTransferProfile,
        organization_require_behavior: OrganizationRequireBehavior,
        organization_discovery_methods: Vec<OrganizationDiscoveryMethod>,
        encryption_key: Map<String, Value>,
        token_exchange: TokenExchange,
        skip_non_verifiable_callback_uri_confirmation_prompt: bool,
        async_approval_notification_channels: Vec<ApprovalChannel>,
        express_configuration: Map<String, Value>,
        my_organization_configuration: Map<String, Value>,
        anonymous_sessions: Map<String, Value>,
        b2b_integration_configuration: Map<String, Value>,
        identity_assertion_authorization_grant: Map<String, Value>,
        #[schema(ignore)]
        /// Public keys that are registered and not in use: [`Client::client_authentication_methods`] has those that are.
        credentials: Vec<PublicKeyCredential>,
        #[schema(ignore)]
        /// What a client with mutual TLS would be known by.
        tls_credentials: Vec<TlsCredential>,
    }
}

/// A certificate that a client would authenticate with (RFC 8705 §2), as its people registered it. It is for display.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsCredential {
    /// As `cred_...`.
    pub id: String,
    /// What it is.
    pub credential_type: TlsCredentialType,
    /// What people call it.
    #[serde(default)]
    pub name: String,
    /// The subject of its certificates (RFC 8705 §2.1.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_dn: Option<String>,
    /// The certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pem: Option<String>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// Whether the client's method names it.
    #[serde(default)]
    pub in_use: bool,
}

values! {
    /// What a [`TlsCredential`] is.
    pub enum TlsCredentialType("snake_case") {
        X509Cert,
        CertSubjectDn,
    }
}

optional_fields! {
    /// `jwt_configuration` but for what has an effect.
    pub struct JwtProfile {
        secret_encoded: bool,
        scopes: Map<String, Value>,
    }
}

optional_fields! {
    /// `session_transfer` but for what has an effect.
    pub struct SessionTransferProfile {
        delegation: Delegation,
    }
}

optional_fields! {
    /// `session_transfer.delegation`.
    pub struct Delegation {
        allow_delegated_access: bool,
        enforce_device_binding: DelegationBinding,
    }
}

optional_fields! {
    /// `mobile`.
    pub struct Mobile {
        android: MobileAndroid,
        ios: MobileIos,
    }
}

optional_fields! {
    /// `mobile.android`.
    pub struct MobileAndroid {
        app_package_name: String,
        sha256_cert_fingerprints: Vec<String>,
    }
}

optional_fields! {
    /// `mobile.ios`.
    pub struct MobileIos {
        team_id: String,
        app_bundle_identifier: String,
    }
}

optional_fields! {
    /// `native_social_login`.
    pub struct NativeSocialLogin {
        apple: Enabled,
        facebook: Enabled,
        google: Enabled,
    }
}

optional_fields! {
    /// Something that is on or off.
    pub struct Enabled {
        enabled: bool,
    }
}

optional_fields! {
    /// `default_organization`.
    pub struct DefaultOrganization {
        organization_id: String,
        flows: Vec<String>,
    }
}

optional_fields! {
    /// `signed_request_object`.
    pub struct SignedRequestObject {
        required: bool,
        credentials: Vec<Map<String, Value>>,
    }
}

optional_fields! {
    /// `token_exchange`.
    pub struct TokenExchange {
        allow_any_profile_of_type: Vec<TokenExchangeType>,
    }
}

optional_fields! {
    /// `token_quota`.
    pub struct TokenQuota {
        client_credentials: TokenQuotaLimits,
    }
}

optional_fields! {
    /// `token_quota.client_credentials`.
    pub struct TokenQuotaLimits {
        enforce: bool,
        per_day: i64,
        per_hour: i64,
    }
}

values! {
    /// `session_transfer.delegation.enforce_device_binding`.
    pub enum DelegationBinding("lowercase") {
        Ip,
        Asn,
        None,
    }
}

values! {
    /// `organization_require_behavior`.
    pub enum OrganizationRequireBehavior("snake_case") {
        NoPrompt,
        PreLoginPrompt,
        PostLoginPrompt,
    }
}

values! {
    /// One of `organization_discovery_methods`.
    pub enum OrganizationDiscoveryMethod("snake_case") {
        Email,
        OrganizationName,
    }
}

values! {
    /// `compliance_level`.
    pub enum ComplianceLevel("snake_case") {
        None,
        Fapi1AdvPkjPar,
        Fapi1AdvMtlsPar,
        Fapi2SpPkjMtls,
        Fapi2SpMtlsMtls,
    }
}

values! {
    /// One of `token_exchange.allow_any_profile_of_type`.
    pub enum TokenExchangeType("snake_case") {
        CustomAuthentication,
        OnBehalfOfTokenExchange,
    }
}

values! {
    /// `third_party_security_mode`.
    pub enum ThirdPartySecurityMode("snake_case") {
        Strict,
        Permissive,
    }
}

values! {
    /// `redirection_policy`.
    pub enum RedirectionPolicy("snake_case") {
        AllowAlways,
        OpenRedirectProtection,
    }
}

values! {
    /// One of `async_approval_notification_channels`.
    pub enum ApprovalChannel("kebab-case") {
        GuardianPush,
        Email,
    }
}
