//! What has no end is refused, or ended: pipes that nobody writes to, devices, a set-up that does not come to its end.

use std::process::Command;

use crate::harness::{Outcome, Runner};

const LOAD: &str = "[load]\npath = \"/health\"\nconcurrency = 1\nrequests = 3\n";
const BUILT_IN: &str = "[server]\nmode = \"async\"\n";

/// Runs with a named pipe in its folder, to which nobody writes, and with a way to a device that has no end.
fn run(runner: Runner) -> Outcome {
    for ending in ["", ".csv"] {
        let path = |name: &str| runner.folder().join(format!("{name}{ending}"));
        assert!(Command::new("mkfifo").arg(path("pipe")).status().unwrap().success());
        std::os::unix::fs::symlink("/dev/zero", path("device")).unwrap();
    }
    runner.run()
}

// fault: endless: an input is a pipe that nobody writes to, or a device -> refused, exit code 2
#[test]
fn inputs_without_an_end_are_refused() {
    for (name, said) in [("pipe", "it is a named pipe, not a file"), ("device", "it is a device, not a file")] {
        for scenario in [
            format!("[server]\nmode = \"async\"\nscript = \"{name}\"\n{LOAD}"),
            format!("{BUILT_IN}{LOAD}script = \"{name}\"\n"),
            format!("{BUILT_IN}{LOAD}data = \"{name}.csv\"\n"),
            format!("[server]\nurl = \"https://127.0.0.1:1\"\ntls = {{ ca = \"{name}\" }}\n{LOAD}"),
        ] {
            run(Runner::with(&scenario)).exit(2).stderr_has(said);
        }
        run(Runner::new(&["report", name])).exit(2).stderr_has(said);
        run(Runner::new(&["check", name])).exit(2).stderr_has(said);
        run(Runner::new(&["load", "http://127.0.0.1:1/", "--body-file", name])).exit(2).stderr_has(said);
    }
}

#[test]
fn a_scenario_may_come_through_a_pipe_of_the_shell() {
    let line = format!("printf '%s' '{}' | \"$0\" \"$@\"", format!("{BUILT_IN}{LOAD}").replace('\n', "\n"));
    let line: &'static str = Box::leak(line.into_boxed_str());
    Runner::new(&["check", "/dev/stdin"]).started_by(&["sh", "-c", line]).run().exit(0);
}

// fault: endless: `pid_file`, or what remembers a set-up, is a pipe -> refused, or done without
#[test]
fn pipes_in_the_place_of_files_that_servers_keep_are_not_waited_for() {
    let scenario =
        format!("[server]\nurl = \"http://127.0.0.1:1\"\npid_file = \"pipe\"\nconnect_to = \"unix:pipe\"\n{LOAD}");
    run(Runner::with(&scenario)).exit(3);
    let scenario = format!("[server]\ncommand = [\"false\"]\nsetup = \"echo set up\"\n{LOAD}");
    let runner = Runner::with(&scenario);
    assert!(Command::new("mkfifo").arg(runner.folder().join(".runner-setup")).status().unwrap().success());
    runner.run().exit(3).stderr_has("`false` exited with status 1");
}

// fault: endless: `setup` does not end -> ended after `setup_within`; progress and the error show its last lines
#[test]
fn a_set_up_that_does_not_end_is_ended_and_shows_what_it_was_at() {
    let scenario = format!(
        "[server]\ncommand = [\"false\"]\nsetup = \"echo fetching the internet; sleep 600\"\nsetup_within = \"7s\"\n{LOAD}"
    );
    let outcome = Runner::with(&scenario).run().exit(3).no_report();
    let outcome = outcome.stderr_has("did not end within 7s").stderr_has("`server.setup_within` gives it more time");
    let outcome = outcome.stderr_has("server.log: fetching the internet");
    outcome.stderr_has("setting up the server, ").stderr_has(" s: fetching the internet");
}
