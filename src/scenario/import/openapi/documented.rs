//! The operations of a document, with all that they take, as 2.0 and 3.x have them.

use serde_json::{Map, Value};

use super::document::{Document, own_base, path_of_base};
use crate::scenario::import::{LeftOut, LeftOutReason};

const METHODS: [&str; 8] = ["get", "head", "options", "post", "put", "patch", "delete", "trace"];

/// An operation as the document has it.
#[derive(Debug)]
pub(super) struct Documented<'a> {
    /// `GET /items/{id}`.
    pub name: String,
    /// In upper case.
    pub method: String,
    pub path: &'a str,
    /// What stands before the path.
    pub base: String,
    pub operation: &'a Map<String, Value>,
    pub parameters: Vec<DocumentedParameter<'a>>,
}

/// A parameter of an operation.
#[derive(Debug, Clone, Copy)]
pub(super) struct DocumentedParameter<'a> {
    pub name: &'a str,
    pub place: ParameterPlace,
    pub is_required: bool,
    /// All that is said of it: in 2.0 this is its schema as well.
    pub holder: &'a Value,
    pub schema: &'a Value,
    /// Its text is JSON.
    pub is_json: bool,
}

/// Where a parameter goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ParameterPlace {
    Path,
    Query,
    Header,
    Cookie,
    /// Of 2.0: the whole body.
    Body,
    /// Of 2.0: a field of a form.
    Form,
}

/// All operations, and those that are none. `base`: what their paths begin with, in place of what the document says.
pub(super) fn documented<'a>(document: &'a Document, base: Option<&str>) -> (Vec<Documented<'a>>, Vec<LeftOut>) {
    let (mut found, mut left_out) = (Vec::new(), Vec::new());
    let given = base.map(path_of_base);
    let of_document = document.base_path();
    for (path, item) in document.object(&["paths"]).into_iter().flatten() {
        if path.starts_with("x-") {
            continue;
        }
        let item = match document.resolve(item) {
            Ok(item) => item,
            Err(nowhere) => {
                left_out.push(LeftOut { name: path.clone(), reason: LeftOutReason::Reference(nowhere.0) });
                continue;
            }
        };
        for method in METHODS {
            let Some(operation) = item.get(method) else { continue };
            let name = format!("{} {path}", method.to_uppercase());
            let Value::Object(operation_keys) = operation else {
                let reason = LeftOutReason::Malformed("it is no table of keys".to_owned());
                left_out.push(LeftOut { name, reason });
                continue;
            };
            if method == "trace" {
                left_out.push(LeftOut { name, reason: LeftOutReason::Method("TRACE".to_owned()) });
                continue;
            }
            let parameters = match parameters(document, item, operation) {
                Ok(parameters) => parameters,
                Err(reference) => {
                    left_out.push(LeftOut { name, reason: LeftOutReason::Reference(reference) });
                    continue;
                }
            };
            let base = given.clone().or_else(|| own_base(operation)).or_else(|| own_base(item));
            let base = base.unwrap_or_else(|| of_document.clone());
            let method = method.to_uppercase();
            found.push(Documented { name, method, path, base, operation: operation_keys, parameters });
        }
    }
    (found, left_out)
}

/// Those of the path, replaced by those of the operation.
fn parameters<'a>(
    document: &'a Document,
    item: &'a Value,
    operation: &'a Value,
) -> Result<Vec<DocumentedParameter<'a>>, String> {
    let mut all: Vec<DocumentedParameter<'a>> = Vec::new();
    for holder in [item, operation] {
        for written in holder.get("parameters").and_then(Value::as_array).into_iter().flatten() {
            let resolved = match document.resolve(written) {
                Ok(resolved) => resolved,
                // One that nobody must give may be missing.
                Err(nowhere) => return Err(nowhere.0),
            };
            let Some(parameter) = parameter(resolved) else { continue };
            all.retain(|known| known.name != parameter.name || known.place != parameter.place);
            all.push(parameter);
        }
    }
    Ok(all)
}

fn parameter(holder: &Value) -> Option<DocumentedParameter<'_>> {
    let name = holder.get("name")?.as_str()?;
    let place = match holder.get("in")?.as_str()? {
        "path" => ParameterPlace::Path,
        "query" | "querystring" => ParameterPlace::Query,
        "header" => ParameterPlace::Header,
        "cookie" => ParameterPlace::Cookie,
        "body" => ParameterPlace::Body,
        "formData" => ParameterPlace::Form,
        _ => return None,
    };
    let is_required = place == ParameterPlace::Path || holder.get("required") == Some(&Value::Bool(true));
    let content = holder.get("content").and_then(Value::as_object).and_then(|content| content.iter().next());
    let of_content = content.and_then(|(_, media)| media.get("schema"));
    let is_json = content.is_some_and(|(media_type, _)| media_type.contains("json"));
    let schema = holder.get("schema").or(of_content).unwrap_or(holder);
    Some(DocumentedParameter { name, place, is_required, holder, schema, is_json })
}

impl<'a> Documented<'a> {
    /// The parameters of one place.
    pub fn at(&self, place: ParameterPlace) -> impl Iterator<Item = &DocumentedParameter<'a>> {
        self.parameters.iter().filter(move |parameter| parameter.place == place)
    }

    /// The names in braces of its path, in order.
    pub fn path_names(&self) -> Vec<&'a str> {
        names_in_braces(self.path)
    }

    /// What names it, besides its path.
    pub fn id(&self) -> &'a str {
        self.operation.get("operationId").and_then(Value::as_str).unwrap_or_default()
    }

    /// The schema of the JSON that a success is answered with.
    pub fn success(&self, document: &'a Document) -> Option<&'a Value> {
        let response = self.success_response(document)?;
        if document.is_swagger {
            return response.get("schema");
        }
        let content = response.get("content")?.as_object()?;
        let json = content.iter().find(|(media_type, _)| media_type.contains("json") || *media_type == "*/*");
        document.resolve(json?.1).ok()?.get("schema")
    }

    /// Whether a success names what it created in a header.
    pub fn has_location(&self, document: &'a Document) -> bool {
        let response = self.success_response(document);
        let headers = response.and_then(|response| response.get("headers")).and_then(Value::as_object);
        headers.is_some_and(|headers| headers.keys().any(|name| name.eq_ignore_ascii_case("location")))
    }

    fn success_response(&self, document: &'a Document) -> Option<&'a Value> {
        let responses = self.operation.get("responses")?.as_object()?;
        let of = |code: &str| responses.get(code).and_then(|response| document.resolve(response).ok());
        let has_body = |response: &&Value| response.get("content").is_some() || response.get("schema").is_some();
        let codes = ["200", "201", "202", "203", "2XX", "2xx", "default"];
        codes.iter().filter_map(|code| of(code)).find(has_body).or_else(|| of("201"))
    }
}

/// `id` of `/items/{id}/`.
pub(super) fn names_in_braces(path: &str) -> Vec<&str> {
    let parts = path.split('{').skip(1);
    parts.filter_map(|part| part.split_once('}')).map(|(name, _)| name.trim_end_matches('*')).collect()
}
