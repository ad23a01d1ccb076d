//! `postern action deploy --url`: over the Management API of a running server.

use std::collections::BTreeMap;

use action_build::{Program, SHARED, Source};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use idp::manage::{COMPONENT_RUNTIME, SCRIPT_RUNTIME};
use reqwest::Method;
use serde_json::{Value, json};

use super::deploy::{build, hosts, name, say, say_missing_secrets, what_happened};
use super::module_store::{Pin, Place};
use super::modules::{Plan, Used};
use super::permissions::{self, Permissions};
use super::run::read;
use crate::cli::action::ActionDeployArgs;
use crate::config::Config;
use crate::exit_code::{ExitCode, Failure, OrExit};
use crate::kit::project::Authored;
use crate::kit::show::build_failure;
use crate::remote::{Remote, kept_binding};
use crate::render::{Output, Style, escape};
use crate::wiring::start_runtime;

/// What a token must have for it.
const SCOPES: &str = "read:actions, create:actions and update:actions";

/// Publishes the modules of the Action, sends it, deploys it, and binds it after the others when it is not bound.
pub async fn run(config: &Config, args: &ActionDeployArgs) -> Result<(), Failure> {
    let output = Output::stdout();
    if !Remote::is_named(&args.remote) {
        let text = "where to? --tenant for the database of the configuration, --url (or POSTERN_URL) for a running server";
        return Err(Failure::new(ExitCode::Usage, text));
    }
    let remote = Remote::connect(&args.remote).await?.needing(SCOPES);
    let authored = read(&output, &args.path, args.json).await?;
    let name = name(args, &authored)?;
    say_missing_secrets(args, &authored);
    let existing = remote.find_action(&name).await?;
    let permissions = permissions(config, &output, &authored, args).await?;
    let deployed = existing.as_ref().map(|action| &action["deployed_version"]);
    let deployed = deployed_permissions(config, deployed).await?;
    let new = permissions.since(deployed.as_ref());
    if !new.is_empty() && !args.accept_permissions {
        return Err(permissions::refuse(&output, &name, &new, args.json));
    }
    let modules = modules(config, &output, &remote, existing.as_ref(), &authored, args).await?;

    let mut body = body(&authored.source, existing.as_ref());
    // In the order of their names: the order is part of what is compared with the version that runs.
    let secrets: BTreeMap<&String, &String> =
        args.secrets.iter().map(|(name, value)| (name, value)).collect();
    body["secrets"] = secrets.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    body["modules"] = modules.iter().map(used).collect();
    if let Some(hosts) = hosts(args) {
        body["allowed_hosts"] = json!(hosts);
    }
    let action = match &existing {
        Some(action) => {
            let path = format!("/actions/actions/{}", action["id"].as_str().unwrap_or_default());
            remote.call(Method::PATCH, &path, Some(&body)).await?
        }
        None => {
            body["name"] = json!(name);
            body["supported_triggers"] = json!([{ "id": "post-login", "version": "v3" }]);
            remote.call(Method::POST, "/actions/actions", Some(&body)).await?
        }
    };
    if action["status"] != "built" {
        return Err(refused_by_build(&output, &action["errors"], args.json));
    }
    let is_new = action["all_changes_deployed"] != true;
    let version = if is_new {
        let path = format!("/actions/actions/{}/deploy", action["id"].as_str().unwrap_or_default());
        remote.call(Method::POST, &path, None).await?
    } else {
        action["deployed_version"].clone()
    };
    let is_bound_now = bind(&remote, &action["id"]).await?;
    if args.json {
        output.json(&json!({
            "action_id": action["id"],
            "name": name,
            "version": version["number"],
            "changed": is_new,
            "digest": version["digest"],
            "permissions": permissions.json(),
            "modules": modules.iter().map(Used::json).collect::<Vec<Value>>(),
        }));
        return Ok(());
    }
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let shown = format!("{} version {} at {}", escape(&name, false), version["number"], remote.place());
    let mut rows = vec![
        what_happened(is_new, shown),
        row("digest", version["digest"].as_str().unwrap_or_default().to_owned()),
        row("may", permissions.in_words()),
    ];
    if is_bound_now && !is_new {
        rows.push(row("bound", "now, behind the other Actions".to_owned()));
    }
    let hosts = |action: &Value| action["allowed_hosts"].clone();
    if existing.is_some_and(|existing| hosts(&existing) != hosts(&action)) {
        let names = action["allowed_hosts"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let names = names.collect::<Vec<_>>().join(", ");
        let names = if names.is_empty() { "any public host".to_owned() } else { escape(&names, false) };
        rows.push(row("reaches", format!("{names}, from now on")));
    }
    output.table(&rows);
    Ok(())
}

/// The modules as the Action is to have them. Where one of them changes, the Action is built here first: nothing is published
/// for one that does not build.
async fn modules(
    config: &Config,
    output: &Output,
    remote: &Remote,
    existing: Option<&Value>,
    authored: &Authored,
    args: &ActionDeployArgs,
) -> Result<Vec<Used>, Failure> {
    let place = Place::Server(remote);
    let pins = existing.map(Pin::answered).unwrap_or_default();
    let plan = Plan::make(&place, authored, &pins, &args.module_secrets).await?;
    if plan.changes_modules() {
        let mut source = authored.source.clone();
        plan.complete(&mut source);
        let runtime = start_runtime(config).await?;
        let built = build(&runtime, source, config).await?;
        built.map_err(|error| build_failure(output, &authored.file, &error, args.json))?;
    }
    for pin in pins.iter().filter(|pin| !authored.required.contains(&pin.name)) {
        say(output, args)(format!("module {}: not required any more", escape(&pin.name, false)));
    }
    plan.publish(&place, say(output, args)).await
}

/// A module of an Action, pinned to its version.
fn used(used: &Used) -> Value {
    let (module, version) = used.ids();
    json!({ "module_id": module, "module_version_id": version })
}

/// The draft as it is to be. Files that were there and are not any more go.
fn body(source: &Source, existing: Option<&Value>) -> Value {
    match &source.program {
        Program::Script { code, modules } => {
            let before = existing.and_then(|action| action["runtime"].as_str());
            let runtime = before.filter(|runtime| runtime.starts_with("node")).unwrap_or(SCRIPT_RUNTIME);
            let own = modules.iter().filter(|(name, _)| !name.starts_with(SHARED));
            let files: BTreeMap<&String, &String> = own.collect();
            json!({ "code": code, "files": files, "file_name": source.file_name, "runtime": runtime })
        }
        Program::Component(bytes) => {
            json!({ "code": STANDARD.encode(bytes), "files": {}, "file_name": "action.wasm", "runtime": COMPONENT_RUNTIME })
        }
    }
}

/// What it may do. A component is built here for that: what it imports is in it.
async fn permissions(
    config: &Config,
    output: &Output,
    authored: &Authored,
    args: &ActionDeployArgs,
) -> Result<Permissions, Failure> {
    if matches!(authored.source.program, Program::Script { .. }) {
        return Ok(Permissions::All);
    }
    let runtime = start_runtime(config).await?;
    let artifact = build(&runtime, authored.source.clone(), config)
        .await?
        .map_err(|error| build_failure(output, &authored.file, &error, args.json))?;
    Ok(Permissions::of(&artifact))
}

async fn deployed_permissions(
    config: &Config,
    deployed: Option<&Value>,
) -> Result<Option<Permissions>, Failure> {
    let Some(deployed) = deployed.filter(|version| version.is_object()) else { return Ok(None) };
    if deployed["runtime"] != COMPONENT_RUNTIME {
        return Ok(Some(Permissions::All));
    }
    let code: String = deployed["code"].as_str().unwrap_or_default().split_ascii_whitespace().collect();
    let bytes = STANDARD.decode(code).or_exit(ExitCode::Failed, "the code of the deployed component")?;
    let runtime = start_runtime(config).await?;
    let source = Source::component("action.wasm", bytes);
    // What this program cannot read may do nothing that it knows.
    let artifact = build(&runtime, source, config).await?;
    Ok(Some(artifact.map_or(Permissions::Imports(Vec::new()), |artifact| Permissions::of(&artifact))))
}

/// Shows what the server's build says.
fn refused_by_build(output: &Output, errors: &Value, as_json: bool) -> Failure {
    if as_json {
        output.json(&json!({ "build_errors": errors }));
    } else {
        for error in errors.as_array().into_iter().flatten() {
            let text = escape(error["msg"].as_str().unwrap_or_default(), true);
            output.line(format!("{} {text}", output.paint(Style::Red, "does not build:")));
        }
    }
    Failure::shown(ExitCode::Action)
}

/// Puts the Action behind those that are bound; `false`: it has its place.
async fn bind(remote: &Remote, id: &Value) -> Result<bool, Failure> {
    let path = "/actions/triggers/post-login/bindings";
    let bound = remote.get(path, &[]).await?;
    let bound: Vec<&Value> = bound["bindings"].as_array().into_iter().flatten().collect();
    if bound.iter().any(|binding| binding["action"]["id"] == *id) {
        return Ok(false);
    }
    let mut bindings: Vec<Value> = bound.into_iter().map(kept_binding).collect();
    bindings.push(json!({ "ref": { "type": "action_id", "value": id } }));
    remote.call(Method::PATCH, path, Some(&json!({ "bindings": bindings }))).await?;
    Ok(true)
}
