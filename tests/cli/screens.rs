//! What was measured is on the disk, whatever becomes of the screen; the exit code is that of the run.

use crate::harness::{Outcome, Runner};

const TWO_VARIANTS: &str = r#"
[server]
mode = "async"
[load]
path = "/health"
duration = "200ms"
[matrix]
"load.concurrency" = [1, 2]
"#;

/// Two runs of two variants each, with this done to their standard output and error.
fn two_runs(redirects: &str) -> Outcome {
    let runner = Runner::redirected(&["--verbose", "a.toml", "b.toml"], redirects);
    runner.file("a.toml", TWO_VARIANTS).file("b.toml", TWO_VARIANTS).run()
}

#[track_caller]
fn all_is_written(outcome: &Outcome) {
    for scenario in ["a", "b"] {
        let record = outcome.record(scenario);
        assert_eq!(record["status"], "passed");
        assert_eq!(record["variants"].as_array().unwrap().len(), 2);
        assert!(outcome.report(scenario).contains("# "));
    }
}

// fault: reports: standard error is full or closed -> the run goes on, and its exit code is its own
#[test]
fn errors_that_cannot_be_printed_change_nothing() {
    for redirects in ["2>/dev/full", "2>&-", "2>/dev/null"] {
        let outcome = two_runs(redirects).exit(0).stdout_has("PASSED  a").stdout_has("PASSED  b");
        all_is_written(&outcome);
    }
}

// fault: reports: standard output is full -> every report is written; exit code 3
// fault: reports: standard output and error are closed -> every report is written; the exit code is that of the runs
#[test]
fn results_that_cannot_be_printed_are_written_nevertheless_and_the_exit_code_says_so() {
    let outcome = two_runs(">/dev/full").exit(3).stderr_has("cannot write to standard output");
    all_is_written(&outcome);
    all_is_written(&two_runs(">/dev/full 2>/dev/full").exit(3));
    all_is_written(&two_runs(">&- 2>&-").exit(0));
}

// fault: reports: the reader of a pipe has left (`| head`) -> every report is written; no error
#[test]
fn a_reader_that_has_left_is_no_error() {
    // Its pipe has no reader from the start.
    let left = r#"
import os, subprocess, sys
reader, writer = os.pipe()
os.close(reader)
streams = {"stdout": writer} if sys.argv[1] == "out" else {"stderr": writer}
if sys.argv[1] == "both": streams = {"stdout": writer, "stderr": writer}
sys.exit(subprocess.run(sys.argv[2:], **streams).returncode)
"#;
    for which in ["out", "err", "both"] {
        let runner = Runner::under("python3", &["-c", left, which], &["--verbose", "a.toml", "b.toml"]);
        let outcome = runner.file("a.toml", TWO_VARIANTS).file("b.toml", TWO_VARIANTS).run().exit(0);
        all_is_written(&outcome);
    }
}

// fault: reports: the terminal is closed during a run -> every report is written; exit code 3
#[test]
fn a_terminal_that_is_closed_under_way_ends_nothing() {
    // Without a session of its own runner gets no HUP, and each write to the terminal fails from then on.
    let closed = r#"
import os, pty, subprocess, sys
terminal, line = pty.openpty()
runner = subprocess.Popen(sys.argv[1:], stdout=line, stderr=line)
os.close(line)
os.read(terminal, 1)
os.close(terminal)
sys.exit(runner.wait())
"#;
    for words in [&["a.toml", "b.toml"][..], &["--verbose", "a.toml", "b.toml"]] {
        let runner = Runner::under("python3", &["-c", closed], words).env("TERM", "xterm-256color");
        let outcome = runner.file("a.toml", TWO_VARIANTS).file("b.toml", TWO_VARIANTS).run().exit(3);
        all_is_written(&outcome);
    }
}

// fault: reports: Ctrl-C while standard error is full -> it ends in order; exit code 130
#[test]
fn an_interrupted_run_leaves_its_report_though_nobody_can_be_told() {
    let runner = Runner::redirected(&["scenario.toml"], "2>/dev/full");
    let running = runner.file("scenario.toml", &TWO_VARIANTS.replace("200ms", "60s")).start();
    running.wait_for_workers(1);
    running.signal("INT");
    // It is in the first of the trials, or on the way there.
    let outcome = running.wait().exit(130);
    assert!(!outcome.stderr.contains("panicked"));
}

// fault: reports: a command that prints, on a full disk -> exit code 3, and no panic
#[test]
fn every_command_says_with_its_exit_code_that_it_could_not_print() {
    for words in [
        &["check", "a.toml"][..],
        &["schema"],
        &["completions", "bash"],
        &["new", "shop"],
        &["definitions"],
        &["--help"],
        &["load", "--help"],
        &["--version"],
    ] {
        let on = |redirects: &str| Runner::redirected(words, redirects).file("a.toml", TWO_VARIANTS).run();
        on(">/dev/full").exit(3).stderr_has("cannot write to standard output");
        on(">/dev/full 2>/dev/full").exit(3);
        on("2>/dev/full").exit(0);
    }
}

// fault: reports: an error that cannot be printed -> its exit code all the same
#[test]
fn an_error_that_cannot_be_printed_has_its_exit_code() {
    for words in [
        &["check", "none.toml"][..],
        &["none.toml"],
        &["chekc", "a.toml"],
        &["--bogus"],
        &["report", "none"],
        &["replay", "none", "1"],
        &["load", "nothing"],
        &[],
    ] {
        Runner::redirected(words, "2>/dev/full").run().exit(2);
    }
    let refused = &["load", "-n", "1", "http://127.0.0.1:9/"];
    Runner::redirected(refused, "2>/dev/full").run().exit(3);
}

// fault: reports: standard output does not block (O_NONBLOCK), and its reader is slow -> all of it is printed
#[test]
fn a_slow_reader_of_a_pipe_that_does_not_block_gets_everything() {
    let slow = r#"
import fcntl, os, subprocess, sys, time
reader, writer = os.pipe()
fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
os.set_blocking(writer, False)
runner = subprocess.Popen(sys.argv[1:], stdout=writer, stderr=writer)
os.close(writer)
all = b""
while part := os.read(reader, 4096):
    time.sleep(0.005)
    all += part
sys.stdout.buffer.write(all)
sys.exit(runner.wait())
"#;
    let whole = Runner::new(&["schema"]).run().exit(0).stdout;
    assert!(whole.len() > 4 * 4096, "more than the pipe holds: {}", whole.len());
    let outcome = Runner::under("python3", &["-c", slow], &["schema"]).run().exit(0);
    assert!(outcome.stdout == whole, "{} of {} bytes", outcome.stdout.len(), whole.len());
}
