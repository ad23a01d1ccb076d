//! What a script compares its event with: the texts, names and numbers that stand in it. A generator that knows them finds
//! branches that it would not find by chance, as fuzzers do with a dictionary.

use std::collections::BTreeSet;

use oxc_ast::ast::*;
use oxc_ast_visit::{Visit, walk};

use crate::parse::parse;
use crate::{Program as SourceProgram, Source};

/// How long a text may be to be of use.
const MAX_TEXT_BYTES: usize = 100;
/// How many of a kind are kept.
const MAX_OF_A_KIND: usize = 500;

/// What stands in a script and its modules.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Words {
    /// Literals.
    pub texts: BTreeSet<String>,
    /// Names of properties that are read.
    pub names: BTreeSet<String>,
    /// Numbers, those that are whole.
    pub numbers: BTreeSet<i64>,
}

/// Collects them. A component has none, and neither has a file with syntax errors.
#[must_use]
pub fn words(source: &Source) -> Words {
    let mut words = Words::default();
    let SourceProgram::Script { code, modules } = &source.program else { return words };
    let modules = modules.iter().filter(|(name, _)| !name.ends_with(".json"));
    for (name, text) in std::iter::once((&source.file_name, code)).chain(modules) {
        let found = parse(name, text, |parsed| {
            let mut found = Words::default();
            found.visit_program(parsed.program);
            Ok(found)
        });
        if let Ok(found) = found {
            words.texts.extend(found.texts);
            words.names.extend(found.names);
            words.numbers.extend(found.numbers);
        }
    }
    words
}

impl Words {
    fn text(&mut self, text: &str) {
        if !text.is_empty() && text.len() <= MAX_TEXT_BYTES && self.texts.len() < MAX_OF_A_KIND {
            self.texts.insert(text.to_owned());
        }
    }

    fn name(&mut self, name: &str) {
        if name.len() <= MAX_TEXT_BYTES && self.names.len() < MAX_OF_A_KIND {
            self.names.insert(name.to_owned());
        }
    }
}

impl<'a> Visit<'a> for Words {
    fn visit_string_literal(&mut self, it: &StringLiteral<'a>) {
        self.text(&it.value);
    }

    fn visit_template_element(&mut self, it: &TemplateElement<'a>) {
        if let Some(text) = &it.value.cooked {
            self.text(text);
        }
    }

    fn visit_numeric_literal(&mut self, it: &NumericLiteral<'a>) {
        #[expect(clippy::cast_possible_truncation, reason = "only those that stay the same are kept")]
        let whole = it.value as i64;
        #[expect(clippy::cast_precision_loss, reason = "the same")]
        if whole as f64 == it.value && self.numbers.len() < MAX_OF_A_KIND {
            self.numbers.insert(whole);
        }
    }

    fn visit_call_expression(&mut self, it: &CallExpression<'a>) {
        // The name of what is called is no property of the event; what stands before it may be.
        match &it.callee {
            Expression::StaticMemberExpression(callee) => self.visit_expression(&callee.object),
            callee => self.visit_expression(callee),
        }
        self.visit_arguments(&it.arguments);
    }

    fn visit_static_member_expression(&mut self, it: &StaticMemberExpression<'a>) {
        self.name(&it.property.name);
        walk::walk_static_member_expression(self, it);
    }

    fn visit_binding_property(&mut self, it: &BindingProperty<'a>) {
        if let Some(name) = it.key.static_name() {
            self.name(&name);
        }
        walk::walk_binding_property(self, it);
    }

    fn visit_ts_type(&mut self, _: &TSType<'a>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_script_are_found_in_all_its_files() {
        let mut source = Source::script(
            "action.ts",
            "const blocked: 'typed'[] = [`eve@${host}`, 'mallory'];
             export const onExecutePostLogin = async ({ user: { app_metadata } }: Event, api) => {
               if (app_metadata.plan === 'gold' && app_metadata['seats'] > 12.0) api.access.deny('');
             };",
        );
        if let SourceProgram::Script { modules, .. } = &mut source.program {
            modules.insert("lib/a.js".into(), "exports.limit = 1.5 + 0x10;".into());
            modules.insert("bad.js".into(), "(".into());
            modules.insert("data.json".into(), "{\"a\":1}".into());
        }
        let words = words(&source);
        let set = |words: &[&str]| -> BTreeSet<String> { words.iter().map(ToString::to_string).collect() };
        assert_eq!(words.texts, set(&["eve@", "gold", "mallory", "seats"]));
        assert_eq!(words.names, set(&["access", "app_metadata", "limit", "plan", "user"]));
        assert_eq!(words.numbers, BTreeSet::from([12, 16]));
        assert_eq!(super::words(&Source::component("a.wasm", vec![0])), Words::default());
    }
}
