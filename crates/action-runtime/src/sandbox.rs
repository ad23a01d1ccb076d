//! One run between its parts. A run computes until its handler's promise is settled or it waits for what it started;
//! while it waits, it is only this value.

use std::any::Any;
use std::task::{Context, Poll, Waker};

use action_api::{Artifact, ArtifactKind, RunError, RunReport};
use rustix::time::{ClockId, clock_gettime};
use wasmtime::{Engine, Store};

use crate::component::Execution;
use crate::engine::Running;
use crate::host::{self, Host};
use crate::operations::{Shared, Source, Started, describe};
use crate::outcome::State;
use crate::record::{Entry, Record, Reply};
use crate::runtime::guarded;
use crate::{Finished, script};

/// What came of a part.
pub(crate) enum Step {
    Waiting(Box<Sandbox>),
    Finished(Box<Finished>),
}

/// An answer for the run.
pub(crate) struct Answer {
    pub(crate) id: u32,
    pub(crate) reply: Reply,
}

pub(crate) struct Sandbox {
    /// A component's execution has it until it ends.
    store: Option<Store<Host>>,
    /// A script's.
    pub(crate) running: Option<Running>,
    execution: Option<Execution>,
    operations: Shared,
    began_ms: i64,
    now_ms: i64,
    seed: [u8; 32],
    cpu_us: u64,
    digest: String,
    evaluated_at_login: bool,
    // The last field: it goes after the store.
    _held: Box<dyn Any + Send>,
}

impl Sandbox {
    pub(crate) fn new(
        engine: &Engine,
        artifact: &Artifact,
        host: Host,
        held: Box<dyn Any + Send>,
    ) -> Box<Self> {
        Box::new(Self {
            operations: host.operations.clone(),
            began_ms: host.began_ms,
            now_ms: host.now_ms,
            seed: host.seed,
            store: Some(Store::new(engine, host)),
            running: None,
            execution: None,
            cpu_us: 0,
            digest: artifact.digest.clone(),
            evaluated_at_login: matches!(
                artifact.kind,
                ArtifactKind::MemoryImage { evaluated_at_login: true, .. }
            ),
            _held: held,
        })
    }

    /// The store, unless a component is being executed.
    pub(crate) fn store(&mut self) -> Result<&mut Store<Host>, RunError> {
        self.store.as_mut().ok_or_else(gone)
    }

    /// Begins a component: it computes until it ends or waits.
    pub(crate) fn execute(
        &mut self,
        execution: impl FnOnce(Store<Host>) -> Execution,
    ) -> Result<State, RunError> {
        self.execution = Some(execution(self.store.take().ok_or_else(gone)?));
        self.poll()
    }

    /// Lets a component compute on. There is nobody to wake: it is polled when it has its answer.
    fn poll(&mut self) -> Result<State, RunError> {
        let Some(execution) = &mut self.execution else { return Err(gone()) };
        match execution.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending if self.operations.lock().under_way.is_empty() => {
                Err(RunError::Host { message: "a component waits for nothing".into() })
            }
            Poll::Pending => Ok(State::Waiting),
            Poll::Ready((store, result)) => {
                self.execution = None;
                self.store = Some(store);
                result.map(|()| State::Done)
            }
        }
    }

    /// What the last part has started, and what it has cancelled.
    pub(crate) fn asked(&mut self) -> (Vec<Started>, Vec<u32>) {
        let mut operations = self.operations.lock();
        (std::mem::take(&mut operations.started), std::mem::take(&mut operations.cancelled))
    }

    /// The clock of the last part.
    pub(crate) fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// Runs a part. It ends the run, or leaves it waiting.
    pub(crate) fn compute(
        mut self: Box<Self>,
        part: impl FnOnce(&mut Self) -> Result<State, RunError>,
    ) -> Step {
        let before = thread_cpu_us();
        let result = guarded(|| part(&mut self));
        self.cpu_us += thread_cpu_us().saturating_sub(before);
        match result {
            Ok(State::Waiting) => Step::Waiting(self),
            Ok(State::Done) => self.finish(None),
            Err(error) => self.finish(Some(error)),
        }
    }

    /// Goes on with answers, in this order, at this time. What was cancelled is left out.
    pub(crate) fn resume(self: Box<Self>, answers: Vec<Answer>, now_ms: i64) -> Step {
        self.compute(|sandbox| {
            for answer in answers {
                let request = sandbox.operations.lock().take(answer.id);
                let Some(request) = request else { continue };
                if sandbox.deliver(answer, request, now_ms)? == State::Done {
                    return Ok(State::Done);
                }
            }
            Ok(State::Waiting)
        })
    }

    fn deliver(&mut self, answer: Answer, request: String, now_ms: i64) -> Result<State, RunError> {
        let Answer { id, reply } = answer;
        self.now_ms = now_ms;
        let entry = Entry::Answered { id, request, now_ms, answer: reply.clone() };
        let mut operations = self.operations.lock();
        operations.entries.push(entry);
        if self.execution.is_some() {
            operations.answered.insert(id, reply);
            operations.answered_ms = Some(now_ms);
            drop(operations);
            return self.poll();
        }
        drop(operations);
        let running = self.running.ok_or_else(gone)?;
        let store = self.store()?;
        host::set_epoch(store);
        store.data_mut().now_ms = now_ms;
        script::resume(store, &running, id, &reply)
    }

    /// Goes on with the next entry of the record.
    pub(crate) fn replay_one(self: Box<Self>) -> Step {
        let next = {
            let mut operations = self.operations.lock();
            let Source::Record(entries) = &mut operations.source else {
                drop(operations);
                return self.finish(Some(RunError::Host { message: "there is no record".into() }));
            };
            match entries.pop_front() {
                Some(Entry::Answered { id, request, .. })
                    if operations.under_way.get(&id) != Some(&request) =>
                {
                    Err("the answer to an operation")
                }
                Some(entry @ (Entry::OutOfTime | Entry::Answered { .. })) => Ok(entry),
                other => Err(other.as_ref().map_or("its end", describe)),
            }
        };
        match next {
            Ok(Entry::Answered { id, now_ms, answer: reply, .. }) => {
                self.resume(vec![Answer { id, reply }], now_ms)
            }
            Ok(_) => Step::Finished(Box::new(self.out_of_time())),
            Err(has) => {
                let message = format!("it waits where the record has {has}");
                self.finish(Some(RunError::Diverged { message }))
            }
        }
    }

    /// Ends a run that waits, at the wall clock limit.
    pub(crate) fn out_of_time(mut self: Box<Self>) -> Finished {
        {
            let mut operations = self.operations.lock();
            operations.entries.push(Entry::OutOfTime);
            operations.out_of_time = true;
        }
        // What a component waits for fails now, and that ends it.
        if self.execution.is_some() {
            let _ = guarded(|| self.poll());
        }
        self.finish_with(Some(RunError::Limit { limit: "wall_clock_ms".into(), exception: None }))
    }

    fn finish(self: Box<Self>, error: Option<RunError>) -> Step {
        Step::Finished(Box::new(self.finish_with(error)))
    }

    /// Takes the sandbox down.
    #[expect(clippy::boxed_local, reason = "a sandbox is always in its box: it moves between threads")]
    pub(crate) fn finish_with(self: Box<Self>, error: Option<RunError>) -> Finished {
        let Self { store, execution, operations, began_ms, seed, cpu_us, digest, .. } = *self;
        let (evaluated_at_login, held) = (self.evaluated_at_login, self._held);
        // With it goes the store of a component that did not end.
        drop(execution);
        let fuel_left = store.as_ref().and_then(|store| store.get_fuel().ok());
        let host = store.map(Store::into_data);
        drop(held);
        let mut operations = operations.lock();
        let mut error = error;
        if let Source::Record(entries) = &operations.source
            && let Some(entry) = entries.front()
            && !matches!(error, Some(RunError::Diverged { .. }))
        {
            let message = format!("it ends where the record has {}", describe(entry));
            error = Some(RunError::Diverged { message });
        }
        let entries = std::mem::take(&mut operations.entries);
        let record = Record { now_ms: began_ms, seed, entries };
        let Some(host) = host else {
            let report = RunReport::failed(digest, error.unwrap_or_else(gone));
            return Finished { report, record, trace: None };
        };
        let report = RunReport {
            digest,
            // A failed run decides nothing.
            commands: if error.is_none() { host.commands } else { Vec::new() },
            console: host.console,
            console_dropped_bytes: host.console_dropped,
            fuel: host.limits.fuel.saturating_sub(fuel_left.unwrap_or(0)),
            elapsed_us: u64::try_from(host.began.elapsed().as_micros()).unwrap_or(u64::MAX),
            cpu_us,
            memory_bytes: host.memory_peak,
            evaluated_at_login,
            error,
        };
        Finished { report, record, trace: host.trace }
    }
}

fn gone() -> RunError {
    RunError::Host { message: "the sandbox is gone".into() }
}

/// Processor time of this thread.
fn thread_cpu_us() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000
}
