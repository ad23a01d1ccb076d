//! Transactions of a SQLite file that are committed together.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use tokio::task::JoinSet;

use super::fixtures::{acme, now, with_tenants};
use super::sqlite::open;
use crate::statement::Statement;
use crate::{Storage, StorageError};

/// What one transaction does after it has written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Commits,
    IsDropped,
    /// Its commit, and so that of its group, breaks a rule that is checked at the end.
    CannotCommit,
}

async fn write(storage: Storage, name: String, end: End) -> Result<(), StorageError> {
    let mut tx = storage.begin(&acme()).await?;
    tx.hit_rate_limit(&name, 60, now()).await?;
    if end == End::CannotCommit {
        for sql in [
            "INSERT INTO actions (tenant_id, id, name, created_at) VALUES ('acme', 'x', 'x', 0)",
            "INSERT INTO action_versions (tenant_id, action_id, number, digest, source, created_at)
             VALUES ('acme', 'x', 1, 'unknown', '', 0)",
        ] {
            tx.run(Statement::new(sql)).await?;
        }
    }
    if end != End::IsDropped {
        tx.commit().await?;
    }
    Ok(())
}

async fn written(storage: &Storage) -> Vec<String> {
    let query = Statement::new("SELECT key FROM rate_limits ORDER BY key");
    let rows = storage.read(query).await.unwrap().into_iter();
    rows.map(|row| crate::row::Record { table: "rate_limits", id_column: "key", row }.text("key").unwrap())
        .collect()
}

/// Several at once, on one thread: they are all ready before the first one's commit.
async fn at_once(storage: &Storage, ends: &[End]) -> Vec<Result<(), StorageError>> {
    let mut tasks = JoinSet::new();
    for (number, end) in ends.iter().enumerate() {
        let task = write(storage.clone(), number.to_string(), *end);
        tasks.spawn(async move { (number, task.await) });
    }
    let mut outcomes = tasks.join_all().await;
    outcomes.sort_by_key(|(number, _)| *number);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

#[tokio::test]
async fn a_transaction_that_is_undone_takes_no_other_one_with_it() {
    use End::{Commits, IsDropped};
    let (_folder, storage) = open().await;
    with_tenants(&storage).await;
    let outcomes = at_once(&storage, &[IsDropped, Commits, IsDropped, Commits, Commits, IsDropped]).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(written(&storage).await, ["1", "3", "4"]);
}

#[tokio::test]
async fn a_commit_that_fails_is_told_to_all_and_the_next_one_works() {
    use End::{CannotCommit, Commits};
    let (_folder, storage) = open().await;
    with_tenants(&storage).await;
    let outcomes = at_once(&storage, &[Commits, CannotCommit, Commits]).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(StorageError::Undone))), "{outcomes:?}");
    assert!(written(&storage).await.is_empty());
    assert!(at_once(&storage, &[Commits, Commits]).await.iter().all(Result::is_ok));
    assert_eq!(written(&storage).await, ["0", "1"]);
}

#[tokio::test]
async fn who_goes_away_before_the_commit_is_committed_nevertheless() {
    let (_folder, storage) = open().await;
    with_tenants(&storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    tx.hit_rate_limit("gone", 60, now()).await.unwrap();
    let mut commit = Box::pin(tx.commit());
    let first = poll_fn(|context| Poll::Ready(commit.as_mut().poll(context))).await;
    assert!(first.is_pending(), "it waits for the disk");
    drop(commit);
    // First come, first served: this one begins when that one's group is known.
    at_once(&storage, &[End::Commits]).await;
    assert_eq!(written(&storage).await, ["0", "gone"]);
}

#[tokio::test]
async fn another_process_writes_as_soon_as_nothing_is_open() {
    let (folder, storage) = open().await;
    with_tenants(&storage).await;
    let path = format!("sqlite:{}/a postern 100%.db", folder.path().display());
    let other = Storage::open(&path).await.unwrap();
    // A transaction that is undone, and one that is committed, both leave the file free.
    for (round, end) in [End::IsDropped, End::Commits, End::IsDropped].into_iter().enumerate() {
        write(storage.clone(), format!("here {round}"), end).await.unwrap();
        write(other.clone(), format!("there {round}"), End::Commits).await.unwrap();
    }
    // While one is open here, the other one waits.
    let tx = storage.begin(&acme()).await.unwrap();
    let waiting = tokio::spawn(write(other.clone(), "waited".to_owned(), End::Commits));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!waiting.is_finished());
    drop(tx);
    waiting.await.unwrap().unwrap();
    assert_eq!(written(&storage).await, ["here 1", "there 0", "there 1", "there 2", "waited"]);
}

#[tokio::test]
async fn a_closed_database_says_so() {
    let (_folder, storage) = open().await;
    with_tenants(&storage).await;
    storage.close().await;
    assert!(matches!(storage.begin(&acme()).await, Err(StorageError::Closed)));
    assert!(matches!(storage.begin_read(&acme()).await, Err(StorageError::Closed)));
}
