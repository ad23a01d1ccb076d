//! `postern action check`: an Action on thousands of generated events, in the server's engine with its limits, and what goes
//! wrong as the smallest event that shows it.

mod agree;
mod answers;
mod generate;
pub mod problem;

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use action_api::schema::Flow;
use action_api::{Blame, Command, Handler, RunError, RunReport};
use action_build::Words;
use action_runtime::{Environment, RunInput, Runtime};
use model::Timestamp;
use proptest::strategy::{SBoxedStrategy, Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Map, Value, json};

use self::generate::Given;
use self::problem::{Problem, claim_of, is_meant, problems};
use super::runner::Action;
use super::stand_ins::{StandIns, World};

/// How many smaller events are tried for one problem.
const SHRINK_STEPS: u32 = 4_000;
/// How many kinds of problems are shrunk: one Action with more has one cause for most of them.
const SHOWN_PROBLEMS: usize = 12;
/// After so many runs that reached a limit no more are made: each takes as long as the limit allows.
const ENOUGH_LIMITS: u64 = 25;

/// What is checked, and with what.
pub struct Check {
    /// The server's engine.
    pub runtime: Arc<Runtime>,
    /// The Action, with its limits and secrets.
    pub action: Action,
    /// What stands in it.
    pub words: Words,
    /// The project's; they come before generated answers.
    pub stand_ins: StandIns,
    /// Events that must not be refused.
    pub never_deny: Vec<Map<String, Value>>,
    /// The clock of all runs.
    pub now: Timestamp,
    /// How many events.
    pub events: u64,
    /// What they come from.
    pub seed: u64,
}

/// One event and the world around it.
#[derive(Debug, Clone)]
pub struct Case {
    /// The event.
    pub event: Value,
    /// Stand-ins that were made by chance, as `action.toml` has them.
    pub stand_ins: Value,
}

/// What became of the events of a flow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// How many there were.
    pub events: u64,
    /// In which the Action refused the login.
    pub denied: u64,
    /// In which the Action failed.
    pub failed: u64,
    /// In which it asked for nothing.
    pub nothing: u64,
}

/// A problem with its smallest event.
pub struct Found {
    /// What is wrong.
    pub problem: Problem,
    /// Of how many events.
    pub events: u64,
    /// The smallest one.
    pub case: Case,
    /// Its run.
    pub report: RunReport,
}

/// What a check found.
pub struct Outcome {
    /// By flow.
    pub flows: BTreeMap<Flow, Count>,
    /// Each problem once, in the order of the events that showed them first.
    pub found: Vec<Found>,
    /// How many kinds of problems there are besides.
    pub more: usize,
    /// To how many events each entry of `never_deny` applied.
    pub met: Vec<u64>,
    /// Whether it ended early, at limits.
    pub cut_short: bool,
}

/// Why a check did not end. Nothing of it is the Action's fault.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// Ours.
    #[error("the server could not run the Action: {0}")]
    Host(String),
    /// Ours.
    #[error("no event could be made: {0}")]
    Generate(String),
    /// The system's.
    #[error("no thread to run it on: {0}")]
    Thread(#[from] std::io::Error),
}

/// What one thread saw.
#[derive(Default)]
struct Tally {
    flows: BTreeMap<Flow, Count>,
    /// How often, and the first event.
    problems: BTreeMap<Problem, (u64, u64)>,
    met: Vec<u64>,
}

impl Check {
    /// Runs the Action on all events, on all cores. `progress` is told how many events are done, now and then.
    ///
    /// # Errors
    /// [`CheckError`]
    pub fn run(&self, progress: &(dyn Fn(u64) + Sync)) -> Result<Outcome, CheckError> {
        let (next, limits, stop) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        let work = || {
            let tally = self.work(&next, &limits, &stop, progress);
            stop.fetch_or(tally.is_err(), Ordering::Relaxed);
            tally
        };
        let tallies: Vec<Result<Tally, CheckError>> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let panicked = || Err(CheckError::Host("a thread panicked".into()));
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| panicked())).collect()
        });
        let mut all = Tally { met: vec![0; self.never_deny.len()], ..Tally::default() };
        for tally in tallies {
            all.add(tally?);
        }
        let mut problems: Vec<(Problem, (u64, u64))> = all.problems.into_iter().collect();
        problems.sort_by_key(|(_, (_, first))| *first);
        let more = problems.len().saturating_sub(SHOWN_PROBLEMS);
        problems.truncate(SHOWN_PROBLEMS);
        let tokio = standing_clock()?;
        let found: Result<Vec<Found>, CheckError> = problems
            .into_iter()
            .map(|(problem, (events, first))| self.shrink(&tokio, problem, events, first))
            .collect();
        Ok(Outcome {
            flows: all.flows,
            found: found?,
            more,
            met: all.met,
            cut_short: limits.load(Ordering::Relaxed) >= ENOUGH_LIMITS,
        })
    }

    fn work(
        &self,
        next: &AtomicU64,
        limits: &AtomicU64,
        stop: &AtomicBool,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Tally, CheckError> {
        let cases = Flow::ALL.map(|flow| self.cases(flow));
        let tokio = standing_clock()?;
        let mut tally = Tally { met: vec![0; self.never_deny.len()], ..Tally::default() };
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let enough = limits.load(Ordering::Relaxed) >= ENOUGH_LIMITS;
            if index >= self.events || enough || stop.load(Ordering::Relaxed) {
                return Ok(tally);
            }
            progress(index);
            let case = new_tree(&cases[flow_index(index)], self.seed, index)?.current();
            let (report, _) = self.run_one(&tokio, &case)?;
            if let Some(RunError::Limit { .. }) = &report.error {
                limits.fetch_add(1, Ordering::Relaxed);
            }
            tally.count(Flow::ALL[flow_index(index)], &report);
            for (rule, met) in self.never_deny.iter().zip(&mut tally.met) {
                *met += u64::from(is_meant(&case.event, rule));
            }
            for problem in problems(&case.event, &report, self.now, &self.never_deny) {
                let (count, first) = tally.problems.entry(problem).or_insert((0, index));
                *count += 1;
                *first = index.min(*first);
            }
        }
    }

    /// Events of a flow with the world around each.
    fn cases(&self, flow: Flow) -> SBoxedStrategy<Case> {
        let given = Given {
            words: &self.words,
            secrets: &self.action.secrets,
            now: self.now,
            changes: &self.never_deny,
        };
        (generate::events(flow, &given), answers::answers(&self.words))
            .prop_map(|(event, stand_ins)| Case { event, stand_ins })
            .sboxed()
    }

    /// Its report, and whether all that it asked for had an answer.
    fn run_one(&self, tokio: &tokio::runtime::Runtime, case: &Case) -> Result<(RunReport, bool), CheckError> {
        let made: StandIns = serde_json::from_value(case.stand_ins.clone())
            .map_err(|error| CheckError::Generate(error.to_string()))?;
        let stand_ins = self.stand_ins.clone().before(&made);
        let Action { artifact, secrets, limits, .. } = &self.action;
        let seed = stand_ins.seed_bytes();
        let world = World::new(stand_ins, self.now);
        let environment = Environment {
            now_ms: self.now.as_ms(),
            seed,
            operations: world.for_run(limits),
            turns: Vec::new(),
            held: Box::new(()),
        };
        let mut event = case.event.clone();
        self.action.give_module_secrets(&mut event);
        let input =
            RunInput { handler: Handler::Execute, event: event.to_string(), secrets: secrets.clone() };
        let report = tokio.block_on(self.runtime.run(artifact, input, environment, limits)).report;
        match &report.error {
            Some(error) if error.blame() == Blame::Host => Err(CheckError::Host(error.to_string())),
            _ => Ok((report, world.unmatched().is_empty())),
        }
    }

    /// Looks for the smallest event that has the problem.
    fn shrink(
        &self,
        tokio: &tokio::runtime::Runtime,
        problem: Problem,
        events: u64,
        index: u64,
    ) -> Result<Found, CheckError> {
        let has_it = |case: &Case| -> Result<Option<RunReport>, CheckError> {
            let (report, answered) = self.run_one(tokio, case)?;
            let found = problems(&case.event, &report, self.now, &self.never_deny);
            Ok((answered && found.contains(&problem)).then_some(report))
        };
        let mut tree = new_tree(&self.cases(Flow::ALL[flow_index(index)]), self.seed, index)?;
        let mut case = tree.current();
        let (mut report, _) = self.run_one(tokio, &case)?;
        let mut steps = 0;
        let mut goes_on = tree.simplify();
        while goes_on && steps < SHRINK_STEPS {
            steps += 1;
            let smaller = tree.current();
            goes_on = match has_it(&smaller)? {
                Some(its) => {
                    (case, report) = (smaller, its);
                    tree.simplify()
                }
                None => tree.complicate(),
            };
        }
        // Mostly the world has nothing to do with it.
        let alone = Case { event: case.event.clone(), stand_ins: json!({ "seed": case.stand_ins["seed"] }) };
        if let Some(its) = has_it(&alone)? {
            (case, report) = (alone, its);
        }
        Ok(Found { problem, events, case, report })
    }
}

impl Found {
    /// As a case of `postern action test`, that fails as long as the problem is there. Secrets stay where they are.
    pub fn as_case(&self) -> Value {
        let mut event = self.case.event.clone();
        event.as_object_mut().map(|event| event.remove("secrets"));
        let mut case = json!({ "event": event, "stand_ins": self.case.stand_ins });
        let right = |command: &&Command| match &self.problem {
            Problem::Claim { method, name, .. } => {
                *method != command.name() || claim_of(command) != Some(name)
            }
            Problem::Moment { method, .. } => *method != command.name(),
            Problem::Fails { .. } | Problem::Denied { .. } => true,
        };
        match &self.problem {
            // That the run must not fail need not be said.
            Problem::Fails { .. } => {}
            Problem::Denied { .. } => case["expect"] = json!({ "decision": { "denied": null } }),
            Problem::Claim { .. } | Problem::Moment { .. } => {
                let commands: Vec<&Command> = self.report.commands.iter().filter(right).collect();
                case["expect"] = json!({ "commands": commands });
            }
        }
        case
    }
}

impl Tally {
    fn count(&mut self, flow: Flow, report: &RunReport) {
        let count = self.flows.entry(flow).or_default();
        count.events += 1;
        count.failed += u64::from(report.error.is_some());
        count.denied += u64::from(report.commands.iter().any(Command::ends_the_login));
        count.nothing += u64::from(report.error.is_none() && report.commands.is_empty());
    }

    fn add(&mut self, other: Self) {
        for (flow, count) in other.flows {
            let all = self.flows.entry(flow).or_default();
            all.events += count.events;
            all.failed += count.failed;
            all.denied += count.denied;
            all.nothing += count.nothing;
        }
        for (problem, (count, first)) in other.problems {
            let (all, earliest) = self.problems.entry(problem).or_insert((0, first));
            *all += count;
            *earliest = first.min(*earliest);
        }
        self.met.iter_mut().zip(other.met).for_each(|(all, met)| *all += met);
    }
}

/// Flows take turns.
fn flow_index(index: u64) -> usize {
    (index % Flow::ALL.len() as u64) as usize
}

/// The tree of smaller and smaller cases of the event with this number: the same on every machine.
fn new_tree(
    cases: &SBoxedStrategy<Case>,
    seed: u64,
    index: u64,
) -> Result<impl ValueTree<Value = Case> + use<>, CheckError> {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&mix(seed ^ mix(index)).to_le_bytes());
    bytes[8..].copy_from_slice(&mix(index ^ mix(seed)).to_le_bytes());
    let config = Config { failure_persistence: None, ..Config::default() };
    // Each choice takes a new generator from the one before: this one costs next to nothing.
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::XorShift, &bytes));
    cases.new_tree(&mut runner).map_err(|reason| CheckError::Generate(reason.to_string()))
}

/// Numbers that are near one another become numbers that are not (the finalizer of `SplitMix64`).
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Where timers and delays pass as soon as nothing else is left to do.
fn standing_clock() -> Result<tokio::runtime::Runtime, std::io::Error> {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()
}

#[cfg(test)]
mod tests {
    use action_api::schema;

    use super::*;

    fn generated(flow: Flow, changes: &[Map<String, Value>]) -> Vec<Value> {
        let mut words = Words::default();
        words.texts.extend(["gold".to_owned(), "ceo@acme.example".to_owned(), "@rival.example".to_owned()]);
        words.names.extend(["plan".to_owned(), "session".to_owned()]);
        words.numbers.insert(90);
        let secrets = BTreeMap::from([("KEY".to_owned(), "s3cret".to_owned())]);
        let now = Timestamp::from_ms(1_780_000_000_000);
        let given = Given { words: &words, secrets: &secrets, now, changes };
        let cases =
            generate::events(flow, &given).prop_map(|event| Case { event, stand_ins: Value::Null }).sboxed();
        (0..300).map(|index| new_tree(&cases, 7, index).expect("a tree").current().event).collect()
    }

    #[test]
    fn the_events_of_each_flow_are_valid_and_of_it() {
        for flow in Flow::ALL {
            for event in generated(flow, &[]) {
                assert_eq!(schema::validate(&event), Ok(()), "{event}");
                assert_eq!(Flow::of(&event), Some(flow), "{event}");
                assert_eq!(event["secrets"], json!({ "KEY": "s3cret" }));
                let user = &event["user"]["user_id"];
                for of in ["session", "refresh_token"].iter().filter_map(|name| event.get(*name)) {
                    assert_eq!(of["user_id"], *user, "{event}");
                    assert!(of["expires_at"].is_null() || of["expires_at"].as_str() > Some("2026-05-28"));
                }
            }
        }
    }

    #[test]
    fn what_stands_in_the_action_is_found_in_events() {
        let events = generated(Flow::Login, &[]);
        let count = |is: &dyn Fn(&Value) -> bool| events.iter().filter(|event| is(event)).count();
        assert!(count(&|event| event["user"]["email"] == "ceo@acme.example") > 5);
        let of_rival = |email: &str| email.ends_with("@rival.example");
        assert!(count(&|event| event["user"]["email"].as_str().is_some_and(of_rival)) > 5);
        assert!(count(&|event| event["user"]["app_metadata"].get("plan").is_some()) > 20);
        // A name of the dialect is no name of metadata, and so is left to chance.
        assert_eq!(count(&|event| event["user"]["app_metadata"].get("session").is_some()), 0);
        let times = count(&|event| event["transaction"]["prompt"] == json!(["none"]));
        assert_eq!(times, count(&|event| event["request"]["query"]["prompt"] == "none"));
        assert!(times > 10);
    }

    #[test]
    fn changes_are_made_where_the_event_stays_valid() {
        let rule = json!({ "user.email": "ceo@acme.example", "session.cookie.mode": "persistent" });
        let rules = [rule.as_object().expect("an object").clone()];
        let met = |flow| generated(flow, &rules).iter().filter(|event| is_meant(event, &rules[0])).count();
        assert!(met(Flow::Login) > 40);
        // There is no session, and a cookie alone makes none.
        assert_eq!(met(Flow::Password), 0);
    }
}
