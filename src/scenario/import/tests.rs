//! Small documents with the peculiarities of real ones.

use super::*;

mod any_bytes;
mod har;
mod logs;
mod openapi;
mod postman;
mod written;

pub(super) fn taken(text: &str) -> Imported {
    import(text.as_bytes(), None).unwrap()
}

/// The names of what was taken.
pub(super) fn names(imported: &Imported) -> Vec<&str> {
    imported.operations.iter().map(|operation| operation.name.as_str()).collect()
}

/// `POST /x: reason` of what was not.
pub(super) fn left_out(imported: &Imported) -> Vec<String> {
    imported.left_out.iter().map(|left_out| format!("{}: {}", left_out.name, left_out.reason)).collect()
}

/// An operation as its request line and its body.
pub(super) fn shown(operation: &Operation) -> String {
    shown_request(&operation.request)
}

pub(super) fn shown_request(request: &RequestSpec) -> String {
    let body = request.content().map(|body| format!(" {body}")).unwrap_or_default();
    // As it is sent, but for the holes.
    format!("{} {}{body}", request.method, request.target()).replace("{{", "{").replace("}}", "}")
}

/// `name: where` of what a response gives.
pub(super) fn captures(operation: &Operation) -> Vec<String> {
    operation.captures.iter().map(|capture| format!("{}: {}", capture.name, capture.from)).collect()
}
