//! `postern action deploy --tenant`: to the database.

use std::collections::BTreeMap;
use std::sync::Arc;

use action_api::{Artifact, ArtifactKind};
use action_build::{BuildError, Source};
use action_runtime::Runtime;
use idp::Idp;
use idp::manage::{self, Deployment, NewUsedModule};
use model::{AllowedHosts, TenantId};
use postern::rebuild::kept;
use serde_json::{Value, json};

use super::module_store::{Pin, Place};
use super::modules::{Plan, Used};
use super::permissions::{self, Permissions};
use super::run::read;
use crate::cli::action::ActionDeployArgs;
use crate::config::Config;
use crate::exit_code::{ExitCode, Failure, OrExit};
use crate::kit::project::Authored;
use crate::kit::show::build_failure;
use crate::render::{Output, escape, note, thousands};
use crate::wiring::{Schema, existing_tenant, open_idp};

/// Builds the Action and makes it the tenant's deployed version. A running server uses it at its next login.
pub async fn run(config: &Config, tenant: &str, args: &ActionDeployArgs) -> Result<(), Failure> {
    let output = Output::stdout();
    let (idp, runtime) = open_idp(config, Schema::MustExist).await?;
    let tenant = existing_tenant(&idp.storage, tenant).await?;
    let authored = read(&output, &args.path, args.json).await?;
    let name = name(args, &authored)?;
    say_missing_secrets(args, &authored);
    let place = Place::Database(&idp, &tenant);
    let used = manage::modules_of_draft(&idp, &tenant, &name).await;
    let pins = Pin::read(&used.or_exit(ExitCode::Database, "cannot read the modules of the Action")?);
    let plan = Plan::make(&place, &authored, &pins, &args.module_secrets).await?;
    let Authored { file, mut source, .. } = authored;
    plan.complete(&mut source);
    let kept = kept(&source);
    let artifact = build(&runtime, source, config)
        .await?
        .map_err(|error| build_failure(&output, &file, &error, args.json))?;
    let permissions = Permissions::of(&artifact);
    let new = permissions.since(deployed(&idp, &tenant, &name).await?.as_ref());
    if !new.is_empty() && !args.accept_permissions {
        idp.storage.close().await;
        return Err(permissions::refuse(&output, &name, &new, args.json));
    }
    let modules = plan.publish(&place, say(&output, args)).await?;
    let used: Vec<NewUsedModule> = modules.iter().map(new_used).collect();
    let secrets: BTreeMap<String, String> = args.secrets.iter().cloned().collect();
    let hosts = hosts(args);
    let deployment = Deployment {
        source: &kept,
        artifact: &artifact,
        secrets: &secrets,
        hosts: hosts.as_ref(),
        modules: Some(&used),
    };
    let (version, is_new) = manage::deploy_action(&idp, &tenant, &name, deployment)
        .await
        .or_exit(ExitCode::Failed, "the Action was not deployed")?;
    idp.storage.close().await;
    if args.json {
        output.json(&json!({
            "action_id": version.action_id,
            "name": name,
            "version": version.number,
            "changed": is_new,
            "digest": version.digest,
            "artifact_bytes": artifact.bytes.len(),
            "permissions": permissions.json(),
            "modules": modules.iter().map(Used::json).collect::<Vec<Value>>(),
        }));
        return Ok(());
    }
    let evaluated = matches!(artifact.kind, ArtifactKind::MemoryImage { evaluated_at_login: true, .. });
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let shown = format!("{} version {} of {tenant}", escape(&name, false), version.number);
    output.table(&[
        what_happened(is_new, shown),
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

/// The Action's name in the tenant.
pub fn name(args: &ActionDeployArgs, authored: &Authored) -> Result<String, Failure> {
    let of_folder = authored.project.as_ref().map(|project| project.name());
    args.name.clone().or(of_folder).ok_or_else(|| {
        let text = "of a file, --name must say what the Action is called in the tenant; a folder with an action.toml has a name";
        Failure::new(ExitCode::Usage, text)
    })
}

/// Tells what becomes of the modules as it happens; programs read it at the end.
pub fn say(output: &Output, args: &ActionDeployArgs) -> impl Fn(String) {
    move |text| {
        if !args.json {
            output.line(text);
        }
    }
}

/// The first line of the answer.
pub fn what_happened(is_new: bool, shown: String) -> Vec<String> {
    match is_new {
        true => vec!["deployed".to_owned(), shown],
        false => vec!["unchanged".to_owned(), format!("{shown} runs already")],
    }
}

/// A secret that cases have and the deploy has not is forgotten easily.
pub fn say_missing_secrets(args: &ActionDeployArgs, authored: &Authored) {
    let Some(project) = &authored.project else { return };
    for name in project.settings.secrets.keys() {
        if !args.secrets.iter().any(|(given, _)| given == name) {
            let name = escape(name, false);
            note(format!(
                "postern: action.toml has a secret {name}, and the deploy has none: --secret {name}=VALUE"
            ));
        }
    }
}

/// A module in its version.
fn new_used(used: &Used) -> NewUsedModule {
    let (module, version) = used.ids();
    NewUsedModule { module_id: module.to_owned(), module_version_id: Some(version.to_owned()) }
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
