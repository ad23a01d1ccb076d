//! Our nouns: tenant, client, user, session, refresh token, session transfer token, Action; their ids; time and
//! randomness as parameters. Pure data: no database, no HTTP, no sandbox.

mod action;
mod action_module;
mod api_profile;
mod authenticator;
mod authorization;
mod backchannel_logout;
mod client;
mod client_profile;
mod clock;
mod geoip;
mod id;
mod log;
mod log_stream;
mod login_history;
mod organization;
mod profile;
mod random;
mod resource_server;
pub mod search;
mod session;
mod signing_algorithm;
mod tenant;
mod tenant_profile;
mod token;
mod user;

pub use action::{
    Action, ActionBinding, ActionDraft, ActionSettings, ActionSource, ActionVersion, AllowedHosts,
    BoundModule, BuildMessage, Dependency, Execution, ExecutionStatus, SecretName, TriggerBinding,
    TriggerVersion, UsedModule,
};
pub use action_module::{ActionModule, ActionModuleVersion, ModuleContent};
pub use api_profile::{
    Active, AuthorizationDetailsType, ClientGrantProfile, ConnectionProfile, DefaultFor,
    GrantOrganizationUsage, ManagedClientGrant, ManagedConnection, ManagedResourceServer,
    ResourceServerProfile, SubjectType,
};
pub use authenticator::{Authenticator, FactorType, MfaToken};
pub use authorization::{
    AuthorizationCode, AuthorizationRequest, DeviceCode, DeviceDecision, PendingAuthorization,
    PushedAuthorizationRequest, RequestOrigin,
};
pub use backchannel_logout::BackchannelLogout;
pub use client::{
    AppType, AssertionAlgorithm, BackchannelLogoutInitiators, Client, ClientAuthenticationMethods,
    ClientGrant, DeviceBinding, ExpirationType, InitiatorMode, JwtConfiguration, LogoutInitiator, OidcLogout,
    PrivateKeyJwt, PublicKeyCredential, RefreshTokenPolicy, RefreshTokenSettings, RotationType,
    SessionTransfer, TokenEndpointAuthMethod, TransferMethod,
};
pub use client_profile::{
    ApprovalChannel, ClientProfile, ComplianceLevel, DefaultOrganization, Delegation, DelegationBinding,
    Enabled, JwtProfile, ManagedClient, Mobile, MobileAndroid, MobileIos, NativeSocialLogin,
    OrganizationDiscoveryMethod, OrganizationRequireBehavior, RedirectionPolicy, SessionTransferProfile,
    SignedRequestObject, ThirdPartySecurityMode, TlsCredential, TlsCredentialType, TokenExchange,
    TokenExchangeType, TokenQuota, TokenQuotaLimits,
};
pub use clock::{Clock, SystemClock, Timestamp};
pub use geoip::GeoIp;
pub use id::{
    ActionId, ActionModuleId, AuthenticatorId, ClientId, ConnectionId, GroupId, OrganizationId,
    PendingAuthorizationId, RefreshTokenId, RoleId, SessionId, TenantId, UserId,
};
pub use log::{LogContext, LogEntry, LogType};
pub use log_stream::{
    LogFormat, LogStream, LogStreamSecrets, LogStreamSettings, LogStreamStatus, PiiConfig, PiiField,
    PiiMethod,
};
pub use login_history::{LoginHistory, LoginPlace};
pub use organization::{
    Group, GroupScope, Membership, Organization, OrganizationBranding, OrganizationColors,
    OrganizationConnection, OrganizationUsage,
};
pub use random::{RandomSource, SystemRandom, ordered_id, random_token, random_uuid, uuid};
pub use resource_server::{
    ClientAuthorization, ClientAuthorizationPolicy, ConsentPolicy, PossessionMechanism, ProofOfPossession,
    RequiredFor, ResourceServer, SubjectTypeAuthorization, TokenDialect, TokenEncryption,
    TokenEncryptionAlgorithm, TokenEncryptionFormat, TokenEncryptionKey, UserAuthorization,
    UserAuthorizationPolicy,
};
pub use session::{
    AuthenticationMethod, Device, MAX_METADATA_ENTRIES, MetadataChange, Session, check_metadata,
};
pub use signing_algorithm::SigningAlgorithm;
pub use tenant::{CookieMode, SessionSettings, SigningKey, SigningKeyState, Tenant, TenantFlags};
pub use tenant_profile::{
    CustomPage, DefaultTokenQuota, DefaultTokenQuotaOf, DeviceFlow, DynamicRegistrationMode, ErrorPage, Mtls,
    OtherFlags, ResourceParameterProfile, SessionsProfile, TenantProfile, UserCodeCharset,
};
pub use token::{RefreshToken, RefreshTokenChanges, SessionTransferToken, StoredAccessToken};
pub use user::{Connection, Identity, Permission, Role, User};
