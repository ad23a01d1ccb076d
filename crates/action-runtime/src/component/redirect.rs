//! `redirect`: the browser leaves, with a token that only the other site and this Action can make.

use action_api::Command;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde_json::{Map, Value, json};
use url::Url;

use super::Answered;
use super::bindings::postern::actions::redirect;
use crate::host::Host;

/// Where nobody sits at a browser.
const NO_BROWSER: [&str; 4] =
    ["oauth2-resource-owner", "oauth2-refresh-token", "oauth2-password", "oauth2-webauthn"];
const LIFE_SECONDS: f64 = 900.0;
const HEADER: &[u8] = br#"{"alg":"HS256","typ":"JWT"}"#;

impl redirect::Host for Host {
    fn can_redirect(&mut self) -> wasmtime::Result<bool> {
        self.counted()?;
        let event = self.event();
        let silent = event.pointer("/request/query/prompt") == Some(&json!("none"));
        let protocol = event.pointer("/transaction/protocol").and_then(Value::as_str);
        Ok(!silent && !protocol.is_some_and(|protocol| NO_BROWSER.contains(&protocol)))
    }

    fn send_user_to(&mut self, url: String, query: Vec<(String, String)>) -> Answered<()> {
        let Ok(mut target) = Url::parse(&url) else {
            return self.refuse("the user is sent to an absolute http or https URL".to_owned());
        };
        if !query.is_empty() {
            let mut pairs: Vec<(String, String)> = target.query_pairs().into_owned().collect();
            for (name, value) in query {
                // As `URLSearchParams.set`: the first of this name has the value, the others go.
                match pairs.iter().position(|pair| pair.0 == name) {
                    Some(at) => {
                        pairs[at].1 = value;
                        let mut index = 0;
                        pairs.retain(|pair| {
                            index += 1;
                            index <= at + 1 || pair.0 != name
                        });
                    }
                    None => pairs.push((name, value)),
                }
            }
            target.query_pairs_mut().clear().extend_pairs(pairs);
        }
        let url = String::from(target);
        let bytes = url.len();
        self.take(Command::RedirectSendUserTo { url }, bytes)
    }

    fn encode_token(
        &mut self,
        secret: String,
        payload: String,
        expires_in_seconds: Option<f64>,
    ) -> Answered<String> {
        self.counted()?;
        let life = expires_in_seconds.unwrap_or(LIFE_SECONDS);
        Ok(self.encoded(&secret, &payload, life).map_err(str::to_owned))
    }

    fn validate_token(&mut self, secret: String, parameter: Option<String>) -> Answered<String> {
        self.counted()?;
        Ok(self.validated(&secret, parameter.as_deref().unwrap_or("session_token")))
    }
}

impl Host {
    fn event(&mut self) -> &Value {
        let event = &self.event;
        self.parsed.get_or_insert_with(|| serde_json::from_str(event).unwrap_or_default())
    }

    fn seconds(&self) -> i64 {
        self.now_ms.div_euclid(1000)
    }

    fn encoded(&mut self, secret: &str, payload: &str, life: f64) -> Result<String, &'static str> {
        if secret.is_empty() {
            return Err("`secret` must not be empty");
        }
        if !life.is_finite() {
            return Err("`expires-in-seconds` must be a finite number");
        }
        let payload: Map<String, Value> =
            serde_json::from_str(payload).map_err(|_| "`payload` must be a JSON object")?;
        let now = self.seconds();
        let event = self.event();
        let mut claims = Map::new();
        claims.insert("iat".into(), json!(now));
        claims.insert("exp".into(), number(now as f64 + life));
        for (claim, pointer) in
            [("iss", "/request/hostname"), ("sub", "/user/user_id"), ("ip", "/request/ip")]
        {
            if let Some(value) = event.pointer(pointer) {
                claims.insert(claim.into(), value.clone());
            }
        }
        claims.extend(payload);
        let claims = Value::Object(claims).to_string();
        let signed = format!("{}.{}", BASE64URL.encode(HEADER), BASE64URL.encode(claims));
        let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), signed.as_bytes());
        Ok(format!("{signed}.{}", BASE64URL.encode(signature)))
    }

    fn validated(&mut self, secret: &str, parameter: &str) -> Result<String, String> {
        if secret.is_empty() {
            return Err("`secret` must not be empty".to_owned());
        }
        let now = self.seconds() as f64;
        let event = self.event();
        let given = |name: &str| {
            let of = |place: &str| event.get("request")?.get(place)?.get(name);
            of("body").or_else(|| of("query"))
        };
        let Some(token) = given(parameter).and_then(Value::as_str) else {
            return Err(format!("the parameter `{parameter}` is missing"));
        };
        let claims = claims(token, secret).map_err(|why| format!("the token is not valid: {why}"))?;
        let invalid = |why: &str| Err(format!("the token is not valid: {why}"));
        if claims.get("exp").and_then(Value::as_f64).is_none_or(|exp| exp <= now) {
            return invalid("it has expired");
        }
        if claims.get("nbf").and_then(Value::as_f64).is_some_and(|nbf| nbf > now) {
            return invalid("it is from the future");
        }
        if claims.get("state") != given("state") {
            return invalid("its `state` is another");
        }
        if claims.get("sub") != event.pointer("/user/user_id") {
            return invalid("its `sub` is not the user");
        }
        Ok(Value::Object(claims).to_string())
    }
}

/// Whole where it is, as JavaScript writes numbers.
fn number(value: f64) -> Value {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "what does not come back as it was is written as it is"
    )]
    let whole = value as i64;
    if whole as f64 == value { json!(whole) } else { json!(value) }
}

/// The claims of a JWT (RFC 7519) that is signed with HS256.
fn claims(token: &str, secret: &str) -> Result<Map<String, Value>, &'static str> {
    let no_jwt = "it is no JWT";
    let (signed, signature) = token.rsplit_once('.').ok_or(no_jwt)?;
    let (header, claims) = signed.split_once('.').ok_or(no_jwt)?;
    let decode = |piece: &str| BASE64URL.decode(piece).map_err(|_| no_jwt);
    let (header, claims, signature) = (decode(header)?, decode(claims)?, decode(signature)?);
    let header: Value = serde_json::from_slice(&header).map_err(|_| no_jwt)?;
    let claims: Value = serde_json::from_slice(&claims).map_err(|_| no_jwt)?;
    let Value::Object(claims) = claims else { return Err(no_jwt) };
    if header.get("alg") != Some(&json!("HS256")) {
        return Err("it is not signed with HS256");
    }
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), signed.as_bytes(), &signature)
        .map_err(|_| "its signature is wrong")?;
    Ok(claims)
}
