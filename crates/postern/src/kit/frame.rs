//! Where in an author's file something went wrong.

use std::path::{Component, Path, PathBuf};

use action_api::GuestException;

use super::runner::MODULES;
use crate::render::{Output, Style, escape};

/// How much of a file is read, and of a line shown.
const MAX_FILE_BYTES: u64 = 8 << 20;
const MAX_SHOWN_CHARACTERS: usize = 160;
/// How many lines are shown above the one that is meant.
const LINES_ABOVE: usize = 2;

/// `file:line:column`, and the lines with a mark below the place. `main` is the Action's own file.
pub fn code_frame(output: &Output, main: &Path, exception: &GuestException) {
    let Some(line) = exception.line else { return };
    let named = exception.file.clone().unwrap_or_else(|| main.display().to_string());
    let column = exception.column.unwrap_or(1).max(1) as usize;
    output.line(format!(
        "  {} {}",
        output.paint(Style::Bold, "at"),
        escape(&format!("{named}:{line}:{column}"), false)
    ));
    let Some(source) = source_of(main, exception) else { return };
    let lines: Vec<&str> = source.lines().collect();
    let Some(index) = (line as usize).checked_sub(1).filter(|index| *index < lines.len()) else { return };
    let width = line.to_string().len();
    output.line(format!("  {:width$} |", ""));
    for (offset, text) in lines[..=index].iter().enumerate().skip(index.saturating_sub(LINES_ABOVE)) {
        let shown: String =
            escape(&text.replace('\t', " "), false).chars().take(MAX_SHOWN_CHARACTERS).collect();
        output.line(format!("  {:width$} | {shown}", offset + 1).trim_end());
    }
    if column <= MAX_SHOWN_CHARACTERS {
        output.line(format!(
            "  {:width$} | {:above$}{}",
            "",
            "",
            output.paint(Style::Red, "^"),
            above = column - 1
        ));
    }
}

/// The line in which it was thrown.
pub fn source_line(main: &Path, exception: &GuestException) -> Option<String> {
    let index = (exception.line? as usize).checked_sub(1)?;
    source_of(main, exception)?.lines().nth(index).map(str::to_owned)
}

fn source_of(main: &Path, exception: &GuestException) -> Option<String> {
    let path = file_of(main, exception.file.as_deref())?;
    let is_small = std::fs::metadata(&path).is_ok_and(|file| file.is_file() && file.len() <= MAX_FILE_BYTES);
    is_small.then(|| std::fs::read_to_string(path).ok()).flatten()
}

/// The file on disk: the Action's own, or a module in its folder or below. An Action writes its traces itself, so nothing
/// else is ever read for one, also not through a link.
fn file_of(main: &Path, named: Option<&str>) -> Option<PathBuf> {
    let main_name = main.file_name()?.to_str()?;
    let Some(named) = named.filter(|named| *named != main_name) else { return Some(main.to_path_buf()) };
    let shared = named.strip_prefix("actions:").map(|name| format!("{MODULES}/{name}.js"));
    let named = Path::new(shared.as_deref().unwrap_or(named));
    let goes_down = named.components().all(|part| matches!(part, Component::Normal(_)));
    let is_source = named
        .extension()
        .and_then(|ending| ending.to_str())
        .is_some_and(|ending| ["js", "cjs", "mjs", "ts", "cts", "mts", "json"].contains(&ending));
    if !goes_down || !is_source {
        return None;
    }
    let folder = main.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.canonicalize().ok()?;
    let file = folder.join(named).canonicalize().ok()?;
    file.starts_with(&folder).then_some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_action_and_modules_below_its_folder_are_read() {
        let root = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, text).expect("written");
        };
        write("secret.js", "outside");
        write("app/action.js", "first\nsecond");
        write("app/lib/deep/a.ts", "one\ntwo\nthree");
        write("app/notes.txt", "notes");
        std::os::unix::fs::symlink(root.path().join("secret.js"), root.path().join("app/link.js"))
            .expect("a link");
        let main = root.path().join("app/action.js");
        let line = |file: &str, line: u32| {
            let exception =
                GuestException { file: Some(file.into()), line: Some(line), ..GuestException::default() };
            source_line(&main, &exception)
        };
        assert_eq!(line("action.js", 2).as_deref(), Some("second"));
        assert_eq!(line("lib/deep/a.ts", 3).as_deref(), Some("three"));
        let absolute = root.path().join("secret.js");
        for file in [
            "../secret.js",
            "lib/../../secret.js",
            "link.js",
            "notes.txt",
            "gone.js",
            absolute.to_str().expect("text"),
        ] {
            assert_eq!(line(file, 1), None, "{file}");
        }
        assert_eq!(line("action.js", 3), None);
    }
}
