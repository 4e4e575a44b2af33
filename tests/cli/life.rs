//! Lives that end badly: a clear message, the right exit code, a report where one is possible, nothing left running.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::harness::{Outcome, Runner, children, is_running, signal, wait_for, wait_until_gone, walk};

const LONG: &str = r#"
[server]
mode = "async"
workers = 2
[load]
path = "/async_sleep/?sleep=20ms"
concurrency = 4
duration = "60s"
"#;

#[test]
fn no_worker_outlives_a_normal_run() {
    let running = Runner::with(LONG).set("load.duration=500ms").start();
    let workers = running.wait_for_workers(2);
    running.wait().exit(0);
    wait_until_gone(&workers);
}

/// What `ps` shows of a process: its command line, whose words end with zero bytes, and its short name.
fn shown(pid: u32) -> (String, String) {
    let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap();
    (read("cmdline").trim_end_matches('\0').replace('\0', " "), read("comm").trim_end().to_owned())
}

#[test]
fn workers_show_in_ps_what_they_are() {
    let running = Runner::with(LONG).start();
    let workers = running.wait_for_workers(2);
    running.wait_for_requests();
    let mut shown: Vec<_> = workers.iter().map(|pid| shown(*pid)).collect();
    shown.sort();
    let expected = [1, 2].map(|number| format!("runner: worker async {number}/2 of scenario.toml"));
    assert_eq!(shown, expected.map(|title| (title, "runner:worker".to_owned())));
    running.signal("INT");
    running.wait().exit(130);
}

#[test]
fn the_processes_that_look_after_a_launched_server_show_in_ps_what_they_are() {
    let scenario = "[server]\ncommand = [\"sleep\", \"60\"]\nenv = { SECRET = \"hunter2\" }\nready = { log = \"never\" }\n\
                    [load]\npath = \"/\"\nconcurrency = 1\n";
    let running = Runner::with(scenario).start();
    let guard = running.wait_for_workers(1)[0];
    let supervisor = wait_for("a supervisor", || children(guard).first().copied());
    let server = wait_for("a server", || children(supervisor).first().copied());
    wait_for("the program", || (shown(server).0 == "sleep 60").then_some(()));
    let title = |role: &str| format!("runner: {role} of scenario.toml");
    assert_eq!(shown(guard), (title("guard"), "runner:guard".to_owned()));
    assert_eq!(shown(supervisor), (title("supervisor"), "runner:supervis".to_owned()));
    running.signal("INT");
    running.wait().exit(130);
}

#[test]
fn ctrl_c_during_load_leaves_a_report() {
    let running = Runner::with(LONG).start();
    let workers = running.wait_for_workers(2);
    running.wait_for_requests();
    running.signal("INT");
    let outcome = running.wait().exit(130).stderr_has("interrupted");
    let record = outcome.record("scenario");
    assert_eq!(record["status"], "interrupted");
    assert!(record["variants"][0]["trials"][0]["load"]["duration_s"].as_f64().unwrap() < 60.0);
    wait_until_gone(&workers);
}

#[test]
fn ctrl_c_during_a_dirty_check_leaves_a_report() {
    let running = Runner::shipped("clean_in_every_mode").set("dirty.exposures=10000000").set("dirty.time=60s").start();
    let workers = running.wait_for_workers(1);
    running.wait_for_requests();
    running.signal("TERM");
    let outcome = running.wait().exit(130);
    assert_eq!(outcome.record("clean_in_every_mode")["status"], "interrupted");
    wait_until_gone(&workers);
}

#[test]
fn no_worker_survives_a_kill_of_runner() {
    let running = Runner::with(LONG).start();
    let workers = running.wait_for_workers(2);
    running.wait_for_requests();
    running.signal("KILL");
    wait_until_gone(&workers);
    assert_eq!(running.wait().code, None);
}

// fault: survivors: runner is killed while a worker is busy -> the worker ends as well
#[test]
fn not_even_a_worker_that_is_busy_survives() {
    let busy =
        "[server]\nmode = \"sync\"\n[load]\npath = \"/sync_sleep/?sleep=60s\"\nconcurrency = 1\nduration = \"60s\"\n";
    let running = Runner::with(busy).start();
    let workers = running.wait_for_workers(1);
    running.wait_for_requests();
    running.signal("KILL");
    wait_until_gone(&workers);
}

#[test]
fn a_worker_that_is_busy_at_the_end_is_killed_after_the_grace() {
    let busy = "[server]\nmode = \"sync\"\ngrace = \"100ms\"\n[load]\npath = \"/sync_sleep/?sleep=60s\"\nconcurrency = 1\n\
                duration = \"300ms\"\ndrain = \"10ms\"\n";
    let running = Runner::with(busy).start();
    let workers = running.wait_for_workers(1);
    let outcome = running.wait().exit(3).stdout_has("No request was answered, of 1 started");
    let record = outcome.record("scenario");
    let end = &record["variants"][0]["trials"][0]["servers"][0]["end"];
    assert_eq!(end["type"], "killed_after_grace", "{end}");
    assert_eq!((end["killed"].as_u64(), end["of"].as_u64(), end["grace_s"].as_f64()), (Some(1), Some(1), Some(0.1)));
    wait_until_gone(&workers);
}

#[test]
fn a_worker_that_dies_during_load_ends_it_with_a_report() {
    let running = Runner::with(LONG).start();
    let workers = running.wait_for_workers(2);
    running.wait_for_requests();
    signal(workers[0], "KILL");
    let outcome = running.wait().exit(3).stdout_has("was killed by signal 9 (KILL)");
    let record = outcome.record("scenario");
    assert_eq!(record["status"], "could_not_run");
    let trial = &record["variants"][0]["trials"][0];
    assert!(
        trial["failure"]["message"].as_str().unwrap().contains(&format!("worker {}", workers[0])),
        "{}",
        trial["failure"]
    );
    assert!(trial["load"]["started"].as_u64().unwrap() > 0);
    assert!(outcome.report("scenario").contains("was killed by signal 9"));
    wait_until_gone(&workers);
}

// fault: servers: a built-in worker is stopped by a signal -> noticed; a report
#[test]
fn a_worker_that_is_stopped_during_load_ends_it_with_a_report() {
    let running = Runner::with(LONG).start();
    let workers = running.wait_for_workers(2);
    running.wait_for_requests();
    signal(workers[1], "STOP");
    let outcome = running.wait().exit(3).stdout_has(&format!("Worker {} was stopped by a signal", workers[1]));
    assert_eq!(outcome.record("scenario")["status"], "could_not_run");
    wait_until_gone(&workers);
}

#[test]
fn a_port_in_use_is_named_and_nothing_is_left() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port();
    Runner::with(LONG)
        .set(&format!("server.port={port}"))
        .run()
        .exit(3)
        .stderr_has(&format!("port {port} on 127.0.0.1 is in use"))
        .stderr_has("server.port")
        .no_report();
}

#[test]
fn what_stops_a_run_before_anything_is_measured_is_said_once() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port();
    let outcome = Runner::with(LONG).set(&format!("server.port={port}")).set("matrix.repeats=2").run().exit(3);
    assert_eq!(outcome.stderr.matches("is in use").count(), 1, "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("trouble"), "{}", outcome.stderr);
}

#[test]
fn ctrl_c_between_two_trials_is_an_interruption() {
    // The worker is busy when the load of the first trial ends, so that stopping it takes the whole grace.
    let slow_to_stop = "[server]\nmode = \"sync\"\ngrace = \"2s\"\n[load]\npath = \"/sync_sleep/?sleep=60s\"\n\
                        concurrency = 1\nduration = \"200ms\"\ndrain = \"10ms\"\n[matrix]\nrepeats = 2\n";
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("scenario.toml"), slow_to_stop).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_runner"));
    command.args(["--verbose", "scenario.toml"]).current_dir(folder.path()).stdout(Stdio::null());
    let mut child = command.env_remove("RUNNER_REPORTS").stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("load ended")));
    signal(child.id(), "INT");
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    let record = fs::read(folder.path().join("reports/scenario/latest/record.json")).unwrap();
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    assert_eq!(record["status"], "interrupted");
    assert_eq!(record["variants"][0]["trials"].as_array().unwrap().len(), 1);
}

// fault: reports: the folder for reports cannot be written -> said before anything is started
#[test]
fn a_reports_folder_that_cannot_be_written_stops_the_run_before_it_starts() {
    // A file where the folder should be: this holds for root too, whom permissions do not stop.
    let runner = Runner::with(LONG).file("taken", "").arguments(&["--reports", "taken/reports"]);
    let outcome = runner.run().exit(3).stderr_has("cannot write reports to taken/reports/scenario");
    outcome.stderr_has("taken is not a folder: move it away").stderr_has("--reports");
    // A file system that nobody writes to.
    let runner = Runner::with(LONG).arguments(&["--reports", "/proc/reports"]);
    runner.run().exit(3).stderr_has("cannot write reports to /proc/reports/scenario");
}

#[test]
fn a_script_that_loops_for_ever_is_a_500_that_names_function_and_line() {
    let scenario = r#"
        [server]
        mode = "async"
        script = "loop.rhai"
        [load]
        path = "/spin/"
        concurrency = 1
        duration = "300ms"
        timeout = "30s"
        drain = "30s"
        [assert]
        that = ["status.500 > 0", "failed == 0"]
    "#;
    let outcome = Runner::with(scenario).file("loop.rhai", "fn spin(request) {\n    loop { }\n}\n").run().exit(0);
    let log = fs::read_to_string(outcome.latest("scenario").join("server.log")).unwrap();
    assert!(log.contains("GET /spin/: 500") && log.contains("spin") && log.contains("line 2"), "{log}");
}

#[test]
fn a_script_error_is_a_500_and_the_worker_lives_on() {
    let scenario = r#"
        [server]
        mode = "threaded"
        threads = 2
        script = "bad.rhai"
        [load]
        path = "/bad/?user={user}"
        concurrency = 2
        duration = "300ms"
        [assert]
        that = ["status.500 > 0", "status.200 > 0", "failed == 0"]
    "#;
    let script = "fn bad(request) {\n    if request.query.user == \"1\" { nonsense(1); }\n    \"fine\"\n}\n";
    let outcome = Runner::with(scenario).file("bad.rhai", script).run().exit(0);
    let log = fs::read_to_string(outcome.latest("scenario").join("server.log")).unwrap();
    assert!(log.contains("bad") && log.contains("line 2"), "{log}");
}

#[test]
fn a_report_is_whole_or_not_there() {
    let running = Runner::with(LONG).start();
    running.wait_for_workers(2);
    running.wait_for_requests();
    running.signal("KILL");
    let outcome = running.wait();
    let whole = walk(&outcome.folder.path().join("reports")).into_iter().any(|path| path.ends_with("record.json"));
    assert!(!whole, "half a report");
    assert!(!outcome.folder.path().join("reports/scenario/latest").exists());
}

const SHORT: &str =
    "[server]\nmode = \"async\"\n[load]\npath = \"/async_sleep/?sleep=5ms\"\nconcurrency = 2\nduration = \"300ms\"\n";

/// The hidden files of a scenario's reports, which are never the report itself.
fn hidden(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder.join("reports/scenario")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with('.')).collect()
}

// fault: reports: something else is in the place of `latest` -> a warning; the report is whole
#[test]
fn a_folder_in_the_place_of_latest_is_a_warning_and_the_verdict_stands() {
    let runner = Runner::with(SHORT).file("reports/scenario/latest/mine.txt", "keep");
    let outcome = runner.run().exit(0).stdout_has("report: reports/scenario/").stderr_has("warning");
    let outcome = outcome.stderr_has("cannot point reports/scenario/latest at this report");
    assert!(!outcome.stderr.contains("error"), "{}", outcome.stderr);
    assert_eq!(hidden(outcome.folder.path()), [""; 0]);
    assert!(outcome.folder.path().join("reports/scenario/latest/mine.txt").is_file());
    let failing = format!("{SHORT}[assert]\nthat = [\"throughput > 1000000/s\"]\n");
    Runner::with(&failing).file("reports/scenario/latest/mine.txt", "keep").run().exit(1).stderr_has("warning");
}

/// Runs with the reports folder taken away while the load runs.
fn run_and_lose_the_folder(runner: Runner) -> Outcome {
    let reports = runner.folder().join("reports");
    let running = runner.set("load.duration=1s").start();
    running.wait_for_requests();
    fs::remove_dir_all(reports).unwrap();
    running.wait()
}

// fault: reports: the folder for reports vanishes during the run -> the results are printed; exit code 3
#[test]
fn a_report_that_cannot_be_written_does_not_lose_the_numbers() {
    let outcome = run_and_lose_the_folder(Runner::with(SHORT)).exit(3).stdout_has("PASSED").stdout_has("throughput");
    assert!(!outcome.stdout.contains("report:"), "{}", outcome.stdout);
    outcome.stderr_has("cannot write reports to reports/scenario").stderr_has("vanished");
    let outcome = run_and_lose_the_folder(Runner::with(SHORT).arguments(&["--json"])).exit(3);
    let record: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(record["status"], "passed");
}

// fault: reports: a run was killed -> the next one removes what it left
#[test]
fn what_a_killed_run_left_is_gone_after_the_next() {
    let running = Runner::with(LONG).start();
    let workers = running.wait_for_workers(2);
    running.wait_for_requests();
    running.signal("KILL");
    let outcome = running.wait();
    wait_until_gone(&workers);
    assert_eq!(hidden(outcome.folder.path()).len(), 1);
    let reports = outcome.folder.path().join("reports");
    Runner::with(SHORT).arguments(&["--reports", reports.to_str().unwrap()]).run().exit(0);
    assert_eq!(hidden(outcome.folder.path()), [""; 0]);
}

// fault: reports: two runs of one scenario at once -> a report each
#[test]
fn two_runs_at_once_leave_each_other_alone() {
    let runner = Runner::with(SHORT).set("load.duration=3s");
    let reports = runner.folder().join("reports");
    let running = runner.start();
    running.wait_for_requests();
    Runner::with(SHORT).arguments(&["--reports", reports.to_str().unwrap()]).run().exit(0);
    assert!(is_running(running.pid()));
    let outcome = running.wait().exit(0);
    assert_eq!(walk(&reports).into_iter().filter(|path| path.ends_with("record.json")).count(), 2);
    assert_eq!(hidden(outcome.folder.path()), [""; 0]);
}
