//! What the program runs Actions with, and its housekeeping, for others to run them in the same way: the end-to-end tests
//! do.

pub mod executor;
pub mod housekeeping;
