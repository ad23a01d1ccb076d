//! HD: what is wrong before anything runs.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use action_api::{Blame, RunError};
use action_build::Source;
use action_runtime::{CompileLimits, Runtime, RuntimeConfig};
use end_to_end::flow::code_of;
use end_to_end::gate::Gate;
use end_to_end::operator::Operator;
use end_to_end::{Login, TestServer, actions, seed};
use idp::manage;
use postern::executor::Places;

use super::guest::{Guest, component, with_fields, with_module};
use super::{PLACES, Scene, build, handler, script};

fn bytes(bytes: &[u8]) -> Source {
    Source::component("action.wasm", bytes.to_vec())
}

fn program(source: &Source) -> Vec<u8> {
    match &source.program {
        action_build::Program::Component(bytes) => bytes.clone(),
        action_build::Program::Script { .. } => panic!("a script"),
    }
}

/// The component with a custom section of this name and size at its end.
fn with_custom_section(name: &str, size: usize) -> Source {
    let mut whole = program(&Guest::GOOD.source());
    let mut section = vec![u8::try_from(name.len()).unwrap()];
    section.extend(name.as_bytes());
    section.resize(section.len() + size, 0xff);
    whole.push(0);
    let mut left = section.len();
    while left >= 0x80 {
        whole.push(u8::try_from(left & 0x7f).unwrap() | 0x80);
        left >>= 7;
    }
    whole.push(u8::try_from(left).unwrap());
    whole.extend(section);
    bytes(&whole)
}

/// Files of compiled code.
fn compiled(folder: &Path) -> Vec<std::path::PathBuf> {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.filter(|file| file.extension().is_some_and(|extension| extension == "cwasm")).collect()
}

// HD1
#[tokio::test]
async fn what_is_no_action_is_refused_at_deploy_and_nothing_is_stored() {
    // It may have to be built first, which would stop this test's server.
    end_to_end::process::program();
    let scene = Scene::start().await;
    scene.a_good_login().await;
    let whole = program(&Guest::GOOD.source());
    scene.not_deployed(&bytes(b""), "not a Wasm component").await;
    scene.not_deployed(&bytes(b"exports.onExecutePostLogin = 1"), "not a Wasm component").await;
    scene.not_deployed(&bytes(b"\0asm"), "not a Wasm component").await;
    scene.not_deployed(&bytes(b"\0asm\x01\0\0\0"), "a component is needed").await;
    let core = wat::parse_str("(module (func (export \"on-execute-post-login\")))").unwrap();
    scene.not_deployed(&bytes(&core), "a component is needed").await;
    for part in 1..20 {
        scene.not_deployed(&bytes(&whole[..whole.len() * part / 20]), "component|export").await;
    }
    // Compiled code is an ELF file behind its digest: neither with it nor without. It may be that of a whole Python.
    let mut cached = fs::read(&compiled(&actions::compiled_folder())[0]).unwrap();
    cached.truncate(4 << 20);
    assert_eq!(cached[32..36], *b"\x7fELF");
    scene.not_deployed(&bytes(&cached[32..]), "not a Wasm component").await;
    scene.not_deployed(&bytes(&cached), "not a Wasm component").await;

    let imports =
        |imported: &str| Guest::GOOD.wat().replacen("(component", &format!("(component {imported}"), 1);
    for (wat, text) in [
        (imports("(import \"wasi:cli/environment@0.2.0\" (instance))"), "can only import"),
        (imports("(import \"wasi:sockets/tcp@0.2.0\" (instance))"), "can only import"),
        (imports("(import \"x\" (func))"), "can only import"),
        (imports("(import \"postern:actions/nothing@0.1.0\" (instance (export \"f\" (func))))"), "nothing"),
        (imports("(import \"postern:actions/user@9.0.0\" (instance (export \"f\" (func))))"), "user"),
        (imports("(import \"postern:actions/user@0.1.0\" (instance (export \"f\" (func))))"), "user|`f`"),
        (imports("(import \"postern:actions/user@0.1.0\" (func))"), "user"),
        (Guest::GOOD.wat().replace("\"absolute\" f64", "\"absolute\" f32").replace("$expires (param f64", "$expires (param f32"), "session|type"),
        (Guest::GOOD.wat().replace("(func (export \"on-execute-post-login\")", "(func (export \"on-execute\")"), "does not export"),
        ("(component)".to_owned(), "does not export"),
        (
            "(component (core module $M (func (export \"f\") (param i32))) (core instance $m (instantiate $M))
             (func (export \"on-execute-post-login\") (param \"event\" u32) (canon lift (core func $m \"f\"))))"
                .to_owned(),
            "type|on-execute-post-login",
        ),
        (format!("{}{}", "(component ".repeat(100), ")".repeat(100)), "too many modules"),
    ] {
        scene.not_deployed(&component(&wat), text).await;
    }
    scene.not_deployed(&component_with_two_imports_of_one_name(), "not a valid component").await;

    for (name, size) in
        [("name", 1 << 20), ("component-name", 1 << 20), ("producers", 1 << 20), ("x", 3 << 20)]
    {
        scene.harmless(&with_custom_section(name, size)).await;
    }
    scene.not_deployed(&with_custom_section("name", 100 << 20), "the most is").await;
    let (answer, _) = scene.log_in_again().await;
    code_of(&answer);

    // By the operator's own hand.
    let operator = Operator::of(&scene.database);
    // The server's key.
    let key = operator.folder.path().join("key");
    fs::write(&key, [7; 32]).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let file = operator.folder.path().join("action.wasm");
    for bad in [b"junk".to_vec(), core, program(&component(&imports("(import \"x\" (func))")))] {
        fs::write(&file, bad).unwrap();
        let path = file.to_str().unwrap();
        let ended = operator.run(&["action", "deploy", path, "--tenant", seed::ACME, "--name", "bad"]).await;
        assert!(ended.code != 0 && ended.code != 101, "{ended:?}");
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(said.contains("action.wasm") && !said.contains("panicked"), "{said}");
    }
    scene.end().await;
}

fn component_with_two_imports_of_one_name() -> Source {
    let import = |last: char| format!("(import \"postern:actions/user{last}@0.1.0\" (instance))");
    let wat =
        Guest::GOOD.wat().replacen("(component", &format!("(component {} {}", import('1'), import('2')), 1);
    let mut whole = program(&component(&wat));
    let name = b"postern:actions/user2";
    let at = whole.windows(name.len()).position(|window| window == name).unwrap();
    whole[at + name.len() - 1] = b'1';
    bytes(&whole)
}

// HD2
#[tokio::test]
async fn what_takes_long_to_compile_is_refused_before_it_is_compiled_or_by_the_compiler() {
    let scene = Scene::start().await;
    let functions = "(func)".repeat(20_001);
    scene.not_deployed(&with_module(&functions), "functions").await;
    let locals = format!("(func (local {}))", "i32 ".repeat(2_001));
    scene.not_deployed(&with_module(&locals), "locals").await;
    let body = format!("(func {})", "(drop (i32.const 1000000))".repeat(14_000));
    scene.not_deployed(&with_module(&body), "bytes").await;
    let table = format!("(func (param i32) (block (br_table {} (local.get 0))))", "0 ".repeat(70_000));
    scene.not_deployed(&with_module(&table), "bytes").await;
    scene.not_deployed(&with_custom_section("x", 5 << 20), "the most is").await;

    // The worst of its kind that those limits let through, and that those of the compiler stop.
    let (limits, cache) = (actions::COMPILE_LIMITS, other_cache());
    let runtime = |limits| {
        let folder = Some(cache.path().to_owned());
        Runtime::new(RuntimeConfig { compiler: actions::compiler(limits), ..RuntimeConfig::new(folder) })
    };
    for (limits, text) in [
        (CompileLimits { cpu_seconds: 1, ..limits }, "more than 1 s of a processor"),
        (CompileLimits { memory_bytes: 64 << 20, ..limits }, "more than 67108864 bytes of memory"),
        (CompileLimits { code_bytes: 4 << 10, ..limits }, "more than 4096 bytes"),
    ] {
        let runtime = runtime(limits).unwrap();
        let built = move || action_build::build(&runtime, &bomb(2), &actions::LIMITS).err();
        let refused = tokio::task::spawn_blocking(built).await.unwrap();
        let refused = refused.unwrap_or_else(|| panic!("built with {limits:?}")).to_string();
        assert!(refused.contains(text), "{refused}");
    }
    // One that takes seconds: the first login on a new node gives up, and a later one finds the code.
    let slow = bomb(1);
    scene.harmless(&slow).await;
    let digest = action_runtime::sha256_hex(&program(&slow));
    // An earlier run of this test may have left it.
    for file in compiled(cache.path()) {
        if file.to_string_lossy().contains(&digest) {
            fs::remove_file(file).unwrap();
        }
    }
    let places = Places { queue: Duration::from_millis(100), ..PLACES };
    let node = actions::executor_in(Arc::new(runtime(limits).unwrap()), scene.database.open().await, places);
    let first = node.run(super::run_of(&scene, &digest)).await.error.expect("no time");
    assert!(matches!(first, RunError::Exhausted { .. }), "{first}");
    let started = Instant::now();
    while let Some(error) = node.run(super::run_of(&scene, &digest)).await.error {
        assert!(matches!(error, RunError::Exhausted { .. }), "{error}");
        assert!(started.elapsed() < Duration::from_secs(120), "it is never there");
    }
    scene.end().await;
}

/// A component whose functions take the compiler seconds each.
fn bomb(functions: usize) -> Source {
    let live = (0..1_900).map(|local| format!("(local.set {local} (i32.const {local}))")).collect::<String>();
    let branches = (0..1_900)
        .cycle()
        .take(9_000)
        .map(|local| format!("(br_if 0 (local.get {local}))"))
        .collect::<String>();
    let function = format!("(func (local {}) {live} (block {branches}))", "i32 ".repeat(1_900));
    with_module(&function.repeat(functions))
}

// HD3
#[tokio::test]
async fn what_is_small_and_becomes_large_is_measured_by_what_it_becomes() {
    let scene = Scene::start().await;
    scene.not_deployed(&Guest { memory: "65536", ..Guest::GOOD }.source(), "memory").await;
    scene.not_deployed(&with_module("(memory 65536)"), "memor").await;
    scene.not_deployed(&with_module("(table 4000000 funcref)"), "table").await;
    scene
        .not_deployed(
            &with_fields(&format!("(core module $M) {}", "(core instance (instantiate $M))".repeat(100))),
            "instances",
        )
        .await;
    // A line whose image is forty megabytes.
    let image =
        "globalThis.big = new Uint8Array(40 << 20).fill(1); exports.onExecutePostLogin = async () => {}";
    scene.not_deployed(&script(image), "the most is").await;
    // Modules count together.
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let module = format!("exports.text = '{}';", "x".repeat(3 << 20));
    for name in ["a.js", "b.js", "c.js"] {
        write(name, &module);
    }
    write(
        "action.js",
        "require('./a'); require('./b'); require('./c'); exports.onExecutePostLogin = async () => {}",
    );
    let refused = Source::read(&folder.path().join("action.js")).expect_err("9 MiB").to_string();
    assert!(refused.contains("the script and its modules are more than"), "{refused}");
    write("action.wasm", "");
    let file = fs::File::create(folder.path().join("action.wasm")).unwrap();
    file.set_len(1 << 40).unwrap();
    let refused = Source::read(&folder.path().join("action.wasm")).expect_err("a TiB").to_string();
    assert!(refused.contains("the most is"), "{refused}");
    scene.a_good_login().await;
    scene.end().await;
}

/// A folder with the code that there is, for what may not leave its own to other tests.
fn other_cache() -> tempfile::TempDir {
    let cache = tempfile::tempdir().unwrap();
    fs::set_permissions(cache.path(), fs::Permissions::from_mode(0o700)).unwrap();
    for file in compiled(&actions::compiled_folder()) {
        fs::copy(&file, cache.path().join(file.file_name().unwrap())).unwrap();
    }
    cache
}

// HD4
#[tokio::test]
async fn stored_code_that_was_changed_is_not_run() {
    let cache = other_cache();
    let database = end_to_end::database::Database::fresh().await;
    let executor = async || {
        let runtime = Runtime::new(RuntimeConfig::new(Some(cache.path().to_owned()))).unwrap();
        actions::executor_in(Arc::new(runtime), database.open().await, PLACES)
    };
    let first = executor().await;
    let storage = database.open().await;
    let scene = Scene::on(TestServer::start_on_with(database, first, actions::LIMITS).await).await;
    let guest = Guest { fields: "(data (i32.const 64) \"cached\")", ..Guest::GOOD }.source();
    scene.deploy(&guest).await.expect("it builds");
    code_of(&scene.log_in_again().await.0);
    let digest = action_runtime::sha256_hex(&program(&guest));
    let file = compiled(cache.path())
        .into_iter()
        .find(|file| file.to_string_lossy().contains(&digest))
        .expect("its code");
    let good = fs::read(&file).unwrap();
    let end = good.len() - 1;
    for at in [0, 40, good.len() / 2, end] {
        let mut changed = good.clone();
        changed[at] ^= 1;
        fs::write(&file, if at == end { good[..end].to_vec() } else { changed }).unwrap();
        let runtime = Arc::new(Runtime::new(RuntimeConfig::new(Some(cache.path().to_owned()))).unwrap());
        let node = actions::executor_in(runtime, storage.clone(), PLACES);
        let report = node.run(super::run_of(&scene, &digest)).await;
        assert_eq!(report.error, None, "it is compiled anew");
        assert_eq!(fs::read(&file).unwrap(), good, "and kept");
    }
    // The artifact itself, in the database: the server knows that it is not what was deployed.
    let other = Guest { fields: "(data (i32.const 64) \"other one\")", ..Guest::GOOD }.source();
    scene.deploy(&other).await.expect("it builds");
    let digest = action_runtime::sha256_hex(&program(&other));
    let changed = scene.database.execute(format!("UPDATE artifacts SET bytes = (SELECT bytes FROM artifacts WHERE digest <> '{digest}' LIMIT 1) WHERE digest = '{digest}'")).await;
    assert_eq!(changed, 1);
    let (answer, report) = scene.log_in_again().await;
    let description = answer.location_parameter("error_description");
    assert_eq!(description.as_deref(), Some("An Action of this login could not be run."));
    let error = report.error.expect("an error");
    assert_eq!(error.blame(), Blame::Host, "{error}");
    assert!(matches!(&error, RunError::Host { message } if message.contains("another digest")), "{error}");
    scene.a_good_login().await;
    scene.end().await;
}

// HD5
#[tokio::test]
async fn a_login_ends_with_the_version_that_it_began_with() {
    let scene = Scene::start().await;
    let gate = Gate::closed().await;
    let waits = handler(&format!("await fetch('{}'); console.log('one')", gate.url));
    scene.deploy(&waits).await.expect("it builds");
    let browsers = [scene.browser(), scene.browser()];
    let login = Login::web();
    let running =
        async { tokio::join!(login.finish(&browsers[0], seed::ADA), login.finish(&browsers[1], seed::ADA)) };
    let meanwhile = async {
        gate.wait_for(2).await;
        // Many at once, of the same Action and of others. Each is a version of its own.
        let artifact = build(&handler("console.log('two')"), scene.idp.limits).await.expect("it builds");
        let (before, _) = scene.stored().await;
        let names = ["guest", "second", "third"];
        let (tenant, source) = (scene.acme(), &actions::kept(""));
        let secrets: Vec<BTreeMap<_, _>> =
            (0..60).map(|number| [("NUMBER".to_owned(), number.to_string())].into()).collect();
        let deploys = secrets.iter().enumerate().map(|(number, secrets)| {
            let deployment =
                manage::Deployment { source, artifact: &artifact, secrets, hosts: None, modules: None };
            manage::deploy_action(&scene.idp, &tenant, names[number % 3], deployment)
        });
        for deployed in futures_util::future::join_all(deploys).await {
            assert!(deployed.expect("a deploy").1);
        }
        assert_eq!(scene.stored().await.0, before + 60);
        gate.open();
    };
    let ((one, two), ()) = tokio::join!(running, meanwhile);
    code_of(&one);
    code_of(&two);
    let printed = |reports: &[action_api::RunReport]| -> Vec<String> {
        reports.iter().flat_map(|report| &report.console).map(|line| line.text.clone()).collect()
    };
    assert_eq!(printed(&scene.reports().await), ["one", "one"]);
    code_of(&scene.log_in_again().await.0);
    assert_eq!(printed(&scene.reports().await)[2..], ["two", "two", "two"]);

    // The Actions are taken away while one of them runs.
    let gate = Gate::closed().await;
    let waits = handler(&format!("await fetch('{}'); api.idToken.setCustomClaim('a', 1)", gate.url));
    scene.deploy(&waits).await.expect("it builds");
    let browser = scene.browser();
    let running = login.finish(&browser, seed::ADA);
    let meanwhile = async {
        gate.wait_for(1).await;
        let tenant = scene.acme();
        for action in manage::actions(&scene.idp, &tenant).await.expect("the Actions") {
            manage::delete_action(&scene.idp, &tenant, &action.id, true).await.expect("a deletion");
        }
        gate.open();
    };
    let (answer, ()) = tokio::join!(running, meanwhile);
    code_of(&answer);
    let reports = scene.reports().await.len();
    code_of(&Login::web().finish(&scene.browser(), seed::ADA).await);
    assert_eq!(scene.reports().await.len(), reports, "no Action runs any more");
    scene.end().await;
}
