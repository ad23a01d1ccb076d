//! `private_key_jwt`: a JWT that the client signed, in place of a secret (RFC 7523 §2.2, §3; OpenID Connect Core §9).

use jsonwebtoken::Algorithm;
use model::{AssertionAlgorithm, Client, ClientId, Timestamp, TokenEndpointAuthMethod};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::credential::hash_credential;
use crate::jws::{Audience, Jws, present};
use crate::public_key::PublicKey;
use crate::{Idp, RequestContext, ServerError};

/// `client_assertion_type` (RFC 7523 §2.2).
pub(super) const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The longest that an assertion may live: the dialect's five minutes.
const MAX_LIFETIME_SECS: i64 = 300;
/// How far the clocks of client and server may be apart.
const TOLERANCE_SECS: i64 = 60;
const MAX_JTI_BYTES: usize = 256;

/// Why an assertion is refused: for the tenant's log. The client learns no more than that it is.
pub(super) type Reason = &'static str;

/// An assertion that is right, as far as can be told without knowing its client.
pub(super) struct Assertion<'a> {
    jws: Jws<'a, Header>,
    claims: Claims,
}

#[derive(Deserialize)]
struct Header {
    alg: AssertionAlgorithm,
    #[serde(default, deserialize_with = "present")]
    typ: Option<String>,
    #[serde(default, deserialize_with = "present")]
    kid: Option<String>,
    // Nobody but the registration says with which key (RFC 8725 §3.10), and no extension is known.
    #[serde(default, deserialize_with = "present")]
    jwk: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    jku: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    x5u: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    x5c: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    crit: Option<IgnoredAny>,
}

/// Moments are whole seconds until the year 2106.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: u32,
    jti: String,
    #[serde(default, deserialize_with = "present")]
    iat: Option<u32>,
    #[serde(default, deserialize_with = "present")]
    nbf: Option<u32>,
}

impl<'a> Assertion<'a> {
    /// All that RFC 7523 §3 asks but for the signature and the one use. The audience is our issuer alone: an assertion
    /// that names other servers as well could be used by them (RFC 9700 §4.4 and its update).
    pub fn read(jwt: &'a str, issuer: &str, now: Timestamp) -> Result<Self, Reason> {
        let jws = Jws::<Header>::parse(jwt).ok_or("is malformed, or has an alg that is not supported")?;
        let Header { typ, jwk, jku, x5u, x5c, crit, .. } = &jws.header;
        let is_assertion = |typ: &String| {
            typ.eq_ignore_ascii_case("JWT") || typ.eq_ignore_ascii_case("client-authentication+jwt")
        };
        if !typ.as_ref().is_none_or(is_assertion) {
            return Err("has the typ of another kind of JWT");
        }
        if [jwk, jku, x5u, x5c].iter().any(|member| member.is_some()) {
            return Err("brings a key of its own");
        }
        if crit.is_some() {
            return Err("has critical extensions, which are not supported");
        }
        let claims: Claims = jws.claims().ok_or("has missing or malformed claims")?;
        if claims.iss != claims.sub {
            return Err("has an iss that is not its sub");
        }
        if !claims.aud.is_only(issuer) {
            return Err("is not for this issuer alone");
        }
        if claims.jti.is_empty() || claims.jti.len() > MAX_JTI_BYTES {
            return Err("must have a jti of 1 to 256 bytes");
        }
        claims.check_times(now.as_secs())?;
        Ok(Self { jws, claims })
    }

    /// The client that it says it is from.
    pub fn client_id(&self) -> ClientId {
        ClientId::new(self.claims.iss.as_str())
    }

    /// Whether a registered key of the client made the signature. There is one check of a signature for each of the
    /// client's keys that may have made it, and one when there is no such key, or no such client.
    fn is_signed_by(&self, client: Option<&Client>, now: Timestamp) -> bool {
        let alg = self.jws.header.alg;
        let algorithm = match alg {
            AssertionAlgorithm::RS256 => Algorithm::RS256,
            AssertionAlgorithm::RS384 => Algorithm::RS384,
            AssertionAlgorithm::PS256 => Algorithm::PS256,
            AssertionAlgorithm::ES256 => Algorithm::ES256,
        };
        let signed =
            |key: &PublicKey| key.decoding_key().is_some_and(|key| self.jws.is_signed_by(&key, algorithm));
        let keys: Vec<PublicKey> = client
            .filter(|client| client.token_endpoint_auth_method == TokenEndpointAuthMethod::PrivateKeyJwt)
            .and_then(|client| client.client_authentication_methods.as_ref())
            .map(|methods| methods.private_key_jwt.credentials.as_slice())
            .unwrap_or_default()
            .iter()
            .filter(|known| known.alg == alg && known.expires_at.is_none_or(|end| now < end))
            .filter(|known| self.jws.header.kid.as_ref().is_none_or(|kid| *kid == known.kid))
            .filter_map(|known| PublicKey::from_pem(&known.pem))
            .collect();
        if keys.is_empty() {
            signed(&PublicKey::stand_in(alg));
            return false;
        }
        keys.iter().any(signed)
    }

    /// The rest: that this client signed it, and that it was not used before. It is spent by that.
    pub async fn accept(
        &self,
        idp: &Idp,
        ctx: &RequestContext,
        client: Option<&Client>,
        now: Timestamp,
    ) -> Result<Result<(), Reason>, ServerError> {
        let signed = self.is_signed_by(client, now);
        let Some(client) = client.filter(|client| signed && *client.client_id.as_str() == self.claims.iss)
        else {
            return Ok(Err("is not signed with a key of the client that is valid now"));
        };
        let spent = hash_credential(&format!("assertion\0{}\0{}", client.client_id, self.claims.jti));
        let end = Timestamp::from_ms(i64::from(self.claims.exp) * 1000).plus_secs(TOLERANCE_SECS);
        let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
        let fresh = tx.spend_jwt_id(&spent, end).await?;
        tx.commit().await?;
        Ok(if fresh { Ok(()) } else { Err("was used before") })
    }
}

impl Claims {
    fn check_times(&self, now: i64) -> Result<(), Reason> {
        let exp = i64::from(self.exp);
        if exp <= now - TOLERANCE_SECS {
            return Err("has expired");
        }
        if exp > now + MAX_LIFETIME_SECS + TOLERANCE_SECS {
            return Err("expires too late");
        }
        let is_ahead =
            |moment: Option<u32>| moment.is_some_and(|moment| i64::from(moment) > now + TOLERANCE_SECS);
        if is_ahead(self.iat) || is_ahead(self.nbf) {
            return Err("is from the future");
        }
        Ok(())
    }
}
