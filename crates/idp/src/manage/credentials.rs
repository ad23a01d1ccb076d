//! The public keys that clients authenticate with (`private_key_jwt`).

use model::{
    AssertionAlgorithm, ClientAuthenticationMethods, ClientId, ManagedClient, PrivateKeyJwt,
    PublicKeyCredential, TenantId, Timestamp, TokenEndpointAuthMethod, random_token,
};

use super::client_authentication::{
    Credential, CredentialView, GivenCredential, MAX_CREDENTIALS, credentials, moment, new_credential,
};
use super::clients::{no_client, put};
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
        created_at: Some(idp.now()),
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

/// The public keys of a client, in use or not.
///
/// # Errors
/// [`ManageError::NotFound`].
pub async fn client_credentials(
    idp: &Idp,
    tenant: &TenantId,
    id: &ClientId,
) -> Result<Vec<CredentialView>, ManageError> {
    let client = idp.storage.begin_read(tenant).await?.managed_client(id).await?.ok_or_else(no_client)?;
    Ok(shown(&client).collect())
}

/// Keys, and certificates after them.
fn shown(client: &ManagedClient) -> impl Iterator<Item = CredentialView> {
    let certificates = client.profile.tls_credentials.iter().flatten();
    credentials(client).map(CredentialView::from).chain(certificates.map(CredentialView::from))
}

/// One of them.
///
/// # Errors
/// [`ManageError::NotFound`].
pub async fn client_credential(
    idp: &Idp,
    tenant: &TenantId,
    id: &ClientId,
    credential: &str,
) -> Result<CredentialView, ManageError> {
    let client = idp.storage.begin_read(tenant).await?.managed_client(id).await?.ok_or_else(no_client)?;
    shown(&client).find(|known| known.id() == credential).ok_or_else(no_credential)
}

/// Registers a public key of a client, or keeps a certificate. It is in use when the client's `client_authentication_methods` name it.
///
/// # Errors
/// [`ManageError::NotFound`] for the client; [`ManageError::Invalid`] for a key that does not fit its algorithm, or an
/// eleventh one; [`ManageError::Conflict`] for a key that the client has.
pub async fn create_client_credential(
    idp: &Idp,
    tenant: &TenantId,
    id: &ClientId,
    given: GivenCredential,
) -> Result<CredentialView, ManageError> {
    let new = new_credential(given, |length| random_token(&*idp.random, length), idp.now())?;
    change(idp, tenant, id, |client| {
        if shown(client).count() >= MAX_CREDENTIALS {
            return Err(ManageError::invalid("a client has at most 10 credentials"));
        }
        let new = match &new {
            Credential::Key(new) => new,
            Credential::Certificate(new) => {
                client.profile.tls_credentials.get_or_insert_default().push(new.clone());
                return Ok(CredentialView::from(new));
            }
        };
        if credentials(client).any(|known| known.kid == new.kid && known.alg == new.alg) {
            return Err(ManageError::Conflict("The client has a credential with this key".to_owned()));
        }
        client.profile.credentials.get_or_insert_default().push(new.clone());
        Ok(CredentialView::from(new))
    })
    .await
}

/// Sets when a public key expires; `None`: it does not. A certificate says it itself.
///
/// # Errors
/// [`ManageError::NotFound`]; [`ManageError::Invalid`] for what is no moment.
pub async fn update_client_credential(
    idp: &Idp,
    tenant: &TenantId,
    id: &ClientId,
    credential: &str,
    expires_at: Option<&str>,
) -> Result<CredentialView, ManageError> {
    let expires_at = expires_at.map(moment).transpose()?;
    change(idp, tenant, id, |client| {
        let used = client.client.client_authentication_methods.iter_mut();
        let used = used.flat_map(|methods| &mut methods.private_key_jwt.credentials);
        let mut all = used.chain(client.profile.credentials.iter_mut().flatten());
        let found = all.find(|known| known.id == credential).ok_or_else(no_credential)?;
        found.expires_at = expires_at;
        Ok(CredentialView::from(&*found))
    })
    .await
}

/// Removes a public key that is not in use.
///
/// # Errors
/// [`ManageError::NotFound`]; [`ManageError::Conflict`] for one that is in use.
pub async fn delete_client_credential(
    idp: &Idp,
    tenant: &TenantId,
    id: &ClientId,
    credential: &str,
) -> Result<(), ManageError> {
    change(idp, tenant, id, |client| {
        let aside = client.profile.credentials.get_or_insert_default();
        let before = aside.len();
        aside.retain(|known| known.id != credential);
        let certificates = client.profile.tls_credentials.get_or_insert_default();
        let certificates_before = certificates.len();
        certificates.retain(|known| known.in_use || known.id != credential);
        if aside.len() < before || certificates.len() < certificates_before {
            return Ok(());
        }
        match shown(client).any(|known| known.id() == credential) {
            false => Err(no_credential()),
            true => Err(ManageError::Conflict(
                "The credential is in use: client_authentication_methods has to let go of it first"
                    .to_owned(),
            )),
        }
    })
    .await
}

async fn change<T>(
    idp: &Idp,
    tenant: &TenantId,
    id: &ClientId,
    change: impl FnOnce(&mut ManagedClient) -> Result<T, ManageError>,
) -> Result<T, ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    let mut client = tx.managed_client(id).await?.ok_or_else(no_client)?;
    let outcome = change(&mut client)?;
    client.updated_at = idp.now();
    put(idp, tenant, &mut tx, &client).await?;
    tx.commit().await?;
    Ok(outcome)
}

fn no_credential() -> ManageError {
    ManageError::NotFound { error_code: None, message: "The credential does not exist".to_owned() }
}
