//! Reading the tokens that were issued here. Each reader takes one kind of token and no other.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, Validation};
use model::{ClientId, SessionId, StoredAccessToken, Timestamp, UserId};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use storage::{StorageError, TenantTx};

use super::TokenType;
use crate::jws::Audience;
use crate::jws_algorithm::JwsAlgorithm;
use crate::{Idp, RequestContext, ServerError, keys};

/// No token of ours is larger: claims and scopes that Actions add are bounded.
const MAX_TOKEN_BYTES: usize = 512 << 10;

/// What an access token in JWT form says, once verified.
#[derive(Debug)]
pub(crate) struct VerifiedAccessToken {
    pub client_id: ClientId,
    /// A user, or the client itself.
    pub subject: String,
    pub audience: Audience,
    pub scope: String,
    pub issued_at: i64,
    pub expires_at: i64,
    pub jti: Option<String>,
    pub dpop_jkt: Option<String>,
    /// Where the API's tokens have them.
    pub permissions: Option<Vec<String>>,
}

/// Reads an access token in JWT form, of either profile, that was issued here and has not expired. For whom, is the
/// caller's to check.
pub(crate) async fn verify_access_token(
    idp: &Idp,
    ctx: &RequestContext,
    token: &str,
    now: Timestamp,
) -> Result<Option<VerifiedAccessToken>, ServerError> {
    #[derive(Deserialize)]
    struct Claims {
        iss: String,
        sub: String,
        aud: Audience,
        iat: i64,
        exp: i64,
        scope: String,
        azp: Option<ClientId>,
        client_id: Option<ClientId>,
        jti: Option<String>,
        cnf: Option<Confirmation>,
        permissions: Option<Vec<String>>,
    }
    /// RFC 9449 §6.1.
    #[derive(Deserialize)]
    struct Confirmation {
        jkt: String,
    }
    let Some((typ, claims)) = verify::<Claims>(idp, ctx, token, now).await? else { return Ok(None) };
    // An ID token has neither of the two.
    let client_id = match (typ, claims.azp, claims.client_id) {
        (TokenType::Jwt, Some(client_id), None) | (TokenType::AccessToken, None, Some(client_id)) => {
            client_id
        }
        _ => return Ok(None),
    };
    if claims.iss != ctx.issuer || now.as_secs() >= claims.exp {
        return Ok(None);
    }
    Ok(Some(VerifiedAccessToken {
        client_id,
        subject: claims.sub,
        audience: claims.aud,
        scope: claims.scope,
        issued_at: claims.iat,
        expires_at: claims.exp,
        jti: claims.jti,
        dpop_jkt: claims.cnf.map(|cnf| cnf.jkt),
        permissions: claims.permissions,
    }))
}

/// Whether a token may be a JWT of ours. Opaque tokens have no dot.
pub(crate) fn is_jwt(token: &str) -> bool {
    token.contains('.')
}

/// Whether what a stored access token came from still lives: its session, and its refresh token.
pub(crate) async fn origin_lives(
    tx: &mut TenantTx,
    token: &StoredAccessToken,
    now: Timestamp,
) -> Result<bool, StorageError> {
    if let Some(id) = &token.session_id
        && !tx.session(id).await?.is_some_and(|session| session.is_alive(now))
    {
        return Ok(false);
    }
    if let Some(id) = &token.refresh_token_id
        && tx.refresh_token(id).await?.is_none_or(|token| token.revoked_at.is_some())
    {
        return Ok(false);
    }
    Ok(true)
}

/// What an `id_token_hint` says, once verified.
#[derive(Debug, Deserialize)]
pub(crate) struct IdTokenHint {
    iss: String,
    /// An ID token of ours has it; of access tokens, only one of RFC 9068, which has another `typ`.
    #[serde(rename = "auth_time")]
    _auth_time: i64,
    pub sub: UserId,
    pub aud: ClientId,
    pub sid: Option<SessionId>,
}

/// Reads an ID token that was issued here, also when it has expired (OpenID Connect RP-Initiated Logout §2).
pub(crate) async fn verify_id_token_hint(
    idp: &Idp,
    ctx: &RequestContext,
    token: &str,
) -> Result<Option<IdTokenHint>, ServerError> {
    let verified = verify::<IdTokenHint>(idp, ctx, token, idp.now()).await?;
    Ok(verified
        .filter(|(typ, hint)| *typ == TokenType::Jwt && ctx.tenant_issuers.contains(&hint.iss))
        .map(|(_, hint)| hint))
}

/// The header of a token of ours: these members, each once, and no other.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OurHeader {
    typ: TokenType,
    alg: JwsAlgorithm,
    kid: String,
}

/// The type and the claims of a token that one of the tenant's published keys signed, with the algorithm for which its `kid`
/// is. Type, issuer, audience and expiry are the caller's to check.
async fn verify<T: DeserializeOwned>(
    idp: &Idp,
    ctx: &RequestContext,
    token: &str,
    now: Timestamp,
) -> Result<Option<(TokenType, T)>, ServerError> {
    let Some(header) = our_header(token) else { return Ok(None) };
    let keys = keys::published(idp, &ctx.tenant, now).await?;
    let Some(key) = keys.iter().find(|key| header.alg.is_kid(&key.kid, &header.kid)) else { return Ok(None) };
    let key = DecodingKey::from_rsa_components(&key.modulus, &key.exponent)
        .map_err(|error| ServerError::Crypto(format!("a public key of our own: {error}")))?;
    let mut validation = Validation::new(header.alg.to_verify());
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let decoded = jsonwebtoken::decode::<T>(token, &key, &validation).ok();
    Ok(decoded.map(|decoded| (header.typ, decoded.claims)))
}

fn our_header(token: &str) -> Option<OurHeader> {
    if token.len() > MAX_TOKEN_BYTES {
        return None;
    }
    let (header, rest) = token.split_once('.')?;
    if rest.bytes().filter(|c| *c == b'.').count() != 1 {
        return None;
    }
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    // JW5 JW6
    #[test]
    fn only_headers_of_our_own_tokens_are_read() {
        let token = |header: &str| format!("{}.e30.c2ln", URL_SAFE_NO_PAD.encode(header));
        assert!(our_header(&token(r#"{"typ":"JWT","alg":"RS256","kid":"a"}"#)).is_some());
        assert!(our_header(&token(r#"{"typ":"at+jwt","alg":"RS256","kid":"a"}"#)).is_some());
        assert!(our_header(&token(r#"{"typ":"at+jwt","alg":"PS256","kid":"a-PS256"}"#)).is_some());
        for header in [
            r#"{"typ":"JWT","alg":"none","kid":"a"}"#,
            r#"{"typ":"JWT","alg":"HS256","kid":"a"}"#,
            r#"{"typ":"JWT","alg":"PS512","kid":"a"}"#,
            r#"{"typ":"JWT","alg":"rs256","kid":"a"}"#,
            r#"{"typ":"JWT","alg":"RS256"}"#,
            r#"{"alg":"RS256","kid":"a"}"#,
            r#"{"typ":"JWT","alg":"RS256","kid":"a","jku":"https://evil.example"}"#,
            r#"{"typ":"JWT","alg":"RS256","kid":"a","crit":["b64"],"b64":false}"#,
            r#"{"typ":"JWT","alg":"RS256","kid":"a","kid":"b"}"#,
            r#"{"typ":"logout+jwt","alg":"RS256","kid":"a"}"#,
            r#"{"typ":"dpop+jwt","alg":"RS256","kid":"a"}"#,
            r#"{"typ":"AT+JWT","alg":"RS256","kid":"a"}"#,
            r#"{"typ":"JWT","alg":"RS256","kid":1}"#,
        ] {
            assert!(our_header(&token(header)).is_none(), "{header}");
        }
        for bad in ["", ".", "..", "a.b", "e30.e30.e30", "a.b.c.d"] {
            assert!(our_header(bad).is_none(), "{bad}");
        }
    }
}
