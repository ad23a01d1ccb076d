//! Removing what has ended. Every table whose rows come with requests is in [`RULES`], with the moment at which a row
//! ends, and what may still need it after that. Artifacts have no such moment: they go when nothing needs them any more
//! (`artifacts.rs`).
//!
//! A [`Sweep`] goes through the rules in batches. Each is one short statement and a transaction of its own, which looks
//! at a limited number of rows, found by an index: a login never waits for more than one of them. It walks over what has
//! ended from the oldest on, so that rows that must stay are looked at once in a sweep, not once in a batch. Any number
//! of nodes may sweep at the same time: on PostgreSQL each passes over the rows that another has locked.

use model::Timestamp;

use crate::rate_limits::LONGEST_WINDOW_SECS;
use crate::refresh_tokens::NEVER;
use crate::row::Row;
use crate::statement::Statement;
use crate::{DatabaseKind, Storage, StorageError};

/// So long after its end a row is left alone: requests under way have read it, and a node whose clock is behind takes it
/// for living.
const GRACE_SECS: i64 = 3600;

/// A server that was away looks for the sessions that ended in the last day, to tell their clients (back-channel logout).
/// It has another day for that.
const TOLD_SECS: i64 = 48 * 3600;

/// How long a row stays after its end.
#[derive(Clone, Copy)]
enum Stay {
    /// No longer than all do ([`GRACE_SECS`]).
    Grace,
    /// Until the clients of a session have been told of its end.
    Told,
    /// Until the window of a rate limit is over, whichever it is.
    Window,
    /// As long as logs are kept.
    Log,
}

/// Which rows of a table go.
#[derive(Clone, Copy)]
pub(crate) struct Rule {
    table: &'static str,
    /// The table `e` whose row ends.
    ended: &'static str,
    /// When a row of `e` ends. There is an index on it.
    end: &'static str,
    /// From a row of `e` to the row `x` that goes; empty when that is the row itself.
    join: &'static str,
    /// What must hold besides. It begins with `AND`; `$until` is the moment until which what ended goes.
    unless: &'static str,
    stay: Stay,
}

const fn rule(table: &'static str, end: &'static str) -> Rule {
    Rule { table, ended: table, end, join: "", unless: "", stay: Stay::Grace }
}

/// A refresh token is over when it is revoked, or at its absolute end, or at its idle end where it has no other. `over_by`
/// may be before that: an exchange moves an idle end within its day, and a node of a version before that column any end.
macro_rules! is_over {
    () => {
        " AND COALESCE(e.revoked_at, e.expires_at, e.idle_expires_at) <= $until "
    };
}

/// Sets `over_by` of up to `$1` refresh tokens that have none: a node of a version before that column stored them.
const FILL: &str = "UPDATE refresh_tokens SET over_by = COALESCE(revoked_at, expires_at, idle_expires_at, $2)
     WHERE over_by IS NULL AND (tenant_id, id) IN
         (SELECT tenant_id, id FROM refresh_tokens WHERE over_by IS NULL LIMIT $1)";

/// Nothing is left that reads the refresh token: what was made from it ends by the mark on it (`cascaded_at`), and an
/// opaque access token when it is not there.
macro_rules! nothing_needs {
    ($token:literal) => {
        concat!(
            " AND NOT EXISTS (SELECT 1 FROM sessions n WHERE n.tenant_id = ",
            $token,
            ".tenant_id
                 AND n.parent_refresh_token = ",
            $token,
            ".id)
             AND NOT EXISTS (SELECT 1 FROM refresh_tokens n WHERE n.tenant_id = ",
            $token,
            ".tenant_id
                 AND n.parent_refresh_token = ",
            $token,
            ".id)
             AND NOT EXISTS (SELECT 1 FROM access_tokens n WHERE n.tenant_id = ",
            $token,
            ".tenant_id
                 AND n.refresh_token_id = ",
            $token,
            ".id) "
        )
    };
}

/// The two rules for refresh tokens that end in one way: first their secrets, then they themselves.
macro_rules! refresh_tokens {
    ($ended:literal, $end:literal, $join:literal, $token:literal, $is_over:expr) => {
        [
            Rule {
                table: "refresh_token_secrets",
                ended: $ended,
                end: $end,
                join: concat!(
                    $join,
                    " JOIN refresh_token_secrets x ON x.tenant_id = ",
                    $token,
                    ".tenant_id
                         AND x.refresh_token_id = ",
                    $token,
                    ".id"
                ),
                unless: concat!($is_over, nothing_needs!($token)),
                stay: Stay::Grace,
            },
            Rule {
                table: "refresh_tokens",
                ended: $ended,
                end: $end,
                join: concat!(
                    $join,
                    " JOIN refresh_tokens x ON x.tenant_id = ",
                    $token,
                    ".tenant_id
                     AND x.id = ",
                    $token,
                    ".id"
                ),
                unless: concat!(
                    $is_over,
                    nothing_needs!($token),
                    "AND NOT EXISTS (SELECT 1 FROM refresh_token_secrets n WHERE n.tenant_id = ",
                    $token,
                    ".tenant_id AND n.refresh_token_id = ",
                    $token,
                    ".id)"
                ),
                stay: Stay::Grace,
            },
        ]
    };
}

/// A refresh token that was revoked or has expired: its secrets are answered like those that nobody knows, spent ones
/// too. As long as it lives, each spent one stays, so that its reuse is known (RFC 9700 §4.14.2).
const ENDED_TOKENS: [Rule; 2] = refresh_tokens!("refresh_tokens", "e.over_by", "", "e", is_over!());

/// One that is bound to a session, and may have no end of its own, is over when the session is.
const BOUND_TOKENS: [Rule; 2] = refresh_tokens!(
    "sessions",
    "e.expires_at",
    "JOIN refresh_tokens t ON t.tenant_id = e.tenant_id AND t.session_id = e.id AND t.bound_to_session = 1",
    "t",
    ""
);

/// One that was made from a refresh token that was revoked with all that came from it.
const CASCADED_TOKENS: [Rule; 2] = refresh_tokens!(
    "refresh_tokens",
    "e.over_by",
    "JOIN refresh_tokens t ON t.tenant_id = e.tenant_id AND t.parent_refresh_token = e.id
         AND e.cascaded_at IS NOT NULL",
    "t",
    is_over!()
);

/// In this order: what needs a row goes before the row. (Not always: a session goes after the refresh tokens in it, and
/// the native one that it was made from goes with the next sweep.)
pub(crate) const RULES: [Rule; 20] = [
    // Spent or expired, it is answered like one that nobody knows.
    rule("pending_authorizations", "e.expires_at"),
    rule("pushed_authorization_requests", "e.expires_at"),
    rule("session_transfer_tokens", "e.expires_at"),
    rule("access_tokens", "e.expires_at"),
    rule("mfa_tokens", "e.expires_at"),
    // A device that goes on polling is told once of the expiry, and has the time to ask. After that its code is unknown,
    // used or not.
    rule("device_codes", "e.expires_at"),
    // The JWT is refused for its age before this moment.
    rule("spent_jwt_ids", "e.expires_at"),
    // While it is there, the client is not told again.
    Rule { unless: "AND e.finished = 1", ..rule("backchannel_logouts", "e.due_at") },
    Rule { stay: Stay::Window, ..rule("rate_limits", "e.window_start") },
    Rule { stay: Stay::Log, ..rule("logs", "e.date") },
    Rule { stay: Stay::Log, ..rule("executions", "e.created_at") },
    CASCADED_TOKENS[0],
    CASCADED_TOKENS[1],
    BOUND_TOKENS[0],
    BOUND_TOKENS[1],
    ENDED_TOKENS[0],
    ENDED_TOKENS[1],
    // By its id an administrator ends the refresh tokens that were issued in it, so that it stays as long as they do. Its
    // absolute end counts: the idle one moves with each use, and a revoked one waits for it as well.
    Rule {
        table: "session_clients",
        ended: "sessions",
        end: "e.expires_at",
        join: "JOIN session_clients x ON x.tenant_id = e.tenant_id AND x.session_id = e.id",
        unless: "AND NOT EXISTS (SELECT 1 FROM refresh_tokens n WHERE n.tenant_id = e.tenant_id
                     AND n.session_id = e.id)",
        stay: Stay::Told,
    },
    Rule {
        unless: "AND NOT EXISTS (SELECT 1 FROM refresh_tokens n WHERE n.tenant_id = e.tenant_id
                     AND n.session_id = e.id)
                 AND NOT EXISTS (SELECT 1 FROM session_clients n WHERE n.tenant_id = e.tenant_id
                     AND n.session_id = e.id)",
        stay: Stay::Told,
        ..rule("sessions", "e.expires_at")
    },
    // A second use of it ends what the first one issued (RFC 6749 §4.1.2), so that it stays as long as that does.
    Rule {
        unless: "AND NOT EXISTS (SELECT 1 FROM refresh_tokens n WHERE n.tenant_id = e.tenant_id
                     AND n.id = e.issued_refresh_token)
                 AND NOT EXISTS (SELECT 1 FROM access_tokens n WHERE n.tenant_id = e.tenant_id
                     AND n.hash = e.issued_access_token)",
        ..rule("codes", "e.expires_at")
    },
];

/// One batch of a [`Sweep`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// Where.
    pub table: &'static str,
    /// How many rows went.
    pub removed: u64,
}

/// One walk over all that has ended.
#[derive(Debug)]
pub struct Sweep {
    storage: Storage,
    now: Timestamp,
    log_secs: i64,
    batch_rows: u32,
    /// The rule whose turn it is.
    rule: usize,
    /// Everything that ended until then has been looked at.
    after: i64,
    /// Until when what ended is being looked at.
    until: Option<i64>,
    /// Whether each refresh token has its `over_by`.
    is_filled: bool,
    /// After the rules come the artifacts.
    artifacts: Artifacts,
}

#[derive(Debug)]
enum Artifacts {
    /// All until this digest have been looked at.
    Noted(String),
    /// Those that were noted long ago go.
    Removed,
    Done,
}

impl Storage {
    /// Begins to remove what had ended before `now`, and logs and runs older than `log_secs`. A batch looks at
    /// `batch_rows` rows, and at those that ended in the same millisecond as the last of them.
    #[must_use]
    pub fn sweep(&self, now: Timestamp, log_secs: i64, batch_rows: u32) -> Sweep {
        Sweep {
            storage: self.clone(),
            now,
            log_secs,
            batch_rows,
            rule: 0,
            after: -1,
            until: None,
            is_filled: false,
            artifacts: Artifacts::Noted(String::new()),
        }
    }

    /// How many rows a sweep that begins at `now` would remove from each table at the least: those that go only after
    /// others are not counted, and no more than `limit` of any. Tables with none are left out.
    pub async fn ended_rows(
        &self,
        now: Timestamp,
        log_secs: i64,
        limit: u32,
    ) -> Result<Vec<(&'static str, i64)>, StorageError> {
        let mut counts: Vec<(&'static str, i64)> = Vec::new();
        for rule in &RULES {
            let (until, limit) = (rule.stay.until(now, log_secs), i64::from(limit));
            let rows = self.read(Statement::new(rule.count(self.kind())).bind(until).bind(limit)).await?;
            let count = number(rule, rows.first(), "ended")?.unwrap_or_default();
            match counts.iter_mut().find(|(table, _)| *table == rule.table) {
                Some((_, sum)) => *sum = (*sum + count).min(limit),
                None => counts.push((rule.table, count)),
            }
        }
        counts.push(("artifacts", self.count_unused_artifacts(now, limit).await?));
        counts.retain(|(_, count)| *count > 0);
        Ok(counts)
    }
}

impl Sweep {
    /// Removes the next batch. `None`: the sweep is at its end.
    ///
    /// # Errors
    /// The database's. Nothing is lost by it: what was not removed is found by the next sweep.
    pub async fn next(&mut self) -> Result<Option<Batch>, StorageError> {
        if !self.is_filled {
            let fill = Statement::new(FILL).bind(i64::from(self.batch_rows)).bind(NEVER);
            let filled = self.storage.write(&fill).await?;
            self.is_filled = filled < u64::from(self.batch_rows);
            if filled > 0 {
                return Ok(Some(Batch { table: "refresh_tokens", removed: 0 }));
            }
        }
        while let Some(rule) = RULES.get(self.rule) {
            let Some(until) = self.until(rule).await? else {
                (self.rule, self.after) = (self.rule + 1, -1);
                continue;
            };
            let delete = rule.delete(self.storage.kind());
            let limit = i64::from(self.batch_rows);
            let mut query = Statement::new(delete).bind(self.after).bind(until).bind(limit);
            if rule.unless.contains("$until") {
                query = query.bind(rule.stay.until(self.now, self.log_secs));
            }
            let removed = self.storage.write(&query).await?;
            if removed < u64::from(self.batch_rows) {
                (self.after, self.until) = (until, None);
            }
            return Ok(Some(Batch { table: rule.table, removed }));
        }
        self.next_artifacts().await
    }

    async fn next_artifacts(&mut self) -> Result<Option<Batch>, StorageError> {
        let (storage, now) = (&self.storage, self.now);
        loop {
            match &self.artifacts {
                Artifacts::Noted(after) => {
                    match storage.note_unused_artifacts(after, self.batch_rows, now).await? {
                        Some(last) => {
                            self.artifacts = Artifacts::Noted(last);
                            return Ok(Some(Batch { table: "artifacts", removed: 0 }));
                        }
                        None => self.artifacts = Artifacts::Removed,
                    }
                }
                Artifacts::Removed => match storage.remove_unused_artifacts(now).await? {
                    Some(removed) => return Ok(Some(Batch { table: "artifacts", removed })),
                    None => self.artifacts = Artifacts::Done,
                },
                Artifacts::Done => return Ok(None),
            }
        }
    }

    /// Until when what ended is to be looked at in this batch: the end of the last of so many rows.
    async fn until(&mut self, rule: &Rule) -> Result<Option<i64>, StorageError> {
        if self.until.is_none() {
            let (after, limit) = (self.after, i64::from(self.batch_rows));
            let last = rule.stay.until(self.now, self.log_secs);
            let query = Statement::new(rule.window()).bind(after).bind(last).bind(limit);
            let rows = self.storage.read(query).await?;
            self.until = number(rule, rows.first(), "last")?;
        }
        Ok(self.until)
    }
}

/// The number of that name in a row of a statement about the rule's table.
fn number(rule: &Rule, row: Option<&Row>, name: &'static str) -> Result<Option<i64>, StorageError> {
    let wrong = |reason| StorageError::Row { table: rule.table, column: name, id: String::new(), reason };
    row.map_or(Ok(None), |row| row.int(name)).map_err(wrong)
}

impl Stay {
    /// The last moment of which rows that ended then go now.
    fn until(self, now: Timestamp, log_secs: i64) -> i64 {
        let secs = match self {
            Self::Grace => GRACE_SECS,
            Self::Told => TOLD_SECS,
            Self::Window => LONGEST_WINDOW_SECS,
            Self::Log => log_secs,
        };
        now.plus_secs(-secs).as_ms()
    }
}

impl Rule {
    /// From a row of `e` to the row that goes. SQLite keeps the order of a CROSS JOIN, where it would begin with the
    /// tenant's last table, whose rows it does not know to be many.
    fn join(&self, kind: DatabaseKind) -> String {
        match kind {
            DatabaseKind::Sqlite => self.join.replace("JOIN", "CROSS JOIN"),
            DatabaseKind::Postgres => self.join.to_owned(),
        }
    }

    /// The alias of the row that goes.
    fn row(&self) -> &'static str {
        if self.join.is_empty() { "e" } else { "x" }
    }

    /// The last end among the first `$3` rows that ended after `$1` and until `$2`.
    pub(crate) fn window(&self) -> String {
        let Self { ended, end, .. } = self;
        format!(
            "SELECT MAX(w.moment) AS last FROM (SELECT {end} AS moment FROM {ended} e
                 WHERE {end} > $1 AND {end} <= $2 ORDER BY {end} LIMIT $3) w"
        )
    }

    /// Removes up to `$3` rows of what ended after `$1` and until `$2`. `$4` is until when what ended goes. The rows are chosen first, by their place in
    /// the table, which is SQLite's `rowid` and PostgreSQL's `ctid`.
    pub(crate) fn delete(&self, kind: DatabaseKind) -> String {
        let Self { table, ended, end, .. } = self;
        let (row, join, unless) = (self.row(), self.join(kind), self.unless.replace("$until", "$4"));
        match kind {
            DatabaseKind::Sqlite => format!(
                "DELETE FROM {table} WHERE rowid IN (SELECT {row}.rowid FROM {ended} e {join}
                     WHERE {end} > $1 AND {end} <= $2 {unless} LIMIT $3)"
            ),
            DatabaseKind::Postgres => format!(
                "DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT {row}.ctid FROM {ended} e {join}
                     WHERE {end} > $1 AND {end} <= $2 {unless} LIMIT $3 FOR UPDATE OF {row} SKIP LOCKED))"
            ),
        }
    }

    /// How many rows of what ended until `$1` go, up to `$2`.
    pub(crate) fn count(&self, kind: DatabaseKind) -> String {
        let Self { ended, end, .. } = self;
        let (join, unless) = (self.join(kind), self.unless.replace("$until", "$1"));
        format!(
            "SELECT COUNT(*) AS ended FROM (SELECT 1 AS one FROM {ended} e {join} WHERE {end} <= $1 {unless} LIMIT $2) w"
        )
    }
}
