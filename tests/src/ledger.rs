//! What a server has acknowledged to clients that it may leave at any moment, and whether it still holds afterwards.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use reqwest::Error;
use serde_json::Value;

use crate::flow::{asks_to_log_in, text};
use crate::process::App;
use crate::{Response, seed};

/// How long a session transfer token and a code are looked at: a little less than they live.
const FRESH: Duration = Duration::from_secs(50);

/// Pseudo-random numbers with a seed (xorshift64): the moments of the kills can be had again.
#[derive(Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// Why the work did not go on.
enum Fault {
    /// No whole answer came.
    NoAnswer(Error),
    /// An answer that may not be.
    Wrong(String),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::NoAnswer(error)
    }
}

fn wrong<T>(what: &str, answer: &Response) -> Result<T, Fault> {
    Err(Fault::Wrong(format!("{what}: {answer:?}")))
}

fn tokens(answer: &Response) -> Result<Value, Fault> {
    if answer.status == 200 { Ok(answer.json()) } else { wrong("no tokens", answer) }
}

fn refused(what: &str, answer: &Response) -> Result<(), Fault> {
    if answer.status == 403 && answer.error() == "invalid_grant" { Ok(()) } else { wrong(what, answer) }
}

fn code(what: &str, answer: &Response) -> Result<String, Fault> {
    let code = answer.header("location").and_then(|_| answer.location_parameter("code"));
    code.map_or_else(|| wrong(what, answer), Ok)
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// The server has given the token.
    Live,
    /// The server has said that it is revoked.
    Revoked,
    /// A refresh or a revocation was under way when the server left.
    InDoubt,
}

/// A redeemed code, the refresh tokens that came of it, and what was made from them.
pub struct Family {
    code: String,
    spent: Vec<String>,
    token: String,
    state: State,
    /// Session transfer tokens that nobody has tried to redeem.
    transfers: Vec<(String, Instant)>,
    /// Redeemed ones, each with its session's cookie.
    web: Vec<(String, String)>,
}

impl Family {
    async fn use_at_random(&mut self, app: &App, dice: &mut Dice) -> Result<(), Fault> {
        for _ in 0..dice.below(3) {
            self.state = State::InDoubt;
            let next = tokens(&app.refresh(&self.token).await?)?;
            self.rotate(&next);
        }
        if dice.below(2) == 0 {
            self.state = State::InDoubt;
            let answer = tokens(&app.transfer(&self.token).await?)?;
            self.rotate(&answer);
            let token = text(&answer, "access_token");
            if dice.below(2) == 0 {
                self.transfers.push((token, Instant::now()));
            } else {
                let browser = app.without_cookies();
                let arrived = browser.authorize(seed::WEB, &[("session_transfer_token", &token)]).await?;
                code("a session transfer token was not redeemed", &arrived)?;
                self.web.push((token, browser.cookie("auth0").expect("a session")));
            }
        }
        if dice.below(3) == 0 {
            self.state = State::InDoubt;
            let answer = app.revoke(&self.token).await?;
            if answer.status != 200 {
                return wrong("no revocation", &answer);
            }
            self.state = State::Revoked;
        }
        Ok(())
    }

    fn rotate(&mut self, answer: &Value) {
        self.spent.push(std::mem::replace(&mut self.token, text(answer, "refresh_token")));
        self.state = State::Live;
    }

    /// Whether everything is as it was acknowledged. A live refresh token is rotated, a session transfer token redeemed.
    async fn check(&mut self, app: &App) -> Result<(), Fault> {
        let answer = app.refresh(&self.token).await?;
        match (self.state, answer.status) {
            (State::Live | State::InDoubt, 200) => self.rotate(&answer.json()),
            (State::Revoked | State::InDoubt, _) => {
                refused("a revoked refresh token lives", &answer)?;
                self.state = State::Revoked;
            }
            (State::Live, _) => return wrong("a refresh token was lost", &answer),
        }
        for (token, issued) in std::mem::take(&mut self.transfers) {
            if issued.elapsed() > FRESH {
                continue;
            }
            let (answer, browser) = redeem(app, &token).await?;
            if self.state == State::Live {
                code("a session transfer token was lost", &answer)?;
                self.web.push((token, browser.cookie("auth0").expect("a session")));
            } else if !asks_to_log_in(&answer) {
                return wrong("a session transfer token outlived its parent", &answer);
            }
        }
        for (token, cookie) in &self.web {
            let (answer, _) = redeem(app, token).await?;
            if !asks_to_log_in(&answer) {
                return wrong("a session transfer token was spent twice", &answer);
            }
            let browser = app.without_cookies();
            browser.set_cookie("auth0", cookie);
            let answer = browser.authorize(seed::WEB, &[("prompt", "none")]).await?;
            if self.state == State::Live {
                code("a session was lost", &answer)?;
            } else if answer.location_parameter("error").as_deref() != Some("login_required") {
                return wrong("a session outlived its parent", &answer);
            }
        }
        Ok(())
    }

    /// What was used once stays used. This is the end of the family: a replay revokes it.
    async fn end(mut self, app: &App) -> Result<(), Fault> {
        // Either replay revokes the rest, so that the first of them is the one that tells.
        if let Some(spent) = self.spent.first().filter(|_| self.spent.len() % 2 == 1) {
            refused("a refresh token was spent twice", &app.refresh(spent).await?)?;
        }
        refused("a code was spent twice", &app.exchange(seed::NATIVE, &self.code).await?)?;
        self.state = State::Revoked;
        self.check(app).await
    }
}

async fn redeem(app: &App, token: &str) -> Result<(Response, App), Fault> {
    let browser = app.without_cookies();
    let answer = browser.authorize(seed::WEB, &[("session_transfer_token", token)]).await?;
    Ok((answer, browser))
}

/// What was acknowledged.
#[derive(Default)]
pub struct Ledger {
    /// Codes that nobody has tried to redeem.
    codes: Vec<(String, Instant)>,
    families: Vec<Family>,
    /// Answers that may not be.
    wrong: Vec<String>,
}

/// How much there was to check.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    pub live: u64,
    pub revoked: u64,
    pub in_doubt: u64,
    pub codes: u64,
    pub session_transfer_tokens: u64,
}

/// Logs in, refreshes, transfers and revokes until no answer comes any more.
pub async fn work(app: App, mut dice: Dice) -> Ledger {
    let mut ledger = Ledger::default();
    let Err(fault) = ledger.fill(&app, &mut dice).await;
    if let Fault::Wrong(what) = fault {
        ledger.wrong.push(what);
    }
    ledger
}

impl Ledger {
    async fn fill(&mut self, app: &App, dice: &mut Dice) -> Result<Infallible, Fault> {
        loop {
            let has_session = app.cookie("auth0").is_some();
            let mut answer = app.authorize(seed::NATIVE, &[]).await?;
            if asks_to_log_in(&answer) {
                if has_session {
                    return wrong("a session was lost", &answer);
                }
                answer = app.log_in(&answer).await?;
            }
            let code = code("no code", &answer)?;
            if dice.below(4) == 0 {
                self.codes.push((code, Instant::now()));
                continue;
            }
            let tokens = tokens(&app.exchange(seed::NATIVE, &code).await?)?;
            let mut family = Family {
                code,
                spent: Vec::new(),
                token: text(&tokens, "refresh_token"),
                state: State::Live,
                transfers: Vec::new(),
                web: Vec::new(),
            };
            let used = family.use_at_random(app, dice).await;
            self.families.push(family);
            used?;
        }
    }

    /// Checks everything, counts it, and ends all families but the first, which has to survive what is to come. What is
    /// wrong is told in `lost`.
    pub async fn check(self, app: &App, counts: &mut Counts, lost: &mut Vec<String>) -> Option<Family> {
        lost.extend(self.wrong);
        for (code, issued) in self.codes {
            if issued.elapsed() < FRESH {
                counts.codes += 1;
                tell(lost, check_code(app, &code).await);
            }
        }
        let mut kept = None;
        for mut family in self.families {
            match family.state {
                State::Live => counts.live += 1,
                State::Revoked => counts.revoked += 1,
                State::InDoubt => counts.in_doubt += 1,
            }
            counts.session_transfer_tokens += (family.transfers.len() + family.web.len()) as u64;
            if !tell(lost, family.check(app).await) {
                continue;
            }
            if kept.is_none() {
                kept = Some(family);
            } else {
                tell(lost, family.end(app).await);
            }
        }
        kept
    }
}

impl Family {
    /// Checks it once more.
    pub async fn check_again(&mut self, app: &App, lost: &mut Vec<String>) {
        tell(lost, self.check(app).await);
    }

    /// Checks for the last time.
    pub async fn check_and_end(self, app: &App, lost: &mut Vec<String>) {
        tell(lost, self.end(app).await);
    }
}

async fn check_code(app: &App, code: &str) -> Result<(), Fault> {
    tokens(&app.exchange(seed::NATIVE, code).await?)?;
    refused("a code was spent twice", &app.exchange(seed::NATIVE, code).await?)
}

/// Whether all is well.
fn tell(lost: &mut Vec<String>, outcome: Result<(), Fault>) -> bool {
    match outcome {
        Ok(()) => return true,
        Err(Fault::Wrong(what)) => lost.push(what),
        Err(Fault::NoAnswer(error)) => lost.push(format!("no answer: {error}")),
    }
    false
}
