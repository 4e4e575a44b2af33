//! The `exchange` that `check` looks at. What takes work is made when first asked for.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use percent_encoding::percent_decode_str;
use rhai::{Dynamic, Engine, EvalAltResult, INT, Map};

use super::HookUser;
use crate::script::request::{RequestObject, form_text, joined};
use crate::script::type_names::plain_type;
use crate::script::{HandlerRequest, json};

const PROPERTIES: &str = "request, response, user, seq, status, failure, latency and service_time";
const PARTS: &str = "status, headers, cookies, body and json";

type Outcome<T> = Result<T, Box<EvalAltResult>>;

/// A request and what came of it, as the bytes on the connection.
#[derive(Debug)]
pub struct HookExchange {
    pub user: HookUser,
    /// The number of the request within its user, from 0.
    pub seq: u64,
    pub request: Vec<u8>,
    /// `None` if no whole response came.
    pub response: Option<HookResponse>,
    /// Why none came: `timeout`, `connect` and the like.
    pub failure: Option<&'static str>,
    pub latency: Duration,
    pub service_time: Duration,
}

/// A whole response, as it came.
#[derive(Debug)]
pub struct HookResponse {
    pub status: u16,
    /// Heads in the range 1xx before that of the response, and the trailers after it, included.
    pub head: Vec<u8>,
    /// Without the framing of chunks, and decoded.
    pub body: Vec<u8>,
    /// Why the body could not be decoded, or not to its end: a fragment of a sentence.
    pub undecoded: Option<String>,
}

#[derive(Clone)]
pub(super) struct ExchangeObject(Arc<Parsed>);

struct Parsed {
    exchange: Arc<HookExchange>,
    request: OnceLock<RequestObject>,
    headers: OnceLock<Vec<(String, String)>>,
    json: OnceLock<Result<Dynamic, String>>,
}

/// The response of an exchange that has one.
#[derive(Clone)]
pub(super) struct ReplyObject(Arc<Parsed>);

/// An exchange as scripts see it.
pub(super) fn object(exchange: Arc<HookExchange>) -> ExchangeObject {
    let parsed = Parsed { exchange, request: OnceLock::new(), headers: OnceLock::new(), json: OnceLock::new() };
    ExchangeObject(Arc::new(parsed))
}

/// What `check` says is wrong.
pub(super) fn wrong(said: &Dynamic) -> Option<String> {
    let as_json = || json::write(said).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    match said {
        said if said.is_bool() => (!said.as_bool().unwrap_or(false)).then(|| "check returned false".to_owned()),
        said if said.is_string() => Some(said.to_string()),
        said if said.read_lock::<Map>().is_some_and(|map| map.is_empty()) => None,
        said if said.is_map() => Some(as_json().unwrap_or_else(|error| error)),
        other => {
            let kind = plain_type(other.type_name());
            Some(format!("check returned a {kind}: return true, or what is wrong as a text or a map"))
        }
    }
}

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<ExchangeObject>("exchange")
        .register_get("request", |it: &mut ExchangeObject| it.request())
        .register_get("response", |it: &mut ExchangeObject| it.response())
        .register_get("user", |it: &mut ExchangeObject| it.0.exchange.user.0.clone())
        .register_get("seq", |it: &mut ExchangeObject| it.0.exchange.seq as INT)
        .register_get("status", |it: &mut ExchangeObject| it.status())
        .register_get("failure", |it: &mut ExchangeObject| it.0.exchange.failure.map_or(Dynamic::UNIT, Dynamic::from))
        .register_get("latency", |it: &mut ExchangeObject| it.0.exchange.latency.as_secs_f64())
        .register_get("service_time", |it: &mut ExchangeObject| it.0.exchange.service_time.as_secs_f64())
        .register_indexer_get(|_: &mut ExchangeObject, name: &str| missing("an exchange", name, PROPERTIES));
    engine
        .register_type_with_name::<ReplyObject>("response of an exchange")
        .register_get("status", |it: &mut ReplyObject| INT::from(it.reply().map_or(0, |reply| reply.status)))
        .register_get("headers", |it: &mut ReplyObject| joined(it.0.headers()))
        .register_get("cookies", |it: &mut ReplyObject| it.cookies())
        .register_get("body", ReplyObject::body)
        .register_get("json", ReplyObject::json)
        .register_indexer_get(|_: &mut ReplyObject, name: &str| missing("a response", name, PARTS));
}

fn missing(what: &str, name: &str, there: &str) -> Outcome<Dynamic> {
    Err(format!("{what} has no `{name}`; it has {there}").into())
}

impl ExchangeObject {
    fn request(&self) -> RequestObject {
        self.0.request.get_or_init(|| RequestObject::new(parse_request(&self.0.exchange.request))).clone()
    }

    /// `()` if none came.
    fn response(&self) -> Dynamic {
        match &self.0.exchange.response {
            Some(_) => Dynamic::from(ReplyObject(self.0.clone())),
            None => Dynamic::UNIT,
        }
    }

    fn status(&self) -> Dynamic {
        let reply = self.0.exchange.response.as_ref();
        reply.map_or(Dynamic::UNIT, |reply| INT::from(reply.status).into())
    }
}

impl Parsed {
    fn headers(&self) -> &[(String, String)] {
        let head = || self.exchange.response.as_ref().map_or(&[][..], |reply| &reply.head);
        self.headers.get_or_init(|| parse_heads(head()))
    }
}

impl ReplyObject {
    fn reply(&self) -> Option<&HookResponse> {
        self.0.exchange.response.as_ref()
    }

    /// The body's bytes, decoded.
    fn bytes(&self) -> Outcome<&[u8]> {
        let Some(reply) = self.reply() else { return Ok(&[]) };
        match &reply.undecoded {
            Some(why) => Err(format!("the response's body cannot be read: {why}").into()),
            None => Ok(&reply.body),
        }
    }

    fn body(&mut self) -> Outcome<String> {
        self.bytes().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// The values that the response sets, by name.
    fn cookies(&self) -> Dynamic {
        let set = self.0.headers().iter().filter(|(name, _)| name == "set-cookie");
        let pairs = set.filter_map(|(_, value)| value.split(';').next()?.trim().split_once('='));
        Dynamic::from_map(pairs.map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// `()` without a body.
    fn json(&mut self) -> Outcome<Dynamic> {
        let bytes = self.bytes()?;
        let parsed = self.0.json.get_or_init(|| if bytes.is_empty() { Ok(Dynamic::UNIT) } else { json::read(bytes) });
        Ok(parsed.clone().map_err(|error| format!("the response's body is not JSON: {error}"))?)
    }
}

fn pair(header: &httparse::Header<'_>) -> (String, String) {
    (header.name.to_lowercase(), String::from_utf8_lossy(header.value).into_owned())
}

/// The request that runner wrote itself, taken apart again.
fn parse_request(bytes: &[u8]) -> HandlerRequest {
    let end = memchr::memmem::find(bytes, b"\r\n\r\n").unwrap_or(bytes.len());
    // A header takes a line.
    let mut headers = vec![httparse::EMPTY_HEADER; memchr::memchr_iter(b'\n', &bytes[..end]).count()];
    let mut request = httparse::Request::new(&mut headers);
    let head = match request.parse(bytes) {
        Ok(httparse::Status::Complete(head)) => head,
        _ => bytes.len(),
    };
    let target = request.path.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let decoded = |text: &str| form_text(text.as_bytes());
    let query = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    });
    HandlerRequest {
        method: request.method.unwrap_or_default().to_owned(),
        path: percent_decode_str(path).decode_utf8_lossy().into_owned(),
        query: query.collect(),
        headers: request.headers.iter().map(pair).collect(),
        body: bytes[head..].to_vec(),
    }
}

/// The headers of the last head, and the trailers behind it. Whoever read the response has looked at each line, and
/// unfolded those that were more than one.
fn parse_heads(bytes: &[u8]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        if line.starts_with(b"HTTP/") {
            found.clear();
        } else if let Some(colon) = memchr::memchr(b':', line) {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes.trim_ascii()).into_owned();
            found.push((text(&line[..colon]).to_lowercase(), text(&line[colon + 1..])));
        }
    }
    found
}
