//! What the benches share. Each prints one JSON object as its last line; `cargo xtask bench` runs them and shows it.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::database::Database;

/// Whether small sizes were asked for: `cargo bench ... -- --quick`.
pub fn is_quick() -> bool {
    std::env::args().any(|argument| argument == "--quick")
}

/// Measures on both databases, one after the other; the figures, and whether they are good.
pub fn on_both_databases(measure: impl AsyncFn(Database) -> (Value, bool)) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (mut figures, mut all_good) = (Map::new(), true);
        for name in ["sqlite", "postgres"] {
            let database =
                if name == "sqlite" { Database::sqlite().await } else { Database::postgres().await };
            let (figure, good) = measure(database).await;
            figures.insert(name.to_owned(), figure);
            all_good &= good;
        }
        print(&Value::Object(figures));
        if all_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    })
}

/// The bench's last line.
#[expect(clippy::print_stdout, reason = "the answer")]
pub fn print(figures: &Value) {
    println!("{figures}");
}

/// In microseconds, to a tenth.
pub fn micros(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e7).round() / 10.0
}

/// The middle one.
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
