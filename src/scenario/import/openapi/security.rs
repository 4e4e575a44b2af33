//! What a document says of who may ask: which operations want to know, and where they expect it.

use serde_json::{Map, Value};

use super::document::Document;
use crate::scenario::import::CredentialPlace;
use crate::scenario::import::made::around;
use crate::scenario::template::Placeholder;

/// Whether an operation wants to know who asks; one that also answers strangers does not.
pub(super) fn is_secured(document: &Document, operation: &Map<String, Value>) -> bool {
    let written = operation.get("security").or_else(|| document.root.get("security")).and_then(Value::as_array);
    let is_none = |requirement: &Value| requirement.as_object().is_none_or(Map::is_empty);
    written.is_some_and(|requirements| !requirements.is_empty() && !requirements.iter().any(is_none))
}

/// Where the credentials go, each place once.
pub(super) fn places(document: &Document) -> Vec<CredentialPlace> {
    let mut places = Vec::new();
    for (_, scheme) in document.object(schemes(document)).into_iter().flatten() {
        let place = document.resolve(scheme).ok().and_then(place);
        places.extend(place.filter(|place| !places.contains(place)));
    }
    places
}

/// Whether a path is where a flow of OAuth 2.0 gives tokens for a password: `tokenUrl`, which may be relative.
pub(super) fn gives_tokens(document: &Document, path: &str) -> bool {
    let mut schemes = document.object(schemes(document)).into_iter().flatten();
    schemes.any(|(_, scheme)| {
        let scheme = document.resolve(scheme).unwrap_or(scheme);
        let of_swagger = scheme.get("flow").is_some_and(|flow| flow == "password").then_some(scheme);
        let flow = scheme.pointer("/flows/password").or(of_swagger);
        let url = flow.and_then(|flow| flow.get("tokenUrl")).and_then(Value::as_str).unwrap_or_default();
        let (url, path) = (url.trim_matches('/'), path.trim_matches('/'));
        !url.is_empty() && !path.is_empty() && (url == path || url.ends_with(&format!("/{path}")))
    })
}

fn schemes(document: &Document) -> &'static [&'static str] {
    if document.is_swagger { &["securityDefinitions"] } else { &["components", "securitySchemes"] }
}

fn place(scheme: &Value) -> Option<CredentialPlace> {
    let text = |key: &str| scheme.get(key).and_then(Value::as_str).unwrap_or_default();
    let header =
        |name: &str, before: &str| CredentialPlace::Header(name.to_lowercase(), around(before, Placeholder::Token, ""));
    match text("type").to_lowercase().as_str() {
        "http" if text("scheme").eq_ignore_ascii_case("bearer") => Some(header("authorization", "Bearer ")),
        "oauth2" | "openidconnect" => Some(header("authorization", "Bearer ")),
        "apikey" => {
            let name = text("name");
            match text("in") {
                "header" if name.eq_ignore_ascii_case("authorization") => {
                    Some(header(name, scheme_in(text("description"))))
                }
                "header" => Some(header(name, "")),
                "query" => Some(CredentialPlace::Query(name.to_owned())),
                "cookie" => Some(CredentialPlace::Cookie(name.to_owned())),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The word before the token, as people describe it: "prefix with Token", "Bearer {token}".
fn scheme_in(description: &str) -> &'static str {
    let lower = description.to_lowercase();
    if lower.contains("bearer") {
        "Bearer "
    } else if description.contains("\"Token ") || description.contains("`Token ") || lower.contains("token xxx") {
        "Token "
    } else {
        "Bearer "
    }
}
