//! `postern keys`

use crate::cli::KeysCommand;
use crate::config::Config;
use crate::exit_code::{ExitCode, Failure, OrExit};
use crate::render::Output;
use crate::wiring::{Schema, existing_tenant, open_idp};

/// Rotates a tenant's signing keys.
pub async fn run(config: &Config, command: &KeysCommand) -> Result<(), Failure> {
    let KeysCommand::Rotate { tenant } = command;
    let (idp, _) = open_idp(config, Schema::MustExist).await?;
    let tenant = existing_tenant(&idp.storage, tenant).await?;
    let rotation = idp::keys::rotate(&idp, &tenant).await.or_exit(ExitCode::Failed, "the rotation failed")?;
    idp.storage.close().await;
    Output::stdout().table(&[
        vec!["signs from now on".to_owned(), rotation.signing_kid],
        vec!["published, signs after the next rotation".to_owned(), rotation.next_kid],
    ]);
    Ok(())
}
