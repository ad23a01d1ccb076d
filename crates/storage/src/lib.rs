//! The database: one file for each aggregate. One set of statements, over sqlx's `Any` driver, for SQLite now and
//! PostgreSQL later; what differs between them is in `migrations/` and `connect.rs`.
//!
//! A [`TenantTx`] is a transaction with its tenant fixed: no method takes a tenant, every statement filters by it.
//! What may be used once is spent by one conditional statement, never by a check and then a write.

mod access_tokens;
mod actions;
mod clients;
mod codes;
mod connect;
mod error;
mod keys;
mod logs;
mod pending;
mod rate_limits;
mod refresh_tokens;
mod row;
mod session_transfer_tokens;
mod sessions;
mod tenants;
mod users;

#[cfg(test)]
mod tests;

pub use connect::{SchemaState, Storage, TenantTx};
pub use error::StorageError;
pub use logs::StoredLog;
pub use refresh_tokens::RefreshTokenUse;
