//! Revoking a refresh token from which many sessions were made, each through a session transfer token over HTTP.

use std::time::{Duration, Instant};

use model::{TenantId, UserId};

use crate::flow::{native_tokens, text};
use crate::forms::{self, TOKEN};
use crate::statements::{Recorder, Statement};
use crate::wire::Wire;
use crate::{TestServer, jwt, seed};

/// One revocation.
#[derive(Debug)]
pub struct Revocation {
    /// Sessions that lived before, and are made from the token.
    pub descendants: usize,
    /// Those that live after it.
    pub survivors: usize,
    /// From the request to the answer.
    pub time: Duration,
    /// All that the request sent to the database.
    pub statements: Vec<Statement>,
}

impl Revocation {
    /// The statements that end something.
    pub fn that_revoke(&self) -> usize {
        let ends = |statement: &&Statement| {
            ["sessions", "refresh_tokens", "codes", "access_tokens", "session_transfer_tokens"]
                .iter()
                .any(|table| statement.changes(table))
        };
        self.statements.iter().filter(ends).count()
    }
}

/// Makes so many sessions from a new refresh token, and revokes it.
pub async fn run(server: &TestServer, recorder: &Recorder, descendants: usize) -> Revocation {
    let tokens = native_tokens(&server.client(), seed::ADA).await;
    let user = UserId::new(text(&jwt::claims(&text(&tokens, "id_token")), "sub"));
    let mut refresh_token = text(&tokens, "refresh_token");
    let mut wire = Wire::connect(server.port, &format!("acme.localhost:{}", server.port)).await;
    for _ in 0..descendants {
        let answer = wire.post(TOKEN, &forms::transfer(&refresh_token)).await.expect(200).json();
        refresh_token = text(&answer, "refresh_token");
        let arrived = wire.get(&forms::redeem(&text(&answer, "access_token")), "").await;
        forms::code_of(arrived.expect(302)).expect("a code");
    }
    let alive = living_children(server, &user).await;
    recorder.take();
    let form = format!("client_id={}&token={refresh_token}", seed::NATIVE);
    let started = Instant::now();
    wire.post("/oauth/revoke", &form).await.expect(200);
    let (time, statements) = (started.elapsed(), recorder.take());
    Revocation { descendants: alive, survivors: living_children(server, &user).await, time, statements }
}

/// Sessions of the user that were made from a refresh token and live.
async fn living_children(server: &TestServer, user: &UserId) -> usize {
    let mut tx = server.idp.storage.begin_read(&TenantId::new(seed::ACME)).await.expect("a transaction");
    let sessions = tx.sessions_of(user, None, i64::MAX, server.idp.now()).await.expect("the sessions");
    sessions.iter().filter(|session| session.parent_refresh_token.is_some()).count()
}
