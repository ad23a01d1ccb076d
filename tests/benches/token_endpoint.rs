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
const ROUNDS: usize = 3;
const QUICK_ROUNDS: usize = 1;
/// Refreshes of each connection in one round, and codes that are exchanged.
/// Fewer than the refresh tokens that a user may have at a client.
const EACH: usize = 180;
/// An access token and an ID token.
const SIGNATURES: f64 = 2.0;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
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
    const TIME: Duration = Duration::from_secs(1);
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

async fn measure(database: Database, rounds: usize) -> Value {
    let node = Node::start(&database).await;
    let (mut signs, mut refreshes, mut exchanges) = (Vec::new(), Vec::new(), Vec::new());
    let (mut refresh_us, mut exchange_us) = (Vec::new(), Vec::new());
    node.seed().await;
    for round in 0..rounds {
        let users: Vec<String> =
            (0..CONNECTIONS).map(|index| format!("user{round}-{index}@example.com")).collect();
        node.add_users(&users).await;
        let mut apps = Vec::new();
        for user in &users {
            apps.push(App::log_in(&node, user).await);
        }
        signs.push(signatures_per_second());
        let part = |mut app: App| async {
            app.refresh().await;
            app
        };
        let before = (node.server.processor_time(), processor_time("self"));
        refreshes.push(at_once(&mut apps, part).await);
        refresh_us.push(used(&node, before));
        let part = |mut app: App| async {
            app.collect_codes().await;
            app
        };
        at_once(&mut apps, part).await;
        let part = |mut app: App| async {
            app.exchange().await;
            app
        };
        let before = (node.server.processor_time(), processor_time("self"));
        exchanges.push(at_once(&mut apps, part).await);
        exchange_us.push(used(&node, before));
    }
    let (signs, refreshes, exchanges) = (median(signs), median(refreshes), median(exchanges));
    let share = |rate: f64| (rate * SIGNATURES / signs * 1000.0).round() / 1000.0;
    json!({
        "signatures_per_second": signs.round(),
        "refreshes_per_second": refreshes.round(),
        "refreshes_share_of_signing": share(refreshes),
        "code_exchanges_per_second": exchanges.round(),
        "code_exchanges_share_of_signing": share(exchanges),
        "processor_us_per_refresh": of_both(refresh_us),
        "processor_us_per_code_exchange": of_both(exchange_us),
    })
}

/// Microseconds of a processor for each answer since then: the server's, and this program's.
fn used(node: &Node, before: (Duration, Duration)) -> (f64, f64) {
    let each = |used: Duration| used.as_secs_f64() * 1e6 / (CONNECTIONS * EACH) as f64;
    (each(node.server.processor_time() - before.0), each(processor_time("self") - before.1))
}

fn of_both(samples: Vec<(f64, f64)>) -> Value {
    let (server, load) = samples.into_iter().unzip();
    json!({ "server": median(server).round(), "load": median(load).round() })
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

/// A user with a native app, on one connection.
struct App {
    wire: Wire,
    cookie: String,
    refresh_token: String,
    codes: Vec<String>,
}

impl App {
    async fn log_in(node: &Node, user: &str) -> Self {
        let cookie = node.session_cookie(user).await;
        let mut app = Self {
            wire: Wire::connect(node.port, &node.host()).await,
            cookie,
            refresh_token: String::new(),
            codes: Vec::new(),
        };
        let code = app.code().await;
        app.refresh_token = text(&app.exchange_one(&code).await, "refresh_token");
        app
    }

    async fn code(&mut self) -> String {
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
        let answer = self.wire.get(&format!("/authorize?{query}"), &self.cookie).await;
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
        for _ in 0..EACH {
            let code = self.code().await;
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
