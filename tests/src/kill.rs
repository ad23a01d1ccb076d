//! A server that is killed at random moments under load: what it acknowledged must hold after each restart.

use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::{Value, json};

use crate::database::Database;
use crate::invariants;
use crate::ledger::{Counts, Dice, Family, work};
use crate::node::Node;
use crate::process::App;
use crate::seed;

const WORKERS: u64 = 6;
/// How many families live on from one kill to the next.
const KEPT: usize = 24;
/// How many of them are checked after each kill.
const SAMPLE: u64 = 8;

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How much there was to check after the kills.
    pub counts: Counts,
    /// Everything that was acknowledged and did not hold, or was spent twice, or is inconsistent in the database.
    pub lost: Vec<String>,
    /// From each start of a process to its first answer.
    pub restarts: Vec<Duration>,
}

impl Outcome {
    pub fn json(&self) -> Value {
        let mut restarts = self.restarts.clone();
        restarts.sort_unstable();
        let ms = |time: &Duration| (time.as_secs_f64() * 10_000.0).round() / 10.0;
        let Counts { live, revoked, in_doubt, codes, session_transfer_tokens } = self.counts;
        json!({
            "kills": restarts.len(),
            "lost": self.lost.len(),
            "restart_median_ms": restarts.get(restarts.len() / 2).map(ms),
            "restart_max_ms": restarts.last().map(ms),
            "checked": {
                "living_families": live,
                "revoked_families": revoked,
                "families_in_doubt": in_doubt,
                "codes": codes,
                "session_transfer_tokens": session_transfer_tokens,
            },
        })
    }
}

/// Kills the one node on this fresh database at so many random moments, each time under the load of several clients.
pub async fn run(database: &Database, kills: u64) -> Outcome {
    let mut dice = Dice::new(0x5eed_0f90_57e2_2026);
    let mut outcome = Outcome::default();
    let mut node = Node::start(database).await;
    node.seed().await;
    let users: Vec<String> = (0..=WORKERS).map(|index| format!("user{index}@example.com")).collect();
    node.add_users(&users).await;
    let (checker, workers) = users.split_last().expect("users");
    let mut apps: Vec<App> = workers.iter().map(|user| App::at(&node, user, address(0))).collect();
    for app in &apps {
        let begun = app.authorize(seed::NATIVE, &[]).await.expect("an answer");
        app.log_in(&begun).await.expect("an answer");
    }
    let mut kept: Vec<Family> = Vec::new();
    for kill in 0..kills {
        for (index, app) in (0..).zip(&mut apps) {
            *app = app.moved_to(&node, address(kill));
            // One logs in with the password, the others have the session of an earlier life of the server.
            if kill % WORKERS == index {
                app.forget_cookies();
            }
        }
        let answers = || apps.iter().map(App::answers).sum::<u64>();
        // So far into the work, however fast this machine is; and some way into the next answers.
        let (enough, further) = (answers() + 10 + dice.below(150), Duration::from_micros(dice.below(20_000)));
        let tasks: Vec<_> =
            apps.iter().map(|app| tokio::spawn(work(app.clone(), Dice::new(dice.below(u64::MAX))))).collect();
        let has_left = || tasks.iter().any(|task| task.is_finished());
        while answers() < enough && !has_left() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(further).await;
        if has_left() {
            outcome.lost.push("the server did not answer until it was killed".to_owned());
        }
        node.server.kill().await;
        let mut ledgers = Vec::new();
        for task in tasks {
            ledgers.push(task.await.expect("no panic"));
        }
        outcome.restarts.push(node.start_again().await);
        outcome.lost.extend(invariants::violations(database).await);

        let app = App::at(&node, checker, address(kill));
        for ledger in ledgers {
            kept.extend(ledger.check(&app, &mut outcome.counts, &mut outcome.lost).await);
        }
        for _ in 0..SAMPLE.min(kept.len() as u64) {
            let chosen = usize::try_from(dice.below(kept.len() as u64)).expect("small");
            kept[chosen].check_again(&app, &mut outcome.lost).await;
            if kept.len() > KEPT {
                kept.swap_remove(chosen).check_and_end(&app, &mut outcome.lost).await;
            }
        }
    }
    let app = App::at(&node, checker, address(kills));
    for family in kept {
        family.check_and_end(&app, &mut outcome.lost).await;
    }
    outcome.lost.extend(invariants::violations(database).await);
    outcome
}

/// Another address of this machine after some kills: from one address, only so many passwords may be tried.
fn address(kill: u64) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, u8::try_from(1 + kill / 40).expect("not so many kills"), 1)
}
