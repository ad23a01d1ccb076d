//! Other people's programs, which the tests run against the server: their locked versions are fetched by the clients that
//! everybody uses. Where a runtime is not there, its tests are left out, and the last lines say so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::guests::Guests;
use crate::packages::{self, output};
use crate::process::{note, root, run, target_folder};

/// The oldest Node.js that the packages run on.
const NODE: u32 = 20;
/// Terraform's provider, whose version is in `tests/clients/terraform/go.mod`.
const PROVIDER: &str = "github.com/auth0/terraform-provider-auth0";

/// Fetches what is missing, and notes what the tests need to know of it.
pub(crate) fn fetch(found: &mut Guests) -> Result<()> {
    let folder = root().join("tests/clients");
    if let Err(error) = node(&folder.join("node")) {
        for module in ["outside::node", "outside::conformance"] {
            found.missing.push((module, format!("{error:#}")));
        }
    }
    match python(&folder.join("python/requirements.txt"), &target_folder()?.join("clients/python")) {
        Ok(program) => found.variables.push(("TEST_CLIENTS_PYTHON", program.display().to_string())),
        Err(error) => found.missing.push(("outside::python", format!("{error:#}"))),
    }
    if let Err(error) = packages::apache() {
        found.missing.push(("outside::apache", format!("{error:#}")));
    }
    match go(&folder.join("go"), ".", &target_folder()?.join("clients/go/auth0-calls")) {
        Ok(program) => found.variables.push(("TEST_CLIENTS_GO", program.display().to_string())),
        Err(error) => found.missing.push(("outside::go", format!("{error:#}"))),
    }
    match terraform(&folder.join("terraform"), &target_folder()?.join("clients/terraform")) {
        Ok(variables) => found.variables.extend(variables),
        Err(error) => found.missing.push(("outside::terraform", format!("{error:#}"))),
    }
    Ok(())
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

/// The Python of a virtual environment that has what the requirements name.
fn python(requirements: &Path, environment: &Path) -> Result<PathBuf> {
    let program = environment.join("bin/python");
    let wanted = fs::read(requirements)?;
    let installed = environment.join("installed.txt");
    if fs::read(&installed).is_ok_and(|known| known == wanted) {
        return Ok(program);
    }
    note("The packages of tests/clients/python are missing (a test runs them against the server).");
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(environment))?;
    let options =
        ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r"];
    run(Command::new(&program).args(options).arg(requirements))?;
    fs::write(installed, wanted)?;
    Ok(program)
}

/// A program of Go, built from the modules that its `go.sum` pins. What is built and unchanged is looked at, no more.
fn go(folder: &Path, package: &str, program: &Path) -> Result<PathBuf> {
    output("go", &["version"]).context("no Go")?;
    if !program.is_file() {
        note(&format!("{} is missing (tests run it against the server).", program.display()));
    }
    let mut build = Command::new("go");
    build.args(["build", "-mod=readonly", "-trimpath", "-o"]).arg(program).arg(package).current_dir(folder);
    run(&mut build)?;
    Ok(program.to_path_buf())
}

/// Terraform or OpenTofu, and the provider.
fn terraform(folder: &Path, target: &Path) -> Result<[(&'static str, String); 2]> {
    let program = ["terraform", "tofu"].into_iter().find(|program| output(program, &["version"]).is_some());
    let program = program.context("neither Terraform nor OpenTofu is on the PATH")?;
    let provider = go(folder, PROVIDER, &target.join("terraform-provider-auth0"))?;
    Ok([("TEST_TERRAFORM", program.to_owned()), ("TEST_TERRAFORM_PROVIDER", provider.display().to_string())])
}
