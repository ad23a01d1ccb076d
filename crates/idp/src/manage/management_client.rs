//! The client by which tools manage a tenant.

use model::{
    AppType, Client, ClientGrant, ClientId, RandomSource, TenantId, TokenEndpointAuthMethod, random_token,
};

use super::{ManageError, put_client, put_client_grant};
use crate::{Idp, hash_credential, management_api};

/// The credentials of a new client: they are shown once.
#[derive(Debug, Clone)]
pub struct ClientCredentials {
    /// Its id.
    pub client_id: ClientId,
    /// Its secret, which is stored hashed.
    pub client_secret: String,
}

/// Makes a client that may do everything at the Management API of its tenant.
///
/// # Errors
/// [`ManageError`].
pub async fn create_management_client(
    idp: &Idp,
    tenant: &TenantId,
    name: &str,
) -> Result<ClientCredentials, ManageError> {
    let client_secret = random_token(&*idp.random, 64);
    let client_id = ClientId::new(alphanumerics(&*idp.random, 32));
    put_management_client(idp, tenant, name, &client_id, &client_secret).await?;
    Ok(ClientCredentials { client_id, client_secret })
}

/// The same with credentials that are known.
///
/// # Errors
/// [`ManageError`].
pub async fn put_management_client(
    idp: &Idp,
    tenant: &TenantId,
    name: &str,
    client_id: &ClientId,
    client_secret: &str,
) -> Result<(), ManageError> {
    let method = TokenEndpointAuthMethod::ClientSecretPost;
    let client = Client {
        client_secret_hashes: vec![hash_credential(client_secret)],
        grant_types: vec!["client_credentials".to_owned()],
        ..Client::new(client_id.clone(), name, AppType::NonInteractive, method)
    };
    put_client(idp, tenant, &client).await?;
    let grant = ClientGrant {
        client_id: Some(client.client_id),
        audience: management_api::STORED_AUDIENCE.to_owned(),
        scope: management_api::SCOPES.iter().map(|(scope, _)| (*scope).to_owned()).collect(),
    };
    put_client_grant(idp, tenant, &grant).await
}

/// Random letters and digits: what ids of clients are made of, as tools put them into paths.
pub(super) fn alphanumerics(random: &dyn RandomSource, length: usize) -> String {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let mut bytes = [0; 64];
        random.fill(&mut bytes);
        // What is left of 256 would make some letters more likely.
        let letters = bytes.iter().map(|byte| usize::from(byte % 64)).filter(|index| *index < LETTERS.len());
        text.extend(letters.take(length - text.len()).map(|index| char::from(LETTERS[index])));
    }
    text
}
