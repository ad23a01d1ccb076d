//! Parts of lists.

use serde_json::Value;

/// Which rows of a list: `limit` of them after the one with the key `after`, without the first `offset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span<'a> {
    /// What [`Listed::last_key`] was; `None`: from the first one.
    pub after: Option<&'a str>,
    /// How many are passed over.
    pub offset: i64,
    /// How many are wanted.
    pub limit: i64,
    /// Whether all that there are, are counted.
    pub counted: bool,
}

impl Span<'_> {
    /// The whole list, not counted.
    pub const ALL: Span<'static> = Span { after: None, offset: 0, limit: i64::MAX, counted: false };

    /// This part of a list that is short by its nature, and so read whole.
    #[must_use]
    pub fn of<T>(&self, all: Vec<T>) -> Listed<T> {
        let count = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
        let total = i64::try_from(all.len()).unwrap_or(i64::MAX);
        let rows = all.into_iter().skip(count(self.offset)).take(count(self.limit)).collect();
        Listed { rows, total, last_key: None }
    }
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed<T = Value> {
    /// The objects.
    pub rows: Vec<T>,
    /// How many there are in all, where they were counted.
    pub total: i64,
    /// The place of the last one, to go on from, in lists that have such places.
    pub last_key: Option<String>,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), total: 0, last_key: None }
    }
}

impl<T> Listed<T> {
    /// The same with each row in another form.
    pub fn map<U>(self, form: impl FnMut(T) -> U) -> Listed<U> {
        let Self { rows, total, last_key } = self;
        Listed { rows: rows.into_iter().map(form).collect(), total, last_key }
    }
}
