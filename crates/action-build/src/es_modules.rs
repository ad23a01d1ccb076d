//! ES modules to the body of a CommonJS function.
//!
//! What stands before the author's first line is line 0: it has the exports, as functions that read the author's own
//! variables, and for each imported name a function that reads it where it is exported. So both are live. An import stands
//! where it stood, while only imports are before it; one further down comes behind the last of these. An imported name
//! becomes a call, `a()`, with a name that is as short as can be, so that columns stay for all names of three letters or
//! more. `prelude/modules.js` has the functions that are called here.

use std::collections::HashSet;

use oxc_ast::AstKind;
use oxc_ast::ast::*;
use oxc_span::{GetSpan, Span};
use oxc_syntax::symbol::SymbolId;

use crate::BuildError;
use crate::edits::Edits;
use crate::module_syntax::{Found, inside};
use crate::parse::{Modules, Parsed};
use crate::typescript::{is_type_only, quote};

/// What stands around the author's text, and what it asks for.
#[derive(Default)]
pub(crate) struct Rewritten {
    /// Line 0, without its end.
    pub(crate) head: String,
    /// What ends the text.
    pub(crate) tail: &'static str,
    /// The literal names in `require`, `import` and `export from`.
    pub(crate) requires: Vec<String>,
}

/// Rewrites module syntax, and `import()` in any file.
pub(crate) fn rewrite<'a>(parsed: &Parsed<'_, 'a>, edits: &mut Edits<'a>) -> Result<Rewritten, BuildError> {
    let of_values = |it: &&Statement<'a>| {
        it.is_module_declaration() && !is_type_only(it) && !matches!(it, Statement::TSExportAssignment(_))
    };
    if parsed.language.modules == Modules::CommonJs
        && let Some(statement) = parsed.program.body.iter().find(of_values)
    {
        let text = "a `.cjs` or `.cts` file is no ES module: write `require` and `exports`";
        return Err(parsed.error(statement.span(), text));
    }
    let is_module = parsed.program.source_type.is_module() && parsed.language.modules != Modules::CommonJs;
    let mut rewriter = Rewriter {
        parsed,
        edits,
        names: Names::new(parsed),
        imports: Vec::new(),
        requires: Vec::new(),
        variables: Vec::new(),
        accessors: String::new(),
        exports: String::new(),
        has_exports: false,
        late: String::new(),
        lead_end: None,
        runtime: None,
    };
    if is_module {
        rewriter.statements()?;
    }
    let undefined = rewriter.expressions(inside(parsed.program, is_module))?;
    rewriter.references()?;
    Ok(rewriter.finish(is_module, undefined))
}

/// Names that the file does not use, the shortest first.
struct Names {
    used: HashSet<String>,
    next: usize,
}

impl Names {
    fn new(parsed: &Parsed<'_, '_>) -> Self {
        let scoping = parsed.semantic.scoping();
        let unresolved = scoping.root_unresolved_references().keys().map(|name| name.as_str());
        let used = scoping.symbol_names().chain(unresolved).map(str::to_owned).collect();
        Self { used, next: 0 }
    }

    fn fresh(&mut self) -> String {
        const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_$";
        loop {
            let letter = char::from(LETTERS[self.next % LETTERS.len()]);
            let round = self.next / LETTERS.len();
            self.next += 1;
            let name = if round == 0 { letter.to_string() } else { format!("{letter}{round}") };
            if !self.used.contains(&name) {
                return name;
            }
        }
    }
}

struct Rewriter<'r, 'p, 'a> {
    parsed: &'r Parsed<'p, 'a>,
    edits: &'r mut Edits<'a>,
    names: Names,
    /// Imported names, with the function that reads each.
    imports: Vec<(SymbolId, String)>,
    requires: Vec<String>,
    /// Variables of line 0: one for each imported module.
    variables: Vec<String>,
    accessors: String,
    exports: String,
    has_exports: bool,
    /// Imports behind other code, and where they go.
    late: String,
    lead_end: Option<usize>,
    /// The name of what `prelude/modules.js` gives.
    runtime: Option<String>,
}

impl<'a> Rewriter<'_, '_, 'a> {
    fn runtime(&mut self) -> String {
        if self.runtime.is_none() {
            self.runtime = Some(self.names.fresh());
        }
        self.runtime.clone().unwrap_or_default()
    }

    fn statements(&mut self) -> Result<(), BuildError> {
        self.runtime();
        let mut leading = true;
        for statement in &self.parsed.program.body {
            if is_type_only(statement) {
                continue;
            }
            match statement {
                Statement::ImportDeclaration(it) => self.import(it, leading)?,
                Statement::ExportFromDeclaration(it) => self.export_from(it, leading),
                Statement::ExportAllDeclaration(it) => self.export_all(it, leading),
                Statement::ExportNamedDeclaration(it) => {
                    self.export_names(it);
                    leading = false;
                }
                Statement::ExportDeclaration(it) => {
                    self.export_declaration(it)?;
                    leading = false;
                }
                Statement::ExportDefaultDeclaration(it) => {
                    self.export_default(it);
                    leading = false;
                }
                _ => leading = false,
            }
        }
        Ok(())
    }

    /// Puts the code of an import where it belongs.
    fn place(&mut self, span: Span, code: &str, leading: bool) {
        let (start, end) = (span.start as usize, span.end as usize);
        if leading {
            self.edits.replace(start, end, code);
            self.lead_end = Some(end);
        } else {
            self.edits.replace(start, end, ";");
            self.late.push_str(code);
        }
    }

    /// An expression that evaluates a module, and says so when it does not export the names.
    fn load(&mut self, specifier: &str, names: &[&str]) -> String {
        self.requires.push(specifier.into());
        let names: Vec<String> = names.iter().map(|name| quote(name)).collect();
        format!("{}.import({},[{}])", self.runtime(), quote(specifier), names.join(","))
    }

    fn import(&mut self, it: &ImportDeclaration<'a>, leading: bool) -> Result<(), BuildError> {
        if it.phase.is_some() {
            return Err(self.parsed.error(it.span, "this kind of import is not supported"));
        }
        let specifier = it.source.value.as_str();
        let Some(specifiers) = &it.specifiers else {
            let code = format!("{};", self.load(specifier, &[]));
            self.place(it.span, &code, leading);
            return Ok(());
        };
        let used: Vec<&ImportDeclarationSpecifier<'a>> =
            specifiers.iter().filter(|specifier| self.is_value(specifier)).collect();
        if used.is_empty() && self.parsed.language.typescript && !specifiers.is_empty() {
            // As TypeScript does: what is imported for its types only is not imported.
            self.edits.replace(it.span.start as usize, it.span.end as usize, ";");
            return Ok(());
        }
        let mut names = Vec::new();
        for specifier in &used {
            match specifier {
                ImportDeclarationSpecifier::ImportSpecifier(it) if self.is_needed(it) => {
                    names.push(it.imported.name())
                }
                _ => {}
            }
        }
        let namespace =
            used.iter().any(|it| matches!(it, ImportDeclarationSpecifier::ImportNamespaceSpecifier(_)));
        let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        let variable = self.names.fresh();
        let loaded = self.load(specifier, &names);
        let code = if namespace {
            format!("{variable}={}.namespace({loaded});", self.runtime())
        } else {
            format!("{variable}={loaded};")
        };
        self.place(it.span, &code, leading);
        for specifier in used {
            let (local, value) = match specifier {
                ImportDeclarationSpecifier::ImportNamespaceSpecifier(it) => (&it.local, variable.clone()),
                ImportDeclarationSpecifier::ImportDefaultSpecifier(it) if namespace => {
                    (&it.local, format!("{variable}.default"))
                }
                ImportDeclarationSpecifier::ImportDefaultSpecifier(it) => {
                    (&it.local, self.property(&variable, "default"))
                }
                ImportDeclarationSpecifier::ImportSpecifier(it) => {
                    (&it.local, self.property(&variable, &it.imported.name()))
                }
            };
            let accessor = self.accessor(&value);
            if let Some(symbol) = local.symbol_id.get() {
                self.imports.push((symbol, accessor));
            }
        }
        self.variables.push(variable);
        Ok(())
    }

    /// Whether an imported name is more than a type: as TypeScript does, by how the file uses it.
    fn is_value(&self, specifier: &ImportDeclarationSpecifier<'a>) -> bool {
        if let ImportDeclarationSpecifier::ImportSpecifier(it) = specifier
            && it.import_kind.is_type()
        {
            return false;
        }
        let symbol = specifier.local().symbol_id.get();
        !self.parsed.language.typescript
            || symbol.is_some_and(|symbol| {
                let mut references = self.parsed.semantic.symbol_references(symbol);
                references.any(|reference| reference.is_value())
            })
    }

    /// Whether a module without this export is an error. In TypeScript what is only exported again may be a type.
    fn is_needed(&self, specifier: &ImportSpecifier<'a>) -> bool {
        let nodes = self.parsed.semantic.nodes();
        let used = |symbol| {
            let mut references = self.parsed.semantic.symbol_references(symbol);
            references.any(|it| {
                it.is_value() && !matches!(nodes.parent_kind(it.node_id()), AstKind::ExportSpecifier(_))
            })
        };
        specifier.imported.name() != "default"
            && (!self.parsed.language.typescript || specifier.local.symbol_id.get().is_some_and(used))
    }

    fn property(&mut self, variable: &str, name: &str) -> String {
        match name {
            "default" => format!("{}.default({variable})", self.runtime()),
            _ => format!("{variable}?.[{}]", quote(name)),
        }
    }

    fn accessor(&mut self, value: &str) -> String {
        let name = self.names.fresh();
        self.accessors.push_str(&format!("const {name}=()=>{value};"));
        name
    }

    fn export(&mut self, name: &str, getter: &str) {
        self.exports.push_str(&format!("[{}]:{getter},", quote(name)));
    }

    fn export_from(&mut self, it: &ExportFromDeclaration<'a>, leading: bool) {
        self.has_exports = true;
        let kept: Vec<_> = it.specifiers.iter().filter(|it| !it.export_kind.is_type()).collect();
        let needed = |name: &Str<'a>| *name != "default" && !self.parsed.language.typescript;
        let names: Vec<_> = kept.iter().map(|it| it.local.name()).filter(needed).collect();
        let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        let variable = self.names.fresh();
        let code = format!("{variable}={};", self.load(&it.source.value, &names));
        self.place(it.span, &code, leading);
        for specifier in kept {
            let value = self.property(&variable, &specifier.local.name());
            self.export(&specifier.exported.name(), &format!("()=>{value}"));
        }
        self.variables.push(variable);
    }

    fn export_all(&mut self, it: &ExportAllDeclaration<'a>, leading: bool) {
        self.has_exports = true;
        let loaded = self.load(&it.source.value, &[]);
        let runtime = self.runtime();
        let code = if let Some(name) = &it.exported {
            let variable = self.names.fresh();
            self.export(&name.name(), &format!("()=>{variable}"));
            self.variables.push(variable.clone());
            format!("{variable}={runtime}.namespace({loaded});")
        } else {
            format!("{runtime}.star({loaded});")
        };
        self.place(it.span, &code, leading);
    }

    fn export_names(&mut self, it: &ExportNamedDeclaration<'a>) {
        self.has_exports = true;
        self.edits.replace(it.span.start as usize, it.span.end as usize, ";");
        let scoping = self.parsed.semantic.scoping();
        for specifier in it.specifiers.iter().filter(|it| !it.export_kind.is_type()) {
            let ModuleExportName::IdentifierReference(local) = &specifier.local else { continue };
            let symbol = local.reference_id.get().and_then(|id| scoping.get_reference(id).symbol_id());
            let flags = symbol.map(|symbol| scoping.symbol_flags(symbol));
            if flags.is_some_and(|flags| !flags.is_value() && !flags.is_import()) {
                continue;
            }
            let import = self.imports.iter().find(|(imported, _)| Some(*imported) == symbol);
            let getter =
                import.map_or_else(|| format!("()=>{}", local.name), |(_, accessor)| accessor.clone());
            self.export(&specifier.exported.name(), &getter);
        }
    }

    fn export_declaration(&mut self, it: &ExportDeclaration<'a>) -> Result<(), BuildError> {
        self.has_exports = true;
        let start = it.span.start as usize;
        self.edits.blank(start, start + "export".len());
        let mut names = Vec::new();
        match &it.declaration {
            Declaration::VariableDeclaration(it) => {
                for declarator in &it.declarations {
                    names.extend(declarator.id.get_binding_identifiers().iter().map(|id| id.name.as_str()));
                }
            }
            Declaration::FunctionDeclaration(it) => names.extend(it.id.iter().map(|id| id.name.as_str())),
            Declaration::ClassDeclaration(it) => names.extend(it.id.iter().map(|id| id.name.as_str())),
            Declaration::TSEnumDeclaration(it) => names.push(it.id.name.as_str()),
            Declaration::TSImportEqualsDeclaration(it) => {
                return Err(self.parsed.error(it.span, "`export import` is not supported: export the name"));
            }
            _ => {}
        }
        for name in names {
            self.export(name, &format!("()=>{name}"));
        }
        Ok(())
    }

    fn export_default(&mut self, it: &ExportDefaultDeclaration<'a>) {
        self.has_exports = true;
        let start = it.span.start as usize;
        let named = |id: &Option<BindingIdentifier<'a>>| id.as_ref().map(|id| id.name.to_string());
        let name = match &it.declaration {
            ExportDefaultDeclarationKind::FunctionDeclaration(function) => {
                if let Some(name) = named(&function.id) {
                    self.edits.blank(start, function.span.start as usize);
                    name
                } else {
                    let name = self.names.fresh();
                    let kind = if function.r#async { "async " } else { "" };
                    let star = if function.generator { "*" } else { " " };
                    let end = function
                        .type_parameters
                        .as_ref()
                        .map_or(function.params.span.start, |it| it.span.start);
                    self.edits.replace(start, end as usize, &format!("{kind}function{star}{name}"));
                    name
                }
            }
            ExportDefaultDeclarationKind::ClassDeclaration(class) => {
                let source = self.parsed.source;
                let mut keyword = class.span.start;
                if class.r#abstract {
                    keyword = crate::trivia::skip_trivia(source, keyword + "abstract".len() as u32);
                }
                if let Some(name) = named(&class.id) {
                    self.edits.blank(start, keyword as usize);
                    name
                } else {
                    let name = self.names.fresh();
                    self.edits.replace(start, keyword as usize + "class".len(), &format!("class {name}"));
                    name
                }
            }
            other => {
                let name = self.names.fresh();
                self.edits.replace(start, other.span().start as usize, &format!("const {name}="));
                name
            }
        };
        self.export("default", &format!("()=>{name}"));
    }

    /// What is at any depth. Answers the name that stands for `undefined`, where one is needed.
    fn expressions(&mut self, found: Vec<Found>) -> Result<Option<String>, BuildError> {
        let mut undefined = None;
        for found in found {
            match found {
                Found::Require(specifier) => self.requires.push(specifier),
                Found::Import { span, specifier } => {
                    self.requires.extend(specifier);
                    let code = format!("{}.load", self.runtime());
                    let start = span.start as usize;
                    self.edits.replace(start, start + "import".len(), &code);
                }
                Found::This(span) => {
                    let name = undefined.get_or_insert_with(|| self.names.fresh());
                    self.edits.replace(span.start as usize, span.end as usize, name);
                }
                Found::Refused(span, message) => return Err(self.parsed.error(span, message)),
            }
        }
        Ok(undefined)
    }

    /// Makes each use of an imported name a call of its accessor.
    fn references(&mut self) -> Result<(), BuildError> {
        let (scoping, nodes) = (self.parsed.semantic.scoping(), self.parsed.semantic.nodes());
        for (symbol, accessor) in &self.imports {
            for reference in scoping.get_resolved_references(*symbol) {
                let (node, span) = (reference.node_id(), nodes.kind(reference.node_id()).span());
                if reference.is_write() {
                    let text = "an imported name cannot be assigned to";
                    return Err(self.parsed.error(span, text));
                }
                let parent = nodes.parent_kind(node);
                if !reference.is_value() || matches!(parent, AstKind::ExportSpecifier(_)) {
                    continue;
                }
                let code = match parent {
                    AstKind::ObjectProperty(property) if property.shorthand => {
                        format!(
                            "{}:{accessor}()",
                            &self.parsed.source[span.start as usize..span.end as usize]
                        )
                    }
                    _ if is_in_callee_of_new(nodes, node) => format!("({accessor}())"),
                    _ => format!("{accessor}()"),
                };
                self.edits.replace(span.start as usize, span.end as usize, &code);
            }
        }
        Ok(())
    }

    fn finish(self, is_module: bool, undefined: Option<String>) -> Rewritten {
        let Self { edits, requires, accessors, exports, runtime, .. } = self;
        let mut head = String::new();
        let strict =
            is_module || self.parsed.program.directives.iter().any(|it| it.directive == "use strict");
        // A module that Actions share finds its own secrets there.
        let is_shared = self.parsed.file.starts_with("actions:");
        if strict && (runtime.is_some() || is_shared) {
            // Before the author's own directive there would be code.
            head.push_str("'use strict';");
        }
        if is_shared {
            head.push_str("var actions=require(\"postern:actions\");");
        }
        if let Some(runtime) = &runtime {
            head.push_str(&format!("const {runtime}=require(\"postern:es-modules\")(require,exports);"));
        }
        if !is_module {
            return Rewritten { head, tail: "", requires };
        }
        // In a block of its own the author may declare `require`, `module` and `exports`.
        head.push('{');
        let variables: Vec<String> = self.variables.into_iter().chain(undefined).collect();
        if !variables.is_empty() {
            head.push_str(&format!("let {};", variables.join(",")));
        }
        head.push_str(&accessors);
        if let Some(runtime) = runtime.filter(|_| self.has_exports) {
            head.push_str(&format!("{runtime}.export({{{exports}}});"));
        }
        match self.lead_end {
            Some(end) if !self.late.is_empty() => edits.insert(end, &self.late),
            _ => head.push_str(&self.late),
        }
        Rewritten { head, tail: "\n}", requires }
    }
}

/// `new name()` and `new name.of.member()`: a call there would be taken for the arguments.
fn is_in_callee_of_new(nodes: &oxc_semantic::AstNodes<'_>, node: oxc_semantic::NodeId) -> bool {
    let mut span = nodes.kind(node).span();
    for parent in nodes.ancestor_kinds(node) {
        match parent {
            AstKind::NewExpression(it) => return it.callee.span() == span,
            AstKind::StaticMemberExpression(it) if it.object.span() == span => {}
            AstKind::ComputedMemberExpression(it) if it.object.span() == span => {}
            AstKind::PrivateFieldExpression(it) if it.object.span() == span => {}
            AstKind::TaggedTemplateExpression(it) if it.tag.span() == span => {}
            AstKind::TSNonNullExpression(_) | AstKind::TSInstantiationExpression(_) => {}
            _ => return false,
        }
        span = parent.span();
    }
    false
}
