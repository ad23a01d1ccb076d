//! Making and reading the tokens that clients get: RS256 JWTs (RFC 7519, OIDC Core §2) and opaque handles for
//! `/userinfo`.

use action_api::{check_claim_name, scope_of_profile_claim};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use model::{
    Client, ClientId, OpaqueAccessToken, RefreshTokenId, ResourceServer, SessionId, Timestamp, User, UserId,
    random_token,
};
use oauth::ErrorCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::credential::{CREDENTIAL_LENGTH, hash_credential};
use crate::{Idp, IdpError, RequestContext, ServerError, dpop, keys};

/// Lifetime of an access token for `/userinfo` only.
const OPAQUE_LIFETIME_SECS: i64 = 86_400;
/// What one token may measure, claims of Actions included.
const MAX_TOKEN_BYTES: usize = 100 * 1024;

/// What a user's login or refresh entitles a client to.
pub(crate) struct Grant<'a> {
    pub client: &'a Client,
    pub user: &'a User,
    /// The `sid`.
    pub session_id: Option<&'a SessionId>,
    /// The session with which an opaque access token ends.
    pub ends_with_session: Option<&'a SessionId>,
    /// The refresh token with which an opaque access token ends.
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
}

impl Grant<'_> {
    fn has(&self, scope: &str) -> bool {
        self.scope.iter().any(|granted| granted == scope)
    }
}

/// The tokens. An opaque one works once its row, by hash, is stored.
pub(crate) struct Issued {
    pub access_token: String,
    /// `Bearer` or `DPoP`.
    pub token_type: &'static str,
    pub expires_in: i64,
    pub id_token: Option<String>,
    pub opaque: Option<(String, OpaqueAccessToken)>,
}

/// Makes access token and ID token. Signs, so no transaction may be open.
///
/// # Errors
/// `access_denied` when the API is gone, or a token is too large for its claims; `invalid_request` when client and API
/// do not agree on proof of possession.
pub(crate) async fn issue(
    idp: &Idp,
    ctx: &RequestContext,
    grant: &Grant<'_>,
    now: Timestamp,
) -> Result<Issued, IdpError> {
    let (access_token, jkt, expires_in, opaque) = match grant.audience {
        None => {
            let jkt = dpop::binding(grant.client, None, grant.jkt)?;
            let (token, row) = opaque_access_token(idp, grant, jkt, now);
            let hash = hash_credential(&token);
            (token, jkt, OPAQUE_LIFETIME_SECS, Some((hash, row)))
        }
        Some(audience) => {
            let api = resource_server(idp, ctx, audience).await?;
            let jkt = dpop::binding(grant.client, Some(&api), grant.jkt)?;
            let mut claims = custom_claims(grant.access_token_claims, grant.scope);
            let aud = if grant.has("openid") {
                json!([api.identifier, userinfo_audience(ctx)])
            } else {
                json!(api.identifier)
            };
            claims.extend(access_token_claims(
                ctx,
                grant.client,
                grant.user.user_id.as_str(),
                aud,
                &api,
                jkt,
                now,
            ));
            claims.insert("scope".to_owned(), json!(grant.scope.join(" ")));
            if let Some(gty) = grant.gty {
                claims.insert("gty".to_owned(), json!(gty));
            }
            (sign(idp, ctx, &claims).await?, jkt, api.token_lifetime_secs, None)
        }
    };
    let id_token = id_token(idp, ctx, grant, Some(&access_token), now).await?;
    Ok(Issued { access_token, token_type: token_type(jkt), expires_in, id_token, opaque })
}

/// How a client uses an access token (RFC 6750 §2.1, RFC 9449 §5).
fn token_type(jkt: Option<&str>) -> &'static str {
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
    let mut claims = profile_claims(grant.user, grant.scope);
    claims.extend(custom_claims(grant.id_token_claims, grant.scope));
    let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    set("iss", json!(ctx.issuer));
    set("sub", json!(grant.user.user_id));
    set("aud", json!(grant.client.client_id));
    set("iat", json!(now.as_secs()));
    set("exp", json!(now.plus_secs(grant.client.jwt_configuration.lifetime_in_seconds).as_secs()));
    set("auth_time", json!(grant.auth_time.as_secs()));
    if let Some(nonce) = grant.nonce {
        set("nonce", json!(nonce));
    }
    if let Some(session) = grant.session_id {
        set("sid", json!(session));
    }
    if let Some(access_token) = access_token {
        set("at_hash", json!(half_hash(access_token)));
    }
    Ok(Some(sign(idp, ctx, &claims).await?))
}

/// The access token of a client for itself (RFC 6749 §4.4), with its type: its `sub` can be no user's.
///
/// # Errors
/// As [`issue`].
pub(crate) async fn machine_token(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    api: &ResourceServer,
    scope: &[String],
    jkt: Option<&str>,
    now: Timestamp,
) -> Result<(String, &'static str), IdpError> {
    let jkt = dpop::binding(client, Some(api), jkt)?;
    let subject = format!("{}@clients", client.client_id);
    let mut claims = access_token_claims(ctx, client, &subject, json!(api.identifier), api, jkt, now);
    claims.insert("scope".to_owned(), json!(scope.join(" ")));
    claims.insert("gty".to_owned(), json!("client-credentials"));
    Ok((sign(idp, ctx, &claims).await?, token_type(jkt)))
}

/// The API of this identifier.
///
/// # Errors
/// `access_denied` when there is none.
pub(crate) async fn resource_server(
    idp: &Idp,
    ctx: &RequestContext,
    audience: &str,
) -> Result<ResourceServer, IdpError> {
    let mut tx = idp.storage.begin_read(&ctx.tenant.id).await?;
    tx.resource_server(audience)
        .await?
        .ok_or_else(|| IdpError::oauth(ErrorCode::AccessDenied, format!("Service not found: {audience}")))
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

fn access_token_claims(
    ctx: &RequestContext,
    client: &Client,
    subject: &str,
    aud: Value,
    api: &ResourceServer,
    jkt: Option<&str>,
    now: Timestamp,
) -> Map<String, Value> {
    let cnf = jkt.map(|jkt| ("cnf", json!({ "jkt": jkt })));
    [
        ("iss", json!(ctx.issuer)),
        ("sub", json!(subject)),
        ("aud", aud),
        ("azp", json!(client.client_id)),
        ("iat", json!(now.as_secs())),
        ("exp", json!(now.plus_secs(api.token_lifetime_secs).as_secs())),
    ]
    .into_iter()
    .chain(cnf)
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

fn opaque_access_token(
    idp: &Idp,
    grant: &Grant<'_>,
    jkt: Option<&str>,
    now: Timestamp,
) -> (String, OpaqueAccessToken) {
    let row = OpaqueAccessToken {
        client_id: grant.client.client_id.clone(),
        user_id: grant.user.user_id.clone(),
        session_id: grant.ends_with_session.cloned(),
        refresh_token_id: grant.refresh_token_id.cloned(),
        scope: grant.scope.to_vec(),
        custom_claims: custom_claims(grant.id_token_claims, grant.scope),
        dpop_jkt: jkt.map(str::to_owned),
        expires_at: now.plus_secs(OPAQUE_LIFETIME_SECS),
    };
    (random_token(&*idp.random, CREDENTIAL_LENGTH), row)
}

async fn sign(idp: &Idp, ctx: &RequestContext, claims: &Map<String, Value>) -> Result<String, IdpError> {
    let key = keys::current(idp, &ctx.tenant.id).await?;
    let private =
        idp.vault.signing_key(&keys::vault_context(&ctx.tenant.id, &key.kid), &key.sealed_private_key)?;
    let header = json!({ "alg": "RS256", "kid": key.kid, "typ": "JWT" }).to_string();
    let payload =
        serde_json::to_vec(claims).map_err(|error| ServerError::Crypto(format!("claims: {error}")))?;
    let mut token = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let mut signature = vec![0; private.public_modulus_len()];
    private
        .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), token.as_bytes(), &mut signature)
        .map_err(|_| ServerError::Crypto("signing failed".to_owned()))?;
    token.push('.');
    token.push_str(&URL_SAFE_NO_PAD.encode(signature));
    if token.len() > MAX_TOKEN_BYTES {
        return Err(IdpError::oauth(ErrorCode::AccessDenied, "The custom claims make a token too large."));
    }
    Ok(token)
}

/// `at_hash` of OIDC Core §3.1.3.6 for RS256.
fn half_hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(&digest(&SHA256, token.as_bytes()).as_ref()[..16])
}

/// What an access token in JWT form says, once verified for `/userinfo`.
pub(crate) struct AccessToken {
    pub user_id: UserId,
    pub scope: Vec<String>,
    pub dpop_jkt: Option<String>,
}

/// `cnf` (RFC 9449 §6.1).
#[derive(Deserialize)]
struct Confirmation {
    jkt: String,
}

/// Reads an access token in JWT form that was issued here for `/userinfo`, among others, and has not expired.
pub(crate) async fn verify_access_token(
    idp: &Idp,
    ctx: &RequestContext,
    token: &str,
    now: Timestamp,
) -> Result<Option<AccessToken>, ServerError> {
    #[derive(Deserialize)]
    struct Claims {
        iss: String,
        sub: String,
        aud: Vec<String>,
        exp: i64,
        azp: String,
        scope: String,
        cnf: Option<Confirmation>,
    }
    let Some(claims) = verify::<Claims>(idp, ctx, token, now).await? else { return Ok(None) };
    let right = claims.iss == ctx.issuer
        && claims.aud.contains(&userinfo_audience(ctx))
        && now.as_secs() < claims.exp
        && !claims.azp.is_empty();
    Ok(right.then(|| AccessToken {
        user_id: UserId::new(claims.sub),
        scope: claims.scope.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect(),
        dpop_jkt: claims.cnf.map(|cnf| cnf.jkt),
    }))
}

/// What an `id_token_hint` says, once verified.
#[derive(Debug, Deserialize)]
pub(crate) struct IdTokenHint {
    iss: String,
    /// An ID token of ours has it, an access token never does.
    #[serde(rename = "auth_time")]
    _auth_time: i64,
    pub aud: ClientId,
    pub sid: Option<SessionId>,
}

/// Reads an ID token that was issued here, also when it has expired (OpenID Connect RP-Initiated Logout §2).
pub(crate) async fn verify_id_token_hint(
    idp: &Idp,
    ctx: &RequestContext,
    token: &str,
) -> Result<Option<IdTokenHint>, ServerError> {
    let hint = verify::<IdTokenHint>(idp, ctx, token, idp.now()).await?;
    Ok(hint.filter(|hint| ctx.tenant_issuers.contains(&hint.iss)))
}

/// The header of a token of ours: these members, each once, and no other.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OurHeader {
    typ: String,
    alg: String,
    kid: String,
}

/// The claims of a token that one of the tenant's published keys signed with RS256. Issuer, audience and expiry are the
/// caller's to check.
async fn verify<T: serde::de::DeserializeOwned>(
    idp: &Idp,
    ctx: &RequestContext,
    token: &str,
    now: Timestamp,
) -> Result<Option<T>, ServerError> {
    let Some(header) = our_header(token) else { return Ok(None) };
    let keys = keys::published(idp, &ctx.tenant.id, now).await?;
    let Some(key) = keys.iter().find(|key| key.kid == header.kid) else { return Ok(None) };
    let key = DecodingKey::from_rsa_components(&key.modulus, &key.exponent)
        .map_err(|error| ServerError::Crypto(format!("a public key of our own: {error}")))?;
    let mut validation = Validation::new(Algorithm::RS256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    Ok(jsonwebtoken::decode::<T>(token, &key, &validation).ok().map(|decoded| decoded.claims))
}

fn our_header(token: &str) -> Option<OurHeader> {
    if token.len() > MAX_TOKEN_BYTES {
        return None;
    }
    let (header, rest) = token.split_once('.')?;
    if rest.bytes().filter(|c| *c == b'.').count() != 1 {
        return None;
    }
    let header: OurHeader = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
    (header.alg == "RS256" && header.typ == "JWT").then_some(header)
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
    fn only_headers_of_our_own_tokens_are_read() {
        let token = |header: &str| format!("{}.e30.c2ln", URL_SAFE_NO_PAD.encode(header));
        assert!(our_header(&token(r#"{"typ":"JWT","alg":"RS256","kid":"a"}"#)).is_some());
        for header in [
            r#"{"typ":"JWT","alg":"none","kid":"a"}"#,
            r#"{"typ":"JWT","alg":"HS256","kid":"a"}"#,
            r#"{"typ":"JWT","alg":"RS256"}"#,
            r#"{"typ":"JWT","alg":"RS256","kid":"a","jku":"https://evil.example"}"#,
            r#"{"typ":"JWT","alg":"RS256","kid":"a","crit":["b64"],"b64":false}"#,
            r#"{"typ":"JWT","alg":"RS256","kid":"a","kid":"b"}"#,
            r#"{"typ":"logout+jwt","alg":"RS256","kid":"a"}"#,
            r#"{"typ":"JWT","alg":"RS256","kid":1}"#,
        ] {
            assert!(our_header(&token(header)).is_none(), "{header}");
        }
        for bad in ["", ".", "..", "a.b", "e30.e30.e30", "a.b.c.d"] {
            assert!(our_header(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn at_hash_is_the_left_half() {
        // The example of OIDC Core Appendix A.3.
        assert_eq!(half_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"), "77QmUPtjPfzWtF2AnpK9RQ");
    }
}
