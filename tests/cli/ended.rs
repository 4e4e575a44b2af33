//! Runs against a foreign server that somebody ends: the user, the system, or the server's own parts.

use std::fs;
use std::net::TcpListener;

use crate::foreign::{command, python, trial};
use crate::harness::{children, is_running, signal, wait_for};

const SERVES: &str = "serve(answers)";
const NEVER_READY: &str = "open('here', 'w').write(str(os.getpid()))\ntime.sleep(600)";
const LONG_WAIT: &str = "ready = { within = \"300s\" }";

// fault: endless: Ctrl-C while a server gets ready -> the run ends
#[test]
fn ctrl_c_while_a_server_gets_ready_ends_the_run() {
    for ready in
        [LONG_WAIT, "ready = { path = \"/\", within = \"300s\" }", "ready = { log = \"up\", within = \"300s\" }"]
    {
        let going = python(NEVER_READY, ready).start();
        going.wait_for_file("here");
        going.running.signal("INT");
        going.wait().exit(130).stderr_has("interrupted before anything was measured").no_report();
    }
}

#[test]
fn ctrl_c_while_a_server_is_silent_ends_the_run() {
    let program = "listener = listen()\nkept = listener.accept()\nopen('here', 'w').write('x')\ntime.sleep(600)";
    let going = python(program, "ready = { path = \"/health\", within = \"300s\" }").start();
    going.wait_for_file("here");
    going.running.signal("TERM");
    going.wait().exit(130).no_report();
}

// fault: endless: Ctrl-C during `setup` -> it and all below it end
#[test]
fn ctrl_c_during_a_set_up_ends_it() {
    let going = python(SERVES, "setup = \"echo x > here; sleep 600 & sleep 600\"").start();
    going.wait_for_file("here");
    going.running.signal("INT");
    going.wait().exit(130).stderr_has("interrupted before anything was measured").no_report();
}

#[test]
fn nothing_survives_a_kill_of_runner_while_a_server_gets_ready() {
    let going = python(NEVER_READY, LONG_WAIT).start();
    going.wait_for_file("here");
    going.running.signal("KILL");
    assert_eq!(going.wait().code, None);
}

#[test]
fn nothing_survives_a_kill_of_runner_during_a_set_up() {
    let going = python(SERVES, "setup = \"echo x > here; setsid sleep 600 & sleep 600\"").start();
    going.wait_for_file("here");
    going.running.signal("KILL");
    assert_eq!(going.wait().code, None);
}

// fault: survivors: runner is killed during the load -> nothing that it started is left
#[test]
fn nothing_survives_a_kill_of_runner_during_load() {
    let daemon = "if os.fork() == 0:\n    os.setsid()\n    time.sleep(600)\nserve(answers)";
    let going = python(daemon, "").set("load.duration=300s").start();
    going.running.wait_for_requests();
    going.running.signal("KILL");
    assert_eq!(going.wait().code, None);
}

/// The supervisor is the only process that runner starts itself.
fn kill_the_supervisor(runner: u32) -> u32 {
    let supervisor = wait_for("the supervisor", || children(runner).first().copied());
    signal(supervisor, "KILL");
    supervisor
}

// fault: survivors: the process between runner and the server is killed -> nothing is left; exit code 3
#[test]
fn a_supervisor_that_is_killed_during_load_takes_nothing_out_of_sight() {
    let daemon = "if os.fork() == 0:\n    os.setsid()\n    time.sleep(600)\nserve(answers)";
    let going = python(daemon, "").set("load.duration=300s").start();
    going.running.wait_for_requests();
    let supervisor = kill_the_supervisor(going.running.pid());
    let outcome = going.wait().exit(3).stdout_has("lost its supervisor");
    let message = trial(&outcome)["failure"]["message"].as_str().unwrap().to_owned();
    assert!(
        message.contains(&format!("(process {supervisor}), which was killed by signal 9 (KILL) after ")),
        "{message}"
    );
}

#[test]
fn a_supervisor_that_is_killed_while_a_server_gets_ready_takes_nothing_out_of_sight() {
    let going = python(NEVER_READY, LONG_WAIT).start();
    going.wait_for_file("here");
    kill_the_supervisor(going.running.pid());
    going.wait().exit(3).stderr_has("lost its supervisor").stderr_has("(KILL) before it was ready").no_report();
}

#[test]
fn a_set_up_that_fails_shows_its_last_lines() {
    python(SERVES, "setup = \"echo no network today; exit 4\"")
        .run()
        .exit(3)
        .stderr_has("the set-up `echo no network today; exit 4` exited with status 4")
        .stderr_has("server.log: no network today")
        .stderr_has("run it by hand")
        .no_report();
}

#[test]
fn a_set_up_runs_once_and_leaves_nothing_running() {
    // In a folder of its own, in which nothing changes but by the set-up.
    let server = "cwd = \"app\"\nsetup = \"printf x >> .count; sleep 600 &\"\n[matrix]\nrepeats = 2";
    let foreign = python(SERVES, server).set("server.command=[\"python3\", \"../server.py\", \"{host}\", \"{port}\"]");
    let outcome = foreign.file("app/requirements.txt", "").that("errors.count == 0").run().exit(0);
    assert_eq!(fs::read_to_string(outcome.folder.path().join("app/.count")).unwrap(), "x");
}

#[test]
fn a_failure_quotes_only_the_server_at_hand() {
    let program = r#"
if os.path.exists("second"):
    sys.exit("the second gives up")
open("second", "w").close()
print("the first is up", flush=True)
serve(answers)
"#;
    let outcome = python(program, "[matrix]\nrepeats = 2").run().exit(3).stdout_has("the second gives up");
    let record = outcome.record("scenario");
    let tail = record["variants"][0]["trials"][1]["failure"]["log_tail"].to_string();
    assert!(tail.contains("the second gives up") && !tail.contains("the first"), "{tail}");
}

#[test]
fn a_log_line_of_an_earlier_server_makes_none_ready() {
    let program = r#"
if not os.path.exists("second"):
    open("second", "w").close()
    listener = listen()
    print("listening", flush=True)
    serve(answers, listener)
time.sleep(0.3)
sys.exit(9)
"#;
    let server = "ready = { log = \"^listening$\" }\n[matrix]\nrepeats = 2";
    python(program, server).run().exit(3).stdout_has("exited with status 9 before it was ready");
}

// fault: servers: a worker dies and its master goes on -> an event in the report
#[test]
fn a_worker_that_dies_under_its_master_is_told_and_the_run_goes_on() {
    let program = r#"
listener = listen()
def asked(connection):
    if connection.recv(1, socket.MSG_PEEK):
        open("asked", "w").close()
    answers(connection)
def work(weak):
    child = os.fork()
    if child == 0:
        if weak:
            while not os.path.exists("asked"):
                time.sleep(0.01)
            time.sleep(1)
            os._exit(1)
        serve(asked, listener)
    return child
work(False)
weak = work(True)
open("weak", "w").write(str(weak))
os.waitpid(weak, 0)
time.sleep(600)
"#;
    let going = python(program, "").set("load.duration=2s").that("errors.count == 0").start();
    let weak = going.wait_for_file("weak");
    let outcome = going.wait().exit(0);
    let events = &trial(&outcome)["servers"][0]["events"];
    let end = events.as_array().unwrap().iter().find(|event| event["pid"].as_u64() == weak.trim().parse().ok());
    // Its master has reaped it.
    assert!(end.is_some_and(|end| end["exit"] == "unknown" && end["process"] == "child"), "{events}");
}

// fault: owners: the port is in use -> said before anything is started
#[test]
fn a_port_in_use_is_named_before_the_command_starts() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port();
    let outcome = command(r#"["sh", "-c", "touch started"]"#, &format!("port = {port}")).run();
    let outcome = outcome.exit(3).stderr_has(&format!("port {port} on 127.0.0.1 is in use")).no_report();
    assert!(!outcome.folder.path().join("started").exists());
}

#[test]
fn a_server_that_is_up_is_loaded_and_left_as_it_was() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let folder = tempfile::tempdir().unwrap();
    let mut server = std::process::Command::new("python3")
        .args(["-m", "http.server", "--bind", "127.0.0.1", &port.to_string()])
        .current_dir(folder.path())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    wait_for("the server", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    let attached =
        |url: &str| format!("[server]\nurl = \"{url}\"\n[load]\npath = \"/\"\nconcurrency = 2\nduration = \"300ms\"\n");
    let scenario = attached(&format!("http://127.0.0.1:{port}")) + "[assert]\nthat = [\"status.200 > 0\"]\n";
    let outcome = crate::harness::Runner::with(&scenario).run().exit(0);
    assert_eq!(trial(&outcome)["servers"][0]["end"]["type"], "left_running");
    assert!(is_running(server.id()));
    server.kill().unwrap();
    server.wait().unwrap();
    let gone = crate::harness::Runner::with(&scenario).run().exit(3).no_report();
    gone.stderr_has(&format!("nothing answers on 127.0.0.1:{port}")).stderr_has("start it first");
    let elsewhere = crate::harness::Runner::with(&attached("http://192.0.2.1:80")).run().exit(3).no_report();
    elsewhere.stderr_has("192.0.2.1:80 is no loopback address").stderr_has("--allow-host 192.0.2.1");
}

#[test]
fn what_runner_stops_itself_is_no_event() {
    let program = r#"
listener = listen()
if os.fork() == 0:
    serve(answers, listener)
serve(answers, listener)
"#;
    let outcome = python(program, "").run().exit(0);
    assert_eq!(trial(&outcome)["servers"][0]["end"]["type"], "stopped");
    assert_eq!(trial(&outcome)["servers"][0]["events"].to_string(), "[]");
}

/// Tells of the signal that ends it, and has something to tidy up; then what it is.
const TIDIES: &str = "def tidy(*_):\n    time.sleep(0.2)\n    open('tidied', 'w').write('yes')\n    os._exit(0)\n\
                      signal.signal(signal.SIGINT, tidy)\nopen('here', 'w').write(str(os.getpid()))\n";
const ASKED: &str = "stop = { signal = \"INT\", grace = \"60s\" }\n";

fn tidied(folder: &std::path::Path) {
    wait_for("the server's own end", || fs::read_to_string(folder.join("tidied")).ok().filter(|text| text == "yes"));
}

// fault: processes: Ctrl-C while a server gets ready -> the server gets its stop signal and the grace, not KILL
#[test]
fn a_server_that_gets_ready_is_stopped_in_order_by_ctrl_c() {
    let going = python(&format!("{TIDIES}time.sleep(600)"), &format!("{ASKED}{LONG_WAIT}")).start();
    going.wait_for_file("here");
    going.running.signal("INT");
    tidied(going.wait().exit(130).folder.path());
}

// fault: processes: a server is not ready in time -> it gets its stop signal and the grace, not KILL
#[test]
fn a_server_that_never_gets_ready_is_stopped_in_order() {
    let outcome =
        python(&format!("{TIDIES}time.sleep(600)"), &format!("{ASKED}ready = {{ within = \"2s\" }}")).run().exit(3);
    tidied(outcome.folder.path());
}

// fault: processes: the program ends while it gets ready, and leaves a child -> the child gets the stop signal and the grace
#[test]
fn what_a_failed_start_leaves_is_stopped_in_order() {
    let program = format!("if os.fork() == 0:\n    exec({TIDIES:?})\n    time.sleep(600)\n")
        + "while not os.path.exists('here'):\n    time.sleep(0.01)\nsys.exit(7)";
    let outcome = python(&program, &format!("{ASKED}{LONG_WAIT}")).run().exit(3);
    tidied(outcome.folder.path());
}

// fault: processes: Ctrl-C during `setup` -> what it has started gets the stop signal and the grace
#[test]
fn a_set_up_is_stopped_in_order_by_ctrl_c() {
    let setup = "setup = \"trap 'echo yes > tidied; exit' TERM; echo x > here; sleep 600 & wait\"";
    let going = python(SERVES, setup).start();
    going.wait_for_file("here");
    going.running.signal("INT");
    let folder = going.wait().exit(130).folder;
    assert!(fs::read_to_string(folder.path().join("tidied")).is_ok_and(|text| text.trim() == "yes"));
}

// fault: processes: runner is killed -> the server gets its stop signal and the grace, and is killed where it does not obey
#[test]
fn a_server_is_stopped_in_order_after_a_kill_of_runner() {
    let going = python(&format!("{TIDIES}serve(answers)"), ASKED).set("load.duration=300s").start();
    going.running.wait_for_requests();
    going.running.signal("KILL");
    let outcome = going.wait();
    assert_eq!(outcome.code, None);
    tidied(outcome.folder.path());

    let ignores = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nserve(answers)";
    let going = python(ignores, "stop = { grace = \"300ms\" }").set("load.duration=300s").start();
    going.running.wait_for_requests();
    going.running.signal("KILL");
    assert_eq!(going.wait().code, None);
}
