//! `postern action versions` and `rollback`: what was deployed, and going back.

use reqwest::Method;
use serde_json::{Value, json};

use crate::cli::action::{ActionRollbackArgs, ActionVersionsArgs};
use crate::exit_code::{ExitCode, Failure};
use crate::remote::Remote;
use crate::render::{Output, Style, escape};

/// The versions of an Action, newest first.
pub async fn all(remote: &Remote, path: &str) -> Result<Vec<Value>, Failure> {
    let list = remote.get(&format!("{path}/versions"), &[("per_page", "100")]).await?;
    Ok(list["versions"].as_array().cloned().unwrap_or_default())
}

/// The version of that number.
pub fn find<'a>(versions: &'a [Value], number: u64, name: &str) -> Result<&'a Value, Failure> {
    versions.iter().find(|version| version["number"] == number).ok_or_else(|| {
        let text = format!(
            "there is no version {number} of {}; `postern action versions` lists those that are there",
            escape(name, false)
        );
        Failure::new(ExitCode::Failed, text)
    })
}

pub async fn list(args: &ActionVersionsArgs) -> Result<(), Failure> {
    let remote = Remote::connect(&args.remote).await?;
    let (action, path) = remote.action(&args.name).await?;
    let versions = all(&remote, &path).await?;
    let output = Output::stdout();
    if args.json {
        let shown: Vec<Value> = versions
            .iter()
            .map(|version| {
                json!({
                    "id": version["id"], "number": version["number"], "digest": version["digest"],
                    "created_at": version["created_at"], "deployed": version["deployed"],
                })
            })
            .collect();
        output.json(&json!({ "name": args.name, "action_id": action["id"], "versions": shown }));
        return Ok(());
    }
    let text = |value: &Value| escape(value.as_str().unwrap_or_default(), false);
    let mut rows = vec![["number", "digest", "deployed at", ""].map(str::to_owned).to_vec()];
    for version in &versions {
        let runs =
            if version["deployed"] == true { output.paint(Style::Green, "runs") } else { String::new() };
        let digest: String = text(&version["digest"]).chars().take(16).collect();
        rows.push(vec![version["number"].to_string(), digest, text(&version["created_at"]), runs]);
    }
    output.table(&rows);
    if action["all_changes_deployed"] == false {
        output.line(output.paint(Style::Dim, "The draft has changes that are not deployed."));
    }
    Ok(())
}

pub async fn rollback(args: &ActionRollbackArgs) -> Result<(), Failure> {
    let remote = Remote::connect(&args.remote).await?;
    let (_, path) = remote.action(&args.name).await?;
    let versions = all(&remote, &path).await?;
    let old = find(&versions, args.version, &args.name)?;
    let id = old["id"].as_str().unwrap_or_default();
    let new = remote.call(Method::POST, &format!("{path}/versions/{id}/deploy"), Some(&json!({}))).await?;
    let output = Output::stdout();
    if args.json {
        output.json(&json!({
            "action_id": new["action_id"], "name": args.name, "version": new["number"], "digest": new["digest"],
            "same_as": args.version,
        }));
        return Ok(());
    }
    let name = escape(&args.name, false);
    output.line(format!("{name} runs version {}, which is version {} again.", new["number"], args.version));
    Ok(())
}
