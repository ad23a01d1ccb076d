//! `postern action new`: a folder with an Action that works, its cases and its settings.
//!
//! The templates are the folders of `actions/templates`: one for each language, and `common`, whose files every new folder
//! gets. In each file `{{name}}` stands for the Action's name.

use std::io;
use std::path::{Path, PathBuf};

use include_dir::{Dir, DirEntry, include_dir};

use super::c_bindings::c_bindings;
use super::event;

static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../actions/templates");
/// What a template needs beside its own files, by its language, and the folder that it gets them in.
static LIBRARIES: [(&str, &str, Dir<'_>); 2] = [
    ("rust", "postern-actions", include_dir!("$CARGO_MANIFEST_DIR/../../actions/sdk-rust")),
    ("python", "wit/deps/postern-actions", include_dir!("$CARGO_MANIFEST_DIR/../../wit")),
];
/// The events that every new folder gets, of those that the program has.
const EVENTS: [&str; 2] = ["native-to-web", "ordinary-login"];

/// The folder whose files every new folder gets.
const COMMON: &str = "common";

/// The languages that there are templates for, by their folders.
pub fn languages() -> Vec<&'static str> {
    let folders = TEMPLATES.dirs().filter_map(|folder| folder.path().to_str());
    let mut languages: Vec<&str> = folders.filter(|name| *name != COMMON).collect();
    languages.sort_unstable();
    languages
}

/// Why there is no new folder.
#[derive(Debug, thiserror::Error)]
pub enum NewError {
    /// Not a name.
    #[error(
        "{0:?} is no name for an Action: it has lower-case letters, digits, `-` and `_`, and begins with a letter"
    )]
    Name(String),
    /// It is there already.
    #[error("{} is there already; nothing was written", .0.display())]
    Exists(PathBuf),
    /// What is generated could not be.
    #[error("{0}")]
    Bindings(String),
    /// The file system refused.
    #[error("cannot write {}: {cause}", .path.display())]
    Write {
        /// What.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
}

/// Files by their path in the new folder.
type Files = Vec<(PathBuf, Vec<u8>)>;

/// Makes the folder, all of it or nothing.
///
/// # Errors
/// [`NewError`]; then there is no new folder.
pub fn create(folder: &Path, language: &str) -> Result<(), NewError> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let fits = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte));
    if !fits {
        return Err(NewError::Name(name));
    }
    let exists = || NewError::Exists(folder.to_path_buf());
    if folder.symlink_metadata().is_ok() {
        return Err(exists());
    }
    let written = |path: &Path| {
        let path = path.to_path_buf();
        move |cause| NewError::Write { path, cause }
    };
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Beside the place that it gets: a rename does not cross file systems.
    let unfinished =
        tempfile::Builder::new().prefix(".postern-new-").tempdir_in(parent).map_err(written(parent))?;
    for (path, content) in files(language, &name)? {
        let path = unfinished.path().join(path);
        if let Some(within) = path.parent() {
            std::fs::create_dir_all(within).map_err(written(within))?;
        }
        std::fs::write(&path, content).map_err(written(&path))?;
    }
    make_readable(unfinished.path()).map_err(written(folder))?;
    // Refuses to take the place of a folder that has anything in it.
    std::fs::rename(unfinished.path(), folder).map_err(|cause| match cause.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty => exists(),
        _ => NewError::Write { path: folder.to_path_buf(), cause },
    })?;
    Ok(())
}

/// A temporary folder is for its owner alone; one of sources has the usual mode.
fn make_readable(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let inner = folder.join("tests");
    let usual = std::fs::metadata(inner)?.permissions().mode();
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(usual))
}

fn files(language: &str, name: &str) -> Result<Files, NewError> {
    let mut files = Files::new();
    for folder in [COMMON, language] {
        if let Some(folder) = TEMPLATES.get_dir(folder) {
            collect(folder, folder.path(), name, &mut files);
        }
    }
    for event in EVENTS {
        let text = event::built_in(event).unwrap_or_default();
        files.push((Path::new("events").join(event).with_extension("json"), text.into()));
    }
    for (_, place, library) in LIBRARIES.iter().filter(|library| library.0 == language) {
        let mut of_library = Files::new();
        collect(library, library.path(), name, &mut of_library);
        files.extend(of_library.into_iter().map(|(path, content)| (Path::new(place).join(path), content)));
    }
    for (path, text) in types(language) {
        files.push((path.into(), (*text).into()));
    }
    if language == "c" {
        let bindings = c_bindings().map_err(NewError::Bindings)?;
        files.extend(bindings.into_iter().map(|(name, content)| (Path::new("bindings").join(name), content)));
    }
    Ok(files)
}

/// The declarations for editors, by their path in the new folder.
fn types(language: &str) -> &'static [(&'static str, &'static str)] {
    match language {
        "javascript" | "typescript" => &[
            ("types/postern-actions.d.ts", include_str!("../../../../actions/sdk-js/index.d.ts")),
            ("types/test.d.ts", include_str!("test_module.d.ts")),
        ],
        _ => &[],
    }
}

fn collect(folder: &Dir<'_>, root: &Path, name: &str, files: &mut Files) {
    for entry in folder.entries() {
        match entry {
            DirEntry::Dir(inner) => collect(inner, root, name, files),
            DirEntry::File(file) => {
                let path = file.path().strip_prefix(root).unwrap_or(file.path()).to_path_buf();
                let content = match file.contents_utf8() {
                    Some(text) => text.replace("{{name}}", name).into_bytes(),
                    None => file.contents().to_vec(),
                };
                files.push((path, content));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_a_template_with_settings() {
        for language in languages() {
            let files = files(language, "x").expect("files");
            let has = |wanted: &str| files.iter().any(|(path, _)| path == Path::new(wanted));
            assert!(has("action.toml") && has("README.md") && has("events/native-to-web.json"), "{language}");
            assert!(has("tests/native-to-web.toml"), "{language}");
            let left = files.iter().find(|(_, content)| content.windows(8).any(|part| part == b"{{name}}"));
            assert!(left.is_none(), "{language}: {left:?}");
        }
    }

    #[test]
    fn a_folder_that_is_there_is_left_alone() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = place.path().join("limit");
        create(&folder, "javascript").expect("made");
        std::fs::write(folder.join("action.js"), "mine").expect("written");
        assert!(matches!(create(&folder, "javascript"), Err(NewError::Exists(_))));
        assert_eq!(std::fs::read_to_string(folder.join("action.js")).expect("read"), "mine");
        for bad in ["", "1", "Limit", "a b", "..", "a/../é"] {
            assert!(create(&place.path().join(bad), "javascript").is_err(), "{bad}");
        }
        assert_eq!(std::fs::read_dir(place.path()).expect("read").count(), 1, "nothing is left behind");
    }
}
