//! The statements that this process sends to its databases, as `storage` logs them, and how the databases would run them.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use sqlx::{AssertSqlSafe, Row};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, SubscriberExt};

use crate::database::Database;

/// Where each statement is logged: those to PostgreSQL, and those to SQLite.
const TARGETS: [&str; 2] = ["storage::postgres", "storage::sqlite"];

/// A statement that was run.
#[derive(Debug, Clone)]
pub struct Statement {
    pub sql: String,
    pub elapsed: Duration,
}

impl Statement {
    /// Whether it changes rows of this table.
    pub fn changes(&self, table: &str) -> bool {
        ["UPDATE", "DELETE FROM", "INSERT INTO"].iter().any(|verb| {
            let rest = self.sql.strip_prefix(verb).map(str::trim_start);
            rest.is_some_and(|rest| rest.split([' ', '(']).next() == Some(table))
        })
    }
}

/// Keeps all statements of the process. There is one in a process: no two tests of it may measure at once.
#[derive(Clone, Default)]
pub struct Recorder(Arc<Mutex<Vec<Statement>>>);

impl Recorder {
    /// The process's recorder, which listens from now on.
    pub fn of_this_process() -> &'static Self {
        static RECORDER: OnceLock<Recorder> = OnceLock::new();
        RECORDER.get_or_init(|| {
            let recorder = Self::default();
            let targets = Targets::new().with_targets(TARGETS.map(|target| (target, Level::DEBUG)));
            let layer = recorder.clone().with_filter(targets);
            let subscriber = tracing_subscriber::registry().with(layer);
            tracing::subscriber::set_global_default(subscriber).expect("no other listens in this process");
            recorder
        })
    }

    /// What was run since the last call, without the ends of transactions and the settings of connections.
    pub fn take(&self) -> Vec<Statement> {
        let mut statements = std::mem::take(&mut *self.0.lock().unwrap());
        let verbs = ["SELECT", "INSERT", "UPDATE", "DELETE"];
        statements.retain(|ran| verbs.iter().any(|verb| ran.sql.starts_with(verb)));
        statements
    }
}

impl<S: Subscriber> Layer<S> for Recorder {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let Fields { statement, seconds } = fields;
        let sql = statement.split_whitespace().collect::<Vec<_>>().join(" ");
        self.0.lock().unwrap().push(Statement { sql, elapsed: Duration::from_secs_f64(seconds) });
    }
}

#[derive(Default)]
struct Fields {
    statement: String,
    seconds: f64,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "statement" {
            value.clone_into(&mut self.statement);
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == "elapsed_secs" {
            self.seconds = value;
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

/// The times of each statement.
pub fn by_statement(statements: Vec<Statement>) -> BTreeMap<String, Vec<Duration>> {
    let mut times: BTreeMap<String, Vec<Duration>> = BTreeMap::new();
    for Statement { sql, elapsed } in statements {
        times.entry(sql).or_default().push(elapsed);
    }
    times
}

/// How the database would reach the rows of a statement.
#[derive(Debug)]
pub struct Plan {
    /// Its steps that read a table, as the database words them.
    pub steps: Vec<String>,
    /// Steps that read more rows than they must.
    pub faults: Vec<String>,
}

/// Asks the database for the plan that it has for any values.
pub async fn plan(database: &Database, sql: &str) -> Plan {
    if database.is_postgres() {
        plan_of_postgres(database, sql).await
    } else {
        plan_of_sqlite(database, sql).await
    }
}

/// Whether a statement lists all that a tenant has, by its nature.
fn is_list(sql: &str) -> bool {
    !sql.contains("$2") || sql.contains("LIMIT $2")
}

async fn plan_of_sqlite(database: &Database, sql: &str) -> Plan {
    let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
    let rows = sqlx::raw_sql(explain).fetch_all(database.pool().await).await.expect("a plan");
    let steps: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
    let reads_too_much = |step: &&String| {
        let scans = step.starts_with("SCAN") && *step != "SCAN CONSTANT ROW";
        // To search by tenant alone is to read all of the tenant's rows.
        scans || step.contains("AUTOMATIC") || (step.contains("(tenant_id=?)") && !is_list(sql))
    };
    let faults = steps.iter().filter(reads_too_much).cloned().collect();
    Plan { steps, faults }
}

async fn plan_of_postgres(database: &Database, sql: &str) -> Plan {
    /// PostgreSQL reads a small table by whatever index, and an empty one whole, with reason: until the end of this
    /// transaction they are large, and a table is read whole only when there is no index for it.
    const TABLES_ARE_LARGE: &str = "UPDATE pg_class SET reltuples = 10000000, relpages = 1
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND reltuples < 100000;
        SET LOCAL enable_seqscan = off";
    let parameters = (1..).take_while(|number| sql.contains(&format!("${number}"))).count();
    let arguments = match parameters {
        0 => String::new(),
        count => format!("({})", vec!["NULL"; count].join(", ")),
    };
    // The server binds a number here; without a value PostgreSQL takes it for a text.
    let sql = sql.replace("THEN $2 END", "THEN CAST($2 AS BIGINT) END");
    let mut transaction = database.pool().await.begin().await.expect("a transaction");
    let prepare = format!(
        "{TABLES_ARE_LARGE}; SET LOCAL plan_cache_mode = force_generic_plan; PREPARE explained AS {sql}"
    );
    let prepared = sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut *transaction).await;
    prepared.unwrap_or_else(|error| panic!("{error}: {sql}"));
    let explain = AssertSqlSafe(format!("EXPLAIN (COSTS OFF) EXECUTE explained{arguments}"));
    let rows = sqlx::raw_sql(explain).fetch_all(&mut *transaction).await.expect("a plan");
    sqlx::raw_sql("DEALLOCATE explained").execute(&mut *transaction).await.expect("it is there");
    transaction.rollback().await.expect("a transaction");
    let lines: Vec<String> = rows.iter().map(|row| row.get::<String, _>(0).trim().to_owned()).collect();
    let (mut steps, mut faults) = (Vec::new(), Vec::new());
    for line in &lines {
        let step = line.trim_start_matches("-> ").trim_start();
        if step.contains("Scan") {
            steps.push(step.to_owned());
        }
        if step.contains("Seq Scan") {
            faults.push(step.to_owned());
        }
        if step == "Index Cond: (tenant_id = $1)" && !is_list(&sql) {
            faults.push(step.to_owned());
        }
    }
    Plan { steps, faults }
}
