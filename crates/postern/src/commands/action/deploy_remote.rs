//! `postern action deploy --url`: over the Management API of a running server.

use action_build::{Program, Source};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use idp::manage::{COMPONENT_RUNTIME, SCRIPT_RUNTIME};
use reqwest::Method;
use serde_json::{Value, json};

use super::deploy::{build, hosts};
use super::permissions::{self, Permissions};
use crate::cli::action::ActionDeployArgs;
use crate::config::Config;
use crate::exit_code::{ExitCode, Failure, OrExit};
use crate::kit::show::build_failure;
use crate::remote::{Remote, kept_binding};
use crate::render::{Output, Style, escape};
use crate::wiring::start_runtime;

/// Sends the Action, deploys it, and binds it after the others when it is not bound.
pub async fn run(config: &Config, args: &ActionDeployArgs) -> Result<(), Failure> {
    let output = Output::stdout();
    if !Remote::is_named(&args.remote) {
        let text = "where to? --tenant for the database of the configuration, --url (or POSTERN_URL) for a running server";
        return Err(Failure::new(ExitCode::Usage, text));
    }
    let remote = Remote::connect(&args.remote).await?;
    let source =
        Source::read(&args.file).map_err(|error| build_failure(&output, &args.file, &error, args.json))?;
    let existing = remote.find_action(&args.name).await?;
    let permissions = permissions(config, &output, &source, args).await?;
    let deployed = existing.as_ref().map(|action| &action["deployed_version"]);
    let deployed = deployed_permissions(config, deployed).await?;
    let new = permissions.since(deployed.as_ref());
    if !new.is_empty() && !args.accept_permissions {
        return Err(permissions::refuse(&output, &args.name, &new, args.json));
    }

    let mut body = body(&source, existing.as_ref());
    let secrets = args.secrets.iter().map(|(name, value)| json!({ "name": name, "value": value }));
    body["secrets"] = secrets.collect();
    if let Some(hosts) = hosts(args) {
        body["allowed_hosts"] = json!(hosts);
    }
    let action = match &existing {
        Some(action) => {
            let path = format!("/actions/actions/{}", action["id"].as_str().unwrap_or_default());
            remote.call(Method::PATCH, &path, Some(&body)).await?
        }
        None => {
            body["name"] = json!(args.name);
            body["supported_triggers"] = json!([{ "id": "post-login", "version": "v3" }]);
            remote.call(Method::POST, "/actions/actions", Some(&body)).await?
        }
    };
    if action["status"] != "built" {
        return Err(refused_by_build(&output, &action["errors"], args.json));
    }
    let path = format!("/actions/actions/{}", action["id"].as_str().unwrap_or_default());
    let version = remote.call(Method::POST, &format!("{path}/deploy"), None).await?;
    bind(&remote, &action["id"]).await?;
    if args.json {
        output.json(&json!({
            "action_id": action["id"],
            "name": args.name,
            "version": version["number"],
            "digest": version["digest"],
            "permissions": permissions.json(),
        }));
        return Ok(());
    }
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    output.table(&[
        row(
            "deployed",
            format!("{} version {} at {}", escape(&args.name, false), version["number"], remote.place()),
        ),
        row("digest", version["digest"].as_str().unwrap_or_default().to_owned()),
        row("may", permissions.in_words()),
    ]);
    Ok(())
}

/// The draft as it is to be. Files that were there and are not any more go.
fn body(source: &Source, existing: Option<&Value>) -> Value {
    match &source.program {
        Program::Script { code, modules } => {
            let before = existing.and_then(|action| action["runtime"].as_str());
            let runtime = before.filter(|runtime| runtime.starts_with("node")).unwrap_or(SCRIPT_RUNTIME);
            json!({ "code": code, "files": modules, "file_name": source.file_name, "runtime": runtime })
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
    source: &Source,
    args: &ActionDeployArgs,
) -> Result<Permissions, Failure> {
    if matches!(source.program, Program::Script { .. }) {
        return Ok(Permissions::All);
    }
    let runtime = start_runtime(config).await?;
    let artifact = build(&runtime, source.clone(), config)
        .await?
        .map_err(|error| build_failure(output, &args.file, &error, args.json))?;
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

/// Puts the Action behind those that are bound, unless it has its place.
async fn bind(remote: &Remote, id: &Value) -> Result<(), Failure> {
    let path = "/actions/triggers/post-login/bindings";
    let bound = remote.get(path, &[]).await?;
    let bound: Vec<&Value> = bound["bindings"].as_array().into_iter().flatten().collect();
    if bound.iter().any(|binding| binding["action"]["id"] == *id) {
        return Ok(());
    }
    let mut bindings: Vec<Value> = bound.into_iter().map(kept_binding).collect();
    bindings.push(json!({ "ref": { "type": "action_id", "value": id } }));
    remote.call(Method::PATCH, path, Some(&json!({ "bindings": bindings }))).await?;
    Ok(())
}
