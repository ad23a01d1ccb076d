//! Makes artifacts from what authors write: a memory image from a script, or a checked component.
//!
//! Building a script runs its top level, under limits, in the same sandbox as a login.

mod component;
mod edits;
mod es_modules;
mod image;
pub mod measure;
mod module_syntax;
mod parse;
mod source;
mod trace;
mod translate;
mod trivia;
mod typescript;
mod words;
mod world;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use action_api::{Artifact, ArtifactKind, GuestException, Limits, RunError};
use action_runtime::{Runtime, ScriptPackage, sha256_hex};

pub use source::{Program, SHARED, Source};
pub use trace::Lines;
use translate::translate_traced;
pub use words::{Words, words};
pub use world::{Power, WIT};

/// The most bytes that an image may have. It is stored, and kept in memory beside those of other tenants.
const MAX_IMAGE_BYTES: usize = 32 << 20;

/// Why a source did not become an artifact. The text is for its author.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A file cannot be read.
    #[error("cannot read {path}: {message}")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        message: String,
    },
    /// The file is neither a script nor a component, or is too large.
    #[error("{file}: {message}")]
    Unsuitable {
        /// The file as the author named it.
        file: String,
        /// What is wrong with it.
        message: String,
    },
    /// The script has a syntax error, or its top level failed: something thrown, no handler, or a limit. Or the server
    /// itself failed ([`RunError::Host`]).
    #[error("{0}")]
    Script(RunError),
}

impl BuildError {
    /// What the script threw, with the position in the author's own file, where there is one.
    #[must_use]
    pub fn exception(&self) -> Option<&GuestException> {
        match self {
            Self::Script(error) => error.exception(),
            _ => None,
        }
    }
}

/// Makes an artifact. The same source always makes the same one.
///
/// # Errors
/// [`BuildError`], whose text is for the author of the source.
pub fn build(runtime: &Runtime, source: &Source, limits: &Limits) -> Result<Artifact, BuildError> {
    match &source.program {
        Program::Script { code, modules } => {
            script(runtime, &source.file_name, code, modules, limits, false).map(|(artifact, _)| artifact)
        }
        Program::Component(bytes) => {
            let unsuitable = |message| BuildError::Unsuitable { file: source.file_name.clone(), message };
            let most = runtime.linked_component_bytes();
            let bytes = unpanicked(|| {
                let component = component::from_module(bytes)?;
                component::check(&component, most)?;
                Ok(component.into_owned())
            })
            .map_err(unsuitable)?;
            let digest = sha256_hex(&bytes);
            let artifact = Artifact { kind: ArtifactKind::Component, digest, bytes };
            match runtime.check_component(&artifact) {
                Ok(()) => Ok(artifact),
                Err(RunError::Refused { message }) => Err(unsuitable(message)),
                Err(error) => Err(BuildError::Script(error)),
            }
        }
    }
}

/// What an artifact may do: the interfaces that a component imports. `None` for a script, which has all of `api`; what it
/// uses of that cannot be told from its source.
///
/// # Errors
/// The artifact is of another version of the package. The text is for its author.
pub fn powers(artifact: &Artifact) -> Result<Option<Vec<Power>>, String> {
    match artifact.kind {
        ArtifactKind::MemoryImage { .. } => Ok(None),
        ArtifactKind::Component => unpanicked(|| world::check(&artifact.bytes)).map(Some),
    }
}

/// What reads components is made for those that compilers write. One that it cannot even refuse is refused here.
fn unpanicked<T>(read: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err("not a valid component".to_owned()))
}

/// Makes an artifact whose lines tell that they run, for [`Runtime::trace`], and which lines those are. `None` for a
/// component.
///
/// # Errors
/// As [`build`].
pub fn build_traced(
    runtime: &Runtime,
    source: &Source,
    limits: &Limits,
) -> Result<Option<(Artifact, Lines)>, BuildError> {
    match &source.program {
        Program::Script { code, modules } => {
            script(runtime, &source.file_name, code, modules, limits, true).map(Some)
        }
        Program::Component(_) => Ok(None),
    }
}

/// The image of a script.
fn script(
    runtime: &Runtime,
    file: &str,
    code: &str,
    modules: &BTreeMap<String, String>,
    limits: &Limits,
    traced: bool,
) -> Result<(Artifact, Lines), BuildError> {
    let mut lines = Lines::new();
    let sources = modules.iter().map(|(name, text)| (name.as_str(), text.as_str())).chain([(file, code)]);
    let scripts: BTreeMap<_, _> =
        sources.filter(|(name, _)| *name == file || !name.ends_with(".json")).collect();
    let mut translated = BTreeMap::new();
    for (number, (name, text)) in (0..).zip(scripts) {
        let result = translate_traced(name, text, traced.then_some(number))?;
        lines.insert(name.to_owned(), result.lines);
        translated.insert(name.to_owned(), result.code);
    }
    let code = translated.remove(file).unwrap_or_default();
    for (name, text) in modules.iter().filter(|(name, _)| name.ends_with(".json")) {
        translated.insert(name.clone(), text.clone());
    }
    let package = ScriptPackage { file, code: &code, modules: &translated, traced };
    let evaluated = runtime.evaluate(&package, limits).map_err(BuildError::Script)?;
    let bytes = image::encode(&evaluated.memory);
    if bytes.len() > MAX_IMAGE_BYTES {
        let message =
            format!("its top level leaves {} bytes of memory; the most is {MAX_IMAGE_BYTES}", bytes.len());
        return Err(BuildError::Unsuitable { file: file.to_owned(), message });
    }
    let kind = ArtifactKind::MemoryImage {
        engine: runtime.engine_digest().to_owned(),
        evaluated_at_login: evaluated.evaluated_at_login,
    };
    Ok((Artifact { kind, digest: sha256_hex(&bytes), bytes }, lines))
}
