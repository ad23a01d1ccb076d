//! Many tasks that want the same single-use value at the same moment.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::Barrier;

const TASKS: usize = 64;

/// How often a race is run.
pub const ROUNDS: usize = 20;

/// Makes all futures first, then lets them go at once. Each runs in a task of its own.
pub async fn run<F>(mut attempt: impl FnMut(usize) -> F) -> Vec<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let barrier = Arc::new(Barrier::new(TASKS));
    let tasks: Vec<_> = (0..TASKS)
        .map(|index| {
            let (attempt, barrier) = (attempt(index), barrier.clone());
            tokio::spawn(async move {
                barrier.wait().await;
                attempt.await
            })
        })
        .collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.expect("no panic"));
    }
    results
}
