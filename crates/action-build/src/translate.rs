//! A source file, in JavaScript or TypeScript, to what the engine runs.

use std::collections::BTreeSet;

use crate::BuildError;
use crate::edits::Edits;
use crate::es_modules;
use crate::parse::parse;
use crate::{trace, typescript};

/// A file as the engine takes it.
pub(crate) struct Translated {
    /// The body of a CommonJS function. Its first line is ours; the author's line 1 is behind it.
    pub(crate) code: String,
    /// The literal names that it requires or imports.
    pub(crate) requires: Vec<String>,
    /// The lines that tell that they run.
    pub(crate) lines: BTreeSet<u32>,
}

/// Checks the syntax of a file, erases types and rewrites module syntax. Lines stay, and columns wherever possible.
///
/// # Errors
/// [`BuildError`] with the author's position.
pub(crate) fn translate(file: &str, source: &str) -> Result<Translated, BuildError> {
    translate_traced(file, source, None)
}

/// The same. With a number for the file, its lines tell that they run.
///
/// # Errors
/// As [`translate`].
pub(crate) fn translate_traced(
    file: &str,
    source: &str,
    number: Option<u32>,
) -> Result<Translated, BuildError> {
    parse(file, source, |parsed| {
        let mut edits = Edits::new(parsed.source);
        if let Some(hashbang) = &parsed.program.hashbang {
            edits.blank(hashbang.span.start as usize, hashbang.span.end as usize);
        }
        let rewritten = es_modules::rewrite(parsed, &mut edits)?;
        if parsed.language.typescript {
            typescript::erase(parsed, &mut edits)?;
        }
        let lines = number.map(|number| trace::instrument(parsed, number, &mut edits)).unwrap_or_default();
        let Some(text) = edits.finish() else {
            let message = "its syntax tree is not as expected".into();
            return Err(BuildError::Unsuitable { file: file.into(), message });
        };
        let code = format!("{}\n{text}{}", rewritten.head, rewritten.tail);
        Ok(Translated { code, requires: rewritten.requires, lines })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the text has only types and no code of its own: every byte stays, or becomes a space.
    const TYPES: [&str; 34] = [
        "let a: string, b: Array<{ c?: 'é' }> = [], c!: number;",
        "const f = <T,>(a: T, ...b: T[]): a is T => true;",
        "const f = async <\n  T extends {},\n>(\n  a: T,\n): Promise<\n  T\n> => a;",
        "function f<T>(this: Window, a?: T): asserts a is T {}",
        "function f(a: string): void;\nfunction f(a: number): void;\nfunction f(a: any) {}",
        "class A<T> extends B<T, Array<T>> implements C, D<T> { }",
        "abstract class A { abstract b: string; abstract c(): void; protected abstract get d(): any }",
        "class A { private a = 1; static readonly b?: string; public static async c<T>(): Promise<T> {} }",
        "class A { declare a: string; [key: string]: any; override b!: number; readonly 'c' = 1; private [d]?: any }",
        "class A { constructor(a: string); constructor(a?: any) {} }",
        "x as any; y satisfies T; z!; <T>w; (a as B).c!.d; e as F as G; h!!.i",
        "x as any\n(y)\nz!\n[1]",
        "f<T>(a); new F<T>(b); g<T>`c`; new H<T>; i<T>;",
        "type A = B;\ntype C<D> = D extends infer E ? { [F in keyof E]: `${F}` } : never\n",
        "interface A extends B<C> { d(): void }\n// comment\ninterface E {}",
        "declare const a: string; declare function b(): void; declare class C {} declare enum D { E }",
        "declare module 'a' { const b: number }\ndeclare global { interface Window {} }\nnamespace A { type B = 1 }",
        "import type A from 'a';\nlet b: A;\nexport = b;",
        "for (const a of <any>b) {} for (let i: number = 0; i < 1; i++) {} for (const k in o as any) ;",
        "try {} catch (e: unknown) {}",
        "const { a, b: { c } }: { a: 1, b: any } = d as any, [e]: [f?: 1] = g;",
        "const o = { a<T>(b: T): T { return b }, get c(): number { return 1 }, async *d(): any {} };",
        "a = (b as C)?.d!?.e as F;",
        "label: while (a as boolean) { break label }",
        "if (a as any) b as any\nelse c as any",
        "throw a as Error",
        "() => { return a as B }",
        "switch (a as B) { case c as D: e! }",
        "let \u{1d400}: string",
        "const é: string = 'ü' as 'ü', 名: number = 1 as /* 数 */ number;",
        "a /* 1 */ as /* 2 */ B /* 3 */; c // 4 as D\n",
        "let a = b as const, c = -1 as -1, d = `${e as string}` as const;",
        "(a as any) = 1; [b as any, c!] = d; ({ e: f as any } = g); h!++; (<any>i) += 1;",
        "\u{feff}let a:\r\n  string = 'b';\r\ntype A =\r\n  | 'c';\r\n",
    ];
    /// Where code comes into being: the lines stay.
    const CODE: [&str; 12] = [
        "enum A { B, C = 5, D = C | 1, 'e-f' = 'g', }",
        "const enum A {\n  // comment, with a comma\n  B = 'b'.length,\n\n  C\n}\nlet x: A = A.B;",
        "class A { constructor(private a: string, public readonly b = 1) {} }",
        "class A extends B {\n  constructor(\n    override c: string,\n  ) {\n    super(c!)\n    this.c;\n  }\n}",
        "import a, { type B, c } from './a';\nexport { c, type B };\nexport default a as any;",
        "import {\n  a,\n} from './a'\nimport * as b from './b'\na(b, { a })\nimport './c'\n",
        "export * from './a'; export * as b from './b'; export { c as default } from './c'",
        "export default async function (a: string): Promise<void> {}",
        "export default abstract class<T> extends A<T> implements B {}\nexport enum C { D }",
        "export const a: number = 1, { b, c: [d] }: any = {}; export function e(): void {} export class F {}",
        "import a = require('./a');\nconst b = () => <any>{ c: a };\nreturn <\nany>\nb;",
        "const a = import('./a') as Promise<any>; require('./b' as string); require(`./c`)",
    ];

    fn is_javascript(text: &str) -> bool {
        let allocator = oxc_allocator::Allocator::default();
        let options = oxc_parser::ParseOptions { allow_return_outside_function: true, ..Default::default() };
        let source_type = oxc_span::SourceType::unambiguous();
        let parsed = oxc_parser::Parser::new(&allocator, text, source_type).with_options(options).parse();
        assert!(parsed.diagnostics.is_empty(), "{:?}\n{text}", parsed.diagnostics);
        true
    }

    fn text_of(source: &str) -> String {
        let translated = translate("a.ts", source);
        let code = match translated {
            Ok(translated) => translated.code,
            Err(error) => panic!("{error} {:?}\n{source}", error.exception()),
        };
        assert!(is_javascript(&code));
        code.split_once('\n').expect("a line of ours").1.to_owned()
    }

    #[test]
    fn types_become_spaces_and_nothing_moves() {
        for source in TYPES {
            let text = text_of(source);
            let text = if text.len() > source.len() { text.trim_end_matches("\n}") } else { &text };
            if !source.contains("export") {
                assert_eq!(text.len(), source.len(), "{source}\n{text}");
            }
            let moved = text
                .bytes()
                .zip(source.bytes())
                .filter(|(new, old)| new != old && !matches!(new, b' ' | b';' | b'(' | b')'));
            assert!(source.contains("export") || moved.count() == 0, "{source}\n{text}");
            let breaks = |text: &str| text.bytes().filter(|byte| *byte == b'\n').count();
            assert_eq!(breaks(text), breaks(source), "{source}\n{text}");
        }
    }

    #[test]
    fn code_that_comes_into_being_stays_on_its_line() {
        for source in CODE {
            let text = text_of(source);
            let lines = text.trim_end_matches("\n}").matches('\n').count();
            let expected = source.trim_end_matches("\n}").matches('\n').count();
            assert_eq!(lines, expected, "{source}\n{text}");
        }
    }

    #[test]
    fn what_is_required_is_found_in_the_syntax() {
        let code = "import './a'; import b from \"./b\"; import type C from './c'; export * from './d'; export { e } from './e';
            import('./f'); const g = require('./g'), h = () => require(`./h`); // require('./i')
            import j = require('./j'); import { type K } from './k'; require('./l' + 1); 'require(\"./m\")'; b;";
        let mut requires = translate("a.ts", code).expect("it parses").requires;
        requires.sort();
        assert_eq!(requires, ["./a", "./b", "./d", "./e", "./f", "./g", "./h", "./j"]);
    }
}
