//! The task of a node that removes what has ended from the database. Each node has one; they need not know of each other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::Clock;
use storage::{Storage, StorageError};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// From the end of a sweep to the next one.
    pub interval: Duration,
    /// The rows of a batch.
    pub batch_rows: u32,
    /// Between two batches: others have the database.
    pub pause: Duration,
    /// How long logs and runs are kept, in seconds.
    pub log_secs: i64,
}

/// The running task.
#[derive(Debug)]
pub struct Housekeeping {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Housekeeping {
    /// Starts it, with a sweep at once.
    #[must_use]
    pub fn start(storage: Storage, clock: Arc<dyn Clock>, settings: Settings) -> Self {
        let (stop, mut stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            loop {
                match sweep(&storage, clock.as_ref(), settings, &mut stopped).await {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(error) => {
                        tracing::warn!(%error, "housekeeping was broken off; the next sweep goes on");
                    }
                }
                if !rest(&mut stopped, settings.interval).await {
                    return;
                }
            }
        });
        Self { stop, task }
    }

    /// Ends it after the batch that is under way.
    pub async fn stop(self) {
        // An error would mean that it has ended already.
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

/// `false`: it was stopped.
async fn sweep(
    storage: &Storage,
    clock: &dyn Clock,
    settings: Settings,
    stopped: &mut oneshot::Receiver<()>,
) -> Result<bool, StorageError> {
    let mut sweep = storage.sweep(clock.now(), settings.log_secs, settings.batch_rows);
    let mut removed: BTreeMap<&'static str, u64> = BTreeMap::new();
    let outcome = loop {
        match sweep.next().await {
            Ok(Some(batch)) => {
                *removed.entry(batch.table).or_default() += batch.removed;
                if !rest(stopped, settings.pause).await {
                    break Ok(false);
                }
            }
            Ok(None) => break Ok(true),
            Err(error) => break Err(error),
        }
    };
    removed.retain(|_, rows| *rows > 0);
    if !removed.is_empty() {
        let tables: Vec<_> = removed.iter().map(|(table, rows)| format!("{table} {rows}")).collect();
        tracing::info!(
            rows = removed.values().sum::<u64>(),
            tables = tables.join(", "),
            "housekeeping: what had ended was removed"
        );
    }
    outcome
}

/// `false`: it is time to stop.
async fn rest(stopped: &mut oneshot::Receiver<()>, time: Duration) -> bool {
    tokio::time::timeout(time, stopped).await.is_err()
}
