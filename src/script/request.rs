//! The `request` that a handler is called with. What takes work is made when first asked for.

use std::sync::{Arc, OnceLock};

use percent_encoding::percent_decode;
use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString, Map};

use super::{HandlerRequest, json};

const PROPERTIES: &str = "method, path, query, headers, cookies, body, json and form";

type Outcome<T> = Result<T, Box<EvalAltResult>>;

/// A request as scripts see it.
#[derive(Clone)]
pub(super) struct RequestObject(Arc<Parsed>);

struct Parsed {
    request: HandlerRequest,
    query: OnceLock<Dynamic>,
    headers: OnceLock<Dynamic>,
    cookies: OnceLock<Dynamic>,
    body: OnceLock<Dynamic>,
    json: OnceLock<Result<Dynamic, String>>,
    form: OnceLock<Dynamic>,
}

impl RequestObject {
    pub fn new(request: HandlerRequest) -> RequestObject {
        RequestObject(Arc::new(Parsed {
            request,
            query: OnceLock::new(),
            headers: OnceLock::new(),
            cookies: OnceLock::new(),
            body: OnceLock::new(),
            json: OnceLock::new(),
            form: OnceLock::new(),
        }))
    }

    fn method(&mut self) -> ImmutableString {
        self.0.request.method.as_str().into()
    }

    fn path(&mut self) -> ImmutableString {
        self.0.request.path.as_str().into()
    }

    fn query(&mut self) -> Dynamic {
        self.0.query.get_or_init(|| last_of_each(&self.0.request.query)).clone()
    }

    fn headers(&mut self) -> Dynamic {
        self.0.headers.get_or_init(|| joined(&self.0.request.headers)).clone()
    }

    fn cookies(&mut self) -> Dynamic {
        self.0.cookies.get_or_init(|| cookies(&self.0.request)).clone()
    }

    fn body(&mut self) -> Dynamic {
        self.0.body.get_or_init(|| String::from_utf8_lossy(&self.0.request.body).into_owned().into()).clone()
    }

    /// `()` without a body.
    fn json(&mut self) -> Outcome<Dynamic> {
        let parsed = self.0.json.get_or_init(|| match self.0.request.body.as_slice() {
            [] => Ok(Dynamic::UNIT),
            body => json::read(body),
        });
        Ok(parsed.clone().map_err(|error| format!("the request's body is not JSON: {error}"))?)
    }

    /// Empty if the body is of another type.
    fn form(&mut self) -> Dynamic {
        self.0.form.get_or_init(|| form(&self.0.request)).clone()
    }
}

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<RequestObject>("request")
        .register_get("method", RequestObject::method)
        .register_get("path", RequestObject::path)
        .register_get("query", RequestObject::query)
        .register_get("headers", RequestObject::headers)
        .register_get("cookies", RequestObject::cookies)
        .register_get("body", RequestObject::body)
        .register_get("json", RequestObject::json)
        .register_get("form", RequestObject::form)
        .register_indexer_get(part);
}

/// `request["path"]`, and what a request does not have.
fn part(request: &mut RequestObject, name: &str) -> Outcome<Dynamic> {
    Ok(match name {
        "method" => request.method().into(),
        "path" => request.path().into(),
        "query" => request.query(),
        "headers" => request.headers(),
        "cookies" => request.cookies(),
        "body" => request.body(),
        "json" => request.json()?,
        "form" => request.form(),
        _ => return Err(format!("a request has no `{name}`; it has {PROPERTIES}").into()),
    })
}

fn header<'a>(request: &'a HandlerRequest, name: &str) -> Option<&'a str> {
    request.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
}

/// A name that is given twice means its last value.
fn last_of_each(pairs: &[(String, String)]) -> Dynamic {
    Dynamic::from_map(pairs.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into())).collect())
}

/// A header that is given twice is a list, as HTTP has it.
pub(super) fn joined(headers: &[(String, String)]) -> Dynamic {
    let mut map = Map::new();
    for (name, value) in headers {
        match map.get_mut(name.as_str()) {
            Some(earlier) => *earlier = format!("{earlier}, {value}").into(),
            None => drop(map.insert(name.as_str().into(), value.as_str().into())),
        }
    }
    Dynamic::from_map(map)
}

fn cookies(request: &HandlerRequest) -> Dynamic {
    let values = request.headers.iter().filter(|(name, _)| name == "cookie").flat_map(|(_, value)| value.split(';'));
    let pairs = values.filter_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        let value = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
        Some((name.into(), value.into()))
    });
    Dynamic::from_map(pairs.collect())
}

fn form(request: &HandlerRequest) -> Dynamic {
    let kind = header(request, "content-type").unwrap_or("application/x-www-form-urlencoded");
    if !kind.trim_start().to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") {
        return Dynamic::from_map(Map::new());
    }
    let pairs = request.body.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let end = pair.iter().position(|&byte| byte == b'=').unwrap_or(pair.len());
        let value = pair.get(end + 1..).unwrap_or_default();
        (form_text(&pair[..end]).into(), form_text(value).into())
    });
    Dynamic::from_map(pairs.collect())
}

pub(super) fn form_text(encoded: &[u8]) -> String {
    let spaced: Vec<u8> = encoded.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect();
    percent_decode(&spaced).decode_utf8_lossy().into_owned()
}
