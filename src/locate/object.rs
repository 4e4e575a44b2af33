//! The object between two requests: how it is reached, and of what kind it is.

use serde::{Deserialize, Serialize};

use super::event::Access;

/// The longest name of a key.
const LONGEST_KEY: usize = 60;

/// What a shared object is, as far as the remedy depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SharedKind {
    /// A variable of a module, or an object or a container that one holds.
    ModuleGlobal,
    /// An attribute of a class, which all of its instances share.
    ClassAttribute,
    /// A default argument, which all calls share.
    DefaultArgument,
    /// A variable that a function keeps for the functions within it.
    Closure,
    /// What a thread keeps; an event loop has one thread for all requests.
    ThreadLocal,
    /// A context variable, or what else follows the flow of execution.
    ContextVariable,
    /// An entry of a cache or another map by key.
    CacheEntry,
    /// A buffer that is filled again.
    Buffer,
    /// What is handed out by a pool, a queue, a client or a memoized function.
    StatefulCallee,
    /// Any other object that both requests reached.
    Object,
}

/// The object that one request wrote and another read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedObject {
    /// `app.shared.email`; `None` if it is not known how it is reached.
    pub path: Option<String>,
    pub type_name: Option<String>,
    pub kind: SharedKind,
}

const BUFFERS: [&str; 7] = ["bytearray", "memoryview", "buffer", "uint8array", "bytesio", "stringio", "array.array"];
const MAPS: [&str; 8] =
    ["dict", "ordereddict", "defaultdict", "map", "weakmap", "lrucache", "ttlcache", "weakvaluedictionary"];

impl SharedObject {
    /// The slot that two accesses have in common: what one of them does not say, the other may.
    pub fn between(write: &Access, read: &Access) -> SharedObject {
        let either = |pick: fn(&Access) -> &Option<String>| pick(write).clone().or_else(|| pick(read).clone());
        // Of a call, the type is that of its result.
        let type_name = write.type_name.clone().or_else(|| read.type_name.clone().filter(|_| read.callee.is_none()));
        let (path, key) = (either(|access| &access.path), either(|access| &access.key));
        let kind = kind(path.as_deref(), type_name.as_deref(), write, read);
        let path =
            path.map(|path| with_key(&path, key.as_deref(), &write.manner)).or_else(|| key.map(|key| clipped(&key)));
        SharedObject { path, type_name, kind }
    }

    /// An object into which the one stored, and which the other read whole.
    pub fn filled(write: &Access, read: &Access) -> SharedObject {
        let reached = read.path.is_some() || read.key.is_some();
        let Some(path) = write.path.clone().or_else(|| SharedObject::between(read, read).path.filter(|_| reached))
        else {
            return SharedObject::between(write, write);
        };
        SharedObject { path: Some(path), ..SharedObject::between(write, write) }
    }

    /// What two calls have in common.
    pub fn handed_out(write: &Access, read: &Access) -> SharedObject {
        let path = read.callee.clone().or_else(|| write.callee.clone());
        let type_name = read.type_name.clone().or_else(|| write.type_name.clone());
        SharedObject { path, type_name, kind: SharedKind::StatefulCallee }
    }

    /// What was found to hold the value.
    pub fn at(path: &str, type_name: Option<&str>) -> SharedObject {
        let kind = of_path(path).unwrap_or(SharedKind::Object);
        SharedObject { path: Some(path.to_owned()), type_name: type_name.map(str::to_owned), kind }
    }
}

/// What the way to an object tells.
fn of_path(path: &str) -> Option<SharedKind> {
    let has = |word: &str| path.contains(word);
    Some(match path {
        _ if has("thread-local") || path.starts_with("thread.") => SharedKind::ThreadLocal,
        _ if has("contextvar") || has("AsyncLocalStorage") || path.starts_with("context.") => {
            SharedKind::ContextVariable
        }
        _ if has("<default") => SharedKind::DefaultArgument,
        _ if has("<closure") => SharedKind::Closure,
        _ if has(":") => SharedKind::ClassAttribute,
        _ => return None,
    })
}

fn kind(path: Option<&str>, type_name: Option<&str>, write: &Access, read: &Access) -> SharedKind {
    if let Some(kind) = path.and_then(of_path) {
        return kind;
    }
    match write.manner.as_str() {
        "closure" => return SharedKind::Closure,
        "contextvar" => return SharedKind::ContextVariable,
        "default" => return SharedKind::DefaultArgument,
        _ => {}
    }
    // Types may come with their modules.
    let type_name =
        type_name.map(|name| name.rsplit('.').next().unwrap_or(name).to_ascii_lowercase()).unwrap_or_default();
    let is_key = |access: &Access| {
        ["item", "call"].contains(&access.manner.as_str()) && access.key.as_deref().is_some_and(|key| !is_name(key))
    };
    if BUFFERS.contains(&type_name.as_str()) {
        return SharedKind::Buffer;
    }
    if MAPS.contains(&type_name.as_str()) && (is_key(write) || is_key(read)) {
        return SharedKind::CacheEntry;
    }
    if path.is_some() { SharedKind::ModuleGlobal } else { SharedKind::Object }
}

/// Whether a key is a word that somebody wrote into the source, as `email` is; not a path, an address or a number.
fn is_name(key: &str) -> bool {
    let key = key.trim_matches(['\'', '"']);
    !key.is_empty()
        && key.len() <= 30
        && key.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && key.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// `app.shared` and `email` as one.
fn with_key(path: &str, key: Option<&str>, manner: &str) -> String {
    let Some(key) = key.filter(|key| !key.is_empty()) else { return path.to_owned() };
    let bare = key.trim_matches(['\'', '"']);
    let ends = |end: &str| {
        path.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with(['.', ' ', ':', '[', '\'', '"']))
    };
    if ends(bare) || path.ends_with(&format!("[{key}]")) {
        return path.to_owned();
    }
    match manner {
        "item" | "call" => format!("{path}[{}]", clipped(key)),
        _ => format!("{path}.{}", clipped(bare)),
    }
}

fn clipped(key: &str) -> String {
    match key.char_indices().nth(LONGEST_KEY) {
        None => key.to_owned(),
        Some((end, _)) => format!("{}…", &key[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locate::event::{AccessKind, CodePlace};

    fn access(path: Option<&str>, type_name: &str, key: &str, manner: &str) -> Access {
        let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Access {
            kind: AccessKind::Store,
            canaries: Vec::new(),
            argument_canaries: Vec::new(),
            object: Some(1),
            type_name: text(type_name),
            path: path.map(str::to_owned),
            key: text(key),
            manner: manner.to_owned(),
            is_local: false,
            callee: None,
            callee_object: None,
            values: Vec::new(),
            inner: Vec::new(),
            place: CodePlace::default(),
        }
    }

    fn of(path: &str, type_name: &str, key: &str, manner: &str) -> (String, SharedKind) {
        let one = access(Some(path), type_name, key, manner);
        let object = SharedObject::between(&one, &access(None, "", "", "item"));
        (object.path.unwrap(), object.kind)
    }

    #[test]
    fn an_object_is_named_as_people_would_write_it_and_is_of_a_kind() {
        let cases = [
            (
                ("app.shared", "types.SimpleNamespace", "email", "attribute"),
                ("app.shared.email", SharedKind::ModuleGlobal),
            ),
            (("app.current", "module", "current", "global"), ("app.current", SharedKind::ModuleGlobal)),
            (("app:Cache.current", "type", "current", "attribute"), ("app:Cache.current", SharedKind::ClassAttribute)),
            (("app.pages", "dict", "/profile", "item"), ("app.pages[/profile]", SharedKind::CacheEntry)),
            (("app.state", "dict", "email", "item"), ("app.state[email]", SharedKind::ModuleGlobal)),
            (("app.ring", "list", "3", "item"), ("app.ring[3]", SharedKind::ModuleGlobal)),
            (
                ("app.handler.<default buffer>", "list", "", "call"),
                ("app.handler.<default buffer>", SharedKind::DefaultArgument),
            ),
            (("app.make.<closure> last", "cell", "last", "closure"), ("app.make.<closure> last", SharedKind::Closure)),
            (
                ("thread-local app.local", "_thread._local", "user", "attribute"),
                ("thread-local app.local.user", SharedKind::ThreadLocal),
            ),
            (
                ("contextvar app.user", "ContextVar", "", "contextvar"),
                ("contextvar app.user", SharedKind::ContextVariable),
            ),
            (("app.scratch", "bytearray", "0:20", "item"), ("app.scratch[0:20]", SharedKind::Buffer)),
            (("process.email", "map", "email", "item"), ("process.email", SharedKind::ModuleGlobal)),
        ];
        for ((path, type_name, key, manner), (named, kind)) in cases {
            assert_eq!(of(path, type_name, key, manner), (named.to_owned(), kind));
        }
    }
}
