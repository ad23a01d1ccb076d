//! What a script finds when it starts: our own JavaScript, compiled once for each engine and kept with its compiled code.

use std::collections::BTreeMap;
use std::sync::Arc;

use action_api::Limits;
use wasmtime::Engine;

use crate::RuntimeError;
use crate::cache::{CodeCache, sha256_hex};
use crate::engine::{JsEngine, length};
use crate::host::Host;
use crate::operations::Source;

/// One function of one argument, made of the files of `actions/js-engine/prelude/`.
static PRELUDE: &str = concat!(
    "(function (host) {\n'use strict';\n",
    include_str!("../../../actions/js-engine/prelude/primordials.js"),
    include_str!("../../../actions/js-engine/prelude/parts.js"),
    include_str!("../../../actions/js-engine/prelude/console.js"),
    include_str!("../../../actions/js-engine/prelude/modules.js"),
    include_str!("../../../actions/js-engine/prelude/operations.js"),
    include_str!("../../../actions/js-engine/prelude/timers.js"),
    include_str!("../../../actions/js-engine/prelude/builtins.js"),
    include_str!("../../../actions/js-engine/prelude/cache.js"),
    include_str!("../../../actions/js-engine/prelude/api_checks.js"),
    include_str!("../../../actions/js-engine/prelude/api_metadata.js"),
    include_str!("../../../actions/js-engine/prelude/api_factors.js"),
    include_str!("../../../actions/js-engine/prelude/api_redirect.js"),
    include_str!("../../../actions/js-engine/prelude/api_saml.js"),
    include_str!("../../../actions/js-engine/prelude/api_lookups.js"),
    include_str!("../../../actions/js-engine/prelude/api.js"),
    include_str!("../../../actions/js-engine/prelude/start.js"),
    "})",
);

/// A file of parts: a function of what all of them use (`shared` in builtins.js, which lists the same).
macro_rules! part {
    ($file:literal) => {
        (
            $file,
            concat!(
                "'use strict';\n(function ({ host, native, makers, part, Uint8Array_, ArrayBuffer_, isView, DOMException_, parseJson, utf8, ",
                "utf8Text, isBuffer, bytesOf, concatBytes, toBase64, fromBase64, define, tag, nodeError, inspected, ",
                "stringify, String_, Error_, TypeError_, isFinite_, isArray, keysOf, prototypeOf, bind, hasOwn, isError, ",
                "timerFunctions, operation, startOperation, cancelOperation, console, usual }) {\n",
                include_str!(concat!("../../../actions/js-engine/prelude/parts/", $file, ".js")),
                "})",
            ),
        )
    };
}

/// The parts that come when a script first reads something of them (parts.js).
static PARTS: [(&str, &str); 16] = [
    part!("body"),
    part!("buffer"),
    part!("clone"),
    part!("crypto"),
    part!("encoding"),
    part!("events"),
    part!("fetch"),
    part!("inspect"),
    part!("intl"),
    part!("node_assert"),
    part!("node_crypto"),
    part!("node_events"),
    part!("node_small"),
    part!("node_url"),
    part!("node_util"),
    part!("url"),
];

/// Globals, and modules of Node, that are made at deploy when a script's source names them: a run need not make them then.
const PREPARED_GLOBALS: [&str; 17] = [
    "AbortController",
    "AbortSignal",
    "Blob",
    "Buffer",
    "FormData",
    "Headers",
    "Intl",
    "Request",
    "Response",
    "TextDecoder",
    "TextEncoder",
    "URL",
    "URLSearchParams",
    "console",
    "crypto",
    "fetch",
    "structuredClone",
];
const PREPARED_MODULES: [&str; 6] = ["buffer", "crypto", "events", "querystring", "url", "util"];

/// The names that `prepare` of builtins.js takes, of those that the source has: globals, and modules with `node:`.
pub(crate) fn mentions<'a>(sources: impl Iterator<Item = &'a str> + Clone) -> Vec<String> {
    let quoted = |module: &&&str| {
        sources.clone().any(|source| {
            ["'", "\"", "`"].iter().any(|quote| {
                source.contains(&format!("{quote}{module}{quote}"))
                    || source.contains(&format!("{quote}node:{module}{quote}"))
            })
        })
    };
    let named = |name: &&&str| {
        // Dates and numbers have methods that need it.
        let in_language = |source: &str| **name == "Intl" && source.contains(".toLocale");
        sources.clone().any(|source| has_word(source, name) || in_language(source))
    };
    let globals = PREPARED_GLOBALS.iter().filter(named);
    let modules = PREPARED_MODULES.iter().filter(quoted).map(|module| format!("node:{module}"));
    globals.map(ToString::to_string).chain(modules).collect()
}

fn has_word(source: &str, word: &str) -> bool {
    let part_of_name = |character: char| character.is_alphanumeric() || character == '_' || character == '$';
    source.match_indices(word).any(|(at, _)| {
        let (before, after) = (&source[..at], &source[at + word.len()..]);
        !before.ends_with(part_of_name) && !before.ends_with('.') && !after.starts_with(part_of_name)
    })
}

/// The prelude as bytecode.
pub(crate) struct Prelude {
    /// The function that `boot` evaluates.
    pub(crate) code: Vec<u8>,
    /// By file, the function that makes its parts.
    pub(crate) parts: BTreeMap<String, Vec<u8>>,
}

/// Names the prelude.
pub(crate) fn digest() -> String {
    let sources: String = PARTS.iter().map(|(_, source)| *source).chain([PRELUDE]).collect();
    sha256_hex(sources.as_bytes())
}

impl Prelude {
    /// Compiles it, unless the cache has it.
    pub(crate) fn load(engine: &Engine, cache: &CodeCache, js: &JsEngine) -> Result<Arc<Self>, RuntimeError> {
        let key = sha256_hex(format!("prelude {}", js.digest).as_bytes());
        let kept = cache.get(engine, &key, || Ok(join(&Self::compile(engine, js)?)))?;
        let mut compiled = split(&kept).into_iter();
        let code = compiled.next().unwrap_or_default();
        let parts = PARTS.iter().map(|(file, _)| (*file).to_owned()).zip(compiled).collect();
        Ok(Arc::new(Self { code, parts }))
    }

    /// Compiles each in one engine that is thrown away: what a parser leaves behind is in no image.
    fn compile(engine: &Engine, js: &JsEngine) -> wasmtime::Result<Vec<Vec<u8>>> {
        let limits = Limits {
            fuel: u64::MAX,
            wall_clock_ms: 0,
            memory_bytes: 64 << 20,
            stack_bytes: 0,
            event_bytes: 0,
            commands: 0,
            command_bytes: 0,
            console_bytes: 0,
            host_calls: 0,
            operations: 0,
            operation_bytes: 0,
            http_requests: 0,
            http_answer_bytes: 0,
        };
        let mut store = crate::host::store(engine, Host::new(&limits, 0, &[0; 32], Source::Nothing))?;
        store.set_epoch_deadline(u64::MAX / 2);
        let running = js.start(&mut store)?;
        let sources = [("prelude", PRELUDE)].into_iter().chain(PARTS);
        let mut compiled = Vec::with_capacity(PARTS.len() + 1);
        for (file, source) in sources {
            let at = running.write(&mut store, &[source.as_bytes()])?;
            let parameters = (at, length(source.as_bytes())?);
            let place = running
                .func::<(u32, u32), u64>(&mut store, "compile_prelude")?
                .call(&mut store, parameters)?;
            compiled.push(running.compiled(&store, place).ok_or_else(|| {
                wasmtime::Error::msg(format!("{file}.js does not compile: {:?}", store.data().exception))
            })?);
        }
        Ok(compiled)
    }
}

/// Each with its length before it.
fn join(pieces: &[Vec<u8>]) -> Vec<u8> {
    let mut joined = Vec::new();
    for piece in pieces {
        joined.extend_from_slice(&(piece.len() as u64).to_le_bytes());
        joined.extend_from_slice(piece);
    }
    joined
}

fn split(mut joined: &[u8]) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    while let Some((length, rest)) = joined.split_first_chunk::<8>() {
        let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX).min(rest.len());
        let (piece, rest) = rest.split_at(length);
        pieces.push(piece.to_vec());
        joined = rest;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_source_names_is_found_by_whole_words() {
        let of = |source: &str| mentions([source].into_iter());
        assert_eq!(of("const a = await fetch(x)"), ["fetch"]);
        assert_eq!(of("prefetch(); this.fetch(); fetched; event.crypto"), Vec::<String>::new());
        assert_eq!(of("new URL(x); require('crypto')"), ["URL", "crypto", "node:crypto"]);
        assert_eq!(of("require(\"node:util\")"), ["node:util"]);
        assert_eq!(of("date.toLocaleTimeString()"), ["Intl"]);
    }

    #[test]
    fn pieces_are_split_as_they_were_joined() {
        let pieces = vec![vec![1, 2, 3], vec![], vec![4]];
        assert_eq!(split(&join(&pieces)), pieces);
    }
}
