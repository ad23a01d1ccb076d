//! A query of the Management API (`model::search`) as the condition of a statement. Fields become columns by a list that
//! the code has; values become parameters. Nothing else of a query gets into a statement.

use model::Timestamp;
use model::search::{Bound, Condition, Query, Test};

use crate::LogId;
use crate::statement::{Statement, Value};

/// What a query may ask of one field.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    /// As queries name it.
    pub field: &'static str,
    /// The column, or an expression of it that both databases know.
    pub sql: &'static str,
    pub kind: ColumnKind,
}

/// What values a column has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnKind {
    /// Compared as it is.
    Text,
    /// Compared in lower case: `sql` yields lower case.
    LowerCase,
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

/// The condition, in parentheses, and the statement's values with those of the query. `words` are the columns in which a
/// word without a field is looked for; without any, there is no such word.
pub(crate) fn condition(
    query: &Query,
    columns: &[Column],
    words: &[Column],
    statement: &mut Statement,
) -> Sql {
    let join = |parts: &[Query], word: &str, statement: &mut Statement| -> Sql {
        let parts: Result<Vec<_>, _> =
            parts.iter().map(|part| condition(part, columns, words, statement)).collect();
        Ok(format!("({})", parts?.join(word)))
    };
    match query {
        Query::And(parts) => join(parts, " AND ", statement),
        Query::Or(parts) => join(parts, " OR ", statement),
        // What is not there is not what is asked for, so that its opposite holds.
        Query::Not(part) => {
            Ok(format!("NOT COALESCE({}, FALSE)", condition(part, columns, words, statement)?))
        }
        Query::Is(Condition { field: Some(field), test }) => {
            let column = columns.iter().find(|column| column.field == field);
            let column =
                column.ok_or_else(|| SearchError(format!("the field {field} cannot be searched")))?;
            column.test(test, statement)
        }
        Query::Is(Condition { field: None, test }) => {
            if words.is_empty() {
                return Err(SearchError("each condition needs a field, as in type:\"f\"".to_owned()));
            }
            let tests: Result<Vec<_>, _> = words.iter().map(|column| column.test(test, statement)).collect();
            Ok(format!("({})", tests?.join(" OR ")))
        }
    }
}

impl Column {
    fn test(&self, test: &Test, statement: &mut Statement) -> Sql {
        let sql = self.sql;
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
                ColumnKind::Text | ColumnKind::LowerCase => {
                    let start = statement.push(self.value(start)?);
                    Ok(format!("(SUBSTR({sql}, 1, LENGTH({start})) = {start})"))
                }
                _ => Err(SearchError(format!("the field {} has no wildcards", self.field))),
            },
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
        let sql = self.sql;
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
            ColumnKind::Text | ColumnKind::LogId => Ok(text.into()),
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

    const COLUMNS: &[Column] = &[
        Column { field: "name", sql: "name", kind: ColumnKind::Text },
        Column { field: "email", sql: "LOWER(email)", kind: ColumnKind::LowerCase },
        Column { field: "count", sql: "count", kind: ColumnKind::Number },
        Column { field: "blocked", sql: "blocked", kind: ColumnKind::Flag },
        Column { field: "date", sql: "date", kind: ColumnKind::Time },
    ];

    fn translate(text: &str) -> Result<(String, Vec<Value>), SearchError> {
        let mut statement = Statement::new("").bind("tenant");
        let sql = condition(&Query::parse(text).unwrap(), COLUMNS, &COLUMNS[..2], &mut statement)?;
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
            ("Ada", "((name = $2) OR (LOWER(email) = $3))", vec!["Ada".into(), "ada".into()]),
            ("name:*", "(name IS NOT NULL)", vec![]),
        ] {
            assert_eq!(translate(text).unwrap(), (sql.to_owned(), values), "{text}");
        }
    }

    #[test]
    fn what_no_column_can_answer_is_an_error() {
        for text in [
            "colour:red",
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
