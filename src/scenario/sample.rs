//! The commented scenario that `runner new` starts people with.

/// A scenario's file and its handlers' file (`handlers/NAME.rhai` beside it).
pub fn new_scenario(name: &str) -> (String, String) {
    (SCENARIO.replace("NAME", name), HANDLERS.replace("NAME", name))
}

const SCENARIO: &str = r##"# Run it:          runner NAME.toml
# Only check it:   runner check NAME.toml
# Look at it:      runner serve NAME.toml, and open the addresses that it lists
about = "How does /work/ hold under load, and does it keep its users apart?"

[server]
mode    = "async"                   # sync, threaded, async, async_pool or async_blocking
workers = 1                         # processes
script  = "handlers/NAME.rhai"      # the handlers, in every mode the same
# Or your own server, on a free port:
# command = ["gunicorn", "--workers", "{workers}", "--bind", "{host}:{port}", "app:app"]
# ready   = { path = "/health", within = "20s" }

[load]                              # users who each wait for their response
path        = "/work/?sleep={sleep}&email={canary}"
sleep       = "20ms"                # fills {sleep}
concurrency = 50
duration    = "5s"
warmup      = "500ms"               # left out of every figure
timeout     = "2s"

[dirty]                             # does a value of one request turn up in the response to another?
path   = "/work/?sleep={sleep}&email={canary}"     # try /careless/ instead, and see it fail
sleep  = { long = "200ms", short = "10ms" }
expect = "clean"
time   = "10s"

[assert]
that = [
  "latency.p99 < 1s",
  "errors.count == 0",
  "dirty.leaks == 0",
]

# Run every combination, and compare:
# [matrix]
# "server.mode"      = ["sync", "threaded", "async"]
# "load.concurrency" = [10, 50]
# repeats            = 3
"##;

const HANDLERS: &str = r##"// Handlers of NAME.toml. `fn work(request)` answers /work/, and so on: any function of one parameter.
// All functions there are: `runner definitions` writes them down for editors.

// GET /work/?sleep=20ms&email=ann
fn work(request) {
    let email = request.query.email;        // a variable: this call's alone
    context.began = now();                  // a context variable: this call's, in all functions that it calls
    sleep(request.query.sleep);             // in async mode, other requests run here; else it blocks
    count();
    `<p>Hello, ${email}</p>`                // a text is a page with status 200
}

// A function without the one parameter is for the others here to call.
fn count() {
    process.answered = (process.answered ?? 0) + 1;     // shared by all requests of a worker process
    thread.busy = (thread.busy ?? 0.0) + now() - context.began;     // shared by the requests of a thread
}

// GET /careless/?sleep=20ms&email=ann: the same page, with the e-mail where every request of the worker can write it.
fn careless(request) {
    process.email = request.query.email;
    sleep(request.query.sleep);             // whoever comes meanwhile writes theirs
    `<p>Hello, ${process.email}</p>`
}

// GET /stats/: a map is JSON, as is an array.
fn stats(request) {
    #{ answered: process.answered ?? 0, busy_seconds: thread.busy ?? 0.0 }
}

// What no other function answers. `respond` makes a response with a status, a body, headers and cookies.
fn handle(request) {
    respond(404, `nothing at ${request.path}`).header("cache-control", "no-store")
}
"##;
