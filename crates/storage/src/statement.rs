//! A statement with its values, for either database.

use std::borrow::Cow;

/// What runs. The parameters are numbered, `$1` first.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub sql: Cow<'static, str>,
    pub values: Vec<Value>,
}

/// A value of a parameter, of one of the three types that the tables have.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Integer(Option<i64>),
    Text(Option<String>),
    Blob(Vec<u8>),
}

impl Statement {
    pub fn new(sql: impl Into<Cow<'static, str>>) -> Self {
        Self { sql: sql.into(), values: Vec::new() }
    }

    /// Gives the next parameter its value.
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// The name of a further parameter with this value, for SQL that is made of parts.
    pub fn push(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }
}

/// One statement of PostgreSQL's for several that do not depend on each other: each sees the tables as they were before
/// all of them. Its row has of each how many rows it changed or found. What costs most in a short statement is that it is
/// one.
pub(crate) fn together(statements: Vec<Statement>) -> Statement {
    let (mut parts, mut counts, mut values) = (String::from("WITH "), String::new(), Vec::new());
    for (index, statement) in statements.into_iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        let returning = if statement.sql.trim_start().starts_with("SELECT") { "" } else { " RETURNING 1" };
        let sql = renumbered(&statement.sql, values.len());
        parts += &format!("{comma}s{index} AS ({sql}{returning})");
        counts += &format!("{comma}(SELECT COUNT(*) FROM s{index}) AS c{index}");
        values.extend(statement.values);
    }
    Statement { sql: format!("{parts} SELECT {counts}").into(), values }
}

/// With each parameter's number so much higher.
fn renumbered(sql: &str, by: usize) -> String {
    let mut parts = sql.split('$');
    let mut renumbered = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let (number, rest) = part.split_at(end);
        match number.parse::<usize>() {
            Ok(number) => renumbered += &format!("${}{rest}", number + by),
            Err(_) => renumbered += &format!("${part}"),
        }
    }
    renumbered
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(Some(value))
    }
}

impl From<Option<i64>> for Value {
    fn from(value: Option<i64>) -> Self {
        Self::Integer(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::from(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::from(Some(value))
    }
}

/// PostgreSQL's text cannot hold U+0000, which clients and Actions can send. It is U+FFFD in both databases.
impl From<Option<String>> for Value {
    fn from(value: Option<String>) -> Self {
        Self::Text(value.map(|text| if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }))
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Blob(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_null_character_is_replaced() {
        assert_eq!(Value::from("a\0b"), Value::Text(Some("a\u{fffd}b".to_owned())));
    }

    #[test]
    fn together_each_keeps_its_values() {
        let update = Statement::new("UPDATE a SET b = $2 WHERE c = $1 OR d = $2").bind("c").bind(1);
        let select = Statement::new("SELECT e FROM f WHERE g = $1").bind("g");
        let both = together(vec![update, select]);
        assert_eq!(
            both.sql,
            "WITH s0 AS (UPDATE a SET b = $2 WHERE c = $1 OR d = $2 RETURNING 1), \
             s1 AS (SELECT e FROM f WHERE g = $3) \
             SELECT (SELECT COUNT(*) FROM s0) AS c0, (SELECT COUNT(*) FROM s1) AS c1"
        );
        assert_eq!(both.values, [Value::from("c"), Value::from(1), Value::from("g")]);
    }
}
