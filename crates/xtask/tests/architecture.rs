//! The borders between the crates (design.md section 2), checked on what cargo says of them.

#![expect(clippy::unwrap_used, reason = "what cargo says of this workspace is there, or the test has failed")]

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{CargoOpt, DependencyKind, Metadata, MetadataCommand, PackageId};

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

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"))
        .features(CargoOpt::SomeFeatures(Vec::new()))
        .exec()
        .unwrap()
}

/// The names that a package lists, dev-dependencies left out: tests may reach further.
fn named(metadata: &Metadata, package: &str) -> BTreeSet<String> {
    let package = metadata.workspace_packages().into_iter().find(|found| found.name == package).unwrap();
    let kinds = [DependencyKind::Normal, DependencyKind::Build];
    package
        .dependencies
        .iter()
        .filter(|dependency| kinds.contains(&dependency.kind))
        .map(|dependency| dependency.name.clone())
        .collect()
}

/// Everything that a package's program holds, by name.
fn reached(metadata: &Metadata, package: &str) -> BTreeSet<String> {
    let names: BTreeMap<&PackageId, String> =
        metadata.packages.iter().map(|package| (&package.id, package.name.to_string())).collect();
    let resolve = metadata.resolve.as_ref().unwrap();
    let start = &metadata.workspace_packages().into_iter().find(|found| found.name == package).unwrap().id;
    let mut open = vec![start];
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        let node = resolve.nodes.iter().find(|node| node.id == *id).unwrap();
        for dependency in &node.deps {
            let normal = dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal);
            if normal && seen.insert(&dependency.pkg) {
                open.push(&dependency.pkg);
            }
        }
    }
    seen.into_iter().map(|id| names[id].clone()).collect()
}

#[test]
fn each_crate_names_only_those_below_it() {
    let metadata = metadata();
    let ours: BTreeSet<String> =
        metadata.workspace_packages().iter().map(|package| package.name.to_string()).collect();
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
    for package in metadata().workspace_packages() {
        let folder = package.manifest_path.parent().unwrap().file_name().unwrap();
        // The end-to-end tests stand at the top, where design.md puts them.
        if package.name != "end-to-end" {
            assert_eq!(folder, package.name.as_str());
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
