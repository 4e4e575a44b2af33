//! Commands that misbehave: each gets a clear message and the right exit code; a report if load had begun; and nothing
//! of it is left running.

use std::fs;

use serde_json::json;

use crate::foreign::{command, python, trial};

/// The program could not be started at all: its words, the message, the advice.
// fault: servers: the command is not there, or may not be run -> exit code 3, with the reason and the remedy
#[test]
fn a_command_that_cannot_be_started_says_why() {
    let cases = [
        (r#"["./nowhere"]"#, "cannot start `./nowhere`: there is no such program", "on the PATH"),
        (r#"["surely-no-program"]"#, "cannot start `surely-no-program`: there is no such program", "on the PATH"),
        (r#"["./server.py"]"#, "cannot start `./server.py`: it is not executable", "chmod +x"),
        (r#"["."]"#, "cannot start `.`: it is a folder", "a program in it"),
    ];
    for (words, message, advice) in cases {
        command(words, "").file("server.py", "").run().exit(3).stderr_has(message).stderr_has(advice).no_report();
    }
    let nowhere = command(r#"["true"]"#, "cwd = \"nowhere\"").run().exit(3).no_report();
    nowhere.stderr_has("cannot start `true`: its folder nowhere is not there").stderr_has("server.cwd");
}

#[test]
fn a_script_without_an_interpreter_says_so() {
    use std::os::unix::fs::PermissionsExt as _;
    for (text, message) in
        [("no first line\n", "neither a program nor a script"), ("#!/nowhere\n", "first line (#!) names")]
    {
        let foreign = command(r#"["./server"]"#, "").file("server", text);
        fs::set_permissions(foreign.folder().join("server"), fs::Permissions::from_mode(0o755)).unwrap();
        foreign.run().exit(3).stderr_has(message).no_report();
    }
}

// fault: servers: it exits at once -> exit code 3, with the last lines of its log
#[test]
fn a_server_that_exits_at_once_shows_its_last_lines() {
    python("sys.exit('cannot open the database')", "")
        .run()
        .exit(3)
        .stderr_has("`python3 server.py 127.0.0.1")
        .stderr_has("exited with status 1 before it was ready")
        .stderr_has("server.log: cannot open the database")
        .no_report();
}

// fault: servers: its log is not text -> shown escaped
#[test]
fn garbage_in_the_log_is_shown_without_harm() {
    python(r#"os.write(2, b"\xff\x1b[31mred\x1b[0m" + b"x" * 3000 + b"\nlast\n"); sys.exit(1)"#, "")
        .run()
        .exit(3)
        .stderr_has("red")
        .stderr_has("server.log: last");
}

#[test]
fn a_server_that_exits_well_at_once_is_not_ready_either() {
    python("sys.exit(0)", "").run().exit(3).stderr_has("exited with status 0 before it was ready").no_report();
}

// fault: servers: it never listens -> given up in time; the address that was tried is named
#[test]
fn a_server_that_never_listens_is_given_up() {
    python("time.sleep(600)", "ready = { within = \"300ms\" }")
        .run()
        .exit(3)
        .stderr_has("was not ready within 300ms: nothing listens on 127.0.0.1:")
        .stderr_has("{host} and {port}")
        .no_report();
}

#[test]
fn a_server_that_listens_and_never_answers_is_given_up() {
    python("listener = listen(); time.sleep(600)", "ready = { path = \"/health\", within = \"10s\" }")
        .run()
        .exit(3)
        .stderr_has("was not ready within 10s: GET /health got no response")
        .no_report();
}

#[test]
fn a_server_that_answers_500_is_not_ready() {
    python(
        "serve(lambda connection: answer(connection, status='500 Oops'))",
        "ready = { path = \"/health\", within = \"10s\" }",
    )
    .run()
    .exit(3)
    .stderr_has("was not ready within 10s: GET /health was answered with status 500")
    .stderr_has("`ready.path` must be answered")
    .no_report();
}

// fault: servers: what answers is not HTTP -> not ready, and what came is shown
#[test]
fn a_server_that_answers_garbage_is_not_ready() {
    python(
        "serve(lambda connection: connection.sendall(b'SSH-2.0-hello\\r\\n'))",
        "ready = { path = \"/health\", within = \"10s\" }",
    )
    .run()
    .exit(3)
    .stderr_has("GET /health was answered with something that is not HTTP");
}

// fault: servers: it logs 100 MB -> 16 MiB are kept, and the log says so
#[test]
fn a_log_of_100_mb_is_cut_and_harms_nothing() {
    let outcome = python(
        r#"
for _ in range(100):
    os.write(1, (b"x" * 99 + b"\n") * 10_000)
serve(answers)
"#,
        "",
    )
    .that("errors.count == 0")
    .run()
    .exit(0);
    let log = fs::read(outcome.latest("scenario").join("server.log")).unwrap();
    assert!((16 << 20..17 << 20).contains(&log.len()), "{}", log.len());
    let end = String::from_utf8_lossy(&log[log.len() - 200..]).into_owned();
    assert!(end.contains("the rest is not kept: the log is longer than 16 MiB"), "{end}");
}

// fault: survivors: a server makes a daemon of itself -> found, and ended
#[test]
fn a_daemon_is_found_and_ended() {
    let outcome = python(
        r#"
if os.fork():
    sys.exit(0)
os.setsid()
if os.fork():
    os._exit(0)
open("daemon", "w").write(str(os.getpid()))
serve(answers)
"#,
        "",
    )
    .that("errors.count == 0")
    .run()
    .exit(0);
    assert_eq!(trial(&outcome)["servers"][0]["end"]["type"], "stopped");
    assert!(trial(&outcome)["servers"][0]["rss_peak_bytes"].as_u64().unwrap() > 0);
}

#[test]
fn a_daemon_that_dies_is_missed() {
    let going = python(
        r#"
if os.fork():
    sys.exit(0)
os.setsid()
served = 0
def handle(connection):
    global served
    while answer(connection, delay=0.02):
        served += 1
        if served > 60:
            os._exit(5)
serve(handle)
"#,
        "",
    )
    .set("load.duration=60s")
    .start();
    let outcome = going.wait().exit(3).stdout_has("exited with status 0, and the last it left running");
    assert!(trial(&outcome)["failure"]["message"].as_str().unwrap().contains("exited with status 5"));
}

// fault: survivors: a server ignores TERM -> killed after the grace
#[test]
fn a_server_that_ignores_the_wish_to_stop_is_killed_after_the_grace() {
    let outcome =
        python("signal.signal(signal.SIGTERM, signal.SIG_IGN)\nserve(answers)", "stop = { grace = \"200ms\" }")
            .that("completed > 0")
            .run()
            .exit(0);
    let end = &trial(&outcome)["servers"][0]["end"];
    assert_eq!(
        (&end["type"], &end["killed"], &end["grace_s"]),
        (&json!("killed_after_grace"), &json!(1), &json!(0.2)),
        "{end}"
    );
}

/// Counts requests, and does something to itself in the middle of the load.
fn after_a_while(what: &str) -> String {
    format!(
        r#"
served = 0
def handle(connection):
    global served
    while answer(connection, delay=0.02):
        served += 1
        if served == 100:
            print("that was enough", flush=True)
            {what}
serve(handle)
"#
    )
}

// fault: servers: it dies during the load -> a report of what was measured, when it died and with how many in flight
#[test]
fn a_server_that_dies_in_mid_load_ends_it_with_a_report() {
    let outcome = python(&after_a_while("os._exit(7)"), "").set("load.duration=60s").run().exit(3);
    let trial = trial(&outcome);
    let message = trial["failure"]["message"].as_str().unwrap();
    assert!(message.contains("the server (process ") && message.contains("exited with status 7 after "), "{message}");
    assert!(message.contains(" in flight"), "{message}");
    assert!(trial["failure"]["log_tail"].to_string().contains("that was enough"), "{}", trial["failure"]);
    assert!(trial["load"]["completed"].as_u64().unwrap() > 50 && outcome.report("scenario").contains("status 7"));
    assert_eq!(outcome.record("scenario")["status"], "could_not_run");
    outcome.stdout_has("exited with status 7");
}

// fault: servers: it is stopped by a signal during the load -> noticed; a report
#[test]
fn a_server_that_is_stopped_in_mid_load_ends_it_with_a_report() {
    let outcome = python(&after_a_while("os.kill(os.getpid(), signal.SIGSTOP)"), "stop = { grace = \"300s\" }")
        .set("load.duration=300s")
        .run()
        .exit(3)
        .stdout_has("was stopped by a signal (state T)");
    assert!(trial(&outcome)["load"]["completed"].as_u64().unwrap() > 50);
    assert_eq!(trial(&outcome)["servers"][0]["end"]["type"], "stopped");
}

/// The kinds of failure that a program provokes; with the rule that every request succeeds, the run fails.
fn fails_with(program: &str, kind: &str) {
    let outcome = python(program, "")
        .set("load.timeout=200ms")
        .that("errors.rate < 1%")
        .run()
        .exit(1)
        .stdout_has("errors.rate < 1%");
    let load = &trial(&outcome)["load"];
    assert!(load["errors"][kind].as_u64().unwrap() > 0, "{kind}: {}", load["errors"]);
    assert_eq!(load["completed"], 0, "{kind}");
    assert!(outcome.report("scenario").contains(kind), "{kind}");
}

// fault: servers: it closes every connection -> counted as `errors.closed`
#[test]
fn a_server_that_closes_every_connection_makes_errors_closed() {
    fails_with("serve(lambda connection: (time.sleep(0.01), connection.close()))", "closed");
}

// fault: servers: it answers what is no HTTP -> counted as `errors.protocol`
#[test]
fn a_server_that_answers_garbage_makes_errors_protocol() {
    fails_with("serve(lambda connection: (connection.recv(4096), connection.sendall(b'@@@ what?\\r\\n')))", "protocol");
}

// fault: servers: a body that never ends -> counted as `errors.timeout`
#[test]
fn a_body_without_an_end_makes_errors_timeout() {
    fails_with(
        r#"
def handle(connection):
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")
serve(handle)
"#,
        "timeout",
    );
}

// fault: servers: headers that never end -> bounded; counted as `errors.protocol`
#[test]
fn headers_without_an_end_make_errors_protocol() {
    fails_with(
        r#"
def handle(connection):
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"x-more: " + b"y" * 4096 + b"\r\n")
serve(handle)
"#,
        "protocol",
    );
}
