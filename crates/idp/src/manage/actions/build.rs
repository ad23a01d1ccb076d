//! From what an author sent to an artifact, at once: an answer says whether it was built.

use action_api::Artifact;
use model::{ActionSource, BuildMessage, TenantId};
use storage::TenantTx;

use super::content;
use crate::manage::ManageError;
use crate::{BuildProblem, Idp, ServerError};

/// The artifact, or what the author did wrong. No transaction may be open.
pub(in crate::manage) async fn build(
    idp: &Idp,
    tenant: &TenantId,
    source: &ActionSource,
    runtime: &str,
) -> Result<Result<Artifact, BuildMessage>, ManageError> {
    let input = match content::input(source, runtime) {
        Ok(input) => input,
        Err(msg) => return Ok(Err(BuildMessage { id: "invalid_code".to_owned(), msg })),
    };
    match idp.builder.build(tenant, input).await {
        Ok(artifact) => Ok(Ok(artifact)),
        Err(BuildProblem::Author(message)) => Ok(Err(message)),
        Err(BuildProblem::Server(cause)) => {
            Err(ServerError::Inconsistent(format!("an Action could not be built: {cause}")).into())
        }
    }
}

/// Stores an artifact.
pub(super) async fn store(tx: &mut TenantTx, artifact: &Artifact) -> Result<(), ManageError> {
    let kind = serde_json::to_string(&artifact.kind)
        .map_err(|error| ServerError::Inconsistent(format!("artifact kind: {error}")))?;
    Ok(tx.put_artifact(&artifact.digest, &kind, &artifact.bytes).await?)
}
