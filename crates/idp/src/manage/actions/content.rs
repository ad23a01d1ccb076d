//! What belongs to an Action, and the rules for it.

use std::collections::BTreeMap;

use action_api::ArtifactKind;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::{ActionSource, Dependency, TriggerVersion};

use crate::manage::validate::rule;
use crate::manage::{ManageError, limits};
use crate::{BuildInput, Idp, ServerError};

/// The `runtime` of a component: its `code` is base64.
pub const COMPONENT_RUNTIME: &str = "wasm-component-v1";
/// The `runtime` of a script where its author names none.
pub const SCRIPT_RUNTIME: &str = "node22";
/// The runtimes that an Action may name: one engine runs all scripts.
pub const RUNTIMES: [&str; 5] = ["node12", "node16", "node18", SCRIPT_RUNTIME, COMPONENT_RUNTIME];
/// The one trigger that this server runs.
pub const POST_LOGIN: &str = "post-login";

/// Bytes of an Action's script; the files that it requires do not count.
const MAX_CODE_BYTES: usize = 100 << 10;
/// Bytes of the script and its files together.
const MAX_FILES_BYTES: usize = 8 << 20;

/// A trigger of the dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trigger {
    /// As `post-login`.
    pub id: &'static str,
    /// As `v3`.
    pub version: &'static str,
    /// Whether new Actions are to be made for it.
    pub is_current: bool,
}

/// What Actions may be made for here. Version 2 has the same handlers and methods; exported Actions are often of it.
pub const TRIGGERS: [Trigger; 2] = [
    Trigger { id: POST_LOGIN, version: "v3", is_current: true },
    Trigger { id: POST_LOGIN, version: "v2", is_current: false },
];

/// The dialect's other triggers, which never run here. Nothing can be bound to them.
const OTHER_TRIGGERS: [&str; 15] = [
    "credentials-exchange",
    "pre-user-registration",
    "post-user-registration",
    "post-change-password",
    "send-phone-message",
    "password-reset-post-challenge",
    "custom-phone-provider",
    "custom-email-provider",
    "custom-token-exchange",
    "event-stream",
    "password-hash-migration",
    "mcp-tool",
    "login-post-identifier",
    "signup-post-identifier",
    "post-credential-validation",
];

/// Whether the dialect has a trigger of that name.
pub(super) fn is_trigger(id: &str) -> bool {
    id == POST_LOGIN || OTHER_TRIGGERS.contains(&id)
}

/// Why nothing is made for this trigger.
pub(super) fn does_not_run(trigger: &str) -> ManageError {
    ManageError::invalid(format!(
        "the trigger {trigger} does not run on this server, and an Action for it would never do what it is for: only post-login runs"
    ))
}

/// One trigger, in a version that is here.
pub(super) fn triggers(triggers: &[TriggerVersion]) -> Result<(), ManageError> {
    let [trigger] = triggers else {
        return Err(ManageError::invalid("supported_triggers must have exactly one trigger"));
    };
    if OTHER_TRIGGERS.contains(&trigger.id.as_str()) {
        return Err(does_not_run(&trigger.id));
    }
    let known = TRIGGERS.iter().any(|known| known.id == trigger.id && known.version == trigger.version);
    rule(known, format!("unknown trigger: {} {}", trigger.id, trigger.version))
}

/// A script's runtime is a version of Node, whose names tools send; there is one engine for all of them.
pub(super) fn runtime(runtime: &str) -> Result<(), ManageError> {
    let number = runtime.strip_prefix("node").map(|rest| rest.strip_suffix("-actions").unwrap_or(rest));
    let is_script = number.is_some_and(|number| {
        (1..=2).contains(&number.len()) && number.bytes().all(|digit| digit.is_ascii_digit())
    });
    rule(
        is_script || runtime == COMPONENT_RUNTIME,
        format!(
            "unknown runtime: {runtime}. A script has one as {SCRIPT_RUNTIME}, a component {COMPONENT_RUNTIME}"
        ),
    )
}

pub(super) fn name(name: &str) -> Result<(), ManageError> {
    rule(
        !name.trim().is_empty()
            && name.len() <= limits::SHORT_NAME_BYTES
            && !name.chars().any(char::is_control),
        "an Action's name has 1 to 128 bytes",
    )
}

pub(in crate::manage) fn dependencies(dependencies: &[Dependency]) -> Result<(), ManageError> {
    rule(dependencies.len() <= limits::DEPENDENCIES, "at most 10 dependencies")?;
    let is_text = |text: &str| {
        (1..=limits::DEPENDENCY_BYTES).contains(&text.len()) && !text.chars().any(char::is_control)
    };
    rule(
        dependencies.iter().all(|it| is_text(&it.name) && is_text(&it.version)),
        "a dependency has a name and a version of 1 to 256 bytes",
    )
}

/// The rules for a script and its files. What a component may have is decided by whoever reads it.
pub(super) fn source(source: &ActionSource, is_component: bool) -> Result<(), ManageError> {
    let ActionSource { file_name, code, modules } = source;
    rule(
        is_component || code.len() <= MAX_CODE_BYTES,
        format!(
            "an Action's code has at most 100 kB ({MAX_CODE_BYTES} bytes), without the files that it requires, and this has {}",
            code.len()
        ),
    )?;
    let bytes: usize = modules.iter().map(|(name, text)| name.len() + text.len()).sum();
    rule(bytes <= MAX_FILES_BYTES, "the files of an Action have at most 8 MiB")?;
    let is_path = |name: &str| {
        (1..=256).contains(&name.len())
            && !name.chars().any(char::is_control)
            && name.split('/').all(|part| !matches!(part, "" | "." | ".."))
    };
    rule(is_path(file_name) && !file_name.contains(':'), "file_name is no name of a file")?;
    let wrong = modules.keys().find(|name| !is_path(name) || *name == file_name);
    rule(wrong.is_none(), "the name of a file is its path from the script's folder")
}

/// What is to be built.
pub(super) fn input(source: &ActionSource, runtime: &str) -> Result<BuildInput, String> {
    if runtime != COMPONENT_RUNTIME {
        return Ok(BuildInput::Script(source.clone()));
    }
    // Tools that write base64 break its lines.
    let encoded: String = source.code.split_ascii_whitespace().collect();
    let bytes = STANDARD.decode(encoded).map_err(|error| {
        format!("the code of a component is base64 of its bytes ({COMPONENT_RUNTIME}): {error}")
    })?;
    Ok(BuildInput::Component(bytes))
}

/// The runtime that an artifact of this kind has.
pub(super) fn runtime_of(kind: &ArtifactKind) -> &'static str {
    match kind {
        ArtifactKind::MemoryImage { .. } => SCRIPT_RUNTIME,
        ArtifactKind::Component => COMPONENT_RUNTIME,
    }
}

/// Keeps no code that the artifact has anyway: it would be stored twice for each version.
pub(super) fn without_copy(source: &mut ActionSource, artifact: &[u8], kind: &ArtifactKind) {
    if *kind == ArtifactKind::Component && source.code == STANDARD.encode(artifact) {
        source.code.clear();
    }
}

/// The code as its author sent it.
///
/// # Errors
/// [`ServerError`]
pub async fn code_of(
    idp: &Idp,
    source: &ActionSource,
    runtime: &str,
    digest: Option<&str>,
) -> Result<String, ServerError> {
    match digest {
        Some(digest) if runtime == COMPONENT_RUNTIME && source.code.is_empty() => {
            let (_, bytes) = idp
                .storage
                .artifact(digest)
                .await?
                .ok_or_else(|| ServerError::Inconsistent(format!("artifact {digest} is not there")))?;
            Ok(STANDARD.encode(bytes))
        }
        _ => Ok(source.code.clone()),
    }
}

/// The author's files, without the code of `actions:` modules.
pub fn files_of(source: &ActionSource) -> BTreeMap<String, String> {
    let own = source.modules.iter().filter(|(name, _)| !name.starts_with(MODULE_PREFIX));
    own.map(|(name, text)| (name.clone(), text.clone())).collect()
}

/// How the code of an `actions:` module is called among the files of an Action.
pub(super) const MODULE_PREFIX: &str = "actions:";
