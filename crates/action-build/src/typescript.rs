//! TypeScript to JavaScript by putting spaces in the place of types.
//!
//! All that stays keeps its line and column. What is more than types becomes code on its own line (`enum`, parameter
//! properties, `import x = require()`, `export =`), or is refused (`namespace` with values, decorators).

use oxc_ast::ast::*;
use oxc_ast_visit::{Visit, walk};
use oxc_span::{GetSpan, Span};
use oxc_syntax::scope::ScopeFlags;

use crate::BuildError;
use crate::edits::Edits;
use crate::parse::Parsed;
use crate::trivia::{skip_trivia, word_at};

/// Modifiers that mean nothing at run time.
const MODIFIERS: [&str; 7] =
    ["public", "private", "protected", "override", "abstract", "readonly", "declare"];

/// Erases all types of a file.
pub(crate) fn erase<'a>(parsed: &Parsed<'_, 'a>, edits: &mut Edits<'a>) -> Result<(), BuildError> {
    let mut eraser = Eraser { source: parsed.source, edits, refused: None, depth: 0 };
    eraser.visit_program(parsed.program);
    match eraser.refused {
        Some((span, message)) => Err(parsed.error(span, message)),
        None => Ok(()),
    }
}

/// Whether a statement is gone when types are.
pub(crate) fn is_type_only(statement: &Statement<'_>) -> bool {
    match statement {
        Statement::ImportDeclaration(it) => it.import_kind.is_type(),
        Statement::ExportAllDeclaration(it) => it.export_kind.is_type(),
        Statement::ExportNamedDeclaration(it) => it.export_kind.is_type(),
        Statement::ExportFromDeclaration(it) => it.export_kind.is_type(),
        Statement::ExportDeclaration(it) => is_type_only_declaration(&it.declaration),
        Statement::ExportDefaultDeclaration(it) => match &it.declaration {
            ExportDefaultDeclarationKind::TSInterfaceDeclaration(_) => true,
            ExportDefaultDeclarationKind::FunctionDeclaration(function) => function.body.is_none(),
            _ => false,
        },
        Statement::TSNamespaceExportDeclaration(_) => true,
        _ => statement.as_declaration().is_some_and(is_type_only_declaration),
    }
}

fn is_type_only_declaration(declaration: &Declaration<'_>) -> bool {
    match declaration {
        Declaration::TSTypeAliasDeclaration(_)
        | Declaration::TSInterfaceDeclaration(_)
        | Declaration::TSExternalModuleDeclaration(_)
        | Declaration::TSGlobalDeclaration(_) => true,
        Declaration::VariableDeclaration(it) => it.declare,
        Declaration::FunctionDeclaration(it) => it.declare || it.body.is_none(),
        Declaration::ClassDeclaration(it) => it.declare,
        Declaration::TSEnumDeclaration(it) => it.declare,
        Declaration::TSNamespaceDeclaration(it) => it.declare || namespace_is_type_only(&it.body),
        Declaration::TSImportEqualsDeclaration(it) => it.import_kind.is_type(),
    }
}

fn namespace_is_type_only(body: &TSNamespaceDeclarationBody<'_>) -> bool {
    match body {
        TSNamespaceDeclarationBody::TSNamespaceDeclaration(inner) => {
            inner.declare || namespace_is_type_only(&inner.body)
        }
        TSNamespaceDeclarationBody::TSModuleBlock(block) => block.body.iter().all(is_type_only),
    }
}

struct Eraser<'e, 'a> {
    source: &'a str,
    edits: &'e mut Edits<'a>,
    refused: Option<(Span, String)>,
    /// How many blocks and functions are around.
    depth: usize,
}

impl<'a> Eraser<'_, 'a> {
    fn refuse(&mut self, span: Span, message: impl Into<String>) {
        if self.refused.as_ref().is_none_or(|(first, _)| span.start < first.start) {
            self.refused = Some((span, message.into()));
        }
    }

    fn blank(&mut self, start: u32, end: u32) {
        self.edits.blank(start as usize, end as usize);
    }

    /// Erases a statement or class member. The semicolon keeps what is before from going on with what is behind.
    fn erase(&mut self, span: Span) {
        self.edits.replace(span.start as usize, span.end as usize, ";");
    }

    fn next(&self, at: u32) -> u32 {
        skip_trivia(self.source, at)
    }

    fn byte(&self, at: u32) -> Option<u8> {
        self.source.as_bytes().get(at as usize).copied()
    }

    /// Keeps a statement whose end was erased from going on in the next line.
    fn end_statement(&mut self, span: Span) {
        self.edits.end_statement(span.end as usize);
    }

    /// Erases what is between a name and the end of its type: `?: T`, `!: T`, `: T`, `?`.
    fn erase_annotation(&mut self, name_end: u32, marked: bool, annotation: Option<&TSTypeAnnotation<'a>>) {
        if let Some(annotation) = annotation {
            self.blank(name_end, annotation.span.end);
        } else if marked {
            let at = self.next(name_end);
            self.blank(at, at + 1);
        }
    }

    /// Erases modifiers between two places; `member` says that a class member begins there.
    fn erase_modifiers(&mut self, start: u32, end: u32, member: bool) {
        let mut at = start;
        while at < end {
            let word = word_at(self.source, at);
            if word.is_empty() {
                break;
            }
            let word_end = at + word.len() as u32;
            if MODIFIERS.contains(&word) {
                let code = if member && at == start { ";" } else { "" };
                self.edits.replace(at as usize, word_end as usize, code);
            }
            at = self.next(word_end);
        }
    }

    /// Where a member's name ends, `]` included.
    fn key_end(&self, key: Span, computed: bool) -> u32 {
        if computed { self.next(key.end) + 1 } else { key.end }
    }

    fn erase_parameters(&mut self, parameters: Option<&TSTypeParameterDeclaration<'a>>) {
        if let Some(parameters) = parameters {
            self.blank(parameters.span.start, parameters.span.end);
        }
    }

    fn erase_arguments(&mut self, arguments: Option<&TSTypeParameterInstantiation<'a>>) {
        if let Some(arguments) = arguments {
            self.blank(arguments.span.start, arguments.span.end);
        }
    }

    fn has_line_break(&self, start: u32, end: u32) -> bool {
        self.source
            .get(start as usize..end as usize)
            .is_some_and(|text| text.contains(['\n', '\r', '\u{2028}', '\u{2029}']))
    }

    /// `enum` to an object, on the same lines. Each member is a constant for the initializers behind it.
    fn make_enum(&mut self, it: &TSEnumDeclaration<'a>) {
        let name = it.id.name.as_str();
        let open = self.next(it.id.span.end);
        // `var`, so that declarations of one name merge; in a block it would leak.
        let head = if self.depth == 0 {
            format!("var {name}={name}||{{}};{{")
        } else {
            format!("let {name}={{}};{{")
        };
        self.edits.replace(it.span.start as usize, open as usize + 1, &head);
        let mut before: Option<String> = None;
        for member in &it.body.members {
            let key = match &member.id {
                TSEnumMemberName::Identifier(id) => id.name.as_str(),
                TSEnumMemberName::String(text) | TSEnumMemberName::ComputedString(text) => {
                    text.value.as_str()
                }
                TSEnumMemberName::ComputedTemplateString(text) => {
                    text.quasis.first().map_or("", |part| part.value.raw.as_str())
                }
            };
            let place = format!("{name}[{}]", quote(key));
            let constant = matches!(member.id, TSEnumMemberName::Identifier(_))
                && key != name
                && !oxc_syntax::keyword::is_reserved_keyword_or_global_object(key);
            let declare = if constant { format!("const {key}={place}") } else { place.clone() };
            let reverse = format!(";typeof {place}==\"number\"&&({name}[{place}]={});", quote(key));
            if let Some(initializer) = &member.initializer {
                let start = initializer.span().start as usize;
                self.edits.replace(member.span.start as usize, start, &format!("{declare}="));
                self.visit_expression(initializer);
                self.edits.insert(member.span.end as usize, &reverse);
            } else {
                let value = before.map_or("0".into(), |before| format!("{before}+1"));
                let code = format!("{declare}={value}{reverse}");
                self.edits.replace(member.span.start as usize, member.span.end as usize, &code);
            }
            let comma = self.next(member.span.end);
            if self.byte(comma) == Some(b',') {
                self.blank(comma, comma + 1);
            }
            before = Some(place);
        }
    }

    /// What `constructor(private a, readonly b = 1)` means: assignments, behind `super()` where there is one.
    fn make_parameter_properties(&mut self, function: &Function<'a>, derived: bool) {
        let mut code = String::new();
        for parameter in &function.params.items {
            if parameter.accessibility.is_none() && !parameter.readonly && !parameter.r#override {
                continue;
            }
            let name = match &parameter.pattern {
                BindingPattern::BindingIdentifier(id) => id.name.as_str(),
                other => return self.refuse(other.span(), "a parameter property must be a single name"),
            };
            code.push_str(&format!("this.{name}={name};"));
        }
        let Some(body) = function.body.as_ref().filter(|_| !code.is_empty()) else { return };
        let at = if derived {
            let is_super = |statement: &&Statement<'a>| {
                matches!(statement, Statement::ExpressionStatement(it)
                    if matches!(&it.expression, Expression::CallExpression(call) if call.callee.is_super()))
            };
            let Some(call) = body.statements.iter().find(is_super) else {
                let text =
                    "a constructor with parameter properties must call `super()` as a statement of its own";
                return self.refuse(function.span, text);
            };
            call.span().end
        } else {
            body.directives.last().map_or(body.span.start + 1, |directive| directive.span.end)
        };
        self.edits.insert(at as usize, &format!(";{code}"));
    }

    /// Type parameters and return type of an arrow function, without a line break where JavaScript allows none.
    fn erase_arrow_types(&mut self, it: &ArrowFunctionExpression<'a>) {
        if let Some(parameters) = &it.type_parameters {
            let (start, open) = (parameters.span.start, it.params.span.start);
            if self.has_line_break(start, open) {
                self.edits.replace(start as usize, parameters.span.end as usize, "(");
                self.blank(open, open + 1);
            } else {
                self.blank(start, parameters.span.end);
            }
        }
        if let Some(return_type) = &it.return_type {
            let (close, end) = (it.params.span.end - 1, return_type.span.end);
            if self.has_line_break(close, self.next(end)) {
                self.blank(close, close + 1);
                self.edits.blank_and_end_with(return_type.span.start as usize, end as usize, ')');
            } else {
                self.blank(return_type.span.start, end);
            }
        }
    }
}

impl<'a> Visit<'a> for Eraser<'_, 'a> {
    fn visit_statement(&mut self, it: &Statement<'a>) {
        if is_type_only(it) {
            return self.erase(it.span());
        }
        match it {
            Statement::BlockStatement(_)
            | Statement::ForStatement(_)
            | Statement::ForInStatement(_)
            | Statement::ForOfStatement(_)
            | Statement::SwitchStatement(_)
            | Statement::TryStatement(_) => {
                self.depth += 1;
                walk::walk_statement(self, it);
                self.depth -= 1;
            }
            _ => walk::walk_statement(self, it),
        }
        self.end_statement(it.span());
    }

    fn visit_function_body(&mut self, it: &FunctionBody<'a>) {
        let around = std::mem::replace(&mut self.depth, 0);
        walk::walk_function_body(self, it);
        self.depth = around;
    }

    fn visit_static_block(&mut self, it: &StaticBlock<'a>) {
        let around = std::mem::replace(&mut self.depth, 0);
        walk::walk_static_block(self, it);
        self.depth = around;
    }

    fn visit_ts_enum_declaration(&mut self, it: &TSEnumDeclaration<'a>) {
        self.make_enum(it);
    }

    fn visit_ts_namespace_declaration(&mut self, it: &TSNamespaceDeclaration<'a>) {
        let text = "a namespace with values is not supported: put it into a file of its own, as a module";
        self.refuse(it.span, text);
    }

    fn visit_ts_import_equals_declaration(&mut self, it: &TSImportEqualsDeclaration<'a>) {
        let keyword =
            self.source[it.span.start as usize..].find("import").unwrap_or(0) as u32 + it.span.start;
        if matches!(it.module_reference, TSModuleReference::ExternalModuleReference(_)) {
            self.edits.replace(keyword as usize, keyword as usize + "import".len(), "const ");
        } else {
            self.refuse(it.span, "an alias of a namespace is not supported: write `const`");
        }
    }

    fn visit_ts_export_assignment(&mut self, it: &TSExportAssignment<'a>) {
        self.edits.replace(it.span.start as usize, it.expression.span().start as usize, "module.exports=");
        self.visit_expression(&it.expression);
    }

    fn visit_decorator(&mut self, it: &Decorator<'a>) {
        self.refuse(it.span, "decorators are not supported");
    }

    fn visit_function(&mut self, it: &Function<'a>, _: ScopeFlags) {
        self.erase_parameters(it.type_parameters.as_deref());
        if let Some(this) = &it.this_param {
            let comma = self.next(this.span.end);
            let end = if self.byte(comma) == Some(b',') { comma + 1 } else { this.span.end };
            self.blank(this.span.start, end);
        }
        self.visit_formal_parameters(&it.params);
        if let Some(return_type) = &it.return_type {
            self.blank(return_type.span.start, return_type.span.end);
        }
        if let Some(body) = &it.body {
            self.visit_function_body(body);
        }
    }

    fn visit_arrow_function_expression(&mut self, it: &ArrowFunctionExpression<'a>) {
        self.erase_arrow_types(it);
        self.visit_formal_parameters(&it.params);
        self.visit_arrow_function_body(&it.body);
    }

    fn visit_formal_parameter(&mut self, it: &FormalParameter<'a>) {
        self.visit_decorators(&it.decorators);
        self.erase_modifiers(it.span.start, it.pattern.span().start, false);
        self.visit_binding_pattern(&it.pattern);
        self.erase_annotation(it.pattern.span().end, it.optional, it.type_annotation.as_deref());
        if let Some(initializer) = &it.initializer {
            self.visit_expression(initializer);
        }
    }

    fn visit_formal_parameter_rest(&mut self, it: &FormalParameterRest<'a>) {
        self.visit_decorators(&it.decorators);
        self.visit_binding_rest_element(&it.rest);
        self.erase_annotation(it.rest.span.end, false, it.type_annotation.as_deref());
    }

    fn visit_catch_parameter(&mut self, it: &CatchParameter<'a>) {
        self.visit_binding_pattern(&it.pattern);
        self.erase_annotation(it.pattern.span().end, false, it.type_annotation.as_deref());
    }

    fn visit_variable_declarator(&mut self, it: &VariableDeclarator<'a>) {
        self.visit_binding_pattern(&it.id);
        self.erase_annotation(it.id.span().end, it.definite, it.type_annotation.as_deref());
        if let Some(init) = &it.init {
            self.visit_expression(init);
        }
    }

    fn visit_class(&mut self, it: &Class<'a>) {
        self.visit_decorators(&it.decorators);
        let mut head_end = it.span.start;
        if it.r#abstract {
            let end = head_end + "abstract".len() as u32;
            self.blank(head_end, end);
            head_end = self.next(end);
        }
        head_end += "class".len() as u32;
        if let Some(id) = &it.id {
            head_end = id.span.end;
        }
        if let Some(parameters) = &it.type_parameters {
            self.blank(parameters.span.start, parameters.span.end);
            head_end = parameters.span.end;
        }
        if let Some(heritage) = &it.heritage {
            self.visit_expression(&heritage.expression);
            self.erase_arguments(heritage.type_arguments.as_deref());
            head_end =
                heritage.type_arguments.as_ref().map_or(heritage.expression.span().end, |it| it.span.end);
        }
        if let Some(last) = it.implements.last() {
            self.blank(self.next(head_end), last.span.end);
        }
        for element in &it.body.body {
            if let ClassElement::MethodDefinition(method) = element
                && method.kind.is_constructor()
            {
                self.make_parameter_properties(&method.value, it.heritage.is_some());
            }
            self.visit_class_element(element);
        }
    }

    fn visit_method_definition(&mut self, it: &MethodDefinition<'a>) {
        if it.value.body.is_none() || it.r#type.is_abstract() {
            return self.erase(it.span);
        }
        self.visit_decorators(&it.decorators);
        self.erase_modifiers(it.span.start, it.key.span().start, true);
        self.visit_property_key(&it.key);
        self.erase_annotation(self.key_end(it.key.span(), it.computed), it.optional, None);
        self.visit_function(&it.value, ScopeFlags::empty());
    }

    fn visit_property_definition(&mut self, it: &PropertyDefinition<'a>) {
        if it.declare || it.r#type.is_abstract() {
            return self.erase(it.span);
        }
        self.visit_decorators(&it.decorators);
        self.erase_modifiers(it.span.start, it.key.span().start, true);
        self.visit_property_key(&it.key);
        let end = self.key_end(it.key.span(), it.computed);
        self.erase_annotation(end, it.optional || it.definite, it.type_annotation.as_deref());
        if let Some(value) = &it.value {
            self.visit_expression(value);
        }
        self.end_statement(it.span);
    }

    fn visit_accessor_property(&mut self, it: &AccessorProperty<'a>) {
        self.refuse(it.span, "`accessor` fields are not supported");
    }

    fn visit_ts_index_signature(&mut self, it: &TSIndexSignature<'a>) {
        self.erase(it.span);
    }

    fn visit_ts_as_expression(&mut self, it: &TSAsExpression<'a>) {
        self.visit_expression(&it.expression);
        self.blank(it.expression.span().end, it.span.end);
    }

    fn visit_ts_satisfies_expression(&mut self, it: &TSSatisfiesExpression<'a>) {
        self.visit_expression(&it.expression);
        self.blank(it.expression.span().end, it.span.end);
    }

    fn visit_ts_non_null_expression(&mut self, it: &TSNonNullExpression<'a>) {
        self.visit_expression(&it.expression);
        self.blank(it.expression.span().end, it.span.end);
    }

    fn visit_ts_type_assertion(&mut self, it: &TSTypeAssertion<'a>) {
        let (start, end) = (it.span.start, it.expression.span().start);
        // `return <T\n>x` must not end behind `return`, and `() => <T>{}` is no block.
        let first = word_at(self.source, end);
        let wrapped = self.has_line_break(start, end)
            || self.byte(end) == Some(b'{')
            || matches!(first, "function" | "class" | "async" | "let");
        self.edits.replace(start as usize, end as usize, if wrapped { "(" } else { "" });
        self.visit_expression(&it.expression);
        if wrapped {
            self.edits.insert(it.span.end as usize, ")");
        }
    }

    fn visit_ts_instantiation_expression(&mut self, it: &TSInstantiationExpression<'a>) {
        self.visit_expression(&it.expression);
        self.erase_arguments(Some(&it.type_arguments));
    }

    /// Type arguments of calls, `new` and tags.
    fn visit_ts_type_parameter_instantiation(&mut self, it: &TSTypeParameterInstantiation<'a>) {
        self.blank(it.span.start, it.span.end);
    }
}

/// A JavaScript string.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\0'..='\x1f' | '\u{2028}' | '\u{2029}' => {
                quoted.push_str(&format!("\\u{{{:x}}}", u32::from(character)));
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}
