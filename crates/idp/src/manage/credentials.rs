//! The public keys that clients authenticate with (`private_key_jwt`).

use model::{
    AssertionAlgorithm, ClientAuthenticationMethods, ClientId, PrivateKeyJwt, PublicKeyCredential, TenantId,
    Timestamp, TokenEndpointAuthMethod, random_token,
};

use super::{ManageError, validate};
use crate::Idp;

/// A public key to be registered.
#[derive(Debug, Clone)]
pub struct NewCredential {
    /// What people call it, at most 128 bytes.
    pub name: String,
    /// PEM with the label `PUBLIC KEY`: RSA of at least 2048 bits, or EC on the curve P-256.
    pub pem: String,
    /// The one algorithm that it is used with.
    pub alg: AssertionAlgorithm,
    /// After it, the key is no longer believed; `None`: it does not expire.
    pub expires_at: Option<Timestamp>,
}

/// Registers a public key of a client, beside the one that it has. From then on the client authenticates with
/// `private_key_jwt` alone: secrets that it had are forgotten. Yields the credential, with the `kid` that its assertions
/// may have: the key's thumbprint (RFC 7638).
///
/// # Errors
/// [`ManageError::Invalid`] for an unknown client, a third key, a key that it has already, or one that does not fit its
/// algorithm.
pub async fn add_client_credential(
    idp: &Idp,
    tenant: &TenantId,
    client: &ClientId,
    new: NewCredential,
) -> Result<PublicKeyCredential, ManageError> {
    let credential = PublicKeyCredential {
        id: format!("cred_{}", random_token(&*idp.random, 22)),
        kid: validate::public_key(&new.pem, new.alg)?.thumbprint(),
        name: new.name,
        alg: new.alg,
        pem: new.pem,
        expires_at: new.expires_at,
    };
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    let mut client =
        tx.client(client).await?.ok_or_else(|| ManageError::invalid(format!("unknown client: {client}")))?;
    client.token_endpoint_auth_method = TokenEndpointAuthMethod::PrivateKeyJwt;
    client.client_secret_hashes.clear();
    let none = ClientAuthenticationMethods { private_key_jwt: PrivateKeyJwt { credentials: Vec::new() } };
    let methods = client.client_authentication_methods.get_or_insert(none);
    methods.private_key_jwt.credentials.push(credential.clone());
    validate::client(&client, idp.network.has_asn())?;
    tx.put_client(&client).await?;
    tx.commit().await?;
    Ok(credential)
}
