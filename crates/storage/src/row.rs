use model::Timestamp;
use rusqlite::types::Value;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_postgres::types::FromSql;

use crate::StorageError;
use crate::lease::SqliteRow;

/// A row of either database.
pub(crate) enum Row {
    Postgres(tokio_postgres::Row),
    Sqlite(SqliteRow),
}

/// A row with what an error about it needs: its table, and the column that names it.
pub(crate) struct Record {
    pub table: &'static str,
    pub id_column: &'static str,
    pub row: Row,
}

const NO_VALUE: &str = "there is no value";

impl Record {
    /// The error that names this row.
    pub fn wrong(&self, column: &'static str, reason: impl ToString) -> StorageError {
        let id = match self.row.text(self.id_column) {
            Ok(Some(id)) => id,
            _ => "?".to_owned(),
        };
        StorageError::Row { table: self.table, column, id, reason: reason.to_string() }
    }

    pub fn text(&self, column: &'static str) -> Result<String, StorageError> {
        self.opt_text(column)?.ok_or_else(|| self.wrong(column, NO_VALUE))
    }

    pub fn opt_text(&self, column: &'static str) -> Result<Option<String>, StorageError> {
        self.row.text(column).map_err(|reason| self.wrong(column, reason))
    }

    pub fn int(&self, column: &'static str) -> Result<i64, StorageError> {
        self.opt_int(column)?.ok_or_else(|| self.wrong(column, NO_VALUE))
    }

    pub fn opt_int(&self, column: &'static str) -> Result<Option<i64>, StorageError> {
        self.row.int(column).map_err(|reason| self.wrong(column, reason))
    }

    pub fn bytes(&self, column: &'static str) -> Result<Vec<u8>, StorageError> {
        self.row.bytes(column).map_err(|reason| self.wrong(column, reason))
    }

    pub fn flag(&self, column: &'static str) -> Result<bool, StorageError> {
        match self.int(column)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(self.wrong(column, format!("{other} is neither 0 nor 1"))),
        }
    }

    pub fn time(&self, column: &'static str) -> Result<Timestamp, StorageError> {
        self.int(column).map(Timestamp::from_ms)
    }

    pub fn opt_time(&self, column: &'static str) -> Result<Option<Timestamp>, StorageError> {
        Ok(self.opt_int(column)?.map(Timestamp::from_ms))
    }

    pub fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T, StorageError> {
        serde_json::from_str(&self.text(column)?).map_err(|error| self.wrong(column, error))
    }
}

impl Row {
    fn text(&self, column: &str) -> Result<Option<String>, String> {
        match self {
            Self::Postgres(row) => postgres_value(row, column),
            Self::Sqlite(row) => match row.value(column) {
                Some(Value::Text(text)) => Ok(Some(text.clone())),
                Some(Value::Null) => Ok(None),
                other => Err(unexpected("a text", other)),
            },
        }
    }

    pub fn int(&self, column: &str) -> Result<Option<i64>, String> {
        match self {
            Self::Postgres(row) => postgres_value(row, column),
            Self::Sqlite(row) => match row.value(column) {
                Some(Value::Integer(number)) => Ok(Some(*number)),
                Some(Value::Null) => Ok(None),
                other => Err(unexpected("a number", other)),
            },
        }
    }

    fn bytes(&self, column: &str) -> Result<Vec<u8>, String> {
        match self {
            Self::Postgres(row) => postgres_value(row, column),
            Self::Sqlite(row) => match row.value(column) {
                Some(Value::Blob(bytes)) => Ok(bytes.clone()),
                other => Err(unexpected("bytes", other)),
            },
        }
    }
}

fn postgres_value<'a, T: FromSql<'a>>(row: &'a tokio_postgres::Row, column: &str) -> Result<T, String> {
    row.try_get(column).map_err(|error| error.to_string())
}

/// The value itself may be anything: it is not repeated.
fn unexpected(expected: &str, found: Option<&Value>) -> String {
    match found {
        None => "there is no such column".to_owned(),
        Some(value) => format!("{expected} is expected, not {}", value.data_type()),
    }
}

pub(crate) fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<String, StorageError> {
    Ok(serde_json::to_string(value)?)
}

pub(crate) fn ms(moment: Option<Timestamp>) -> Option<i64> {
    moment.map(Timestamp::as_ms)
}
