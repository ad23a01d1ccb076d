use super::bindings::postern::actions as wit;
use crate::Result;

/// What the tenant's Actions keep for a while. Best effort: an entry may be gone at any time.
pub mod cache {
    use super::*;

    pub use wit::cache::Entry;

    /// An entry.
    pub fn get(key: &str) -> Option<Entry> {
        wit::cache::get(key)
    }

    /// Keep a value for so many milliseconds, or 15 minutes.
    pub fn set(key: &str, value: &str, ttl_ms: Option<i64>) -> Result<Entry> {
        Ok(wit::cache::set(key, value, ttl_ms, None)?)
    }

    /// Remove an entry.
    pub fn delete(key: &str) -> Result {
        Ok(wit::cache::delete(key)?)
    }
}

/// Send requests to public addresses.
pub mod http {
    use super::*;

    pub use wit::http::{RedirectMode, Request, Response};

    impl Request {
        /// A request without headers and body that gives up after so many milliseconds.
        pub fn new(method: &str, url: &str, timeout_ms: u32) -> Self {
            Self {
                method: method.to_owned(),
                url: url.to_owned(),
                headers: Vec::new(),
                body: None,
                redirect: RedirectMode::Follow,
                timeout_ms: Some(timeout_ms),
            }
        }

        /// With a header.
        #[must_use]
        pub fn header(mut self, name: &str, value: &str) -> Self {
            self.headers.push((name.to_owned(), value.to_owned()));
            self
        }

        /// With a body.
        #[must_use]
        pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
            self.body = Some(body.into());
            self
        }
    }

    impl Response {
        /// Whether its status is one of success.
        pub fn is_success(&self) -> bool {
            (200..300).contains(&self.status)
        }

        /// The body as JSON.
        ///
        /// # Errors
        /// It is none.
        pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
            Ok(serde_json::from_slice(&self.body)?)
        }
    }

    /// Send a request and wait for the answer.
    ///
    /// # Errors
    /// There is none: the text says why.
    pub fn send(request: &Request) -> Result<Response> {
        Ok(wit::http::send(request)?)
    }

    /// Send all of them at once, and wait until each has its answer.
    pub fn send_all(requests: &[Request]) -> Vec<Result<Response>> {
        wit::http::send_all(requests).into_iter().map(|answer| Ok(answer?)).collect()
    }
}

/// Look up the groups of the user.
pub mod groups {
    use super::*;

    pub use wit::groups::{Group, Match, Membership, Page};

    /// The groups of the user: `take` of them, after the place that an earlier answer named.
    pub fn of_user(take: Option<u32>, from: Option<&str>) -> Result<Page> {
        Ok(wit::groups::of_user(take, from)?)
    }

    /// Whether the user is in each of these groups, by ids or names.
    pub fn memberships(groups: &[&str]) -> Result<Vec<Membership>> {
        Ok(wit::groups::memberships(&owned(groups))?)
    }
}

/// Look up the roles that the user has in this login.
pub mod roles {
    use super::*;

    pub use wit::roles::{Page, Role};

    /// All of them: `take`, after the place that an earlier answer named.
    pub fn effective(take: Option<u32>, from: Option<&str>) -> Result<Page> {
        Ok(wit::roles::effective(take, from)?)
    }

    /// Those of these ids that the user has.
    pub fn effective_by_ids(ids: &[&str]) -> Result<Vec<Role>> {
        Ok(wit::roles::effective_by_ids(&owned(ids))?)
    }

    /// Those of these names that the user has.
    pub fn effective_by_names(names: &[&str]) -> Result<Vec<Role>> {
        Ok(wit::roles::effective_by_names(&owned(names))?)
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// The Action's secrets.
pub mod secrets {
    use super::*;

    /// A secret by its name.
    pub fn get(name: &str) -> Option<String> {
        wit::secrets::get(name)
    }
}

/// Output for the author, cut at a limit.
pub mod log {
    use super::*;

    pub use wit::log::Level;

    /// Print a line.
    pub fn print(level: Level, text: &str) {
        wit::log::print(level, text);
    }

    /// Print a line that informs.
    pub fn info(text: &str) {
        print(Level::Info, text);
    }

    /// Print a line about what went wrong.
    pub fn error(text: &str) {
        print(Level::Error, text);
    }
}

/// Time. It stands still while the Action computes, and moves when it waited.
pub mod clock {
    use super::*;

    /// Milliseconds since the Unix epoch.
    pub fn now_ms() -> i64 {
        wit::clock::now()
    }
}

/// Randomness of this run.
pub mod random {
    use super::*;

    /// 64 random bits.
    pub fn u64() -> u64 {
        wit::random::get_u64()
    }
}
