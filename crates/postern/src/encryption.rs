//! The installation's key: 32 random bytes that seal signing keys and secrets in the database. It is in a file that only
//! its owner may read, in the environment, or what a command prints. In a file it is made once, before anything is sealed,
//! and never replaced.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use model::RandomSource;

/// The key's length in bytes.
const LENGTH: usize = 32;
/// How long the command may take.
const COMMAND_TIME: Duration = Duration::from_secs(30);

/// Where the key is.
#[derive(Clone, PartialEq, Eq)]
pub enum KeySource {
    /// In this file, as 32 bytes.
    File(PathBuf),
    /// In the configuration, which here is the environment's: 64 hexadecimal digits.
    Given(String),
    /// On the standard output of this program with these arguments: 64 hexadecimal digits.
    Command(Vec<String>),
}

/// Without the key.
impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// For people: the place, never the key.
impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}, mode 0600", path.display()),
            Self::Given(_) => write!(f, "encryption.key"),
            Self::Command(words) => {
                write!(f, "what {} prints", words.first().map_or("encryption.key_command", String::as_str))
            }
        }
    }
}

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
    /// No 64 hexadecimal digits.
    #[error("{0} is not a key: 64 hexadecimal digits are, as `openssl rand -hex 32` prints")]
    Format(KeySource),
    /// The command did not run to a good end.
    #[error("encryption.key_command: {program} {what}")]
    Command {
        /// The program.
        program: String,
        /// What went wrong. Nothing that it printed.
        what: String,
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
/// [`KeyError`] when there is none, others may read its file, the command failed or took more than 30 s, or it is no key.
pub fn read(source: &KeySource) -> Result<[u8; LENGTH], KeyError> {
    let digits = match source {
        KeySource::File(path) => return read_file(path),
        KeySource::Given(digits) => digits.clone(),
        KeySource::Command(words) => output(words)?,
    };
    from_hex(digits.trim()).ok_or_else(|| KeyError::Format(source.clone()))
}

/// Reads the key; or makes its file, when nothing in the database is sealed yet.
///
/// # Errors
/// As [`read`]; [`KeyError::Lost`] when there is no file but sealed data.
pub fn read_or_create(
    source: &KeySource,
    anything_sealed: bool,
    random: &dyn RandomSource,
) -> Result<[u8; LENGTH], KeyError> {
    match read(source) {
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

fn read_file(path: &Path) -> Result<[u8; LENGTH], KeyError> {
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

/// What the command prints. Its standard error goes to ours, so that its own words reach the operator.
fn output(words: &[String]) -> Result<String, KeyError> {
    let program = words.first().cloned().unwrap_or_default();
    let failed = |what: String| KeyError::Command { program: program.clone(), what };
    let mut child = Command::new(&program)
        .args(words.iter().skip(1))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(|error| failed(format!("cannot be started: {error}")))?;
    let mut stdout = child.stdout.take();
    // A key is short: what fills the pipe is none.
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        if let Some(stdout) = &mut stdout {
            stdout.take(4096).read_to_string(&mut text)?;
        }
        Ok::<_, io::Error>(text)
    });
    let started = Instant::now();
    let status = loop {
        match child.try_wait().map_err(|error| failed(error.to_string()))? {
            Some(status) => break status,
            None if started.elapsed() > COMMAND_TIME => {
                // It may have ended by now, which is as well.
                let _ = child.kill();
                let _ = child.wait();
                return Err(failed(format!("took more than {} s", COMMAND_TIME.as_secs())));
            }
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    if !status.success() {
        return Err(failed(format!("ended with {status}")));
    }
    match reader.join() {
        Ok(Ok(text)) => Ok(text),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(_) => Err(failed("was not read".to_owned())),
    }
}

fn from_hex(digits: &str) -> Option<[u8; LENGTH]> {
    let mut key = [0; LENGTH];
    if digits.len() != 2 * LENGTH || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, at) in key.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()?;
    }
    Some(key)
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
        let source = KeySource::File(path.clone());
        let made = read_or_create(&source, false, &SystemRandom).expect("made");
        assert_eq!(read_or_create(&source, true, &SystemRandom).expect("read"), made);
        assert_eq!(fs::metadata(&path).expect("there").mode() & 0o777, 0o600);
    }

    #[test]
    fn a_lost_exposed_or_cut_key_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        let source = KeySource::File(path.clone());
        assert!(matches!(read_or_create(&source, true, &SystemRandom), Err(KeyError::Lost(_))));
        write_private(&path, &[0; 31]).expect("written");
        assert!(matches!(read(&source), Err(KeyError::Length { length: 31, .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("set");
        assert!(matches!(read(&source), Err(KeyError::Exposed { mode: 0o640, .. })));
    }

    #[test]
    fn a_given_key_is_64_hexadecimal_digits_and_never_shown() {
        let digits = "00ff".repeat(16);
        assert_eq!(read(&KeySource::Given(format!("{digits}\n"))).expect("a key"), [0, 255].repeat(16)[..]);
        for wrong in ["", "00ff", &digits.replace('f', "g"), &"é".repeat(32), &format!("+{}", &digits[1..])]
        {
            let error = read(&KeySource::Given(wrong.to_owned())).expect_err("no key");
            assert!(matches!(error, KeyError::Format(_)), "{error}");
            assert!(wrong.is_empty() || !format!("{error} {error:?}").contains(wrong));
        }
    }

    #[test]
    fn a_key_is_what_the_command_prints_or_the_error_says_why_not() {
        let shell = |script: &str| {
            read(&KeySource::Command(["sh", "-c", script].map(str::to_owned).to_vec()))
                .map_err(|error| error.to_string())
        };
        assert_eq!(shell("printf %064d 0; echo"), Ok([0; LENGTH]));
        assert_eq!(
            shell("exit 3").expect_err("failed"),
            "encryption.key_command: sh ended with exit status: 3"
        );
        assert!(shell("echo s3cret").expect_err("no key").starts_with("what sh prints is not a key"));
        assert!(shell("yes").is_err(), "what never ends is no key");
        let none = read(&KeySource::Command(vec!["/no/such/program".to_owned()])).expect_err("not there");
        assert!(none.to_string().starts_with("encryption.key_command: /no/such/program cannot be started"));
    }
}
