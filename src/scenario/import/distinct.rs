//! Requests that are recorded again, and names that no two have.

use super::Operation;
use crate::scenario::request::BodySpec;

/// The path of a target.
pub(super) fn path_of(target: &str) -> String {
    target.split('?').next().unwrap_or_default().to_owned()
}

/// What makes two requests the same: method, path, the names in query and body, and the captures in them.
pub(super) fn recognised(operation: &Operation) -> String {
    let request = operation.request_with(&|_| false);
    let query: Vec<&str> = request.query.iter().map(|query| query.name.as_deref().unwrap_or_default()).collect();
    let body = match &request.body {
        Some(BodySpec::Json(json)) => {
            json.leaves().iter().map(|(steps, _)| json.path(steps)).collect::<Vec<_>>().join("&")
        }
        Some(BodySpec::Form(fields)) => fields.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join("&"),
        Some(BodySpec::Text(text)) => text.to_string(),
        None => String::new(),
    };
    format!("{} {}?{} {body}", request.method, request.path, query.join("&"))
}

/// `GET /items`, or `GET /items (2)` where another has this name.
pub(super) fn free_operation_name(operations: &[Operation], name: String) -> String {
    let is_taken = |name: &str| operations.iter().any(|operation| operation.name == name);
    let numbered = (2..).map(|number| format!("{name} ({number})"));
    std::iter::once(name.clone()).chain(numbered).find(|name| !is_taken(name)).unwrap_or(name)
}
