//! What a component imports and exports, compared with the package `wit/`: the powers that it asks for, and in plain words
//! what does not fit.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use wasmparser::{ComponentTypeRef, Parser, Payload};
use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{Function, FunctionKind, Resolve, Type, TypeDefKind, WorldItem, WorldKey};

/// The package, as authors get it.
pub const WIT: &str = include_str!("../../../wit/post-login.wit");
/// The package, without its version.
const PACKAGE: &str = "postern:actions/";
/// The world with all exports.
const WORLD: &str = "post-login-continue";

static KNOWN: LazyLock<Result<Known, String>> =
    LazyLock::new(|| Known::read().map_err(|error| format!("{error:#}")));

/// An interface that a component imports: something that it may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Power {
    /// Its name in the package, as `session`.
    pub interface: String,
    /// What the package says of it.
    pub about: String,
    /// Which of its functions are imported.
    pub functions: Vec<String>,
}

/// The package, parsed.
struct Known {
    version: String,
    interfaces: BTreeMap<String, Interface>,
    exports: BTreeMap<String, Signature>,
}

struct Interface {
    about: String,
    functions: BTreeMap<String, Signature>,
}

/// The type of a function, with every name of a type written out.
#[derive(Debug, Clone)]
struct Signature {
    parameters: Vec<(String, String)>,
    result: Option<String>,
}

impl Signature {
    fn of(resolve: &Resolve, function: &Function) -> Self {
        let parameters =
            function.params.iter().map(|parameter| (parameter.name.clone(), written(resolve, parameter.ty)));
        Self {
            parameters: parameters.collect(),
            result: function.result.map(|result| written(resolve, result)),
        }
    }

    /// Names of parameters are for people.
    fn fits(&self, other: &Self) -> bool {
        let types = |signature: &Self| -> Vec<String> {
            signature.parameters.iter().map(|(_, kind)| kind.clone()).collect()
        };
        types(self) == types(other) && self.result == other.result
    }
}

impl std::fmt::Display for Signature {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parameters: Vec<String> =
            self.parameters.iter().map(|(name, kind)| format!("{name}: {kind}")).collect();
        write!(formatter, "func({})", parameters.join(", "))?;
        self.result.as_ref().map_or(Ok(()), |result| write!(formatter, " -> {result}"))
    }
}

impl Known {
    fn read() -> anyhow::Result<Self> {
        let mut resolve = Resolve::default();
        let package = resolve.push_str("post-login.wit", WIT)?;
        let world = resolve.select_world(&[package], Some(WORLD))?;
        let version = resolve.packages[package].name.version.as_ref().map(ToString::to_string);
        let mut interfaces = BTreeMap::new();
        for (name, id) in &resolve.packages[package].interfaces {
            let interface = &resolve.interfaces[*id];
            let functions = interface.functions.iter();
            let functions =
                functions.map(|(name, function)| (name.clone(), Signature::of(&resolve, function)));
            let about = interface.docs.contents.clone().unwrap_or_default();
            let about = about.split(['.', '\n']).next().unwrap_or_default().to_owned();
            interfaces.insert(name.clone(), Interface { about, functions: functions.collect() });
        }
        let exports = resolve.worlds[world].exports.iter().filter_map(|(key, item)| match (key, item) {
            (WorldKey::Name(name), WorldItem::Function(function)) => {
                Some((name.clone(), Signature::of(&resolve, function)))
            }
            _ => None,
        });
        let exports = exports.collect();
        Ok(Self { version: version.unwrap_or_default(), interfaces, exports })
    }
}

/// The powers of a valid component.
///
/// # Errors
/// What is missing, unknown or of another type, for its author.
pub(crate) fn check(bytes: &[u8]) -> Result<Vec<Power>, String> {
    let known = KNOWN.as_ref().map_err(String::clone)?;
    imports_are_ours(bytes)?;
    let decoded =
        decode(bytes).map_err(|error| format!("its imports and exports are those of no world: {error:#}"))?;
    let DecodedWasm::Component(resolve, world) = decoded else {
        return Err("a WIT package; a component is needed".into());
    };
    let world = &resolve.worlds[world];
    let mut powers = Vec::new();
    for (key, item) in &world.imports {
        let name = resolve.name_world_key(key);
        let WorldItem::Interface { id, .. } = item else { return Err(foreign(&name)) };
        let functions = resolve.interfaces[*id].functions.values();
        powers.push(known.power(&resolve, &name, functions)?);
    }
    known.exports_fit(&resolve, &world.exports.iter().collect::<Vec<_>>())?;
    powers.sort_by(|a, b| a.interface.cmp(&b.interface));
    Ok(powers)
}

/// What the outermost component imports: interfaces of the package, and nothing else.
fn imports_are_ours(bytes: &[u8]) -> Result<(), String> {
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(|error| format!("not a valid component: {error}"))? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(imports) if depth == 0 => {
                for import in imports {
                    let import = import.map_err(|error| format!("not a valid component: {error}"))?;
                    let name = import.name.name;
                    if !name.starts_with(PACKAGE) {
                        return Err(foreign(name));
                    }
                    if !matches!(import.ty, ComponentTypeRef::Instance(_)) {
                        return Err(format!("it imports `{name}`, but not as an interface"));
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn foreign(import: &str) -> String {
    let hint = if import.starts_with("wasi:") {
        " (build it without WASI: for wasm32-unknown-unknown, or with `componentize-py --stub-wasi`)"
    } else {
        ""
    };
    format!("it imports `{import}`; an Action can only import {PACKAGE}*{hint}")
}

impl Known {
    fn power<'a>(
        &self,
        resolve: &Resolve,
        import: &str,
        functions: impl Iterator<Item = &'a Function>,
    ) -> Result<Power, String> {
        let local = import.strip_prefix(PACKAGE).unwrap_or(import);
        let (name, version) = local.split_once('@').unwrap_or((local, ""));
        let major_minor = |version: &str| version.split('.').take(2).map(str::to_owned).collect::<Vec<_>>();
        if major_minor(version) != major_minor(&self.version) {
            return Err(format!("it imports `{import}`; this server has version {}", self.version));
        }
        let Some(interface) = self.interfaces.get(name) else {
            return Err(format!(
                "it imports `{import}`, which is unknown; there are {}",
                list(self.interfaces.keys())
            ));
        };
        let mut imported = Vec::new();
        for function in functions {
            let Some(signature) = interface.functions.get(&function.name) else {
                return Err(format!(
                    "it imports `{}` of `{import}`, which is unknown; there are {}",
                    function.name,
                    list(interface.functions.keys())
                ));
            };
            let theirs = Signature::of(resolve, function);
            if !is_plain(function) || !theirs.fits(signature) {
                return Err(format!(
                    "it imports `{}` of `{import}` with another type: it has `{theirs}`, and it is `{signature}`",
                    function.name
                ));
            }
            imported.push(function.name.clone());
        }
        Ok(Power { interface: name.to_owned(), about: interface.about.clone(), functions: imported })
    }

    fn exports_fit(&self, resolve: &Resolve, exports: &[(&WorldKey, &WorldItem)]) -> Result<(), String> {
        for (name, signature) in &self.exports {
            let found = exports.iter().find(|(key, _)| resolve.name_world_key(key) == *name);
            match found {
                Some((_, WorldItem::Function(function))) => {
                    let theirs = Signature::of(resolve, function);
                    if !is_plain(function) || !theirs.fits(signature) {
                        return Err(format!(
                            "its export `{name}` has another type: it is `{theirs}`, and must be `{signature}`"
                        ));
                    }
                }
                Some(_) => {
                    return Err(format!("its export `{name}` is no function: it must be `{signature}`"));
                }
                None if name == action_api::Handler::Execute.component_export() => {
                    let others = exports.iter().map(|(key, _)| resolve.name_world_key(key));
                    let others: Vec<String> = others.collect();
                    let instead = match others.is_empty() {
                        true => "it exports nothing".to_owned(),
                        false => format!("it exports {}", list(others.iter())),
                    };
                    return Err(format!("it does not export `{name}: {signature}`; {instead}"));
                }
                None => {}
            }
        }
        Ok(())
    }
}

/// No method, and not asynchronous.
fn is_plain(function: &Function) -> bool {
    matches!(function.kind, FunctionKind::Freestanding)
}

fn list(names: impl Iterator<Item = impl AsRef<str>>) -> String {
    names.map(|name| format!("`{}`", name.as_ref())).collect::<Vec<_>>().join(", ")
}

/// Bytes of a type as it is written. Types may be within types, so one that is small may be written as a long text; none of
/// the package's is as long as that.
const MAX_WRITTEN: usize = 2_000;

/// A type as WIT writes it, with its names resolved.
fn written(resolve: &Resolve, kind: Type) -> String {
    let mut text = String::new();
    write_type(resolve, kind, &mut text);
    text
}

fn write_type(resolve: &Resolve, kind: Type, to: &mut String) {
    if to.len() > MAX_WRITTEN {
        return;
    }
    let id = match kind {
        Type::Id(id) => id,
        plain => return to.push_str(name_of(plain)),
    };
    let list =
        |before: &str, kinds: &mut dyn Iterator<Item = (Option<&str>, Option<Type>)>, to: &mut String| {
            to.push_str(before);
            for (index, (name, kind)) in kinds.enumerate() {
                if to.len() > MAX_WRITTEN {
                    return;
                }
                to.push_str(if index > 0 { ", " } else { "" });
                to.push_str(name.unwrap_or_default());
                to.push_str(if name.is_some() && kind.is_some() { ": " } else { "" });
                match kind {
                    Some(kind) => write_type(resolve, kind, to),
                    None if name.is_none() => to.push('_'),
                    None => {}
                }
            }
            to.push_str(if before.ends_with('<') { ">" } else { " }" });
        };
    match &resolve.types[id].kind {
        TypeDefKind::Type(kind) => write_type(resolve, *kind, to),
        TypeDefKind::List(kind) => list("list<", &mut [(None, Some(*kind))].into_iter(), to),
        TypeDefKind::Option(kind) => list("option<", &mut [(None, Some(*kind))].into_iter(), to),
        TypeDefKind::Result(result) => {
            list("result<", &mut [result.ok, result.err].map(|kind| (None, kind)).into_iter(), to);
        }
        TypeDefKind::Tuple(tuple) => {
            list("tuple<", &mut tuple.types.iter().map(|kind| (None, Some(*kind))), to);
        }
        TypeDefKind::Record(record) => {
            let mut fields = record.fields.iter().map(|field| (Some(field.name.as_str()), Some(field.ty)));
            list("record { ", &mut fields, to);
        }
        TypeDefKind::Enum(words) => {
            list("enum { ", &mut words.cases.iter().map(|case| (Some(case.name.as_str()), None)), to);
        }
        TypeDefKind::Variant(variant) => {
            list("variant { ", &mut variant.cases.iter().map(|case| (Some(case.name.as_str()), case.ty)), to);
        }
        // None of the package's functions has one.
        other => to.push_str(other.as_str()),
    }
}

fn name_of(plain: Type) -> &'static str {
    match plain {
        Type::Bool => "bool",
        Type::U8 => "u8",
        Type::U16 => "u16",
        Type::U32 => "u32",
        Type::U64 => "u64",
        Type::S8 => "s8",
        Type::S16 => "s16",
        Type::S32 => "s32",
        Type::S64 => "s64",
        Type::F32 => "f32",
        Type::F64 => "f64",
        Type::Char => "char",
        Type::String => "string",
        Type::ErrorContext => "error-context",
        Type::Id(_) => "",
    }
}
