//! `fetch(url)`: a request that a handler makes of another server. How it is carried out is not decided here.

use std::sync::Arc;
use std::time::Duration;

use rhai::{Dynamic, Engine, EvalAltResult, INT, ImmutableString, Map, NativeCallContext};

use super::{
    FetchRequest, HandlerResponse, HandlerStep, Resumed, current_call, functions, json, request, respond, size_limits,
};

const OPTIONS: &str = "method, headers, body and timeout";
/// What a fetch may take if it names no timeout.
const TIMEOUT: Duration = Duration::from_secs(10);

type Outcome<T> = Result<T, Box<EvalAltResult>>;

/// What came back, as scripts see it.
#[derive(Clone)]
struct FetchedObject(Arc<HandlerResponse>);

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<FetchedObject>("fetched response")
        .register_get("status", |fetched: &mut FetchedObject| INT::from(fetched.0.status))
        .register_get("headers", |fetched: &mut FetchedObject| request::joined(&fetched.0.headers))
        .register_get("body", |fetched: &mut FetchedObject| String::from_utf8_lossy(&fetched.0.body).into_owned())
        .register_get("json", |fetched: &mut FetchedObject| -> Outcome<Dynamic> {
            Ok(json::read(&fetched.0.body).map_err(|error| format!("the fetched body is not JSON: {error}"))?)
        });
    functions::volatile("fetch").register_into_engine(engine, |context: NativeCallContext, url: ImmutableString| {
        fetch(&context, &url, Map::new())
    });
    functions::volatile("fetch")
        .register_into_engine(engine, |context: NativeCallContext, url: ImmutableString, options: Map| {
            fetch(&context, &url, options)
        });
}

fn fetch(context: &NativeCallContext<'_>, url: &str, options: Map) -> Outcome<FetchedObject> {
    let outgoing = outgoing(url, options)?;
    let probed = current_call::with(|call| Ok(call.probe.is_some()))?;
    let given = probed.then(|| outgoing.clone());
    match current_call::suspend(HandlerStep::Fetch(Box::new(outgoing)))? {
        Resumed::Fetched(Ok(response)) => {
            if let Some(given) = given {
                tell(context, &given, &response)?;
            }
            Ok(FetchedObject(Arc::new(response)))
        }
        Resumed::Fetched(Err(why)) => Err(format!("fetch of {url}: {why}").into()),
        Resumed::Nothing => Err("fetch() cannot be used here".into()),
    }
}

/// Lets the probe see what was sent and what came back.
fn tell(context: &NativeCallContext<'_>, given: &FetchRequest, brought: &HandlerResponse) -> Outcome<()> {
    let values =
        |headers: &[(String, String)]| headers.iter().map(|(_, value)| value.clone()).collect::<Vec<_>>().join("\n");
    let (sent, received) = (values(&given.headers), values(&brought.headers));
    let given = [given.url.as_bytes(), sent.as_bytes(), &given.body];
    let brought = [received.as_bytes(), &brought.body];
    current_call::with(|call| {
        if let Some(probe) = &call.probe {
            probe.called("fetch", context, &given, &brought);
        }
        Ok(())
    })
}

fn outgoing(url: &str, options: Map) -> Outcome<FetchRequest> {
    let most = current_call::with(|call| Ok(call.limits.string_bytes))?;
    let mut outgoing = FetchRequest {
        method: String::new(),
        url: url.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        timeout: TIMEOUT,
        longest_body: most,
    };
    for (name, value) in options {
        match name.as_str() {
            "method" => outgoing.method = size_limits::text(&value, most).to_string(),
            "timeout" => outgoing.timeout = functions::duration("fetch", &value)?,
            "headers" => {
                let headers =
                    value.try_cast::<Map>().ok_or("fetch: `headers` wants a map: #{accept: \"text/html\"}")?;
                for (name, value) in headers {
                    let value = size_limits::text(&value, most).to_string();
                    outgoing.headers.insert(0, (respond::header_name(&name, &value)?, value));
                }
            }
            "body" => {
                let (kind, body) = respond::content(value)?;
                outgoing.headers.extend(kind.map(|kind| ("content-type".to_owned(), kind.to_owned())));
                outgoing.body = body;
            }
            _ => return Err(format!("fetch has no option `{name}`; it has {OPTIONS}").into()),
        }
    }
    // Of headers that are given twice the first counts: the script's own, before what follows from the body.
    let mut seen = std::collections::BTreeSet::new();
    outgoing.headers.retain(|(name, _)| seen.insert(name.clone()));
    if outgoing.method.is_empty() {
        outgoing.method = if outgoing.body.is_empty() { "GET" } else { "POST" }.to_owned();
    }
    Ok(outgoing)
}
