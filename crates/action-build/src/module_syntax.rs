//! What a file of modules has at any depth: `require`, `import()`, `this`, and what it cannot have.

use oxc_ast::ast::*;
use oxc_ast_visit::{Visit, walk};
use oxc_span::Span;
use oxc_syntax::scope::ScopeFlags;

/// Finds it all, in the order of the text.
pub(crate) fn inside(program: &Program<'_>, is_module: bool) -> Vec<Found> {
    let mut inside = Inside { is_module, functions: 0, own_this: 0, found: Vec::new() };
    inside.visit_program(program);
    inside.found
}

/// What module code has at any depth.
pub(crate) enum Found {
    /// `require` with this literal name.
    Require(String),
    /// `import()`, with its literal name.
    Import { span: Span, specifier: Option<String> },
    /// `this` where a module has none.
    This(Span),
    /// What is not supported, and what to say.
    Refused(Span, &'static str),
}

/// Finds it.
struct Inside {
    is_module: bool,
    /// How many functions are around, and how many of them have a `this` of their own.
    functions: usize,
    own_this: usize,
    found: Vec<Found>,
}

impl Inside {
    fn within(&mut self, own_this: bool, walk: impl FnOnce(&mut Self)) {
        self.functions += 1;
        self.own_this += usize::from(own_this);
        walk(self);
        self.functions -= 1;
        self.own_this -= usize::from(own_this);
    }

    fn refuse_await(&mut self, span: Span) {
        if self.functions == 0 {
            let text = "`await` outside of a function is not supported: the top level is evaluated at deploy, once; \
                        await in the handler";
            self.found.push(Found::Refused(span, text));
        }
    }
}

/// The text of a literal.
fn literal(expression: Option<&Expression<'_>>) -> Option<String> {
    match expression? {
        Expression::StringLiteral(text) => Some(text.value.to_string()),
        Expression::TemplateLiteral(text) => text.single_quasi().map(|text| text.to_string()),
        _ => None,
    }
}

impl<'a> Visit<'a> for Inside {
    fn visit_function(&mut self, it: &Function<'a>, flags: ScopeFlags) {
        self.within(true, |inside| walk::walk_function(inside, it, flags));
    }

    fn visit_arrow_function_expression(&mut self, it: &ArrowFunctionExpression<'a>) {
        self.within(false, |inside| walk::walk_arrow_function_expression(inside, it));
    }

    fn visit_property_definition(&mut self, it: &PropertyDefinition<'a>) {
        self.visit_property_key(&it.key);
        if let Some(value) = &it.value {
            self.within(true, |inside| inside.visit_expression(value));
        }
    }

    fn visit_static_block(&mut self, it: &StaticBlock<'a>) {
        self.within(true, |inside| walk::walk_static_block(inside, it));
    }

    fn visit_await_expression(&mut self, it: &AwaitExpression<'a>) {
        self.refuse_await(it.span);
        walk::walk_await_expression(self, it);
    }

    fn visit_for_of_statement(&mut self, it: &ForOfStatement<'a>) {
        if it.r#await {
            self.refuse_await(it.span);
        }
        walk::walk_for_of_statement(self, it);
    }

    fn visit_return_statement(&mut self, it: &ReturnStatement<'a>) {
        if self.functions == 0 && self.is_module {
            self.found.push(Found::Refused(it.span, "`return` outside of a function"));
        }
        walk::walk_return_statement(self, it);
    }

    fn visit_this_expression(&mut self, it: &ThisExpression) {
        if self.own_this == 0 && self.is_module {
            self.found.push(Found::This(it.span));
        }
    }

    fn visit_import_meta(&mut self, it: &ImportMeta) {
        self.found.push(Found::Refused(it.span, "`import.meta` is not supported: an Action has no address"));
    }

    fn visit_import_expression(&mut self, it: &ImportExpression<'a>) {
        if it.phase.is_some() {
            self.found.push(Found::Refused(it.span, "this kind of import is not supported"));
        }
        self.found.push(Found::Import { span: it.span, specifier: literal(Some(&it.source)) });
        walk::walk_import_expression(self, it);
    }

    fn visit_call_expression(&mut self, it: &CallExpression<'a>) {
        if it.callee.is_specific_id("require") {
            let argument = it.arguments.first().and_then(Argument::as_expression);
            self.found.extend(literal(argument).map(Found::Require));
        }
        walk::walk_call_expression(self, it);
    }

    fn visit_ts_external_module_reference(&mut self, it: &TSExternalModuleReference<'a>) {
        self.found.push(Found::Require(it.expression.value.to_string()));
    }

    fn visit_ts_type(&mut self, _: &TSType<'a>) {}
}
