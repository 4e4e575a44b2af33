//! What each class of leak comes from, and where to look for it.

use crate::record::{LeakClass, LeakRecord};

use super::format::list;

/// The class as a heading says it, the likely cause, and where to look; the last two without a full stop.
pub(super) struct Cause {
    pub heading: &'static str,
    pub cause: &'static str,
    pub look: &'static str,
}

/// What a leak is likely to be, and what it cannot be told from: `a (stale_state); cannot tell it from b (cache)`.
pub(super) fn in_words(leak: &LeakRecord) -> String {
    let named = |class: &LeakClass| format!("{} ({})", of(*class).heading, class.name());
    let others: Vec<String> = leak.alternatives.iter().map(named).collect();
    let class = named(&leak.class);
    match (leak.class, others.is_empty()) {
        (_, true) => class,
        (LeakClass::Derived, false) => format!("{class}, which gets about as with {}", list(&others)),
        (_, false) => format!("{class}; cannot tell it from {}", list(&others)),
    }
}

pub(super) fn of(class: LeakClass) -> Cause {
    let (heading, cause, look) = match class {
        LeakClass::SharedSlot => (
            "a slot that all requests share",
            "the handler writes a request's data where all requests see it, waits (an `await`, a sleep, a query), and reads it again; the source wrote there in between",
            "in the handler, at what is written before a wait and read after it: a module global or class attribute (Python), a module variable or an Express `app.locals` (Node), a field of a singleton bean or servlet (Java), a package variable or a field of a shared handler (Go), a thread-local under an event loop. Keep it in a local variable, or in what belongs to the request: `contextvars`, `AsyncLocalStorage`, a request-scoped bean, `context.Context`",
        ),
        LeakClass::NarrowRace => (
            "a race that is open for a moment",
            "two steps that belong together (set and use, check and act) can be interrupted, and another request gets between them",
            "at shared objects that are set up and used in two steps: a shared client whose headers are set before the call (`requests.Session`, go-resty, an axios default), `SimpleDateFormat` and other objects that are not thread-safe (Java), a map or a buffer without a lock (Go: run the tests with `-race`), attributes set on an imported module (Python)",
        ),
        LeakClass::Capacity => (
            "more at once than there are slots",
            "a ring or pool hands out a slot that is still in use, once more requests are in flight than it has slots",
            "at buffers, parsers, workers or request objects that are handed out by an index modulo a size, or returned to a pool too early: arenas and freelists (Node, Go's `sync.Pool` with a `Put` before the last use), an object pool without a check-out (Java), a preallocated list of contexts (Python). The number of requests above tells the size",
        ),
        LeakClass::StaleState => (
            "what an earlier request left behind",
            "a request's data stays in its thread or process, and a later request that sets none of its own reads it",
            "at what is set per request and never reset: `threading.local` (Python), `ThreadLocal` without `remove()` in a `finally`, MDC and `SecurityContextHolder` (Java), a module variable that only some paths assign (Node, Python), a scoped session that is not closed, `Thread.current[...]` (Ruby). Reset it at the start and at the end of every request",
        ),
        LeakClass::StickyFirst => (
            "the first request after the start decides for all",
            "something is made once, lazily, from the first request, and is kept for good",
            "at lazy initialisation inside a handler: `@lru_cache` or `functools.cached_property` on what depends on the request (Python), a client or template built at first use with that user's token (Node), `sync.Once` or a static holder that takes the request (Go, Java). Make it at start-up from configuration, or per request",
        ),
        LeakClass::Cache => (
            "a cache whose key leaves out who asks",
            "equal URLs get one response, although the response depends on who asks; a cache keeps it, or requests that come at once are joined",
            "at cache keys and `Vary`: a proxy or CDN that caches responses with `Set-Cookie` or without `Vary: Cookie, Authorization`, `@cache_page` and Flask-Caching (Python), `Cache-Control: public` on personal pages, `singleflight` or DataLoader keyed by URL alone (Go, Node), `@Cacheable` without the user in its key (Java). Send `Cache-Control: private, no-store`, or put the identity into the key",
        ),
        LeakClass::Pool => (
            "a pooled connection that is off by one response",
            "a request ended early, by its client or by a time-out, and its connection to a backend went back to the pool with a response still to come; the next user of that connection reads it",
            "at clients of databases, caches and services, where a call can be cancelled: `asyncio.CancelledError` inside a Redis or SQL call (redis-py 4.5.1 was such a case), a time-out around `await` without closing the connection, `context` cancellation in a hand-written pool (Go), an abandoned response body in a Java or Node keep-alive agent. A connection whose call did not end must be closed, never returned",
        ),
        LeakClass::ErrorPath => (
            "what a failed request left behind",
            "a handler that fails skips its clean-up, and the next request finds what it left",
            "at error paths: a reset that is not in a `finally` (Java, Python) or a `defer` (Go), a Flask or Django teardown that does not run on exceptions, a middleware that resets only after `next()` returns well (Node), a transaction or session that is not rolled back, an error page that shows the last request",
        ),
        LeakClass::Connection => (
            "state that is kept with the connection",
            "one request's data is kept for as long as its connection, and the next request on that connection, which may be somebody else's behind a proxy, gets it",
            "at what is attached to a socket or to a connection's task: a context variable set in a connection's own task (uvicorn without `--reset-contextvars`), `AsyncLocalStorage.enterWith` and properties on `req.socket` (Node), a login kept in a connection handler (Netty attributes, Go's `ConnContext`), a parser's buffer that is not cleared after a large body. A proxy puts many users on one connection",
        ),
        LeakClass::Desync => (
            "responses in the wrong order or number",
            "client and server disagree on which response belongs to which request of a connection",
            "at the HTTP layer: a server or proxy that handles pipelined requests at once and writes responses as they come, a time-out that writes an error page while the handler still writes its response, a `Content-Length` that does not fit, a body that is not read before the next request. Close the connection after any response that did not end well; look for known faults of the server's version",
        ),
        LeakClass::Residue => (
            "the rest of a longer value in a buffer",
            "a buffer or an object is used again without being cleared, and a shorter value leaves the end of a longer one in it",
            "at pooled buffers and objects: `sync.Pool` without `Reset` (Go), `Buffer.allocUnsafe` (Node), a `bytearray` or `memoryview` that is written in part and sent in whole (Python), a `ByteBuffer` without `clear` and `limit`, `StringBuilder.setLength` (Java), a struct decoded over an earlier one whose missing fields stay",
        ),
        LeakClass::Derived => (
            "what follows from another request's data",
            "the response does not hold another request's value itself, but what was made from it: a masked address, a hash, a link, a language, a length",
            "at values computed from who asks and kept between requests: a locale set for the process or thread (`setlocale`, `translation.activate`, `Locale.setDefault`), a signed link or an ETag from a cache, a template rendered once. The causes are those of the other classes: look at what is shared, cached or left behind",
        ),
    };
    Cause { heading, cause, look }
}
