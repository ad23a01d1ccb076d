use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::BuildError;
use crate::translate::translate;

/// Bytes of a script with all of its modules.
const MAX_SCRIPT_BYTES: u64 = 8 << 20;
/// Bytes of a component that are read. How many it may have is decided when it is built.
const MAX_COMPONENT_FILE_BYTES: u64 = 64 << 20;
/// What may be left out of a module's name, as in `prelude/modules.js`.
const ENDINGS: [&str; 8] = ["", ".js", ".ts", ".mjs", ".cjs", ".json", "/index.js", "/index.ts"];
/// How the name of a module begins that Actions of a tenant share.
pub const SHARED: &str = "actions:";
/// How files of languages end whose compilers make components.
const COMPILED_TO_COMPONENTS: [&str; 4] = ["c", "go", "py", "rs"];
const COMPILED: [(&str, &str); 3] = [(".js", ".ts"), (".mjs", ".mts"), (".cjs", ".cts")];

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
    /// JavaScript or TypeScript, as CommonJS or ES modules. A file's name says which language it is in.
    Script {
        /// The script itself.
        code: String,
        /// The files that it requires or imports, by their path from the script's folder.
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
    /// Files are found by `require`, `import` and `export from` with a literal name that begins with `./` or `../`, from the
    /// script's folder downwards. What is not there is left out: `require` throws then.
    ///
    /// # Errors
    /// [`BuildError`] when a file cannot be read or has a syntax error, or the whole is too large.
    pub fn read(path: &Path) -> Result<Self, BuildError> {
        let file_name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            check_size(path, MAX_COMPONENT_FILE_BYTES)?;
            let bytes = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
            return Ok(Self::component(&file_name, bytes));
        }
        if path.extension().is_some_and(|extension| COMPILED_TO_COMPONENTS.iter().any(|it| extension == *it))
        {
            let message = "no script; a compiler makes a component of it: name that (.wasm), or the folder whose action.toml says \
                           how it is built";
            return Err(BuildError::Unsuitable { file: file_name, message: message.to_owned() });
        }
        Self::read_script(path.parent().unwrap_or(Path::new("")), &file_name)
    }

    /// Reads a script by its path from a folder, with the files of that folder that it requires.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub fn read_script(folder: &Path, name: &str) -> Result<Self, BuildError> {
        let code = read_text(&folder.join(name))?;
        let modules = Bundle::new(folder.to_path_buf(), code.len() as u64).collect(name, &code)?;
        Ok(Self { file_name: name.to_owned(), program: Program::Script { code, modules } })
    }

    /// Takes in the modules `actions:NAME` that the script and its files require or import by a literal name, as `NAME.js` of
    /// this folder. On a server they are what the tenant has published. What is not there is left out, as by
    /// [`Source::read`]. The answer is all names, without `actions:`.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub fn add_shared_modules(&mut self, folder: &Path) -> Result<BTreeSet<String>, BuildError> {
        let Program::Script { code, modules } = &mut self.program else { return Ok(BTreeSet::new()) };
        let mut names = BTreeSet::new();
        let own = std::iter::once((&self.file_name, &*code));
        for (name, text) in own.chain(&*modules).filter(|(name, _)| !name.ends_with(".json")) {
            let requires = translate(name, text)?.requires;
            names.extend(requires.iter().filter_map(|name| name.strip_prefix(SHARED)).map(str::to_owned));
        }
        for name in &names {
            let file = folder.join(format!("{name}.js"));
            let is_name = !name.is_empty()
                && name.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_'));
            if is_name && file.is_file() {
                modules.insert(format!("{SHARED}{name}"), read_text(&file)?);
            }
        }
        Ok(names)
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

    fn collect(mut self, main: &str, code: &str) -> Result<BTreeMap<String, String>, BuildError> {
        let mut open = required_paths(main, code)?;
        while let Some(wanted) = open.pop() {
            let Some(name) = self.find(&wanted) else { continue };
            if name == main || self.modules.contains_key(&name) {
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
                open.extend(required_paths(&name, &text)?);
            }
            self.modules.insert(name, text);
        }
        Ok(self.modules)
    }

    /// The first file that a path can mean, in the order of `prelude/modules.js`.
    fn find(&self, wanted: &str) -> Option<String> {
        let written = ENDINGS.iter().map(|ending| format!("{wanted}{ending}"));
        // TypeScript names a module by the file that it becomes.
        let typescript = COMPILED.iter().filter_map(|(compiled, source)| {
            wanted.strip_suffix(compiled).map(|path| format!("{path}{source}"))
        });
        written.chain(typescript).find(|name| self.folder.join(name).is_file())
    }
}

/// The paths that a file requires or imports, from the script's folder.
fn required_paths(name: &str, text: &str) -> Result<Vec<String>, BuildError> {
    let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
    let requires = translate(name, text)?.requires;
    let relative = requires.iter().filter(|name| name.starts_with("./") || name.starts_with("../"));
    Ok(relative.filter_map(|name| join(folder, name)).collect())
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

    #[test]
    fn shared_modules_are_those_of_their_folder_that_something_requires() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        };
        write(
            "action.ts",
            "import './lib';\nimport { a } from 'actions:one';\nrequire('actions:gone');\na();",
        );
        write("lib.ts", "require('actions:two'); require('actions:../action'); require('actions:')");
        for name in ["one", "two", "unused", ""] {
            write(&format!("modules/{name}.js"), "require('actions:unused')");
        }
        let mut source = Source::read(&folder.path().join("action.ts")).expect("a source");
        let names = source.add_shared_modules(&folder.path().join("modules")).expect("they can be read");
        assert_eq!(names.iter().collect::<Vec<_>>(), ["", "../action", "gone", "one", "two"]);
        let Program::Script { modules, .. } = source.program else { panic!("not a script") };
        assert_eq!(modules.keys().collect::<Vec<_>>(), ["actions:one", "actions:two", "lib.ts"]);
    }
}
