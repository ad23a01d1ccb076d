//! What an Action may do. A component may do what it imports; a script has all of `api`.

use action_api::Artifact;
use action_build::Power;
use serde_json::{Value, json};

use crate::exit_code::{ExitCode, Failure};
use crate::render::{Output, Style, escape};

/// The permissions of an artifact.
pub enum Permissions {
    /// A script: what it uses cannot be told from its source.
    All,
    /// A component.
    Imports(Vec<Power>),
}

impl Permissions {
    pub fn of(artifact: &Artifact) -> Self {
        match action_build::powers(artifact) {
            Ok(Some(powers)) => Self::Imports(powers),
            // A stored component of a package that this program does not know may do nothing here.
            Err(_) => Self::Imports(Vec::new()),
            Ok(None) => Self::All,
        }
    }

    /// What the version that is deployed may not do. Nothing is new when there is none.
    pub fn since(&self, deployed: Option<&Self>) -> Vec<String> {
        match (self, deployed) {
            (_, None | Some(Self::All)) => Vec::new(),
            (Self::All, Some(Self::Imports(_))) => vec!["everything: it is a script now".to_owned()],
            (Self::Imports(new), Some(Self::Imports(old))) => {
                let is_old = |power: &&Power| old.iter().any(|other| other.interface == power.interface);
                new.iter().filter(|power| !is_old(power)).map(in_words).collect()
            }
        }
    }

    /// One line.
    pub fn in_words(&self) -> String {
        match self {
            Self::All => "everything that `api` has: it is a script".to_owned(),
            Self::Imports(powers) if powers.is_empty() => "nothing".to_owned(),
            Self::Imports(powers) => {
                powers.iter().map(|power| power.interface.as_str()).collect::<Vec<_>>().join(", ")
            }
        }
    }

    /// `null` for a script.
    pub fn json(&self) -> Value {
        match self {
            Self::All => Value::Null,
            Self::Imports(powers) => powers
                .iter()
                .map(|power| {
                    json!({
                        "interface": power.interface,
                        "about": power.about,
                        "functions": power.functions,
                    })
                })
                .collect(),
        }
    }
}

/// A power as a person reads it.
pub fn in_words(power: &Power) -> String {
    format!("{}: {} ({})", power.interface, power.about, power.functions.join(", "))
}

/// Shows why an update was not deployed.
pub fn refuse(output: &Output, name: &str, new: &[String], as_json: bool) -> Failure {
    if as_json {
        output.json(&json!({ "new_permissions": new }));
    } else {
        let text = format!("not deployed: this version of {name} may do more than the deployed one.");
        output.line(output.paint(Style::Red, escape(&text, false)));
        for permission in new {
            output.line(format!("  + {}", escape(permission, false)));
        }
        output.line("Deploy it with --accept-permissions if that is as it should be.");
    }
    Failure::shown(ExitCode::Failed)
}
