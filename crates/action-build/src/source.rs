use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::BuildError;
use crate::component::MAX_COMPONENT_BYTES;

/// Bytes of a script with all of its modules.
const MAX_SCRIPT_BYTES: u64 = 8 << 20;

/// What an author wrote, read from disk or sent to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The name that positions in errors carry, as `action.js`.
    pub file_name: String,
    /// A script or a component.
    pub program: Program,
}

/// The two kinds of source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// JavaScript (CommonJS).
    Script {
        /// The script itself.
        code: String,
        /// The files that it requires, by their path from the script's folder.
        modules: BTreeMap<String, String>,
    },
    /// A Wasm component.
    Component(Vec<u8>),
}

impl Source {
    /// A script without modules.
    #[must_use]
    pub fn script(file_name: &str, code: &str) -> Self {
        Self {
            file_name: file_name.into(),
            program: Program::Script { code: code.into(), modules: BTreeMap::new() },
        }
    }

    /// A component.
    #[must_use]
    pub fn component(file_name: &str, bytes: Vec<u8>) -> Self {
        Self { file_name: file_name.into(), program: Program::Component(bytes) }
    }

    /// Reads a script with the files that it requires, or a component (`.wasm`).
    ///
    /// Files are found by `require('./name')` with a literal name, from the script's folder downwards. What is not there
    /// is left out: `require` throws then.
    ///
    /// # Errors
    /// [`BuildError`] when a file cannot be read or the whole is too large.
    pub fn read(path: &Path) -> Result<Self, BuildError> {
        let file_name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            check_size(path, MAX_COMPONENT_BYTES)?;
            let bytes = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
            return Ok(Self::component(&file_name, bytes));
        }
        let code = read_text(path)?;
        let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
        let modules = Bundle::new(folder, code.len() as u64).collect(&code)?;
        Ok(Self { file_name, program: Program::Script { code, modules } })
    }
}

struct Bundle {
    folder: PathBuf,
    bytes: u64,
    modules: BTreeMap<String, String>,
}

impl Bundle {
    fn new(folder: PathBuf, bytes: u64) -> Self {
        Self { folder, bytes, modules: BTreeMap::new() }
    }

    fn collect(mut self, code: &str) -> Result<BTreeMap<String, String>, BuildError> {
        let mut open: Vec<String> = requires(code).iter().filter_map(|name| join("", name)).collect();
        while let Some(wanted) = open.pop() {
            let Some(name) = self.find(&wanted) else { continue };
            if self.modules.contains_key(&name) {
                continue;
            }
            let text = read_text(&self.folder.join(&name))?;
            self.bytes += text.len() as u64;
            if self.bytes > MAX_SCRIPT_BYTES {
                return Err(BuildError::Unsuitable {
                    file: name,
                    message: format!("the script and its modules are more than {MAX_SCRIPT_BYTES} bytes"),
                });
            }
            if !name.ends_with(".json") {
                let inside = name.rsplit_once('/').map_or("", |(inside, _)| inside);
                open.extend(requires(&text).iter().filter_map(|required| join(inside, required)));
            }
            self.modules.insert(name, text);
        }
        Ok(self.modules)
    }

    /// The endings that `require` tries, in its order (`prelude/modules.js`).
    fn find(&self, wanted: &str) -> Option<String> {
        ["", ".js", ".json", "/index.js"]
            .iter()
            .map(|ending| format!("{wanted}{ending}"))
            .find(|name| self.folder.join(name).is_file())
    }
}

fn read_text(path: &Path) -> Result<String, BuildError> {
    check_size(path, MAX_SCRIPT_BYTES)?;
    std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))
}

fn check_size(path: &Path, most: u64) -> Result<(), BuildError> {
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if metadata.len() <= most {
        return Ok(());
    }
    let message = format!("{} bytes; the most is {most}", metadata.len());
    Err(BuildError::Unsuitable { file: path.display().to_string(), message })
}

fn unreadable(path: &Path, error: &std::io::Error) -> BuildError {
    BuildError::Read { path: path.display().to_string(), message: error.to_string() }
}

/// Joins and resolves `.` and `..`; `None` when the path leaves the script's folder.
fn join(folder: &str, specifier: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in specifier.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// The relative names in `require('...')` and `require("...")`. One in a comment is found too, which does no harm.
fn requires(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("require") {
        let rest = code[at + "require".len()..].trim_start();
        let Some(rest) = rest.strip_prefix('(').map(str::trim_start) else { continue };
        let Some(quote) = rest.chars().next().filter(|quote| matches!(quote, '\'' | '"' | '`')) else {
            continue;
        };
        let Some((name, _)) = rest[1..].split_once(quote) else { continue };
        if name.starts_with("./") || name.starts_with("../") {
            found.push(name.to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_requires_are_followed_inside_the_folder_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = folder.path().join("app").join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        };
        write(
            "action.js",
            "require('./lib/a'); require( \"./data.json\"); require('fs'); require('../out'); require('./gone')",
        );
        write("lib/a.js", "require('../b.js')");
        write("b.js", "require('./lib/a')");
        write("data.json", "{}");
        write("../out.js", "secret");
        let source = Source::read(&folder.path().join("app/action.js")).expect("a source");
        let Program::Script { modules, .. } = source.program else { panic!("not a script") };
        assert_eq!(modules.keys().collect::<Vec<_>>(), ["b.js", "data.json", "lib/a.js"]);
    }
}
