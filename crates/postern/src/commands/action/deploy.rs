//! `postern action deploy --tenant`: to the database.

use std::collections::BTreeMap;
use std::sync::Arc;

use action_api::{Artifact, ArtifactKind};
use action_build::{BuildError, Program, Source};
use action_runtime::Runtime;
use idp::{Idp, manage};
use model::{AllowedHosts, TenantId};
use postern::rebuild::kept;
use serde_json::json;

use super::permissions::{self, Permissions};
use crate::cli::action::ActionDeployArgs;
use crate::config::Config;
use crate::exit_code::{ExitCode, Failure, OrExit};
use crate::kit::show::build_failure;
use crate::render::{Output, thousands};
use crate::wiring::{Schema, existing_tenant, open_idp};

/// Builds the Action and makes it the tenant's deployed version. A running server uses it at its next login.
pub async fn run(config: &Config, tenant: &str, args: &ActionDeployArgs) -> Result<(), Failure> {
    let output = Output::stdout();
    let (idp, runtime) = open_idp(config, Schema::MustExist).await?;
    let tenant = existing_tenant(&idp.storage, tenant).await?;
    let mut source =
        Source::read(&args.file).map_err(|error| build_failure(&output, &args.file, &error, args.json))?;
    if let Program::Script { modules, .. } = &mut source.program {
        let shared = manage::modules_of_draft(&idp, &tenant, &args.name).await;
        modules.extend(shared.or_exit(ExitCode::Database, "cannot read the modules of the Action")?);
    }
    let kept = kept(&source);
    let artifact = build(&runtime, source, config)
        .await?
        .map_err(|error| build_failure(&output, &args.file, &error, args.json))?;
    let permissions = Permissions::of(&artifact);
    let new = permissions.since(deployed(&idp, &tenant, &args.name).await?.as_ref());
    if !new.is_empty() && !args.accept_permissions {
        idp.storage.close().await;
        return Err(permissions::refuse(&output, &args.name, &new, args.json));
    }
    let secrets: BTreeMap<String, String> = args.secrets.iter().cloned().collect();
    let hosts = hosts(args);
    let version =
        manage::deploy_action(&idp, &tenant, &args.name, &kept, &artifact, &secrets, hosts.as_ref())
            .await
            .or_exit(ExitCode::Failed, "the Action was not deployed")?;
    idp.storage.close().await;
    if args.json {
        output.json(&json!({
            "action_id": version.action_id,
            "name": args.name,
            "version": version.number,
            "digest": version.digest,
            "artifact_bytes": artifact.bytes.len(),
            "permissions": permissions.json(),
        }));
        return Ok(());
    }
    let evaluated = matches!(artifact.kind, ArtifactKind::MemoryImage { evaluated_at_login: true, .. });
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    output.table(&[
        row("deployed", format!("{} version {} of {tenant}", args.name, version.number)),
        row("digest", version.digest),
        row("size", format!("{} bytes", thousands(artifact.bytes.len() as u64))),
        row("may", permissions.in_words()),
        row(
            "top level",
            if evaluated { "evaluated at each login" } else { "evaluated now, once" }.to_owned(),
        ),
    ]);
    Ok(())
}

/// Where its requests may go from now on; `None`: as before.
pub fn hosts(args: &ActionDeployArgs) -> Option<AllowedHosts> {
    match (&args.allowed_hosts[..], args.allow_any_host) {
        ([], false) => None,
        ([], true) => Some(AllowedHosts::Any),
        (hosts, _) => Some(AllowedHosts::Only(hosts.to_vec())),
    }
}

/// Builds on a blocking thread. The outer error is ours, the inner one the author's.
pub async fn build(
    runtime: &Arc<Runtime>,
    source: Source,
    config: &Config,
) -> Result<Result<Artifact, Box<BuildError>>, Failure> {
    let runtime = Arc::clone(runtime);
    let limits = config.actions.build_limits();
    tokio::task::spawn_blocking(move || action_build::build(&runtime, &source, &limits).map_err(Box::new))
        .await
        .or_exit(ExitCode::Failed, "the build did not end")
}

/// What the deployed version of that name may do, if there is one.
async fn deployed(idp: &Idp, tenant: &TenantId, name: &str) -> Result<Option<Permissions>, Failure> {
    let cannot_read = "cannot read the deployed version";
    let mut tx = idp.storage.begin_read(tenant).await.or_exit(ExitCode::Database, cannot_read)?;
    let bindings = tx.bindings().await.or_exit(ExitCode::Database, cannot_read)?;
    drop(tx);
    let Some(binding) = bindings.into_iter().find(|binding| binding.name == name) else { return Ok(None) };
    let stored = idp.storage.artifact(&binding.digest).await.or_exit(ExitCode::Database, cannot_read)?;
    let Some((kind, bytes)) = stored else { return Ok(None) };
    let kind = serde_json::from_str(&kind).or_exit(ExitCode::Database, cannot_read)?;
    Ok(Some(Permissions::of(&Artifact { kind, digest: binding.digest, bytes })))
}
