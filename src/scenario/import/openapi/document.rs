//! An OpenAPI document as it stands, and what its references lead to.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

/// How many references may lead from one to the next.
const HOPS: usize = 32;

/// A document; nothing in it is checked beforehand.
#[derive(Debug)]
pub(super) struct Document {
    pub root: Value,
    /// Swagger 2.0: parameters hold bodies, and schemas stand elsewhere.
    pub is_swagger: bool,
}

/// A reference that leads nowhere in the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Nowhere(pub String);

impl Document {
    /// What a value stands for: itself, or what its `$ref` leads to. Nothing is read but what is asked for.
    pub fn resolve<'a>(&'a self, value: &'a Value) -> Result<&'a Value, Nowhere> {
        let mut value = value;
        for _ in 0..HOPS {
            let Some(Value::String(reference)) = value.get("$ref") else { return Ok(value) };
            value = self.find(reference)?;
        }
        Err(Nowhere("itself".to_owned()))
    }

    /// What `#/components/schemas/Item` names.
    pub fn find(&self, reference: &str) -> Result<&Value, Nowhere> {
        let nowhere = || Nowhere(reference.to_owned());
        let pointer = reference.strip_prefix('#').ok_or_else(nowhere)?;
        let plain = self.root.pointer(pointer);
        let decoded = || self.root.pointer(&percent_decode_str(pointer).decode_utf8().ok()?);
        plain.or_else(decoded).ok_or_else(nowhere)
    }

    /// Whether only responses hold what has this schema.
    pub fn is_read_only(&self, schema: &Value) -> bool {
        let says_so = |schema: &Value| schema.get("readOnly") == Some(&Value::Bool(true));
        says_so(schema) || self.resolve(schema).is_ok_and(says_so)
    }

    /// An object of the document, by its keys from the root.
    pub fn object(&self, keys: &[&str]) -> Option<&Map<String, Value>> {
        keys.iter().try_fold(&self.root, |value, key| value.get(key))?.as_object()
    }

    /// What every path begins with: the path of the first server, or the base path.
    pub fn base_path(&self) -> String {
        if self.is_swagger {
            let base = self.root.get("basePath").and_then(Value::as_str).unwrap_or_default();
            return path_of_base(base);
        }
        self.servers().first().map(|server| path_of_base(&path_of_url(server))).unwrap_or_default()
    }

    /// The servers that the document names, their variables filled in.
    pub fn servers(&self) -> Vec<String> {
        if self.is_swagger {
            let Some(host) = self.root.get("host").and_then(Value::as_str) else { return Vec::new() };
            let schemes = self.root.get("schemes").and_then(Value::as_array);
            let scheme = schemes.and_then(|schemes| schemes.first()).and_then(Value::as_str).unwrap_or("http");
            return vec![format!("{scheme}://{host}")];
        }
        let servers = self.root.get("servers").and_then(Value::as_array);
        servers.into_iter().flatten().filter_map(filled_server).collect()
    }
}

/// The path that a list of servers of a path or an operation gives, if it has one of its own.
pub(super) fn own_base(value: &Value) -> Option<String> {
    let server = value.get("servers")?.as_array()?.first()?;
    Some(path_of_base(&path_of_url(&filled_server(server)?)))
}

fn filled_server(server: &Value) -> Option<String> {
    let mut url = server.get("url")?.as_str()?.to_owned();
    for (name, variable) in server.get("variables").and_then(Value::as_object).into_iter().flatten() {
        let first = variable.get("enum").and_then(|values| values.get(0));
        let value = variable.get("default").or(first).map(plain_text).unwrap_or_default();
        url = url.replace(&format!("{{{name}}}"), &value);
    }
    Some(url)
}

/// A text without its quotes, or what JSON writes.
pub(super) fn plain_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        value => value.to_string(),
    }
}

/// The path of `https://host/api`, or of `/api`.
fn path_of_url(url: &str) -> String {
    let rest = match url.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or(String::new(), |(_, path)| format!("/{path}")),
        None => url.to_owned(),
    };
    rest.split(['?', '#']).next().unwrap_or_default().to_owned()
}

/// With a slash in front and none behind. A variable that is left makes it worthless.
pub(super) fn path_of_base(path: &str) -> String {
    let path = path.trim_matches('/');
    let fits = |c: char| c.is_ascii_graphic() && !matches!(c, '{' | '}' | '?' | '#');
    if path.is_empty() || path == "." || !path.chars().all(fits) { String::new() } else { format!("/{path}") }
}
