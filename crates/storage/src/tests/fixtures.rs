//! One value of each kind, with every field set that can be.

use std::collections::BTreeMap;

use model::{
    ActionId, ActionSource, AppType, AssertionAlgorithm, AuthenticationMethod, Authenticator,
    AuthenticatorId, AuthorizationCode, AuthorizationRequest, BackchannelLogout, BackchannelLogoutInitiators,
    Client, ClientAuthenticationMethods, ClientGrant, ClientGrantProfile, ClientId, Connection, ConnectionId,
    CookieMode, Device, DeviceCode, DeviceDecision, Execution, ExecutionStatus, FactorType, GeoIp, Group,
    GroupId, GroupScope, InitiatorMode, JwtConfiguration, LogEntry, LogType, LoginHistory, LoginPlace,
    LogoutInitiator, ManagedClientGrant, MetadataChange, MfaToken, OidcLogout, Organization,
    OrganizationBranding, OrganizationColors, OrganizationConnection, OrganizationId, OrganizationUsage,
    PendingAuthorization, PendingAuthorizationId, PossessionMechanism, PrivateKeyJwt, ProofOfPossession,
    PublicKeyCredential, PushedAuthorizationRequest, RefreshToken, RefreshTokenChanges, RefreshTokenId,
    RefreshTokenSettings, RequestOrigin, RequiredFor, ResourceServer, Role, RoleId, Session, SessionId,
    SessionSettings, SessionTransfer, SessionTransferToken, SigningKey, SigningKeyState, StoredAccessToken,
    SubjectTypeAuthorization, Tenant, TenantFlags, TenantId, Timestamp, TokenDialect,
    TokenEndpointAuthMethod, User, UserAuthorization, UserAuthorizationPolicy, UserId,
};
use serde_json::{Map, Value, json};

use crate::Storage;

pub fn now() -> Timestamp {
    Timestamp::from_ms(1_800_000_000_123)
}

pub fn at(secs: i64) -> Timestamp {
    now().plus_secs(secs)
}

pub const ISSUER: &str = "https://acme.test/";

pub fn acme() -> TenantId {
    TenantId::new("acme")
}

pub fn other() -> TenantId {
    TenantId::new("other")
}

pub fn tenant(id: &TenantId) -> Tenant {
    Tenant {
        id: id.clone(),
        friendly_name: "Acme, Inc.".to_owned(),
        default_audience: Some("https://api.acme.test/".to_owned()),
        allowed_logout_urls: vec!["https://acme.test/bye".to_owned()],
        sessions: SessionSettings {
            session_lifetime_secs: 1000,
            idle_session_lifetime_secs: 100,
            cookie_mode: CookieMode::NonPersistent,
            ..SessionSettings::default()
        },
        flags: TenantFlags {
            revoke_refresh_token_grant: true,
            pushed_authorization_requests_supported: true,
            oidc_logout_prompt_enabled: false,
            ..TenantFlags::default()
        },
        created_at: now(),
        settings_version: now().as_ms(),
    }
}

/// Both tenants, without anything in them.
pub async fn with_tenants(storage: &Storage) {
    storage.put_tenant(&tenant(&acme())).await.unwrap();
    storage.put_tenant(&tenant(&other())).await.unwrap();
}

pub fn text(value: &str) -> Option<String> {
    Some(value.to_owned())
}

fn words(values: &[&str]) -> Vec<String> {
    values.iter().map(|&value| value.to_owned()).collect()
}

pub fn map(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

pub fn client_id() -> ClientId {
    ClientId::new("native")
}

pub fn user_id() -> UserId {
    UserId::new("auth0|ann")
}

pub fn connection_id() -> ConnectionId {
    ConnectionId::new("con_1")
}

pub fn client() -> Client {
    Client {
        client_id: client_id(),
        name: "Native \"app\" ü".to_owned(),
        client_secret_hashes: words(&["secret-hash"]),
        app_type: AppType::Native,
        token_endpoint_auth_method: TokenEndpointAuthMethod::None,
        callbacks: words(&["app://callback"]),
        allowed_logout_urls: words(&["app://bye"]),
        web_origins: words(&["https://app.test"]),
        allowed_origins: words(&["https://*.app.test"]),
        grant_types: words(&["authorization_code", "refresh_token"]),
        metadata: BTreeMap::from([("colour".to_owned(), "blue".to_owned())]),
        session_transfer: Some(SessionTransfer::default()),
        refresh_token: RefreshTokenSettings::default(),
        jwt_configuration: JwtConfiguration::default(),
        is_token_endpoint_ip_header_trusted: true,
        require_pushed_authorization_requests: true,
        par_request_expiry: None,
        client_authentication_methods: Some(ClientAuthenticationMethods {
            private_key_jwt: PrivateKeyJwt { credentials: vec![credential()] },
        }),
        require_proof_of_possession: true,
        resource_server_identifier: text("https://api.acme.test/"),
        organization_usage: OrganizationUsage::Require,
        default_organization: None,
        token_quota: None,
        signed_request_object: None,
        compliance_level: None,
        is_first_party: false,
        third_party_security_mode: None,
        redirection_policy: None,
        sso_disabled: true,
        oidc_logout: Some(OidcLogout {
            backchannel_logout_urls: words(&["https://acme.test/logged-out"]),
            backchannel_logout_initiators: Some(BackchannelLogoutInitiators {
                mode: InitiatorMode::Custom,
                selected_initiators: vec![LogoutInitiator::RpLogout, LogoutInitiator::IdpLogout],
            }),
        }),
    }
}

fn credential() -> PublicKeyCredential {
    PublicKeyCredential {
        id: "cred_1".to_owned(),
        kid: "kid".to_owned(),
        name: "first".to_owned(),
        alg: AssertionAlgorithm::PS256,
        pem: "pem".to_owned(),
        expires_at: Some(at(1000)),
        created_at: Some(at(1)),
    }
}

pub fn resource_server() -> ResourceServer {
    ResourceServer {
        identifier: "https://api.acme.test/".to_owned(),
        name: "API".to_owned(),
        scopes: words(&["read", "write"]),
        allow_offline_access: true,
        allow_online_access: true,
        allow_online_access_with_ephemeral_sessions: true,
        token_lifetime_secs: 300,
        token_dialect: TokenDialect::Rfc9068Profile,
        signing_alg: None,
        proof_of_possession: Some(ProofOfPossession {
            mechanism: PossessionMechanism::Dpop,
            required: true,
            required_for: RequiredFor::PublicClients,
        }),
        enforce_policies: true,
        subject_type_authorization: SubjectTypeAuthorization {
            user: UserAuthorization { policy: UserAuthorizationPolicy::DenyAll },
            ..SubjectTypeAuthorization::default()
        },
        token_encryption: None,
        consent_policy: None,
        authorization_policy: None,
        skip_consent_for_verifiable_first_party_clients: false,
    }
}

pub fn role(id: &str, name: &str) -> Role {
    Role { id: RoleId::new(id), name: name.to_owned(), description: text("what it is") }
}

pub fn managed_client_grant() -> ManagedClientGrant {
    ManagedClientGrant {
        id: "cgr_1".to_owned(),
        grant: ClientGrant {
            client_id: Some(client_id()),
            audience: "https://api.acme.test/".to_owned(),
            scope: words(&["read"]),
        },
        profile: ClientGrantProfile { allow_any_organization: Some(false), ..Default::default() },
    }
}

pub fn connection() -> Connection {
    Connection {
        id: connection_id(),
        name: "Username-Password-Authentication".to_owned(),
        strategy: "auth0".to_owned(),
        metadata: BTreeMap::from([("region".to_owned(), "eu".to_owned())]),
        enabled_clients: vec![client_id()],
    }
}

pub fn user() -> User {
    User {
        user_id: user_id(),
        connection_id: connection_id(),
        email: text("Ann@Acme.Test"),
        email_verified: true,
        username: text("Ann"),
        name: text("Ann Ågren"),
        given_name: text("Ann"),
        family_name: text("Ågren"),
        nickname: text("ann"),
        picture: text("https://acme.test/ann.png"),
        phone_number: text("+15550100"),
        phone_verified: Some(false),
        user_metadata: map(json!({"theme": "dark"})),
        app_metadata: map(json!({"plan": {"seats": 3}})),
        blocked: true,
        password_hash: text("$argon2id$..."),
        last_password_reset: Some(at(-90)),
        logins_count: 7,
        last_login: Some(at(-60)),
        last_ip: text("192.0.2.1"),
        created_at: at(-100),
        updated_at: at(-50),
    }
}

pub fn device() -> Device {
    Device {
        initial_ip: text("192.0.2.1"),
        initial_asn: text("AS64496"),
        initial_user_agent: text("first"),
        last_ip: text("192.0.2.2"),
        last_asn: None,
        last_user_agent: text("last"),
    }
}

pub fn session(id: &str, parent: Option<&str>) -> Session {
    Session {
        id: SessionId::new(id),
        user_id: user_id(),
        connection_id: connection_id(),
        created_at: now(),
        updated_at: now(),
        authenticated_at: at(-5),
        last_interacted_at: now(),
        expires_at: at(1000),
        idle_expires_at: at(100),
        revoked_at: None,
        methods: vec![
            AuthenticationMethod::new("pwd", at(-5)),
            AuthenticationMethod::mfa(FactorType::Otp, at(-4)),
        ],
        device: device(),
        clients: vec![ClientId::new("z-first"), ClientId::new("a-second")],
        parent_refresh_token: parent.map(RefreshTokenId::new),
        cookie_mode: CookieMode::NonPersistent,
        idle_lifetime_secs: 100,
        metadata: BTreeMap::from([("plan".to_owned(), "pro".to_owned())]),
    }
}

/// Of the client of [`client`], claimed for the first time.
pub fn backchannel_logout(session: &str) -> BackchannelLogout {
    BackchannelLogout {
        session_id: SessionId::new(session),
        client_id: client_id(),
        user_id: user_id(),
        issuer: ISSUER.to_owned(),
        created_at: now(),
        attempts: 1,
    }
}

pub fn request() -> AuthorizationRequest {
    AuthorizationRequest {
        client_id: client_id(),
        device_code_hash: None,
        redirect_uri: "app://callback".to_owned(),
        redirect_uri_was_sent: true,
        audience: text("https://api.acme.test/"),
        scope: words(&["openid"]),
        consented: None,
        requested_scopes: words(&["openid", "admin"]),
        state: text("state"),
        nonce: text("nonce"),
        code_challenge: text("challenge"),
        dpop_jkt: text("jkt"),
        prompt: words(&["login"]),
        max_age: Some(60),
        login_hint: text("ann"),
        hinted_user: Some(UserId::new("auth0|hinted")),
        acr_values: vec![],
        ui_locales: words(&["de"]),
        correlation_id: text("order-7"),
        organization_id: Some(OrganizationId::new("org_1")),
        response_mode: text("query"),
        query: map(json!({"state": "state"})),
    }
}

pub fn pending() -> PendingAuthorization {
    PendingAuthorization {
        id: PendingAuthorizationId::new("pending"),
        request: request(),
        suspended: None,
        created_at: now(),
        expires_at: at(600),
    }
}

pub fn authenticator() -> Authenticator {
    Authenticator {
        id: AuthenticatorId::new("totp|dev_1"),
        user_id: user_id(),
        factor: FactorType::Otp,
        sealed_secret: Some("sealed".to_owned()),
        begun_by: "login".to_owned(),
        created_at: now(),
        confirmed_at: None,
        last_used_at: None,
    }
}

pub fn mfa_token() -> MfaToken {
    MfaToken {
        client_id: client_id(),
        user_id: user_id(),
        login: json!({ "scope": ["openid"] }),
        created_at: now(),
        expires_at: at(600),
    }
}

pub fn pushed_request() -> PushedAuthorizationRequest {
    PushedAuthorizationRequest {
        client_id: client_id(),
        parameters: BTreeMap::from([("state".to_owned(), "\"ü".to_owned())]),
        created_at: now(),
        expires_at: at(30),
    }
}

pub fn device_code() -> DeviceCode {
    DeviceCode {
        request: AuthorizationRequest { device_code_hash: text("device"), ..request() },
        decision: DeviceDecision::Pending,
        created_at: now(),
        expires_at: at(900),
    }
}

pub fn code(session: &str) -> AuthorizationCode {
    AuthorizationCode {
        client_id: client_id(),
        user_id: user_id(),
        session_id: SessionId::new(session),
        request: request(),
        auth_time: at(-5),
        id_token_claims: map(json!({"https://acme.test/a": 1})),
        access_token_claims: map(json!({"https://acme.test/b": [true, null]})),
        refresh_token_changes: RefreshTokenChanges {
            expires_at: Some(at(20)),
            idle_expires_at: None,
            metadata: vec![MetadataChange::Evict, MetadataChange::Set("a".into(), "b".into())],
        },
        created_at: now(),
        expires_at: at(60),
        issued_refresh_token: None,
    }
}

pub fn refresh_token(id: &str) -> RefreshToken {
    RefreshToken {
        id: RefreshTokenId::new(id),
        client_id: client_id(),
        user_id: user_id(),
        session_id: Some(SessionId::new("session")),
        bound_to_session: false,
        parent_refresh_token: None,
        connection_id: connection_id(),
        organization_id: Some(OrganizationId::new("org_1")),
        audience: text("https://api.acme.test/"),
        scope: words(&["openid", "offline_access"]),
        auth_time: at(-5),
        created_at: now(),
        expires_at: Some(at(1000)),
        idle_expires_at: Some(at(100)),
        last_exchanged_at: None,
        revoked_at: None,
        rotating: true,
        online: false,
        dpop_jkt: text("jkt"),
        device: device(),
        metadata: BTreeMap::from([("device".to_owned(), "phone".to_owned())]),
    }
}

pub fn session_transfer_token() -> SessionTransferToken {
    SessionTransferToken {
        client_id: client_id(),
        user_id: user_id(),
        refresh_token_id: RefreshTokenId::new("rt_1"),
        connection_id: connection_id(),
        organization_id: Some(OrganizationId::new("org_1")),
        scope: words(&["openid"]),
        request: RequestOrigin {
            ip: "192.0.2.1".to_owned(),
            asn: text("AS64496"),
            geoip: Some(Box::new(GeoIp { latitude: Some(52.5), ..GeoIp::default() })),
            user_agent: text("agent"),
            language: text("de"),
            hostname: "acme.test".to_owned(),
            method: "POST".to_owned(),
        },
        auth_time: at(-5),
        created_at: now(),
        expires_at: at(60),
    }
}

pub fn access_token() -> StoredAccessToken {
    StoredAccessToken {
        client_id: client_id(),
        user_id: user_id(),
        session_id: Some(SessionId::new("session")),
        refresh_token_id: None,
        scope: words(&["openid", "email"]),
        custom_claims: map(json!({"https://acme.test/a": "b"})),
        dpop_jkt: text("jkt"),
        expires_at: at(300),
    }
}

pub fn log_entry(description: &str) -> LogEntry {
    LogEntry {
        client_id: Some(client_id()),
        ip: text("192.0.2.1"),
        description: description.to_owned(),
        details: json!({"a": 1}),
        ..LogEntry::new(LogType::SuccessLogin, now())
    }
}

pub fn signing_key(kid: &str, state: SigningKeyState) -> SigningKey {
    SigningKey {
        kid: kid.to_owned(),
        state,
        sealed_private_key: "sealed".to_owned(),
        modulus: "n".to_owned(),
        exponent: "AQAB".to_owned(),
        created_at: now(),
        current_since: Some(at(1)),
        current_until: Some(at(2)),
        revoked_at: Some(at(3)),
    }
}

pub fn organization() -> Organization {
    Organization {
        id: OrganizationId::new("org_1"),
        name: "globex".to_owned(),
        display_name: "Globex, Inc.".to_owned(),
        branding: Some(OrganizationBranding {
            logo_url: text("https://globex.test/logo.png"),
            colors: Some(OrganizationColors {
                primary: "#112233".to_owned(),
                page_background: "#ffffff".to_owned(),
            }),
        }),
        metadata: BTreeMap::from([("tier".to_owned(), "gold".to_owned())]),
    }
}

pub fn organization_connection() -> OrganizationConnection {
    OrganizationConnection {
        connection_id: connection_id(),
        assign_membership_on_login: true,
        show_as_button: false,
        is_signup_enabled: true,
    }
}

/// One of each scope.
pub fn groups() -> [Group; 3] {
    let group = |id: &str, scope| Group {
        id: GroupId::new(id),
        name: "staff".to_owned(),
        external_id: text("ext"),
        scope,
        created_at: now(),
        updated_at: at(1),
    };
    [
        group("grp_1", GroupScope::Tenant),
        group("grp_2", GroupScope::Organization { organization_id: organization().id }),
        group("grp_3", GroupScope::Connection { connection_id: connection_id() }),
    ]
}

pub fn login_history() -> LoginHistory {
    LoginHistory {
        devices: words(&["one"]),
        user_agents: words(&["two"]),
        place: Some(LoginPlace { latitude: 52.5, longitude: 13.25, at: now() }),
    }
}

/// A script as it is kept.
pub fn source(code: &str) -> ActionSource {
    let modules = [("x.ts".to_owned(), "export const x = 1;".to_owned())].into();
    ActionSource { file_name: "action.ts".to_owned(), code: code.to_owned(), modules }
}

pub fn execution(execution_id: &str, version: i64) -> Execution {
    Execution {
        action_id: ActionId::new("act_1"),
        action_name: "greet".to_owned(),
        version,
        execution_id: Some(execution_id.to_owned()),
        status: ExecutionStatus::Suspended,
        report: json!({"ms": 3}),
        created_at: now(),
    }
}
