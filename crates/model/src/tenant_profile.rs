use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::TokenQuotaLimits;
use crate::profile::{optional_fields, values};

optional_fields! {
    /// The settings of a tenant that are kept for its people and tools: but for `default_directory` they have no effect
    /// on what this server does.
    pub struct TenantProfile {
        picture_url: String,
        support_email: String,
        support_url: String,
        /// The connection of the grant `password` without `realm`, by name.
        default_directory: String,
        default_redirection_uri: String,
        enabled_locales: Vec<String>,
        error_page: ErrorPage,
        change_password: CustomPage,
        guardian_mfa_page: CustomPage,
        device_flow: DeviceFlow,
        flags: OtherFlags,
        sandbox_version: String,
        legacy_sandbox_version: String,
        acr_values_supported: Vec<String>,
        mtls: Mtls,
        authorization_response_iss_parameter_supported: bool,
        customize_mfa_in_postlogin_action: bool,
        skip_non_verifiable_callback_uri_confirmation_prompt: bool,
        resource_parameter_profile: ResourceParameterProfile,
        client_id_metadata_document_supported: bool,
        default_token_quota: DefaultTokenQuota,
        security_headers: Map<String, Value>,
        sessions: SessionsProfile,
        phone_consolidated_experience: bool,
        enable_ai_guide: bool,
        universal_login: Map<String, Value>,
        country_codes: Map<String, Value>,
        dynamic_client_registration_security_mode: DynamicRegistrationMode,
    }
}

optional_fields! {
    /// `error_page`.
    pub struct ErrorPage {
        html: String,
        show_log_link: bool,
        url: String,
    }
}

optional_fields! {
    /// A page of the tenant's own.
    pub struct CustomPage {
        enabled: bool,
        html: String,
    }
}

optional_fields! {
    /// `device_flow`.
    pub struct DeviceFlow {
        charset: UserCodeCharset,
        mask: String,
    }
}

optional_fields! {
    /// `mtls`.
    pub struct Mtls {
        enable_endpoint_aliases: bool,
    }
}

optional_fields! {
    /// `default_token_quota`.
    pub struct DefaultTokenQuota {
        clients: DefaultTokenQuotaOf,
        organizations: DefaultTokenQuotaOf,
    }
}

optional_fields! {
    /// `default_token_quota.clients` or `.organizations`.
    pub struct DefaultTokenQuotaOf {
        client_credentials: TokenQuotaLimits,
    }
}

optional_fields! {
    /// `sessions` but for what has an effect.
    pub struct SessionsProfile {
        anonymous: Map<String, Value>,
    }
}

optional_fields! {
    /// `flags` but for those that have an effect.
    pub struct OtherFlags {
        allow_changing_enable_sso: bool,
        allow_legacy_delegation_grant_types: bool,
        allow_legacy_ro_grant_types: bool,
        allow_legacy_tokeninfo_endpoint: bool,
        change_pwd_flow_v1: bool,
        custom_domains_provisioning: bool,
        dashboard_insights_view: bool,
        dashboard_log_streams_next: bool,
        disable_clickjack_protection_headers: bool,
        disable_fields_map_fix: bool,
        disable_impersonation: bool,
        disable_management_api_sms_obfuscation: bool,
        enable_adfs_waad_email_verification: bool,
        enable_apis_section: bool,
        enable_client_connections: bool,
        enable_custom_domain_in_emails: bool,
        enable_dynamic_client_registration: bool,
        enable_idtoken_api2: bool,
        enable_legacy_profile: bool,
        enable_pipeline2: bool,
        enable_public_signup_user_exists_error: bool,
        enable_sso: bool,
        enforce_client_authentication_on_passwordless_start: bool,
        genai_trial: bool,
        improved_signup_bot_detection_in_classic: bool,
        mfa_show_factor_list_on_enrollment: bool,
        no_disclose_enterprise_connections: bool,
        remove_alg_from_jwks: bool,
        trust_azure_adfs_email_verified_connection_property: bool,
        universal_login: bool,
        use_scope_descriptions_for_consent: bool,
    }
}

values! {
    /// `device_flow.charset`.
    pub enum UserCodeCharset("lowercase") {
        Base20,
        Digits,
    }
}

values! {
    /// `resource_parameter_profile`.
    pub enum ResourceParameterProfile("lowercase") {
        Audience,
        Compatibility,
    }
}

values! {
    /// `dynamic_client_registration_security_mode`.
    pub enum DynamicRegistrationMode("lowercase") {
        Strict,
        Permissive,
    }
}
