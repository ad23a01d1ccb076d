//! Parts of lists: by number (`page`, `per_page`), by position (`from`, `take`), and the fields that are shown. A handler takes
//! [`Page`], [`PositionQuery`] (in [`ApiQuery`]), [`PartQuery`] or [`Fields`]; its `params` name the queries that these read.

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use idp::manage::{Listed, Span};
use idp::management_api::{open_position, seal_position};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::IntoParams;

use super::auth::ApiCaller;
use super::error::ApiError;
use super::extract::ApiQuery;
use crate::AppState;

/// The most rows of one answer.
pub(crate) const MOST: i64 = 100;
/// How many they are where the query does not say.
pub(crate) const DEFAULT: i64 = 50;

/// The query of lists by number.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// The first page is 0.
    page: Option<i64>,
    /// At most 100.
    per_page: Option<i64>,
    /// Whether the answer is an object with `total`.
    include_totals: Option<bool>,
}

/// The query of lists by position.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PositionQuery {
    /// What an answer gave as `next`.
    from: Option<String>,
    /// How many rows: at most 100, unless the operation allows more; absent: 50.
    take: Option<i64>,
}

/// The query of what is shown of an object.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FieldsQuery {
    /// Names of the fields that are shown, with commas between them.
    fields: Option<String>,
    /// `false`: those are the ones that are left out.
    include_fields: Option<bool>,
}

/// A part of a list by number: [`PageQuery`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page {
    page: i64,
    per_page: i64,
    include_totals: bool,
}

impl FromRequestParts<AppState> for Page {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        ApiQuery::<PageQuery>::from_request_parts(parts, state).await?.0.page()
    }
}

impl PageQuery {
    fn page(&self) -> Result<Page, ApiError> {
        Page::new(self.page, self.per_page, self.include_totals, DEFAULT)
    }
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

    /// Its number.
    pub(crate) fn number(&self) -> i64 {
        self.page
    }

    /// Which rows.
    pub(crate) fn span(&self) -> Span<'static> {
        Span {
            after: None,
            offset: self.page * self.per_page,
            limit: self.per_page,
            counted: self.include_totals,
        }
    }

    /// A bare array, or with totals the object `{start, limit, total, <name>}`.
    pub(crate) fn answer(&self, name: &str, listed: Listed<impl Serialize>) -> Json<Value> {
        let Listed { rows, total, .. } = listed;
        if !self.include_totals {
            return Json(json!(rows));
        }
        let Span { offset, limit, .. } = self.span();
        Json(json!({ "start": offset, "limit": limit, "total": total, name: rows }))
    }

    /// The same, with totals `length` besides: how many rows these are.
    pub(crate) fn answer_with_length(&self, name: &str, listed: Listed<impl Serialize>) -> Json<Value> {
        let length = listed.rows.len();
        let Json(mut answer) = self.answer(name, listed);
        if self.include_totals {
            answer["length"] = json!(length);
        }
        Json(answer)
    }
}

/// A part of a list by position.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    /// The list, so that the position of another one is refused.
    list: &'static str,
    after: Option<String>,
    take: i64,
    counted: bool,
}

impl Checkpoint {
    /// With `total`, if that is asked for.
    pub(crate) fn counted(self, include_totals: Option<bool>) -> Self {
        Self { counted: include_totals.unwrap_or(false), ..self }
    }

    /// Which rows.
    pub(crate) fn span(&self) -> Span<'_> {
        Span { after: self.after.as_deref(), offset: 0, limit: self.take, counted: self.counted }
    }

    /// `{<list>, next?, total?}`. There is a next one after the last row when the rows are as many as were asked for.
    pub(crate) fn answer(
        &self,
        caller: &ApiCaller,
        listed: Listed<impl Serialize>,
    ) -> Result<Json<Value>, ApiError> {
        let is_full = i64::try_from(listed.rows.len()).is_ok_and(|rows| rows == self.take);
        let mut answer = json!({ self.list: listed.rows });
        if let Some(key) = listed.last_key.filter(|_| is_full) {
            answer["next"] = json!(seal_position(caller.idp(), caller.context(), self.list, &key)?);
        }
        if self.counted {
            answer["total"] = json!(listed.total);
        }
        Ok(Json(answer))
    }
}

impl PositionQuery {
    fn is_empty(&self) -> bool {
        self.from.is_none() && self.take.is_none()
    }

    /// The part of this list. `list` is the name of the rows in the answer.
    pub(crate) fn part(&self, caller: &ApiCaller, list: &'static str) -> Result<Checkpoint, ApiError> {
        self.part_with_most(caller, list, MOST)
    }

    /// The same for a list whose answers may have more rows.
    pub(crate) fn part_with_most(
        &self,
        caller: &ApiCaller,
        list: &'static str,
        most: i64,
    ) -> Result<Checkpoint, ApiError> {
        let take = take_of(self.take, most)?;
        let after = self.from.as_deref().map(|from| {
            open_position(caller.idp(), caller.context(), list, from).ok_or_else(|| {
                let text =
                    "Query validation error: from is no position of this list, or was given over a day ago";
                ApiError::invalid_query(text)
            })
        });
        Ok(Checkpoint { list, after: after.transpose()?, take, counted: false })
    }
}

/// How many rows a list by position has.
pub(crate) fn take_of(take: Option<i64>, most: i64) -> Result<i64, ApiError> {
    let take = take.unwrap_or(DEFAULT);
    if !(1..=most).contains(&take) {
        return Err(ApiError::invalid_query(format!("Query validation error: take must be 1 to {most}")));
    }
    Ok(take)
}

/// A part of a list in either way.
#[derive(Debug)]
pub(crate) enum Part {
    Numbered(&'static str, Page),
    Positioned(Checkpoint),
}

/// Of lists by number, or by position where `from` or `take` is there: [`PageQuery`] and [`PositionQuery`].
#[derive(Debug)]
pub(crate) struct PartQuery(PageQuery, PositionQuery);

impl FromRequestParts<AppState> for PartQuery {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let ApiQuery(page) = ApiQuery::from_request_parts(parts, state).await?;
        let ApiQuery(position) = ApiQuery::from_request_parts(parts, state).await?;
        Ok(Self(page, position))
    }
}

impl PartQuery {
    /// The part of this list. `list` is the name of the rows in the answer.
    pub(crate) fn part(&self, caller: &ApiCaller, list: &'static str) -> Result<Part, ApiError> {
        let Self(page, position) = self;
        match position.is_empty() {
            true => Ok(Part::Numbered(list, page.page()?)),
            false => position.part(caller, list).map(Part::Positioned),
        }
    }

    /// The same for a list that refuses to be asked in both ways at once.
    pub(crate) fn part_in_one_way(&self, caller: &ApiCaller, list: &'static str) -> Result<Part, ApiError> {
        let Self(page, position) = self;
        if (page.page.is_some() || page.per_page.is_some()) && !position.is_empty() {
            let text = "Query validation error: page and per_page do not go with from and take";
            return Err(ApiError::invalid_query(text));
        }
        self.part(caller, list)
    }
}

impl Part {
    /// Which rows.
    pub(crate) fn span(&self) -> Span<'_> {
        match self {
            Self::Numbered(_, page) => page.span(),
            Self::Positioned(checkpoint) => checkpoint.span(),
        }
    }

    /// [`Page::answer`] or [`Checkpoint::answer`].
    pub(crate) fn answer(
        &self,
        caller: &ApiCaller,
        listed: Listed<impl Serialize>,
    ) -> Result<Json<Value>, ApiError> {
        match self {
            Self::Numbered(list, page) => Ok(page.answer(list, listed)),
            Self::Positioned(checkpoint) => checkpoint.answer(caller, listed),
        }
    }
}

/// The fields that are shown: [`FieldsQuery`].
#[derive(Debug, Default)]
pub(crate) struct Fields {
    names: Vec<String>,
    are_left_out: bool,
}

impl FromRequestParts<AppState> for Fields {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let ApiQuery(query) = ApiQuery::<FieldsQuery>::from_request_parts(parts, state).await?;
        let names = query.fields.as_deref().unwrap_or_default().split(',').map(str::trim);
        let names = names.filter(|name| !name.is_empty()).map(str::to_owned).collect();
        Ok(Self { names, are_left_out: query.include_fields == Some(false) })
    }
}

impl Fields {
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
