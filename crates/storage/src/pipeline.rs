//! Transactions on PostgreSQL. A statement whose result nobody needs is not waited for: it is sent together with the next
//! one whose result is needed. So a transaction makes fewer round trips than it has statements.

use std::borrow::Cow;
use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use futures_util::future::try_join_all;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Row};

use crate::StorageError;
use crate::postgres::{self, ServerAddress};
use crate::statement::{Statement, Value};

const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// More than the program has statements; those that are made of a tenant's query have no end.
const PREPARED_STATEMENTS: usize = 1000;

/// Connections to one server, opened as they are needed, each used by one at a time.
#[derive(Debug)]
pub(crate) struct Connections {
    address: ServerAddress,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

#[derive(Debug)]
struct Connection {
    client: Client,
    /// Each statement is parsed once.
    prepared: HashMap<Cow<'static, str>, tokio_postgres::Statement>,
}

/// The use of one connection.
#[derive(Debug)]
struct Lease {
    /// There until the lease ends.
    connection: Option<Connection>,
    home: Arc<Connections>,
    permit: Option<OwnedSemaphorePermit>,
}

/// A transaction. What is not committed when it ends is undone.
#[derive(Debug)]
pub(crate) struct PostgresTx {
    lease: Lease,
    begin: &'static str,
    /// To be sent with the next statement.
    deferred: Vec<Statement>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing was sent.
    New,
    Open,
    /// A statement failed: PostgreSQL accepts no other.
    Failed,
}

type Outcome = (Vec<Row>, u64);

impl Connections {
    /// Nothing is opened yet: a server that is away is known with the first statement.
    pub fn new(address: ServerAddress) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(postgres::CONNECTIONS as usize));
        Arc::new(Self { address, idle: Mutex::default(), permits })
    }

    /// A transaction that begins with this statement. It is sent with the first one.
    pub async fn begin(self: &Arc<Self>, begin: &'static str) -> Result<PostgresTx, StorageError> {
        let lease = self.lease().await?;
        Ok(PostgresTx { lease, begin, deferred: Vec::new(), state: State::New })
    }

    /// All rows of each of these statements that read, outside of any transaction. They are sent together.
    pub async fn read(self: &Arc<Self>, statements: &[Statement]) -> Result<Vec<Vec<Row>>, StorageError> {
        let rows = |outcomes: Vec<Outcome>| outcomes.into_iter().map(|(rows, _)| rows).collect();
        let mut lease = self.lease().await?;
        for _ in 0..postgres::CONNECTIONS {
            match lease.connection()?.run(statements).await {
                Err(error) if postgres::is_lost(&error) => lease.reconnect().await?,
                outcomes => return Ok(rows(outcomes?)),
            }
        }
        Ok(rows(lease.connection()?.run(statements).await?))
    }

    async fn lease(self: &Arc<Self>) -> Result<Lease, StorageError> {
        let permit = timeout(ACQUIRE_TIMEOUT, Arc::clone(&self.permits).acquire_owned()).await;
        let permit = permit.map_err(|_| StorageError::Busy)?.map_err(|_| StorageError::Closed)?;
        let connection = Some(self.connection().await?);
        Ok(Lease { connection, home: Arc::clone(self), permit: Some(permit) })
    }

    /// One that is idle, or a new one.
    async fn connection(&self) -> Result<Connection, StorageError> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        while let Some(connection) = idle() {
            if !connection.client.is_closed() {
                return Ok(connection);
            }
        }
        let client =
            timeout(ACQUIRE_TIMEOUT, self.address.connect()).await.map_err(|_| StorageError::Busy)??;
        Ok(Connection { client, prepared: HashMap::new() })
    }

    /// Ends them all when they are not in use any more.
    pub async fn close(&self) {
        // Fails when they are closed already.
        if let Ok(all) = self.permits.acquire_many(postgres::CONNECTIONS).await {
            self.permits.close();
            drop(all);
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }
}

impl Connection {
    /// Sends them without a pause; their results.
    async fn run(&mut self, statements: &[Statement]) -> Result<Vec<Outcome>, tokio_postgres::Error> {
        let mut prepared = Vec::with_capacity(statements.len());
        for statement in statements {
            prepared.push(self.prepared(statement).await?);
        }
        let sent =
            prepared.iter().zip(statements).map(|(prepared, statement)| self.send(prepared, statement));
        try_join_all(sent).await
    }

    async fn prepared(
        &mut self,
        statement: &Statement,
    ) -> Result<tokio_postgres::Statement, tokio_postgres::Error> {
        if let Some(prepared) = self.prepared.get(&statement.sql) {
            return Ok(prepared.clone());
        }
        let types: Vec<Type> = statement.values.iter().map(Value::postgres_type).collect();
        let prepared = self.client.prepare_typed(&statement.sql, &types).await?;
        if self.prepared.len() >= PREPARED_STATEMENTS {
            self.prepared.clear();
        }
        self.prepared.insert(statement.sql.clone(), prepared.clone());
        Ok(prepared)
    }

    async fn send(
        &self,
        prepared: &tokio_postgres::Statement,
        statement: &Statement,
    ) -> Result<Outcome, tokio_postgres::Error> {
        let started = Instant::now();
        let mut stream = pin!(self.client.query_raw(prepared, &statement.values).await?);
        let mut rows = Vec::new();
        while let Some(row) = stream.try_next().await? {
            rows.push(row);
        }
        // With the time of those that it was sent with, which come first.
        let elapsed_secs = started.elapsed().as_secs_f64();
        tracing::debug!(target: "storage::postgres", statement = &*statement.sql, elapsed_secs);
        Ok((rows, stream.rows_affected().unwrap_or(0)))
    }
}

impl Lease {
    fn connection(&mut self) -> Result<&mut Connection, StorageError> {
        self.connection.as_mut().ok_or(StorageError::Closed)
    }

    /// Takes another connection: this one is lost.
    async fn reconnect(&mut self) -> Result<(), StorageError> {
        self.connection = None;
        self.connection = Some(self.home.connection().await?);
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take().filter(|connection| !connection.client.is_closed()) {
            self.home.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }
}

impl PostgresTx {
    /// Runs a statement to its end: its rows, and how many rows it changed or found.
    pub async fn run(&mut self, statement: Statement) -> Result<Outcome, StorageError> {
        if self.state == State::Failed {
            return Err(StorageError::Undone);
        }
        if self.state == State::New {
            self.deferred.insert(0, Statement::new(self.begin));
        }
        self.deferred.push(statement);
        let mut attempts = 0;
        loop {
            let was = std::mem::replace(&mut self.state, State::Failed);
            match self.lease.connection()?.run(&self.deferred).await {
                Ok(mut outcomes) => {
                    self.deferred.clear();
                    self.state = State::Open;
                    return outcomes.pop().ok_or(StorageError::Undone);
                }
                // Nothing has happened yet in a transaction that cannot begin: after the server was away, each
                // connection may be a dead one.
                Err(error)
                    if was == State::New && postgres::is_lost(&error) && attempts < postgres::CONNECTIONS =>
                {
                    attempts += 1;
                    self.lease.reconnect().await?;
                    self.state = State::New;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Runs a statement whose result nobody needs, at the latest with the commit. An error of it is that of the
    /// statement that it is sent with.
    pub fn defer(&mut self, statement: Statement) {
        self.deferred.push(statement);
    }

    /// Makes what was written last.
    pub async fn commit(mut self) -> Result<(), StorageError> {
        if self.state == State::New {
            // To begin may be repeated, to commit may not.
            let Some(last) = self.deferred.pop() else { return Ok(()) };
            self.run(last).await?;
        }
        self.run(Statement::new("COMMIT")).await?;
        self.state = State::New;
        Ok(())
    }
}

impl Drop for PostgresTx {
    fn drop(&mut self) {
        let (Some(connection), true) = (&self.lease.connection, self.state != State::New) else { return };
        if connection.client.is_closed() {
            return;
        }
        let Ok(runtime) = Handle::try_current() else {
            // The program ends. PostgreSQL undoes what a connection leaves.
            self.lease.connection = None;
            return;
        };
        // The connection is used again when this is undone, not before.
        let lease = Lease {
            connection: self.lease.connection.take(),
            home: Arc::clone(&self.lease.home),
            permit: self.lease.permit.take(),
        };
        runtime.spawn(async move {
            let mut lease = lease;
            if let Ok(connection) = lease.connection()
                && let Err(error) = connection.client.batch_execute("ROLLBACK").await
            {
                tracing::warn!(%error, "a transaction was not undone: its connection is not used any more");
                lease.connection = None;
            }
        });
    }
}

impl Value {
    fn postgres_type(&self) -> Type {
        match self {
            Self::Integer(_) => Type::INT8,
            Self::Text(_) => Type::TEXT,
            Self::Blob(_) => Type::BYTEA,
        }
    }
}

impl ToSql for Value {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut tokio_postgres::types::private::BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Integer(value) => value.to_sql(ty, out),
            Self::Text(value) => value.to_sql(ty, out),
            Self::Blob(value) => value.to_sql(ty, out),
        }
    }

    fn accepts(ty: &Type) -> bool {
        [Type::INT8, Type::TEXT, Type::BYTEA].contains(ty)
    }

    to_sql_checked!();
}
