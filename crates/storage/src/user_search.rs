//! Lists of users: all of a tenant, or those that a search finds. The statement of a search is put together here, of
//! fixed pieces and numbered parameters. What stands in JSON is read by either database in its own way.

use std::fmt::Write as _;

use model::search::Query;
use model::{User, UserId};

use crate::search::{Column, ColumnKind, condition};
use crate::statement::Statement;
use crate::users::{comparable, user, user_columns};
use crate::{SearchError, StorageError, TenantTx};

/// Which users are listed.
#[derive(Debug, Clone, Default)]
pub struct UserListing<'a> {
    /// What must hold of them; `None`: nothing.
    pub query: Option<&'a Query>,
    /// The name of their connection; `None`: any.
    pub connection: Option<&'a str>,
    /// A field, and whether the greatest comes first. Who has none comes last; those with the same one by id. `None`: by id.
    pub order: Option<(&'a str, bool)>,
    /// How many are passed over.
    pub offset: i64,
    /// How many are wanted.
    pub limit: i64,
}

impl TenantTx {
    /// The users of this part of the list.
    ///
    /// # Errors
    /// [`SearchError`], inside, when the query or the order asks for what there is not.
    pub async fn find_users(
        &mut self,
        listing: &UserListing<'_>,
    ) -> Result<Result<Vec<User>, SearchError>, StorageError> {
        let query = match self.user_statement(listing) {
            Ok(query) => query,
            Err(error) => return Ok(Err(error)),
        };
        let users = self.rows("users", "u_id", query).await?;
        users.iter().map(user).collect::<Result<_, _>>().map(Ok)
    }

    fn user_statement(&self, listing: &UserListing<'_>) -> Result<Statement, SearchError> {
        let mut statement = self.user_condition(listing)?;
        let mut order = String::new();
        if let Some((name, descending)) = listing.order {
            let column = field(name, self.is_postgres());
            let (value, _) =
                column.ok_or_else(|| SearchError(format!("users cannot be sorted by {name}")))?;
            let direction = if descending { " DESC" } else { "" };
            order = format!("CASE WHEN {value} IS NULL THEN 1 ELSE 0 END, {value}{direction}, ");
        }
        let limit = statement.push(listing.limit.max(0).into());
        let offset = statement.push(listing.offset.max(0).into());
        statement.sql = format!(
            "SELECT {} FROM users u WHERE {} ORDER BY {order}u.id LIMIT {limit} OFFSET {offset}",
            user_columns!(),
            statement.sql
        )
        .into();
        Ok(statement)
    }

    /// The condition of a list, as the text of a statement with its values.
    fn user_condition(&self, listing: &UserListing<'_>) -> Result<Statement, SearchError> {
        let is_postgres = self.is_postgres();
        let mut statement = self.sql_of_parts();
        let mut sql = "u.tenant_id = $1".to_owned();
        if let Some(name) = listing.connection {
            let name = statement.push(name.into());
            let _ = write!(sql, " AND {CONNECTION_NAME} = {name}");
        }
        if let Some(query) = listing.query {
            let mut column = |name: &str, statement: &mut Statement| {
                let named = field(name, is_postgres).map(|(sql, kind)| Column {
                    field: name.to_owned().into(),
                    sql: sql.into(),
                    kind,
                    around: None,
                });
                named.or_else(|| metadata(name, is_postgres, statement))
            };
            let _ = write!(sql, " AND {}", condition(query, &mut column, &mut statement)?);
        }
        statement.sql = sql.into();
        Ok(statement)
    }

    /// How many users there are in the whole list.
    ///
    /// # Errors
    /// As [`TenantTx::find_users`].
    pub async fn count_users(
        &mut self,
        listing: &UserListing<'_>,
    ) -> Result<Result<i64, SearchError>, StorageError> {
        let mut query = match self.user_condition(listing) {
            Ok(query) => query,
            Err(error) => return Ok(Err(error)),
        };
        query.sql = format!("SELECT COUNT(*) AS found FROM users u WHERE {}", query.sql).into();
        self.count(query).await.map(Ok)
    }

    /// SQLite's plan for a list.
    #[cfg(test)]
    pub(crate) async fn explain_users(&mut self, listing: &UserListing<'_>) -> Vec<String> {
        let mut statement = self.user_statement(listing).unwrap();
        statement.sql = format!("EXPLAIN QUERY PLAN {}", statement.sql).into();
        let steps = self.rows("users", "detail", statement).await.unwrap();
        steps.iter().map(|step| step.text("detail").unwrap()).collect()
    }

    /// All users with that address, at whatever connection, by id.
    pub async fn users_by_email(&mut self, email: &str, limit: i64) -> Result<Vec<User>, StorageError> {
        let query = self
            .sql(concat!(
                "SELECT ",
                user_columns!(),
                " FROM users u WHERE u.tenant_id = $1 AND u.email_lower = $2 ORDER BY u.id LIMIT $3"
            ))
            .bind(comparable(email))
            .bind(limit);
        self.rows("users", "u_id", query).await?.iter().map(user).collect()
    }

    /// Which of these users have a second factor that counts.
    pub async fn with_factors(&mut self, users: &[User]) -> Result<Vec<UserId>, StorageError> {
        if users.is_empty() {
            return Ok(Vec::new());
        }
        let mut query = self.sql_of_parts();
        let ids: Vec<_> = users.iter().map(|user| query.push(user.user_id.as_str().into())).collect();
        query.sql = format!(
            "SELECT DISTINCT user_id FROM authenticators
             WHERE tenant_id = $1 AND confirmed_at IS NOT NULL AND user_id IN ({})",
            ids.join(", ")
        )
        .into();
        let rows = self.rows("authenticators", "user_id", query).await?;
        rows.iter().map(|row| row.text("user_id").map(UserId::new)).collect()
    }
}

const CONNECTION_NAME: &str =
    "(SELECT c.name FROM connections c WHERE c.tenant_id = $1 AND c.id = u.connection_id)";

/// What users have of this name, but for metadata, and how it is compared.
fn field(name: &str, is_postgres: bool) -> Option<(String, ColumnKind)> {
    use ColumnKind::{AsciiLowerCase, Flag, LowerCase, Number, Text, Time};
    let json = |name: &str| match is_postgres {
        true => format!("(({}) ->> '{name}') COLLATE \"C\"", as_jsonb("u.data")),
        false => format!("json_extract(u.data, '$.{name}')"),
    };
    let flag = |name: &str| match is_postgres {
        true => format!("CASE {} WHEN 'true' THEN 1 WHEN 'false' THEN 0 END", json(name)),
        false => json(name),
    };
    Some(match name {
        "user_id" => ("u.id".to_owned(), Text),
        "email" => ("u.email_lower".to_owned(), LowerCase),
        "username" => ("u.username_lower".to_owned(), LowerCase),
        "phone_number" => (json(name), Text),
        "name" | "given_name" | "family_name" | "nickname" => {
            (format!("LOWER({})", json(name)), AsciiLowerCase)
        }
        "last_ip" => ("u.last_ip".to_owned(), Text),
        "email_verified" | "phone_verified" | "blocked" => (flag(name), Flag),
        "logins_count" => ("u.logins_count".to_owned(), Number),
        "last_login" => ("u.last_login".to_owned(), Time),
        "updated_at" => ("u.updated_at".to_owned(), Time),
        "created_at" => match is_postgres {
            true => (format!("CAST({} AS BIGINT)", json(name)), Time),
            false => (json(name), Time),
        },
        "identities.connection" => (CONNECTION_NAME.to_owned(), Text),
        "identities.provider" => {
            let strategy = match is_postgres {
                true => "CAST(c.data AS JSONB) ->> 'strategy'",
                false => "json_extract(c.data, '$.strategy')",
            };
            let sql = format!(
                "(SELECT {strategy} FROM connections c WHERE c.tenant_id = $1 AND c.id = u.connection_id)"
            );
            (sql, Text)
        }
        "identities.user_id" => {
            let bar = if is_postgres { "STRPOS" } else { "INSTR" };
            (format!("SUBSTR(u.id, {bar}(u.id, '|') + 1)"), Text)
        }
        _ => return None,
    })
}

/// A value in the metadata, or one of those in an array there. An object and `null` are none.
fn metadata(name: &str, is_postgres: bool, statement: &mut Statement) -> Option<Column> {
    let (root, path) = name.split_once('.')?;
    let column = match root {
        "user_metadata" => "u.user_metadata",
        "app_metadata" => "u.app_metadata",
        _ => return None,
    };
    // Queries name fields by letters, digits, _ and - alone: nothing has to be escaped.
    let parts: Vec<_> = path.split('.').map(|part| format!("\"{part}\"")).collect();
    if parts.iter().any(|part| part == "\"\"") {
        return None;
    }
    let (sql, before) = if is_postgres {
        let path = statement.push(format!("{{{}}}", parts.join(",")).into());
        let found = format!("(({}) #> CAST({path} AS TEXT[]))", as_jsonb(column));
        let before = format!(
            "EXISTS (SELECT 1 FROM jsonb_array_elements_text(
                 CASE jsonb_typeof({found}) WHEN 'array' THEN {found} ELSE jsonb_build_array({found}) END)
                 AS e (item) WHERE jsonb_typeof({found}) NOT IN ('object', 'null') AND "
        );
        ("e.item", before)
    } else {
        let path = statement.push(format!("$.{}", parts.join(".")).into());
        let before = format!(
            "EXISTS (SELECT 1 FROM json_each({column}, {path}) AS e
                 WHERE json_type({column}, {path}) NOT IN ('object', 'null') AND "
        );
        let sql =
            "CASE e.type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE CAST(e.atom AS TEXT) END";
        (sql, before)
    };
    Some(Column {
        field: name.to_owned().into(),
        sql: sql.into(),
        kind: ColumnKind::Any,
        around: Some([before, ")".to_owned()]),
    })
}

/// PostgreSQL's JSON has no U+0000.
pub(crate) fn as_jsonb(column: &str) -> String {
    format!("CAST(REPLACE({column}, '\\u0000', '\\ufffd') AS JSONB)")
}
