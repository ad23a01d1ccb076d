//! Making the tokens that clients get: signed JWTs (RFC 7519, OIDC Core §2, RFC 9068) and opaque handles for `/userinfo`.

mod logout;
mod verify;

use std::sync::Arc;

use action_api::{check_claim_name, scope_of_profile_claim};
use aws_lc_rs::digest::digest;
use aws_lc_rs::rand::SystemRandom;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::{
    Client, ClientId, Organization, RefreshTokenId, ResourceServer, SessionId, StoredAccessToken,
    SubjectTypeAuthorization, Tenant, Timestamp, TokenDialect, User, random_token,
};
use oauth::ErrorCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub(crate) use logout::logout_token;
pub(crate) use verify::{is_jwt, origin_lives, verify_access_token, verify_id_token_hint};

use crate::credential::{CREDENTIAL_LENGTH, hash_credential};
use crate::jws_algorithm::JwsAlgorithm;
use crate::settings::Api;
use crate::{Idp, IdpError, RequestContext, ServerError, api_access, dpop, keys, management_api};

/// Lifetime of an access token for `/userinfo` only.
const OPAQUE_LIFETIME_SECS: i64 = 86_400;
/// The characters of a `jti`: 132 random bits.
const JTI_LENGTH: usize = 22;

/// The `typ` of a token of ours, which keeps what is signed for one purpose from being taken for another (RFC 8725
/// §3.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum TokenType {
    /// An ID token, or an access token of the dialect: their claims differ.
    #[serde(rename = "JWT")]
    Jwt,
    /// RFC 9068 §2.1.
    #[serde(rename = "at+jwt")]
    AccessToken,
    /// OpenID Connect Back-Channel Logout §2.4. It is for clients: no reader here takes one.
    #[serde(rename = "logout+jwt", skip_deserializing)]
    Logout,
}

/// What a user's login or refresh entitles a client to.
pub(crate) struct Grant<'a> {
    pub client: &'a Client,
    pub user: &'a User,
    /// In whose name the user logged in.
    pub organization: Option<&'a Organization>,
    /// The `sid`.
    pub session_id: Option<&'a SessionId>,
    /// The session with which an access token ends that is stored.
    pub ends_with_session: Option<&'a SessionId>,
    /// The refresh token with which an access token ends that is stored.
    pub refresh_token_id: Option<&'a RefreshTokenId>,
    pub auth_time: Timestamp,
    pub scope: &'a [String],
    pub audience: Option<&'a str>,
    pub nonce: Option<&'a str>,
    pub id_token_claims: &'a Map<String, Value>,
    pub access_token_claims: &'a Map<String, Value>,
    /// The `gty` of the dialect.
    pub gty: Option<&'static str>,
    /// Thumbprint of the key that the request proved possession of.
    pub jkt: Option<&'a str>,
    /// The user has shown a second factor.
    pub mfa: bool,
    /// The authentication context that was asked for and reached.
    pub acr: Option<&'a str>,
    /// What the user may do at the API, where its tokens show that.
    pub permissions: Option<&'a [String]>,
}

impl Grant<'_> {
    fn has(&self, scope: &str) -> bool {
        self.scope.iter().any(|granted| granted == scope)
    }
}

/// The tokens. An access token that is to be stored works once its row, by hash, is.
pub(crate) struct Issued {
    pub access_token: String,
    /// `Bearer` or `DPoP`.
    pub token_type: &'static str,
    pub expires_in: i64,
    pub id_token: Option<String>,
    pub stored: Option<(String, StoredAccessToken)>,
}

/// Makes access token and ID token. Signs, so no transaction may be open.
///
/// # Errors
/// `access_denied` when the API is gone, or is not for users; `invalid_request` when client and API do not agree on proof
/// of possession.
pub(crate) async fn issue(
    idp: &Idp,
    ctx: &RequestContext,
    grant: &Grant<'_>,
    now: Timestamp,
) -> Result<Issued, IdpError> {
    let (access_token, jkt, expires_in, is_stored) = match grant.audience {
        None => {
            let jkt = dpop::binding(grant.client, None, grant.jkt)?;
            (random_token(&*idp.random, CREDENTIAL_LENGTH), jkt, OPAQUE_LIFETIME_SECS, true)
        }
        Some(audience) => {
            let is_ours = audience == mfa_audience(ctx);
            let api = if is_ours { Arc::new(mfa_api(ctx)) } else { api(idp, ctx, audience).await? };
            api_access::check(idp, ctx, grant.client, &api.server).await?;
            let jkt = dpop::binding(grant.client, Some(&api.server), grant.jkt)?;
            let holder = Holder {
                client: grant.client,
                subject: grant.user.user_id.as_str(),
                organization: grant.organization,
                auth_time: Some(grant.auth_time),
                gty: grant.gty,
                scope: grant.scope,
                permissions: grant.permissions.filter(|_| api.server.shows_permissions()),
                jkt,
                is_stored: api.is_introspected,
            };
            // A token for an API of ours takes none from Actions (`reference/post-login.md` section 4.1).
            let custom =
                if is_ours { Map::new() } else { custom_claims(grant.access_token_claims, grant.scope) };
            let token = jwt_access_token(idp, ctx, &api.server, &holder, custom, now).await?;
            (token, jkt, api.server.token_lifetime_secs, api.is_introspected)
        }
    };
    let stored = is_stored.then(|| {
        let row = stored_access_token(grant, jkt, now.plus_secs(expires_in));
        (hash_credential(&access_token), row)
    });
    let id_token = id_token(idp, ctx, grant, Some(&access_token), now).await?;
    Ok(Issued { access_token, token_type: token_type(jkt), expires_in, id_token, stored })
}

/// How a client uses an access token (RFC 6750 §2.1, RFC 9449 §5).
pub(crate) fn token_type(jkt: Option<&str>) -> &'static str {
    if jkt.is_some() { "DPoP" } else { "Bearer" }
}

/// The ID token (OIDC Core §2), when `openid` was granted. `auth_time` is always in it.
///
/// # Errors
/// As [`issue`].
pub(crate) async fn id_token(
    idp: &Idp,
    ctx: &RequestContext,
    grant: &Grant<'_>,
    access_token: Option<&str>,
    now: Timestamp,
) -> Result<Option<String>, IdpError> {
    if !grant.has("openid") {
        return Ok(None);
    }
    let settings = grant.client.jwt_configuration;
    let alg = JwsAlgorithm::of(settings.alg);
    let mut claims = profile_claims(grant.user, grant.scope);
    claims.extend(custom_claims(grant.id_token_claims, grant.scope));
    let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    set("iss", json!(ctx.issuer));
    set("sub", json!(grant.user.user_id));
    set("aud", json!(grant.client.client_id));
    set("iat", json!(now.as_secs()));
    set("exp", json!(now.plus_secs(settings.lifetime_in_seconds).as_secs()));
    set("auth_time", json!(grant.auth_time.as_secs()));
    if let Some(nonce) = grant.nonce {
        set("nonce", json!(nonce));
    }
    if let Some(session) = grant.session_id {
        set("sid", json!(session));
    }
    organization_claims(ctx, grant.organization, &mut set);
    if grant.mfa {
        set("amr", json!(["mfa"]));
    }
    if let Some(acr) = grant.acr {
        set("acr", json!(acr));
    }
    if let Some(access_token) = access_token {
        set("at_hash", json!(half_hash(access_token, alg)));
    }
    Ok(Some(sign(idp, &ctx.tenant, TokenType::Jwt, alg, &claims).await?))
}

/// The access token of a client for itself (RFC 6749 §4.4), with its type: its `sub` can be no user's. What it may have at
/// the API are its permissions there.
///
/// # Errors
/// As [`issue`].
pub(crate) async fn machine_token(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    api: &ResourceServer,
    organization: Option<&Organization>,
    (scope, permissions): (&[String], &[String]),
    jkt: Option<&str>,
) -> Result<(String, &'static str), IdpError> {
    let jkt = dpop::binding(client, Some(api), jkt)?;
    let holder = Holder {
        client,
        subject: &machine_subject(&client.client_id),
        organization,
        auth_time: None,
        gty: Some("client-credentials"),
        scope,
        permissions: api.shows_permissions().then_some(permissions),
        jkt,
        is_stored: false,
    };
    let token = jwt_access_token(idp, ctx, api, &holder, Map::new(), idp.now()).await?;
    Ok((token, token_type(jkt)))
}

/// The `sub` of a client's token for itself. No user has an id like that.
pub(crate) fn machine_subject(client: &ClientId) -> String {
    format!("{client}@clients")
}

/// The API of this identifier.
///
/// # Errors
/// `access_denied` when there is none, or when a setting of it asks for what this server cannot do.
pub(crate) async fn api(idp: &Idp, ctx: &RequestContext, audience: &str) -> Result<Arc<Api>, IdpError> {
    if management_api::stored_audience(ctx, audience) == management_api::STORED_AUDIENCE {
        return Err(IdpError::oauth(
            ErrorCode::AccessDenied,
            "The Management API gives its tokens to clients, by the grant client_credentials, and not to users",
        ));
    }
    let denied = |text| IdpError::oauth(ErrorCode::AccessDenied, text);
    let found = idp.settings.api(&ctx.tenant, audience).await?;
    let api = found.ok_or_else(|| denied(format!("Service not found: {audience}")))?;
    match api.server.unserved_setting() {
        Some(setting) => Err(denied(format!("The API's {setting} is not supported by this server"))),
        None => Ok(api),
    }
}

/// The authentication context of a login with a second factor, as `acr_values` ask for it.
pub(crate) const MULTI_FACTOR: &str = "http://schemas.openid.net/pape/policies/2007/06/multi-factor";

/// May list the user's second factors.
pub(crate) const READ_AUTHENTICATORS: &str = "read:authenticators";
/// May remove them.
pub(crate) const REMOVE_AUTHENTICATORS: &str = "remove:authenticators";
/// Lifetime of an access token for the MFA API.
const MFA_LIFETIME_SECS: i64 = 600;

/// The API of this server at which users' second factors are managed (the dialect). No tenant's API may be called so.
pub(crate) fn mfa_audience(ctx: &RequestContext) -> String {
    format!("{}mfa/", ctx.issuer)
}

fn mfa_api(ctx: &RequestContext) -> Api {
    let server = ResourceServer {
        identifier: mfa_audience(ctx),
        name: "MFA".to_owned(),
        scopes: mfa_scope(&[]),
        allow_offline_access: false,
        allow_online_access: false,
        allow_online_access_with_ephemeral_sessions: false,
        token_lifetime_secs: MFA_LIFETIME_SECS,
        token_dialect: TokenDialect::AccessToken,
        signing_alg: None,
        proof_of_possession: None,
        enforce_policies: false,
        subject_type_authorization: SubjectTypeAuthorization::default(),
        token_encryption: None,
        consent_policy: None,
        authorization_policy: None,
        skip_consent_for_verifiable_first_party_clients: true,
    };
    Api { server, is_introspected: false }
}

/// The scopes of the MFA API among these, or all.
pub(crate) fn mfa_scope(requested: &[String]) -> Vec<String> {
    let asked = |scope: &&str| requested.is_empty() || requested.iter().any(|known| known == scope);
    [READ_AUTHENTICATORS, REMOVE_AUTHENTICATORS].into_iter().filter(asked).map(str::to_owned).collect()
}

/// The standard claims of the user that these scopes ask for (OIDC Core §5.4).
pub(crate) fn profile_claims(user: &User, scope: &[String]) -> Map<String, Value> {
    let all = [
        ("name", user.name.as_ref().map(|value| json!(value))),
        ("family_name", user.family_name.as_ref().map(|value| json!(value))),
        ("given_name", user.given_name.as_ref().map(|value| json!(value))),
        ("nickname", user.nickname.as_ref().map(|value| json!(value))),
        ("picture", user.picture.as_ref().map(|value| json!(value))),
        ("updated_at", Some(json!(user.updated_at.to_iso()))),
        ("email", user.email.as_ref().map(|value| json!(value))),
        ("email_verified", user.email.as_ref().map(|_| json!(user.email_verified))),
        ("phone_number", user.phone_number.as_ref().map(|value| json!(value))),
        (
            "phone_number_verified",
            user.phone_number.as_ref().map(|_| json!(user.phone_verified.unwrap_or(false))),
        ),
    ];
    all.into_iter()
        .filter(|(name, _)| is_granted(name, scope))
        .filter_map(|(name, value)| value.map(|value| (name.to_owned(), value)))
        .collect()
}

/// The claims of an Action that may be in a token with these scopes: no protocol claim ever, a standard claim only when
/// the scope that asks for it was granted.
pub(crate) fn custom_claims(claims: &Map<String, Value>, scope: &[String]) -> Map<String, Value> {
    claims
        .iter()
        .filter(|(name, value)| !value.is_null() && check_claim_name(name).is_ok() && is_granted(name, scope))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn is_granted(claim: &str, scope: &[String]) -> bool {
    scope_of_profile_claim(claim).is_none_or(|needed| scope.iter().any(|granted| granted == needed))
}

/// What an access token for `/userinfo` names as its audience.
pub(crate) fn userinfo_audience(ctx: &RequestContext) -> String {
    format!("{}userinfo", ctx.issuer)
}

/// Who an access token is for, and with what.
struct Holder<'a> {
    client: &'a Client,
    /// A user, or the client itself.
    subject: &'a str,
    /// In whose name the user logged in.
    organization: Option<&'a Organization>,
    /// When the user logged in.
    auth_time: Option<Timestamp>,
    /// The `gty` of the dialect.
    gty: Option<&'static str>,
    scope: &'a [String],
    /// Where the token shows them.
    permissions: Option<&'a [String]>,
    jkt: Option<&'a str>,
    is_stored: bool,
}

/// An access token in the profile that the API asks for: the dialect's, or that of RFC 9068 §2. A stored one always has
/// a `jti`: without, two logins in one second may yield one token, which could not end with both.
async fn jwt_access_token(
    idp: &Idp,
    ctx: &RequestContext,
    api: &ResourceServer,
    holder: &Holder<'_>,
    custom: Map<String, Value>,
    now: Timestamp,
) -> Result<String, IdpError> {
    let mut claims = custom;
    let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    // A machine's token may have any scope of its API, and none makes it one for `/userinfo`.
    let for_userinfo = holder.auth_time.is_some() && holder.scope.iter().any(|scope| scope == "openid");
    set(
        "aud",
        if for_userinfo { json!([api.identifier, userinfo_audience(ctx)]) } else { json!(api.identifier) },
    );
    set("iss", json!(ctx.issuer));
    set("sub", json!(holder.subject));
    set("iat", json!(now.as_secs()));
    set("exp", json!(now.plus_secs(api.token_lifetime_secs).as_secs()));
    set("scope", json!(holder.scope.join(" ")));
    if let Some(permissions) = holder.permissions {
        set("permissions", json!(permissions));
    }
    organization_claims(ctx, holder.organization, &mut set);
    if let Some(jkt) = holder.jkt {
        set("cnf", json!({ "jkt": jkt }));
    }
    let is_rfc9068 = api.token_dialect.is_rfc9068();
    if holder.is_stored || is_rfc9068 {
        set("jti", json!(random_token(&*idp.random, JTI_LENGTH)));
    }
    let typ = if is_rfc9068 {
        set("client_id", json!(holder.client.client_id));
        if let Some(auth_time) = holder.auth_time {
            set("auth_time", json!(auth_time.as_secs()));
        }
        TokenType::AccessToken
    } else {
        set("azp", json!(holder.client.client_id));
        if let Some(gty) = holder.gty {
            set("gty", json!(gty));
        }
        TokenType::Jwt
    };
    sign(idp, &ctx.tenant, typ, JwsAlgorithm::of(api.signing_alg), &claims).await
}

/// `org_id`, and `org_name` where the tenant's clients may use names (`reference/authentication-api.md` section 2.4).
fn organization_claims(
    ctx: &RequestContext,
    organization: Option<&Organization>,
    set: &mut impl FnMut(&str, Value) -> Option<Value>,
) {
    let Some(organization) = organization else { return };
    set("org_id", json!(organization.id));
    if ctx.tenant.flags.allow_organization_name_in_authentication_api {
        set("org_name", json!(organization.name));
    }
}

fn stored_access_token(grant: &Grant<'_>, jkt: Option<&str>, expires_at: Timestamp) -> StoredAccessToken {
    StoredAccessToken {
        client_id: grant.client.client_id.clone(),
        user_id: grant.user.user_id.clone(),
        session_id: grant.ends_with_session.cloned(),
        refresh_token_id: grant.refresh_token_id.cloned(),
        scope: grant.scope.to_vec(),
        custom_claims: match grant.audience {
            None => custom_claims(grant.id_token_claims, grant.scope),
            Some(_) => Map::new(),
        },
        dpop_jkt: jkt.map(str::to_owned),
        expires_at,
    }
}

async fn sign(
    idp: &Idp,
    tenant: &Tenant,
    typ: TokenType,
    alg: JwsAlgorithm,
    claims: &Map<String, Value>,
) -> Result<String, IdpError> {
    let (kid, private) = keys::current(idp, tenant).await?;
    let header = json!({ "alg": alg.name(), "kid": alg.kid(&kid), "typ": typ }).to_string();
    let payload =
        serde_json::to_vec(claims).map_err(|error| ServerError::Crypto(format!("claims: {error}")))?;
    let mut token = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let mut signature = vec![0; private.public_modulus_len()];
    private
        .sign(alg.encoding(), &SystemRandom::new(), token.as_bytes(), &mut signature)
        .map_err(|_| ServerError::Crypto("signing failed".to_owned()))?;
    token.push('.');
    token.push_str(&URL_SAFE_NO_PAD.encode(signature));
    Ok(token)
}

/// `at_hash` in an ID token that is signed so (OIDC Core §3.1.3.6).
fn half_hash(token: &str, alg: JwsAlgorithm) -> String {
    let hash = digest(alg.digest(), token.as_bytes());
    URL_SAFE_NO_PAD.encode(&hash.as_ref()[..hash.as_ref().len() / 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn claims_of_actions_never_replace_protocol_claims_and_follow_the_scopes() {
        let Value::Object(claims) = json!({
            "sub": "evil", "ISS": "evil", "aud": "evil", "auth_time": 1, "https://x.auth0.com/a": 1,
            "email": "a@b.example", "name": "N", "plan": "pro", "gone": null,
        }) else {
            panic!("an object")
        };
        assert_eq!(Value::Object(custom_claims(&claims, &scope("openid"))), json!({"plan": "pro"}));
        assert_eq!(
            Value::Object(custom_claims(&claims, &scope("openid email"))),
            json!({"plan": "pro", "email": "a@b.example"})
        );
        assert_eq!(
            Value::Object(custom_claims(&claims, &scope("openid profile"))),
            json!({"plan": "pro", "name": "N"})
        );
    }

    #[test]
    fn at_hash_is_the_left_half() {
        // The example of OIDC Core Appendix A.3.
        let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
        assert_eq!(half_hash(token, JwsAlgorithm::Rs256), "77QmUPtjPfzWtF2AnpK9RQ");
        assert_eq!(half_hash(token, JwsAlgorithm::Ps256), "77QmUPtjPfzWtF2AnpK9RQ");
        assert_eq!(half_hash(token, JwsAlgorithm::Rs512).len(), 43);
    }
}
