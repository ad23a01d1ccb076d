//! Limits a browser session that a native app handed over (Native to Web SSO): 30 minutes in all, 15 without activity.

use postern_actions::{Error, Event, clock, post_login, session};

const MINUTE_MS: i64 = 60 * 1000;

#[post_login]
fn limit_transferred_session(event: Event) -> Result<(), Error> {
    if event.session_transfer_token.is_none() {
        return Ok(());
    }
    let now = clock::now_ms();
    session::set_expires_at(now + 30 * MINUTE_MS)?;
    session::set_idle_expires_at(now + 15 * MINUTE_MS)
}
