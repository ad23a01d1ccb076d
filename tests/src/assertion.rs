//! Client assertions (RFC 7523 §2.2), as a client makes them.

use std::sync::atomic::{AtomicU32, Ordering};

use idp::manage::{NewCredential, add_client_credential};
use model::{AssertionAlgorithm, ClientId, Clock, PublicKeyCredential};
use serde_json::{Value, json};

use crate::TestServer;
use crate::key::Key;

pub const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

static NEXT: AtomicU32 = AtomicU32::new(0);

/// The claims of an assertion that is right now at `acme`.
pub fn claims(server: &TestServer, client_id: &str) -> Value {
    let now = server.clock.now().as_secs();
    let jti = format!("assertion-{}", NEXT.fetch_add(1, Ordering::SeqCst));
    json!({
        "iss": client_id, "sub": client_id, "aud": server.issuer("acme"),
        "iat": now, "nbf": now, "exp": now + 60, "jti": jti,
    })
}

/// One that is right, with the algorithm that the key was made for.
pub fn sign(server: &TestServer, client_id: &str, key: &Key) -> String {
    key.sign(&header(key), &claims(server, client_id))
}

pub fn header(key: &Key) -> Value {
    let alg = match key {
        Key::Ec(_) => "ES256",
        Key::Rsa(_) => "RS256",
    };
    json!({ "alg": alg, "typ": "JWT" })
}

/// What a request has in place of `client_secret`.
pub fn form(assertion: &str) -> [(&str, &str); 2] {
    [("client_assertion_type", TYPE), ("client_assertion", assertion)]
}

impl TestServer {
    /// Registers the key at `acme`; from then on the client authenticates with it alone.
    pub async fn register_key(
        &self,
        client_id: &str,
        key: &Key,
        alg: AssertionAlgorithm,
    ) -> PublicKeyCredential {
        let new = NewCredential { name: "a key".to_owned(), pem: key.pem(), alg, expires_at: None };
        add_client_credential(&self.idp, &self.acme(), &ClientId::new(client_id), new).await.expect("a key")
    }
}
