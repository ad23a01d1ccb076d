//! Who may call the Management API: the audience, its scopes, and the access tokens that are accepted there.

use model::{Client, LogType, SubjectType, Timestamp};
use oauth::ErrorCode;
use serde_json::json;

use crate::api_access::client_grant;
use crate::post_login::log_entry;
use crate::settings::Api;
use crate::{Idp, IdpError, RequestContext, ServerError, tokens};

/// What tools know the system API by: they leave the one of this name alone.
pub const NAME: &str = "Auth0 Management API";
/// The audience as it is stored, relative to whichever issuer the tenant has: tenants have several hosts, and may move.
pub const STORED_AUDIENCE: &str = "api/v2/";
/// Lifetime of its access tokens in seconds.
pub const TOKEN_LIFETIME_SECS: i64 = 86_400;

/// All scopes with what they allow (`reference/management-api.md` section 5).
pub const SCOPES: &[(&str, &str)] = &[
    ("read:actions", "Read Actions"),
    ("create:actions", "Create, deploy and test Actions"),
    ("update:actions", "Change Actions and their bindings"),
    ("delete:actions", "Delete Actions"),
    ("read:clients", "Read clients"),
    ("create:clients", "Create clients"),
    ("update:clients", "Change clients"),
    ("delete:clients", "Delete clients"),
    ("read:client_summary", "Read what clients are called"),
    ("read:client_keys", "Read the secrets of clients that are new"),
    ("update:client_keys", "Change the secrets of clients"),
    ("read:client_credentials", "Read the keys of clients"),
    ("create:client_credentials", "Add keys to clients"),
    ("update:client_credentials", "Change the keys of clients"),
    ("delete:client_credentials", "Remove keys of clients"),
    ("read:client_grants", "Read client grants"),
    ("create:client_grants", "Create client grants"),
    ("update:client_grants", "Change client grants"),
    ("delete:client_grants", "Delete client grants"),
    ("read:resource_servers", "Read APIs"),
    ("create:resource_servers", "Create APIs"),
    ("update:resource_servers", "Change APIs"),
    ("delete:resource_servers", "Delete APIs"),
    ("read:connections", "Read connections"),
    ("create:connections", "Create connections"),
    ("update:connections", "Change connections"),
    ("delete:connections", "Delete connections"),
    ("read:connections_options", "Read the options of connections"),
    ("update:connections_options", "Change the options of connections"),
    ("read:users", "Read users"),
    ("create:users", "Create users"),
    ("update:users", "Change users"),
    ("delete:users", "Delete users"),
    ("read:users_app_metadata", "Read the app_metadata of users"),
    ("create:users_app_metadata", "Create the app_metadata of users"),
    ("update:users_app_metadata", "Change the app_metadata of users"),
    ("delete:users_app_metadata", "Delete the app_metadata of users"),
    ("read:roles", "Read roles"),
    ("create:roles", "Create roles"),
    ("update:roles", "Change roles"),
    ("delete:roles", "Delete roles"),
    ("read:role_members", "Read who has a role"),
    ("create:role_members", "Give roles to users"),
    ("delete:role_members", "Take roles from users"),
    ("read:organizations", "Read organizations"),
    ("create:organizations", "Create organizations"),
    ("update:organizations", "Change organizations"),
    ("delete:organizations", "Delete organizations"),
    ("read:organizations_summary", "Read what organizations are called"),
    ("read:organization_members", "Read the members of organizations"),
    ("create:organization_members", "Add members to organizations"),
    ("delete:organization_members", "Remove members of organizations"),
    ("read:organization_member_roles", "Read the roles of members"),
    ("create:organization_member_roles", "Give roles to members"),
    ("delete:organization_member_roles", "Take roles from members"),
    ("read:organization_connections", "Read the connections of organizations"),
    ("create:organization_connections", "Add connections to organizations"),
    ("update:organization_connections", "Change the connections of organizations"),
    ("delete:organization_connections", "Remove connections of organizations"),
    ("read:organization_client_grants", "Read the client grants of organizations"),
    ("create:organization_client_grants", "Add client grants to organizations"),
    ("delete:organization_client_grants", "Remove client grants of organizations"),
    ("read:sessions", "Read sessions"),
    ("update:sessions", "Change sessions"),
    ("delete:sessions", "End sessions"),
    ("read:refresh_tokens", "Read refresh tokens"),
    ("update:refresh_tokens", "Change refresh tokens"),
    ("delete:refresh_tokens", "End refresh tokens"),
    ("read:grants", "Read what users have granted to clients"),
    ("delete:grants", "Delete what users have granted to clients"),
    ("read:device_credentials", "Read device credentials"),
    ("delete:device_credentials", "Delete device credentials"),
    ("read:tenant_settings", "Read the tenant's settings"),
    ("update:tenant_settings", "Change the tenant's settings"),
    ("read:logs", "Read the tenant's log"),
    ("read:logs_users", "Read the log of users"),
    ("read:log_streams", "Read log streams"),
    ("create:log_streams", "Create log streams"),
    ("update:log_streams", "Change log streams"),
    ("delete:log_streams", "Delete log streams"),
    ("read:signing_keys", "Read signing keys"),
    ("create:signing_keys", "Make signing keys"),
    ("update:signing_keys", "Rotate and revoke signing keys"),
];

/// The audience of the Management API, as tokens and tools have it: `https://{host}/api/v2/`.
#[must_use]
pub fn audience(ctx: &RequestContext) -> String {
    format!("{}{STORED_AUDIENCE}", ctx.issuer)
}

/// An audience as it is stored: that of the Management API, by whichever host of the tenant, has one form.
#[must_use]
pub fn stored_audience<'a>(ctx: &RequestContext, audience: &'a str) -> &'a str {
    let is_ours = |issuer: &String| audience.strip_prefix(issuer.as_str()) == Some(STORED_AUDIENCE);
    if ctx.tenant_issuers.iter().any(is_ours) || is_ours(&ctx.issuer) { STORED_AUDIENCE } else { audience }
}

/// A stored audience as tools see it.
#[must_use]
pub fn shown_audience(ctx: &RequestContext, stored: &str) -> String {
    if stored == STORED_AUDIENCE { audience(ctx) } else { stored.to_owned() }
}

/// The API itself, as the caller's host shows it. Nothing of it is stored: a new version of the server has its scopes at once.
#[must_use]
pub fn resource_server(ctx: &RequestContext) -> model::ResourceServer {
    model::ResourceServer {
        identifier: audience(ctx),
        name: NAME.to_owned(),
        scopes: SCOPES.iter().map(|(scope, _)| (*scope).to_owned()).collect(),
        allow_offline_access: false,
        allow_online_access: false,
        allow_online_access_with_ephemeral_sessions: false,
        token_lifetime_secs: TOKEN_LIFETIME_SECS,
        token_dialect: model::TokenDialect::AccessToken,
        signing_alg: None,
        proof_of_possession: None,
        enforce_policies: false,
        subject_type_authorization: model::SubjectTypeAuthorization::default(),
        token_encryption: None,
        consent_policy: None,
        authorization_policy: None,
        skip_consent_for_verifiable_first_party_clients: true,
    }
}

pub(crate) fn api(ctx: &RequestContext) -> Api {
    Api { server: resource_server(ctx), is_introspected: false }
}

/// Who calls the Management API.
#[derive(Debug, Clone)]
pub struct ApiClient {
    /// The client that the access token was issued to.
    pub client: Client,
    /// What the token allows and the client's grant still has.
    pub scope: Vec<String>,
    /// When the access token ends.
    pub expires_at: Timestamp,
}

/// Reads the access token of a call. The client and its grant are looked up: what was taken from the client counts at once, not when
/// the token ends.
///
/// # Errors
/// `invalid_token` for anything but a living token of `client_credentials` for this API, of a client that is still there.
pub async fn authenticate(idp: &Idp, ctx: &RequestContext, token: &str) -> Result<ApiClient, IdpError> {
    let invalid = |text: &str| IdpError::oauth(ErrorCode::InvalidToken, text);
    let Some(token) = tokens::verify_access_token(idp, ctx, token, idp.now()).await? else {
        return Err(invalid("Invalid token"));
    };
    if !token.audience.contains(&audience(ctx)) {
        return Err(invalid(&format!("Bad audience: expected {}", audience(ctx))));
    }
    if token.subject != tokens::machine_subject(&token.client_id) || token.dpop_jkt.is_some() {
        return Err(invalid("Invalid token"));
    }
    let client = idp.settings.client(&ctx.tenant, &token.client_id).await?;
    let Some(client) = client else { return Err(invalid("The client of this token is not there any more")) };
    let mut tx = idp.storage.begin_read(&ctx.tenant.id).await?;
    let Some(grant) = client_grant(&mut tx, &client, STORED_AUDIENCE, SubjectType::Client).await? else {
        return Err(invalid("The client of this token has no grant for this API any more"));
    };
    let has = |scope: &&str| {
        grant.profile.allow_all_scopes == Some(true)
            || grant.grant.scope.iter().any(|granted| granted == scope)
    };
    Ok(ApiClient {
        client: client.as_ref().clone(),
        scope: token.scope.split(' ').filter(has).map(str::to_owned).collect(),
        expires_at: Timestamp::from_ms(token.expires_at.saturating_mul(1_000)),
    })
}

/// A write through the API, for the tenant's log.
#[derive(Debug)]
pub struct Operation<'a> {
    /// `POST` and so on.
    pub method: &'a str,
    /// The route, as `/api/v2/clients/{id}`.
    pub route: &'a str,
    /// What was asked for, without the query, which may hold anything.
    pub path: &'a str,
    /// What it does, for people.
    pub summary: &'a str,
    /// The answer's.
    pub status: u16,
    /// `X-Correlation-ID`, at most 64 characters of it.
    pub correlation_id: Option<String>,
}

/// Appends `sapi` or `fapi`. Bodies stay out: they hold secrets.
///
/// # Errors
/// [`ServerError`].
pub async fn log_operation(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    operation: &Operation<'_>,
) -> Result<(), ServerError> {
    let is_done = operation.status < 400;
    let log_type = if is_done { LogType::ApiOperationSucceeded } else { LogType::ApiOperationFailed };
    let mut entry = log_entry(log_type, Some(client), None, &ctx.origin, idp.now());
    entry.description = operation.summary.to_owned();
    entry.more.audience = Some(audience(ctx));
    entry.more.correlation_id.clone_from(&operation.correlation_id);
    entry.details = json!({
        "request": { "method": operation.method, "path": operation.path, "route": operation.route, "channel": "api" },
        "response": { "statusCode": operation.status },
    });
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    tx.insert_log(&entry).await?;
    Ok(tx.commit().await?)
}

/// How long the position of a list may be asked for.
const POSITION_SECS: i64 = 24 * 3600;

/// The position after the row with this key in a list, as a tool gets it and gives it back: nobody can read it, or make one up.
///
/// # Errors
/// [`ServerError`].
pub fn seal_position(idp: &Idp, ctx: &RequestContext, list: &str, key: &str) -> Result<String, ServerError> {
    let text = format!("{} {key}", idp.now().as_secs().saturating_add(POSITION_SECS));
    idp.vault.seal(&*idp.random, &position_context(ctx, list), text.as_bytes())
}

/// The key in a position of this list; `None` when it is none, is another list's or tenant's, or was given over a day ago.
#[must_use]
pub fn open_position(idp: &Idp, ctx: &RequestContext, list: &str, position: &str) -> Option<String> {
    let text = idp.vault.open(&position_context(ctx, list), position).ok()?;
    let text = String::from_utf8(text).ok()?;
    let (until, key) = text.split_once(' ')?;
    (idp.now().as_secs() < until.parse::<i64>().ok()?).then(|| key.to_owned())
}

fn position_context(ctx: &RequestContext, list: &str) -> String {
    format!("{}/positions/{list}", ctx.tenant.id)
}
