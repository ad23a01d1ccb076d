//! The refresh token between two starts of the program. A real application uses the system's key store.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use url::Url;

/// What is kept.
#[derive(Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) issuer: Url,
    pub(crate) client_id: String,
    pub(crate) refresh_token: String,
}

impl Kept {
    pub(crate) fn read(file: &Path) -> Result<Self> {
        let name = file.display();
        let metadata = fs::metadata(file).with_context(|| format!("{name} is not there: log in first"))?;
        ensure!(metadata.permissions().mode() & 0o077 == 0, "others may read {name}: chmod 600 it");
        serde_json::from_slice(&fs::read(file)?).with_context(|| format!("{name} is damaged: log in again"))
    }

    /// Replaces the file as a whole: a token that rotated is never half written.
    pub(crate) fn write(&self, file: &Path) -> Result<()> {
        let mut name = file.as_os_str().to_owned();
        name.push(".new");
        let new = Path::new(&name);
        // A leftover of a process that was killed.
        let _ = fs::remove_file(new);
        let mut open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(new)?;
        open.write_all(&serde_json::to_vec_pretty(self)?)?;
        open.sync_all()?;
        fs::rename(new, file).with_context(|| format!("cannot write {}", file.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_kept_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kept.json");
        let kept = |token: &str| Kept {
            issuer: "http://demo.localhost:3000/".parse().unwrap(),
            client_id: "c".to_owned(),
            refresh_token: token.to_owned(),
        };
        kept("one").write(&file).unwrap();
        kept("two").write(&file).unwrap();
        assert_eq!(Kept::read(&file).unwrap().refresh_token, "two");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Kept::read(&file).is_err());
    }
}
