//! What people read: on standard output and standard error, escaped against terminal control characters, coloured on a
//! terminal only.

use std::fmt::{Display, Write as _};
use std::io::{self, IsTerminal, Write};

/// Where a command writes its answer.
pub struct Output {
    colour: bool,
}

/// How a piece of text looks on a terminal.
#[derive(Debug, Clone, Copy)]
pub enum Style {
    /// Headings.
    Bold,
    /// Beside the point.
    Dim,
    /// Good.
    Green,
    /// Mind this.
    Yellow,
    /// Wrong.
    Red,
}

impl Output {
    /// Standard output. Coloured on a terminal, unless `NO_COLOR` is set.
    pub fn stdout() -> Self {
        Self { colour: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() }
    }

    /// One line. A reader that has gone away is no error of ours.
    pub fn line(&self, text: impl Display) {
        let _ = writeln!(io::stdout().lock(), "{text}");
    }

    /// The text in this style, when there are colours.
    pub fn paint(&self, style: Style, text: impl Display) -> String {
        if !self.colour {
            return text.to_string();
        }
        let code = match style {
            Style::Bold => "1",
            Style::Dim => "2",
            Style::Green => "32",
            Style::Yellow => "33",
            Style::Red => "31",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// One JSON value, indented on a terminal, in one line otherwise.
    pub fn json(&self, value: &impl serde::Serialize) {
        let text = if std::io::stdout().is_terminal() {
            serde_json::to_string_pretty(value)
        } else {
            serde_json::to_string(value)
        };
        match text {
            Ok(text) => self.line(text),
            Err(cause) => error(&anyhow::Error::new(cause)),
        }
    }

    /// Rows with their columns below one another.
    pub fn table(&self, rows: &[Vec<String>]) {
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max().unwrap_or(0)
            })
            .collect();
        for row in rows {
            let mut line = String::new();
            for (index, (cell, wanted)) in row.iter().zip(&widths).enumerate() {
                line.push_str(cell);
                if index + 1 < row.len() {
                    line.extend(std::iter::repeat_n(' ', wanted.saturating_sub(width(cell)) + 2));
                }
            }
            self.line(line);
        }
    }
}

/// An error and its causes, on standard error.
pub fn error(error: &anyhow::Error) {
    let mut text = format!("postern: {error}");
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // Some errors repeat their cause in their own text.
        if !text.contains(&cause) {
            let _ = write!(text, "\n  because: {cause}");
        }
    }
    note(escape(&text, true));
}

/// A line for the person at the terminal that is no answer, on standard error.
pub fn note(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// What takes long and has begun, for a person who waits at a terminal.
pub fn progress(text: impl Display) {
    if io::stderr().is_terminal() {
        note(text);
    }
}

/// Text that someone else wrote, made safe for a terminal: control characters, and characters that turn the direction
/// of writing, are shown by number. `lines`: whether line ends and tabs stay.
pub fn escape(text: &str, lines: bool) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' if lines => safe.push(character),
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => {
                let _ = write!(safe, "\\u{{{:x}}}", u32::from(character));
            }
            _ if character.is_control() => safe.extend(character.escape_default()),
            _ => safe.push(character),
        }
    }
    safe
}

/// How many characters are seen: colours take none.
fn width(cell: &str) -> usize {
    let mut seen = 0;
    let mut in_colour = false;
    for character in cell.chars() {
        match character {
            '\x1b' => in_colour = true,
            'm' if in_colour => in_colour = false,
            _ if !in_colour => seen += 1,
            _ => {}
        }
    }
    seen
}

/// A length of time as people say it, from microseconds.
pub fn duration_us(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} us"),
        1_000..1_000_000 => format!("{}.{:02} ms", us / 1_000, us % 1_000 / 10),
        _ => format!("{}.{:02} s", us / 1_000_000, us % 1_000_000 / 10_000),
    }
}

/// A number with its thousands apart.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('_');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_cannot_write_to_the_terminal() {
        assert_eq!(escape("a\x1b[2Jb\r\n\u{202e}c\u{9b}", false), "a\\u{1b}[2Jb\\r\\n\\u{202e}c\\u{9b}");
        assert_eq!(escape("a\n\tb", true), "a\n\tb");
        assert_eq!(escape("Zürich", false), "Zürich");
    }

    #[test]
    fn colours_take_no_room() {
        assert_eq!(width("\x1b[31mred\x1b[0m"), 3);
    }

    #[test]
    fn numbers_are_readable() {
        assert_eq!(thousands(1_234_567), "1_234_567");
        assert_eq!(thousands(12), "12");
        assert_eq!(duration_us(165), "165 us");
        assert_eq!(duration_us(1_650), "1.65 ms");
    }
}
