//! ES modules and CommonJS, from files to commands.
#![allow(clippy::expect_used, clippy::panic, reason = "a test stops where something is not as it should be")]

mod common;

use action_api::{GuestException, RunError};
use action_build::{BuildError, Source, build};
use common::{LIMITS, RUNTIME, printed, run};

type Files<'a> = &'a [(&'a str, &'a str)];

/// Builds the first of these files, with the others beside it.
fn built(files: Files<'_>) -> Result<action_api::Artifact, BuildError> {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    build(&RUNTIME, &Source::read(&folder.path().join(files[0].0))?, &LIMITS)
}

/// What the handler prints.
fn shown(files: Files<'_>) -> String {
    match built(files) {
        Ok(artifact) => printed(&run(&artifact, "{}")),
        Err(error) => panic!("{error} {:?}\n{files:?}", error.exception()),
    }
}

fn refused(files: Files<'_>) -> GuestException {
    let error = built(files).expect_err("it does not build");
    error.exception().unwrap_or_else(|| panic!("{error}")).clone()
}

/// A handler as an ES module with this first line and this body.
fn handler(imports: &str, body: &str) -> String {
    format!("{imports}\nexport const onExecutePostLogin = async () => {{ {body} }};")
}

#[test]
fn every_form_of_export_and_import_meets_its_other() {
    let exports = "
export const constant = 1, { destructured, rest: [renamed, ...others] } = { destructured: 2, rest: [3, 4, 5] };
export let counter = 0;
export function increment() { counter++; return this }
export async function* generate() { yield counter }
export class Thing { static made = () => new Thing() }
const local = 'local', aliased = 'aliased';
export { local, aliased as other, aliased as 'any name', local as __proto__ };
export default class { name() { return 'default' } }
";
    for (imports, body, text) in [
        (
            "import { constant, destructured, renamed, others } from './lib.js';",
            "console.log(constant, destructured, renamed, others)",
            "1 2 3 [ 4, 5 ]",
        ),
        (
            "import { counter, increment } from './lib.js';",
            "increment(); console.log(counter, { counter })",
            "1 { counter: 1 }",
        ),
        (
            "import { increment } from './lib.js';",
            "console.log(increment() === undefined, increment?.(), typeof increment)",
            "true undefined function",
        ),
        (
            "import { Thing } from './lib.js';",
            "class Other extends Thing {}; console.log(new Thing() instanceof Thing, new Other instanceof Thing, new Thing.made.constructor() !== 1)",
            "true true true",
        ),
        (
            "import * as lib from './lib.js';",
            "console.log(new lib.Thing() instanceof lib.Thing, lib['any name'], new lib.default().name())",
            "true aliased default",
        ),
        (
            "import Default, { other as o, 'any name' as p } from './lib.js';",
            "console.log(new Default().name(), o, p)",
            "default aliased aliased",
        ),
        (
            "import Default, * as lib from './lib.js';",
            "console.log(Default === lib.default, Object.keys(lib).length)",
            "true 13",
        ),
        (
            "import { default as d } from './lib.js';",
            "console.log(new (d)().name(), `${typeof d}`)",
            "default function",
        ),
        ("import { generate } from './lib.js';", "for await (const x of generate()) console.log(x)", "0"),
        ("import './lib.js'", "console.log('side effect')", "side effect"),
        ("import {} from './lib.js'", "console.log('none')", "none"),
        (
            "import { constant } from './lib.js'",
            "{ const constant = 2; console.log(constant) } ((constant) => console.log(constant))(3); console.log(constant)",
            "2\n3\n1",
        ),
        (
            "import { constant as a, others as b } from './lib.js'",
            "const f = (x = a) => x; console.log(f(), [...b].length, a ? b[a] : 0)",
            "1 2 5",
        ),
    ] {
        let code = handler(imports, body);
        assert_eq!(shown(&[("action.mjs", &code), ("lib.js", exports)]), text, "{code}");
    }
}

#[test]
fn default_exports_of_every_kind() {
    for (export, body, text) in [
        ("export default function () { return 1 }", "console.log(x())", "1"),
        ("export default async function () { return 1 }", "console.log(await x())", "1"),
        ("export default function* () { yield 1 }", "console.log(...x())", "1"),
        ("export default async () => 1", "console.log(await x())", "1"),
        ("export default function named() { return named.name }", "console.log(x())", "named"),
        ("export\n  default\n  { a: 1 };", "console.log(x.a)", "1"),
        ("export default [1, 2].map((n) => n * 2)", "console.log(x)", "[ 2, 4 ]"),
        ("export default class Named { static n = 1 }", "console.log(x.n)", "1"),
        ("export default class extends Array {}", "console.log(new x(3).length)", "3"),
        ("let y = 1; export { y as default }; y = 2", "console.log(x)", "2"),
    ] {
        let code = handler("import x from './lib'", body);
        assert_eq!(shown(&[("action.js", &code), ("lib.js", export)]), text, "{export}");
    }
}

#[test]
fn re_exports_reach_through() {
    let files = |code| {
        shown(&[
            ("action.js", code),
            (
                "index.js",
                "export * from './a.js'; export { x as renamed, default } from './a.js'; export * as b from './b.js'; export { default as json } from './c.json';\nexport const own = 'own';",
            ),
            (
                "a.js",
                "export let x = 1; export const set = (n) => { x = n }; export const own = 'hidden'; export default 'a';",
            ),
            ("b.js", "exports.y = 'common';"),
            ("c.json", "{\"z\": true}"),
        ])
    };
    let code = handler(
        "import d, { x, renamed, set, own, b, json } from './index.js';",
        "set(5); console.log(d, x, renamed, own, b.y, b.default.y, json.z)",
    );
    assert_eq!(files(&code), "a 5 5 own common common true");
    let code = handler(
        "import { b } from './index.js'; export { b }; export * from './index.js';",
        "console.log(b.y)",
    );
    assert_eq!(files(&code), "common");
}

#[test]
fn common_js_and_es_modules_use_one_another() {
    for (action, lib, text) in [
        (handler("import x from './lib'", "console.log(x.a)"), "module.exports = { a: 1 }", "1"),
        (handler("import { a } from './lib'", "console.log(a)"), "exports.a = 1", "1"),
        (handler("import x, { a } from './lib'", "console.log(x(), a)"), "module.exports = () => 2; module.exports.a = 1", "2 1"),
        (handler("import * as x from './lib'", "console.log(x.a, x.default.a)"), "exports.a = 1", "1 1"),
        (handler("import x, { a } from './lib'", "console.log(x, a)"), "exports.__esModule = true; exports.default = 'd'; exports.a = 1", "d 1"),
        (handler("import x from './lib'", "console.log(x)"), "module.exports = null", "null"),
        ("const x = require('./lib'); exports.onExecutePostLogin = async () => console.log(x.a, x.default, x.__esModule)".into(), "export const a = 1; export default 2", "1 2 true"),
        ("import { a } from './lib'; exports.onExecutePostLogin = async () => console.log(a);".into(), "export const a = 1", "1"),
        ("import { a } from './lib'; module.exports = { onExecutePostLogin: async () => console.log(a) };".into(), "export const a = 1", "1"),
    ] {
        assert_eq!(shown(&[("action.js", &action), ("lib.js", lib)]), text, "{action}");
    }
}

#[test]
fn imports_are_evaluated_first_and_in_order() {
    let code = "import './a.js';\nglobalThis.order.push('main');\nimport { b } from './b.js';\nimport './a.js'\nexport const onExecutePostLogin = async () => console.log(order.join(), b)";
    let files = [
        ("action.js", code),
        ("a.js", "globalThis.order = ['a']"),
        ("b.js", "order.push('b'); export const b = order.length"),
    ];
    assert_eq!(shown(&files), "a,b,main 2");
    let code = "globalThis.order.push('main');\nimport './a.js'; export const onExecutePostLogin = async () => console.log(order.join())";
    assert_eq!(shown(&[("action.js", code), files[1]]), "a,main");
}

#[test]
fn modules_may_import_one_another() {
    let files = [
        (
            "action.js",
            "import { even } from './even.js';\nexport const onExecutePostLogin = async () => console.log(even(10));",
        ),
        (
            "even.js",
            "import { odd, two } from './odd.js';\nexport function even(n) { return n === 0 || odd(n - 1) }\nexport const one = 1;",
        ),
        (
            "odd.js",
            "import { even, one } from './even.js';\nexport const two = () => one;\nexport function odd(n) { return n !== 0 && even(n - 1) }\nexport const early = even(0);",
        ),
    ];
    assert_eq!(shown(&files), "true");
    // What is not there yet says so.
    let early = [
        files[0],
        files[1],
        ("odd.js", "import { one } from './even.js';\nexport const odd = one, two = 2;"),
    ];
    let exception = refused(&early);
    assert_eq!(exception.name, "ReferenceError", "{exception:?}");
    assert_eq!((exception.file.as_deref(), exception.line), (Some("odd.js"), Some(2)), "{exception:?}");
}

#[test]
fn import_as_a_function_answers_a_promise() {
    let lib = ("lib/x.ts", "export const a: number = 1; export default 'd'");
    let body = "const x = await import('./lib/x.js'); console.log(x.a, x.default); await import('./no').catch((e) => console.log(e.code))";
    let common = format!("exports.onExecutePostLogin = async () => {{ {body} }}");
    let strict = format!(
        "'use strict';\nexports.onExecutePostLogin = async function () {{ console.log(typeof (function () {{ return this }})()); {body} }}"
    );
    assert_eq!(shown(&[("action.js", &handler("", body)), lib]), "1 d\nMODULE_NOT_FOUND");
    assert_eq!(shown(&[("action.cjs", &common), lib]), "1 d\nMODULE_NOT_FOUND");
    assert_eq!(shown(&[("action.js", &strict), lib]), "undefined\n1 d\nMODULE_NOT_FOUND");
    let json = handler(
        "",
        "const { default: y } = await import(`./y.json`, { with: { type: 'json' } }); console.log(y)",
    );
    assert_eq!(shown(&[("action.js", &json), ("y.json", "[1]")]), "[ 1 ]");
}

#[test]
fn a_module_is_strict_and_a_script_is_as_it_was() {
    let module = handler("", "try { undeclared = 1 } catch (e) { console.log(e.name) }");
    assert_eq!(shown(&[("action.js", &format!("console.log(this);{module}"))]), "ReferenceError");
    let script = "exports.onExecutePostLogin = async () => { undeclared = 1; console.log(undeclared, top === exports) }; var top = this;";
    assert_eq!(shown(&[("action.js", script)]), "1 true");
    // The author may use the names of the wrapper, and any other.
    let own = handler(
        "import { a } from './lib'; const require = 1, module = 2, exports = 3, b = 4, c = 5; const top = this;",
        "console.log(require, module, exports, a, b, c, top)",
    );
    assert_eq!(
        shown(&[
            ("action.js", &own),
            ("lib.js", "export const a = 0; function exports() {} const require = 1;")
        ]),
        "1 2 3 0 4 5 undefined"
    );
    assert_eq!(
        shown(&[(
            "action.js",
            "#!/usr/bin/env node\nif (1) { exports.onExecutePostLogin = async () => console.log(1); return }"
        )]),
        "1"
    );
}

#[test]
fn a_path_means_the_first_file_in_the_order_of_endings() {
    let all = ["x", "x.js", "x.ts", "x.mjs", "x.cjs", "x.json", "x/index.js", "x/index.ts"];
    for (at, name) in all.iter().enumerate().skip(1) {
        let mut files = vec![(
            "action.js",
            "const x = require('./x');\nexports.onExecutePostLogin = async () => console.log(x.name ?? x);",
        )];
        let texts: Vec<String> = all
            .iter()
            .map(|name| {
                if name.ends_with(".json") { format!("{name:?}") } else { format!("exports.name = '{name}'") }
            })
            .collect();
        files.extend(all.iter().zip(&texts).skip(at).map(|(name, text)| (*name, text.as_str())));
        assert_eq!(shown(&files), *name);
    }
    for (wanted, name) in [
        ("./x.js", "x.ts"),
        ("./x.mjs", "x.mts"),
        ("./x.cjs", "x.cts"),
        ("./lib/../x", "x.ts"),
        (".//x.ts", "x.ts"),
    ] {
        let code = format!(
            "const x = require('{wanted}');\nexports.onExecutePostLogin = async () => console.log(x.name);"
        );
        assert_eq!(
            shown(&[("action.js", &code), (name, "const n: number = 1; exports.name = n;")]),
            "1",
            "{wanted}"
        );
    }
}

#[test]
fn what_is_not_there_is_said_where_it_is_imported() {
    for (code, name, message, line, column) in [
        ("\nimport x from 'left-pad';", "Error", "Cannot find module 'left-pad'", 2, 1),
        (
            "import { a } from './lib.js'; import {\n  b,\n  c,\n} from './gone.js'; b",
            "Error",
            "Cannot find module './gone.js'",
            1,
            31,
        ),
        (
            "import { a, b } from './lib.js';",
            "SyntaxError",
            "The module './lib.js' does not provide an export named 'b'",
            1,
            1,
        ),
        (
            "export { b } from './lib.js';",
            "SyntaxError",
            "The module './lib.js' does not provide an export named 'b'",
            1,
            1,
        ),
        ("require('node:nothing')", "Error", "The Node module 'nothing' is not available", 1, 1),
        ("require('../action.js')", "Error", "Cannot find module '../action.js'", 1, 1),
    ] {
        let exception = refused(&[("action.js", code), ("lib.js", "export const a = 1")]);
        assert!(exception.message.starts_with(message), "{code}: {exception:?}");
        assert_eq!(exception.name, name, "{code}");
        assert_eq!(exception.line, Some(line), "{code}: {exception:?}");
        let at = exception.column.expect("a column");
        assert!((column..column + 9).contains(&at), "{code}: {exception:?}");
    }
}

#[test]
fn what_cannot_be_done_is_refused_where_it_stands() {
    for (file, code, line, column, message) in [
        ("action.js", "export const a = 1;\nconst b = await a;", 2, 11, "`await` outside of a function"),
        ("action.mjs", "for await (const a of []) {}", 1, 1, "`await` outside of a function"),
        ("action.js", "await 1", 1, 1, "`await` outside of a function"),
        ("action.js", "console.log(import.meta.url)", 1, 13, "import.meta"),
        ("action.js", "import { a } from './x';\na = 1;", 2, 1, "assign"),
        ("action.js", "export const a = 1;\nreturn;", 2, 1, "`return`"),
        ("action.cjs", "\nexport const a = 1;", 2, 1, "export"),
        ("action.cts", "\nimport { a } from './x';", 2, 1, "write `require`"),
        ("action.js", "export { gone };", 1, 10, "gone"),
        ("action.js", "export const a = 1, a = 2;", 1, 14, "'a'"),
        ("action.js", "import defer * as x from './x';", 1, 1, "not supported"),
    ] {
        let exception = refused(&[(file, code)]);
        assert!(exception.message.contains(message), "{code}: {exception:?}");
        assert_eq!((exception.line, exception.column), (Some(line), Some(column)), "{code}: {exception:?}");
    }
}

#[test]
fn positions_stay_across_files() {
    let files: Files<'_> = &[
        (
            "action.ts",
            "import { helper, type Options } from './lib/helper.js';\nimport {\n  limits,\n} from './lib/limits';\n\nexport const onExecutePostLogin = async (event: any) => {\n  const options: Options = { deep: true }; await null; helper(event, options, limits);\n};",
        ),
        (
            "lib/helper.ts",
            "import { limits } from './limits.js';\nexport interface Options { deep: boolean }\nexport enum Kind { A = 1 }\n\nexport function helper(event: any, options: Options, { most }: typeof limits): void {\n  void [limits, most]; event.missing.property;\n}",
        ),
        ("lib/limits.ts", "export const limits = { most: 5 } as const;"),
    ];
    let report = run(&built(files).expect("it builds"), "{}");
    let Some(RunError::Exception { exception }) = &report.error else { panic!("{:?}", report.error) };
    assert_eq!(
        (exception.file.as_deref(), exception.line),
        (Some("lib/helper.ts"), Some(6)),
        "{exception:?}"
    );
    let line = files[1].1.lines().nth(5).expect("a line");
    let missing = line.find("event.missing").expect("there") as u32 + 1;
    assert_eq!(exception.column, Some(missing), "{}", exception.stack);
    // The engine gives a call the position of the last name in it.
    let last = files[0].1.lines().nth(6).expect("a line").find("limits)").expect("there") + 1;
    assert!(exception.stack.contains(&format!("action.ts:7:{last}")), "{last}: {}", exception.stack);
    assert!(!exception.stack.contains(":0:"), "{}", exception.stack);
}

#[test]
fn names_imported_for_their_types_are_not_imported() {
    let code = "import { Event, type Api } from '@auth0/actions';\nimport Default from 'nowhere';\nimport * as types from 'nowhere';\nimport { a, T } from './lib';\nexport { T };\nexport const onExecutePostLogin = async (event: Event, api: Api, d: Default, t: types.X): Promise<T> => { console.log(a) };";
    assert_eq!(
        shown(&[("action.ts", code), ("lib.ts", "export type T = void; export const a: T | number = 1;")]),
        "1"
    );
}

#[test]
fn an_import_cannot_leave_the_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("app")).expect("a folder");
    std::fs::write(folder.path().join("secret.js"), "export const a = 1").expect("a file");
    std::fs::write(folder.path().join("app/action.js"), "import { a } from '../secret.js'; a;")
        .expect("a file");
    let source = Source::read(&folder.path().join("app/action.js")).expect("a source");
    let error = build(&RUNTIME, &source, &LIMITS).expect_err("not there");
    assert!(error.to_string().contains("Cannot find module '../secret.js'"), "{error}");
}
