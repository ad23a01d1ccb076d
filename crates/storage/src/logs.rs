//! The tenant's log.

use std::borrow::Cow;

use model::search::Query;
use model::{ClientId, ConnectionId, LogContext, LogEntry, OrganizationId, Timestamp, UserId};
use serde_json::Value;

use crate::row::{Record, to_json};
use crate::search::{Column, ColumnKind, condition};
use crate::statement::Statement;
use crate::{SearchError, StorageError, TenantTx};

/// What a query may ask for.
const COLUMNS: &[Column] = &[
    column("type", "code", ColumnKind::Text),
    column("date", "date", ColumnKind::Time),
    column("log_id", "(date, id)", ColumnKind::LogId),
    column("_id", "(date, id)", ColumnKind::LogId),
    column("client_id", "client_id", ColumnKind::Text),
    column("client_name", "client_name", ColumnKind::Text),
    column("user_id", "user_id", ColumnKind::Text),
    column("user_name", "user_name", ColumnKind::Text),
    column("ip", "ip", ColumnKind::Text),
    column("user_agent", "user_agent", ColumnKind::Text),
    column("hostname", "hostname", ColumnKind::Text),
    column("connection", "connection", ColumnKind::Text),
    column("connection_id", "connection_id", ColumnKind::Text),
    column("organization_id", "organization_id", ColumnKind::Text),
    column("description", "description", ColumnKind::Text),
];

const fn column(field: &'static str, sql: &'static str, kind: ColumnKind) -> Column {
    Column { field: Cow::Borrowed(field), sql: Cow::Borrowed(sql), kind, around: None }
}

fn log_column(field: &str, _: &mut Statement) -> Option<Column> {
    COLUMNS.iter().find(|column| column.field == field).cloned()
}

/// What an entry is read by.
macro_rules! fields {
    () => {
        "id, written_by, code, date, client_id, client_name, user_id, user_name, ip, user_agent, hostname, connection,
         connection_id, organization_id, description, details, context"
    };
}

/// The name of an entry. As a text, a later entry has a greater one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogId {
    /// When it happened.
    pub date: Timestamp,
    /// The number of the row, which is the whole table's.
    pub id: i64,
}

impl LogId {
    /// What all begin with, as those of the dialect do.
    const START: &str = "900";
    const DATE_DIGITS: usize = 17;

    /// Reads an id. `None` when it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits =
            text.strip_prefix(Self::START).filter(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))?;
        let (date, id) = digits.split_at_checked(Self::DATE_DIGITS)?;
        let part = |from: usize, to: usize| date.get(from..to).unwrap_or_default();
        let iso = format!(
            "{}-{}-{}T{}:{}:{}.{}Z",
            part(0, 4),
            part(4, 6),
            part(6, 8),
            part(8, 10),
            part(10, 12),
            part(12, 14),
            part(14, 17)
        );
        let parsed = Self { date: Timestamp::parse_iso(&iso)?, id: id.parse().ok()? };
        (parsed.to_string() == text).then_some(parsed)
    }
}

impl std::fmt::Display for LogId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let date: String = self.date.to_iso().chars().filter(char::is_ascii_digit).collect();
        write!(f, "{}{date}{:019}", Self::START, self.id)
    }
}

/// Where somebody is who reads the log in the order in which it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct LogCursor {
    /// The transaction that wrote the entry.
    pub written_by: i64,
    /// The number of its row.
    pub id: i64,
}

/// An entry of the log, as it is read back.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the other fields are those of `model::LogEntry`")]
pub struct StoredLog {
    /// The name of the entry.
    pub log_id: LogId,
    /// Where it stands among those that were written.
    pub cursor: LogCursor,
    /// The code of what happened (`model::LogType::code`).
    pub code: String,
    pub date: Timestamp,
    pub client_id: Option<ClientId>,
    pub client_name: Option<String>,
    pub user_id: Option<UserId>,
    pub user_name: Option<String>,
    pub ip: Option<String>,
    pub user_agent: Option<String>,
    pub hostname: Option<String>,
    pub connection: Option<String>,
    pub connection_id: Option<ConnectionId>,
    pub organization_id: Option<OrganizationId>,
    pub description: String,
    pub details: Value,
    pub more: LogContext,
}

/// Which entries are looked for, by time.
#[derive(Debug, Clone, Default)]
pub struct LogSearch<'a> {
    /// `None`: all.
    pub query: Option<&'a Query>,
    /// The oldest first.
    pub ascending: bool,
    /// How many are passed over.
    pub offset: i64,
    /// How many are wanted.
    pub limit: i64,
}

impl TenantTx {
    /// Appends to the log.
    pub async fn insert_log(&mut self, entry: &LogEntry) -> Result<(), StorageError> {
        let context = (entry.more != LogContext::default()).then(|| to_json(&entry.more)).transpose()?;
        let query = self
            .sql(
                "INSERT INTO logs (tenant_id, code, date, client_id, client_name, user_id, user_name, ip, user_agent,
                     hostname, connection, connection_id, organization_id, description, details, context)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
            )
            .bind(entry.log_type.code())
            .bind(entry.date.as_ms())
            .bind(entry.client_id.as_ref().map(|id| id.as_str().to_owned()))
            .bind(entry.client_name.clone())
            .bind(entry.user_id.as_ref().map(|id| id.as_str().to_owned()))
            .bind(entry.user_name.clone())
            .bind(entry.ip.clone())
            .bind(entry.user_agent.clone())
            .bind(entry.hostname.clone())
            .bind(entry.connection.clone())
            .bind(entry.connection_id.as_ref().map(|id| id.as_str().to_owned()))
            .bind(entry.organization_id.as_ref().map(|id| id.as_str().to_owned()))
            .bind(entry.description.as_str())
            .bind(to_json(&entry.details)?)
            .bind(context);
        self.write(query)
    }

    /// The last entries, newest first.
    pub async fn logs(&mut self, limit: i64) -> Result<Vec<StoredLog>, StorageError> {
        let query = self
            .sql(concat!(
                "SELECT ",
                fields!(),
                " FROM logs WHERE tenant_id = $1 ORDER BY date DESC, id DESC LIMIT $2"
            ))
            .bind(limit.max(0));
        self.stored_logs(query).await
    }

    /// One entry.
    pub async fn log(&mut self, log_id: LogId) -> Result<Option<StoredLog>, StorageError> {
        let query = self
            .sql(concat!("SELECT ", fields!(), " FROM logs WHERE tenant_id = $1 AND id = $2 AND date = $3"))
            .bind(log_id.id)
            .bind(log_id.date.as_ms());
        Ok(self.stored_logs(query).await?.pop())
    }

    /// What a search finds.
    ///
    /// # Errors
    /// [`SearchError`], inside, when the query asks for what there is not.
    pub async fn search_logs(
        &mut self,
        search: &LogSearch<'_>,
    ) -> Result<Result<Vec<StoredLog>, SearchError>, StorageError> {
        match self.search_statement(search) {
            Ok(statement) => {
                let rows = self.search("logs", "id", statement).await?;
                Ok(Ok(rows.iter().map(stored).collect::<Result<_, _>>()?))
            }
            Err(error) => Ok(Err(error)),
        }
    }

    fn search_statement(&self, search: &LogSearch<'_>) -> Result<Statement, SearchError> {
        let direction = if search.ascending { "ASC" } else { "DESC" };
        let mut statement = self.log_condition(search.query)?;
        let limit = statement.push(search.limit.max(0).into());
        let offset = statement.push(search.offset.max(0).into());
        let found = format!(
            "SELECT {} FROM logs WHERE {} ORDER BY date {direction}, id {direction} LIMIT {limit} OFFSET {offset}",
            fields!(),
            statement.sql
        );
        statement.sql = found.into();
        Ok(statement)
    }

    /// The database's plan for a search.
    #[cfg(test)]
    pub(crate) async fn explain_search(&mut self, search: &LogSearch<'_>) -> Vec<String> {
        let mut statement = self.search_statement(search).unwrap();
        let (explain, step) = match self.is_postgres() {
            true => ("EXPLAIN (COSTS OFF)", "QUERY PLAN"),
            false => ("EXPLAIN QUERY PLAN", "detail"),
        };
        statement.sql = format!("{explain} {}", statement.sql).into();
        let steps = self.rows("logs", step, statement).await.unwrap();
        steps.iter().map(|row| row.text(step).unwrap()).collect()
    }

    /// How many entries a query finds, but no more than `limit`.
    ///
    /// # Errors
    /// As [`TenantTx::search_logs`].
    pub async fn count_logs(
        &mut self,
        query: Option<&Query>,
        limit: i64,
    ) -> Result<Result<i64, SearchError>, StorageError> {
        let mut statement = match self.log_condition(query) {
            Ok(statement) => statement,
            Err(error) => return Ok(Err(error)),
        };
        let limit = statement.push(limit.into());
        let count = format!(
            "SELECT COUNT(*) AS found FROM (SELECT 1 AS one FROM logs WHERE {} LIMIT {limit}) w",
            statement.sql
        );
        statement.sql = count.into();
        let rows = self.search("logs", "found", statement).await?;
        Ok(Ok(rows.first().map_or(Ok(0), |row| row.int("found"))?))
    }

    /// The condition of a search, as the text of a statement with its values.
    fn log_condition(&self, query: Option<&Query>) -> Result<Statement, SearchError> {
        let mut statement = self.sql_of_parts();
        let mut all = "tenant_id = $1".to_owned();
        if let Some(query) = query {
            all = format!("{all} AND {}", condition(query, &mut log_column, &mut statement)?);
        }
        statement.sql = all.into();
        Ok(statement)
    }

    /// The entries after the cursor, in the order in which they were written. None is among them before which another one
    /// may still appear, of a transaction that is open.
    pub async fn logs_after(
        &mut self,
        cursor: LogCursor,
        limit: i64,
    ) -> Result<Vec<StoredLog>, StorageError> {
        // On SQLite all numbers of transactions are the same, and of a pair it would search by the first part alone.
        let query = if self.is_postgres() {
            self.sql(concat!(
                "SELECT ",
                fields!(),
                " FROM logs WHERE tenant_id = $1 AND (written_by, id) > ($2, $3)
                     AND written_by < CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS TEXT) AS BIGINT)
                 ORDER BY written_by, id LIMIT $4"
            ))
        } else {
            self.sql(concat!(
                "SELECT ",
                fields!(),
                " FROM logs WHERE tenant_id = $1 AND written_by = $2 AND id > $3 ORDER BY id LIMIT $4"
            ))
        };
        let query = query.bind(cursor.written_by).bind(cursor.id).bind(limit.max(0));
        self.stored_logs(query).await
    }

    /// The end of the log as it is now: all that is written after this moment is after it.
    pub async fn log_end(&mut self) -> Result<LogCursor, StorageError> {
        if self.is_postgres() {
            let query = self.sql(
                "SELECT id, CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS TEXT) AS BIGINT) AS written_by
                 FROM tenants WHERE id = $1",
            );
            // No entry has this number yet, unless its transaction is open.
            let row = self.row("tenants", "id", query).await?;
            let written_by = row.map_or(Ok(0), |row| row.int("written_by"))?;
            return Ok(LogCursor { written_by, id: 0 });
        }
        let query = self.sql(
            "SELECT written_by, id FROM logs WHERE tenant_id = $1 ORDER BY written_by DESC, id DESC LIMIT 1",
        );
        self.log_cursor(query).await.map(Option::unwrap_or_default)
    }

    /// Where to read on after this entry; when it is gone, after all that were before it in time. `None`: that is the end.
    pub async fn cursor_after(&mut self, log_id: LogId) -> Result<Option<LogCursor>, StorageError> {
        if let Some(log) = self.log(log_id).await? {
            return Ok(Some(log.cursor));
        }
        self.cursor_before(log_id).await
    }

    /// Where to read on so that the first entry of that moment, or after it, comes first. `None`: there is none.
    pub async fn cursor_at(&mut self, date: Timestamp) -> Result<Option<LogCursor>, StorageError> {
        self.cursor_before(LogId { date, id: 0 }).await
    }

    async fn cursor_before(&mut self, LogId { date, id }: LogId) -> Result<Option<LogCursor>, StorageError> {
        let query = self
            .sql(
                "SELECT written_by, id FROM logs WHERE tenant_id = $1 AND (date, id) >= ($2, $3)
                 ORDER BY date, id LIMIT 1",
            )
            .bind(date.as_ms())
            .bind(id);
        let first = self.log_cursor(query).await?;
        Ok(first.map(|first| LogCursor { id: first.id - 1, ..first }))
    }

    async fn log_cursor(&mut self, query: Statement) -> Result<Option<LogCursor>, StorageError> {
        let row = self.row("logs", "id", query).await?;
        row.map(|row| Ok(LogCursor { written_by: row.int("written_by")?, id: row.int("id")? })).transpose()
    }

    async fn stored_logs(&mut self, query: Statement) -> Result<Vec<StoredLog>, StorageError> {
        self.rows("logs", "id", query).await?.iter().map(stored).collect()
    }
}

fn stored(row: &Record) -> Result<StoredLog, StorageError> {
    let (id, date) = (row.int("id")?, row.time("date")?);
    Ok(StoredLog {
        log_id: LogId { date, id },
        cursor: LogCursor { written_by: row.int("written_by")?, id },
        code: row.text("code")?,
        date,
        client_id: row.opt_text("client_id")?.map(ClientId::new),
        client_name: row.opt_text("client_name")?,
        user_id: row.opt_text("user_id")?.map(UserId::new),
        user_name: row.opt_text("user_name")?,
        ip: row.opt_text("ip")?,
        user_agent: row.opt_text("user_agent")?,
        hostname: row.opt_text("hostname")?,
        connection: row.opt_text("connection")?,
        connection_id: row.opt_text("connection_id")?.map(ConnectionId::new),
        organization_id: row.opt_text("organization_id")?.map(OrganizationId::new),
        description: row.text("description")?,
        details: row.json("details")?,
        more: match row.opt_text("context")? {
            Some(_) => row.json("context")?,
            None => LogContext::default(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_id_is_read_back_and_later_ones_are_greater_texts() {
        let at = |date: &str, id| LogId { date: Timestamp::parse_iso(date).unwrap(), id };
        let ids = [
            at("2026-01-02T03:04:05.006Z", 9),
            at("2026-01-02T03:04:05.006Z", 10),
            at("2026-01-02T03:04:05.010Z", 1),
            at("2027-01-02T03:04:05.006Z", i64::MAX),
        ];
        let texts = ids.map(|id| id.to_string());
        assert_eq!(texts[0], "900202601020304050060000000000000000009");
        assert!(texts.is_sorted());
        assert_eq!(texts.each_ref().map(|text| LogId::parse(text)), ids.map(Some));
        for wrong in [
            "",
            "9",
            "abc",
            "90020260102030405006",
            "800202601020304050060000000000000000009",
            &texts[0][1..],
        ] {
            assert_eq!(LogId::parse(wrong), None, "{wrong}");
        }
    }
}
