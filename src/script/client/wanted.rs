//! What `request` returns: the parts of a request that differ from the scenario's own, checked and encoded.

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use rhai::{Blob, Dynamic, Map};

use crate::script::json;
use crate::script::respond::is_token;
use crate::script::type_names::plain_type;

const KEYS: [&str; 8] = ["method", "path", "query", "headers", "cookies", "json", "form", "body"];

/// What forms leave as it is; a space becomes `%20`, which every decoder of forms knows.
pub const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*');

/// What would end a request's path, or its line.
const OUTSIDE_PATHS: &AsciiSet = &CONTROLS.add(b' ').add(b'#');

/// Headers that frame a request on its connection: runner's to write.
const OURS: [&str; 2] = ["content-length", "transfer-encoding"];

/// The parts of a request that a script gives; the scenario's own request gives the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserRequest {
    /// Upper case.
    pub method: Option<String>,
    /// Begins with `/`; holds nothing that would end it.
    pub path: Option<String>,
    /// Encoded, without the `?`; it comes after that of the path.
    pub query: Option<String>,
    /// Names in lower case. `None` takes a header of the scenario away.
    pub headers: Vec<(String, Option<String>)>,
    pub body: Option<UserBody>,
}

/// The body of a request that a script wants sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserBody {
    pub bytes: Vec<u8>,
    /// Unless the headers name another.
    pub content_type: Option<&'static str>,
}

pub(super) fn from_value(value: Dynamic) -> Result<UserRequest, String> {
    if value.is_unit() {
        return Ok(UserRequest::default());
    }
    let kind = plain_type(value.type_name()).to_owned();
    let Some(map) = value.try_cast::<Map>() else {
        return Err(format!("a {kind} is not a request: return a map, as in #{{ path: \"/\", json: #{{ a: 1 }} }}"));
    };
    let mut wanted = UserRequest::default();
    let mut cookies = None;
    for (key, value) in map {
        match key.as_str() {
            "method" => wanted.method = Some(method(&value)?),
            "path" => wanted.path = Some(path(&value)?),
            "query" => wanted.query = Some(pairs("query", value)?),
            "headers" => wanted.headers = headers(value)?,
            "cookies" => cookies = Some(jar(value)?),
            "json" => set_body(&mut wanted, json::write(&value)?, Some("application/json"))?,
            "form" => {
                let form = pairs("form", value)?.into_bytes();
                set_body(&mut wanted, form, Some("application/x-www-form-urlencoded"))?;
            }
            "body" => set_body(&mut wanted, raw(value)?, None)?,
            other => return Err(format!("a request has no `{other}`; it has {}", KEYS.join(", "))),
        }
    }
    wanted.headers.extend(cookies.map(|jar| ("cookie".to_owned(), Some(jar))));
    Ok(wanted)
}

fn method(value: &Dynamic) -> Result<String, String> {
    let method = text("method", value)?.to_uppercase();
    if method.is_empty() || !method.bytes().all(is_token) || matches!(method.as_str(), "CONNECT" | "TRACE") {
        return Err(format!("`{}` is not a method that can be sent", method.escape_debug()));
    }
    Ok(method)
}

/// What cannot stand in a path, also a line's end, is percent-encoded: it ends up in the path, not after it.
fn path(value: &Dynamic) -> Result<String, String> {
    let path = text("path", value)?;
    if !path.starts_with('/') {
        return Err(format!("the path `{}` does not start with `/`", path.escape_debug()));
    }
    Ok(utf8_percent_encode(&path, OUTSIDE_PATHS).to_string())
}

fn pairs(what: &str, value: Dynamic) -> Result<String, String> {
    let encode = |text: &str| utf8_percent_encode(text, FORM).to_string();
    let pairs = map(what, value)?.into_iter().map(|(name, value)| {
        let value = text(&name, &value)?;
        Ok(format!("{}={}", encode(&name), encode(&value)))
    });
    Ok(pairs.collect::<Result<Vec<_>, String>>()?.join("&"))
}

fn headers(value: Dynamic) -> Result<Vec<(String, Option<String>)>, String> {
    let headers = map("headers", value)?.into_iter().map(|(name, value)| {
        let name = name.to_lowercase();
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(format!("`{}` is not a header's name", name.escape_debug()));
        }
        if OURS.contains(&name.as_str()) {
            return Err(format!("the header `{name}` is runner's to write"));
        }
        if value.is_unit() {
            return Ok((name, None));
        }
        let value = text(&name, &value)?;
        if value.chars().any(|c| c.is_control() && c != '\t') {
            return Err(format!("the value of the header `{name}` holds a line break or control character"));
        }
        Ok((name, Some(value)))
    });
    headers.collect()
}

fn jar(value: Dynamic) -> Result<String, String> {
    let pairs = map("cookies", value)?.into_iter().map(|(name, value)| {
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(format!("`{}` is not a cookie's name", name.escape_debug()));
        }
        let value = text(&name, &value)?;
        if value.chars().any(|c| c.is_control() || c == ';') {
            return Err(format!("the value of the cookie `{name}` holds a semicolon or control character"));
        }
        Ok(format!("{name}={value}"))
    });
    Ok(pairs.collect::<Result<Vec<_>, String>>()?.join("; "))
}

fn set_body(wanted: &mut UserRequest, bytes: Vec<u8>, content_type: Option<&'static str>) -> Result<(), String> {
    if wanted.body.is_some() {
        return Err("more than one of json, form and body".to_owned());
    }
    wanted.body = Some(UserBody { bytes, content_type });
    Ok(())
}

fn raw(value: Dynamic) -> Result<Vec<u8>, String> {
    if value.is_blob() { Ok(value.cast::<Blob>()) } else { Ok(text("body", &value)?.into_bytes()) }
}

fn map(what: &str, value: Dynamic) -> Result<Map, String> {
    let value = value.flatten();
    let kind = plain_type(value.type_name()).to_owned();
    value.try_cast::<Map>().ok_or_else(|| format!("`{what}` is a {kind}, and should be a map"))
}

/// A plain value as text.
fn text(what: &str, value: &Dynamic) -> Result<String, String> {
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(text.to_string());
    }
    if value.is_int() || value.is_float() || value.is_bool() || value.is_char() {
        return Ok(value.to_string());
    }
    Err(format!("`{what}` is a {}, and should be a text or a number", plain_type(value.type_name())))
}
