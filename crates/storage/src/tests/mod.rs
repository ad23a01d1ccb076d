//! The contract that every database keeps. The bodies take a [`Storage`], so that each database can run them.

mod actions;
mod authenticators;
mod contract;
mod directory;
mod fixtures;
mod group;
mod housekeeping;
mod logouts;
mod logs;
mod managed;
mod permissions;
mod plans;
mod postgres;
mod refresh_tokens;
mod settings;
mod sqlite;
mod user_search;
