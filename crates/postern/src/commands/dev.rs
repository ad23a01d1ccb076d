//! `postern dev`: a server on loopback to try things on.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use serde_json::json;

use super::demo_tenant::{self, Demo};
use super::serve;
use crate::cli::DevArgs;
use crate::config::Config;
use crate::exit_code::{ExitCode, Failure, OrExit};
use crate::render::Output;
use crate::wiring::{Schema, open_idp};

/// The configuration that other commands use on the folder: `postern --config FOLDER/postern.toml logs ...`.
const CONFIG_FILE: &str = "postern.toml";

/// Serves with the demo tenant until SIGTERM or ctrl-c.
pub async fn run(args: &DevArgs) -> Result<(), Failure> {
    let failed = ExitCode::Failed;
    let temporary = match args.ephemeral {
        true => Some(tempfile::tempdir().or_exit(failed, "cannot make a temporary folder")?),
        false => None,
    };
    let folder = temporary.as_ref().map_or(args.dir.as_path(), tempfile::TempDir::path);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .or_exit(failed, format!("cannot make {}", folder.display()))?;
    let folder = folder.canonicalize().or_exit(failed, format!("cannot use {}", folder.display()))?;
    let config_file = folder.join(CONFIG_FILE);
    let text = config_text(&folder, args.port);
    std::fs::write(&config_file, &text).or_exit(failed, format!("cannot write {}", config_file.display()))?;
    let config = Config::from_toml(&text).or_exit(ExitCode::Configuration, "the configuration of `dev`")?;
    // The address first: a second `dev` stops here, before it touches the database.
    let listener = serve::bind(&config).await?;
    let (idp, runtime) = open_idp(&config, Schema::CreateOnly).await?;
    let demo = demo_tenant::seed(&idp, &runtime, &config, &folder, args.web_app_port).await?;
    let output = Output::stdout();
    if args.print_json {
        let mut all = json!(demo);
        all["config_file"] = json!(config_file);
        output.json(&all);
    } else {
        print(&output, &demo, &config_file);
    }
    serve::listen(&config, idp, listener, None).await
}

/// Strings are written as JSON, whose strings are TOML strings, too.
fn config_text(folder: &Path, port: u16) -> String {
    let url = json!(format!("sqlite:{}", folder.join("postern.db").display()));
    format!(
        "# Written by `postern dev` at each start.\n[server]\nlisten = \"127.0.0.1:{port}\"\nscheme = \"http\"\n\
         base_domain = \"localhost:{port}\"\n\n[database]\nurl = {url}\n\n[outgoing]\n\
         allowed_networks = [\"127.0.0.0/8\", \"::1\"]\n"
    )
}

fn print(output: &Output, demo: &Demo, config_file: &Path) {
    let row = |name: &str, value: &str| vec![name.to_owned(), value.to_owned()];
    output.line("Postern is up, with a demo tenant. Ctrl-c ends it.\n");
    output.table(&[
        row("issuer", &demo.issuer),
        row("discovery", &format!("{}.well-known/openid-configuration", demo.issuer)),
        row("user", &demo.user.email),
        row("password", &demo.user.password),
        row("native client", &demo.native_client.client_id),
        row(
            "web client",
            &format!("{}, secret {}", demo.web_client.client_id, demo.web_client.client_secret),
        ),
        row("web app", &format!("{} (start samples/apps/web-app)", demo.web_client.url)),
        row("API", &demo.audience),
        row(
            "management",
            &format!("{}, secret {}", demo.management_client.client_id, demo.management_client.client_secret),
        ),
        row("Action", &demo.action),
        row(
            "what happened",
            &format!("postern --config {} logs --tenant {}", config_file.display(), demo.tenant),
        ),
    ]);
    output.line("");
}
