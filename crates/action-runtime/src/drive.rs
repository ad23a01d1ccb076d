//! Runs that wait: the parts on threads for blocking work, and what the run waits for in the task that wants its result.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use action_api::{Artifact, Limits, OperationFuture, Operations, RunError, RunReport};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::host::Host;
use crate::operations::{Source, Started, TIMER};
use crate::record::{Record, Reply};
use crate::runtime::Environment;
use crate::sandbox::{Answer, Sandbox, Step};
use crate::{Finished, RunInput, Runtime};

impl Runtime {
    /// Runs an artifact in a sandbox of its own, inside of a Tokio runtime with threads for blocking work. What goes
    /// wrong is in the report. Dropping the future ends the run: at once when it waits, else with its present part.
    pub async fn run(
        self: &Arc<Self>,
        artifact: &Arc<Artifact>,
        input: RunInput,
        environment: Environment,
        limits: &Limits,
    ) -> Finished {
        let Environment { now_ms, seed, operations, turns, held } = environment;
        let host = Host::new(limits, now_ms, &seed, Source::Live(Arc::clone(&operations)));
        let mut waits = Waits {
            began: Instant::now(),
            deadline: Instant::now() + limits.wall_clock(),
            now_ms,
            operations,
            under_way: Vec::new(),
            timers: BinaryHeap::new(),
        };
        let sandbox = Sandbox::new(&self.engine, artifact, host, held);
        let (runtime, program) = (Arc::clone(self), Arc::clone(artifact));
        let deadline = waits.deadline;
        let first = move |sandbox| runtime.begin(&program, &input, sandbox);
        let mut step = part(deadline, &turns, sandbox, first).await;
        loop {
            let mut sandbox = match step {
                Ok(Step::Waiting(sandbox)) => sandbox,
                Ok(Step::Finished(finished)) => return *finished,
                Err(error) => {
                    let report = RunReport::failed(artifact.digest.clone(), error);
                    let record = Record { now_ms, seed, entries: Vec::new() };
                    return Finished { report, record, trace: None };
                }
            };
            waits.take_over(&mut sandbox);
            let Some(answers) = waits.next().await else { return sandbox.out_of_time() };
            let now_ms = waits.now_ms();
            let goes_on = move |sandbox: Box<Sandbox>| sandbox.resume(answers, now_ms);
            step = part(deadline, &turns, sandbox, goes_on).await;
        }
    }
}

/// What one run waits for.
struct Waits {
    began: Instant,
    deadline: Instant,
    /// At `began`.
    now_ms: i64,
    operations: Arc<dyn Operations>,
    under_way: Vec<(u32, OperationFuture)>,
    /// When they are due, by the run's clock; of those due at one time, the one that was started first.
    timers: BinaryHeap<Reverse<(i64, u32)>>,
}

impl Waits {
    /// The run's clock.
    fn now_ms(&self) -> i64 {
        let passed = i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.now_ms.saturating_add(passed)
    }

    /// Begins what the last part has started, and lets go of what it has cancelled.
    fn take_over(&mut self, sandbox: &mut Sandbox) {
        let (started, cancelled) = sandbox.asked();
        let now_ms = sandbox.now_ms();
        self.under_way.retain(|(id, _)| !cancelled.contains(id));
        self.timers.retain(|Reverse((_, id))| !cancelled.contains(id));
        for Started { id, kind, input } in started {
            if kind == TIMER {
                let delay = input.as_i64().unwrap_or(0).max(0);
                self.timers.push(Reverse((now_ms.saturating_add(delay), id)));
            } else {
                self.under_way.push((id, self.operations.start(&kind, input)));
            }
        }
    }

    /// All answers that are there, as soon as there is one. `None`: the run's time is over.
    async fn next(&mut self) -> Option<Vec<Answer>> {
        loop {
            if Instant::now() >= self.deadline {
                return None;
            }
            let mut answers = self.due_timers();
            if !answers.is_empty() {
                answers.extend(poll_fn(|context| Poll::Ready(ready(&mut self.under_way, context))).await);
                return Some(answers);
            }
            let due = self
                .timers
                .peek()
                .map(|Reverse((due_ms, _))| self.began + Duration::from_millis(due_ms.abs_diff(self.now_ms)));
            let wake = due.map_or(self.deadline, |due| due.min(self.deadline));
            let some = poll_fn(|context| match ready(&mut self.under_way, context) {
                answers if answers.is_empty() => Poll::Pending,
                answers => Poll::Ready(answers),
            });
            if let Ok(answers) = timeout_at(wake, some).await {
                return Some(answers);
            }
        }
    }

    /// The answers of the timers that are due, in the order in which they are.
    fn due_timers(&mut self) -> Vec<Answer> {
        let now_ms = self.now_ms();
        let mut answers = Vec::new();
        while let Some(Reverse((due_ms, id))) = self.timers.peek().copied()
            && due_ms <= now_ms
        {
            self.timers.pop();
            answers.push(Answer { id, reply: Reply::Json("null".into()) });
        }
        answers
    }
}

/// The answers of those operations that have one now.
fn ready(under_way: &mut Vec<(u32, OperationFuture)>, context: &mut Context<'_>) -> Vec<Answer> {
    let mut answers = Vec::new();
    under_way.retain_mut(|(id, operation)| match operation.as_mut().poll(context) {
        Poll::Pending => true,
        Poll::Ready(answer) => {
            answers.push(Answer { id: *id, reply: answer.into() });
            false
        }
    });
    answers
}

/// Computes a part, when it is the run's turn. The error: the server is being stopped.
async fn part(
    deadline: Instant,
    turns: &[Arc<Semaphore>],
    sandbox: Box<Sandbox>,
    part: impl FnOnce(Box<Sandbox>) -> Step + Send + 'static,
) -> Result<Step, RunError> {
    let stopping = |_| RunError::Host { message: "the server is stopping".into() };
    let Ok(permits) = timeout_at(deadline, permits(turns)).await else {
        return Ok(Step::Finished(Box::new(sandbox.out_of_time())));
    };
    let permits = permits.map_err(stopping)?;
    let part = tokio::task::spawn_blocking(move || {
        let step = part(sandbox);
        drop(permits);
        step
    });
    part.await.map_err(|error| RunError::Host { message: format!("the run did not end: {error}") })
}

async fn permits(turns: &[Arc<Semaphore>]) -> Result<Vec<OwnedSemaphorePermit>, AcquireError> {
    let mut permits = Vec::with_capacity(turns.len());
    for turn in turns {
        permits.push(Arc::clone(turn).acquire_owned().await?);
    }
    Ok(permits)
}
