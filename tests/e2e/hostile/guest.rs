//! Components as an attacker writes them: by hand, around every tool that would refuse to.

use action_build::Source;

/// A component of the world `post-login`. All but its parts is well-formed.
#[derive(Clone, Copy)]
pub(super) struct Guest<'a> {
    /// Pages of memory, and what else belongs to its declaration.
    pub memory: &'a str,
    /// The body of `realloc`, with parameters old, old size, alignment, size.
    pub realloc: &'a str,
    /// Fields of the main module.
    pub fields: &'a str,
    /// The body of the handler, with parameters event and length. It leaves the address of its result.
    pub body: &'a str,
    /// The body of what is called when the host has read the result.
    pub post_return: &'a str,
    /// Fields of the component, before its export.
    pub component: &'a str,
    /// What the main module imports of `component`, as `(export ...)`.
    pub extra: &'a str,
}

/// The address of a result that is zero: no error.
pub(super) const DONE: &str = "(i32.const 16)";
/// Takes room from the front to the back.
const BUMP: &str = "(global.get $next)
    (global.set $next (i32.add (global.get $next) (local.get 3)))";
/// Where `realloc` begins; the handler may use what is below.
const HEAP: u32 = 8192;

/// What a component imports, well-typed.
const IMPORTS: &str = r#"
    (import "postern:actions/log@0.1.0" (instance $log
        (type $level' (enum "trace" "debug" "log" "info" "warn" "error"))
        (export "level" (type $level (eq $level')))
        (export "print" (func (param "level" $level) (param "text" string)))))
    (import "postern:actions/access@0.1.0" (instance $access
        (export "deny" (func (param "reason" string) (result (result (error string)))))))
    (import "postern:actions/session@0.1.0" (instance $session
        (export "set-expires-at" (func (param "absolute" f64) (result (result (error string)))))))
    (import "postern:actions/id-token@0.1.0" (instance $id-token
        (export "set-custom-claim"
            (func (param "key" string) (param "value" string) (result (result (error string)))))))
    (import "postern:actions/secrets@0.1.0" (instance $secrets
        (export "get" (func (param "name" string) (result (option string))))))
    (import "postern:actions/clock@0.1.0" (instance $clock (export "now" (func (result s64)))))
    (import "postern:actions/random@0.1.0" (instance $random (export "get-u64" (func (result u64)))))"#;

impl<'a> Guest<'a> {
    /// One that does no harm.
    pub const GOOD: Guest<'static> = Guest {
        memory: "2",
        realloc: BUMP,
        fields: "",
        body: DONE,
        post_return: "",
        component: "",
        extra: "",
    };

    /// With this handler.
    pub fn running(body: &'a str) -> Self {
        Self { body, ..Guest::GOOD }
    }

    pub fn wat(&self) -> String {
        let Self { memory, realloc, fields, body, post_return, component, extra } = self;
        let lower = [
            "log print",
            "access deny",
            "session set-expires-at",
            "id-token set-custom-claim",
            "secrets get",
        ]
        .map(|function| function.split_once(' ').expect("two words"))
        .map(|(instance, name)| {
            format!(
                r#"(core func ${name} (canon lower (func ${instance} "{name}")
                        (memory $heap "memory") (realloc (func $heap "realloc"))))"#
            )
        })
        .concat();
        format!(
            r#"(component {IMPORTS}
    (core module $Heap
        (memory (export "memory") {memory})
        (table (export "calls") 1 funcref)
        (type $call (func (result i64)))
        (global $next (mut i32) (i32.const {HEAP}))
        (func $realloc (export "realloc") (param i32 i32 i32 i32) (result i32) {realloc}))
    (core instance $heap (instantiate $Heap))
    {lower}
    (core func $now (canon lower (func $clock "now")))
    (core func $random (canon lower (func $random "get-u64")))
    {component}
    (core module $Main
        (import "heap" "memory" (memory 0))
        (import "heap" "calls" (table $calls 1 funcref))
        (import "heap" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
        (import "host" "print" (func $print (param i32 i32 i32)))
        (import "host" "deny" (func $deny (param i32 i32 i32)))
        (import "host" "set-expires-at" (func $expires (param f64 i32)))
        (import "host" "set-custom-claim" (func $claim (param i32 i32 i32 i32 i32)))
        (import "host" "get" (func $secret (param i32 i32 i32)))
        (import "host" "now" (func $now (result i64)))
        (import "host" "random" (func $random (result i64)))
        {fields}
        (func $run (export "run") (param $event i32) (param $length i32) (result i32) (local $i i32) (local $n i64)
            {body})
        (func (export "after") (param i32) {post_return}))
    (core instance $main (instantiate $Main
        (with "heap" (instance $heap))
        (with "host" (instance
            (export "print" (func $print)) (export "deny" (func $deny))
            (export "set-expires-at" (func $set-expires-at))
            (export "set-custom-claim" (func $set-custom-claim))
            (export "get" (func $get)) (export "now" (func $now)) (export "random" (func $random)) {extra}))))
    (func (export "on-execute-post-login") (param "event" string) (result (result (error string)))
        (canon lift (core func $main "run") (memory $heap "memory")
            (realloc (func $heap "realloc")) (post-return (func $main "after")))))"#
        )
    }

    pub fn source(&self) -> Source {
        component(&self.wat())
    }
}

/// A handler's component.
pub(super) fn running(body: &str) -> Source {
    Guest::running(body).source()
}

/// What this text means, good or bad.
pub(super) fn component(wat: &str) -> Source {
    let bytes = wat::parse_str(wat).unwrap_or_else(|error| panic!("{error}: {wat}"));
    Source::component("action.wasm", bytes)
}

/// A well-formed component with this inside, too.
pub(super) fn with_fields(fields: &str) -> Source {
    Guest { component: fields, ..Guest::GOOD }.source()
}

/// A whole component with this core module in it, which it does not even use.
pub(super) fn with_module(fields: &str) -> Source {
    with_fields(&format!("(core module {fields})"))
}
