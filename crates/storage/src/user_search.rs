//! Lists of users: all of a tenant, or those that a search finds. The statement of a search is put together here, of
//! fixed pieces and numbered parameters. What stands in JSON is read by either database in its own way.

use std::fmt::Write as _;

use model::search::{Bound, Condition, Query, Test};
use model::{Timestamp, User, UserId};

use crate::statement::{Statement, Value};
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
        let mut search = Search { is_postgres: self.is_postgres(), statement: self.sql_of_parts() };
        let mut sql = format!("SELECT {} FROM users u WHERE {}", user_columns!(), search.condition(listing)?);
        sql += " ORDER BY ";
        if let Some((name, descending)) = listing.order {
            let field = field(name).filter(|(field, _)| !matches!(field, Field::Metadata(..)));
            let (field, _) = field.ok_or_else(|| SearchError(format!("users cannot be sorted by {name}")))?;
            let value = search.value(&field);
            let direction = if descending { " DESC" } else { "" };
            let _ = write!(sql, "CASE WHEN {value} IS NULL THEN 1 ELSE 0 END, {value}{direction}, ");
        }
        let (limit, offset) = (search.bind(listing.limit.max(0)), search.bind(listing.offset.max(0)));
        let _ = write!(sql, "u.id LIMIT {limit} OFFSET {offset}");
        search.statement.sql = sql.into();
        Ok(search.statement)
    }

    /// How many users there are in the whole list.
    ///
    /// # Errors
    /// As [`TenantTx::find_users`].
    pub async fn count_users(
        &mut self,
        listing: &UserListing<'_>,
    ) -> Result<Result<i64, SearchError>, StorageError> {
        let mut search = Search { is_postgres: self.is_postgres(), statement: self.sql_of_parts() };
        let condition = match search.condition(listing) {
            Ok(condition) => condition,
            Err(error) => return Ok(Err(error)),
        };
        let mut query = search.statement;
        query.sql = format!("SELECT COUNT(*) AS found FROM users u WHERE {condition}").into();
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

/// What is looked at.
#[derive(Debug, Clone)]
enum Field {
    UserId,
    /// The part of it that the connection has given.
    IdentityId,
    Connection,
    Provider,
    Email,
    Username,
    LoginsCount,
    LastIp,
    LastLogin,
    CreatedAt,
    UpdatedAt,
    /// A text in the JSON of the user.
    Text(&'static str),
    Flag(&'static str),
    /// The column, and the names that lead to a value in it, without quotes and backslashes. An array is looked through.
    Metadata(&'static str, Vec<String>),
}

/// How values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Exact,
    /// The column is in lower case, in all of Unicode.
    Lower,
    /// Without regard to case in the letters A to Z.
    AsciiLower,
    Flag,
    Number,
    Moment,
}

fn field(name: &str) -> Option<(Field, Kind)> {
    Some(match name {
        "user_id" => (Field::UserId, Kind::Exact),
        "email" => (Field::Email, Kind::Lower),
        "username" => (Field::Username, Kind::Lower),
        "phone_number" => (Field::Text("phone_number"), Kind::Exact),
        "name" => (Field::Text("name"), Kind::AsciiLower),
        "given_name" => (Field::Text("given_name"), Kind::AsciiLower),
        "family_name" => (Field::Text("family_name"), Kind::AsciiLower),
        "nickname" => (Field::Text("nickname"), Kind::AsciiLower),
        "last_ip" => (Field::LastIp, Kind::Exact),
        "email_verified" => (Field::Flag("email_verified"), Kind::Flag),
        "phone_verified" => (Field::Flag("phone_verified"), Kind::Flag),
        "blocked" => (Field::Flag("blocked"), Kind::Flag),
        "logins_count" => (Field::LoginsCount, Kind::Number),
        "last_login" => (Field::LastLogin, Kind::Moment),
        "created_at" => (Field::CreatedAt, Kind::Moment),
        "updated_at" => (Field::UpdatedAt, Kind::Moment),
        "identities.connection" => (Field::Connection, Kind::Exact),
        "identities.provider" => (Field::Provider, Kind::Exact),
        "identities.user_id" => (Field::IdentityId, Kind::Exact),
        _ => {
            let (root, path) = name.split_once('.')?;
            let column = match root {
                "user_metadata" => "u.user_metadata",
                "app_metadata" => "u.app_metadata",
                _ => return None,
            };
            let path: Vec<_> = path.split('.').map(str::to_owned).collect();
            let is_plain = |part: &String| {
                !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
            };
            if !path.iter().all(is_plain) {
                return None;
            }
            (Field::Metadata(column, path), Kind::Exact)
        }
    })
}

/// A statement in the making: `$1` is the tenant.
struct Search {
    is_postgres: bool,
    statement: Statement,
}

type Sql = Result<String, SearchError>;

impl Search {
    /// The parameter that has this value.
    fn bind(&mut self, value: impl Into<Value>) -> String {
        self.statement.push(value.into())
    }

    fn condition(&mut self, listing: &UserListing<'_>) -> Sql {
        let mut sql = "u.tenant_id = $1".to_owned();
        if let Some(name) = listing.connection {
            let value = self.value(&Field::Connection);
            let _ = write!(sql, " AND {value} = {}", self.bind(name));
        }
        if let Some(query) = listing.query {
            let _ = write!(sql, " AND {}", self.query(query)?);
        }
        Ok(sql)
    }

    /// It is never NULL, so that NOT turns it around.
    fn query(&mut self, query: &Query) -> Sql {
        let mut joined = |parts: &[Query], by: &str| -> Sql {
            let parts: Vec<_> = parts.iter().map(|part| self.query(part)).collect::<Result<_, _>>()?;
            Ok(format!("({})", parts.join(by)))
        };
        match query {
            Query::And(parts) => joined(parts, " AND "),
            Query::Or(parts) => joined(parts, " OR "),
            Query::Not(part) => Ok(format!("NOT {}", self.query(part)?)),
            Query::Is(Condition { field: None, .. }) => {
                Err(SearchError("each condition needs a field, as in email:\"ann@acme.test\"".to_owned()))
            }
            Query::Is(Condition { field: Some(name), test }) => {
                let unknown = || SearchError(format!("the field {name} cannot be searched"));
                let (field, kind) = field(name).ok_or_else(unknown)?;
                if let Field::Metadata(column, path) = &field {
                    return self.metadata(name, column, path, test);
                }
                let value = self.value(&field);
                let test = self.test(name, &value, kind, test)?;
                // An index finds what stands by itself; NULL is not true there either.
                Ok(format!("({test} AND {value} IS NOT NULL)"))
            }
        }
    }

    fn test(&mut self, name: &str, value: &str, kind: Kind, test: &Test) -> Sql {
        let is_ranged = matches!(kind, Kind::Number | Kind::Moment);
        match test {
            Test::Exists => Ok("1 = 1".to_owned()),
            Test::Equals(_) | Test::Range { .. } if is_ranged => {
                let (from, to) = bounds(name, kind, test)?;
                let (from, to) = (self.bind(from), self.bind(to));
                Ok(format!("{value} >= {from} AND {value} <= {to}"))
            }
            Test::Range { .. } => Err(SearchError(format!("the field {name} is not searched by ranges"))),
            Test::Equals(text) => {
                if kind == Kind::Flag && !matches!(text.as_str(), "true" | "false") {
                    return Err(SearchError(format!("the field {name} is true or false")));
                }
                Ok(match kind {
                    Kind::Lower => format!("{value} = {}", self.bind(comparable(text))),
                    Kind::AsciiLower => format!("LOWER({value}) = {}", self.bind(text.to_ascii_lowercase())),
                    _ => format!("{value} = {}", self.bind(text.as_str())),
                })
            }
            Test::StartsWith(text) => {
                let (value, text) = match kind {
                    Kind::Exact => (value.to_owned(), text.clone()),
                    Kind::Lower => (value.to_owned(), text.to_lowercase()),
                    Kind::AsciiLower => (format!("LOWER({value})"), text.to_ascii_lowercase()),
                    Kind::Flag | Kind::Number | Kind::Moment => {
                        return Err(SearchError(format!("the field {name} has no wildcards")));
                    }
                };
                let start = self.bind(text);
                Ok(format!("SUBSTR({value}, 1, LENGTH({start})) = {start}"))
            }
        }
    }

    /// What a user has of it: a text, or a number.
    fn value(&self, field: &Field) -> String {
        let text = |name: &str| match self.is_postgres {
            true => format!("(({}) ->> '{name}') COLLATE \"C\"", as_jsonb("u.data")),
            false => format!("json_extract(u.data, '$.{name}')"),
        };
        let flag = |name: &str| match self.is_postgres {
            true => format!("(({}) ->> '{name}')", as_jsonb("u.data")),
            false => format!("CASE json_extract(u.data, '$.{name}') WHEN 1 THEN 'true' WHEN 0 THEN 'false' END"),
        };
        match field {
            Field::UserId => "u.id".to_owned(),
            Field::IdentityId => match self.is_postgres {
                true => "SUBSTR(u.id, STRPOS(u.id, '|') + 1)".to_owned(),
                false => "SUBSTR(u.id, INSTR(u.id, '|') + 1)".to_owned(),
            },
            Field::Connection => "(SELECT c.name FROM connections c
                 WHERE c.tenant_id = $1 AND c.id = u.connection_id)"
                .to_owned(),
            Field::Provider => match self.is_postgres {
                true => "(SELECT CAST(c.data AS JSONB) ->> 'strategy' FROM connections c
                     WHERE c.tenant_id = $1 AND c.id = u.connection_id)"
                    .to_owned(),
                false => "(SELECT json_extract(c.data, '$.strategy') FROM connections c
                     WHERE c.tenant_id = $1 AND c.id = u.connection_id)"
                    .to_owned(),
            },
            Field::Email => "u.email_lower".to_owned(),
            Field::Username => "u.username_lower".to_owned(),
            Field::Text(name) => text(name),
            Field::Flag(name) => flag(name),
            Field::LoginsCount => "u.logins_count".to_owned(),
            Field::LastIp => "u.last_ip".to_owned(),
            Field::LastLogin => "u.last_login".to_owned(),
            Field::CreatedAt => match self.is_postgres {
                true => format!("CAST(({}) ->> 'created_at' AS BIGINT)", as_jsonb("u.data")),
                false => "json_extract(u.data, '$.created_at')".to_owned(),
            },
            Field::UpdatedAt => "u.updated_at".to_owned(),
            // Nobody sorts by them, and a query has its own way.
            Field::Metadata(..) => "NULL".to_owned(),
        }
    }

    /// A condition on a value in the metadata, or on one of those in an array.
    fn metadata(&mut self, name: &str, column: &str, path: &[String], test: &Test) -> Sql {
        let quoted: Vec<_> = path.iter().map(|name| format!("\"{name}\"")).collect();
        if self.is_postgres {
            let path = self.bind(format!("{{{}}}", quoted.join(",")));
            let found = format!("(({}) #> CAST({path} AS TEXT[]))", as_jsonb(column));
            let test = self.test(name, "e.item", Kind::Exact, test)?;
            return Ok(format!(
                "EXISTS (SELECT 1 FROM jsonb_array_elements_text(
                     CASE jsonb_typeof({found}) WHEN 'array' THEN {found} ELSE jsonb_build_array({found}) END)
                     AS e (item) WHERE jsonb_typeof({found}) NOT IN ('object', 'null') AND e.item IS NOT NULL AND {test})"
            ));
        }
        let path = self.bind(format!("$.{}", quoted.join(".")));
        let item = "CASE e.type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE CAST(e.atom AS TEXT) END";
        let test = self.test(name, item, Kind::Exact, test)?;
        Ok(format!(
            "EXISTS (SELECT 1 FROM json_each({column}, {path}) AS e
                 WHERE json_type({column}, {path}) NOT IN ('object', 'null') AND e.atom IS NOT NULL AND {test})"
        ))
    }
}

/// The first and the last value that are meant. Days are given without a time as well: from their beginning, to their end.
fn bounds(name: &str, kind: Kind, test: &Test) -> Result<(i64, i64), SearchError> {
    const DAY_MS: i64 = 24 * 3600 * 1000;
    let read = |text: &str| {
        let read = match kind {
            Kind::Moment if text.len() == "2026-01-31".len() && !text.contains('T') => {
                let day = Timestamp::parse_iso(&format!("{text}T00:00:00Z")).map(Timestamp::as_ms);
                day.map(|day| (day, day + DAY_MS - 1))
            }
            Kind::Moment => Timestamp::parse_iso(text).map(|moment| (moment.as_ms(), moment.as_ms())),
            _ => text.parse::<i64>().ok().map(|number| (number, number)),
        };
        let what = if kind == Kind::Moment { "date" } else { "whole number" };
        read.ok_or_else(|| SearchError(format!("{text:?} is no {what}, which the field {name} has")))
    };
    let (from, to) = match test {
        Test::Equals(text) => return read(text),
        Test::Range { from, to } => (from, to),
        Test::Exists | Test::StartsWith(_) => return Ok((i64::MIN, i64::MAX)),
    };
    let first = match from {
        None => i64::MIN,
        Some(Bound { value, inclusive }) => {
            let (begin, end) = read(value)?;
            if *inclusive { begin } else { end.saturating_add(1) }
        }
    };
    let last = match to {
        None => i64::MAX,
        Some(Bound { value, inclusive }) => {
            let (begin, end) = read(value)?;
            if *inclusive { end } else { begin.saturating_sub(1) }
        }
    };
    Ok((first, last))
}

/// PostgreSQL's JSON has no U+0000.
fn as_jsonb(column: &str) -> String {
    format!("CAST(REPLACE({column}, '\\u0000', '\\ufffd') AS JSONB)")
}
