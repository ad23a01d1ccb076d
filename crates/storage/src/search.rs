//! A query of the Management API (`model::search`) as the condition of a statement. Fields become columns by a list that
//! the code has; values become parameters. Nothing else of a query gets into a statement.

use std::borrow::Cow;

use model::Timestamp;
use model::search::{Bound, Condition, Query, Test};

use crate::LogId;
use crate::statement::{Statement, Value};

/// What a query may ask of one field.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    /// As queries name it.
    pub field: Cow<'static, str>,
    /// The column, or an expression.
    pub sql: Cow<'static, str>,
    pub kind: ColumnKind,
    /// What stands before and after a test of it: `EXISTS` over the values of which one must pass.
    pub around: Option<[String; 2]>,
}

/// What values a column has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnKind {
    /// Compared as it is.
    Text,
    /// Compared in lower case: `sql` yields lower case.
    LowerCase,
    /// The same in the letters A to Z alone.
    AsciiLowerCase,
    /// A number, a truth value or a text, as text. It has no ranges: 10 would be less than 9.
    Any,
    Number,
    /// 0 or 1.
    Flag,
    /// Milliseconds since the epoch; a date, or a date with a time, in a query.
    Time,
    /// A pair of numbers that a log's id stands for.
    LogId,
}

/// Why a query cannot be answered; for whoever wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SearchError(pub(crate) String);

type Sql = Result<String, SearchError>;

/// Finds the column of a field; it may give the statement values.
pub(crate) type Columns<'a> = dyn FnMut(&str, &mut Statement) -> Option<Column> + 'a;

/// The condition, in parentheses, and the statement's values with those of the query.
pub(crate) fn condition(query: &Query, columns: &mut Columns<'_>, statement: &mut Statement) -> Sql {
    let mut join = |parts: &[Query], word: &str| -> Sql {
        let parts: Result<Vec<_>, _> = parts.iter().map(|part| condition(part, columns, statement)).collect();
        Ok(format!("({})", parts?.join(word)))
    };
    match query {
        Query::And(parts) => join(parts, " AND "),
        Query::Or(parts) => join(parts, " OR "),
        // What is not there is not what is asked for, so that its opposite holds.
        Query::Not(part) => Ok(format!("NOT COALESCE({}, FALSE)", condition(part, columns, statement)?)),
        Query::Is(Condition { field: Some(field), test }) => {
            let column = columns(field, statement);
            let column =
                column.ok_or_else(|| SearchError(format!("the field {field} cannot be searched")))?;
            let test = column.test(test, statement)?;
            Ok(match &column.around {
                None => test,
                Some([before, after]) => format!("{before}{test}{after}"),
            })
        }
        Query::Is(Condition { field: None, .. }) => {
            Err(SearchError("each condition needs a field, as in type:\"f\"".to_owned()))
        }
    }
}

impl Column {
    fn test(&self, test: &Test, statement: &mut Statement) -> Sql {
        let sql = &self.sql;
        match test {
            Test::Exists if self.kind == ColumnKind::LogId => Ok("TRUE".to_owned()),
            Test::Exists => Ok(format!("({sql} IS NOT NULL)")),
            Test::Equals(value) => match self.kind {
                // A day is all of its moments.
                ColumnKind::Time if day(value) => {
                    let from = self.value(value)?;
                    let to = match &from {
                        Value::Integer(Some(from)) => Value::Integer(Some(from + DAY_MS)),
                        other => other.clone(),
                    };
                    let (from, to) = (statement.push(from), statement.push(to));
                    Ok(format!("({sql} >= {from} AND {sql} < {to})"))
                }
                _ => Ok(format!("({sql} = {})", self.parameter(value, statement)?)),
            },
            Test::StartsWith(start) => match self.kind {
                ColumnKind::Text | ColumnKind::LowerCase | ColumnKind::AsciiLowerCase | ColumnKind::Any => {
                    let start = statement.push(self.value(start)?);
                    Ok(format!("(SUBSTR({sql}, 1, LENGTH({start})) = {start})"))
                }
                _ => Err(SearchError(format!("the field {} has no wildcards", self.field))),
            },
            Test::Range { .. } if self.kind == ColumnKind::Any => {
                Err(SearchError(format!("the field {} has no ranges", self.field)))
            }
            Test::Range { from, to } => {
                let from = from.as_ref().map(|bound| self.bound(bound, ">", statement)).transpose()?;
                let to = to.as_ref().map(|bound| self.bound(bound, "<", statement)).transpose()?;
                let both: Vec<_> = from.into_iter().chain(to).collect();
                match both.is_empty() {
                    true => self.test(&Test::Exists, statement),
                    false => Ok(format!("({})", both.join(" AND "))),
                }
            }
        }
    }

    /// `sign` is `<` or `>`.
    fn bound(&self, Bound { value, inclusive }: &Bound, sign: &str, statement: &mut Statement) -> Sql {
        let sql = &self.sql;
        // A day as the end of a range is in it until its last moment, and as its beginning, without it, after that.
        if self.kind == ColumnKind::Time
            && day(value)
            && *inclusive == (sign == "<")
            && let Value::Integer(Some(moment)) = self.value(value)?
        {
            let sign = if sign == "<" { "<" } else { ">=" };
            return Ok(format!("{sql} {sign} {}", statement.push((moment + DAY_MS).into())));
        }
        let or_equal = if *inclusive { "=" } else { "" };
        Ok(format!("{sql} {sign}{or_equal} {}", self.parameter(value, statement)?))
    }

    fn parameter(&self, text: &str, statement: &mut Statement) -> Sql {
        if self.kind != ColumnKind::LogId {
            return Ok(statement.push(self.value(text)?));
        }
        let Some(LogId { date, id }) = LogId::parse(text) else {
            return Err(SearchError(format!("{text:?} is no log_id")));
        };
        let (date, id) = (statement.push(date.as_ms().into()), statement.push(id.into()));
        Ok(format!("({date}, {id})"))
    }

    fn value(&self, text: &str) -> Result<Value, SearchError> {
        let wrong =
            |what: &str| SearchError(format!("{text:?} is no {what}, which the field {} has", self.field));
        match self.kind {
            ColumnKind::Text | ColumnKind::Any | ColumnKind::LogId => Ok(text.into()),
            ColumnKind::AsciiLowerCase => Ok(text.to_ascii_lowercase().into()),
            ColumnKind::LowerCase => Ok(text.to_lowercase().into()),
            ColumnKind::Number => text.parse::<i64>().map(Value::from).map_err(|_| wrong("whole number")),
            ColumnKind::Flag => match text {
                "true" => Ok(1.into()),
                "false" => Ok(0.into()),
                _ => Err(wrong("true or false")),
            },
            ColumnKind::Time => {
                let whole = if day(text) { format!("{text}T00:00:00Z") } else { text.to_owned() };
                Timestamp::parse_iso(&whole).map(|moment| moment.as_ms().into()).ok_or_else(|| wrong("date"))
            }
        }
    }
}

const DAY_MS: i64 = 24 * 3600 * 1000;

/// Whether it is a day, as `2026-01-31`, and not a moment.
fn day(text: &str) -> bool {
    text.len() == "2026-01-31".len() && !text.contains('T')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(field: &str, _: &mut Statement) -> Option<Column> {
        let (sql, kind) = match field {
            "name" => ("name", ColumnKind::Text),
            "email" => ("LOWER(email)", ColumnKind::LowerCase),
            "count" => ("count", ColumnKind::Number),
            "blocked" => ("blocked", ColumnKind::Flag),
            "date" => ("date", ColumnKind::Time),
            "plan" => ("item", ColumnKind::Any),
            _ => return None,
        };
        let around = (field == "plan").then(|| ["EXISTS (".to_owned(), ")".to_owned()]);
        Some(Column { field: field.to_owned().into(), sql: sql.into(), kind, around })
    }

    fn translate(text: &str) -> Result<(String, Vec<Value>), SearchError> {
        let mut statement = Statement::new("").bind("tenant");
        let sql = condition(&Query::parse(text).unwrap(), &mut column, &mut statement)?;
        Ok((sql, statement.values.split_off(1)))
    }

    #[test]
    fn values_are_parameters() {
        let day = Timestamp::parse_iso("2026-01-02T00:00:00Z").unwrap().as_ms();
        for (text, sql, values) in [
            ("name:\"x'; DROP TABLE logs\"", "(name = $2)", vec!["x'; DROP TABLE logs".into()]),
            ("email:Ada*", "(SUBSTR(LOWER(email), 1, LENGTH($2)) = $2)", vec!["ada".into()]),
            ("NOT name:a", "NOT COALESCE((name = $2), FALSE)", vec!["a".into()]),
            (
                "name:a AND (count:>5 OR blocked:true)",
                "((name = $2) AND ((count > $3) OR (blocked = $4)))",
                vec!["a".into(), 5.into(), 1.into()],
            ),
            ("date:2026-01-02", "(date >= $2 AND date < $3)", vec![day.into(), (day + DAY_MS).into()]),
            (
                "date:[2026-01-02 TO 2026-01-02]",
                "(date >= $2 AND date < $3)",
                vec![day.into(), (day + DAY_MS).into()],
            ),
            ("date:{2026-01-02 TO *]", "(date >= $2)", vec![(day + DAY_MS).into()]),
            ("date:[2026-01-02T00:00:00Z TO *]", "(date >= $2)", vec![day.into()]),
            ("NOT plan:10", "NOT COALESCE(EXISTS ((item = $2)), FALSE)", vec!["10".into()]),
            ("name:*", "(name IS NOT NULL)", vec![]),
        ] {
            assert_eq!(translate(text).unwrap(), (sql.to_owned(), values), "{text}");
        }
    }

    #[test]
    fn what_no_column_can_answer_is_an_error() {
        for text in [
            "colour:red",
            "Ada",
            "plan:[1 TO 2]",
            "tenant_id:x",
            "count:many",
            "count:1*",
            "blocked:1",
            "date:today",
            "date:[2026-13-01 TO *]",
        ] {
            assert!(translate(text).is_err(), "{text}");
        }
    }
}
