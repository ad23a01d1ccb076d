//! Parts of lists: by number (`page`, `per_page`), by position (`from`, `take`), and the fields that are shown.

use idp::management_api::{open_position, seal_position};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::auth::ApiCaller;
use super::error::ApiError;
use crate::AppState;

/// The most rows of one answer.
pub(super) const MOST: i64 = 100;

/// `page`, `per_page` and `include_totals`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page {
    page: i64,
    per_page: i64,
    include_totals: bool,
}

impl Page {
    /// From the query's values; `default` rows when it does not say how many.
    pub(crate) fn new(
        page: Option<i64>,
        per_page: Option<i64>,
        include_totals: Option<bool>,
        default: i64,
    ) -> Result<Self, ApiError> {
        let (page, per_page) = (page.unwrap_or(0), per_page.unwrap_or(default));
        if !(0..=i64::from(i32::MAX)).contains(&page) {
            return Err(ApiError::invalid_query("Query validation error: page must be 0 or more"));
        }
        if !(0..=MOST).contains(&per_page) {
            return Err(ApiError::invalid_query("Query validation error: per_page must be 0 to 100"));
        }
        Ok(Self { page, per_page, include_totals: include_totals.unwrap_or(false) })
    }

    /// The first row.
    pub(crate) fn offset(&self) -> i64 {
        self.page * self.per_page
    }

    /// How many rows.
    pub(crate) fn limit(&self) -> i64 {
        self.per_page
    }

    /// Whether the answer says how many rows there are in all.
    pub(crate) fn has_total(&self) -> bool {
        self.include_totals
    }

    /// A bare array, or with totals the object `{start, limit, total, <name>}`.
    pub(crate) fn answer(&self, name: &str, total: i64, rows: Vec<Value>) -> Value {
        if !self.include_totals {
            return Value::Array(rows);
        }
        json!({ "start": self.offset(), "limit": self.per_page, "total": total, name: rows })
    }

    /// The same, with totals `length` besides: how many rows these are.
    pub(crate) fn answer_with_length(&self, name: &str, total: i64, rows: Vec<Value>) -> Value {
        let length = rows.len();
        let mut answer = self.answer(name, total, rows);
        if self.include_totals {
            answer["length"] = json!(length);
        }
        answer
    }

    /// The object of the Actions family: `{<name>, total, page, per_page}`; `page` and `total` are not there when they are 0.
    /// A page behind the last one has no `total`: clients of Go ask for pages until there is none.
    pub(crate) fn actions_answer(&self, name: &str, total: i64, rows: Vec<Value>) -> Value {
        let total = if rows.is_empty() { 0 } else { total };
        let mut answer = json!({ name: rows, "per_page": self.per_page });
        for (name, value) in [("page", self.page), ("total", total)] {
            if value != 0 {
                answer[name] = json!(value);
            }
        }
        answer
    }
}

/// `from` and `take`.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    /// The list, so that the position of another one is refused.
    list: &'static str,
    /// The key of the row before the first one.
    pub(crate) after: Option<String>,
    /// How many rows.
    pub(crate) take: i64,
}

impl Checkpoint {
    /// From the query's values; 50 rows when it does not say how many. `list` is the name of the rows in the answer.
    pub(crate) fn new(
        state: &AppState,
        caller: &ApiCaller,
        list: &'static str,
        from: Option<&str>,
        take: Option<i64>,
    ) -> Result<Self, ApiError> {
        Self::with_most(state, caller, list, from, take, MOST)
    }

    /// The same for a list whose answers may have more rows.
    pub(crate) fn with_most(
        state: &AppState,
        caller: &ApiCaller,
        list: &'static str,
        from: Option<&str>,
        take: Option<i64>,
        most: i64,
    ) -> Result<Self, ApiError> {
        let take = take.unwrap_or(50);
        if !(1..=most).contains(&take) {
            let text = format!("Query validation error: take must be 1 to {most}");
            return Err(ApiError::invalid_query(text));
        }
        let after = from.map(|from| {
            open_position(&state.idp, caller.context(), list, from).ok_or_else(|| {
                let text =
                    "Query validation error: from is no position of this list, or was given over a day ago";
                ApiError::invalid_query(text)
            })
        });
        Ok(Self { list, after: after.transpose()?, take })
    }

    /// `{<list>, next?}`. There is a next one after the row with `last_key` when the rows are as many as were asked for.
    pub(crate) fn answer(
        &self,
        state: &AppState,
        caller: &ApiCaller,
        rows: Vec<Value>,
        last_key: Option<&str>,
    ) -> Result<Value, ApiError> {
        let is_full = i64::try_from(rows.len()).is_ok_and(|rows| rows == self.take);
        let mut answer = json!({ self.list: rows });
        if let Some(key) = last_key.filter(|_| is_full) {
            answer["next"] = json!(seal_position(&state.idp, caller.context(), self.list, key)?);
        }
        Ok(answer)
    }
}

/// `fields` and `include_fields`.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    names: Vec<String>,
    are_left_out: bool,
}

impl Fields {
    pub(crate) fn new(fields: Option<&str>, include_fields: Option<bool>) -> Self {
        let names = fields.unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty());
        Self { names: names.map(str::to_owned).collect(), are_left_out: include_fields == Some(false) }
    }

    /// Whether this field is shown.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|known| known == name) != self.are_left_out
    }

    /// What is shown of an answer.
    pub(crate) fn shown(&self, answer: &impl Serialize) -> Value {
        match json!(answer) {
            Value::Object(object) => Value::Object(self.select(object)),
            other => other,
        }
    }

    /// The object with what is shown of it.
    pub(crate) fn select(&self, object: Map<String, Value>) -> Map<String, Value> {
        object.into_iter().filter(|(name, _)| self.has(name)).collect()
    }
}
