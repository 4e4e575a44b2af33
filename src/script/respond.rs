//! What a handler returns: a plain value, or a response built with `respond`, `header` and `cookie`.

use std::sync::Arc;

use rhai::{Blob, Dynamic, Engine, EvalAltResult, INT};

use super::type_names::plain_type;
use super::{HandlerResponse, Limits, json, size_limits};

const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";
const BYTES: &str = "application/octet-stream";

/// Headers that frame the response on its connection: the server's to write.
const FRAMING: [&str; 6] = ["connection", "content-length", "keep-alive", "te", "transfer-encoding", "upgrade"];

type Outcome<T> = Result<T, Box<EvalAltResult>>;

/// A response as scripts see it: a value, so that a copy of it is another response.
#[derive(Clone)]
pub(super) struct ResponseObject {
    status: u16,
    headers: Vec<(String, String)>,
    body: Arc<Vec<u8>>,
}

pub(super) fn register(engine: &mut Engine, limits: Limits) {
    let text = move |value: Dynamic| size_limits::text(&value, limits.string_bytes);
    engine
        .register_type_with_name::<ResponseObject>("response")
        .register_fn("respond", |status: INT| respond(status, Dynamic::UNIT))
        .register_fn("respond", respond)
        .register_fn("header", move |response: &mut ResponseObject, name: &str, value: Dynamic| {
            header(response, name, &text(value))
        })
        .register_fn("cookie", move |response: &mut ResponseObject, name: &str, value: Dynamic| {
            cookie(response, name, &text(value))
        })
        .register_get("status", |response: &mut ResponseObject| INT::from(response.status));
}

/// The response that a handler's value means.
pub(super) fn from_value(value: Dynamic) -> Result<HandlerResponse, String> {
    let value = value.flatten();
    let object = match value.as_int() {
        Ok(status) => with_body(checked_status(status)?, Dynamic::UNIT)?,
        Err(_) if value.is_unit() => with_body(204, value)?,
        Err(_) => match value.try_cast_result::<ResponseObject>() {
            Ok(object) => object,
            Err(value) => with_body(200, value)?,
        },
    };
    Ok(HandlerResponse { status: object.status, headers: object.headers, body: Arc::unwrap_or_clone(object.body) })
}

fn respond(status: INT, body: Dynamic) -> Outcome<ResponseObject> {
    Ok(with_body(checked_status(status)?, body)?)
}

fn checked_status(status: INT) -> Result<u16, String> {
    match u16::try_from(status) {
        Ok(status @ 200..=599) => Ok(status),
        _ => Err(format!("{status} is not the status of a response; use 200 to 599")),
    }
}

/// The content type and the bytes that a value means.
pub(super) fn content(body: Dynamic) -> Result<(Option<&'static str>, Vec<u8>), String> {
    let body = body.flatten();
    Ok(if body.is_unit() {
        (None, Vec::new())
    } else if body.is_map() || body.is_array() {
        (Some(JSON), json::write(&body)?)
    } else if body.is_blob() {
        (Some(BYTES), body.cast::<Blob>())
    } else if let Ok(text) = body.as_immutable_string_ref() {
        (Some(HTML), text.as_bytes().to_vec())
    } else if let Ok(letter) = body.as_char() {
        (Some(HTML), letter.to_string().into_bytes())
    } else {
        let kind = plain_type(body.type_name());
        return Err(format!("a {kind} is not a response; return a string, a map, an array, a status or respond(..)"));
    })
}

fn with_body(status: u16, body: Dynamic) -> Result<ResponseObject, String> {
    let (kind, body) = content(body)?;
    if matches!(status, 204 | 304) && !body.is_empty() {
        return Err(format!("a response with status {status} has no body"));
    }
    let headers = kind.map(|kind| ("content-type".to_owned(), kind.to_owned())).into_iter().collect();
    Ok(ResponseObject { status, headers, body: Arc::new(body) })
}

/// A header's name in lower case, if scripts may write such a header.
pub(super) fn header_name(name: &str, value: &str) -> Outcome<String> {
    let name = name.to_ascii_lowercase();
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(format!("`{}` is not a header's name", name.escape_default()).into());
    }
    if FRAMING.contains(&name.as_str()) {
        return Err(format!("the header `{name}` is the server's to write").into());
    }
    if value.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
        return Err(format!("the value of the header `{name}` holds a line break or control character").into());
    }
    Ok(name)
}

/// Sets a header: one of the same name before it is replaced. `set-cookie` alone may be there many times.
fn header(response: &mut ResponseObject, name: &str, value: &str) -> Outcome<ResponseObject> {
    let name = header_name(name, value)?;
    if name != "set-cookie" {
        response.headers.retain(|(earlier, _)| *earlier != name);
    }
    response.headers.push((name, value.to_owned()));
    Ok(response.clone())
}

/// Adds a cookie for the whole site.
fn cookie(response: &mut ResponseObject, name: &str, value: &str) -> Outcome<ResponseObject> {
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(format!("`{}` is not a cookie's name", name.escape_default()).into());
    }
    if !value.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\')) {
        return Err(format!("the value of the cookie `{name}` holds a blank, quote, comma, semicolon or other character that cookies cannot hold").into());
    }
    response.headers.push(("set-cookie".to_owned(), format!("{name}={value}; Path=/")));
    Ok(response.clone())
}

/// What names of headers and cookies are made of (RFC 9110, 5.6.2).
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
