use model::{
    Action, ActionDraft, ActionId, ActionModule, ActionModuleId, ActionSettings, ActionVersion, AllowedHosts,
    BoundModule, BuildMessage, Dependency, ModuleContent, SecretName, Timestamp, TriggerBinding,
    TriggerVersion, UsedModule,
};

use super::fixtures::*;
use crate::statement::Statement;
use crate::{Storage, TenantTx};

const TRIGGER: &str = "post-login";

fn id(id: &str) -> ActionId {
    ActionId::new(id)
}

fn module_id() -> ActionModuleId {
    ActionModuleId::new("mod_1")
}

fn secrets() -> Vec<SecretName> {
    vec![SecretName { name: "KEY".to_owned(), updated_at: now() }]
}

fn draft(code: &str, digest: &str) -> ActionDraft {
    ActionDraft {
        source: source(code),
        settings: ActionSettings {
            runtime: "node22".to_owned(),
            supported_triggers: vec![TriggerVersion { id: TRIGGER.to_owned(), version: "v3".to_owned() }],
            dependencies: vec![Dependency {
                name: "axios".to_owned(),
                version: "1.0.0".to_owned(),
                registry_url: None,
            }],
            modules: vec![UsedModule { id: module_id(), name: "shared".to_owned(), number: 1 }],
            secrets: secrets(),
        },
        sealed_secrets: Some("sealed".to_owned()),
        digest: Some(digest.to_owned()),
        errors: vec![BuildMessage { id: "SyntaxError".to_owned(), msg: "1:2".to_owned() }],
        built_at: now(),
        updated_at: now(),
    }
}

fn action(id: &str, name: &str) -> Action {
    Action {
        id: ActionId::new(id),
        name: name.to_owned(),
        created_at: now(),
        draft: draft("source", "sha256:1"),
        deployed: None,
        allowed_hosts: AllowedHosts::Only(vec!["api.example".to_owned()]),
    }
}

fn module() -> ActionModule {
    ActionModule {
        id: module_id(),
        name: "shared".to_owned(),
        created_at: now(),
        updated_at: at(1),
        draft: ModuleContent {
            code: "code".to_owned(),
            dependencies: Vec::new(),
            secrets: secrets(),
            sealed_secrets: Some("module sealed".to_owned()),
        },
        latest: None,
    }
}

fn binding(id: &str) -> TriggerBinding {
    TriggerBinding {
        action_id: ActionId::new(id),
        display_name: "Says hello".to_owned(),
        created_at: now(),
        updated_at: at(1),
    }
}

pub async fn deploy(
    tx: &mut TenantTx,
    action: &str,
    code: &str,
    digest: &str,
    now: Timestamp,
) -> ActionVersion {
    tx.deploy_action(&id(action), &draft(code, digest), digest, now).await.unwrap()
}

/// One Action, bound, with a module.
pub async fn fill(tx: &mut TenantTx) {
    tx.insert_action_module(&module()).await.unwrap();
    tx.publish_action_module(&module(), now()).await.unwrap();
    tx.insert_action(&action("act_1", "greet")).await.unwrap();
    deploy(tx, "act_1", "source", "sha256:1", now()).await;
    tx.set_trigger_bindings(TRIGGER, &[binding("act_1")]).await.unwrap();
}

/// What [`fill`] stored.
pub async fn check(tx: &mut TenantTx) {
    let found = tx.action(&id("act_1")).await.unwrap().unwrap();
    assert_eq!(tx.actions().await.unwrap(), std::slice::from_ref(&found));
    assert_eq!(tx.action_id("greet").await.unwrap(), Some(id("act_1")));
    let versions = tx.action_versions(&id("act_1")).await.unwrap();
    assert_eq!(versions.len(), 1);
    assert_eq!(found.deployed.as_ref(), versions.first());
    assert!(found.all_changes_deployed());
    assert_eq!(Action { deployed: None, ..found }, action("act_1", "greet"));
    assert_eq!(tx.trigger_bindings(TRIGGER).await.unwrap(), [binding("act_1")]);
    assert!(tx.is_bound(&id("act_1")).await.unwrap());
    let bound = tx.bindings().await.unwrap().remove(0);
    assert_eq!(bound.sealed_secrets.as_deref(), Some("sealed"));
    assert_eq!(bound.allowed_hosts, action("act_1", "greet").allowed_hosts);
    let module = tx.action_module(&module_id()).await.unwrap().unwrap();
    assert_eq!(tx.action_modules().await.unwrap(), [module]);
}

/// Each statement once, for their plans.
pub async fn run_all(tx: &mut TenantTx) {
    let greet = action("act_1", "greet");
    tx.set_action(&greet).await.unwrap();
    tx.set_sealed_secrets(&greet.id, 1, "sealed").await.unwrap();
    tx.set_action_module(&module()).await.unwrap();
    tx.action_module_versions(&module_id()).await.unwrap();
    tx.executions_after(0, 10).await.unwrap();
    tx.delete_action_module_version(&module_id(), 1).await.unwrap();
    tx.delete_action_module(&module_id()).await.unwrap();
    tx.delete_action(&greet.id).await.unwrap();
}

pub async fn a_deployment_makes_the_next_version_and_keeps_its_place(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    for digest in ["sha256:1", "d1", "d2", "d3"] {
        tx.put_artifact(digest, "{}", b"x").await.unwrap();
    }
    for (id, name) in [("act_z", "z"), ("act_a", "a")] {
        tx.insert_action(&action(id, name)).await.unwrap();
    }
    tx.set_trigger_bindings(TRIGGER, &[binding("act_z"), binding("act_a")]).await.unwrap();
    assert!(tx.bindings().await.unwrap().is_empty(), "nothing of a draft runs");
    let first = deploy(&mut tx, "act_z", "s1", "d1", now()).await;
    deploy(&mut tx, "act_a", "s2", "d2", now()).await;
    let second = deploy(&mut tx, "act_z", "s3", "d3", at(1)).await;
    assert_eq!((first.number, second.number), (1, 2));
    let bound = tx.bindings().await.unwrap().into_iter();
    let bound: Vec<_> = bound.map(|binding| (binding.name, binding.version, binding.digest)).collect();
    assert_eq!(bound, [("z".to_owned(), 2, "d3".to_owned()), ("a".to_owned(), 1, "d2".to_owned())]);
    let numbers = tx.actions().await.unwrap().into_iter();
    let numbers: Vec<_> =
        numbers.map(|action| (action.name, action.deployed.map(|version| version.number))).collect();
    assert_eq!(numbers, [("a".to_owned(), Some(1)), ("z".to_owned(), Some(2))]);
    assert_eq!(tx.action_versions(&id("act_z")).await.unwrap(), [second, first]);

    // A draft and another name change nothing of what runs.
    let renamed = Action { draft: draft("later", "sha256:1"), ..action("act_z", "zed") };
    tx.set_action(&renamed).await.unwrap();
    let found = tx.action(&id("act_z")).await.unwrap().unwrap();
    assert!(!found.all_changes_deployed());
    assert_eq!((found.name.as_str(), found.draft.source), ("zed", source("later")));
    assert_eq!(tx.bindings().await.unwrap()[0].digest, "d3");
    tx.set_sealed_secrets(&id("act_z"), 2, "again").await.unwrap();
    assert_eq!(tx.bindings().await.unwrap()[0].sealed_secrets.as_deref(), Some("again"));

    // The 51st version takes the place of the first.
    for number in 3..=51 {
        assert_eq!(deploy(&mut tx, "act_z", "s", "d1", at(2)).await.number, number);
    }
    let numbers: Vec<_> =
        tx.action_versions(&id("act_z")).await.unwrap().iter().map(|it| it.number).collect();
    assert_eq!((numbers.len(), numbers[0], numbers[49]), (50, 51, 2));
    tx.put_artifact("e1", "{}", &[1]).await.unwrap();
    tx.put_rebuilt_artifact("d3", "engine", "e1").await.unwrap();
    tx.put_rebuilt_artifact("d3", "engine", "d1").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(storage.artifact_source("d3").await.unwrap(), Some(source("s3")));
    assert_eq!(storage.artifact_source("d4").await.unwrap(), None);
    assert_eq!(storage.rebuilt_artifact("d3", "engine").await.unwrap().as_deref(), Some("e1"));
    assert_eq!(storage.rebuilt_artifact("d3", "other").await.unwrap(), None);

    // One name is one Action's.
    let mut tx = storage.begin(&acme()).await.unwrap();
    assert!(tx.insert_action(&action("act_b", "a")).await.unwrap_err().is_conflict());
    drop(tx);
    let mut tx = storage.begin(&acme()).await.unwrap();
    assert!(tx.set_action(&action("act_a", "zed")).await.unwrap_err().is_conflict());
    drop(tx);

    // What is deleted runs nowhere.
    let mut tx = storage.begin(&acme()).await.unwrap();
    assert!(tx.delete_action(&id("act_z")).await.unwrap());
    assert!(!tx.delete_action(&id("act_z")).await.unwrap());
    assert_eq!(tx.bindings().await.unwrap().len(), 1);
    tx.commit().await.unwrap();

    // An Action without its artifact is never deployed.
    let mut tx = storage.begin(&acme()).await.unwrap();
    deploy(&mut tx, "act_a", "s", "missing", now()).await;
    assert!(tx.commit().await.is_err());
}

pub async fn what_an_older_version_deployed_is_what_there_is_to_work_on(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    tx.put_artifact("c", r#"{"kind":"component"}"#, b"x").await.unwrap();
    for sql in [
        "INSERT INTO actions (tenant_id, id, name, created_at, deployed_version) VALUES ('acme', 'act_1', 'old', 5, 1)",
        "INSERT INTO action_versions (tenant_id, action_id, number, digest, source, sealed_secrets, created_at)
         VALUES ('acme', 'act_1', 1, 'c', '', 'sealed', 6)",
        "INSERT INTO action_bindings (tenant_id, trigger_id, action_id, position)
         VALUES ('acme', 'post-login', 'act_1', 1)",
    ] {
        tx.run(Statement::new(sql)).await.unwrap();
    }
    let old = tx.action(&id("act_1")).await.unwrap().unwrap();
    assert!(old.all_changes_deployed());
    assert_eq!(old.draft.settings.runtime, "wasm-component-v1");
    assert_eq!(old.draft.digest.as_deref(), Some("c"));
    assert_eq!(old.draft.sealed_secrets.as_deref(), Some("sealed"));
    assert_eq!(tx.bindings().await.unwrap()[0].version, 1);
    let bound = tx.trigger_bindings(TRIGGER).await.unwrap().remove(0);
    assert_eq!((bound.display_name.as_str(), bound.created_at), ("old", old.created_at));
}

pub async fn a_module_is_pinned_and_its_secrets_come_with_the_binding(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    tx.put_artifact("sha256:1", "{}", b"x").await.unwrap();
    fill(&mut tx).await;
    let mut module = tx.action_module(&module_id()).await.unwrap().unwrap();
    module.draft.sealed_secrets = Some("newer".to_owned());
    tx.set_action_module(&module).await.unwrap();
    assert_eq!(tx.publish_action_module(&module, at(2)).await.unwrap().number, 2);
    let bound = || BoundModule {
        id: module_id(),
        name: "shared".to_owned(),
        sealed_secrets: "module sealed".to_owned(),
    };
    assert_eq!(tx.bindings().await.unwrap()[0].modules, [bound()]);
    let versions = tx.action_module_versions(&module_id()).await.unwrap();
    assert_eq!(versions.iter().map(|version| version.number).collect::<Vec<_>>(), [2, 1]);
    let found = tx.action_module(&module_id()).await.unwrap().unwrap();
    assert_eq!(found.latest.as_ref(), versions.first());
    tx.delete_action_module_version(&module_id(), 1).await.unwrap();
    assert_eq!(tx.action_module_version(&module_id(), 1).await.unwrap(), None);
    assert!(tx.delete_action_module(&module_id()).await.unwrap());
    assert!(!tx.delete_action_module(&module_id()).await.unwrap());
}

pub async fn runs_are_found_by_their_execution_and_in_their_order(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    for (run, version) in [("one", 1), ("two", 2), ("one", 3)] {
        tx.insert_execution("transaction", &execution(run, version)).await.unwrap();
    }
    let versions = |runs: Vec<crate::StoredExecution>| -> Vec<i64> {
        runs.iter().map(|run| run.execution.version).collect()
    };
    assert_eq!(versions(tx.executions(2).await.unwrap()), [3, 2]);
    assert_eq!(versions(tx.execution("one").await.unwrap()), [1, 3]);
    let first = tx.executions_after(0, 1).await.unwrap().remove(0);
    assert_eq!(first.execution, execution("one", 1));
    assert_eq!(versions(tx.executions_after(first.id, 9).await.unwrap()), [2, 3]);
    tx.commit().await.unwrap();
    let mut tx = storage.begin_read(&other()).await.unwrap();
    assert!(tx.execution("one").await.unwrap().is_empty());
}

const DAY: i64 = 24 * 3600;

/// One whole sweep.
async fn sweep(storage: &Storage, moment: Timestamp) -> u64 {
    let mut sweep = storage.sweep(moment, 30 * DAY, 2);
    let mut removed = 0;
    while let Some(batch) = sweep.next().await.unwrap() {
        removed += batch.removed;
    }
    removed
}

async fn artifacts(storage: &Storage) -> Vec<&'static str> {
    let mut there = Vec::new();
    for digest in ["again", "draft", "left", "of left", "of version", "shared", "version", "x"] {
        if storage.artifact(digest).await.unwrap().is_some() {
            there.push(digest);
        }
    }
    there
}

pub async fn an_artifact_that_nothing_needs_goes_a_day_later(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    for digest in ["again", "draft", "left", "of left", "of version", "shared", "version"] {
        tx.put_artifact(digest, "{}", b"x").await.unwrap();
    }
    tx.put_rebuilt_artifact("version", "engine", "of version").await.unwrap();
    tx.put_rebuilt_artifact("left", "engine", "of left").await.unwrap();
    tx.insert_action(&Action { draft: draft("first", "version"), ..action("act_1", "one") }).await.unwrap();
    deploy(&mut tx, "act_1", "first", "version", now()).await;
    tx.set_action(&Action { draft: draft("nul \0", "draft"), ..action("act_1", "one") }).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = storage.begin(&other()).await.unwrap();
    tx.insert_action(&Action { draft: draft("theirs", "shared"), ..action("act_1", "one") }).await.unwrap();
    tx.commit().await.unwrap();

    let all = ["again", "draft", "left", "of left", "of version", "shared", "version"];
    assert_eq!(sweep(storage, now()).await, 0);
    // It is built again: what its author goes on with is no older than that.
    let mut tx = storage.begin(&acme()).await.unwrap();
    tx.put_artifact("again", "{}", b"x").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(sweep(storage, at(DAY - 1)).await, 0);
    assert_eq!(artifacts(storage).await, all);
    assert_eq!(storage.ended_rows(at(DAY), 30 * DAY, 10).await.unwrap(), [("artifacts", 1)]);
    assert_eq!(sweep(storage, at(DAY)).await, 1);
    let without = ["again", "draft", "of left", "of version", "shared", "version"];
    assert_eq!(artifacts(storage).await, without);
    // What was noted anew while it was there, and what was needed by what went.
    assert_eq!(sweep(storage, at(2 * DAY - 1)).await, 1);
    assert_eq!(sweep(storage, at(3 * DAY - 1)).await, 1);
    let needed = ["draft", "of version", "shared", "version"];
    assert_eq!(artifacts(storage).await, needed);

    // With the Action goes what it alone needed. What somebody needs meanwhile stays, whoever stored it.
    let mut tx = storage.begin(&acme()).await.unwrap();
    assert!(tx.delete_action(&id("act_1")).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(sweep(storage, at(4 * DAY)).await, 0);
    let mut tx = storage.begin(&other()).await.unwrap();
    tx.set_action(&Action { draft: draft("theirs", "draft"), ..action("act_1", "one") }).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(sweep(storage, at(5 * DAY)).await, 1);
    assert_eq!(artifacts(storage).await, ["draft", "of version", "shared"]);
    assert_eq!(sweep(storage, at(6 * DAY)).await, 1);
    assert_eq!(sweep(storage, at(7 * DAY)).await, 1);
    assert_eq!(artifacts(storage).await, ["draft"]);
    assert_eq!(sweep(storage, at(8 * DAY)).await, 0);
}

pub async fn an_artifact_that_is_stored_again_while_it_is_removed_is_there(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    tx.insert_action(&Action { draft: draft("none", "none"), ..action("act_1", "one") }).await.unwrap();
    tx.put_artifact("x", "{}", b"x").await.unwrap();
    tx.commit().await.unwrap();
    for round in 0..30 {
        sweep(storage, at(2 * round * DAY)).await;
        let change = async {
            let mut tx = storage.begin(&acme()).await.unwrap();
            tx.put_artifact("x", "{}", b"x").await.unwrap();
            tx.set_action(&Action { draft: draft("x", "x"), ..action("act_1", "one") }).await.unwrap();
            tx.commit().await.unwrap();
        };
        tokio::join!(
            change,
            sweep(storage, at((2 * round + 1) * DAY)),
            sweep(storage, at((2 * round + 1) * DAY))
        );
        assert_eq!(artifacts(storage).await, ["x"], "{round}");
        let mut tx = storage.begin(&acme()).await.unwrap();
        tx.set_action(&Action { draft: draft("none", "none"), ..action("act_1", "one") }).await.unwrap();
        tx.commit().await.unwrap();
    }
}
