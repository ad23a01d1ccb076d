//! Other people's programs, unmodified, against the program as a process (`reference/security-checklist.md` section 2).

mod apache;
mod conformance;
mod go;
mod node;
mod python;
mod rust;
mod terraform;
