//! What the program runs Actions and sends requests with, and its housekeeping, for others to do so in the same way: the
//! end-to-end tests do.

pub mod action_cache;
pub mod executor;
pub mod housekeeping;
pub mod outgoing;
pub mod outside;
