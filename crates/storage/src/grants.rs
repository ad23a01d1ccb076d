//! What users have granted clients: their consents, where they were asked; else what lives of refresh tokens. Without a
//! consent, a grant is all living tokens of one user, client and API.

use model::{ClientId, OrganizationId, RefreshToken, Timestamp, UserId};

use crate::refresh_tokens::{columns, living, refresh_token, with_parent};
use crate::statement::Statement;
use crate::{StorageError, TenantTx};

/// A consent, or else all living refresh tokens of a user and a client for one API, online ones among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserGrant {
    /// Whose.
    pub user_id: UserId,
    /// To whom.
    pub client_id: ClientId,
    /// For which API; `None`: for none but `/userinfo`.
    pub audience: Option<String>,
    /// In whose name; `None`: in the user's own, or the user was not asked.
    pub organization_id: Option<OrganizationId>,
    /// What the user agreed to, or else what any of the tokens has, in order.
    pub scope: Vec<String>,
}

/// Which refresh tokens are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokenFilter<'a> {
    /// Those of a user.
    pub user: Option<&'a UserId>,
    /// Those of a client.
    pub client: Option<&'a ClientId>,
    /// Those for an API; `Some(None)`: those for none.
    pub audience: Option<Option<&'a str>>,
    /// Those that rotate, or those that do not.
    pub rotating: Option<bool>,
}

impl TokenFilter<'_> {
    fn audience_as_bound(self) -> String {
        match self.audience {
            None => "any".to_owned(),
            Some(audience) => format!("={}", audience.unwrap_or_default()),
        }
    }

    /// `$2` to `$6`.
    fn bind(self, query: Statement, now: Timestamp) -> Statement {
        query
            .bind(self.user.map_or("", UserId::as_str))
            .bind(now.as_ms())
            .bind(self.client.map_or("", ClientId::as_str))
            .bind(self.audience_as_bound())
            .bind(self.rotating.map_or(-1, i64::from))
    }
}

/// Those that the filter names, of one user or of all: an index finds either.
macro_rules! of_filter {
    ($filter:expr, $before:expr, $after:expr) => {
        if $filter.user.is_some() {
            concat!(
                $before,
                with_parent!(),
                "WHERE t.tenant_id = $1 AND t.user_id = $2 AND ",
                of_filter!(),
                $after
            )
        } else {
            concat!($before, with_parent!(), "WHERE t.tenant_id = $1 AND $2 = '' AND ", of_filter!(), $after)
        }
    };
    () => {
        concat!(
            living!(),
            " AND ($4 = '' OR t.client_id = $4) AND ($5 = 'any' OR '=' || COALESCE(t.audience, '') = $5)
              AND ($6 < 0 OR t.rotating = $6)"
        )
    };
}

/// The oldest living token of each grant stands for it.
macro_rules! oldest_of_grant {
    () => {
        concat!(
            " AND NOT EXISTS (SELECT 1 FROM refresh_tokens o
                 LEFT JOIN refresh_tokens op ON op.tenant_id = o.tenant_id AND op.id = o.parent_refresh_token
                 WHERE o.tenant_id = $1 AND o.user_id = t.user_id AND o.client_id = t.client_id
                     AND o.created_at <= t.created_at AND (o.created_at < t.created_at OR o.id < t.id)
                     AND COALESCE(o.audience, '') = COALESCE(t.audience, '') AND ",
            living!("o", "op"),
            ") AND NOT EXISTS (SELECT 1 FROM consents n WHERE n.tenant_id = $1 AND n.user_id = t.user_id
                 AND n.client_id = t.client_id AND n.audience = COALESCE(t.audience, ''))"
        )
    };
}

/// Those of the consents that the filter names, but for the user.
macro_rules! of_consents {
    ($client:literal, $audience:literal) => {
        concat!(
            " AND (",
            $client,
            " = '' OR c.client_id = ",
            $client,
            ") AND (",
            $audience,
            " = 'any' OR '=' || c.audience = ",
            $audience,
            ")"
        )
    };
}

/// The oldest tokens and the consents that the filter names.
macro_rules! page_of_grants {
    ($tokens_of_user:literal, $consents_of_user:literal) => {
        concat!(
            "SELECT t.id AS id, t.user_id AS user_id, t.client_id AS client_id, t.audience AS audience,
                 '' AS organization_id, '' AS consented, t.created_at AS created_at FROM refresh_tokens t",
            with_parent!(),
            "WHERE t.tenant_id = $1 AND ",
            $tokens_of_user,
            " AND ",
            of_filter!(),
            oldest_of_grant!(),
            " UNION ALL SELECT c.organization_id, c.user_id, c.client_id, NULLIF(c.audience, ''),
                 c.organization_id, c.scope, c.created_at FROM consents c WHERE c.tenant_id = $1 AND ",
            $consents_of_user,
            of_consents!("$4", "$5"),
            " ORDER BY user_id, client_id, created_at, id LIMIT $7 OFFSET $8"
        )
    };
}

impl TenantTx {
    /// The grants that the filter names, by user and client.
    pub async fn user_grants(
        &mut self,
        filter: TokenFilter<'_>,
        limit: i64,
        offset: i64,
        now: Timestamp,
    ) -> Result<Vec<UserGrant>, StorageError> {
        let sql = match filter.user {
            Some(_) => page_of_grants!("t.user_id = $2", "c.user_id = $2"),
            None => page_of_grants!("$2 = ''", "$2 = ''"),
        };
        let query = filter.bind(self.sql(sql), now).bind(limit).bind(offset);
        let rows = self.rows("refresh_tokens", "id", query).await?;
        let mut grants = Vec::with_capacity(rows.len());
        let mut consented = Vec::new();
        for row in &rows {
            let organization_id = row.text("organization_id")?;
            let is_consent = !row.text("consented")?.is_empty();
            let scope = if is_consent { row.json("consented")? } else { Vec::new() };
            consented.push(is_consent);
            grants.push(UserGrant {
                user_id: UserId::new(row.text("user_id")?),
                client_id: ClientId::new(row.text("client_id")?),
                audience: row.opt_text("audience")?,
                organization_id: (!organization_id.is_empty()).then(|| OrganizationId::new(organization_id)),
                scope,
            });
        }
        let (Some(first), Some(last)) = (grants.first(), grants.last()) else { return Ok(grants) };
        let query = self
            .sql(concat!(
                "SELECT t.id AS id, t.user_id AS user_id, t.client_id AS client_id, t.audience AS audience,
                     t.scope AS scope FROM refresh_tokens t",
                with_parent!(),
                "WHERE t.tenant_id = $1 AND t.user_id >= $2 AND t.user_id <= $4 AND ",
                living!()
            ))
            .bind(first.user_id.as_str())
            .bind(now.as_ms())
            .bind(last.user_id.as_str());
        for row in self.rows("refresh_tokens", "id", query).await? {
            let (user, client) = (row.text("user_id")?, row.text("client_id")?);
            let audience = row.opt_text("audience")?;
            let of = grants.iter_mut().zip(&consented).find(|(grant, is_consent)| {
                !**is_consent
                    && grant.user_id.as_str() == user
                    && grant.client_id.as_str() == client
                    && grant.audience == audience
            });
            if let Some((grant, _)) = of {
                grant.scope.extend(row.json::<Vec<String>>("scope")?);
            }
        }
        for grant in &mut grants {
            grant.scope.sort_unstable();
            grant.scope.dedup();
        }
        Ok(grants)
    }

    /// How many grants the filter names.
    pub async fn count_user_grants(
        &mut self,
        filter: TokenFilter<'_>,
        now: Timestamp,
    ) -> Result<i64, StorageError> {
        let sql = of_filter!(filter, "SELECT COUNT(*) AS found FROM refresh_tokens t", oldest_of_grant!());
        let query = filter.bind(self.sql(sql), now);
        let of_tokens = self.count(query).await?;
        let sql = match filter.user {
            Some(_) => concat!(
                "SELECT COUNT(*) AS found FROM consents c WHERE c.tenant_id = $1 AND c.user_id = $2",
                of_consents!("$3", "$4")
            ),
            None => concat!(
                "SELECT COUNT(*) AS found FROM consents c WHERE c.tenant_id = $1 AND $2 = ''",
                of_consents!("$3", "$4")
            ),
        };
        let query = self
            .sql(sql)
            .bind(filter.user.map_or("", UserId::as_str))
            .bind(filter.client.map_or("", ClientId::as_str))
            .bind(filter.audience_as_bound());
        Ok(of_tokens + self.count(query).await?)
    }

    /// The living refresh tokens that the filter names, online ones aside, by user and client.
    pub async fn offline_refresh_tokens(
        &mut self,
        filter: TokenFilter<'_>,
        limit: i64,
        offset: i64,
        now: Timestamp,
    ) -> Result<Vec<RefreshToken>, StorageError> {
        let sql = of_filter!(
            filter,
            concat!("SELECT ", columns!(), " FROM refresh_tokens t"),
            " AND t.online = 0 ORDER BY t.user_id, t.client_id, t.created_at, t.id LIMIT $7 OFFSET $8"
        );
        let query = filter.bind(self.sql(sql), now).bind(limit).bind(offset);
        self.rows("refresh_tokens", "id", query).await?.iter().map(refresh_token).collect()
    }

    /// How many [`TenantTx::offline_refresh_tokens`] would find without a limit.
    pub async fn count_offline_refresh_tokens(
        &mut self,
        filter: TokenFilter<'_>,
        now: Timestamp,
    ) -> Result<i64, StorageError> {
        let sql = of_filter!(filter, "SELECT COUNT(*) AS found FROM refresh_tokens t", " AND t.online = 0");
        let query = filter.bind(self.sql(sql), now);
        self.count(query).await
    }
}
