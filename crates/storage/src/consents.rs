//! What users have agreed to when they were asked: which client may do what at which API in their name.

use model::{AuthorizationRequest, ClientId, OrganizationId, RefreshToken, Timestamp, UserId};

use crate::row::to_json;
use crate::statement::Statement;
use crate::{StorageError, TenantTx};

/// Which consent: there is one at most for a user, a client, an API and an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsentKey<'a> {
    /// Whose.
    pub user: &'a UserId,
    /// To whom.
    pub client: &'a ClientId,
    /// For which API; `None`: for none but `/userinfo`.
    pub audience: Option<&'a str>,
    /// In whose name; `None`: in the user's own.
    pub organization: Option<&'a OrganizationId>,
}

impl<'a> ConsentKey<'a> {
    /// The one that this request of a client for this user rests on.
    #[must_use]
    pub fn of(user: &'a UserId, request: &'a AuthorizationRequest) -> Self {
        Self {
            user,
            client: &request.client_id,
            audience: request.audience.as_deref(),
            organization: request.organization_id.as_ref(),
        }
    }

    /// The one that this refresh token rests on, where its user is asked.
    #[must_use]
    pub fn of_refresh_token(token: &'a RefreshToken) -> Self {
        Self {
            user: &token.user_id,
            client: &token.client_id,
            audience: token.audience.as_deref(),
            organization: token.organization_id.as_ref(),
        }
    }

    /// `$2` to `$5`.
    fn bind(self, query: Statement) -> Statement {
        query
            .bind(self.user.as_str())
            .bind(self.client.as_str())
            .bind(self.audience.unwrap_or_default())
            .bind(self.organization.map_or("", OrganizationId::as_str))
    }
}

/// Which consents are withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consents<'a> {
    /// Those of a user to a client for one API, in whoever's name; `None`: for none.
    OfGrant(&'a UserId, &'a ClientId, Option<&'a str>),
    /// All of a user.
    OfUser(&'a UserId),
}

impl TenantTx {
    /// The scopes that the user has agreed to; `None`: they were not asked, or it was withdrawn.
    pub async fn consent(&mut self, key: ConsentKey<'_>) -> Result<Option<Vec<String>>, StorageError> {
        let query = self.sql(
            "SELECT client_id, scope FROM consents WHERE tenant_id = $1 AND user_id = $2 AND client_id = $3
                 AND audience = $4 AND organization_id = $5",
        );
        let row = self.row("consents", "client_id", key.bind(query)).await?;
        row.map(|row| row.json("scope")).transpose()
    }

    /// The same for what is about to be issued because of it. Whoever withdraws it meanwhile waits for this transaction,
    /// and then finds what it issued.
    pub async fn use_consent(
        &mut self,
        key: ConsentKey<'_>,
        now: Timestamp,
    ) -> Result<Option<Vec<String>>, StorageError> {
        let query = self.sql(
            "UPDATE consents SET used_at = $6 WHERE tenant_id = $1 AND user_id = $2 AND client_id = $3
                 AND audience = $4 AND organization_id = $5 RETURNING client_id, scope",
        );
        let row = self.row("consents", "client_id", key.bind(query).bind(now.as_ms())).await?;
        row.map(|row| row.json("scope")).transpose()
    }

    /// Stores to what the user has agreed, in all. The user must be locked.
    pub async fn put_consent(
        &mut self,
        key: ConsentKey<'_>,
        scope: &[String],
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let query = self.sql(
            "INSERT INTO consents (tenant_id, user_id, client_id, audience, organization_id, scope, created_at,
                 used_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
             ON CONFLICT (tenant_id, user_id, client_id, audience, organization_id)
             DO UPDATE SET scope = excluded.scope, used_at = excluded.used_at",
        );
        self.write(key.bind(query).bind(to_json(&scope)?).bind(now.as_ms()))
    }

    /// Removes consents; how many there were.
    pub async fn delete_consents(&mut self, which: Consents<'_>) -> Result<u64, StorageError> {
        let query = match which {
            Consents::OfGrant(user, client, audience) => self
                .sql(
                    "DELETE FROM consents WHERE tenant_id = $1 AND user_id = $2 AND client_id = $3
                         AND audience = $4",
                )
                .bind(user.as_str())
                .bind(client.as_str())
                .bind(audience.unwrap_or_default()),
            Consents::OfUser(user) => {
                self.sql("DELETE FROM consents WHERE tenant_id = $1 AND user_id = $2").bind(user.as_str())
            }
        };
        self.run(query).await
    }
}
