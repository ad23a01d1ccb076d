//! Other people's programs, which the tests run against the server: their locked versions are fetched by the clients that
//! everybody uses. Where a runtime is not there, its tests are left out, and the last lines say so.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::packages::output;
use crate::process::{note, root, run};

/// The oldest Node.js that the packages run on.
const NODE: u32 = 20;

/// Fetches what is missing. Modules of the end-to-end tests that cannot run here, and why.
pub(crate) fn fetch() -> Vec<(&'static str, String)> {
    let folder = root().join("tests/clients");
    let mut missing = Vec::new();
    if let Err(error) = node(&folder.join("node")) {
        missing.push(("outside::node", format!("{error:#}")));
    }
    missing
}

/// `npm ci`, unless what the lock file names is there.
fn node(folder: &Path) -> Result<()> {
    let version = output("node", &["--version"]).context("no Node.js")?;
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    ensure!(major.is_some_and(|major| major >= NODE), "Node.js {NODE} is needed, not {}", version.trim());
    let lock = fs::read(folder.join("package-lock.json"))?;
    let installed = folder.join("node_modules/.installed");
    if fs::read(&installed).is_ok_and(|known| known == lock) {
        return Ok(());
    }
    note("The packages of tests/clients/node are missing (tests run them against the server).");
    let options = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    run(Command::new("npm").args(options).current_dir(folder))?;
    Ok(fs::write(installed, lock)?)
}
