//! What the end-to-end tests share: a server in this process with a database and a clock of its own, and a client that
//! speaks raw HTTP and shares no code with the server.
//!
//! Two assertions are on for every response that any test receives: it has the security headers, and its `Location` is
//! a registered URI or an address of our own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "this crate is test code: a failure is a panic, and names say what is what"
)]

pub mod actions;
pub mod answer_schema;
pub mod assertion;
pub mod authenticator;
pub mod bench;
pub mod chromium;
pub mod client;
pub mod clock;
pub mod database;
pub mod double_spend;
pub mod dpop;
pub mod flow;
pub mod forms;
pub mod gate;
pub mod html;
pub mod invariants;
pub mod jwt;
pub mod key;
pub mod kill;
pub mod ledger;
pub mod lookups;
pub mod management;
pub mod mmdb;
pub mod node;
pub mod operator;
pub mod outside;
pub mod process;
pub mod race;
pub mod receiver;
pub mod revocation;
pub mod seed;
pub mod server;
pub mod statements;
pub mod wire;

pub use client::{RawClient, Response};
pub use clock::FakeClock;
pub use flow::Login;
pub use server::TestServer;
