use model::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::any::AnyRow;
use sqlx::{Any, Decode, Row, Type};

use crate::StorageError;

/// A row with what an error about it needs: its table, and the column that names it.
pub(crate) struct Record {
    pub table: &'static str,
    pub id_column: &'static str,
    pub row: AnyRow,
}

impl Record {
    fn get<'r, T: Decode<'r, Any> + Type<Any>>(&'r self, column: &'static str) -> Result<T, StorageError> {
        self.row.try_get(column).map_err(|error| self.wrong(column, error))
    }

    /// The error that names this row.
    pub fn wrong(&self, column: &'static str, reason: impl ToString) -> StorageError {
        let id = self.row.try_get::<String, _>(self.id_column).unwrap_or_else(|_| "?".to_owned());
        StorageError::Row { table: self.table, column, id, reason: reason.to_string() }
    }

    pub fn text(&self, column: &'static str) -> Result<String, StorageError> {
        self.get(column)
    }

    pub fn opt_text(&self, column: &'static str) -> Result<Option<String>, StorageError> {
        self.get(column)
    }

    pub fn int(&self, column: &'static str) -> Result<i64, StorageError> {
        self.get(column)
    }

    pub fn opt_int(&self, column: &'static str) -> Result<Option<i64>, StorageError> {
        self.get(column)
    }

    pub fn bytes(&self, column: &'static str) -> Result<Vec<u8>, StorageError> {
        self.get(column)
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
        serde_json::from_str(self.get(column)?).map_err(|error| self.wrong(column, error))
    }
}

pub(crate) fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<String, StorageError> {
    Ok(serde_json::to_string(value)?)
}

pub(crate) fn ms(moment: Option<Timestamp>) -> Option<i64> {
    moment.map(Timestamp::as_ms)
}
