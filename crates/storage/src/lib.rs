//! The database: one file for each aggregate. One set of statements for SQLite, by rusqlite, and PostgreSQL, by tokio-postgres; what
//! differs between them is in `migrations/`, `connect.rs`, `lease.rs`, `group.rs`, `pipeline.rs`, `schema.rs`, `info.rs`, `housekeeping.rs`,
//! `sqlite.rs` and `postgres.rs`, and of JSON in `user_search.rs`, `managed_apis.rs` and `artifacts.rs`.
//!
//! A [`TenantTx`] is a transaction with its tenant fixed: no method takes a tenant, every statement filters by it.
//! What may be used once is spent by one conditional statement, never by a check and then a write.

mod access_tokens;
mod action_bindings;
mod action_modules;
mod actions;
mod artifacts;
mod authenticators;
mod backchannel_logouts;
mod client_grants;
mod clients;
mod codes;
mod connect;
mod consents;
mod device_codes;
mod error;
mod executions;
mod grants;
mod group;
mod groups;
mod housekeeping;
mod info;
mod keys;
mod lease;
mod log_streams;
mod login_histories;
mod logs;
mod managed_apis;
mod managed_clients;
mod mfa_tokens;
mod organizations;
mod password_history;
mod pending;
mod permissions;
mod pipeline;
mod postgres;
mod pushed_requests;
mod rate_limits;
mod refresh_tokens;
mod revocations;
mod roles;
mod row;
mod schema;
mod search;
mod session_transfer_tokens;
mod sessions;
mod spent_jwt_ids;
mod sqlite;
mod statement;
mod tenants;
mod user_search;
mod users;

#[cfg(test)]
mod tests;

pub use client_grants::ClientGrantFilter;
pub use codes::{CodeSession, CodeUse, SpentCode};
pub use connect::{DatabaseKind, Storage, TenantTx};
pub use consents::{ConsentKey, Consents};
pub use error::StorageError;
pub use executions::StoredExecution;
pub use grants::{TokenFilter, UserGrant};
pub use housekeeping::{Batch, Sweep};
pub use info::{DatabaseInfo, Setting};
pub use log_streams::ClaimedLogStream;
pub use logs::{LogCursor, LogId, LogSearch, StoredLog};
pub use managed_apis::ConnectionFilter;
pub use managed_clients::ClientFilter;
pub use refresh_tokens::{RefreshTokenUse, Rotation};
pub use revocations::{RefreshTokens, Sessions};
pub use roles::PermissionHolder;
pub use schema::{SchemaState, SchemaVersions};
pub use search::SearchError;
pub use user_search::UserListing;
