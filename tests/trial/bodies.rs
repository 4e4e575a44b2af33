//! Bodies that are made for schemas, validated against them.

use jsonschema::Draft;
use runner::canary::CanaryShape;
use runner::scenario::Template;
use runner::scenario::import::{Imported, LeftOutReason, Operation, import};
use runner::scenario::template::Placeholder;
use serde_json::{Value, json};

/// A text with canaries in it, as it could be sent.
pub fn filled(template: &Template) -> String {
    let mut out = Vec::new();
    template.fill(
        &mut |hole, out| {
            out.extend_from_slice(match hole {
                Placeholder::CanaryAs(CanaryShape::Uuid) => b"709a1b2c-3d4e-4f5a-8b6c-7d8e9fa0b1c2".as_slice(),
                Placeholder::CanaryAs(CanaryShape::Digits) => b"70948132605917384620517394",
                hole if hole.is_canary() => b"zq7d3m0k9x2c8v5b1n4ah",
                _ => b"1",
            });
        },
        &mut out,
    );
    String::from_utf8(out).unwrap()
}

/// The document with what only OpenAPI knows said as JSON Schema says it.
fn as_json_schema(document: &Value) -> Value {
    let is_read_only = |schema: &Value| {
        let target = schema.get("$ref").and_then(Value::as_str).and_then(|to| document.pointer(to.strip_prefix('#')?));
        [Some(schema), target].into_iter().flatten().any(|schema| schema.get("readOnly") == Some(&json!(true)))
    };
    translated(document, &is_read_only)
}

fn translated(value: &Value, is_read_only: &dyn Fn(&Value) -> bool) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| translated(item, is_read_only)).collect(),
        Value::Object(fields) => {
            let mut changed: serde_json::Map<String, Value> =
                fields.iter().map(|(name, item)| (name.clone(), translated(item, is_read_only))).collect();
            if let (Some(Value::Array(required)), Some(properties)) = (fields.get("required"), fields.get("properties"))
            {
                let kept = required
                    .iter()
                    .filter(|name| !name.as_str().and_then(|name| properties.get(name)).is_some_and(is_read_only));
                let kept: Vec<Value> = kept.cloned().collect();
                changed.remove("required");
                if !kept.is_empty() {
                    changed.insert("required".to_owned(), Value::Array(kept));
                }
            }
            if fields.get("nullable") == Some(&json!(true)) {
                if let Some(Value::String(kind)) = fields.get("type") {
                    changed.insert("type".to_owned(), json!([kind, "null"]));
                }
                if let Some(Value::Array(values)) = changed.get_mut("enum") {
                    values.push(Value::Null);
                }
            }
            if let Some(to) = fields.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix('#')) {
                changed.insert("$ref".to_owned(), json!(format!("#{}", as_uri(&to.replace("%20", " ")))));
            }
            // What Rust's patterns know and those of JavaScript do not.
            if fields.get("pattern").and_then(Value::as_str).is_some_and(|pattern| pattern.contains("\\pL")) {
                changed.remove("pattern");
            }
            if fields.get("type") == Some(&json!("file")) {
                changed.insert("type".to_owned(), json!("string"));
            }
            // A discriminator says which one holds, also where others would.
            if fields.contains_key("discriminator") && fields.contains_key("oneOf") {
                let alternatives = changed.remove("oneOf");
                changed.insert("anyOf".to_owned(), alternatives.unwrap_or_default());
            }
            Value::Object(changed)
        }
        plain => plain.clone(),
    }
}

/// A pointer as a URI's fragment.
fn as_uri(pointer: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/~-._!$&'()*+,;=:@?".contains(&byte);
    let written = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    pointer.bytes().map(written).collect()
}

/// Where the schema of an operation's JSON body stands, as a pointer.
fn schema_of(document: &Value, operation: &Operation) -> Option<String> {
    let (method, path) = operation.name.split_once(' ')?;
    let escape = |text: &str| text.replace('~', "~0").replace('/', "~1");
    let mut at = format!("/paths/{}/{}", escape(path), method.to_lowercase());
    if document.get("swagger").is_some() {
        let parameters = document.pointer(&format!("{at}/parameters"))?.as_array()?;
        let index = parameters.iter().position(|parameter| parameter.get("in") == Some(&json!("body")))?;
        return Some(format!("{at}/parameters/{index}/schema"));
    }
    at.push_str("/requestBody");
    if let Some(to) = document.pointer(&format!("{at}/$ref")).and_then(Value::as_str) {
        at = to.strip_prefix('#')?.to_owned();
    }
    let content = document.pointer(&format!("{at}/content"))?.as_object()?;
    let json = content
        .keys()
        .find(|key| *key == "application/json")
        .or_else(|| content.keys().find(|key| key.contains("json")))?;
    Some(format!("{at}/content/{}/schema", escape(json)))
}

/// What is wrong with the bodies of a document; how many were looked at.
pub fn faults(document: &Value, imported: &Imported) -> (usize, Vec<String>) {
    let plain = as_json_schema(document);
    let is_new = document.get("openapi").and_then(Value::as_str).is_some_and(|version| version.starts_with("3.1"));
    let draft = if is_new { Draft::Draft202012 } else { Draft::Draft4 };
    let (mut looked_at, mut found) = (0, Vec::new());
    for operation in &imported.operations {
        let Some(runner::scenario::request::BodySpec::Json(_)) = &operation.request.body else { continue };
        let Some(pointer) = schema_of(&plain, operation) else { continue };
        if plain.pointer(&pointer).is_none() {
            continue;
        }
        let mut schema = plain.clone();
        schema["$ref"] = json!(format!("#{}", as_uri(&pointer)));
        let validator = match jsonschema::options().with_draft(draft).build(&schema) {
            Ok(validator) => validator,
            Err(error) => {
                // The document's own fault: a validator takes only what is a schema to the letter.
                let error: String = error.to_string().chars().take(120).collect();
                println!("    no schema: {}: {error}", operation.name);
                continue;
            }
        };
        for (kind, request) in [("with", operation.request.clone()), ("without", operation.request_with(&|_| false))] {
            let body = filled(&request.content().unwrap_or_default());
            let value: Value = serde_json::from_str(&body).unwrap();
            looked_at += 1;
            if let Err(error) = validator.validate(&value) {
                let text = format!("{} ({kind} canaries): {error} in {body}", operation.name);
                found.push(text.chars().take(400).collect());
            }
        }
    }
    (looked_at, found)
}

fn document(schema: Value, schemas: Value) -> Value {
    json!({
        "openapi": "3.1.0",
        "paths": { "/things": { "post": { "requestBody": { "required": true, "content": { "application/json": { "schema": schema } } } } } },
        "components": { "schemas": schemas }
    })
}

fn imported(document: &Value) -> Imported {
    import(document.to_string().as_bytes(), None).unwrap()
}

#[test]
fn what_is_made_for_a_schema_validates() {
    let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let schemas = json!({
        "Node": { "type": "object", "required": ["name", "children"], "properties": {
            "name": { "type": "string" }, "children": { "type": "array", "items": reference("Node") },
            "parent": reference("Node") } },
        "Filter": { "anyOf": [
            { "type": "object", "required": ["must"], "properties": { "must": reference("Filter") } },
            { "type": "object", "required": ["key"], "properties": { "key": { "type": "string", "minLength": 30 } } }] },
        "Cat": { "type": "object", "required": ["kind", "lives"], "properties": { "kind": { "type": "string" }, "lives": { "type": "integer", "minimum": 9, "maximum": 9 } } },
        "Dog": { "type": "object", "required": ["kind"], "properties": { "kind": { "type": "string" }, "bark": { "type": "string" } } },
        "Base": { "type": "object", "required": ["id"], "properties": { "id": { "type": "string", "format": "uuid" } } },
        "Either": { "oneOf": [{ "type": "string", "maxLength": 3 }, { "type": "string", "minLength": 4 }, { "type": "null" }] }
    });
    for schema in [
        reference("Node"),
        reference("Filter"),
        json!({ "oneOf": [reference("Cat"), reference("Dog")],
            "discriminator": { "propertyName": "kind", "mapping": { "cat": "#/components/schemas/Cat", "dog": "#/components/schemas/Dog" } } }),
        json!({ "allOf": [reference("Base"), { "type": "object", "required": ["n"], "properties": { "n": { "type": "number", "exclusiveMinimum": 0, "multipleOf": 0.25 } } }] }),
        json!({ "type": "object", "required": ["e"], "properties": { "e": reference("Either") } }),
        json!({ "type": "object", "minProperties": 2, "properties": { "a": { "type": "integer" }, "b": { "type": "boolean" } } }),
        json!({ "type": "object", "additionalProperties": false, "required": ["p"], "properties": { "p": { "type": "string", "pattern": "^[A-Z]{2}-\\d{4}$" } } }),
        json!({ "type": "array", "minItems": 3, "uniqueItems": true, "items": { "type": "string", "enum": ["a", "b", "c"] } }),
        json!({ "type": "array", "minItems": 2, "uniqueItems": true, "items": { "type": "string" } }),
        json!({ "type": ["object", "null"], "properties": { "tags": { "type": "array", "items": { "type": "string" } } }, "required": ["tags"] }),
        json!({ "type": "object", "required": ["email", "url", "day", "at", "short"], "properties": {
            "email": { "type": "string", "format": "email" }, "url": { "type": "string", "format": "uri" },
            "day": { "type": "string", "format": "date" }, "at": { "type": "string", "format": "date-time" },
            "short": { "type": "string", "maxLength": 5 } } }),
        json!({ "type": "array", "prefixItems": [{ "type": "string" }, { "type": "integer" }], "minItems": 2, "maxItems": 2 }),
        json!({ "type": "object", "required": ["x"], "properties": { "x": { "allOf": [{ "enum": ["a", "b"] }, { "enum": ["b", "c"] }] } } }),
        json!(true),
        json!({ "anyOf": [{ "required": ["a"] }, { "required": ["b"] }], "properties": { "a": { "type": "integer" }, "b": { "type": "string" } } }),
    ] {
        let document = document(schema.clone(), schemas.clone());
        let imported = imported(&document);
        assert_eq!(imported.left_out, [], "{schema}");
        let (looked_at, faults) = faults(&document, &imported);
        assert_eq!((looked_at, faults), (2, Vec::new()), "{schema}");
    }
}

#[test]
fn what_no_finite_value_fits_cannot_be_made() {
    let reference = json!({ "$ref": "#/components/schemas/A" });
    for schemas in [
        json!({ "A": { "type": "object", "required": ["a"], "properties": { "a": { "$ref": "#/components/schemas/A" } } } }),
        json!({ "A": { "type": "array", "minItems": 1, "items": { "$ref": "#/components/schemas/A" } } }),
        json!({ "A": { "$ref": "#/components/schemas/A" } }),
        json!({ "A": false }),
        json!({ "A": { "allOf": [{ "required": ["a"] }, { "properties": { "a": { "$ref": "#/components/schemas/A" } } }] } }),
        json!({ "A": { "type": "object", "required": ["b"], "properties": { "b": { "oneOf": [{ "$ref": "#/components/schemas/A" }] } } } }),
    ] {
        let imported = imported(&document(reference.clone(), schemas.clone()));
        let [left_out] = imported.left_out.as_slice() else { panic!("{schemas}: {:?}", imported.operations) };
        assert!(matches!(left_out.reason, LeftOutReason::CannotBeMade(_)), "{left_out:?}");
    }
}
