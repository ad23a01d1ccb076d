//! The query language of the Management API's parameter `q`, for users and logs: the common part of Lucene's syntax.
//!
//! ```text
//! type:"f" AND (client_id:abc OR client_id:def) AND NOT user_name:admin* AND date:[2026-01-01 TO *]
//! ```
//!
//! Two conditions need `AND` or `OR` between them: Lucene's default for nothing is surprising. What may be asked of which
//! field is not known here.

/// The most conditions in a query.
const MAX_CONDITIONS: usize = 50;
/// The deepest that parentheses and `NOT` may be nested.
const MAX_DEPTH: usize = 10;

/// What must hold of what is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// All of them; there is at least one.
    And(Vec<Query>),
    /// Any of them; there is at least one.
    Or(Vec<Query>),
    /// The opposite.
    Not(Box<Query>),
    /// One condition.
    Is(Condition),
}

/// What must hold of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// As it was written, with its dots. `None`: a word without a field, which is looked for everywhere.
    pub field: Option<String>,
    /// What its value must be.
    pub test: Test,
}

/// What a value must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// The same text.
    Equals(String),
    /// It begins with this: `abc*`.
    StartsWith(String),
    /// There is one: `*`, `_exists_:field`.
    Exists,
    /// `[from TO to]`, `>from`, `<=to` and the like.
    Range {
        /// `None`: `*`.
        from: Option<Bound>,
        /// `None`: `*`.
        to: Option<Bound>,
    },
}

/// One end of a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// As it was written.
    pub value: String,
    /// Whether the range holds the value itself: `[` and `]`, not `{` and `}`.
    pub inclusive: bool,
}

/// What is wrong with a query, for whoever wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}, at character {at} of the query")]
pub struct QueryError {
    /// The first character is 1.
    pub at: usize,
    reason: String,
}

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// [`QueryError`] for what is not understood.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let mut parser = Parser { characters: text.chars().collect(), at: 0, conditions: 0 };
        let query = parser.any(None, 0)?;
        match parser.peek() {
            None => Ok(query),
            Some(_) => Err(parser.error("AND, OR or the end is expected")),
        }
    }

    /// The conditions that hold for all that is found: those that are joined by `AND` alone.
    #[must_use]
    pub fn required(&self) -> Vec<&Condition> {
        match self {
            Self::Is(condition) => vec![condition],
            Self::And(all) => all.iter().flat_map(Self::required).collect(),
            Self::Or(_) | Self::Not(_) => Vec::new(),
        }
    }
}

struct Parser {
    characters: Vec<char>,
    at: usize,
    conditions: usize,
}

impl Parser {
    fn error(&self, reason: impl Into<String>) -> QueryError {
        QueryError { at: self.at + 1, reason: reason.into() }
    }

    /// The next character that is no space.
    fn peek(&mut self) -> Option<char> {
        while self.here().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
        self.here()
    }

    fn here(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    /// Whether this comes next; then it is read.
    fn take(&mut self, expected: char) -> bool {
        let found = self.peek() == Some(expected);
        self.at += usize::from(found);
        found
    }

    /// The same of an operator: a word, which ends with a space or a parenthesis, or a sign.
    fn take_operator(&mut self, word: &str, sign: &str) -> bool {
        self.peek();
        let starts =
            |text: &str| text.chars().enumerate().all(|(i, c)| self.characters.get(self.at + i) == Some(&c));
        let after = self.characters.get(self.at + word.len());
        let length = match () {
            () if starts(word) && after.is_none_or(|c| c.is_whitespace() || *c == '(') => word.len(),
            () if starts(sign) => sign.len(),
            () => return false,
        };
        self.at += length;
        true
    }

    /// `a OR b`; `AND` binds closer.
    fn any(&mut self, field: Option<&str>, depth: usize) -> Result<Query, QueryError> {
        let mut alternatives = vec![self.all(field, depth)?];
        while self.take_operator("OR", "||") {
            alternatives.push(self.all(field, depth)?);
        }
        Ok(one_or(alternatives, Query::Or))
    }

    fn all(&mut self, field: Option<&str>, depth: usize) -> Result<Query, QueryError> {
        let mut parts = vec![self.part(field, depth)?];
        while self.take_operator("AND", "&&") {
            parts.push(self.part(field, depth)?);
        }
        Ok(one_or(parts, Query::And))
    }

    fn part(&mut self, field: Option<&str>, depth: usize) -> Result<Query, QueryError> {
        if depth > MAX_DEPTH {
            return Err(self.error("there are too many parentheses in one another"));
        }
        if self.take_operator("NOT", "!") || self.take('-') {
            return Ok(Query::Not(Box::new(self.part(field, depth + 1)?)));
        }
        if self.take('(') {
            let inner = self.any(field, depth + 1)?;
            return self
                .take(')')
                .then_some(inner)
                .ok_or_else(|| self.error("a closing parenthesis is missing"));
        }
        self.condition(field, depth)
    }

    fn condition(&mut self, field: Option<&str>, depth: usize) -> Result<Query, QueryError> {
        self.conditions += 1;
        if self.conditions > MAX_CONDITIONS {
            return Err(self.error(format!("there are more than {MAX_CONDITIONS} conditions")));
        }
        if field.is_none()
            && let Some(name) = self.field_name()
        {
            if name == "_exists_" || name == "_missing_" {
                let Test::Equals(field) = self.test()? else {
                    return Err(self.error("a field's name is expected"));
                };
                let exists = Query::Is(Condition { field: Some(field), test: Test::Exists });
                return Ok(if name == "_exists_" { exists } else { Query::Not(Box::new(exists)) });
            }
            if self.take('(') {
                let inner = self.any(Some(&name), depth + 1)?;
                let closed = self.take(')');
                return closed.then_some(inner).ok_or_else(|| self.error("a closing parenthesis is missing"));
            }
            return Ok(Query::Is(Condition { field: Some(name), test: self.test()? }));
        }
        Ok(Query::Is(Condition { field: field.map(str::to_owned), test: self.test()? }))
    }

    /// `name:`, when that is what comes next.
    fn field_name(&mut self) -> Option<String> {
        self.peek();
        let rest = self.characters.get(self.at..)?;
        let end = rest.iter().position(|c| !(c.is_ascii_alphanumeric() || ['_', '.', '-'].contains(c)))?;
        if end == 0 || rest.get(end) != Some(&':') {
            return None;
        }
        let name = rest.iter().take(end).collect();
        self.at += end + 1;
        Some(name)
    }

    fn test(&mut self) -> Result<Test, QueryError> {
        match self.peek() {
            Some('[' | '{') => self.range(),
            Some('"') => self.quoted().map(Test::Equals),
            Some(sign @ ('>' | '<')) => {
                self.at += 1;
                let inclusive = self.here() == Some('=');
                self.at += usize::from(inclusive);
                let bound = Some(Bound { value: self.value()?, inclusive });
                Ok(match sign {
                    '>' => Test::Range { from: bound, to: None },
                    _ => Test::Range { from: None, to: bound },
                })
            }
            _ => self.word(),
        }
    }

    fn range(&mut self) -> Result<Test, QueryError> {
        let from_inclusive = self.here() == Some('[');
        self.at += 1;
        let from = self.bound(from_inclusive)?;
        if !self.take_operator("TO", "TO ") {
            return Err(self.error("TO is expected"));
        }
        let mut to = self.bound(true)?;
        match self.peek() {
            Some(']') => {}
            Some('}') => {
                if let Some(to) = &mut to {
                    to.inclusive = false;
                }
            }
            _ => return Err(self.error("the range has no end")),
        }
        self.at += 1;
        Ok(Test::Range { from, to })
    }

    /// `None`: `*`.
    fn bound(&mut self, inclusive: bool) -> Result<Option<Bound>, QueryError> {
        if self.take('*') {
            return Ok(None);
        }
        Ok(Some(Bound { value: self.value()?, inclusive }))
    }

    /// A value that may have no wildcard.
    fn value(&mut self) -> Result<String, QueryError> {
        if self.peek() == Some('"') {
            return self.quoted();
        }
        match self.word()? {
            Test::Equals(value) => Ok(value),
            _ => Err(self.error("a range has no wildcards")),
        }
    }

    fn quoted(&mut self) -> Result<String, QueryError> {
        self.at += 1;
        let mut value = String::new();
        loop {
            let Some(character) = self.here() else {
                return Err(self.error("a closing quotation mark is missing"));
            };
            self.at += 1;
            match character {
                '"' => return Ok(value),
                '\\' => {
                    value.push(self.here().ok_or_else(|| self.error("nothing follows the backslash"))?);
                    self.at += 1;
                }
                character => value.push(character),
            }
        }
    }

    /// A value without quotation marks; a star at its end is a wildcard.
    fn word(&mut self) -> Result<Test, QueryError> {
        self.peek();
        let mut value = String::new();
        while let Some(character) = self.here() {
            match character {
                c if c.is_whitespace() || [')', ']', '}'].contains(&c) => break,
                '*' => {
                    self.at += 1;
                    if self.here().is_some_and(|c| !c.is_whitespace() && ![')', ']', '}'].contains(&c)) {
                        return Err(self.error("a wildcard is possible at the end of a value only"));
                    }
                    return Ok(if value.is_empty() { Test::Exists } else { Test::StartsWith(value) });
                }
                '?' | '~' | '^' | '"' | '(' | '[' | '{' => {
                    return Err(self.error(format!(
                        "{character} needs a backslash, or quotation marks around the value"
                    )));
                }
                '\\' => {
                    self.at += 1;
                    value.push(self.here().ok_or_else(|| self.error("nothing follows the backslash"))?);
                }
                character => value.push(character),
            }
            self.at += 1;
        }
        match value.as_str() {
            "" => Err(self.error("a value is expected")),
            "AND" | "OR" | "NOT" => Err(self.error(format!("{value} stands where a value is expected"))),
            _ => Ok(Test::Equals(value)),
        }
    }
}

fn one_or(mut parts: Vec<Query>, join: impl FnOnce(Vec<Query>) -> Query) -> Query {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            join(parts)
        }
        None => join(parts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Query {
        Query::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn is(field: &str, test: Test) -> Query {
        Query::Is(Condition { field: Some(field.to_owned()), test })
    }

    fn equals(field: &str, value: &str) -> Query {
        is(field, Test::Equals(value.to_owned()))
    }

    fn bound(value: &str, inclusive: bool) -> Option<Bound> {
        Some(Bound { value: value.to_owned(), inclusive })
    }

    #[test]
    fn one_condition() {
        for (text, expected) in [
            (r#"type:"f""#, equals("type", "f")),
            ("user_id:auth0|1a", equals("user_id", "auth0|1a")),
            (r#"user_id: "auth0|\"1\\""#, equals("user_id", r#"auth0|"1\"#)),
            (r"description:a\ b\*", equals("description", "a b*")),
            ("user_metadata.colour:blue", equals("user_metadata.colour", "blue")),
            (r#"email:"a*""#, equals("email", "a*")),
            ("email:ada*", is("email", Test::StartsWith("ada".into()))),
            ("email:*", is("email", Test::Exists)),
            ("_exists_:email", is("email", Test::Exists)),
            ("_missing_:email", Query::Not(Box::new(is("email", Test::Exists)))),
            ("date:[2026-01-01 TO *]", is("date", Test::Range { from: bound("2026-01-01", true), to: None })),
            (
                "date:{2026-01-01T00:00:00.000Z TO \"2026-02-01\"}",
                is(
                    "date",
                    Test::Range {
                        from: bound("2026-01-01T00:00:00.000Z", false),
                        to: bound("2026-02-01", false),
                    },
                ),
            ),
            ("logins_count:>=5", is("logins_count", Test::Range { from: bound("5", true), to: None })),
            ("logins_count:<5", is("logins_count", Test::Range { from: None, to: bound("5", false) })),
            ("ada", Query::Is(Condition { field: None, test: Test::Equals("ada".into()) })),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    #[test]
    fn conditions_are_joined_and_and_binds_closer() {
        let (a, b, c) = (equals("a", "1"), equals("b", "2"), equals("c", "3"));
        let and = |parts: &[&Query]| Query::And(parts.iter().copied().cloned().collect());
        let or = |parts: &[&Query]| Query::Or(parts.iter().copied().cloned().collect());
        let not = |part: &Query| Query::Not(Box::new(part.clone()));
        for (text, expected) in [
            ("a:1 AND b:2 AND c:3", and(&[&a, &b, &c])),
            ("a:1 OR b:2 AND c:3", or(&[&a, &and(&[&b, &c])])),
            ("(a:1 OR b:2) AND NOT c:3", and(&[&or(&[&a, &b]), &not(&c)])),
            ("a:1 && !b:2 || -c:3", or(&[&and(&[&a, &not(&b)]), &not(&c)])),
            ("NOT (a:1 AND b:2)", not(&and(&[&a, &b]))),
            ("a:(1 OR 4)", or(&[&a, &equals("a", "4")])),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
        let query = parse("a:1 AND (b:2 OR c:3) AND NOT d:4 AND (e:5 AND f:6)");
        let names: Vec<_> = query.required().into_iter().filter_map(|one| one.field.as_deref()).collect();
        assert_eq!(names, ["a", "e", "f"]);
    }

    #[test]
    fn what_is_not_understood_is_an_error_that_says_where() {
        for (text, at) in [
            ("", 1),
            ("   ", 4),
            ("a:", 3),
            ("a:1 b:2", 5),
            ("a:1 AND", 8),
            ("AND a:1", 4),
            ("(a:1", 5),
            ("a:1)", 4),
            ("a:\"1", 5),
            ("a:*b", 4),
            ("a:b*c", 5),
            ("a:b?", 4),
            ("a:b~2", 4),
            ("a:[1 2]", 6),
            ("a:[1 TO 2", 10),
            ("a:[b* TO 2]", 6),
            ("a:b\\", 5),
        ] {
            let error = Query::parse(text).expect_err(text);
            assert_eq!(error.at, at, "{text}: {error}");
        }
        let deep = format!("{}a:1{}", "(".repeat(11), ")".repeat(11));
        assert!(Query::parse(&deep).is_err());
        let long = vec!["a:1"; 51].join(" AND ");
        assert!(Query::parse(&long).is_err());
        assert!(Query::parse(&"NOT ".repeat(100_000)).is_err());
    }
}
