//! How many tokens of their own clients may have in an hour and in a day: the client's `token_quota`, or else the tenant's
//! `default_token_quota`; in the name of an organization, the tenant's for organizations besides.

use model::{Client, DefaultTokenQuotaOf, Organization, Timestamp, TokenQuotaLimits};
use oauth::{ErrorCode, OAuthError};

use crate::{Idp, IdpError, RequestContext};

const HOUR_SECS: i64 = 3600;
const DAY_SECS: i64 = 24 * HOUR_SECS;

/// Counts a token that is about to be made. Each count is one atomic statement, whichever node makes it: no two requests have
/// the last token of an hour. Hours and days are those of UTC.
///
/// # Errors
/// 429 `too_many_requests` when the quota is used up, with when there are tokens again.
pub(super) async fn count(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    organization: Option<&Organization>,
) -> Result<(), IdpError> {
    let default = idp.settings.default_token_quota(&ctx.tenant).await?;
    let of_default = |of: Option<&DefaultTokenQuotaOf>| of.and_then(|of| of.client_credentials.clone());
    let of_client = match &client.token_quota {
        Some(quota) => quota.client_credentials.clone(),
        None => of_default(default.clients.as_ref()),
    };
    let of_organization = organization.zip(of_default(default.organizations.as_ref()));
    let quotas = [
        of_client.map(|limits| (format!("client/{}", client.client_id), "client", limits)),
        of_organization.map(|(known, limits)| (format!("organization/{}", known.id), "organization", limits)),
    ];
    let quotas: Vec<_> = quotas.into_iter().flatten().filter(|(_, _, limits)| is_enforced(limits)).collect();
    if quotas.is_empty() {
        return Ok(());
    }
    let now = idp.now();
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    let mut used_up = None;
    'all: for (key, whose, limits) in &quotas {
        for (limit, name, secs) in [(limits.per_hour, "hour", HOUR_SECS), (limits.per_day, "day", DAY_SECS)] {
            let Some(limit) = limit else { continue };
            if tx.hit_rate_limit(&format!("quota/{key}/{name}"), secs, now).await? > limit {
                used_up = Some(refusal(whose, name, secs, now));
                break 'all;
            }
        }
    }
    tx.commit().await?;
    used_up.map_or(Ok(()), |error| Err(error.into()))
}

/// Without a word it is.
fn is_enforced(limits: &TokenQuotaLimits) -> bool {
    limits.enforce != Some(false)
}

fn refusal(whose: &str, name: &str, secs: i64, now: Timestamp) -> OAuthError {
    let text = format!("The {whose} has had all tokens of its quota for this {name}");
    let rest = secs - now.as_secs().rem_euclid(secs);
    OAuthError { retry_after_secs: Some(rest), ..OAuthError::new(ErrorCode::TooManyRequests, text) }
}
