//! What runner adds to rhai, each function and property described once: the documentation and the definitions for
//! editors are made from here, and a test holds it against what the engine knows.

/// A function that scripts can call.
#[derive(Debug, Clone, Copy)]
pub struct Function {
    pub name: &'static str,
    /// Names and types, as definition files write those; `?` is any type.
    pub parameters: &'static [(&'static str, &'static str)],
    pub returns: &'static str,
    /// One sentence without a full stop, in Markdown.
    pub about: &'static str,
}

/// A property of an object that scripts are handed.
#[derive(Debug, Clone, Copy)]
pub struct Property {
    pub of: &'static str,
    pub name: &'static str,
    pub kind: &'static str,
    pub about: &'static str,
}

/// A time: seconds, or a text with a unit.
const TIME: &[(&str, &str)] = &[("time", "?")];

const fn function(
    name: &'static str,
    parameters: &'static [(&'static str, &'static str)],
    returns: &'static str,
    about: &'static str,
) -> Function {
    Function { name, parameters, returns, about }
}

const fn of_request(name: &'static str, kind: &'static str, about: &'static str) -> Property {
    Property { of: "request", name, kind, about }
}

const fn of_fetched(name: &'static str, kind: &'static str, about: &'static str) -> Property {
    Property { of: "fetched", name, kind, about }
}

/// In the order of the documentation. Those of one name stand together, and are described by the first that says something.
pub const FUNCTIONS: &[Function] = &[
    function("sleep", TIME, "()", "waits, as the mode does it"),
    function("block", TIME, "()", "blocks the thread, in every mode: a blocking call inside `async def`"),
    function("burn", TIME, "()", "keeps a core busy for so long"),
    function("yield_now", &[], "()", "lets others run: suspends the handler in `async`, yields the thread elsewhere"),
    function("respond", &[("status", "int")], "response", "makes a response"),
    function("respond", &[("status", "int"), ("body", "?")], "response", ""),
    function(
        "header",
        &[("response", "response"), ("name", "String"), ("value", "?")],
        "response",
        "sets a header of a response",
    ),
    function(
        "cookie",
        &[("response", "response"), ("name", "String"), ("value", "?")],
        "response",
        "adds a cookie to a response",
    ),
    function(
        "fetch",
        &[("url", "String")],
        "fetched",
        "[calls another server](#calling-another-server) and returns its response",
    ),
    function("fetch", &[("url", "String"), ("options", "Map")], "fetched", ""),
    function("random", &[], "float", "a number from 0 up to 1"),
    function("random", &[("low", "int"), ("high", "int")], "int", "a whole number, both ends included"),
    function(
        "log",
        &[("value", "?")],
        "()",
        "writes a line to `server.log`, with the time, the worker and the request; so do `print` and `debug`",
    ),
    function(
        "replace",
        &[("text", "String"), ("old", "String"), ("new", "String")],
        "String",
        "rhai's own, which here refuses to make a text that is too long",
    ),
    function(
        "pad",
        &[("text", "String"), ("length", "int"), ("padding", "String")],
        "()",
        "rhai's own, which here ends also where the padding is empty",
    ),
    function("now", &[], "float", "the seconds since 1970 began"),
];

/// Every property of what hooks are given.
pub const PROPERTIES: &[Property] = &[
    of_request("method", "String", "`\"GET\"`"),
    of_request("path", "String", "`\"/dirty/\"`, without the query"),
    of_request(
        "query",
        "Map",
        "a map of texts, decoded; of a name that is given twice, the last. Where the request has no `sleep`, \
         `request.query.sleep` is the `sleep` of `[server]`",
    ),
    of_request(
        "headers",
        "Map",
        "a map of texts, names in lower case: `request.headers[\"x-user\"]`; a header given twice is joined by `, `",
    ),
    of_request("cookies", "Map", "a map of texts"),
    of_request("body", "String", "a text; what is not UTF-8 is replaced"),
    of_request("json", "?", "the body read as JSON, `()` without a body; an error if it is something else"),
    of_request("form", "Map", "a map of texts; empty if the content type is another"),
    Property { of: "response", name: "status", kind: "int", about: "the status" },
    of_fetched("status", "int", "the status"),
    of_fetched("headers", "Map", "as of a request"),
    of_fetched("body", "String", "a text; what is not UTF-8 is replaced"),
    of_fetched("json", "?", "the body read as JSON; an error if it is something else"),
];

/// The objects that hold state, and who sees it.
pub const OBJECTS: &[(&str, &str)] = &[
    ("context", "this call, in every function that it calls"),
    ("thread", "all requests that the thread handles; in `async` and `async_blocking` all requests of the worker"),
    ("process", "all requests of the worker"),
];

/// The methods of each of those objects.
pub const OBJECT_METHODS: &[Function] = &[
    function("keys", &[], "Array", "the names that are set"),
    function("contains", &[("name", "String")], "bool", "whether a name is set"),
    function("remove", &[("name", "String")], "()", "removes a name"),
];

impl Function {
    /// `random(low, high)`.
    pub fn signature(&self) -> String {
        let names: Vec<&str> = self.parameters.iter().map(|(name, _)| *name).collect();
        format!("{}({})", self.name, names.join(", "))
    }
}

/// The table of functions, as the documentation has it.
pub fn function_table() -> String {
    let mut rows: Vec<(String, &str)> = Vec::new();
    for function in FUNCTIONS {
        let signature = format!("`{}`", function.signature());
        match rows.last_mut() {
            Some((signatures, _)) if function.about.is_empty() => *signatures += &format!(", {signature}"),
            _ => rows.push((signature, function.about)),
        }
    }
    table("function", "what it does", rows)
}

/// The table of the properties of a request, as the documentation has it.
pub fn request_table() -> String {
    let of_request = PROPERTIES.iter().filter(|property| property.of == "request");
    let rows = of_request.map(|property| (format!("`request.{}`", property.name), property.about));
    table("property", "what it is", rows)
}

fn table<'a>(left: &str, right: &str, rows: impl IntoIterator<Item = (String, &'a str)>) -> String {
    let rows = rows.into_iter().map(|(name, about)| format!("| {name} | {about} |\n"));
    format!("| {left} | {right} |\n| --- | --- |\n{}", rows.collect::<String>())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::script::{Limits, engine, state};

    /// Functions of rhai's own names, which do what rhai's do, and those that only tests have.
    const COVERED: [&str; 7] = ["print", "debug", "to_string", "to_debug", "to_json", "hang", "panics"];

    fn registered() -> BTreeSet<(String, usize)> {
        let (mut engine, _) = engine::new(Limits::default());
        state::register(&mut engine, &[], rhai::Map::new());
        let known = |info: rhai::FuncInfo<'_>| Some((info.metadata.name.to_string(), info.metadata.num_params));
        engine.collect_fn_metadata(None, known, false).into_iter().collect()
    }

    #[test]
    fn what_is_described_is_what_the_engine_knows() {
        let functions = FUNCTIONS.iter().map(|function| (function.name.to_owned(), function.parameters.len()));
        let properties = PROPERTIES.iter().map(|property| (format!("get${}", property.name), 1));
        let methods = OBJECT_METHODS.iter().map(|method| (method.name.to_owned(), 1 + method.parameters.len()));
        let described: BTreeSet<(String, usize)> = functions.chain(properties).chain(methods).collect();
        let mut known = registered();
        known.retain(|(name, _)| !name.starts_with("index$") && !COVERED.contains(&name.as_str()));
        assert_eq!(described, known);
    }

    #[test]
    fn every_first_of_a_name_says_what_it_does() {
        let mut last = "";
        for function in FUNCTIONS {
            assert!(last == function.name || !function.about.is_empty(), "{}", function.name);
            last = function.name;
        }
    }
}
