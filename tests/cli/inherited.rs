//! What runner takes over from whoever starts it, and what the system refuses it.

use crate::harness::{Outcome, Runner};

const BUILT_IN: &str = r#"
    [server]
    mode = "async"
    [load]
    path        = "/health"
    concurrency = 1
    requests    = 50
    [assert]
    that = ["server.rss.max < 100kB"]
"#;

const COMMAND: &str = r#"
    [server]
    setup   = "true"
    command = ["python3", "server.py", "{port}"]
    stop    = { grace = "300ms" }
    [load]
    path        = "/"
    concurrency = 1
    requests    = 50
"#;

/// Answers so many requests, and ends; it does not end when it is asked to.
const SERVER: &str = "
import signal, socket, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
listener = socket.create_server(('127.0.0.1', int(sys.argv[1])))
left = LEFT
while left > 0:
    connection, _ = listener.accept()
    while connection.recv(65536):
        left -= 1
        connection.sendall(b'HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\n\\r\\nok')
        if left <= 0: sys.exit(3)
";

fn command(answers: &str) -> Runner {
    Runner::with(COMMAND).file("server.py", &SERVER.replace("LEFT", answers))
}

/// A shell that does something, and becomes what follows.
fn shell(does: &'static str) -> [&'static str; 4] {
    let line: &'static str = Box::leak(format!("{does}; exec \"$@\"").into_boxed_str());
    ["sh", "-c", line, "sh"]
}

// fault: processes: the ends of children are ignored (SIGCHLD) -> a dead server is noticed, a set-up ends
#[test]
fn children_are_known_to_have_ended_although_the_parent_had_that_ignored() {
    let ignored = shell("trap '' CHLD");
    command("7").started_by(&ignored).run().exit(3).stdout_has("exited with status 3");
    command("1e9").started_by(&ignored).run().exit(0);
    Runner::with(BUILT_IN).set("assert.that=[]").started_by(&ignored).run().exit(0);
}

// fault: processes: HUP, INT or QUIT is ignored, as under `nohup` -> it stays ignored
#[test]
fn signals_that_were_ignored_stay_ignored_and_others_do_not() {
    let scenario = BUILT_IN.replace("requests    = 50", "duration = \"1500ms\"");
    for (ignored, sent, code) in [("HUP", "HUP", 0), ("INT", "INT", 0), ("QUIT", "QUIT", 0), ("HUP", "INT", 130)] {
        let line: &'static str = Box::leak(format!("trap '' {ignored}").into_boxed_str());
        let running = Runner::with(&scenario).set("assert.that=[]").started_by(&shell(line)).start();
        running.wait_for_requests();
        running.signal(sent);
        running.wait().exit(code);
    }
}

// fault: reports: INT and TERM within milliseconds, or QUIT -> an orderly end, with a report
#[test]
fn signals_that_come_together_ask_for_one_orderly_end() {
    for sent in [&["INT", "TERM"][..], &["TERM", "INT", "HUP"], &["INT", "INT"], &["QUIT"]] {
        let running = Runner::with(BUILT_IN).set("load.requests=100000000").start();
        running.wait_for_requests();
        sent.iter().for_each(|name| running.signal(name));
        let outcome = running.wait().exit(130).stdout_has("INTERRUPTED");
        assert_eq!(outcome.record("scenario")["status"], "interrupted", "{sent:?}");
    }
}

// fault: processes: files may not grow (`ulimit -f`) -> what was measured is shown; exit code 3, with the remedy
#[test]
fn a_file_that_may_not_grow_is_said_and_what_was_measured_is_shown() {
    for limit in ["0", "1"] {
        let line: &'static str = Box::leak(format!("ulimit -f {limit}").into_boxed_str());
        for runner in [command("1e9"), Runner::with(BUILT_IN)] {
            let outcome = runner.started_by(&shell(line)).run().exit(3).stderr_has("ulimit -f").no_report();
            assert!(outcome.stdout.contains("50 answered"), "{}", outcome.stdout);
        }
    }
}

// fault: processes: the log may not grow as far as the server speaks -> the server is served on
#[test]
fn a_server_whose_log_may_not_grow_is_served_on() {
    let shouts = SERVER.replace("left = LEFT", "left = 1e9\nprint('x' * 3_000_000, flush=True)");
    let runner = Runner::with(COMMAND).file("server.py", &shouts).started_by(&shell("ulimit -f 2048"));
    let outcome = runner.run();
    assert!(outcome.stdout.contains("50 answered"), "{}{}", outcome.stdout, outcome.stderr);
}

/// Runs where `/proc` shows other processes, or none; nothing where this machine does not let one do so.
fn without_proc(runner: impl Fn() -> Runner, judge: impl Fn(Outcome)) {
    const FOREIGN: &[&str] = &["unshare", "--map-root-user", "-pf", "--kill-child"];
    const MISSING: &[&str] =
        &["unshare", "--map-root-user", "-m", "sh", "-c", "mount -t tmpfs none /proc && exec \"$@\"", "sh"];
    for words in [FOREIGN, MISSING] {
        let allowed = std::process::Command::new(words[0]).args(&words[1..]).arg("true").output();
        if allowed.is_ok_and(|output| output.status.success()) {
            judge(runner().started_by(words).run());
        }
    }
}

// fault: processes: `/proc` is missing, or shows other processes -> metrics without samples, and a caveat
#[test]
fn where_proc_is_of_no_use_nothing_is_measured_and_that_is_said() {
    without_proc(
        || Runner::with(BUILT_IN),
        |outcome| {
            let outcome = outcome.exit(4).stdout_has("no samples").stdout_has("not measured");
            let record = outcome.record("scenario");
            let trial = &record["variants"][0]["trials"][0];
            assert_eq!(trial["servers"][0]["samples"].as_array().unwrap().len(), 0);
            let caveats = record["variants"][0]["caveats"].to_string();
            assert!(caveats.contains("nothing is known of what the server used"), "{caveats}");
        },
    );
}

// fault: processes: the same, with a command -> it is stopped as ever; nobody else is signalled
#[test]
fn where_proc_is_of_no_use_a_command_is_stopped_all_the_same_and_nobody_else_is_signalled() {
    without_proc(
        || command("1e9"),
        |outcome| {
            outcome.exit(0).stdout_has("killed after the grace of 300ms");
        },
    );
}
