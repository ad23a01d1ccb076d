//! Puts the parts together: database, key, runtime, executor, use cases.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use action_runtime::{ChildCompiler, Compiler, Runtime, RuntimeConfig};
use idp::{Idp, NetworkData, PasswordQueue, Settings, Vault};
use model::{SystemClock, SystemRandom, TenantId};
use postern::builder::SandboxBuilder;
use postern::executor::{Places, SandboxExecutor};
use postern::outgoing::Fetcher;
use postern::outside::Outside;
use storage::{SchemaState, Storage};

use crate::cli::CompileComponentArgs;
use crate::config::Config;
use crate::encryption;
use crate::exit_code::{ExitCode, Failure, OrExit};
use crate::render::progress;
use postern::network::{DataFile, NetworkFiles};

/// How many password hashes are computed at a time: 19 MiB each.
const PASSWORDS_RUNNING: usize = 8;
/// How many may wait or run. Beyond them, a login is told to come back.
const PASSWORDS_QUEUED: usize = 256;

/// What is done about a database that is not there or not up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// A SQLite file that is not there is made; a schema that is behind is refused. On PostgreSQL nothing is made: which
    /// of several nodes would do it?
    CreateOnly,
    /// A database that is not there is an error.
    MustExist,
}

/// Opens the database.
pub async fn open_storage(config: &Config, schema: Schema) -> Result<Storage, Failure> {
    let url = config.database.shown();
    let is_new = config.sqlite_path().is_some_and(|path| !path.exists());
    if is_new && schema == Schema::MustExist {
        let text = format!("there is no database at {url}; `postern migrate` or `postern serve` creates it");
        return Err(Failure::new(ExitCode::Database, text));
    }
    let storage = Storage::open(&config.database.url)
        .await
        .or_exit(ExitCode::Database, format!("cannot open the database {url}"))?;
    if is_new {
        storage.migrate().await.or_exit(ExitCode::Database, "cannot create the schema")?;
        tracing::info!(database = %url, "database created");
    }
    match storage.check_schema().await.or_exit(ExitCode::Database, "cannot read the schema")? {
        SchemaState::Current => Ok(storage),
        // A node that is started anew while the others are being replaced must come back.
        SchemaState::Ahead => {
            tracing::warn!("a newer version of postern has added to the database's schema");
            Ok(storage)
        }
        SchemaState::Behind { pending } => Err(Failure::new(
            ExitCode::Database,
            format!(
                "the database's schema is behind by {pending} migrations: back it up, then run `postern migrate`"
            ),
        )),
        SchemaState::Incompatible => Err(Failure::new(
            ExitCode::Database,
            "a newer version of postern has changed the database's schema: use that version",
        )),
    }
}

/// Whether anything in the database can only be opened with the installation's key.
pub async fn anything_sealed(storage: &Storage) -> Result<bool, Failure> {
    let database = ExitCode::Database;
    for tenant in storage.tenants().await.or_exit(database, "cannot read the tenants")? {
        let mut tx = storage.begin_read(&tenant.id).await.or_exit(database, "cannot read")?;
        if !tx.signing_keys().await.or_exit(database, "cannot read the signing keys")?.is_empty() {
            return Ok(true);
        }
        let bindings = tx.bindings().await.or_exit(database, "cannot read the Actions")?;
        if bindings.iter().any(|binding| binding.sealed_secrets.is_some()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Starts the sandbox engine. The first start on a machine compiles it, which takes seconds.
pub async fn start_runtime(config: &Config) -> Result<Arc<Runtime>, Failure> {
    let runtime_config = RuntimeConfig {
        concurrent_runs: config.actions.concurrent_runs,
        max_memory_bytes: usize::try_from(config.actions.memory_bytes)
            .or_exit(ExitCode::Configuration, "actions.memory_bytes is too large for this machine")?,
        cache_dir: config.actions.cache_dir(),
        linked_component_bytes: config.actions.linked_component_bytes,
        compiler: Compiler::Child(ChildCompiler {
            // This very program, also when its file has been replaced since it was started.
            program: PathBuf::from("/proc/self/exe"),
            arguments: vec![CompileComponentArgs::NAME.to_owned()],
            limits: config.actions.compile_limits(),
        }),
    };
    let mut starting = tokio::task::spawn_blocking(move || Runtime::new(runtime_config));
    let started = tokio::select! {
        started = &mut starting => started,
        () = tokio::time::sleep(Duration::from_secs(1)) => {
            progress("The sandbox engine is compiled: once for this version and machine, some seconds.");
            starting.await
        }
    };
    let runtime = started
        .or_exit(ExitCode::Failed, "the sandbox engine did not start")?
        .or_exit(ExitCode::Failed, "cannot start the sandbox engine")?;
    Ok(Arc::new(runtime))
}

/// What Actions may ask of the world.
pub fn outside(config: &Config) -> Result<Outside, Failure> {
    let fetcher = Fetcher::new(config.outgoing.allowed_networks.iter().map(|network| network.0))
        .or_exit(ExitCode::Failed, "cannot send requests")?;
    Ok(Outside::new(fetcher))
}

/// Reads the operator's files, those that are named.
pub fn network_data(config: &Config) -> Result<Arc<dyn NetworkData>, Failure> {
    let open = |name: &str, file: &Option<PathBuf>| {
        let Some(file) = file else { return Ok(None) };
        let what = || format!("network.{name}: cannot read {}", file.display());
        DataFile::open(file).map(Some).or_exit(ExitCode::Configuration, what())
    };
    Ok(Arc::new(NetworkFiles {
        asn: open("asn_database", &config.network.asn_database)?,
        city: open("city_database", &config.network.city_database)?,
    }))
}

/// The use cases on this database, with everything they need.
pub async fn open_idp(config: &Config, schema: Schema) -> Result<(Arc<Idp>, Arc<Runtime>), Failure> {
    let network = network_data(config)?;
    let key_source = config.key_source().or_exit(ExitCode::Configuration, "the encryption key")?;
    let storage = open_storage(config, schema).await?;
    let random = Arc::new(SystemRandom);
    let sealed = anything_sealed(&storage).await?;
    let key = {
        let random = Arc::clone(&random);
        // A command may take its time.
        tokio::task::spawn_blocking(move || encryption::read_or_create(&key_source, sealed, random.as_ref()))
            .await
            .or_exit(ExitCode::Configuration, "the encryption key")?
            .or_exit(ExitCode::Configuration, "the encryption key")?
    };
    let runtime = start_runtime(config).await?;
    let places = Places {
        runs: config.actions.concurrent_runs,
        runs_per_tenant: config.actions.concurrent_runs_per_tenant,
        queue: Duration::from_millis(config.actions.queue_ms),
    };
    let outside = Arc::new(outside(config)?);
    let executor = SandboxExecutor::new(
        Arc::clone(&runtime),
        storage.clone(),
        outside,
        places,
        config.actions.build_limits(),
    );
    let builder = SandboxBuilder::new(Arc::clone(&runtime), config.actions.build_limits());
    let idp = Idp {
        settings: Settings::new(storage.clone()),
        storage,
        clock: Arc::new(SystemClock),
        random,
        actions: Arc::new(executor),
        builder: Arc::new(builder),
        vault: Vault::new(key),
        passwords: PasswordQueue::new(PASSWORDS_RUNNING, PASSWORDS_QUEUED),
        network,
        limits: config.actions.limits(),
    };
    Ok((Arc::new(idp), runtime))
}

/// The id of a tenant that is there.
pub async fn existing_tenant(storage: &Storage, name: &str) -> Result<TenantId, Failure> {
    let id = TenantId::new(name);
    match storage.tenant(&id).await.or_exit(ExitCode::Database, "cannot read the tenants")? {
        Some(tenant) => Ok(tenant.id),
        None => Err(Failure::new(
            ExitCode::Failed,
            format!("there is no tenant {name:?}; `postern tenant list` shows those that are there"),
        )),
    }
}
