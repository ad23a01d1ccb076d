//! SQLite's own: its file, and how its connections are set up.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use sqlx::AnyPool;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};

use crate::StorageError;

/// WAL: readers do not wait for the writer. FULL: what is committed survives a power cut. A checkpoint holds up all who
/// write: one for 16 MB writes a page once that has changed many times, one for the usual 4 MB does less so. The cache is
/// 16 MB.
pub(crate) const WRITER_SETUP: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 10000; PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -16000";
pub(crate) const READER_SETUP: &str =
    "PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 10000; PRAGMA query_only = ON";
/// A reader waits for nobody but another process that opens or repairs the file.
pub(crate) const READER_BUSY: Duration = Duration::from_secs(1);
pub(crate) const READERS: u32 = 8;

/// The path in `sqlite:path/to/file.db`, when it names a file.
pub(crate) fn path(url: &str) -> Option<&str> {
    url.strip_prefix("sqlite:")
        .map(|rest| rest.strip_prefix("//").unwrap_or(rest))
        .filter(|path| !path.is_empty() && !path.starts_with(":memory:") && !path.contains(['?', '#', '\0']))
}

/// The reading and the writing connections. A file that is not there is made.
pub(crate) async fn open(path: &str) -> Result<(AnyPool, AnyPool), StorageError> {
    create_file(Path::new(path)).map_err(|source| StorageError::File { path: path.to_owned(), source })?;
    let options: AnyConnectOptions = format!("sqlite:{}?mode=rw", escape(path)).parse()?;
    // The writer comes first: it sets the journal's mode, which is the file's.
    let writer = pool(1, WRITER_SETUP).connect_with(options.clone()).await?;
    let reader = pool(READERS, READER_SETUP).connect_with(options).await?;
    Ok((reader, writer))
}

fn pool(connections: u32, setup: &'static str) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(connections)
        .min_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                sqlx::raw_sql(setup).execute(connection).await?;
                Ok(())
            })
        })
}

/// Makes the file with the owner's permission only; SQLite gives its journal the same. What is there already is left
/// as it is.
fn create_file(path: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(error),
    }
    // The folder's entry must survive, too.
    #[cfg(unix)]
    File::open(path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))?
        .sync_all()?;
    Ok(())
}

/// The path for a URL: sqlx decodes it.
fn escape(path: &str) -> String {
    path.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}
