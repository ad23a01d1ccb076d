//! How many calls a client may make. Counted by each node for itself: it protects the node, and no promise hangs on it.

use std::collections::HashMap;
use std::sync::Mutex;

use axum::http::{HeaderMap, HeaderValue, StatusCode};
use model::{ClientId, TenantId, Timestamp};

use super::error::ApiError;

const WINDOW_SECS: i64 = 60;
/// Calls of one client in a window. The deploy tool makes 480, as it limits itself.
const CALLS_PER_CLIENT: i64 = 3_000;

/// The counts of the window that runs.
#[derive(Debug, Default)]
pub(crate) struct RateLimits(Mutex<Window>);

#[derive(Debug, Default)]
struct Window {
    number: i64,
    calls: HashMap<(TenantId, ClientId), i64>,
}

/// Where a client stands after a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Count {
    calls: i64,
    /// Seconds of Unix time at which the window ends.
    reset: i64,
    now: i64,
}

impl RateLimits {
    /// Counts a call of a client that has authenticated: there are no more of them than clients.
    pub(super) fn count(&self, tenant: &TenantId, client: &ClientId, now: Timestamp) -> Count {
        let now = now.as_secs();
        let number = now.div_euclid(WINDOW_SECS);
        let mut window = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if window.number != number {
            *window = Window { number, calls: HashMap::new() };
        }
        let calls = window.calls.entry((tenant.clone(), client.clone())).or_default();
        *calls += 1;
        Count { calls: *calls, reset: (number + 1) * WINDOW_SECS, now }
    }
}

impl Count {
    pub(super) fn is_allowed(&self) -> bool {
        self.calls <= CALLS_PER_CLIENT
    }

    pub(super) fn refusal(&self) -> ApiError {
        ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", "Global limit has been reached")
            .retry_after(self.reset - self.now)
    }
}

/// `x-ratelimit-*`, as SDKs read them.
pub(super) fn write_headers(count: &Count, headers: &mut HeaderMap) {
    headers.insert("x-ratelimit-limit", HeaderValue::from(CALLS_PER_CLIENT));
    headers.insert("x-ratelimit-remaining", HeaderValue::from((CALLS_PER_CLIENT - count.calls).max(0)));
    headers.insert("x-ratelimit-reset", HeaderValue::from(count.reset));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_so_many_calls_in_a_window_whatever_others_do() {
        let (limits, tenant) = (RateLimits::default(), TenantId::new("acme"));
        let call = |client: &str, secs: i64| {
            limits.count(&tenant, &ClientId::new(client), Timestamp::from_ms(secs * 1_000)).is_allowed()
        };
        assert!((0..CALLS_PER_CLIENT).all(|_| call("busy", 60)));
        assert!(!call("busy", 119));
        assert!(call("other", 119));
        assert!(call("busy", 120));
    }
}
