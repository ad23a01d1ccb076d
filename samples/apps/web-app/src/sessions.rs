//! The application's own memory: logins under way, and people who are logged in. It ends with the process.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// How long a person may take at the login page.
const LOGIN_LIFETIME: Duration = Duration::from_secs(600);
/// How long this application's own session lives.
const SESSION_LIFETIME: Duration = Duration::from_secs(1800);
/// More are not remembered: the oldest are forgotten.
const MOST: usize = 10_000;

/// A login under way.
#[derive(Debug, Clone)]
pub(crate) struct PendingLogin {
    pub(crate) state: String,
    pub(crate) nonce: String,
    pub(crate) verifier: String,
}

/// Somebody who is logged in.
#[derive(Debug, Clone)]
pub(crate) struct LoggedIn {
    pub(crate) claims: Map<String, Value>,
    pub(crate) id_token: String,
}

/// Both, by the value of the browser's cookie.
#[derive(Default)]
pub(crate) struct Sessions {
    logins: Mutex<HashMap<String, (Instant, PendingLogin)>>,
    people: Mutex<HashMap<String, (Instant, LoggedIn)>>,
}

impl Sessions {
    pub(crate) fn start_login(&self, login: PendingLogin) -> Result<String> {
        put(&self.logins, LOGIN_LIFETIME, login)
    }

    /// Takes the login out: it is answered once.
    pub(crate) fn take_login(&self, cookie: &str) -> Option<PendingLogin> {
        let (since, login) = lock(&self.logins).remove(cookie)?;
        (since.elapsed() < LOGIN_LIFETIME).then_some(login)
    }

    pub(crate) fn log_in(&self, person: LoggedIn) -> Result<String> {
        put(&self.people, SESSION_LIFETIME, person)
    }

    pub(crate) fn find(&self, cookie: &str) -> Option<LoggedIn> {
        let people = lock(&self.people);
        let (since, person) = people.get(cookie)?;
        (since.elapsed() < SESSION_LIFETIME).then(|| person.clone())
    }

    pub(crate) fn log_out(&self, cookie: &str) -> Option<LoggedIn> {
        lock(&self.people).remove(cookie).map(|(_, person)| person)
    }
}

fn put<T>(map: &Mutex<HashMap<String, (Instant, T)>>, lifetime: Duration, value: T) -> Result<String> {
    let cookie = random()?;
    let mut map = lock(map);
    map.retain(|_, (since, _)| since.elapsed() < lifetime);
    if map.len() >= MOST
        && let Some(oldest) = map.iter().min_by_key(|(_, (since, _))| *since).map(|(key, _)| key.clone())
    {
        map.remove(&oldest);
    }
    map.insert(cookie.clone(), (Instant::now(), value));
    Ok(cookie)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// 256 random bits as base64url.
pub(crate) fn random() -> Result<String> {
    let mut bytes = [0; 32];
    #[expect(
        clippy::disallowed_methods,
        reason = "a sample of its own: it has no random source to pass around"
    )]
    getrandom::fill(&mut bytes).context("no randomness")?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_answered_once() {
        let sessions = Sessions::default();
        let login = PendingLogin { state: "s".into(), nonce: "n".into(), verifier: "v".into() };
        let cookie = sessions.start_login(login).unwrap();
        assert!(sessions.take_login("other").is_none());
        assert_eq!(sessions.take_login(&cookie).unwrap().state, "s");
        assert!(sessions.take_login(&cookie).is_none());
    }
}
