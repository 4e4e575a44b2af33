//! The commented scenario that `runner new` starts people with.

/// A scenario's file and its handlers' file (`handlers/NAME.rhai` beside it).
pub fn new_scenario(name: &str) -> (String, String) {
    (SCENARIO.replace("NAME", name), HANDLERS.replace("NAME", name))
}

const SCENARIO: &str = r##"# Run it:       runner NAME.toml
# Only check it: runner check NAME.toml
about = "How does /work/ hold under load, and does it keep its users apart?"

[server]
mode    = "async"                   # sync, threaded, async, async_pool or async_blocking
workers = 1                         # processes
script  = "handlers/NAME.rhai"      # the handlers, in every mode the same
# Or your own server, on a free port:
# command = ["gunicorn", "--workers", "{workers}", "--bind", "{host}:{port}", "app:app"]
# ready   = { path = "/health", within = "20s" }

[load]                              # users who each wait for their answer
path        = "/work/?sleep={sleep}&email={canary}"
sleep       = "20ms"                # fills {sleep}
concurrency = 50
duration    = "5s"
warmup      = "500ms"               # left out of every figure
timeout     = "2s"

[dirty]                             # does a value of one request turn up in the response to another?
path   = "/work/?sleep={sleep}&email={canary}"
sleep  = { long = "200ms", short = "10ms" }
expect = "clean"
time   = "10s"

[assert]
that = [
  "latency.p99 < 250ms",
  "errors.count == 0",
  "dirty.leaks == 0",
]

# Run every combination, and compare:
# [matrix]
# "server.mode"      = ["sync", "threaded", "async"]
# "load.concurrency" = [10, 50]
# repeats            = 3
"##;

const HANDLERS: &str = r#"// Handlers of NAME.toml: `fn work(request)` answers /work/.

fn work(request) {
    let email = request.query.email;    // process.email instead would be shared by all requests of a worker
    sleep(request.query.sleep);         // other requests run here in async mode
    `<p>Hello, ${email}</p>`
}
"#;
