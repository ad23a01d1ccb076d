//! The installation's key: 32 random bytes in a file that only its owner may read. It seals signing keys and secrets in
//! the database, so it is made once, before anything is sealed, and never replaced.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use model::RandomSource;

/// The key's length in bytes.
const LENGTH: usize = 32;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// There is no file, and there is sealed data.
    #[error(
        "the key file {} is missing, and the database holds data that only this key opens: restore the file",
        .0.display()
    )]
    Lost(PathBuf),
    /// There is no file, and nobody may make one now.
    #[error("there is no key file {} yet: `postern serve` makes it at its first start", .0.display())]
    Missing(PathBuf),
    /// Others may read it.
    #[error("the key file {} has mode {mode:o}; only its owner may read it: chmod 600", .path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Not 32 bytes.
    #[error("the key file {} has {length} bytes instead of {LENGTH}", .path.display())]
    Length {
        /// The file.
        path: PathBuf,
        /// Its length.
        length: usize,
    },
    /// The file system.
    #[error("the key file {} cannot be used", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// Reads the key.
///
/// # Errors
/// [`KeyError`] when there is none, others may read it, or it has a wrong length.
pub fn read(path: &Path) -> Result<[u8; LENGTH], KeyError> {
    let io = |source| KeyError::Io { path: path.to_owned(), source };
    let metadata = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(KeyError::Missing(path.to_owned()));
        }
        other => other.map_err(io)?,
    };
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Exposed { path: path.to_owned(), mode });
    }
    let bytes = fs::read(path).map_err(io)?;
    <[u8; LENGTH]>::try_from(bytes.as_slice())
        .map_err(|_| KeyError::Length { path: path.to_owned(), length: bytes.len() })
}

/// Reads the key, or makes it when nothing in the database is sealed yet.
///
/// # Errors
/// As [`read`]; [`KeyError::Lost`] when there is no file but sealed data.
pub fn read_or_create(
    path: &Path,
    anything_sealed: bool,
    random: &dyn RandomSource,
) -> Result<[u8; LENGTH], KeyError> {
    match read(path) {
        Err(KeyError::Missing(path)) if anything_sealed => Err(KeyError::Lost(path)),
        Err(KeyError::Missing(path)) => {
            let mut key = [0; LENGTH];
            random.fill(&mut key);
            write_private(&path, &key).map_err(|source| KeyError::Io { path, source })?;
            Ok(key)
        }
        other => other,
    }
}

/// Writes a new file with mode 0600 and makes it durable. An existing file is an error.
///
/// # Errors
/// The file system's.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    file.write_all(bytes)?;
    file.sync_all()?;
    if let Some(folder) = path.parent() {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use model::SystemRandom;

    use super::*;

    #[test]
    fn the_key_is_made_once_and_read_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        let made = read_or_create(&path, false, &SystemRandom).expect("made");
        assert_eq!(read_or_create(&path, true, &SystemRandom).expect("read"), made);
        assert_eq!(fs::metadata(&path).expect("there").mode() & 0o777, 0o600);
    }

    #[test]
    fn a_lost_exposed_or_cut_key_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        assert!(matches!(read_or_create(&path, true, &SystemRandom), Err(KeyError::Lost(_))));
        write_private(&path, &[0; 31]).expect("written");
        assert!(matches!(read(&path), Err(KeyError::Length { length: 31, .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("set");
        assert!(matches!(read(&path), Err(KeyError::Exposed { mode: 0o640, .. })));
    }
}
