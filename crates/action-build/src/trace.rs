//! Code that tells which of its lines run, for coverage: a call before each statement inside of a function. What runs outside of
//! functions runs at the deploy.

use std::collections::{BTreeMap, BTreeSet};

use oxc_allocator::Vec as ArenaVec;
use oxc_ast::ast::*;
use oxc_ast_visit::{Visit, walk};
use oxc_span::GetSpan;
use oxc_syntax::scope::ScopeFlags;

use crate::edits::Edits;
use crate::parse::Parsed;

/// The lines of each file on which a statement begins, from 1. Files are numbered in this order: by name.
pub type Lines = BTreeMap<String, BTreeSet<u32>>;

/// Puts the calls in. The lines that tell.
pub(crate) fn instrument(parsed: &Parsed<'_, '_>, number: u32, edits: &mut Edits<'_>) -> BTreeSet<u32> {
    let breaks = parsed.source.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at);
    let mut tracer = Tracer {
        number,
        breaks: breaks.collect(),
        functions: 0,
        inserts: Vec::new(),
        lines: BTreeSet::new(),
    };
    tracer.visit_program(parsed.program);
    for (at, code) in &tracer.inserts {
        edits.insert(*at, code);
    }
    tracer.lines
}

struct Tracer {
    number: u32,
    /// Where the lines end.
    breaks: Vec<usize>,
    /// How many functions are around.
    functions: usize,
    inserts: Vec<(usize, String)>,
    lines: BTreeSet<u32>,
}

impl Tracer {
    /// The call for code that begins here.
    fn call(&mut self, at: u32) -> String {
        let line = self.breaks.partition_point(|end| *end < at as usize) + 1;
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        self.lines.insert(line);
        format!("__postern_line({},{line})", self.number)
    }

    fn put(&mut self, at: u32, code: String) {
        self.inserts.push((at as usize, code));
    }

    /// A body that may be one statement without braces.
    fn body(&mut self, body: &Statement<'_>) {
        if self.functions == 0 || !runs(body) || matches!(body, Statement::BlockStatement(_)) {
            return;
        }
        let span = body.span();
        let call = self.call(span.start);
        self.put(span.start, format!("{{{call};"));
        self.put(span.end, "}".to_owned());
    }

    fn within(&mut self, walk: impl FnOnce(&mut Self)) {
        self.functions += 1;
        walk(self);
        self.functions -= 1;
    }
}

/// Whether a statement does something where it stands.
fn runs(statement: &Statement<'_>) -> bool {
    match statement {
        Statement::EmptyStatement(_) => false,
        Statement::VariableDeclaration(declaration) => !declaration.declare,
        other => !other.is_declaration() && !other.is_module_declaration(),
    }
}

impl<'a> Visit<'a> for Tracer {
    fn visit_statements(&mut self, it: &ArenaVec<'a, Statement<'a>>) {
        if self.functions > 0 {
            for statement in it.iter().filter(|statement| runs(statement)) {
                let start = statement.span().start;
                let call = self.call(start);
                self.put(start, format!("{call};"));
            }
        }
        walk::walk_statements(self, it);
    }

    fn visit_function(&mut self, it: &Function<'a>, flags: ScopeFlags) {
        self.within(|tracer| walk::walk_function(tracer, it, flags));
    }

    fn visit_arrow_function_expression(&mut self, it: &ArrowFunctionExpression<'a>) {
        self.within(|tracer| match it.get_expression() {
            Some(expression) => {
                let span = expression.span();
                let call = tracer.call(span.start);
                tracer.put(span.start, format!("({call},"));
                tracer.visit_formal_parameters(&it.params);
                tracer.visit_expression(expression);
                tracer.put(span.end, ")".to_owned());
            }
            None => walk::walk_arrow_function_expression(tracer, it),
        });
    }

    fn visit_if_statement(&mut self, it: &IfStatement<'a>) {
        self.body(&it.consequent);
        if let Some(alternate) = &it.alternate {
            self.body(alternate);
        }
        walk::walk_if_statement(self, it);
    }

    fn visit_while_statement(&mut self, it: &WhileStatement<'a>) {
        self.body(&it.body);
        walk::walk_while_statement(self, it);
    }

    fn visit_do_while_statement(&mut self, it: &DoWhileStatement<'a>) {
        self.body(&it.body);
        walk::walk_do_while_statement(self, it);
    }

    fn visit_for_statement(&mut self, it: &ForStatement<'a>) {
        self.body(&it.body);
        walk::walk_for_statement(self, it);
    }

    fn visit_for_in_statement(&mut self, it: &ForInStatement<'a>) {
        self.body(&it.body);
        walk::walk_for_in_statement(self, it);
    }

    fn visit_for_of_statement(&mut self, it: &ForOfStatement<'a>) {
        self.body(&it.body);
        walk::walk_for_of_statement(self, it);
    }

    fn visit_ts_type(&mut self, _: &TSType<'a>) {}
}
