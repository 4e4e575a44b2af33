//! What to do about a shared object, by its kind, with a small before and after in the language of the server.

use crate::record::{LeakClass, LocationRecord, SharedKind};

/// A remedy: a paragraph without its last full stop, and code.
pub(super) struct Remedy {
    pub text: &'static str,
    /// The name of the language for a fence, code as it is, and code as it should be.
    pub code: Option<(&'static str, &'static str, &'static str)>,
}

/// The remedy for what was located; `None` where nothing is known of the object.
pub(super) fn of(located: &LocationRecord, class: LeakClass) -> Option<Remedy> {
    let kind = located.kind?;
    let kind = match (kind, class) {
        // Where a map keeps what a request asked for, its key is what is wrong.
        (SharedKind::ModuleGlobal | SharedKind::Object, LeakClass::Cache) => SharedKind::CacheEntry,
        (SharedKind::ModuleGlobal | SharedKind::Object, LeakClass::Residue) => SharedKind::Buffer,
        _ => kind,
    };
    let code = match located.language.as_deref() {
        Some("python") => Some(("python", python(kind))),
        Some("node") => Some(("js", node(kind))),
        Some("rhai") => rhai(kind).map(|pair| ("rust", pair)),
        _ => None,
    };
    let text = match (located.language.as_deref(), kind) {
        (Some("rhai"), SharedKind::ModuleGlobal | SharedKind::Object) => PROCESS_STATE,
        _ => text(kind),
    };
    Some(Remedy { text, code: code.map(|(language, (before, after))| (language, before, after)) })
}

/// Of handlers.
const PROCESS_STATE: &str = "all requests of a worker share what is in `process`. Keep the value in a local variable, and hand it on as an argument";

const fn text(kind: SharedKind) -> &'static str {
    match kind {
        SharedKind::ModuleGlobal => {
            "a module is loaded once, and all requests share its variables and what they hold. Keep the value in a local variable and hand it on as an argument, or keep it with the request"
        }
        SharedKind::ClassAttribute => {
            "an attribute of a class is one for all of its instances. Make it one of the instance, and the instance one of the request"
        }
        SharedKind::DefaultArgument => {
            "a default argument is made once, when the function is defined, and all calls share it. Make a new one in each call"
        }
        SharedKind::Closure => {
            "a variable that a function closes over is made once, when the outer function runs, and all calls of the inner one share it. Make it in the inner function"
        }
        SharedKind::ThreadLocal => {
            "under an event loop all requests run in one thread, and under a pool of threads one after the other in the same: what a thread keeps is no request's own. Use what follows the request, and set it anew in each"
        }
        SharedKind::ContextVariable => {
            "a context variable follows the flow of execution in which it was set: set outside of a request's own task, by a connection's or at start-up, it is seen by all that come from there. Set it inside the request, and reset it at its end"
        }
        SharedKind::CacheEntry => {
            "equal keys get one entry, and the key leaves out who asks. Put all that the value depends on into the key, or do not keep what is personal"
        }
        SharedKind::Buffer => {
            "a buffer that is filled again still holds the end of what was longer, and is sent while another fills it. Take a new one for each request, or send no more than was written, as a copy"
        }
        SharedKind::StatefulCallee => {
            "between the two lines something keeps a value from one call to the next: a memoized function, a pool, a queue, a client with its connection. Let nothing that depends on who asks be memoized; give a connection to one request until its answer has been read whole, and close it where a call was cut short"
        }
        SharedKind::Object => {
            "both requests reached one object. Make one for each request, and hand it on as an argument"
        }
    }
}

const fn python(kind: SharedKind) -> (&'static str, &'static str) {
    match kind {
        SharedKind::ModuleGlobal | SharedKind::Object => (
            "async def view(request):\n    shared.email = request.args[\"email\"]\n    await work()\n    return page(shared.email)",
            "async def view(request):\n    email = request.args[\"email\"]\n    await work()\n    return page(email)",
        ),
        SharedKind::ClassAttribute => (
            "class Page:\n    user = None\n\n    def load(self, user):\n        Page.user = user",
            "class Page:\n    def __init__(self, user):\n        self.user = user",
        ),
        SharedKind::DefaultArgument => (
            "def collect(item, found=[]):\n    found.append(item)\n    return found",
            "def collect(item, found=None):\n    found = [] if found is None else found\n    found.append(item)\n    return found",
        ),
        SharedKind::Closure => (
            "def make():\n    last = None\n    async def view(request):\n        nonlocal last\n        last = request.args[\"email\"]\n        await work()\n        return page(last)\n    return view",
            "def make():\n    async def view(request):\n        last = request.args[\"email\"]\n        await work()\n        return page(last)\n    return view",
        ),
        SharedKind::ThreadLocal => (
            "local = threading.local()\n\nasync def view(request):\n    local.user = request.user\n    await work()\n    return page(local.user)",
            "current = contextvars.ContextVar(\"current\")\n\nasync def view(request):\n    current.set(request.user)\n    await work()\n    return page(current.get())",
        ),
        SharedKind::ContextVariable => (
            "async def connection(stream):\n    user.set(await login(stream))\n    async for request in stream:\n        await view(request)",
            "async def view(request):\n    token = user.set(who_asks(request))\n    try:\n        return await answer(request)\n    finally:\n        user.reset(token)",
        ),
        SharedKind::CacheEntry => {
            ("page = cache.get(request.path)", "page = cache.get((request.path, request.user.id))")
        }
        SharedKind::Buffer => ("buffer[:len(data)] = data\nsend(buffer)", "send(bytes(data))"),
        SharedKind::StatefulCallee => (
            "@functools.lru_cache\ndef profile():\n    return load(current_user())",
            "@functools.lru_cache\ndef profile(user_id):\n    return load(user_id)",
        ),
    }
}

const fn node(kind: SharedKind) -> (&'static str, &'static str) {
    match kind {
        SharedKind::ModuleGlobal | SharedKind::Object | SharedKind::DefaultArgument => (
            "let email;\nasync function view(request) {\n  email = request.query.email;\n  await work();\n  return page(email);\n}",
            "async function view(request) {\n  const email = request.query.email;\n  await work();\n  return page(email);\n}",
        ),
        SharedKind::ClassAttribute => (
            "class Page {\n  static user;\n  load(user) { Page.user = user; }\n}",
            "class Page {\n  constructor(user) { this.user = user; }\n}",
        ),
        SharedKind::Closure => (
            "function make() {\n  let last;\n  return async (request) => { last = request.query.email; await work(); return page(last); };\n}",
            "function make() {\n  return async (request) => { const last = request.query.email; await work(); return page(last); };\n}",
        ),
        SharedKind::ThreadLocal | SharedKind::ContextVariable => (
            "storage.enterWith({ user });\nawait handle(request);",
            "await storage.run({ user }, () => handle(request));",
        ),
        SharedKind::CacheEntry => {
            ("const page = cache.get(request.url);", "const page = cache.get(`${request.user.id} ${request.url}`);")
        }
        SharedKind::Buffer => ("buffer.write(text);\nresponse.end(buffer);", "response.end(Buffer.from(text));"),
        SharedKind::StatefulCallee => (
            "const client = await pool.take();\nconst answer = await withTimeout(client.ask(question));\npool.giveBack(client);",
            "const client = await pool.take();\ntry {\n  const answer = await withTimeout(client.ask(question));\n  pool.giveBack(client);\n} catch (error) {\n  client.destroy(); // its answer may still come\n  throw error;\n}",
        ),
    }
}

/// Of handlers: what they share is said by its name.
const fn rhai(kind: SharedKind) -> Option<(&'static str, &'static str)> {
    Some(match kind {
        SharedKind::ModuleGlobal | SharedKind::Object => (
            "process.email = request.query.email;\nsleep(100);\nprocess.email",
            "let email = request.query.email;\nsleep(100);\nemail",
        ),
        SharedKind::ThreadLocal => (
            "thread.email = request.query.email;\nsleep(100);\nthread.email",
            "let email = request.query.email;\nsleep(100);\nemail",
        ),
        SharedKind::ContextVariable => (
            "context.email = request.query.email;\nsleep(100);\ncontext.email",
            "let email = request.query.email;\nsleep(100);\nemail",
        ),
        SharedKind::CacheEntry => ("process.pages[request.path]", "process.pages[request.path + request.query.email]"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [SharedKind; 10] = [
        SharedKind::ModuleGlobal,
        SharedKind::ClassAttribute,
        SharedKind::DefaultArgument,
        SharedKind::Closure,
        SharedKind::ThreadLocal,
        SharedKind::ContextVariable,
        SharedKind::CacheEntry,
        SharedKind::Buffer,
        SharedKind::StatefulCallee,
        SharedKind::Object,
    ];

    #[test]
    fn each_kind_of_object_has_a_remedy_with_code_that_changes_something() {
        for kind in KINDS {
            assert!(!text(kind).ends_with('.') && text(kind).is_ascii(), "{kind:?}");
            for (before, after) in [python(kind), node(kind)].into_iter().chain(rhai(kind)) {
                assert_ne!(before, after, "{kind:?}");
            }
        }
    }
}
