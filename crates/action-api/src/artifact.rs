use serde::{Deserialize, Serialize};

/// What a deploy makes of a source and a login runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// What it is made of.
    pub kind: ArtifactKind,
    /// SHA-256 of `bytes`, lower-case hexadecimal: the artifact's name everywhere.
    pub digest: String,
    /// A Wasm module that holds a memory image, or a component.
    pub bytes: Vec<u8>,
}

/// The two kinds of artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ArtifactKind {
    /// A memory image for the shared JS engine.
    MemoryImage {
        /// The digest of the engine that made it and that alone can run it.
        engine: String,
        /// Whether the script's top level runs at each login, because it reads the clock or randomness.
        evaluated_at_login: bool,
    },
    /// A component of the world `postern:actions/post-login`.
    Component,
}
