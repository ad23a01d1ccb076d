//! Proofs of possession (RFC 9449), as a client makes them.

use std::sync::atomic::{AtomicU32, Ordering};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::Clock;
use reqwest::Method;
use serde_json::{Value, json};

use crate::key::Key;
use crate::{RawClient, Response, TestServer};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A client's key for proofs.
pub struct Prover {
    pub key: Key,
}

impl Default for Prover {
    fn default() -> Self {
        Self { key: Key::ec() }
    }
}

impl Prover {
    /// RFC 7638.
    pub fn jkt(&self) -> String {
        let jwk = self.key.jwk();
        let members = format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, jwk["x"], jwk["y"]);
        URL_SAFE_NO_PAD.encode(digest(&SHA256, members.as_bytes()))
    }

    pub fn header(&self) -> Value {
        json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.key.jwk() })
    }

    /// The claims of a proof for this request, at the server's time, with the server's nonce.
    pub fn claims(&self, server: &TestServer, method: &str, path: &str) -> Value {
        let jti = format!("jti-{}", NEXT.fetch_add(1, Ordering::SeqCst));
        let htu = format!("{}{}", server.issuer("acme"), path.trim_start_matches('/'));
        let iat = server.clock.now().as_secs();
        json!({ "jti": jti, "htm": method, "htu": htu, "iat": iat, "nonce": server.dpop_nonce() })
    }

    pub fn sign(&self, claims: &Value) -> String {
        self.key.sign(&self.header(), claims)
    }

    /// A proof that is right for `POST /oauth/token`.
    pub fn token_proof(&self, server: &TestServer) -> String {
        self.sign(&self.claims(server, "POST", "/oauth/token"))
    }

    /// `POST /oauth/token` with a right proof.
    pub async fn token(&self, server: &TestServer, app: &RawClient, form: &[(&str, &str)]) -> Response {
        post_with_proof(app, &self.token_proof(server), form).await
    }

    /// `GET /userinfo` with a right proof.
    pub async fn userinfo(&self, server: &TestServer, app: &RawClient, token: &str) -> Response {
        let mut claims = self.claims(server, "GET", "/userinfo");
        claims["ath"] = URL_SAFE_NO_PAD.encode(digest(&SHA256, token.as_bytes())).into();
        userinfo_with_proof(app, token, &self.sign(&claims)).await
    }
}

/// `POST /oauth/token`.
pub async fn post_with_proof(app: &RawClient, proof: &str, form: &[(&str, &str)]) -> Response {
    app.send(app.request(Method::POST, "/oauth/token").header("dpop", proof).form(form)).await
}

/// `GET /userinfo`.
pub async fn userinfo_with_proof(app: &RawClient, token: &str, proof: &str) -> Response {
    let request = app.request(Method::GET, "/userinfo").header("dpop", proof);
    app.send(request.header("authorization", format!("DPoP {token}"))).await
}
