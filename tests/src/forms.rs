//! The requests of a flow at the tenant `acme`, encoded as [`Wire`](crate::wire::Wire) sends them.

use crate::flow::{CHALLENGE, VERIFIER};
use crate::seed;
use crate::wire::Answer;

/// The token endpoint.
pub const TOKEN: &str = "/oauth/token";

fn encode(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// `/authorize` of the native client.
pub fn authorize_native() -> String {
    authorize(seed::NATIVE, seed::NATIVE_CALLBACK, "openid offline_access")
}

/// `/authorize` of the web client with a session transfer token.
pub fn redeem(token: &str) -> String {
    let path = authorize(seed::WEB, seed::WEB_CALLBACK, "openid");
    format!("{path}&session_transfer_token={token}")
}

fn authorize(client: &str, callback: &str, scope: &str) -> String {
    format!(
        "/authorize?response_type=code&client_id={client}&redirect_uri={}&scope={}&code_challenge={CHALLENGE}\
         &code_challenge_method=S256",
        encode(callback),
        encode(scope)
    )
}

/// Exchanges a code of the native client.
pub fn exchange_native(code: &str) -> String {
    exchange(seed::NATIVE, seed::NATIVE_CALLBACK, code)
}

/// Exchanges a code of the web client.
pub fn exchange_web(code: &str) -> String {
    format!("{}&client_secret={}", exchange(seed::WEB, seed::WEB_CALLBACK, code), seed::WEB_SECRET)
}

fn exchange(client: &str, callback: &str, code: &str) -> String {
    format!(
        "grant_type=authorization_code&client_id={client}&code={code}&redirect_uri={}&code_verifier={VERIFIER}",
        encode(callback)
    )
}

/// Exchanges a refresh token of the native client.
pub fn refresh(token: &str) -> String {
    format!("grant_type=refresh_token&client_id={}&refresh_token={token}", seed::NATIVE)
}

/// Trades a refresh token of the native client for a session transfer token.
pub fn transfer(token: &str) -> String {
    let audience = format!("urn:{}.localhost:session_transfer", seed::ACME);
    format!("{}&audience={}", refresh(token), encode(&audience))
}

/// The code that an answer leads back with.
pub fn code_of(answer: &Answer) -> Option<&str> {
    answer.header("location")?.split(['?', '&']).find_map(|pair| pair.strip_prefix("code="))
}
