//! The connection to a SQLite file that writes. Transactions that come close together are committed together: then the
//! file is synchronised once for several of them, and that takes longer than their statements.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};

use crate::StorageError;
use crate::lease::{self, SqliteRow};
use crate::statement::Statement;

/// How long a transaction waits for that of another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// A group of so many is not waited for any longer: others are to go on meanwhile.
const MEMBERS: usize = 8;

/// The connection that writes, used by one transaction at a time, first come, first served.
#[derive(Debug)]
pub(crate) struct Writer {
    group: Arc<Mutex<Group>>,
}

/// Transactions that are committed together. While nobody has it locked, SQLite's transaction is open exactly when
/// there are members.
#[derive(Debug)]
struct Group {
    /// There until the database is closed.
    connection: Option<Connection>,
    /// Who waits for the commit.
    members: Vec<oneshot::Sender<Result<(), StorageError>>>,
    /// How many groups there were before.
    number: u64,
}

/// A transaction. What is not committed when it ends is undone, and nothing else of its group.
#[derive(Debug)]
pub(crate) struct Member {
    /// Locked until the transaction ends.
    group: Option<OwnedMutexGuard<Group>>,
    home: Arc<Mutex<Group>>,
}

impl Writer {
    /// Opens the connection, with these settings.
    pub fn open(path: &str, setup: &str) -> Result<Self, StorageError> {
        // To wait without blocking is what `begin` does.
        let connection = Some(lease::connect(path, setup, Duration::ZERO)?);
        Ok(Self { group: Arc::new(Mutex::new(Group { connection, members: Vec::new(), number: 0 })) })
    }

    /// Begins a transaction.
    pub async fn begin(&self) -> Result<Member, StorageError> {
        let group = Arc::clone(&self.group).lock_owned().await;
        let mut member = Member { group: Some(group), home: Arc::clone(&self.group) };
        let group = member.group()?;
        if group.members.is_empty() {
            group.begin().await?;
        }
        group.execute("SAVEPOINT member")?;
        Ok(member)
    }

    /// Commits what is to be committed, and ends the connection.
    pub async fn close(&self) {
        let mut group = self.group.lock().await;
        group.commit();
        group.connection = None;
    }
}

impl Member {
    /// Runs a statement to its end: its rows, and how many rows it changed or found.
    pub fn run(&mut self, statement: &Statement) -> Result<(Vec<SqliteRow>, u64), StorageError> {
        let connection = self.group()?.connection()?;
        if connection.is_autocommit() {
            // SQLite has undone the transaction: this statement would be one by itself.
            return Err(StorageError::Undone);
        }
        lease::run(connection, statement)
    }

    /// Makes what was written last: returns when it is on the disk.
    pub async fn commit(mut self) -> Result<(), StorageError> {
        let group = self.group()?;
        group.execute("RELEASE member")?;
        let (sender, committed) = oneshot::channel();
        group.members.push(sender);
        // Whoever waits for this one may go away: the commit must not go with it.
        match (group.members.len(), group.number) {
            (1, number) => drop(tokio::spawn(commit_soon(Arc::clone(&self.home), number))),
            (MEMBERS, _) => {
                if let Some(group) = self.group.take() {
                    commit_now(group);
                }
            }
            _ => {}
        }
        self.group = None;
        committed.await.unwrap_or(Err(StorageError::Undone))
    }

    fn group(&mut self) -> Result<&mut Group, StorageError> {
        self.group.as_deref_mut().ok_or(StorageError::Closed)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Some(group) = self.group.as_deref_mut() {
            group.undo();
        }
    }
}

/// All tasks that are ready now go first, and those that wait for the connection already: what they write goes along.
/// Where there are none, nothing is waited for.
async fn commit_soon(group: Arc<Mutex<Group>>, number: u64) {
    tokio::task::yield_now().await;
    let group = group.lock_owned().await;
    if group.number == number {
        commit_now(group);
    }
}

/// The thread that waits for the disk has nothing else to do.
fn commit_now(mut group: OwnedMutexGuard<Group>) {
    tokio::task::spawn_blocking(move || group.commit());
}

impl Group {
    fn connection(&self) -> Result<&Connection, StorageError> {
        self.connection.as_ref().ok_or(StorageError::Closed)
    }

    fn execute(&self, sql: &str) -> Result<(), StorageError> {
        self.connection()?.prepare_cached(sql)?.execute([])?;
        Ok(())
    }

    async fn begin(&mut self) -> Result<(), StorageError> {
        let started = Instant::now();
        loop {
            match self.execute("BEGIN IMMEDIATE") {
                Err(StorageError::Sqlite(error)) if is_busy(&error) && started.elapsed() < BUSY_TIMEOUT => {
                    tokio::time::sleep(BUSY_PAUSE).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// Commits what the members wrote, and tells them.
    fn commit(&mut self) {
        if self.members.is_empty() {
            return;
        }
        self.number += 1;
        match self.execute("COMMIT") {
            Ok(()) => self.members.drain(..).for_each(|member| drop(member.send(Ok(())))),
            Err(error) => {
                tracing::error!(%error, transactions = self.members.len(), "transactions were not committed");
                self.undo_all();
            }
        }
    }

    /// Undoes the transaction that has not been released.
    fn undo(&mut self) {
        let Ok(connection) = self.connection() else { return };
        if connection.is_autocommit() || self.members.is_empty() {
            return self.undo_all();
        }
        if let Err(error) = self.execute("ROLLBACK TO member").and_then(|()| self.execute("RELEASE member")) {
            tracing::error!(%error, "a transaction was not undone by itself: its whole group is");
            self.undo_all();
        }
    }

    /// Undoes everything since the last commit. Members learn of it as their senders are dropped.
    fn undo_all(&mut self) {
        self.members.clear();
        let Ok(connection) = self.connection() else { return };
        if !connection.is_autocommit()
            && let Err(error) = self.execute("ROLLBACK")
        {
            tracing::error!(%error, "a transaction could not be undone: the database is closed");
            self.connection = None;
        }
    }
}

/// Whether another process holds what is needed.
fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}
