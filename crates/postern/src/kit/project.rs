//! The folder of an Action, and its settings: `action.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use action_api::Limits;
use action_build::{BuildError, Source};
use action_runtime::Runtime;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::runner::{self, Action, ModuleSecrets};
use super::stand_ins::StandIns;

/// The file of settings in a project's folder.
pub const FILE: &str = "action.toml";

/// An Action's folder.
#[derive(Debug, Clone)]
pub struct Project {
    /// Where it is.
    pub folder: PathBuf,
    /// What its `action.toml` says.
    pub settings: Settings,
}

/// What `action.toml` says.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// When the Action runs.
    pub trigger: Trigger,
    /// The file with the handlers, from the folder: a script or a component.
    pub entry: PathBuf,
    /// A shell command that makes `entry`, run in the folder before each use.
    pub build: Option<String>,
    /// What `event.secrets` holds in runs and cases.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
    /// What `actions.secrets` holds in the `actions:` modules, by their names.
    #[serde(default)]
    pub module_secrets: ModuleSecrets,
    /// What it may use, where that is less than the server's limits.
    #[serde(default)]
    pub limits: TighterLimits,
    /// The world around it in runs and cases.
    #[serde(default)]
    pub stand_ins: StandIns,
    /// Events that `action check` must never see denied, each a partial event.
    #[serde(default)]
    #[allow(dead_code, reason = "`action check` reads it")]
    pub never_deny: Vec<serde_json::Map<String, serde_json::Value>>,
}

/// The trigger that an Action is for. There is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// After a login, and at each exchange of a refresh token.
    PostLogin,
}

/// Why there is no project. The texts are for the author of an Action.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// A file that must be there cannot be read.
    #[error("cannot read {}: {cause}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// A folder of something else.
    #[error("there is no {FILE} in {}: `postern action new NAME` makes the folder of an Action", .0.display())]
    NoProject(PathBuf),
    /// No TOML, or other settings than there are.
    #[error("{}: {message}", .path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// With line, column and what may stand there.
        message: String,
    },
    /// `entry` names no file.
    #[error("{}: `entry` names {}, and there is no such file", .settings.display(), .entry.display())]
    NoEntry {
        /// The settings.
        settings: PathBuf,
        /// What they name.
        entry: PathBuf,
    },
    /// A limit that is more than the server's.
    #[error("{}: limits.{name} = {asked} is more than the server allows ({most})", .path.display())]
    Limit {
        /// The settings.
        path: PathBuf,
        /// The limit.
        name: &'static str,
        /// What was asked for.
        asked: u64,
        /// What there is.
        most: u64,
    },
    /// The command that makes `entry` failed.
    #[error("{}: `build` ended with {status}", .path.display())]
    Build {
        /// The settings.
        path: PathBuf,
        /// How it ended.
        status: String,
    },
}

/// Why an Action was not built.
#[derive(Debug)]
pub enum NotBuilt {
    /// Its settings are wrong.
    Project(ProjectError),
    /// Its source is: the file, and why.
    Source(PathBuf, Box<BuildError>),
}

impl Project {
    /// Reads the settings of a folder.
    ///
    /// # Errors
    /// [`ProjectError`]
    pub fn open(folder: &Path) -> Result<Self, ProjectError> {
        let file = folder.join(FILE);
        if folder.is_dir() && !file.exists() {
            return Err(ProjectError::NoProject(folder.to_path_buf()));
        }
        let settings: Settings = read_toml(&file)?;
        Ok(Self { folder: folder.to_path_buf(), settings })
    }

    /// The folder's name.
    pub fn name(&self) -> String {
        let whole = self.folder.canonicalize().unwrap_or_else(|_| self.folder.clone());
        whole.file_name().unwrap_or(whole.as_os_str()).to_string_lossy().into_owned()
    }

    /// Runs `build`, where there is one, and yields the file with the handlers.
    ///
    /// # Errors
    /// [`ProjectError::Build`], [`ProjectError::NoEntry`]
    pub fn entry(&self) -> Result<PathBuf, ProjectError> {
        if let Some(command) = &self.settings.build {
            let ended = std::process::Command::new("sh")
                .args(["-c", command])
                .current_dir(&self.folder)
                .stdin(std::process::Stdio::null())
                // Standard output is for what this program answers.
                .stdout(std::io::stderr())
                .status();
            let status = match ended {
                Ok(status) if status.success() => None,
                Ok(status) => Some(status.to_string()),
                Err(error) => Some(error.to_string()),
            };
            if let Some(status) = status {
                return Err(ProjectError::Build { path: self.folder.join(FILE), status });
            }
        }
        let entry = self.folder.join(&self.settings.entry);
        if entry.is_file() {
            return Ok(entry);
        }
        Err(ProjectError::NoEntry { settings: self.folder.join(FILE), entry })
    }

    /// The server's limits, with those of the settings where they are less.
    ///
    /// # Errors
    /// [`ProjectError::Limit`]
    pub fn limits(&self, server: &Limits) -> Result<Limits, ProjectError> {
        self.settings.limits.within(server).map_err(|(name, asked, most)| ProjectError::Limit {
            path: self.folder.join(FILE),
            name,
            asked,
            most,
        })
    }
}

impl Project {
    /// Builds the Action, within the server's limits.
    ///
    /// # Errors
    /// [`NotBuilt`]
    pub fn build(&self, runtime: &Runtime, server: &Limits, build: &Limits) -> Result<Action, NotBuilt> {
        let Trigger::PostLogin = self.settings.trigger;
        let limits = self.limits(server).map_err(NotBuilt::Project)?;
        let file = self.entry().map_err(NotBuilt::Project)?;
        let read = (file.clone(), Some(self.folder.as_path()));
        let action = runner::build(runtime, self.name(), read, build, limits)
            .map_err(|error| NotBuilt::Source(file, error))?;
        let Settings { secrets, module_secrets, .. } = self.settings.clone();
        Ok(Action { secrets, module_secrets, ..action })
    }
}

/// An Action as its author has it, before it is built.
#[derive(Debug)]
pub struct Authored {
    /// The file with the handlers.
    pub file: PathBuf,
    /// It, with what it requires of the author's files.
    pub source: Source,
    /// The names of all `actions:` modules that it requires.
    pub required: BTreeSet<String>,
    /// The folder, where a folder was named.
    pub project: Option<Project>,
}

impl Authored {
    /// Reads what a command line names: a folder with settings, whose `build` is run, or a file.
    ///
    /// # Errors
    /// [`NotBuilt`]
    pub fn read(path: &Path) -> Result<Self, NotBuilt> {
        let project = path.is_dir().then(|| Project::open(path)).transpose().map_err(NotBuilt::Project)?;
        let file = match &project {
            Some(project) => project.entry().map_err(NotBuilt::Project)?,
            None => path.to_path_buf(),
        };
        let folder = project.as_ref().map(|project| project.folder.as_path());
        match runner::source(&file, folder) {
            Ok((source, required)) => Ok(Self { file, source, required, project }),
            Err(error) => Err(NotBuilt::Source(file, Box::new(error))),
        }
    }
}

/// Reads a TOML file strictly.
///
/// # Errors
/// [`ProjectError::Read`], [`ProjectError::Toml`]
pub fn read_toml<T: DeserializeOwned>(path: &Path) -> Result<T, ProjectError> {
    let text = std::fs::read_to_string(path)
        .map_err(|cause| ProjectError::Read { path: path.to_path_buf(), cause })?;
    toml_edit::de::from_str(&text).map_err(|error| ProjectError::Toml {
        path: path.to_path_buf(),
        message: error.to_string().trim_end().to_owned(),
    })
}

macro_rules! tighter_limits {
    ($($name:ident: $type:ty),*) => {
        /// Limits of [`Limits`], those that are to be less than the server's.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct TighterLimits { $(pub $name: Option<$type>,)* }

        impl TighterLimits {
            /// These limits where they are given, else the server's. The error: a name, what was asked for, and the most.
            fn within(&self, server: &Limits) -> Result<Limits, (&'static str, u64, u64)> {
                let mut limits = *server;
                $(if let Some(asked) = self.$name {
                    if asked > server.$name {
                        return Err((stringify!($name), u64::from(asked), u64::from(server.$name)));
                    }
                    limits.$name = asked;
                })*
                Ok(limits)
            }
        }
    };
}

tighter_limits! {
    fuel: u64, wall_clock_ms: u64, memory_bytes: u64, stack_bytes: u64, event_bytes: u64, commands: u32,
    command_bytes: u64, console_bytes: u64, host_calls: u32, operations: u32, operation_bytes: u64,
    http_requests: u32, http_answer_bytes: u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(text: &str) -> Result<Project, ProjectError> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(FILE), text).expect("written");
        Project::open(folder.path())
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place_and_what_may_stand_there() {
        for (text, wanted) in [
            ("trigger = 'post-login'\nentry = 'a.js'\nsecret = 1\n", &["line 3, column 1", "`secrets`"][..]),
            ("trigger = 'pre-login'\nentry = 'a.js'\n", &["line 1, column 11", "post-login"]),
            ("trigger = 'post-login'\n", &["missing field `entry`"]),
            ("trigger = \n", &["line 1, column"]),
            ("trigger = 'post-login'\nentry = 'a.js'\n[limits]\nfule = 1\n", &["line 4, column 1", "`fuel`"]),
            ("trigger = 'post-login'\nentry = 'a.js'\n[secrets]\nA = 1\n", &["line 4, column 5", "string"]),
            (
                "trigger = 'post-login'\nentry = 'a.js'\n[module_secrets]\nA = 'k'\n",
                &["line 4, column 5", "map"],
            ),
            (
                "trigger = 'post-login'\nentry = 'a.js'\n[[stand_ins.http]]\nurl = 'x'\nstate = 1\n",
                &["line 5, column 1", "`status`"],
            ),
        ] {
            let error = open(text).expect_err(text).to_string();
            for part in wanted {
                assert!(error.contains(part), "{text}: {error}");
            }
        }
    }

    #[test]
    fn limits_may_only_be_tightened() {
        let project = open("trigger = 'post-login'\nentry = 'a.js'\n[limits]\nfuel = 10\ncommands = 3\n")
            .expect("settings");
        let server = crate::config::Config::load(None).expect("defaults").actions.limits();
        let limits = project.limits(&server).expect("less");
        assert_eq!((limits.fuel, limits.commands, limits.host_calls), (10, 3, server.host_calls));
        let tight = Limits { fuel: 9, ..server };
        let error = project.limits(&tight).expect_err("more").to_string();
        assert!(error.contains("limits.fuel = 10 is more than the server allows (9)"), "{error}");
    }
}
