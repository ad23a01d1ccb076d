//! The contract between the server and an Action, as plain data: the event goes in, commands come out.
//!
//! Nothing here runs anything. `action-runtime` runs artifacts and yields a [`RunReport`]; `idp` folds the commands of
//! all runs of a login into one decision. Scripts and components meet in the one [`Command`] type.

mod artifact;
mod claims;
mod command;
mod limits;
mod operations;
mod report;
pub mod schema;

pub use artifact::{Artifact, ArtifactKind};
pub use claims::{ClaimRefused, PROFILE_CLAIMS, check_claim_name, scope_of_profile_claim};
pub use command::{
    Command, CommandError, CookieMode, Factor, FactorOptions, FactorType, Handler, MultifactorProvider,
    PhoneMethod, SamlSetting,
};
pub use limits::Limits;
pub use operations::{NoOperations, OperationAnswer, OperationFuture, Operations, unknown_operation};
pub use report::{Blame, ConsoleLevel, ConsoleLine, GuestException, RunError, RunReport};
