//! Proof of possession (RFC 9449): who holds the private key of a proof may use what is bound to that key.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use model::{
    Client, PossessionMechanism, ProofOfPossession, RequiredFor, ResourceServer, TenantId, Timestamp,
    TokenEndpointAuthMethod,
};
use oauth::{ErrorCode, OAuthError};
use serde::Deserialize;
use serde::de::IgnoredAny;
use url::Url;

use crate::credential::hash_credential;
use crate::jws::Jws;
use crate::public_key::PublicKey;
use crate::{Idp, IdpError, RequestContext};

/// How far the clocks of client and server may be apart: the time in which a proof works (RFC 9449 §11.1).
const WINDOW_SECS: i64 = 60;
/// A nonce is the same for so long, and is believed for as long again.
const NONCE_PERIOD_SECS: i64 = 300;
const MAX_JTI_BYTES: usize = 256;

/// The request that a proof must have been made for.
pub(crate) struct Target<'a> {
    /// The HTTP method.
    pub method: &'a str,
    /// Below the issuer, without a slash in front.
    pub path: &'a str,
    /// The access token that comes with it.
    pub access_token: Option<&'a str>,
    /// Whether the proof must have a nonce of ours.
    pub nonce: Nonce,
}

/// Whether a proof must have a nonce. One that is there must always be ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nonce {
    Required,
    Optional,
}

/// The nonce that proofs should have now (RFC 9449 §8), for the header `DPoP-Nonce`. Every node of an installation
/// computes the same, so that nothing is stored.
#[must_use]
pub fn nonce(idp: &Idp, tenant: &TenantId) -> String {
    nonce_of_period(idp, tenant, period(idp.now()))
}

/// Checks the proof, spends its `jti`, and gives the thumbprint of its key (RFC 9449 §4.3).
///
/// # Errors
/// `invalid_dpop_proof`; `use_dpop_nonce` when the nonce is missing or too old.
pub(crate) async fn accept(
    idp: &Idp,
    ctx: &RequestContext,
    jwt: &str,
    target: &Target<'_>,
) -> Result<String, IdpError> {
    let now = idp.now();
    let url = format!("{}{}", ctx.issuer, target.path);
    let proof = read(jwt, target, &url, now)?;
    let right = match &proof.nonce {
        None => target.nonce == Nonce::Optional,
        Some(nonce) => {
            [0, 1].iter().any(|age| nonce_of_period(idp, &ctx.tenant.id, period(now) - age) == *nonce)
        }
    };
    if !right {
        return Err(IdpError::oauth(
            ErrorCode::UseDpopNonce,
            "Authorization server requires nonce in DPoP proof",
        ));
    }
    // A proof is worth nothing at any other URL, so that its `jti` is the key's.
    let spent = hash_credential(&format!("dpop\0{}\0{}", proof.jkt, proof.jti));
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    let fresh = tx.spend_jwt_id(&spent, proof.issued_at.plus_secs(WINDOW_SECS + 1)).await?;
    tx.commit().await?;
    if fresh { Ok(proof.jkt) } else { Err(invalid("was used before").into()) }
}

/// That the request proved possession of the key that a code or a refresh token is bound to.
///
/// # Errors
/// `invalid_dpop_proof`. Nothing is spent.
pub(crate) fn check_bound(bound_to: Option<&str>, proved: Option<&str>) -> Result<(), OAuthError> {
    match (bound_to, proved) {
        (None, _) => Ok(()),
        (Some(bound_to), Some(proved)) if bound_to == proved => Ok(()),
        (Some(_), Some(_)) => Err(invalid("has another key than the one that was bound")),
        (Some(_), None) => Err(invalid("is missing")),
    }
}

/// The key that an access token for this API (`None`: for `/userinfo`) is bound to: that of the proof, where the API
/// knows proofs at all.
///
/// # Errors
/// `invalid_request` when the API wants a proof and there is none, or the client wants bound tokens that the API does
/// not know.
pub(crate) fn binding<'a>(
    client: &Client,
    api: Option<&ResourceServer>,
    proved: Option<&'a str>,
) -> Result<Option<&'a str>, OAuthError> {
    let Some(api) = api else { return Ok(proved) };
    let by_proof = |rule: &&ProofOfPossession| rule.mechanism == PossessionMechanism::Dpop;
    match (api.proof_of_possession.as_ref().filter(by_proof), proved) {
        (None, _) if client.require_proof_of_possession => Err(OAuthError::invalid_request(
            "The client requires proof of possession, which the API does not support.",
        )),
        (None, _) => Ok(None),
        (Some(_), Some(jkt)) => Ok(Some(jkt)),
        (Some(rule), None) => {
            let public = client.token_endpoint_auth_method == TokenEndpointAuthMethod::None;
            if rule.required && (public || rule.required_for == RequiredFor::AllClients) {
                return Err(OAuthError::invalid_request("The API requires proof of possession (DPoP)."));
            }
            Ok(None)
        }
    }
}

/// `dpop_jkt`: SHA-256 in base64url without padding.
///
/// # Errors
/// `invalid_request` when it cannot be a thumbprint.
pub(crate) fn check_jkt(jkt: &str) -> Result<(), OAuthError> {
    match URL_SAFE_NO_PAD.decode(jkt) {
        Ok(bytes) if bytes.len() == 32 => Ok(()),
        _ => Err(OAuthError::invalid_request("dpop_jkt must be 43 characters of base64url")),
    }
}

/// A proof that is right but for its nonce and its `jti`.
#[derive(Debug)]
struct Proof {
    jkt: String,
    jti: String,
    nonce: Option<String>,
    issued_at: Timestamp,
}

#[derive(Deserialize)]
struct Header {
    typ: String,
    alg: String,
    jwk: PublicJwk,
    crit: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Claims {
    jti: String,
    htm: String,
    htu: String,
    iat: i64,
    ath: Option<String>,
    nonce: Option<String>,
}

fn invalid(reason: &str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidDpopProof, format!("The DPoP proof {reason}."))
}

fn read(jwt: &str, target: &Target<'_>, url: &str, now: Timestamp) -> Result<Proof, OAuthError> {
    let jws = Jws::<Header>::parse(jwt).ok_or_else(|| invalid("is malformed"))?;
    if jws.header.typ != "dpop+jwt" {
        return Err(invalid("must have the typ dpop+jwt"));
    }
    if jws.header.crit.is_some() {
        return Err(invalid("has critical extensions, which are not supported"));
    }
    let (key, algorithm, jkt) = jws.header.jwk.read(&jws.header.alg)?;
    if !jws.is_signed_by(&key, algorithm) {
        return Err(invalid("has a wrong signature"));
    }
    let claims: Claims = jws.claims().ok_or_else(|| invalid("has missing or malformed claims"))?;
    if claims.jti.is_empty() || claims.jti.len() > MAX_JTI_BYTES {
        return Err(invalid("must have a jti of 1 to 256 bytes"));
    }
    if claims.htm != target.method {
        return Err(invalid("is for another HTTP method"));
    }
    if !same_url(&claims.htu, url) {
        return Err(invalid("is for another URL"));
    }
    let age = now.as_secs().checked_sub(claims.iat);
    if age.is_none_or(|age| !(-WINDOW_SECS..=WINDOW_SECS).contains(&age)) {
        return Err(invalid("is too old or from the future"));
    }
    let ath = target.access_token.map(|token| URL_SAFE_NO_PAD.encode(digest(&SHA256, token.as_bytes())));
    if ath.is_some() && claims.ath != ath {
        return Err(invalid("is for another access token"));
    }
    Ok(Proof {
        jkt,
        jti: claims.jti,
        nonce: claims.nonce,
        issued_at: Timestamp::from_ms(claims.iat.saturating_mul(1000)),
    })
}

/// Equal after the normalisation of RFC 3986 §6.2.2 and §6.2.3, query and fragment aside (RFC 9449 §4.3).
fn same_url(htu: &str, url: &str) -> bool {
    let normal = |text: &str| {
        let mut url = Url::parse(text).ok()?;
        url.set_query(None);
        url.set_fragment(None);
        Some(url)
    };
    normal(htu).is_some_and(|htu| Some(htu) == normal(url))
}

fn period(now: Timestamp) -> i64 {
    now.as_secs().div_euclid(NONCE_PERIOD_SECS)
}

fn nonce_of_period(idp: &Idp, tenant: &TenantId, period: i64) -> String {
    idp.vault.derive("DPoP nonce", &format!("{tenant}\0{period}"))
}

/// The `jwk` of a proof, with the members that a public key must not have.
#[derive(Deserialize)]
struct PublicJwk {
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    d: Option<IgnoredAny>,
    p: Option<IgnoredAny>,
    q: Option<IgnoredAny>,
    dp: Option<IgnoredAny>,
    dq: Option<IgnoredAny>,
    qi: Option<IgnoredAny>,
    oth: Option<IgnoredAny>,
    k: Option<IgnoredAny>,
}

impl PublicJwk {
    /// The key, its algorithm and its thumbprint (RFC 7638 §3). ES256 and RS256, as `dpop_signing_alg_values_supported`
    /// says.
    fn read(&self, alg: &str) -> Result<(DecodingKey, Algorithm, String), OAuthError> {
        let private = [&self.d, &self.p, &self.q, &self.dp, &self.dq, &self.qi, &self.oth, &self.k];
        if private.iter().any(|member| member.is_some()) {
            return Err(invalid("has a private or symmetric key"));
        }
        let (key, algorithm) = match (alg, self) {
            ("ES256", Self { kty, crv: Some(crv), x: Some(x), y: Some(y), .. })
                if kty == "EC" && crv == "P-256" =>
            {
                (PublicKey::P256 { x: x.clone(), y: y.clone() }, Algorithm::ES256)
            }
            ("RS256", Self { kty, n: Some(n), e: Some(e), .. }) if kty == "RSA" => {
                (PublicKey::Rsa { n: n.clone(), e: e.clone() }, Algorithm::RS256)
            }
            ("ES256" | "RS256", _) => return Err(invalid("has a key that does not fit its alg")),
            _ => return Err(invalid("must be signed with ES256 or RS256")),
        };
        let decoding_key = key.decoding_key().ok_or_else(|| invalid("has a malformed key"))?;
        Ok((decoding_key, algorithm, key.thumbprint()))
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
    use serde_json::{Value, json};

    use super::*;

    /// RFC 9449 §4.1, figure 2.
    const TOKEN_REQUEST_PROOF: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
    /// RFC 9449 §7.1, figure 12.
    const RESOURCE_PROOF: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";
    const ACCESS_TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
    /// RFC 9449 §6.1.
    const JKT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_ms(secs * 1000)
    }

    fn target<'a>(method: &'a str, access_token: Option<&'a str>) -> Target<'a> {
        Target { method, path: "", access_token, nonce: Nonce::Optional }
    }

    #[test]
    fn the_proofs_of_rfc_9449_are_right_at_their_time_for_their_request() {
        let url = "https://server.example.com/token";
        let proof = read(TOKEN_REQUEST_PROOF, &target("POST", None), url, at(1_562_262_616)).unwrap();
        assert_eq!((proof.jkt.as_str(), proof.jti.as_str()), (JKT, "-BwC3ESc6acc2lTc"));
        for secs in [-61, -60, 60, 61_i64] {
            let read = read(TOKEN_REQUEST_PROOF, &target("POST", None), url, at(1_562_262_616 + secs));
            assert_eq!(read.is_ok(), secs.abs() == 60, "{secs}");
        }
        let url = "https://resource.example.org/protectedresource";
        let ask = |method, token, url| read(RESOURCE_PROOF, &target(method, token), url, at(1_562_262_618));
        assert_eq!(ask("GET", Some(ACCESS_TOKEN), url).unwrap().jkt, JKT);
        for (method, token, url, reason) in [
            ("POST", Some(ACCESS_TOKEN), url, "is for another HTTP method"),
            ("get", Some(ACCESS_TOKEN), url, "is for another HTTP method"),
            ("GET", Some("another"), url, "is for another access token"),
            ("GET", Some(ACCESS_TOKEN), "https://resource.example.org/", "is for another URL"),
        ] {
            assert_eq!(ask(method, token, url).unwrap_err().description, format!("The DPoP proof {reason}."));
        }
    }

    #[test]
    fn a_url_is_compared_after_normalisation() {
        let url = "https://acme.example/oauth/token";
        for (htu, same) in [
            ("https://acme.example/oauth/token", true),
            ("HTTPS://ACME.example:443/oauth/token", true),
            ("https://acme.example/oauth/../oauth/token", true),
            ("https://acme.example/oauth/token?a=b#c", true),
            ("http://acme.example/oauth/token", false),
            ("https://acme.example:8443/oauth/token", false),
            ("https://acme.example/oauth/token/", false),
            ("https://acme.example/OAuth/token", false),
            ("https://user@acme.example/oauth/token", false),
            ("https://acme.example.evil/oauth/token", false),
            ("/oauth/token", false),
            ("", false),
        ] {
            assert_eq!(same_url(htu, url), same, "{htu}");
        }
    }

    struct Signer(EcdsaKeyPair);

    impl Signer {
        fn jwk(&self) -> Value {
            let point = self.0.public_key().as_ref();
            let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
            json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y })
        }

        fn sign(&self, header: &str, claims: &str) -> String {
            let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
            let signature = self.0.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
            format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
        }
    }

    const CLAIMS: &str = r#"{"jti":"1","htm":"POST","htu":"https://a.example/t","iat":1000}"#;

    fn refused(jwt: &str) -> String {
        let error = read(jwt, &target("POST", None), "https://a.example/t", at(1000)).unwrap_err();
        assert_eq!((error.code, error.status()), (ErrorCode::InvalidDpopProof, 400));
        error.description
    }

    #[test]
    fn a_header_that_plays_games_is_refused() {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let signer = Signer(key);
        let jwk = signer.jwk();
        let with = |name: &str, value: Value| {
            let mut jwk = jwk.clone();
            jwk[name] = value;
            jwk
        };
        let header = |alg: &str, jwk: &Value| json!({"typ": "dpop+jwt", "alg": alg, "jwk": jwk}).to_string();
        let right = signer.sign(&header("ES256", &jwk), CLAIMS);
        assert!(read(&right, &target("POST", None), "https://a.example/t", at(1000)).is_ok());
        let unsigned = right.rsplit_once('.').unwrap().0;
        assert_eq!(refused(&format!("{unsigned}.")), "The DPoP proof has a wrong signature.");
        let zeros = URL_SAFE_NO_PAD.encode([0; 64]);
        assert_eq!(refused(&format!("{unsigned}.{zeros}")), "The DPoP proof has a wrong signature.");
        for bad in
            ["", "..", "a.b.c", unsigned, &format!("{right}.a"), &format!("{right}="), &"a".repeat(9000)]
        {
            let reason = refused(bad);
            assert!(reason.ends_with("malformed.") || reason.ends_with("signature."), "{bad}: {reason}");
        }
        for (header, reason) in [
            (header("none", &jwk), "must be signed with ES256 or RS256"),
            (header("HS256", &json!({"kty": "oct", "k": "AAAA"})), "has a private or symmetric key"),
            (header("HS256", &jwk), "must be signed with ES256 or RS256"),
            (header("es256", &jwk), "must be signed with ES256 or RS256"),
            (header("RS256", &jwk), "has a key that does not fit its alg"),
            (header("ES256", &with("d", "AAAA".into())), "has a private or symmetric key"),
            (header("ES256", &with("crv", "P-384".into())), "has a key that does not fit its alg"),
            (header("ES256", &with("x", "\",\"a\":\"".into())), "has a malformed key"),
            (header("ES256", &with("x", "AAAA".into())), "has a wrong signature"),
            (header("ES256", &json!({"kty": "EC"})), "has a key that does not fit its alg"),
            (json!({"typ": "JWT", "alg": "ES256", "jwk": jwk}).to_string(), "must have the typ dpop+jwt"),
            (json!({"alg": "ES256", "jwk": jwk}).to_string(), "is malformed"),
            (json!({"typ": "dpop+jwt", "alg": "ES256", "kid": "a"}).to_string(), "is malformed"),
            (
                json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk, "crit": ["b64"], "b64": false})
                    .to_string(),
                "has critical extensions, which are not supported",
            ),
            (format!(r#"{{"typ":"dpop+jwt","alg":"none","alg":"ES256","jwk":{jwk}}}"#), "is malformed"),
        ] {
            assert_eq!(
                refused(&signer.sign(&header, CLAIMS)),
                format!("The DPoP proof {reason}."),
                "{header}"
            );
        }
        for claims in [
            r#"{"htm":"POST","htu":"https://a.example/t","iat":1000}"#,
            r#"{"jti":1,"htm":"POST","htu":"https://a.example/t","iat":1000}"#,
            r#"{"jti":"1","htm":"POST","htu":"https://a.example/t","iat":"1000"}"#,
            r#"{"jti":"1","htm":"POST","htu":"https://a.example/t","iat":1000.0}"#,
            r#"{"jti":"1","htm":"POST","htu":"https://a.example/t","iat":1e400}"#,
            r#"{"jti":"1","jti":"2","htm":"POST","htu":"https://a.example/t","iat":1000}"#,
            "[]",
        ] {
            let reason = refused(&signer.sign(&header("ES256", &jwk), claims));
            assert_eq!(reason, "The DPoP proof has missing or malformed claims.", "{claims}");
        }
        let old = CLAIMS.replace("1000", "-9223372036854775808");
        assert_eq!(
            refused(&signer.sign(&header("ES256", &jwk), &old)),
            "The DPoP proof is too old or from the future."
        );
    }
}
