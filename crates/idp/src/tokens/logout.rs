//! Logout tokens (OpenID Connect Back-Channel Logout §2.4).

use model::{BackchannelLogout, Client, Tenant, Timestamp, random_token};
use serde_json::{Map, Value, json};

use super::{JTI_LENGTH, TokenType, sign};
use crate::jws_algorithm::JwsAlgorithm;
use crate::{Idp, IdpError};

/// Two minutes at most (§2.4).
const LIFETIME_SECS: i64 = 120;
/// The one member of `events` (§2.4).
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// A token that tells the client that the session has ended: a new one for each attempt, signed as its ID tokens are (§2.6).
/// Signs, so no transaction may be open.
///
/// # Errors
/// [`IdpError::Server`] when the tenant's key cannot be had.
pub(crate) async fn logout_token(
    idp: &Idp,
    tenant: &Tenant,
    client: &Client,
    logout: &BackchannelLogout,
    now: Timestamp,
) -> Result<String, IdpError> {
    let claims = Map::from_iter(
        [
            ("iss", json!(logout.issuer)),
            ("sub", json!(logout.user_id)),
            ("aud", json!(logout.client_id)),
            ("iat", json!(now.as_secs())),
            ("exp", json!(now.plus_secs(LIFETIME_SECS).as_secs())),
            ("jti", json!(random_token(&*idp.random, JTI_LENGTH))),
            ("sid", json!(logout.session_id)),
            ("events", json!({ EVENT: {} })),
        ]
        .map(|(name, value): (&str, Value)| (name.to_owned(), value)),
    );
    sign(idp, tenant, TokenType::Logout, JwsAlgorithm::of(client.jwt_configuration.alg), &claims).await
}
