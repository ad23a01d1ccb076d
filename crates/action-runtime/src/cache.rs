//! Compiled code on disk.
//!
//! wasmtime runs what it deserializes without checking it, so a file counts only when it belongs to this user, nobody
//! else may write it, and it carries the digest of its own content. A name holds everything that decides how code is
//! compiled (source, wasmtime's version and settings, CPU), so a file from elsewhere is just never found.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use wasmtime::Engine;

use crate::RuntimeError;

const DIGEST_BYTES: usize = 32;

/// SHA-256 in lower-case hexadecimal: how artifacts are named.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    sha256(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha256(bytes: &[u8]) -> [u8; DIGEST_BYTES] {
    let mut out = [0; DIGEST_BYTES];
    out.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref());
    out
}

/// A folder of compiled code, or none.
pub(crate) struct CodeCache {
    folder: Option<PathBuf>,
}

impl CodeCache {
    /// Creates the folder with mode 0700, and refuses one that others may write to.
    pub(crate) fn open(folder: Option<PathBuf>) -> Result<Self, RuntimeError> {
        if let Some(path) = &folder {
            let wrong = |message: String| RuntimeError::Cache { path: path.clone(), message };
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(path)
                .map_err(|error| wrong(error.to_string()))?;
            let metadata = fs::symlink_metadata(path).map_err(|error| wrong(error.to_string()))?;
            if !metadata.is_dir() || metadata.uid() != rustix::process::geteuid().as_raw() {
                return Err(wrong("it must be a folder of the user who runs this process".into()));
            }
            if metadata.mode() & 0o022 != 0 {
                return Err(wrong("others may write to it; set its mode to 0700".into()));
            }
        }
        Ok(Self { folder })
    }

    /// The compiled form of `source`, from disk or else by `compile`, which is then kept. A file that is not as it should
    /// be is written anew.
    pub(crate) fn get(
        &self,
        engine: &Engine,
        source_digest: &str,
        compile: impl FnOnce() -> Result<Vec<u8>, RuntimeError>,
    ) -> Result<Vec<u8>, RuntimeError> {
        let Some(folder) = &self.folder else { return compile() };
        let path = folder.join(file_name(engine, source_digest));
        if let Some(code) = read(&path) {
            return Ok(code);
        }
        let code = compile()?;
        write(&path, &code)
            .map_err(|error| RuntimeError::Cache { path: path.clone(), message: error.to_string() })?;
        Ok(code)
    }
}

fn file_name(engine: &Engine, source_digest: &str) -> String {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{source_digest}-{:016x}.cwasm", hasher.finish())
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let mut file = File::open(path).ok()?;
    let metadata = file.metadata().ok()?;
    let ours = metadata.is_file()
        && metadata.uid() == rustix::process::geteuid().as_raw()
        && metadata.mode() & 0o022 == 0;
    if !ours {
        return None;
    }
    let mut digest = [0; DIGEST_BYTES];
    file.read_exact(&mut digest).ok()?;
    let mut code = Vec::with_capacity(usize::try_from(metadata.len()).ok()?);
    file.read_to_end(&mut code).ok()?;
    (sha256(&code) == digest).then_some(code)
}

/// Writes beside and renames, so that a reader sees a whole file or none.
fn write(path: &Path, code: &[u8]) -> std::io::Result<()> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let unique = format!("tmp-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let beside = path.with_extension(unique);
    if let Err(error) = fs::remove_file(&beside)
        && error.kind() != ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(&sha256(code))?;
    file.write_all(code)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    const CODE: &[u8] = b"compiled code";

    struct Cache {
        folder: tempfile::TempDir,
        engine: Engine,
        cache: CodeCache,
    }

    impl Cache {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let cache = CodeCache::open(Some(folder.path().join("cache"))).unwrap();
            Self { folder, engine: Engine::default(), cache }
        }

        fn file(&self) -> PathBuf {
            self.folder.path().join("cache").join(file_name(&self.engine, "source"))
        }

        /// Whether the code had to be compiled.
        fn compiles(&self) -> bool {
            let mut compiled = false;
            let code = self.cache.get(&self.engine, "source", || {
                compiled = true;
                Ok(CODE.to_vec())
            });
            assert_eq!(code.unwrap(), CODE);
            compiled
        }
    }

    #[test]
    fn what_is_not_whole_or_not_ours_alone_is_never_loaded_and_made_anew() {
        let cache = Cache::new();
        assert!(cache.compiles());
        assert!(!cache.compiles(), "the file is used");
        let good = fs::read(cache.file()).unwrap();
        let other = [&sha256(b"other")[..], CODE].concat();
        let changed = |at: usize| {
            let mut bytes = good.clone();
            bytes[at] ^= 1;
            bytes
        };
        for bytes in [
            changed(0),
            changed(good.len() - 1),
            good[..good.len() - 1].to_vec(),
            good[..DIGEST_BYTES - 1].to_vec(),
            [&good[..], b"x"].concat(),
            other,
            Vec::new(),
        ] {
            fs::write(cache.file(), &bytes).unwrap();
            assert!(cache.compiles(), "{bytes:?} was loaded");
            assert_eq!(fs::read(cache.file()).unwrap(), good);
        }
        for mode in [0o620, 0o602, 0o666] {
            fs::set_permissions(cache.file(), fs::Permissions::from_mode(mode)).unwrap();
            assert!(cache.compiles(), "a file of mode {mode:o} was loaded");
            assert_eq!(fs::metadata(cache.file()).unwrap().mode() & 0o777, 0o600);
        }
        assert!(!cache.compiles());
    }

    #[test]
    fn code_for_another_engine_is_never_found() {
        let cache = Cache::new();
        assert!(cache.compiles());
        let mut config = wasmtime::Config::new();
        config.consume_fuel(true);
        let other = Engine::new(&config).unwrap();
        assert_ne!(file_name(&cache.engine, "source"), file_name(&other, "source"));
    }

    #[test]
    fn a_folder_that_others_may_write_to_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cache");
        CodeCache::open(Some(path.clone())).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        for mode in [0o770, 0o702, 0o777] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = CodeCache::open(Some(path.clone())).err().unwrap();
            assert!(error.to_string().contains("others may write to it; set its mode to 0700"), "{error}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        let link = folder.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(CodeCache::open(Some(link)).is_err(), "a link may lead anywhere");
    }
}
