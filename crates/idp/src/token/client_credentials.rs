//! `grant_type=client_credentials` (RFC 6749 §4.4).

use std::sync::Arc;

use model::{Client, ClientAuthorizationPolicy, LogType, SubjectType, TokenEndpointAuthMethod};
use oauth::ErrorCode;
use serde_json::json;

use super::{TokenInput, TokenResponse, token_quota};
use crate::post_login::log_entry;
use crate::{Idp, IdpError, RequestContext, api_access, management_api, organizations, tokens};

/// An access token for the client itself: only for a confidential client with a grant for the API. No refresh token,
/// no ID token.
pub(super) async fn exchange(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    input: &TokenInput,
    jkt: Option<&str>,
) -> Result<TokenResponse, IdpError> {
    if client.token_endpoint_auth_method == TokenEndpointAuthMethod::None {
        return Err(IdpError::oauth(
            ErrorCode::UnauthorizedClient,
            "Grant type `client_credentials` not allowed for the client.",
        ));
    }
    let audience = input.parameters.require("audience")?;
    let requested = oauth::parse_scope(input.parameters.get("scope").unwrap_or_default())?;
    let stored = management_api::stored_audience(ctx, audience);
    let api = match stored == management_api::STORED_AUDIENCE {
        true => Arc::new(management_api::api(ctx)),
        false => tokens::api(idp, ctx, audience).await?,
    };
    let api = &api.server;
    if api.subject_type_authorization.client.policy == ClientAuthorizationPolicy::DenyAll {
        return Err(IdpError::oauth(
            ErrorCode::UnauthorizedClient,
            format!("No client may have access tokens of its own for \"{audience}\"."),
        ));
    }
    let (grant, organization) = {
        let mut tx = idp.storage.begin_read(&ctx.tenant.id).await?;
        let Some(grant) = api_access::client_grant(&mut tx, client, stored, SubjectType::Client).await?
        else {
            return Err(IdpError::oauth(
                ErrorCode::UnauthorizedClient,
                format!("Client is not authorized to access \"{audience}\". It needs a client grant for it."),
            ));
        };
        let organization = organizations::of_client(&mut tx, ctx, client, &grant, &input.parameters).await?;
        (grant, organization)
    };
    let granted = grant.scopes_among(&api.scopes);
    let asked_for = |scope: &&String| requested.is_empty() || requested.contains(scope);
    let scope: Vec<String> = granted.iter().filter(asked_for).cloned().collect();
    token_quota::count(idp, ctx, client, organization.as_ref()).await?;
    let now = idp.now();
    let (access_token, token_type) =
        tokens::machine_token(idp, ctx, client, api, organization.as_ref(), (&scope, &granted), jkt).await?;
    let mut entry =
        log_entry(LogType::SuccessExchangeClientCredentials, Some(client), None, &ctx.origin, now)
            .with_grant(Some(audience), &scope)
            .with_organization(organization.as_ref());
    entry.description = "Client credentials for an access token".to_owned();
    entry.details = json!({ "audience": audience, "scope": scope.join(" ") });
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    tx.insert_log(&entry).await?;
    tx.commit().await?;
    Ok(TokenResponse {
        access_token,
        token_type,
        expires_in: api.token_lifetime_secs,
        id_token: None,
        refresh_token: None,
        scope: Some(scope.join(" ")),
        issued_token_type: None,
        recovery_code: None,
    })
}
