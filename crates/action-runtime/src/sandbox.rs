//! One run between its parts. A run computes until its handler's promise is settled or it waits for what it started;
//! while it waits, it is only this value.

use std::any::Any;

use action_api::{Artifact, ArtifactKind, RunError, RunReport};
use rustix::time::{ClockId, clock_gettime};
use wasmtime::{Engine, Store};

use crate::engine::Running;
use crate::host::{self, Host};
use crate::operations::{Source, Started, describe};
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
    pub(crate) store: Store<Host>,
    /// A script's; a component has one part only.
    pub(crate) running: Option<Running>,
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
            store: Store::new(engine, host),
            running: None,
            cpu_us: 0,
            digest: artifact.digest.clone(),
            evaluated_at_login: matches!(
                artifact.kind,
                ArtifactKind::MemoryImage { evaluated_at_login: true, .. }
            ),
            _held: held,
        })
    }

    /// What the last part has started, and what it has cancelled.
    pub(crate) fn asked(&mut self) -> (Vec<Started>, Vec<u32>) {
        let operations = &mut self.store.data_mut().operations;
        (std::mem::take(&mut operations.started), std::mem::take(&mut operations.cancelled))
    }

    /// The clock of the last part.
    pub(crate) fn now_ms(&self) -> i64 {
        self.store.data().now_ms
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
                let Some(request) = sandbox.store.data_mut().operations.take(answer.id) else { continue };
                if sandbox.deliver(answer, request, now_ms)? == State::Done {
                    return Ok(State::Done);
                }
            }
            Ok(State::Waiting)
        })
    }

    fn deliver(&mut self, answer: Answer, request: String, now_ms: i64) -> Result<State, RunError> {
        let Answer { id, reply } = answer;
        let Some(running) = self.running else {
            return Err(RunError::Host { message: "only a script waits".into() });
        };
        host::set_epoch(&mut self.store);
        let host = self.store.data_mut();
        host.now_ms = now_ms;
        // Its place is before what this part calls.
        let place = host.operations.entries.len();
        let state = script::resume(&mut self.store, &running, id, &reply);
        let entry = Entry::Answered { id, request, now_ms, answer: reply };
        self.store.data_mut().operations.entries.insert(place, entry);
        state
    }

    /// Goes on with the next entry of the record.
    pub(crate) fn replay_one(mut self: Box<Self>) -> Step {
        let operations = &mut self.store.data_mut().operations;
        let Source::Record(entries) = &mut operations.source else {
            return self.finish(Some(RunError::Host { message: "there is no record".into() }));
        };
        match entries.pop_front() {
            Some(Entry::OutOfTime) => Step::Finished(Box::new(self.out_of_time())),
            Some(Entry::Answered { id, request, now_ms, answer: reply })
                if operations.under_way.get(&id) == Some(&request) =>
            {
                self.resume(vec![Answer { id, reply }], now_ms)
            }
            other => {
                let has = other.as_ref().map_or("its end", describe);
                let message = format!("it waits where the record has {has}");
                self.finish(Some(RunError::Diverged { message }))
            }
        }
    }

    /// Ends a run that waits, at the wall clock limit.
    pub(crate) fn out_of_time(mut self: Box<Self>) -> Finished {
        self.store.data_mut().operations.entries.push(Entry::OutOfTime);
        self.finish_with(Some(RunError::Limit { limit: "wall_clock_ms".into(), exception: None }))
    }

    fn finish(self: Box<Self>, error: Option<RunError>) -> Step {
        Step::Finished(Box::new(self.finish_with(error)))
    }

    /// Takes the sandbox down.
    #[expect(clippy::boxed_local, reason = "a sandbox is always in its box: it moves between threads")]
    pub(crate) fn finish_with(self: Box<Self>, error: Option<RunError>) -> Finished {
        let Self { store, cpu_us, digest, evaluated_at_login, _held: held, .. } = *self;
        let fuel_left = store.get_fuel().unwrap_or(0);
        let host = store.into_data();
        drop(held);
        let mut error = error;
        if let Source::Record(entries) = &host.operations.source
            && let Some(entry) = entries.front()
            && !matches!(error, Some(RunError::Diverged { .. }))
        {
            let message = format!("it ends where the record has {}", describe(entry));
            error = Some(RunError::Diverged { message });
        }
        let report = RunReport {
            digest,
            // A failed run decides nothing.
            commands: if error.is_none() { host.commands } else { Vec::new() },
            console: host.console,
            console_dropped_bytes: host.console_dropped,
            fuel: host.limits.fuel.saturating_sub(fuel_left),
            elapsed_us: u64::try_from(host.began.elapsed().as_micros()).unwrap_or(u64::MAX),
            cpu_us,
            memory_bytes: host.memory_peak,
            evaluated_at_login,
            error,
        };
        let record = Record { now_ms: host.began_ms, seed: host.seed, entries: host.operations.entries };
        Finished { report, record, trace: host.trace }
    }
}

/// Processor time of this thread.
fn thread_cpu_us() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000
}
