//! HM: guests that take more than they may.

use end_to_end::actions;

use super::guest::{DONE, Guest, component, running, with_fields, with_module};
use super::{Scene, handler_after_commands};

// HM1
#[tokio::test]
async fn memory_grows_to_its_limit_and_no_further() {
    let scene = Scene::start().await;
    let grow = |step: &str, then: &str| {
        format!("(loop $more (br_if $more (i32.ne (memory.grow (i32.const {step})) (i32.const -1)))) {then}")
    };
    // To be refused is no fault; to go on as if one was not is.
    for step in ["1", "100", "65535"] {
        let report = scene.harmless(&running(&grow(step, DONE))).await;
        assert!(report.memory_bytes <= actions::LIMITS.memory_bytes, "{report:?}");
        scene.denied(&running(&grow(step, "(unreachable)")), "memory_bytes").await;
    }
    let beyond = "(i32.store (i32.const -4) (i32.const 1)) (i32.const 16)";
    scene.denied(&running(beyond), "trap wasm trap: out of bounds memory access").await;
    // What is declared is known before it runs.
    for memory in ["1025", "65536"] {
        scene.not_deployed(&Guest { memory, ..Guest::GOOD }.source(), "memory").await;
    }
    scene.harmless(&Guest { memory: "2 65536", ..Guest::GOOD }.source()).await;
    let at_the_end = Guest { fields: "(data (i32.const 0xfffffff0) \"0123456789abcdef\")", ..Guest::GOOD };
    scene.denied(&at_the_end.source(), "trap wasm trap: out of bounds memory access").await;
    scene.end().await;
}

// HM2
#[tokio::test]
async fn the_memories_of_all_instances_count_together() {
    let scene = Scene::start().await;
    scene.not_deployed(&with_module("(memory 1) (memory 1)"), "more than one memory").await;
    // One module, whose instances have a memory each.
    let again = "(core instance (instantiate $M))".repeat(3);
    scene
        .not_deployed(&with_fields(&format!("(core module $M (memory 200)) {again}")), "memor|instances")
        .await;
    let many = "(core instance (instantiate $M))".repeat(500);
    scene.not_deployed(&with_fields(&format!("(core module $M) {many}")), "instances").await;
    let few = "(core instance (instantiate $M))".repeat(30);
    scene.not_deployed(&with_fields(&format!("(core module $M) {few}")), "instances").await;
    // Each component makes ten of the one before: a thousand of the first.
    let ten = |name: &str| format!("(instance (instantiate {name}))").repeat(10);
    let nested = format!(
        "(component $C (component $B (component $A (core module $M) (core instance (instantiate $M))) {}) {}) {}",
        ten("$A"),
        ten("$B"),
        ten("$C")
    );
    scene.not_deployed(&with_fields(&nested), "instances|modules").await;
    scene.end().await;
}

// HM3
#[tokio::test]
async fn kinds_of_memory_that_no_limit_counts_are_refused_at_deploy() {
    let scene = Scene::start().await;
    for module in [
        "(memory i64 1)",
        "(memory 1 2 shared)",
        "(memory 1 2 (pagesize 1))",
        "(table i64 1 funcref)",
        "(type (array (mut i8)))",
        "(type (struct (field i32)))",
        "(func (drop (ref.i31 (i32.const 1))))",
    ] {
        scene.not_deployed(&with_module(module), "not a valid component").await;
    }
    scene.end().await;
}

// HM4
#[tokio::test]
async fn tables_are_few_and_small_and_their_elements_count() {
    let scene = Scene::start().await;
    for module in
        ["(table 10000000 funcref)", "(table 4294967295 funcref)", "(table 1 funcref) (table 1 funcref)"]
    {
        scene.not_deployed(&with_module(module), "table").await;
    }
    // References to things of the host need a collector, which is not there.
    scene.not_deployed(&with_module("(table 1 externref)"), "gc types are disallowed").await;
    let grow = |then: &str| {
        let body = format!(
            "(loop $more (br_if $more
                 (i32.ne (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1)))) {then}"
        );
        Guest { fields: "(table $t 1 funcref)", body: &body, ..Guest::GOOD }.source()
    };
    scene.harmless(&grow(DONE)).await;
    scene.denied(&grow("(unreachable)"), "trap|memory_bytes").await;
    scene.end().await;
}

// HM5
#[tokio::test]
async fn handles_that_are_never_dropped_end_the_guest() {
    let scene = Scene::start().await;
    let guest = Guest {
        component: "(type $r (resource (rep i32))) (core func $new (canon resource.new $r))",
        extra: "(export \"new\" (func $new))",
        fields: "(import \"host\" \"new\" (func $new (param i32) (result i32)))",
        body: &format!("(loop $again (drop (call $new (i32.const 7))) (br $again)) {DONE}"),
        ..Guest::GOOD
    };
    scene.denied(&guest.source(), "trap").await;
    scene.end().await;
}

// HM6
#[tokio::test]
async fn allocations_of_a_script_end_inside_its_own_memory() {
    let scene = Scene::start().await;
    for body in [
        "const all = new Array(1e9).fill(7)",
        "const all = []; for (;;) all.push(new Array(10000).fill(1))",
        "let text = 'x'; for (;;) text += text",
        "let text = 'x'; for (;;) text = (text + text).split('').reverse().join('')",
        "new ArrayBuffer(2 ** 31)",
        "const all = []; for (;;) all.push(new Uint8Array(1 << 20).fill(1))",
        "2n ** 1000000000n",
        "let big = 2n; for (;;) big *= big",
        "let deep = {}; for (;;) deep = { deep, more: [deep] }",
        "JSON.parse('[' + '{\"a\":[1,2,3,\"text\"]},'.repeat(400000) + '1]')",
        "const all = new Map(); for (let i = 0; ; i++) all.set(i, { i })",
        "'x'.repeat(2 ** 29)",
        "const all = []; for (;;) all.push(Symbol(), () => all, /x/g, new Date(0), new WeakMap())",
        "structuredClone(Array.from({ length: 1e7 }, (_, i) => [i]))",
        "Buffer.alloc(2 ** 30)",
        "new TextEncoder().encode('ü'.repeat(40000000))",
    ] {
        let report = scene.denied(&handler_after_commands(body), "memory_bytes|fuel|exception").await;
        assert!(report.memory_bytes <= actions::LIMITS.memory_bytes, "{body}: {report:?}");
    }
    scene.end().await;
}

// HM7
#[tokio::test]
async fn the_host_takes_in_no_more_than_the_limits_of_a_run() {
    let scene = Scene::start().await;
    for (body, kinds) in [
        (
            "for (let i = 0; i < 1e6; i++) api.idToken.setCustomClaim('a' + i, i)",
            "commands|command_bytes|host_calls",
        ),
        ("api.idToken.setCustomClaim('a', 'x'.repeat(10 << 20))", "command_bytes|fuel"),
        (
            "const headers = {}; for (let i = 0; i < 1e6; i++) headers['x-' + i] = '1';
             await fetch('http://127.0.0.1:1/', { headers })",
            "operation_bytes|fuel|memory_bytes",
        ),
        (
            "await fetch('http://127.0.0.1:1/', { method: 'POST', body: 'x'.repeat(8 << 20) })",
            "operation_bytes|fuel|memory_bytes|exception",
        ),
        ("for (let i = 0; i < 2 ** 30; i++) console.log('x')", "host_calls|fuel"),
        (
            "for (let i = 0; i < 1e6; i++) api.user.setAppMetadata('k' + i, 1)",
            "commands|command_bytes|host_calls",
        ),
    ] {
        let report = scene.denied(&handler_after_commands(body), kinds).await;
        let kept: usize = report.console.iter().map(|line| line.text.len()).sum();
        assert!(kept as u64 <= actions::LIMITS.console_bytes, "{body}");
    }
    let grown = "(drop (memory.grow (i32.const 800)))";
    for call in [
        // All that a length can say.
        "(call $deny (i32.const 0) (i32.const -1) (i32.const 32))",
        "(call $print (i32.const 0) (i32.const 1) (i32.const -1))",
        // It is there, but more than the host copies for a run.
        "(call $deny (i32.const 65536) (i32.const 52000000) (i32.const 32))",
        "(call $claim (i32.const 65536) (i32.const 52000000) (i32.const 65536) (i32.const 52000000) (i32.const 32))",
        "(loop $again (call $print (i32.const 0) (i32.const 65536) (i32.const 60000)) (br $again))",
    ] {
        scene.denied(&running(&format!("{grown} {call} {DONE}")), "trap|command_bytes|host_calls").await;
    }
    scene.end().await;
}

// HM8
#[tokio::test]
async fn a_deep_stack_ends_in_a_trap_or_an_error_of_the_guest() {
    let scene = Scene::start().await;
    for body in [
        "const f = (n) => f(n + 1) + 1; f(0)",
        "const o = { toJSON() { return JSON.stringify(o) } }; JSON.stringify(o)",
        "const p = new Proxy({}, { get(t, k, r) { return r[k] } }); p.x",
        "const f = () => [1, 2].sort(f); f()",
        "const f = async () => { await f() }; await f()",
        "eval('('.repeat(100000))",
        "JSON.parse('['.repeat(100000))",
        "new RegExp('('.repeat(10000) + ')'.repeat(10000))",
        "let a = []; for (let i = 0; i < 100000; i++) a = [a]; api.idToken.setCustomClaim('a', a)",
        // The engine can write this, and the host must not fall over it.
        "let a = []; for (let i = 0; i < 200; i++) a = [a]; api.idToken.setCustomClaim('a', a)",
    ] {
        scene.denied(&handler_after_commands(body), "stack_bytes|exception|refused|fuel").await;
    }
    let recursion = "(func $f (param i64 i64 i64 i64) (result i64)
        (i64.add (call $f (local.get 1) (local.get 2) (local.get 3) (local.get 0)) (local.get 0)))";
    let guest = Guest {
        fields: recursion,
        body: "(drop (call $f (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4))) (i32.const 16)",
        ..Guest::GOOD
    };
    scene.denied(&guest.source(), "stack_bytes").await;
    // From the host's call of `realloc`, too.
    let realloc =
        "(call $realloc (local.get 0) (local.get 1) (local.get 2) (local.get 3)) (i32.const 1) (i32.add)";
    scene.denied(&Guest { realloc, ..Guest::GOOD }.source(), "stack_bytes").await;
    // A document of a hundred thousand brackets is refused by the host's reader, and the guest may go on.
    let json = "(memory.fill (i32.const 20000) (i32.const 0x5b) (i32.const 100000))
        (call $claim (i32.const 20000) (i32.const 1) (i32.const 20000) (i32.const 100000) (i32.const 32))
        (if (i32.eqz (i32.load8_u (i32.const 32))) (then unreachable))";
    scene.harmless(&running(&format!("{json} {DONE}"))).await;
    scene.end().await;
}

#[tokio::test]
async fn a_component_by_hand_runs_where_it_does_no_harm() {
    let scene = Scene::start().await;
    let report = scene.harmless(&Guest::GOOD.source()).await;
    assert!(report.commands.is_empty());
    let says = Guest {
        fields: "(data (i32.const 64) \"by hand\")",
        body: &format!("(call $print (i32.const 2) (i32.const 64) (i32.const 7)) {DONE}"),
        ..Guest::GOOD
    };
    assert_eq!(scene.harmless(&component(&says.wat())).await.console[0].text, "by hand");
    scene.end().await;
}
