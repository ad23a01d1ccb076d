//! The one place that parses: JavaScript and TypeScript, with bounds on what a hostile source can cost.
//!
//! The parser (oxc) recurses, and has no limit of its own. A stack overflow would end the process. So each file is parsed
//! on a thread whose stack is made for the deepest nesting that a text of its tokens can have.

use std::cell::Cell;

use action_api::{GuestException, RunError};
use oxc_allocator::Allocator;
use oxc_ast::AstKind;
use oxc_ast::ast::Program;
use oxc_ast_visit::Visit;
use oxc_diagnostics::OxcDiagnostic;
use oxc_parser::{ParseOptions, Parser};
use oxc_semantic::{Semantic, SemanticBuilder};
use oxc_span::{GetSpan, SourceType, Span};
use oxc_syntax::scope::{ScopeFlags, ScopeId};

use crate::BuildError;

/// The stack that one opening bracket, one word and one other token can need. Measured with optimised code: a pair of
/// brackets 1.9 kB at most, a word 0.7 kB, an operator 0.3 kB. Text in strings and comments counts too: telling it from
/// code takes a parser.
const BRACKET_STACK: usize = 3 << 10;
const WORD_STACK: usize = 1 << 10;
const OPERATOR_STACK: usize = 512;
const BASE_STACK: usize = 1 << 20;
/// The most stack that a file may need. Only what is used of it takes memory. It is enough for about 2 MB of code.
const MAX_STACK: usize = 1 << 30;
/// How many `<` a TypeScript file may have. The parser tries whether each begins type arguments, and `a<a<a<...` takes
/// time with its square: 5 s for this many.
const MAX_ANGLES: usize = 5_000;
/// How many scopes may be in one another: each name is looked up in all that are around it. The engine takes fewer.
const MAX_SCOPES: usize = 500;

/// What the name of a file says about its language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Language {
    pub(crate) typescript: bool,
    pub(crate) modules: Modules,
}

/// Which kind of module a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Modules {
    /// `.cjs` and `.cts`.
    CommonJs,
    /// `.mjs` and `.mts`.
    Es,
    /// An ES module where it has `import` or `export`.
    BySyntax,
}

impl Language {
    /// `None` for JSX.
    pub(crate) fn of(file: &str) -> Option<Self> {
        let ending = file.rsplit_once('.').map_or("", |(_, ending)| ending);
        let modules = match ending {
            "tsx" | "jsx" => return None,
            "cjs" | "cts" => Modules::CommonJs,
            "mjs" | "mts" => Modules::Es,
            _ => Modules::BySyntax,
        };
        Some(Self { typescript: matches!(ending, "ts" | "mts" | "cts"), modules })
    }

    fn source_type(self) -> SourceType {
        let source_type = match (self.modules, self.typescript) {
            (Modules::CommonJs, false) => SourceType::cjs(),
            (Modules::Es, _) => SourceType::mjs(),
            // `import` and `export` of types are no module syntax in the end, so `.cts` may have them.
            _ => SourceType::unambiguous(),
        };
        source_type.with_typescript(self.typescript)
    }
}

/// A file that has no syntax errors.
pub(crate) struct Parsed<'p, 'a> {
    pub(crate) file: &'p str,
    pub(crate) source: &'a str,
    pub(crate) language: Language,
    pub(crate) program: &'a Program<'a>,
    pub(crate) semantic: &'p Semantic<'a>,
}

impl Parsed<'_, '_> {
    /// An error of this file's author, at the beginning of a span.
    pub(crate) fn error(&self, span: Span, message: impl Into<String>) -> BuildError {
        syntax_error(self.file, self.source, span.start, message.into())
    }
}

/// Parses a file and hands it to `work`, on a thread with enough stack for both.
///
/// # Errors
/// The first syntax error with its position; a file that cannot be parsed safely; what `work` says.
pub(crate) fn parse<R: Send>(
    file: &str,
    source: &str,
    work: impl FnOnce(&Parsed<'_, '_>) -> Result<R, BuildError> + Send,
) -> Result<R, BuildError> {
    let unsuitable = |message: String| BuildError::Unsuitable { file: file.into(), message };
    let language = Language::of(file).ok_or_else(|| unsuitable("JSX is not supported".into()))?;
    if language.typescript && source.bytes().filter(|byte| *byte == b'<').count() > MAX_ANGLES {
        return Err(unsuitable(format!("more than {MAX_ANGLES} times `<`; split it into several files")));
    }
    let stack = BASE_STACK + stack_bytes(source);
    if stack > MAX_STACK {
        return Err(unsuitable("too much code for one file; split it into several".into()));
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(stack).spawn_scoped(scope, || {
            let allocator = Allocator::default();
            let parser = Parser::new(&allocator, source, language.source_type());
            // The wrapper is a function, so a CommonJS file may return.
            let options = ParseOptions { allow_return_outside_function: true, ..ParseOptions::default() };
            let parsed = parser.with_options(options).parse();
            if let Some(first) = first(&parsed.diagnostics) {
                return Err(of_diagnostic(file, source, first));
            }
            let mut scopes = Scopes { depth: 0, too_deep: None };
            scopes.visit_program(&parsed.program);
            if let Some(span) = scopes.too_deep {
                let message = format!("more than {MAX_SCOPES} functions and blocks in one another");
                return Err(syntax_error(file, source, span.start, message));
            }
            let semantic = SemanticBuilder::new()
                .with_check_syntax_error(true)
                .with_build_nodes(true)
                .build(&parsed.program);
            if let Some(first) = first(&semantic.diagnostics) {
                return Err(of_diagnostic(file, source, first));
            }
            work(&Parsed { file, source, language, program: &parsed.program, semantic: &semantic.semantic })
        });
        match thread.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(unsuitable("the parser failed on it".into())),
            Err(error) => Err(unsuitable(format!("no thread to parse it on: {error}"))),
        }
    })
}

/// How deep scopes are in one another.
struct Scopes {
    depth: usize,
    too_deep: Option<Span>,
}

impl<'a> Visit<'a> for Scopes {
    fn enter_node(&mut self, kind: AstKind<'a>) {
        if self.depth > MAX_SCOPES && self.too_deep.is_none() {
            self.too_deep = Some(kind.span());
        }
    }

    fn enter_scope(&mut self, _: ScopeFlags, _: &Cell<Option<ScopeId>>) {
        self.depth += 1;
    }

    fn leave_scope(&mut self) {
        self.depth -= 1;
    }
}

/// The stack that the deepest nesting of these tokens needs.
fn stack_bytes(source: &str) -> usize {
    let (mut total, mut in_word) = (0, false);
    for byte in source.bytes() {
        let word = byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || !byte.is_ascii();
        total += match byte {
            _ if word => usize::from(!in_word) * WORD_STACK,
            b'(' | b'[' | b'{' | b'<' | b'`' => BRACKET_STACK,
            b')' | b']' | b'}' | b';' | b',' => 0,
            _ if byte.is_ascii_punctuation() => OPERATOR_STACK,
            _ => 0,
        };
        in_word = word;
    }
    total
}

/// The error that comes first in the text.
fn first(diagnostics: &oxc_diagnostics::Diagnostics) -> Option<&OxcDiagnostic> {
    diagnostics.errors().min_by_key(|error| offset(error))
}

fn offset(error: &OxcDiagnostic) -> u32 {
    error.labels.first().map_or(u32::MAX, oxc_span::LabeledSpan::offset)
}

fn of_diagnostic(file: &str, source: &str, error: &OxcDiagnostic) -> BuildError {
    let help = error.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
    syntax_error(file, source, offset(error), format!("{}{help}", error.message))
}

/// Columns are in bytes, as the engine counts them.
fn syntax_error(file: &str, source: &str, offset: u32, message: String) -> BuildError {
    let before = source.get(..offset as usize).unwrap_or(source);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = u32::try_from(before.matches('\n').count() + 1).unwrap_or(u32::MAX);
    let column = u32::try_from(before.len() - line_start + 1).unwrap_or(u32::MAX);
    BuildError::Script(RunError::Exception {
        exception: GuestException {
            name: "SyntaxError".into(),
            message,
            file: Some(file.into()),
            line: Some(line),
            column: Some(column),
            stack: format!("    at {file}:{line}:{column}"),
        },
    })
}
