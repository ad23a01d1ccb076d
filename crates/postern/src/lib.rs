//! What the program runs Actions and sends requests with, what it reads of the operator's data files, and its housekeeping,
//! for others to do so in the same way: the end-to-end tests do.

pub mod action_cache;
pub mod builder;
pub mod executor;
pub mod housekeeping;
pub mod metrics;
pub mod network;
pub mod outgoing;
pub mod outside;
pub mod rebuild;
