//! What a full database costs the requests: the flow of a user, over HTTP, with few and with many other sessions in the
//! database. Every statement that the flow sends is timed, and its plan looked at.

use std::collections::BTreeMap;
use std::time::Duration;

use idp::hash_credential;
use serde_json::{Value, json};

use crate::bench::{median, micros};
use crate::database::Database;
use crate::flow::{native_tokens, text};
use crate::forms::{self, TOKEN};
use crate::statements::{self, Plan, Recorder};
use crate::wire::Wire;
use crate::{TestServer, seed};

/// Rows that one statement makes.
const CHUNK: u64 = 100_000;
/// Sessions for each of the bulk's users, refresh tokens, codes and tokens.
const SESSIONS_PER_USER: u64 = 10;

/// How a table of the bulk is made: rows like the one that the flow before it left, with other keys. `{key}` stands for
/// the row's own, `{user}` for its user's.
struct Bulk {
    table: &'static str,
    /// As many as there are sessions, or one for each user.
    per_session: bool,
    /// Which row is copied.
    like: &'static str,
    columns: &'static [(&'static str, &'static str)],
}

const BULK: [Bulk; 9] = [
    Bulk {
        table: "users",
        per_session: false,
        like: "email_lower = 'ada@example.com'",
        columns: &[
            ("id", "'auth0|' || {key}"),
            ("email_lower", "{key} || '@bulk.example'"),
            ("data", "replace(data, id, 'auth0|' || {key})"),
        ],
    },
    Bulk {
        table: "sessions",
        per_session: true,
        like: "parent_refresh_token IS NULL",
        columns: &[("id", "{key}"), ("secret_hash", "{key}"), ("user_id", "'auth0|' || {user}")],
    },
    Bulk {
        table: "session_clients",
        per_session: true,
        like: "position = 1",
        columns: &[("session_id", "{key}")],
    },
    Bulk {
        table: "refresh_tokens",
        per_session: false,
        like: "parent_refresh_token IS NULL",
        columns: &[("id", "{key}"), ("user_id", "'auth0|' || {key}"), ("session_id", "{key}")],
    },
    Bulk {
        table: "refresh_token_secrets",
        per_session: false,
        like: "number = 1",
        columns: &[("hash", "{key}"), ("refresh_token_id", "{key}")],
    },
    Bulk {
        table: "codes",
        per_session: false,
        like: "used_at IS NOT NULL",
        columns: &[
            ("hash", "{key}"),
            ("user_id", "'auth0|' || {key}"),
            ("session_id", "{key}"),
            ("issued_refresh_token", "{key}"),
        ],
    },
    Bulk {
        table: "session_transfer_tokens",
        per_session: false,
        like: "used_at IS NOT NULL",
        columns: &[("hash", "{key}"), ("user_id", "'auth0|' || {key}"), ("refresh_token_id", "{key}")],
    },
    Bulk {
        table: "access_tokens",
        per_session: false,
        like: "session_id IS NOT NULL",
        columns: &[("hash", "{key}"), ("user_id", "'auth0|' || {key}"), ("session_id", "{key}")],
    },
    Bulk {
        table: "pending_authorizations",
        per_session: false,
        like: "spent_at IS NOT NULL",
        columns: &[("id", "{key}"), ("handle_hash", "{key}")],
    },
];

/// A server whose database has many sessions.
pub struct Full {
    server: TestServer,
    sessions: u64,
    /// The statements with which the bulk was made.
    inserts: Vec<(u64, String)>,
}

impl Full {
    /// Starts a server on the fresh database, and puts so many sessions into it.
    pub async fn start(database: Database, sessions: u64) -> Self {
        let server = TestServer::start_on(database).await;
        server.deploy_action("none", "exports.onExecutePostLogin = async () => {};").await;
        // One row of each kind, to be copied.
        let tokens = native_tokens(&server.client(), seed::ADA).await;
        let mut app = App::connect(&server).await;
        app.transfer(&text(&tokens, "refresh_token")).await;
        let mut full = Self { server, sessions: 0, inserts: Vec::new() };
        for bulk in &BULK {
            let insert = full.insert_like(bulk).await;
            let each = if bulk.per_session { 1 } else { SESSIONS_PER_USER };
            full.inserts.push((each, insert));
        }
        full.grow(sessions).await;
        full
    }

    /// Adds sessions, until there are so many.
    pub async fn grow(&mut self, sessions: u64) {
        let from = self.sessions;
        // The bulk is consistent by itself, and may be lost with the machine.
        let settings = match self.server.database.is_postgres() {
            true => "SET synchronous_commit = off; SET session_replication_role = replica",
            false => "PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000; PRAGMA foreign_keys = OFF",
        };
        self.server.database.execute(settings.to_owned()).await;
        for (each, insert) in &self.inserts {
            let (mut next, end) = (from / each, sessions / each);
            while next < end {
                let to = end.min(next + CHUNK);
                let insert = insert.replace("{from}", &next.to_string()).replace("{to}", &to.to_string());
                assert_eq!(self.server.database.execute(insert.clone()).await, to - next, "{insert}");
                next = to;
            }
        }
        // PostgreSQL does so by itself, some time after many rows have come; SQLite never does.
        if self.server.database.is_postgres() {
            let tables: Vec<&str> = BULK.iter().map(|bulk| bulk.table).collect();
            self.server.database.execute(format!("VACUUM ANALYZE {}", tables.join(", "))).await;
        }
        self.sessions = sessions;
    }

    /// A statement that inserts the rows from `{from}` to `{to}`. Keys grow with the number: a B-tree is as deep as with
    /// keys at random, and made in a tenth of the time.
    async fn insert_like(&self, bulk: &Bulk) -> String {
        let database = &self.server.database;
        let (numbers, hex) = match database.is_postgres() {
            true => ("generate_series({from}, {to} - 1) AS numbers (n)", "lpad(to_hex({n}), 12, '0')"),
            false => (
                "(WITH RECURSIVE counter (n) AS (SELECT {from} UNION ALL SELECT n + 1 FROM counter WHERE n < {to} - 1)
                  SELECT n FROM counter) AS numbers",
                "printf('%012x', {n})",
            ),
        };
        let key = format!("'bulk-' || {}", hex.replace("{n}", "numbers.n"));
        let user =
            format!("'bulk-' || {}", hex.replace("{n}", &format!("(numbers.n / {SESSIONS_PER_USER})")));
        let columns = database.columns(bulk.table).await;
        let value = |column: &String| {
            let known = bulk.columns.iter().find(|(name, _)| name == column);
            known.map_or_else(
                || format!("model.{column}"),
                |(_, value)| format!("({})", value.replace("{key}", &key).replace("{user}", &user)),
            )
        };
        let values: Vec<String> = columns.iter().map(value).collect();
        format!(
            "INSERT INTO {table} ({}) SELECT {} FROM {numbers},
                 (SELECT * FROM {table} WHERE tenant_id = '{}' AND {} LIMIT 1) AS model",
            columns.join(", "),
            values.join(", "),
            seed::ACME,
            bulk.like,
            table = bulk.table,
        )
    }

    /// Plays so many flows, each in a session from the middle of the bulk. The times of each statement.
    pub async fn measure(&self, recorder: &Recorder, flows: u64) -> BTreeMap<String, Vec<Duration>> {
        let mut app = App::connect(&self.server).await;
        let warm_up = flows.div_ceil(10);
        for flow in 0..flows + warm_up {
            let number = self.sessions * flow / (flows + warm_up);
            let cookie = format!("cookie-{}-{flow}", self.sessions);
            let sql = format!(
                "UPDATE sessions SET secret_hash = '{}' WHERE tenant_id = '{}' AND id = 'bulk-{number:012x}'",
                hash_credential(&cookie),
                seed::ACME
            );
            self.server.database.execute(sql).await;
            if flow == warm_up {
                recorder.take();
            }
            app.play(&cookie).await;
        }
        let mut ran = recorder.take();
        ran.retain(|statement| !statement.sql.contains("SET secret_hash = '"));
        statements::by_statement(ran)
    }

    /// The plan of a statement.
    pub async fn plan(&self, sql: &str) -> Plan {
        statements::plan(&self.server.database, sql).await
    }
}

/// An app and its browser, on one connection.
struct App {
    wire: Wire,
}

impl App {
    async fn connect(server: &TestServer) -> Self {
        Self { wire: Wire::connect(server.port, &format!("acme.localhost:{}", server.port)).await }
    }

    /// Authorization in a session, code exchange, refresh, and a session of its own for the browser; then a replay.
    async fn play(&mut self, cookie: &str) {
        let answer = self.wire.get(&forms::authorize_native(), &format!("auth0={cookie}")).await;
        let code = forms::code_of(answer.expect(302)).expect("a code").to_owned();
        let tokens = self.wire.post(TOKEN, &forms::exchange_native(&code)).await.expect(200).json();
        let form = forms::refresh(&text(&tokens, "refresh_token"));
        let tokens = self.wire.post(TOKEN, &form).await.expect(200).json();
        self.transfer(&text(&tokens, "refresh_token")).await;
        self.wire.get(&forms::authorize_native(), "").await.expect(302);
        self.wire.post(TOKEN, &form).await.expect(403);
    }

    async fn transfer(&mut self, refresh_token: &str) {
        let answer = self.wire.post(TOKEN, &forms::transfer(refresh_token)).await.expect(200).json();
        let arrived = self.wire.get(&forms::redeem(&text(&answer, "access_token")), "").await;
        let code = forms::code_of(arrived.expect(302)).expect("a code").to_owned();
        self.wire.post(TOKEN, &forms::exchange_web(&code)).await.expect(200);
    }
}

/// What a growing database did to the flow.
pub struct Comparison {
    pub figures: Value,
    /// Statements that read more than they must.
    pub faults: Vec<String>,
}

/// Measures with few sessions and with many, in one database.
pub async fn compare(database: Database, recorder: &Recorder, few: u64, many: u64, flows: u64) -> Comparison {
    let mut full = Full::start(database, few).await;
    let small = full.measure(recorder, flows).await;
    full.grow(many).await;
    let large = full.measure(recorder, flows).await;
    let (mut statements, mut faults) = (serde_json::Map::new(), Vec::new());
    let mut all = [Duration::ZERO; 2];
    for (sql, times) in &large {
        let plan = full.plan(sql).await;
        faults.extend(plan.faults.iter().map(|fault| format!("{fault} in {sql}")));
        // What is not there with few sessions did not run each time.
        let Some(before) = small.get(sql) else { continue };
        let medians = [median(before.clone()), median(times.clone())];
        let each = |count: usize| u32::try_from(count).expect("small");
        all[0] += medians[0] * each(before.len());
        all[1] += medians[1] * each(times.len());
        statements.insert(
            sql.clone(),
            json!({
                "runs": times.len(),
                "few_us": micros(medians[0]),
                "many_us": micros(medians[1]),
                "ratio": ratio(medians),
                "plan": plan.steps.join("; "),
            }),
        );
    }
    full.server.database.discard();
    let figures = json!({
        "few_sessions": few,
        "many_sessions": many,
        "flows": flows,
        "few_us_per_flow": micros(all[0]) / flows as f64,
        "many_us_per_flow": micros(all[1]) / flows as f64,
        "ratio": ratio(all),
        "not_by_index": faults.len(),
        "statements": statements,
    });
    Comparison { figures, faults }
}

/// Many to few, to a hundredth.
fn ratio([few, many]: [Duration; 2]) -> f64 {
    (many.as_secs_f64() / few.as_secs_f64() * 100.0).round() / 100.0
}
