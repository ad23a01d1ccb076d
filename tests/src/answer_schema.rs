//! Whether what the Management API answers is what its OpenAPI document says.
//!
//! The published document leaves objects open, so that programs made from it read what a later version answers. Here they are closed: a
//! member that the document does not have is an error.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Registry, ValidationError, Validator};
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::Response;

const DOCUMENT: &str = "urn:postern:management-api";

/// The operations of the document and the schemas that they name.
struct Document {
    operations: Vec<Operation>,
    registry: Registry<'static>,
}

struct Operation {
    method: String,
    /// The route's segments; a parameter is `None`.
    route: Vec<Option<String>>,
    /// By status.
    answers: BTreeMap<String, Answer>,
}

struct Answer {
    /// `None`: there is no body.
    schema: Option<Value>,
    validator: OnceLock<Validator>,
}

/// Fails when the operation that was called does not answer so.
#[track_caller]
pub fn check(method: &Method, path: &str, response: &Response) {
    static KNOWN: OnceLock<Document> = OnceLock::new();
    let document = KNOWN.get_or_init(Document::read);
    let Some(operation) = document.find(method, path) else { return };
    let status = response.status.to_string();
    let answer = operation.answers.get(&status).or_else(|| operation.answers.get("default"));
    let is_success = response.status < 300;
    assert!(
        !is_success || operation.answers.contains_key(&status),
        "{method} {path}: {status} is not described"
    );
    let answer = answer.unwrap();
    let Some(schema) = &answer.schema else {
        // That all others have one is a test of its own.
        let is_empty = response.body.is_empty() || ![202, 204].contains(&response.status);
        assert!(is_empty, "{method} {path} answers {status} with a body: {response:?}");
        return;
    };
    let validator = answer.validator.get_or_init(|| document.compile(schema));
    let body: Value = serde_json::from_str(&response.body)
        .unwrap_or_else(|error| panic!("{method} {path}: {error}: {response:?}"));
    let mut errors = Vec::new();
    validator.iter_errors(&body).for_each(|error| explain(&error, &mut errors));
    let errors = errors.join("\n");
    assert!(
        errors.is_empty(),
        "{method} {path} answers {status} as its schema does not say:\n{errors}\n{body:#}"
    );
}

/// Where an answer does not fit, and why not. Where one of several schemas would do, why none of them does.
fn explain(error: &ValidationError, errors: &mut Vec<String>) {
    match error.kind() {
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            context.iter().flatten().for_each(|error| explain(error, errors));
        }
        _ => errors.push(format!("{}: {}", error.instance_path(), error.masked())),
    }
}

impl Document {
    fn read() -> Self {
        let document = serde_json::to_value(web::openapi()).unwrap();
        let mut schemas = Map::new();
        for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
            schemas.insert(name.clone(), closed(schema));
            schemas.insert(open_name(name), part_of_all(schema));
        }
        let schemas = json!({ "components": { "schemas": schemas } });
        let registry = Registry::new().add(DOCUMENT, schemas).unwrap().prepare().unwrap();
        let mut operations = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                operations.push(Operation::read(method, path, operation));
            }
        }
        // What is written out goes before what stands for anything.
        operations.sort_by_key(|operation| operation.route.iter().map(Option::is_none).collect::<Vec<_>>());
        Self { operations, registry }
    }

    fn find(&self, method: &Method, path: &str) -> Option<&Operation> {
        let path = path.split('?').next().unwrap_or_default();
        let segments: Vec<_> = path.split('/').skip(1).collect();
        self.operations.iter().find(|operation| {
            let mut pairs = operation.route.iter().zip(&segments);
            operation.method == method.as_str()
                && operation.route.len() == segments.len()
                && pairs.all(|(known, segment)| known.as_ref().is_none_or(|known| known == segment))
        })
    }

    fn compile(&self, schema: &Value) -> Validator {
        let options =
            jsonschema::draft202012::options().should_validate_formats(true).with_registry(&self.registry);
        options.build(schema).unwrap_or_else(|error| panic!("{error}: {schema:#}"))
    }
}

impl Operation {
    fn read(method: &str, path: &str, operation: &Value) -> Self {
        let route = path.strip_prefix("/api/v2/").unwrap().split('/');
        let answer = |response: &Value| {
            let schema = response["content"]["application/json"].get("schema");
            Answer { schema: schema.map(closed), validator: OnceLock::new() }
        };
        let responses = operation["responses"].as_object().unwrap();
        Self {
            method: method.to_ascii_uppercase(),
            route: route.map(|part| (!part.starts_with('{')).then(|| part.to_owned())).collect(),
            answers: responses.iter().map(|(status, response)| (status.clone(), answer(response))).collect(),
        }
    }
}

/// A schema in which each object has no members but those that are described.
fn closed(schema: &Value) -> Value {
    rewritten(schema, true)
}

/// The same where it is one of several that an object has to fit: the others may have members of their own.
fn part_of_all(schema: &Value) -> Value {
    rewritten(schema, false)
}

fn rewritten(schema: &Value, is_whole: bool) -> Value {
    let Value::Object(schema) = schema else { return schema.clone() };
    let mut object: Map<_, _> = schema
        .iter()
        .map(|(name, value)| {
            let value = match name.as_str() {
                "$ref" => reference(value.as_str().unwrap(), is_whole),
                "allOf" => each(value, part_of_all),
                "oneOf" | "anyOf" => each(value, |part| rewritten(part, is_whole)),
                "properties" => {
                    let members = value.as_object().unwrap();
                    members.iter().map(|(name, member)| (name.clone(), closed(member))).collect()
                }
                "items" | "additionalProperties" => closed(value),
                _ => value.clone(),
            };
            (name.clone(), value)
        })
        .collect();
    let is_described = object.contains_key("properties") && !object.contains_key("additionalProperties");
    if is_whole && object.contains_key("allOf") {
        object.insert("unevaluatedProperties".to_owned(), json!(false));
    } else if is_whole && is_described {
        object.insert("additionalProperties".to_owned(), json!(false));
    }
    Value::Object(object)
}

fn each(list: &Value, rewrite: impl Fn(&Value) -> Value) -> Value {
    list.as_array().unwrap().iter().map(rewrite).collect()
}

fn reference(reference: &str, is_whole: bool) -> Value {
    let name = reference.strip_prefix("#/components/schemas/").unwrap();
    let name = if is_whole { name.to_owned() } else { open_name(name) };
    json!(format!("{DOCUMENT}#/components/schemas/{name}"))
}

fn open_name(name: &str) -> String {
    format!("{name}.open")
}
