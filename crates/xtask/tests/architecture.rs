//! The borders between the crates (design.md section 2), checked on what cargo says of them.

#![expect(clippy::unwrap_used, reason = "what cargo says of this workspace is there, or the test has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Which of our crates each crate may name. A crate that is not here is not planned.
const MAY_USE: [(&str, &[&str]); 13] = [
    ("oauth", &[]),
    ("model", &[]),
    ("action-api", &[]),
    ("action-runtime", &["action-api"]),
    ("action-build", &["action-api", "action-runtime"]),
    ("storage", &["model"]),
    ("idp", &["action-api", "model", "oauth", "storage"]),
    ("web", &["idp", "model", "oauth", "storage"]),
    ("postern", &["action-api", "action-build", "action-runtime", "idp", "model", "storage", "web"]),
    ("xtask", &["action-api"]),
    ("native-app", &[]),
    ("web-app", &[]),
    ("end-to-end", &["*"]),
];

/// What a crate must not reach, by any way. idp reaches sqlx through storage: what it may not do is name it.
const MUST_NOT_REACH: [(&str, &[&str]); 9] = [
    ("oauth", &["axum", "sqlx", "wasmtime", "tokio", "hyper"]),
    ("model", &["axum", "sqlx", "wasmtime", "tokio", "hyper"]),
    ("action-api", &["axum", "sqlx", "wasmtime", "tokio", "hyper"]),
    ("action-runtime", &["axum", "sqlx", "storage"]),
    ("action-build", &["axum", "sqlx", "storage"]),
    ("storage", &["axum", "wasmtime"]),
    ("idp", &["axum", "wasmtime", "action-runtime"]),
    ("web", &["wasmtime", "action-runtime"]),
    ("xtask", &["wasmtime", "sqlx"]),
];

/// What a crate must not name itself. Whoever sends requests does it through `postern::outgoing`.
const MUST_NOT_NAME: [(&str, &[&str]); 4] = [
    ("idp", &["sqlx", "axum", "hyper", "reqwest"]),
    ("web", &["sqlx", "argon2", "jsonwebtoken", "reqwest"]),
    ("storage", &["oauth", "jsonwebtoken", "reqwest"]),
    ("action-runtime", &["reqwest", "hyper"]),
];

/// The output of `cargo metadata`, version 1. The crate of that name would give serde_json and semver features that the
/// program is built without, and all that depends on them would be compiled twice.
fn metadata() -> Value {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version", "1", "--locked", "--manifest-path"]);
    cargo.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"));
    serde_json::from_slice(&cargo.output().unwrap().stdout).unwrap()
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object[field].as_str().unwrap()
}

fn list<'a>(object: &'a Value, field: &str) -> &'a [Value] {
    object[field].as_array().unwrap()
}

fn packages_of_ours(metadata: &Value) -> impl Iterator<Item = &Value> {
    let members = list(metadata, "workspace_members");
    list(metadata, "packages").iter().filter(|package| members.contains(&package["id"]))
}

fn ours<'a>(metadata: &'a Value, name: &str) -> &'a Value {
    packages_of_ours(metadata).find(|package| text(package, "name") == name).unwrap()
}

/// The names that a package lists, dev-dependencies left out: tests may reach further.
fn named(metadata: &Value, package: &str) -> BTreeSet<String> {
    let dependencies = list(ours(metadata, package), "dependencies");
    let ours = dependencies.iter().filter(|dependency| dependency["kind"] != "dev");
    ours.map(|dependency| text(dependency, "name").to_owned()).collect()
}

/// Everything that a package's program holds, by name.
fn reached(metadata: &Value, package: &str) -> BTreeSet<String> {
    let names: BTreeMap<&str, &str> = list(metadata, "packages")
        .iter()
        .map(|package| (text(package, "id"), text(package, "name")))
        .collect();
    let nodes = list(&metadata["resolve"], "nodes");
    let mut open = vec![text(ours(metadata, package), "id")];
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        let node = nodes.iter().find(|node| text(node, "id") == id).unwrap();
        for dependency in list(node, "deps") {
            let is_normal = list(dependency, "dep_kinds").iter().any(|kind| kind["kind"].is_null());
            let id = text(dependency, "pkg");
            if is_normal && seen.insert(id) {
                open.push(id);
            }
        }
    }
    seen.into_iter().map(|id| names[id].to_owned()).collect()
}

#[test]
fn each_crate_names_only_those_below_it() {
    let metadata = metadata();
    let ours: BTreeSet<String> =
        packages_of_ours(&metadata).map(|package| text(package, "name").to_owned()).collect();
    let planned: BTreeSet<String> = MAY_USE.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(ours, planned, "a crate was added or went away: say here what it may use");
    for (package, allowed) in MAY_USE {
        if allowed.contains(&"*") {
            continue;
        }
        for name in named(&metadata, package).intersection(&ours) {
            assert!(allowed.contains(&name.as_str()), "{package} must not use {name}");
        }
    }
}

#[test]
fn no_crate_reaches_what_it_must_not_see() {
    let metadata = metadata();
    for (package, forbidden) in MUST_NOT_REACH {
        let reached = reached(&metadata, package);
        for name in forbidden {
            assert!(!reached.contains(*name), "{package} reaches {name}");
        }
    }
    for (package, forbidden) in MUST_NOT_NAME {
        let named = named(&metadata, package);
        for name in forbidden {
            assert!(!named.contains(*name), "{package} names {name}");
        }
    }
}

#[test]
fn a_folder_is_called_like_its_package() {
    for package in packages_of_ours(&metadata()) {
        let (manifest, name) = (text(package, "manifest_path"), text(package, "name"));
        let folder = Path::new(manifest).parent().unwrap().file_name().unwrap();
        // The end-to-end tests stand at the top, where design.md puts them.
        if name != "end-to-end" {
            assert_eq!(folder, name);
        }
    }
}

#[test]
fn nobody_signs_with_the_rsa_crate() {
    // RUSTSEC-2023-0071: its private-key operations leak time. Lock files may name it; no program may hold it.
    let metadata = metadata();
    for package in ["postern", "native-app", "web-app"] {
        assert!(!reached(&metadata, package).contains("rsa"), "{package} holds the crate rsa");
    }
}
