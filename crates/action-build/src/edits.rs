//! Changes to a source that leave all other text at its line and column.

/// Replacements of spans of one source, by byte offset.
pub(crate) struct Edits<'a> {
    source: &'a str,
    edits: Vec<Edit>,
}

struct Edit {
    start: usize,
    end: usize,
    text: String,
}

impl<'a> Edits<'a> {
    pub(crate) fn new(source: &'a str) -> Self {
        Self { source, edits: Vec::new() }
    }

    /// Puts spaces in the place of a span.
    pub(crate) fn blank(&mut self, start: usize, end: usize) {
        self.replace(start, end, "");
    }

    /// Puts code in the place of a span, and spaces for what it is shorter. Line breaks of the span stay. What follows on
    /// the line moves only where the code is longer than the span's first line.
    pub(crate) fn replace(&mut self, start: usize, end: usize, code: &str) {
        if start < end {
            let text = overlay(self.source.get(start..end).unwrap_or_default(), code);
            self.edits.push(Edit { start, end, text });
        }
    }

    /// As [`Self::blank`], but the last character becomes this one.
    pub(crate) fn blank_and_end_with(&mut self, start: usize, end: usize, last: char) {
        let old = self.source.get(start..end).unwrap_or_default();
        let Some((at, _)) = old.char_indices().next_back() else { return };
        let text = overlay(&old[..at], "") + &overlay(&old[at..], last.encode_utf8(&mut [0; 4]));
        self.edits.push(Edit { start, end, text });
    }

    /// Puts code between two characters. What follows on the line moves.
    pub(crate) fn insert(&mut self, at: usize, code: &str) {
        self.edits.push(Edit { start: at, end: at, text: code.into() });
    }

    /// Makes the last span that was blanked begin with a semicolon, if it ends here: the statement before it did.
    pub(crate) fn end_statement(&mut self, end: usize) {
        if let Some(edit) =
            self.edits.iter_mut().rev().take(8).find(|edit| edit.start < edit.end && edit.end == end)
            && edit.text.starts_with(|first: char| first.is_whitespace())
        {
            edit.text = overlay(&self.source[edit.start..edit.end], ";");
        }
    }

    /// The changed source; `None` when two changes contradict each other. A change inside of a larger one is dropped: what
    /// it would have changed is gone.
    pub(crate) fn finish(mut self) -> Option<String> {
        self.edits.sort_by_key(|edit| (edit.start, edit.start != edit.end, std::cmp::Reverse(edit.end)));
        let mut changed = String::with_capacity(self.source.len() + 256);
        let mut at = 0;
        for edit in &self.edits {
            if edit.start < at {
                if edit.end > at {
                    return None;
                }
                continue;
            }
            changed.push_str(self.source.get(at..edit.start)?);
            changed.push_str(&edit.text);
            at = edit.end;
        }
        changed.push_str(self.source.get(at..)?);
        Some(changed)
    }
}

/// The code, then white space up to the length of the old text's first line, then its other lines as white space.
fn overlay(old: &str, code: &str) -> String {
    let mut left = code.len();
    let mut text = String::with_capacity(old.len().max(left));
    text.push_str(code);
    for character in old.chars() {
        let line_break = matches!(character, '\n' | '\r' | '\u{2028}' | '\u{2029}');
        if line_break {
            left = 0;
            text.push(character);
        } else if left >= character.len_utf8() {
            left -= character.len_utf8();
        } else {
            for _ in left..character.len_utf8() {
                text.push(' ');
            }
            left = 0;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_stays() {
        assert_eq!(overlay("a: string", ""), "         ");
        assert_eq!(overlay("é\r\n😀\u{2028}x", ""), "  \r\n    \u{2028} ");
        assert_eq!(overlay("import a\nfrom 'b'", "x()"), "x()     \n        ");
        assert_eq!(overlay("ab\ncd", "12345"), "12345\n  ");
        assert_eq!(overlay("éa", "1"), "1  ");
    }

    #[test]
    fn changes_inside_of_a_larger_one_are_dropped() {
        let mut edits = Edits::new("abcdef");
        edits.replace(2, 3, "x");
        edits.blank(1, 4);
        edits.insert(4, "!");
        assert_eq!(edits.finish().as_deref(), Some("a   !ef"));
        let mut edits = Edits::new("abcdef");
        edits.blank(0, 3);
        edits.blank(2, 5);
        assert_eq!(edits.finish(), None);
    }
}
