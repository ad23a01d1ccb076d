//! `postern dev`: a server on loopback to try things on.

mod certificate;

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use anyhow::Context;
use idp::Idp;
use serde_json::json;
use time::OffsetDateTime;

use self::certificate::Files;
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
    let files = args.tls.then(|| Files::of(&folder));
    let text = config_text(&folder, args.port, files.as_ref());
    std::fs::write(&config_file, &text).or_exit(failed, format!("cannot write {}", config_file.display()))?;
    let config = Config::from_toml(&text).or_exit(ExitCode::Configuration, "the configuration of `dev`")?;
    // The address first: a second `dev` stops here, before it touches the database.
    let listener = serve::bind(&config).await?;
    let (idp, runtime) = open_idp(&config, Schema::CreateOnly).await?;
    let demo = demo_tenant::seed(&idp, &runtime, &config, &folder, args.web_app_port).await?;
    if let Some(files) = &files {
        make_certificate(&idp, files).await.or_exit(failed, "cannot make the certificate of --tls")?;
    }
    let tls = serve::tls(&config).await?;
    let output = Output::stdout();
    let ca = files.as_ref().map(|files| files.ca.as_path());
    if args.print_json {
        let mut all = json!(demo);
        all["config_file"] = json!(config_file);
        if let Some(ca) = ca {
            all["ca_file"] = json!(ca);
        }
        output.json(&all);
    } else {
        print(&output, &demo, &config_file, ca);
    }
    serve::listen(&config, idp, listener, tls).await
}

/// For the host of each tenant that there is.
async fn make_certificate(idp: &Idp, files: &Files) -> anyhow::Result<()> {
    let tenants = idp.storage.tenants().await?;
    let hosts: Vec<String> = tenants.iter().map(|tenant| format!("{}.localhost", tenant.id)).collect();
    let now = OffsetDateTime::from_unix_timestamp(idp.now().as_secs()).context("the clock")?;
    files.make(&hosts, now)
}

/// Strings are written as JSON, whose strings are TOML strings, too. Not every system finds `demo.localhost`; all find
/// `localhost`, so that the demo tenant is there as well.
fn config_text(folder: &Path, port: u16, tls: Option<&Files>) -> String {
    let url = json!(format!("sqlite:{}", folder.join("postern.db").display()));
    let scheme = if tls.is_some() { "https" } else { "http" };
    let tls = tls.map_or_else(String::new, |files| {
        format!("tls_certificate = {}\ntls_key = {}\n", json!(files.certificate), json!(files.key))
    });
    let tenant = demo_tenant::TENANT;
    format!(
        "# Written by `postern dev` at each start.\n[server]\nlisten = \"127.0.0.1:{port}\"\nscheme = \"{scheme}\"\n\
         base_domain = \"localhost:{port}\"\n{tls}\n[server.custom_domains]\n\"localhost:{port}\" = \"{tenant}\"\n\n\
         [database]\nurl = {url}\n\n[outgoing]\nallowed_networks = [\"127.0.0.0/8\", \"::1\"]\n"
    )
}

fn print(output: &Output, demo: &Demo, config_file: &Path, ca: Option<&Path>) {
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
            "another one",
            &format!(
                "postern --config {} action deploy FOLDER --tenant {}",
                config_file.display(),
                demo.tenant
            ),
        ),
        row(
            "what happened",
            &format!("postern --config {} logs --tenant {}", config_file.display(), demo.tenant),
        ),
    ]);
    if let Some(ca) = ca {
        let ca = ca.display();
        output.line(format!(
            "\nNo program trusts its certificate yet. Those in Node.js and in Go do, with the one variable that is theirs:\n\
             export NODE_EXTRA_CA_CERTS='{ca}'\nexport SSL_CERT_FILE='{ca}'"
        ));
    }
    output.line("");
}
