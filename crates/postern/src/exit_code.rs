//! What the process tells its caller. The numbers are part of the interface and are listed in `--help`.

use std::fmt;

/// The exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCode {
    /// What was asked for was done.
    Ok = 0,
    /// What was asked for could not be done.
    Failed = 1,
    /// The command line was wrong.
    Usage = 2,
    /// The configuration, or a file that it names, was wrong.
    Configuration = 3,
    /// The database could not be used.
    Database = 4,
    /// The Action did not build, failed on its event, or a case of it did not pass: its author can mend it.
    Action = 5,
}

/// The table of `--help`.
pub const HELP: &str = "\
Exit codes:
  0  what was asked for was done
  1  what was asked for could not be done
  2  the command line is wrong
  3  the configuration, or a file that it names, or an action.toml is wrong
  4  the database could not be used
  5  the Action did not build, failed on its event, or a case of it did not pass";

/// A failed command: the exit code, and the text for the person at the terminal.
#[derive(Debug)]
pub struct Failure {
    /// What the process ends with.
    pub code: ExitCode,
    /// Why, with its causes. `None`: the command has already said it.
    pub error: Option<anyhow::Error>,
}

impl Failure {
    /// A failure with this text.
    pub fn new(code: ExitCode, message: impl fmt::Display) -> Self {
        Self { code, error: Some(anyhow::anyhow!("{message}")) }
    }

    /// Says before why it failed what that means.
    #[must_use]
    pub fn while_doing(self, doing: String) -> Self {
        Self { error: self.error.map(|error| error.context(doing)), ..self }
    }

    /// A failure that the command has already shown.
    pub fn shown(code: ExitCode) -> Self {
        Self { code, error: None }
    }
}

/// Gives an error its exit code and says what was being done.
pub trait OrExit<T> {
    /// Ends the process with `code`, saying `doing` and then the causes.
    fn or_exit(self, code: ExitCode, doing: impl fmt::Display) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrExit<T> for Result<T, E> {
    fn or_exit(self, code: ExitCode, doing: impl fmt::Display) -> Result<T, Failure> {
        self.map_err(|error| Failure { code, error: Some(error.into().context(doing.to_string())) })
    }
}
