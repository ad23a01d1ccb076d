//! How many code exchanges and refreshes a second `/oauth/token` answers, against what the machine can sign: the server
//! as a process, 16 connections, the load on the same machine.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use end_to_end::database::Database;
use end_to_end::flow::{CHALLENGE, VERIFIER, text};
use end_to_end::node::Node;
use end_to_end::process::processor_time;
use end_to_end::seed;
use end_to_end::wire::Wire;
use serde_json::{Value, json};

const CONNECTIONS: usize = 16;
const ROUNDS: usize = 5;
const QUICK_ROUNDS: usize = 1;
/// Not counted: connections are opened, statements prepared, and PostgreSQL knows the tables only without rows.
const WARM_UP: usize = 1;
/// Parts of a round. The machine is not equally fast at all times: what it signs is measured around each part.
const PARTS: usize = 3;
/// Refreshes of each connection in one part, and codes that are exchanged.
const EACH: usize = 60;
/// Users of each connection: nobody gets more than 31 refresh tokens.
const USERS: usize = 6;
/// An access token and an ID token.
const SIGNATURES: f64 = 2.0;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let quick = std::env::args().any(|argument| argument == "--quick");
    let rounds = if quick { QUICK_ROUNDS } else { ROUNDS };
    let mut figures = serde_json::Map::new();
    let mut show = |name: &str, database: Database| {
        let figure = runtime.block_on(measure(database, rounds));
        println!("{name}: {figure}");
        figures.insert(name.to_owned(), figure);
    };
    show("sqlite", runtime.block_on(Database::sqlite()));
    if std::env::var("TEST_POSTGRES_URL").is_ok() {
        show("postgres", runtime.block_on(Database::postgres()));
    }
    println!("{}", Value::Object(figures));
}

/// Signatures a second with a key of 2048 bits, on all cores.
fn signatures_per_second() -> f64 {
    const TIME: Duration = Duration::from_millis(500);
    let cores = std::thread::available_parallelism().unwrap().get();
    let key = Arc::new(KeyPair::generate(KeySize::Rsa2048).unwrap());
    let count = Arc::new(AtomicU64::new(0));
    let threads: Vec<_> = (0..cores)
        .map(|_| {
            let (key, count) = (Arc::clone(&key), Arc::clone(&count));
            std::thread::spawn(move || {
                let (started, random) = (Instant::now(), SystemRandom::new());
                let mut signature = vec![0; key.public_modulus_len()];
                while started.elapsed() < TIME {
                    key.sign(&RSA_PKCS1_SHA256, &random, &[7; 600], &mut signature).unwrap();
                    count.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    count.load(Ordering::Relaxed) as f64 / TIME.as_secs_f64()
}

/// What one kind of answer came to.
#[derive(Default)]
struct Measured {
    signatures_per_second: Vec<f64>,
    answers_per_second: Vec<f64>,
    share_of_signing: Vec<f64>,
    server_us: Vec<f64>,
    load_us: Vec<f64>,
}

async fn measure(database: Database, rounds: usize) -> Value {
    let node = Node::start(&database).await;
    let (mut refreshes, mut exchanges) = (Measured::default(), Measured::default());
    node.seed().await;
    for round in 0..WARM_UP + rounds {
        if round == WARM_UP {
            (refreshes, exchanges) = (Measured::default(), Measured::default());
            if database.is_postgres() {
                // As its autovacuum does each minute.
                database.execute("ANALYZE".to_owned()).await;
            }
        }
        let users: Vec<String> =
            (0..CONNECTIONS * USERS).map(|index| format!("user{round}-{index}@example.com")).collect();
        node.add_users(&users).await;
        let mut apps = Vec::new();
        for users in users.chunks(USERS) {
            apps.push(App::log_in(&node, users).await);
        }
        for _ in 0..PARTS {
            let part = |mut app: App| async {
                app.refresh().await;
                app
            };
            refreshes.add(&node, &mut apps, part).await;
            let part = |mut app: App| async {
                app.collect_codes().await;
                app
            };
            at_once(&mut apps, part).await;
            let part = |mut app: App| async {
                app.exchange().await;
                app
            };
            exchanges.add(&node, &mut apps, part).await;
        }
    }
    json!({ "refreshes": refreshes.figures(), "code_exchanges": exchanges.figures() })
}

impl Measured {
    async fn add<F: Future<Output = App> + Send + 'static>(
        &mut self,
        node: &Node,
        apps: &mut Vec<App>,
        part: impl Fn(App) -> F,
    ) {
        let signs = signatures_per_second();
        let before = (node.server.processor_time(), processor_time("self"));
        let answers = at_once(apps, part).await;
        let each = |used: Duration| used.as_secs_f64() * 1e6 / (CONNECTIONS * EACH) as f64;
        self.server_us.push(each(node.server.processor_time() - before.0));
        self.load_us.push(each(processor_time("self") - before.1));
        let signs = f64::midpoint(signs, signatures_per_second());
        self.signatures_per_second.push(signs);
        self.answers_per_second.push(answers);
        self.share_of_signing.push(answers * SIGNATURES / signs);
    }

    fn figures(self) -> Value {
        let shares = self.share_of_signing.iter().map(|share| (share * 1000.0).round() / 1000.0);
        json!({
            "signatures_per_second": median(self.signatures_per_second).round(),
            "answers_per_second": median(self.answers_per_second).round(),
            "share_of_signing_of_each_part": shares.collect::<Vec<_>>(),
            "share_of_signing": (median(self.share_of_signing) * 1000.0).round() / 1000.0,
            "processor_us_per_answer": {
                "server": median(self.server_us).round(),
                "load": median(self.load_us).round(),
            },
        })
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// All apps do their part at the same time; answers a second.
async fn at_once<F: Future<Output = App> + Send + 'static>(
    apps: &mut Vec<App>,
    part: impl Fn(App) -> F,
) -> f64 {
    // The server ends connections that nobody uses.
    for app in apps.iter_mut() {
        app.wire.renew().await;
    }
    let started = Instant::now();
    let tasks: Vec<_> = apps.drain(..).map(|app| tokio::spawn(part(app))).collect();
    for task in tasks {
        apps.push(task.await.unwrap());
    }
    (CONNECTIONS * EACH) as f64 / started.elapsed().as_secs_f64()
}

/// Users with a native app, on one connection.
struct App {
    wire: Wire,
    cookies: Vec<String>,
    refresh_token: String,
    codes: Vec<String>,
}

impl App {
    async fn log_in(node: &Node, users: &[String]) -> Self {
        let mut cookies = Vec::new();
        for user in users {
            cookies.push(node.session_cookie(user).await);
        }
        let mut app = Self {
            wire: Wire::connect(node.port, &node.host()).await,
            cookies,
            refresh_token: String::new(),
            codes: Vec::new(),
        };
        let code = app.code(0).await;
        app.refresh_token = text(&app.exchange_one(&code).await, "refresh_token");
        app
    }

    /// For one of the users.
    async fn code(&mut self, user: usize) -> String {
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("response_type", "code"),
                ("client_id", seed::NATIVE),
                ("redirect_uri", seed::NATIVE_CALLBACK),
                ("audience", seed::API),
                ("scope", "openid profile email offline_access read:things"),
                ("code_challenge", CHALLENGE),
                ("code_challenge_method", "S256"),
            ])
            .finish();
        let answer = self.wire.get(&format!("/authorize?{query}"), &self.cookies[user]).await;
        let location = answer.expect(302).header("location").unwrap();
        let code = location.split(['?', '&']).find_map(|pair| pair.strip_prefix("code="));
        code.expect(location).to_owned()
    }

    async fn exchange_one(&mut self, code: &str) -> Value {
        let callback: String = form_urlencoded::byte_serialize(seed::NATIVE_CALLBACK.as_bytes()).collect();
        let form = format!(
            "grant_type=authorization_code&client_id={}&code={code}&redirect_uri={callback}&code_verifier={VERIFIER}",
            seed::NATIVE
        );
        let tokens = self.wire.post("/oauth/token", &form).await.expect(200).json();
        assert!(tokens["id_token"].is_string() && tokens["access_token"].as_str().unwrap().len() > 200);
        tokens
    }

    async fn collect_codes(&mut self) {
        for number in 0..EACH {
            let code = self.code(number % USERS).await;
            self.codes.push(code);
        }
    }

    async fn exchange(&mut self) {
        for code in std::mem::take(&mut self.codes) {
            self.exchange_one(&code).await;
        }
    }

    async fn refresh(&mut self) {
        for _ in 0..EACH {
            let form = format!(
                "grant_type=refresh_token&client_id={}&refresh_token={}",
                seed::NATIVE,
                self.refresh_token
            );
            let tokens = self.wire.post("/oauth/token", &form).await.expect(200).json();
            assert!(tokens["id_token"].is_string());
            self.refresh_token = text(&tokens, "refresh_token");
        }
    }
}
