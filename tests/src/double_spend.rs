//! Values that may be used once, each wanted by several connections at the same moment, over HTTP at one node or more.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::flow::text;
use crate::forms::{self, TOKEN};
use crate::node::Node;
use crate::wire::{Answer, Wire};

/// Connections that want a value at once.
pub const ATTACKERS: usize = 8;
/// Users whose values are attacked side by side.
const VICTIMS: usize = 4;
/// Attempts of one round: a code, a session transfer token, a refresh token.
pub const ATTEMPTS_PER_ROUND: usize = 3 * ATTACKERS;

/// What became of the attempts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    pub values: usize,
    pub attempts: usize,
    pub spent_twice: usize,
    /// Nobody got it: as wrong as two.
    pub never_spent: usize,
}

impl Tally {
    fn add(&mut self, won: usize) {
        self.values += 1;
        self.attempts += ATTACKERS;
        self.spent_twice += usize::from(won > 1);
        self.never_spent += usize::from(won == 0);
    }
}

/// By kind of value.
#[derive(Debug, Default)]
pub struct Outcome(pub BTreeMap<&'static str, Tally>);

impl Outcome {
    pub fn attempts(&self) -> usize {
        self.0.values().map(|tally| tally.attempts).sum()
    }

    /// Values that one of the attackers got, and no other, are all that may be.
    pub fn wrong(&self) -> usize {
        self.0.values().map(|tally| tally.spent_twice + tally.never_spent).sum()
    }

    pub fn json(&self) -> Value {
        let kinds = self.0.iter().map(|(kind, tally)| {
            let Tally { values, attempts, spent_twice, never_spent } = tally;
            let tally = json!({
                "values": values, "attempts": attempts, "spent_twice": spent_twice, "never_spent": never_spent,
            });
            ((*kind).to_owned(), tally)
        });
        Value::Object(kinds.collect())
    }
}

/// Attacks so many values of each kind. The connections are spread over the nodes.
pub async fn run(nodes: &[Node], values: usize) -> Outcome {
    let users: Vec<String> = (0..VICTIMS).map(|index| format!("victim{index}@example.com")).collect();
    nodes[0].add_users(&users).await;
    let mut victims = JoinSet::new();
    for (index, user) in users.iter().enumerate() {
        let node = &nodes[index % nodes.len()];
        let cookie = node.session_cookie(user).await;
        let victim = Victim::new(nodes, node, cookie).await;
        victims.spawn(victim.attack(values / VICTIMS + usize::from(index < values % VICTIMS)));
    }
    let mut outcome = Outcome::default();
    for of_one in victims.join_all().await {
        for (kind, tally) in of_one.0 {
            let sum = outcome.0.entry(kind).or_default();
            sum.values += tally.values;
            sum.attempts += tally.attempts;
            sum.spent_twice += tally.spent_twice;
            sum.never_spent += tally.never_spent;
        }
    }
    outcome
}

/// A request that an attacker sends.
#[derive(Clone)]
enum Attempt {
    Get(String),
    Post(String),
}

struct Victim {
    cookie: String,
    own: Wire,
    attackers: Vec<Wire>,
}

impl Victim {
    async fn new(nodes: &[Node], node: &Node, cookie: String) -> Self {
        let mut attackers = Vec::new();
        for index in 0..ATTACKERS {
            let node = &nodes[index % nodes.len()];
            attackers.push(Wire::connect(node.port, &node.host()).await);
        }
        Self { cookie, own: Wire::connect(node.port, &node.host()).await, attackers }
    }

    async fn attack(mut self, rounds: usize) -> Outcome {
        let mut outcome = Outcome::default();
        for _ in 0..rounds {
            let code = self.code().await;
            let attempt = Attempt::Post(forms::exchange_native(&code));
            let won = self.at_once(attempt, |answer| answer.status == 200).await;
            outcome.0.entry("authorization_codes").or_default().add(won);

            // A replay ends what came of it: this needs another login.
            let code = self.code().await;
            let tokens = self.own.post(TOKEN, &forms::exchange_native(&code)).await.expect(200).json();
            let form = forms::transfer(&text(&tokens, "refresh_token"));
            let answer = self.own.post(TOKEN, &form).await.expect(200).json();
            let attempt = Attempt::Get(forms::redeem(&text(&answer, "access_token")));
            let won = self.at_once(attempt, |answer| forms::code_of(answer).is_some()).await;
            outcome.0.entry("session_transfer_tokens").or_default().add(won);

            let attempt = Attempt::Post(forms::refresh(&text(&answer, "refresh_token")));
            let won = self.at_once(attempt, |answer| answer.status == 200).await;
            outcome.0.entry("refresh_tokens").or_default().add(won);
        }
        outcome
    }

    async fn code(&mut self) -> String {
        let answer = self.own.get(&forms::authorize_native(), &self.cookie).await;
        forms::code_of(answer.expect(302)).expect("a code").to_owned()
    }

    /// All attackers send the same at the same moment; how many got what they wanted.
    async fn at_once(&mut self, attempt: Attempt, got_it: fn(&Answer) -> bool) -> usize {
        let barrier = Arc::new(Barrier::new(ATTACKERS));
        let mut tasks = JoinSet::new();
        for mut wire in self.attackers.drain(..) {
            let (barrier, attempt) = (barrier.clone(), attempt.clone());
            tasks.spawn(async move {
                barrier.wait().await;
                let answer = match &attempt {
                    Attempt::Get(path) => wire.get(path, "").await,
                    Attempt::Post(form) => wire.post(TOKEN, form).await,
                };
                assert!(answer.status < 500, "{}{}", answer.head, answer.body);
                (wire, got_it(&answer))
            });
        }
        let mut won = 0;
        for (wire, got) in tasks.join_all().await {
            self.attackers.push(wire);
            won += usize::from(got);
        }
        won
    }
}
