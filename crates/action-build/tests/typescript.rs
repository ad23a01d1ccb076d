//! TypeScript in the real engine: what types leave behind, and where.
#![allow(clippy::expect_used, clippy::panic, reason = "a test stops where something is not as it should be")]

mod common;

use action_api::{GuestException, RunError, RunReport};
use action_build::{BuildError, Source, build};
use common::{LIMITS, RUNTIME, printed, run};

fn typescript(code: &str) -> Result<action_api::Artifact, BuildError> {
    build(&RUNTIME, &Source::script("action.ts", code), &LIMITS)
}

/// What a top level of TypeScript leaves in `out`, an array of anything.
fn evaluated(code: &str) -> String {
    let code = format!(
        "const out: any[] = [];\n{code}\n;exports.onExecutePostLogin = async () => {{ console.log(JSON.stringify(out)) }};"
    );
    match typescript(&code) {
        Ok(artifact) => printed(&run(&artifact, "{}")),
        Err(error) => panic!("{error} {:?}\n{code}", error.exception()),
    }
}

fn thrown(report: &RunReport) -> &GuestException {
    match &report.error {
        Some(RunError::Exception { exception }) => exception,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_action_in_typescript_runs() {
    let artifact = typescript(
        "import type { Event, PostLoginAPI } from '@auth0/actions/post-login/v3';
interface Roles { roles?: string[] }
type Named<T extends object = {}> = T & { readonly name: string };
const first = <T,>(list: readonly T[]): T | undefined => list[0];
export const onExecutePostLogin = async (event: Event, api: PostLoginAPI): Promise<void> => {
  const { roles = [] } = (event.authorization ?? {}) as Roles;
  const user = event.user satisfies Named;
  api.idToken.setCustomClaim('role', first<string>(roles)!);
  api.idToken.setCustomClaim('name', (<Named>user).name);
};",
    )
    .expect("it builds");
    let report = run(&artifact, r#"{"authorization":{"roles":["admin"]},"user":{"name":"Ada"}}"#);
    assert_eq!(report.error, None);
    assert_eq!(report.commands.len(), 2);
}

/// Where a script throws, with all frames.
fn position(file: &str, code: &str) -> String {
    let artifact = build(&RUNTIME, &Source::script(file, code), &LIMITS).expect("it builds");
    thrown(&run(&artifact, r#"{"user":{}}"#)).stack.replace(file, "FILE")
}

#[test]
fn positions_behind_types_are_the_authors() {
    let typescript = "interface A {
  b: string;
}
enum Level { Low, High = 10 }
class Limit<T extends A> {
  constructor(private readonly user: any,
    protected level: Level = Level.High) {}
  check(this: Limit<T>, é?: string): asserts é is string { const x: T = <T>this.user!; (x as any).first.second(é as string); }
}
type Checked =
  | 'yes'
  | 'no';
exports.onExecutePostLogin = async (event: { user: unknown }, api: any): Promise<void> => {
  const limit: Limit<A> = new Limit<A>(event.user as any), checked = (a: string) => limit.check(a!);
  checked<string>('a' satisfies string);
};
";
    // The same by hand, with every line as long as it was.
    let mut javascript =
        typescript.replace("enum Level { Low, High = 10 }", "").replace("{}", "{this.user = user}");
    for gone in [
        "interface A {",
        "  b: string;",
        "<T extends A>",
        "private readonly ",
        ": any",
        "protected ",
        ": Level = Level.High",
        "this: Limit<T>,",
        "?: string",
        ": asserts é is string",
        ": T",
        "<T>",
        "!",
        " as any",
        " as string",
        "type Checked =",
        "| 'yes'",
        "| 'no';",
        ": { user: unknown }",
        ": Promise<void>",
        ": Limit<A>",
        "<A>",
        ": string",
        "<string>",
        " satisfies string",
    ] {
        let blank: String =
            gone.chars().map(|c| if c == '\n' { "\n".into() } else { " ".repeat(c.len_utf8()) }).collect();
        javascript = javascript.replace(gone, &blank);
    }
    let javascript = javascript.replacen("}\n", " \n", 1);
    let position_in_typescript = position("action.ts", typescript);
    assert_eq!(position_in_typescript, position("action.js", &javascript));
    assert!(position_in_typescript.contains("at check (FILE:8:"), "{position_in_typescript}");
    assert!(position_in_typescript.contains("FILE:15:"), "{position_in_typescript}");
}

#[test]
fn a_syntax_error_names_file_line_and_column() {
    for (code, line, column) in [
        ("const a: string = ;", 1, 19),
        ("\nlet x: = 1;", 2, 8),
        ("class A {\n  private constructor(: string) {}\n}", 2, 23),
        ("let a = 1;\nlet a = 2;", 1, 5),
    ] {
        let error = typescript(code).expect_err(code);
        let exception = error.exception().expect("an exception");
        assert_eq!(exception.name, "SyntaxError", "{code}");
        assert_eq!(
            (exception.file.as_deref(), exception.line, exception.column),
            (Some("action.ts"), Some(line), Some(column)),
            "{code}: {exception:?}"
        );
    }
}

#[test]
fn enums_are_objects_on_their_own_lines() {
    for (code, shown) in [
        (
            "enum A { X, Y, Z } out.push(A.X, A.Z, A[1], A);",
            r#"[0,2,"Y",{"0":"X","1":"Y","2":"Z","X":0,"Y":1,"Z":2}]"#,
        ),
        ("enum A { X = 5, Y } out.push(A.Y);", "[6]"),
        ("enum A { X = 'x', Y = 'y' } out.push(A);", r#"[{"X":"x","Y":"y"}]"#),
        (
            "enum A { Read = 1 << 0, Write = 1 << 1, All = Read | Write, Next } out.push(A.All, A.Next);",
            "[3,4]",
        ),
        ("const enum A { X = 'a'.length, /* , */ Y, } out.push(A.Y);", "[2]"),
        ("enum A { X } enum A { Y = 7 } out.push(A);", r#"[{"0":"X","7":"Y","X":0,"Y":7}]"#),
        ("enum A { 'a-b' = 3, C, default } out.push(A['a-b'], A.C, A.default);", "[3,4,5]"),
        (
            "declare enum B { X } enum A {\n  X = -1, // one, two\n  Y,\n  Self = A.Y,\n} out.push(A.Y, A.Self);",
            "[0,0]",
        ),
        ("for (const i of [1, 2]) { enum A { X = i } out.push(A[i]) }", r#"["X","X"]"#),
        ("function f() { enum A { X } return A.X } out.push(f());", "[0]"),
        ("enum Empty {} out.push(Empty);", "[{}]"),
    ] {
        assert_eq!(evaluated(code), shown, "{code}");
    }
    let code = "enum A {\n  X = 1,\n  Y = (null as any).x,\n}\nexports.onExecutePostLogin = async () => {};";
    let error = typescript(code).expect_err("it throws");
    assert_eq!(error.exception().expect("an exception").line, Some(3));
}

#[test]
fn parameter_properties_are_assigned() {
    for (code, shown) in [
        (
            "class A { constructor(private a: number, b: number, readonly c = 3) { out.push(this) } } new A(1, 2);",
            r#"[{"a":1,"c":3}]"#,
        ),
        (
            "class A { z = 1 } class B extends A { constructor(public a: string) { super(); out.push(this.a, this.z) } } new B('x');",
            r#"["x",1]"#,
        ),
        (
            "class A {} class B extends A { constructor(override readonly a: string) {\n super()\n out.push(this) } } new B('x');",
            r#"[{"a":"x"}]"#,
        ),
        ("class A { constructor(protected a?: number) { 'use strict'; out.push(this.a) } } new A(4);", "[4]"),
    ] {
        assert_eq!(evaluated(code), shown, "{code}");
    }
}

#[test]
fn what_types_hold_apart_stays_apart() {
    for (code, shown) in [
        // A statement that is gone.
        ("let f = () => { out.push('called') }\ntype A = number\n(f)", "[]"),
        ("let f = () => { out.push('called') }\ninterface A { x: 1 }\n(f)", "[]"),
        ("let g = 1 as any\n(out.push(2))", "[2]"),
        ("let g = out satisfies any[]\n[0].forEach((x) => g.push(x))", "[0]"),
        ("let g = out!;\n[0].forEach((x) => g.push(x))", "[0]"),
        ("let a = 1, b = a as number\n;/x/.test('x') && out.push(b)", "[1]"),
        ("if (out) out as any\nelse out.push(1)", "[]"),
        // Class members without semicolons.
        ("class A {\n  x = 1 as number\n  ['y'] = 2\n} out.push(new A())", r#"[{"x":1,"y":2}]"#),
        ("class A {\n  get: any\n  foo() { return 1 }\n} out.push(new A().foo())", "[1]"),
        ("class A {\n  static: any\n  foo() { return 1 }\n} out.push(new A().foo())", "[1]"),
        ("class A {\n  x = 1\n  private ['y'] = 2\n} out.push(new A())", r#"[{"x":1,"y":2}]"#),
        ("class A {\n  x = 1\n  public *y() { yield 3 }\n} out.push(...new A().y())", "[3]"),
        ("class A {\n  x = 1;\n  [key: string]: any\n  ['y'] = 2\n} out.push(new A())", r#"[{"x":1,"y":2}]"#),
        ("class A {\n  x = 1\n  declare z: string\n  ['y'] = 2\n} out.push(new A())", r#"[{"x":1,"y":2}]"#),
        // Line breaks that JavaScript does not allow.
        ("const f = (a: number):\n  number => a;\nout.push(f(1))", "[1]"),
        ("const f = (\n  a: number,\n): {\n  b: number;\n} => ({ b: a });\nout.push(f(1))", r#"[{"b":1}]"#),
        ("const f = (a: any) /* one\n two */ : any => a;\nout.push(f(1))", "[1]"),
        ("const f = async <\n  T,\n>(a: T) => a;\nout.push(typeof f)", r#"["function"]"#),
        ("function f() { return <\n  T,\n>(a: T) => a }\nout.push(f()(1))", "[1]"),
        ("function f() { return <\n  any\n>\n2 }\nout.push(f())", "[2]"),
        ("const f = () => <any>{ a: 1 };\nout.push(f())", r#"[{"a":1}]"#),
        ("<any>function () { };\n<any>class { };\nout.push(1)", "[1]"),
    ] {
        assert_eq!(evaluated(code), shown, "{code}");
    }
}

#[test]
fn types_are_found_wherever_they_stand() {
    let code = "
abstract class Shape<T = any> implements Iterable<T>, PromiseLike<T> {
  static readonly count: number = 0; declare readonly gone: string; #secret?: number; private static async *gen<U>(this: any, a?: U, ...rest: U[]): AsyncGenerator<U> {}
  abstract area(): number; abstract size: number; abstract get width(): number; public definite!: string; override x = 1; 'quoted'?: string; [`computed`]?: number = 1;
  constructor(); constructor(a: string); constructor(a?: any) {}
  method(): void; method(a: number): string; method(a?: any): any { return a }
  get value(): T { return 1 as unknown as T } set value(v: T) {}
  optional?(): void; protected readonly async: boolean = true; static { const a: number = 1 }
  readonly; declare; public; static static: any; get?: any; set!: any
}
export abstract class Exported extends Shape<string> implements Iterable<string> {}
const Anonymous = class<T> extends Shape<T> implements Iterable<T> {}
function overload(a: string): string; function overload(a: number): number; function overload(a: any) { return a }
function assertIsString(val: any): asserts val is string {} function isString(val: any): val is string { return true }
function thisParam(this: void) {} function thisParam2(this: { a: 1 }, b: number) {}
declare const declared: number; declare function declaredFunction(): void; declare module 'foo' { export const x: 1 } declare global { interface Window {} } declare namespace N { const y: 1 }
namespace OnlyTypes { export interface A {} export type B = A } export as namespace Whatever;
let tuple: [a: string, b?: number, ...rest: boolean[]] = ['a'], mapped: { readonly [K in keyof any]?: any }, definite!: number, cond: string extends infer U ? U : never;
let templ: `a${string}b`, imported: import('fs').Stats, query: typeof overload, uniq: unique symbol, fn: new (...args: any) => abstract new () => void;
const generic = overload<string>('a' as any), made = new Map<string, Array<number>>([['a', []]]), tagged = String.raw<string>`x`, inst = Array<number>, nn = made!.get('a')!.join!?.(','), chain = made?.size!;
for (const x of [] as number[]) {} for (let i: number = 0 as number; i < 1; i++) {} try {} catch (e: unknown) {} for (const k in {} as any) {}
const { a, b: c = 1 as number }: { a?: number, b?: number } = {}, [d]: number[] = [], arrow = async <T,>(x: T, y?: T): Promise<T> => x, obj = { m<T>(this: any, a?: T): void {}, get g(): number { return 1 }, async *h(): any {} };
type Fn = (a: number) => void; type Ctor = new () => any; interface Callable { (a: string): void; new (a: string): Callable; method?(): void; readonly [k: string]: any }
label: for (;;) { break label } let asKeyword = 1, type = 2, as = 3, satisfies = 4, of = 5; type = as as number; (asKeyword as any) = 3; [asKeyword as any] = [1]; definite! = 4; definite!++;
let arr = [1, 2, 3] as const, neg = -1 as -1, ternary = true ? (a as any) : b1(), arrowRet = (x: any): x is string => true, nested = ((x: number): ((y: number) => number) => (y: number): number => x + y)(1)(2);
function b1() {} export type { Fn }; export { type Ctor, arr }; export interface Both {} export default interface Both2 {}
out.push(arr, nested, asKeyword, type);
";
    let code = format!(
        "const out: any[] = [];{code}export const onExecutePostLogin = async (): Promise<void> => {{ console.log(JSON.stringify(out)) }};"
    );
    let artifact = typescript(&code).unwrap_or_else(|error| panic!("{error} {:?}", error.exception()));
    assert_eq!(printed(&run(&artifact, "{}")), "[[1,2,3],3,1,3]");
}

#[test]
fn what_cannot_be_erased_is_refused_where_it_stands() {
    for (code, line, column, message) in [
        ("\nnamespace N { export const x = 1 }", 2, 1, "a file of its own"),
        ("import N = Foo.Bar;", 1, 1, "write `const`"),
        ("class A {\n  @log method() {}\n}", 2, 3, "decorators"),
        ("const x = 1 + 1 as number * 2;", 1, 26, "semicolon"),
        ("class A { accessor x = 1 }", 1, 11, "`accessor`"),
        ("class A {} class B extends A { constructor(private x) { if (x) super() } }", 1, 43, "super()"),
    ] {
        let error = typescript(code).expect_err(code);
        let exception = error.exception().unwrap_or_else(|| panic!("{code}: {error}"));
        assert!(exception.message.contains(message), "{code}: {exception:?}");
        assert_eq!((exception.line, exception.column), (Some(line), Some(column)), "{code}: {exception:?}");
    }
    for file in ["action.tsx", "action.jsx"] {
        let error = build(&RUNTIME, &Source::script(file, "1"), &LIMITS).expect_err("JSX");
        assert!(error.to_string().contains("JSX is not supported"), "{error}");
    }
}

#[test]
fn common_js_of_typescript_is_common_js() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in [
        (
            "action.ts",
            "import helper = require('./helper');\nimport type Gone = require('./gone');\nexports.onExecutePostLogin = async (): Promise<void> => { console.log(helper.twice(2)) };",
        ),
        ("helper.cts", "export = { twice: (n: number): number => n * 2 };"),
    ] {
        std::fs::write(folder.path().join(name), text).expect("a file");
    }
    // `./helper` has no `.cts` in the order of endings; `./helper.cjs` means it.
    let main = folder.path().join("action.ts");
    assert!(build(&RUNTIME, &Source::read(&main).expect("a source"), &LIMITS).is_err());
    let code = std::fs::read_to_string(&main).expect("text").replace("./helper", "./helper.cjs");
    std::fs::write(&main, code).expect("a file");
    let artifact = build(&RUNTIME, &Source::read(&main).expect("a source"), &LIMITS).expect("it builds");
    assert_eq!(printed(&run(&artifact, "{}")), "4");
}

#[test]
fn nesting_without_end_is_an_error_and_no_crash() {
    const DEPTH: usize = 100_000;
    for (before, open, middle, close, after) in [
        ("x=", "(", "1", ")", ""),
        ("x=", "[", "", "]", ""),
        ("x=", "{a:", "1", "}", ""),
        ("", "{", "", "}", ""),
        ("x=", "!", "1", "", ""),
        ("x=", "- ", "1", "", ""),
        ("x=", "a=>", "1", "", ""),
        ("x=", "(a)=>", "1", "", ""),
        ("x=", "(a=", "1", ")=>1", ""),
        ("x=", "`${", "1", "}`", ""),
        ("x=", "1?", "1", ":1", ""),
        ("x=", "1+", "1", "", ""),
        ("x=", "1**", "1", "", ""),
        ("x=", "", "a", ".a", ""),
        ("x=", "", "a", "()", ""),
        ("x=", "f(", "1", ")", ""),
        ("x=", "new ", "A", "", ""),
        ("x=", "async(", "1", ")", ""),
        ("x=", "", "1", " as T", ""),
        ("x=", "", "a", "!", ""),
        ("", "if(1)", ";", "", ""),
        ("", "if(1);else ", ";", "", ""),
        ("", "for(;;)", ";", "", ""),
        ("let ", "{a:", "b", "}", "=1"),
        ("let ", "[", "b", "]", "=1"),
        ("x=", "(function(){", "", "})", ""),
        ("x=", "class extends ", "A", "{}", ""),
        ("type X=", "(", "T", ")", ""),
        ("type X=", "{a:", "T", "}", ""),
        ("type X=", "keyof ", "T", "", ""),
        ("type X=", "", "T", "[]", ""),
        ("type X=", "A extends B?", "T", ":C", ""),
        ("type X=", "(a:", "T", ")=>T", ""),
        ("type X=", "[", "T", "]", ""),
        ("x=", "(", "", "", ""),
        ("x=", "[", "", "", ""),
        ("type X=", "A<", "", "", ""),
    ] {
        let code = format!("{before}{}{middle}{}{after}", open.repeat(DEPTH), close.repeat(DEPTH));
        // An error or not: the process lives, and the next one builds.
        let _ = typescript(&code);
    }
    let angles = format!("type X={}T{}", "A<".repeat(DEPTH), ">".repeat(DEPTH));
    let error = typescript(&angles).expect_err("too many");
    assert!(error.to_string().contains("more than 5000 times `<`"), "{error}");
    let large = typescript(&"f(".repeat(1_000_000)).expect_err("too many");
    assert!(large.to_string().contains("too much code for one file"), "{large}");
    assert_eq!(evaluated("out.push(1)"), "[1]");
}

#[test]
fn the_declarations_for_authors_leave_nothing_behind() {
    let declarations = include_str!("../../../actions/sdk-js/index.d.ts");
    let handler = "export const onExecutePostLogin: OnExecutePostLogin = async (event, api) => {
        const session: PostLogin.Event['session'] = event.session;
        console.log(typeof PostLogin, session!.id);
    };";
    let artifact = typescript(&format!("{declarations}\n{handler}")).expect("it builds");
    assert_eq!(printed(&run(&artifact, r#"{"session":{"id":"s"}}"#)), "undefined s");
}
