//! The `actions:` modules of an Action that is deployed. What is in the author's folder becomes a version in the tenant, where
//! there is none of it yet; the Action takes that version, and other Actions keep those that they have.

use std::collections::BTreeMap;

use action_build::{Program, SHARED, Source};
use idp::manage::limits::MODULES_OF_ACTION;
use serde_json::{Value, json};

use super::module_store::{Pin, Place, Stored, Version};
use crate::exit_code::{ExitCode, Failure};
use crate::kit::project::Authored;
use crate::kit::runner::{MODULES, ModuleSecret, ModuleSecrets};
use crate::render::{escape, note};

/// What a deploy makes of the modules that an Action requires.
pub struct Plan(Vec<Planned>);

/// One of them.
pub struct Planned {
    /// As in `actions:NAME`.
    pub name: String,
    /// What it is to be.
    pub code: String,
    step: Step,
    /// The version that the Action has.
    before: Option<i64>,
    /// The secrets that it has in the author's cases, and not after this.
    missing: Vec<String>,
}

enum Step {
    /// A version that has the code.
    Keep { version: Version, is_local: bool },
    /// The folder has code that no version has, or there are secrets to set. Without an id, there is no such module.
    Change { module_id: Option<String>, secrets: Option<BTreeMap<String, String>> },
}

/// A module as the Action takes it.
pub struct Used {
    name: String,
    version: Version,
    is_new: bool,
}

impl Plan {
    /// Looks at what there is. Nothing is changed.
    pub async fn make(
        place: &Place<'_>,
        authored: &Authored,
        pins: &[Pin],
        given: &[ModuleSecret],
    ) -> Result<Self, Failure> {
        let mut local = local_modules(&authored.source);
        let mut secrets = ModuleSecrets::new();
        for ModuleSecret { module, name, value } in given {
            if !local.contains_key(module) {
                return Err(not_deployed(module));
            }
            secrets.entry(module.clone()).or_default().insert(name.clone(), value.clone());
        }
        let required = &authored.required;
        if required.len() > MODULES_OF_ACTION {
            let names = required.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            let text =
                format!("an Action has at most {MODULES_OF_ACTION} modules, and this one requires {names}");
            return Err(Failure::new(ExitCode::Action, text));
        }
        let mut planned = Vec::with_capacity(required.len());
        let mut stored = if required.is_empty() { BTreeMap::new() } else { place.modules().await? };
        for name in required {
            let stored = stored.remove(name);
            let pin = pins.iter().find(|pin| pin.name == *name);
            let before = pin.map(|pin| pin.version.number);
            let mut missing = Vec::new();
            let (code, step) = match local.remove(name) {
                Some(code) => {
                    let secrets = secrets.remove(name);
                    missing = missing_secrets(authored, name, secrets.as_ref(), stored.as_ref());
                    let kept = match secrets {
                        None => with_code(place, &code, stored.as_ref(), pin).await?,
                        Some(_) => None,
                    };
                    let module_id = stored.map(|stored| stored.id);
                    let change = Step::Change { module_id, secrets };
                    (code, kept.map_or(change, |version| Step::Keep { version, is_local: true }))
                }
                None => {
                    let (version, code) = of_tenant(place, name, stored, pin).await?;
                    (code, Step::Keep { version, is_local: false })
                }
            };
            planned.push(Planned { name: name.clone(), code, step, before, missing });
        }
        Ok(Self(planned))
    }

    /// Puts the code of those modules that are not in the folder beside the others, for a build here.
    pub fn complete(&self, source: &mut Source) {
        if let Program::Script { modules, .. } = &mut source.program {
            modules.extend(self.0.iter().map(|it| (format!("{SHARED}{}", it.name), it.code.clone())));
        }
    }

    /// Whether a module may get a new version.
    pub fn changes_modules(&self) -> bool {
        self.0.iter().any(|planned| matches!(planned.step, Step::Change { .. }))
    }

    /// What the Action is to have: the modules, and their versions where they are published already.
    pub fn modules(&self) -> impl Iterator<Item = (&Planned, Option<i64>)> {
        self.0.iter().map(|planned| match &planned.step {
            Step::Keep { version, .. } => (planned, Some(version.number)),
            Step::Change { .. } => (planned, None),
        })
    }

    /// Makes and publishes what is not there. All drafts come first: a module that is refused leaves no version of another
    /// one behind.
    pub async fn publish(self, place: &Place<'_>, say: impl Fn(String)) -> Result<Vec<Used>, Failure> {
        let refused = |name: &str| {
            format!("the module {} was refused; nothing of the Action is deployed", escape(name, false))
        };
        let mut drafts = Vec::with_capacity(self.0.len());
        for Planned { name, code, step, before, missing } in self.0 {
            for secret in &missing {
                let (name, secret) = (escape(&name, false), escape(secret, false));
                note(format!(
                    "postern: action.toml has a secret {secret} of the module {name}, and the deploy has none: \
                     --module-secret {name}.{secret}=VALUE"
                ));
            }
            let (module_id, version, is_local) = match step {
                Step::Keep { version, is_local } => (version.module_id.clone(), Some(version), is_local),
                Step::Change { module_id, secrets } => {
                    let draft = place.draft(&name, module_id, &code, secrets.as_ref()).await;
                    let (module_id, version) =
                        draft.map_err(|failure| failure.while_doing(refused(&name)))?;
                    (module_id, version, true)
                }
            };
            drafts.push((name, module_id, version, is_local, before));
        }
        let mut all = Vec::with_capacity(drafts.len());
        for (name, module_id, version, is_local, before) in drafts {
            let is_new = version.is_none();
            let version = match version {
                Some(version) => version,
                None => {
                    let published = place.publish(&module_id).await;
                    published.map_err(|failure| failure.while_doing(refused(&name)))?
                }
            };
            let what = match (is_new, is_local) {
                (true, _) => "is published",
                (false, true) => "is as it is here",
                (false, false) => "is the tenant's, and not here",
            };
            let before = before.filter(|before| *before != version.number);
            let before = before.map_or(String::new(), |before| format!(", after version {before}"));
            say(format!("module {}: version {} {what}{before}", escape(&name, false), version.number));
            all.push(Used { name, version, is_new });
        }
        Ok(all)
    }
}

impl Used {
    /// The id of the module, and of the version.
    pub fn ids(&self) -> (&str, &str) {
        (&self.version.module_id, &self.version.id)
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!({ "name": self.name, "version": self.version.number, "published": self.is_new })
    }
}

/// Those of the author's folder, by their names.
fn local_modules(source: &Source) -> BTreeMap<String, String> {
    let Program::Script { modules, .. } = &source.program else { return BTreeMap::new() };
    let shared = modules.iter().filter_map(|(name, code)| Some((name.strip_prefix(SHARED)?, code)));
    shared.map(|(name, code)| (name.to_owned(), code.clone())).collect()
}

/// The newest version, or the one that the Action has, if it has this code.
async fn with_code(
    place: &Place<'_>,
    code: &str,
    stored: Option<&Stored>,
    pin: Option<&Pin>,
) -> Result<Option<Version>, Failure> {
    let latest = stored.and_then(|stored| stored.latest.as_ref());
    if let Some((version, _)) = latest.filter(|(_, latest)| latest == code) {
        return Ok(Some(version.clone()));
    }
    let Some(pin) = pin else { return Ok(None) };
    let pinned = place.code_of(&pin.version).await?;
    Ok((pinned.as_deref() == Some(code)).then(|| pin.version.clone()))
}

/// The version that the Action has, or the newest one.
async fn of_tenant(
    place: &Place<'_>,
    name: &str,
    stored: Option<Stored>,
    pin: Option<&Pin>,
) -> Result<(Version, String), Failure> {
    if let Some(pin) = pin
        && let Some(code) = place.code_of(&pin.version).await?
    {
        return Ok((pin.version.clone(), code));
    }
    stored.and_then(|stored| stored.latest).ok_or_else(|| {
        let name = escape(name, false);
        let text = format!(
            "the Action requires actions:{name}, and there is neither {MODULES}/{name}.js with it nor a published module \
             {name} in the tenant"
        );
        Failure::new(ExitCode::Action, text)
    })
}

fn not_deployed(module: &str) -> Failure {
    let module = escape(module, false);
    let text = format!(
        "--module-secret: this deploys no module {module}; it would be {MODULES}/{module}.js, and the Action would require \
         actions:{module}"
    );
    Failure::new(ExitCode::Usage, text)
}

/// A secret that cases have and the tenant has not is forgotten easily.
fn missing_secrets(
    authored: &Authored,
    name: &str,
    given: Option<&BTreeMap<String, String>>,
    stored: Option<&Stored>,
) -> Vec<String> {
    let in_cases = authored.project.iter().filter_map(|project| project.settings.module_secrets.get(name));
    let is_there = |secret: &&String| match given {
        Some(given) => given.contains_key(*secret),
        None => stored.is_some_and(|stored| stored.secrets.contains(*secret)),
    };
    in_cases.flat_map(BTreeMap::keys).filter(|secret| !is_there(secret)).cloned().collect()
}
