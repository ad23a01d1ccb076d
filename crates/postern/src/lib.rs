//! What the program runs Actions and sends requests with, for others to do so in the same way: the end-to-end tests do.

pub mod executor;
pub mod outgoing;
