//! Debian packages: what is missing is installed, and only that. Nothing is done on a machine that has it all.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::process::{note, run};

/// Installs the C toolchain for Wasm, which compiles the JavaScript engine, unless it works already.
pub(crate) fn wasm_toolchain() -> Result<()> {
    if wasm_toolchain_works() {
        return Ok(());
    }
    note("The C toolchain for Wasm is missing (it compiles the JavaScript engine).");
    let apt = Apt::start("clang lld wasi-libc and clang's wasm32 runtime")?;
    apt.install(&["clang", "lld", "wasi-libc"])?;
    // The package of the runtime carries clang's version.
    let version = output("clang", &["-dumpversion"]).context("clang is not there after its installation")?;
    let major = version.split('.').next().unwrap_or_default().trim();
    let runtime = format!("libclang-rt-{major}-dev-wasm32");
    if output("apt-cache", &["search", "--names-only", &format!("^{runtime}$")])
        .is_some_and(|found| !found.is_empty())
    {
        apt.install(&[&runtime])?;
    }
    ensure!(
        wasm_toolchain_works(),
        "clang still cannot build for wasm32-wasi. Install {runtime}, or set WASI_SDK_PATH to a WASI SDK"
    );
    Ok(())
}

/// Installs a browser and its driver, unless they are there.
pub(crate) fn browser() -> Result<()> {
    let there = |program: &str| output(program, &["--version"]).is_some();
    if there("chromium") && there("chromedriver") {
        return Ok(());
    }
    note("Chromium or its driver is missing (a test logs in with a real browser).");
    Apt::start("chromium chromium-driver")?.install(&["chromium", "chromium-driver"])
}

/// Installs Apache's server, without the service of the machine, and its OpenID Connect module, unless they are there.
pub(crate) fn apache() -> Result<()> {
    let is_there = || {
        ["/usr/sbin/apache2", "/usr/lib/apache2/modules/mod_auth_openidc.so"]
            .iter()
            .all(|file| Path::new(file).is_file())
    };
    if is_there() {
        return Ok(());
    }
    note("Apache or its OpenID Connect module is missing (a test logs in at it).");
    let wanted = ["apache2-bin", "libapache2-mod-auth-openidc"];
    Apt::start(&wanted.join(" "))?.install(&wanted)?;
    ensure!(is_there(), "Apache is not where Debian has it");
    Ok(())
}

/// The folder of PostgreSQL's programs. Debian keeps them out of the PATH, one folder for each version.
pub(crate) fn postgres() -> Result<PathBuf> {
    if let Some(folder) = postgres_folder() {
        return Ok(folder);
    }
    note("PostgreSQL is missing (the tests run on it as on SQLite).");
    Apt::start("postgresql")?.install(&["postgresql"])?;
    postgres_folder().context("initdb is not there after the installation of postgresql")
}

fn postgres_folder() -> Option<PathBuf> {
    let is_whole = |folder: &PathBuf| {
        ["initdb", "postgres", "pg_isready"].iter().all(|program| folder.join(program).is_file())
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|entry| {
            Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin")))
        })
        .filter(|(_, folder)| is_whole(folder))
        .max();
    std::env::split_paths(&path).find(is_whole).or(newest.map(|(_, folder)| folder))
}

/// Whether a small program builds as the engine does: compiler, linker, C library and runtime.
fn wasm_toolchain_works() -> bool {
    let Ok(folder) = tempfile::tempdir() else { return false };
    let source = folder.path().join("a.c");
    // `long double` needs the compiler's runtime.
    let code = "#include <stdio.h>\nlong double f(long double a, long double b) { return a * b; }\n";
    if std::fs::write(&source, code).is_err() {
        return false;
    }
    let mut clang = match std::env::var_os("WASI_SDK_PATH") {
        Some(sdk) => {
            let sdk = std::path::PathBuf::from(sdk);
            let mut clang = Command::new(sdk.join("bin/clang"));
            clang.arg("--sysroot").arg(sdk.join("share/wasi-sysroot"));
            clang
        }
        None => Command::new("clang"),
    };
    clang.args(["--target=wasm32-wasi", "-mexec-model=reactor", "-Wl,--export=f"]).arg(source).arg("-o");
    clang.arg(folder.path().join("a.wasm")).stdout(Stdio::null()).stderr(Stdio::null());
    clang.status().is_ok_and(|status| status.success())
}

/// apt-get, as root.
struct Apt {
    sudo: bool,
}

impl Apt {
    /// Refreshes the package lists. An error says what a person can do.
    fn start(wanted: &str) -> Result<Self> {
        if output("apt-get", &["--version"]).is_none() {
            bail!(
                "this machine has no apt-get: install {wanted} by hand, or set WASI_SDK_PATH to a WASI SDK"
            );
        }
        let root = output("id", &["-u"]).is_some_and(|id| id.trim() == "0");
        if !root && output("sudo", &["--version"]).is_none() {
            bail!("not root, and no sudo: as root, run: apt-get update && apt-get install -y {wanted}");
        }
        let apt = Self { sudo: !root };
        note("$ apt-get update");
        // A list that could not be refreshed may still do.
        if let Err(error) = run(apt.command().args(["-qq", "update"])) {
            note(&format!("{error:#}; going on with the lists that are there"));
        }
        Ok(apt)
    }

    fn install(&self, packages: &[&str]) -> Result<()> {
        note(&format!("$ apt-get install -y --no-install-recommends {}", packages.join(" ")));
        run(self.command().args(["-qq", "install", "-y", "--no-install-recommends"]).args(packages))
            .with_context(|| {
                format!("cannot install packages; as root, run: apt-get install -y {}", packages.join(" "))
            })
    }

    fn command(&self) -> Command {
        if self.sudo {
            let mut command = Command::new("sudo");
            command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
            command
        } else {
            let mut command = Command::new("apt-get");
            command.env("DEBIAN_FRONTEND", "noninteractive");
            command
        }
    }
}

/// What a program prints; `None` when it is not there or fails.
pub(crate) fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
