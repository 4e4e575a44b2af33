//! Whatever is killed, nothing of what runner started is left.

use std::path::Path;
use std::process::Command;

use crate::foreign::{Going, marked, python};
use crate::harness::{Runner, children, is_running, signal, wait_for, wait_until_gone};

const LONG: &str =
    "[server]\nmode = \"async\"\nworkers = 2\n[load]\npath = \"/health\"\nconcurrency = 2\nduration = \"300s\"\n";
/// A program with a child that has left its session.
const DAEMON: &str = "if os.fork() == 0:\n    os.setsid()\n    time.sleep(600)\nserve(answers)";

/// The processes between runner and the program: each is the only child of the one before.
fn between(runner: u32) -> Vec<u32> {
    let is_runner = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.starts_with(b"runner: ")
    };
    std::iter::successors(Some(runner), |pid| children(*pid).into_iter().find(is_runner)).skip(1).collect()
}

fn kill(pids: &[u32]) {
    let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
    let killed = Command::new("kill").arg("-KILL").args(pids).output().unwrap();
    // The end of one may have been the end of another already.
    let errors = String::from_utf8_lossy(&killed.stderr);
    assert!(errors.lines().all(|line| line.contains("No such process")), "{errors}");
}

fn start(program: &str) -> (Going, Vec<u32>) {
    let going = python(program, "").set("load.duration=300s").start();
    going.running.wait_for_requests();
    let between = between(going.running.pid());
    (going, between)
}

// fault: survivors: runner and a process between it and the server are killed at once -> nothing is left
#[test]
fn nothing_survives_a_kill_of_runner_and_of_either_process_between() {
    for which in [0, 1] {
        let (going, between) = start(DAEMON);
        assert_eq!(between.len(), 2, "a guard and a supervisor");
        kill(&[going.running.pid(), between[which]]);
        going.wait();
    }
}

// fault: survivors: runner is killed while a process between is stopped -> nothing of the server is left
#[test]
fn nothing_survives_a_kill_of_runner_while_either_process_between_is_stopped() {
    for which in [0, 1] {
        let (going, between) = start(DAEMON);
        signal(between[which], "STOP");
        kill(&[going.running.pid()]);
        wait_for("the end of the server", || {
            let left = marked(&going.mark).into_iter().filter(|pid| is_running(*pid) && !between.contains(pid)).count();
            (left == 0).then_some(())
        });
        let _ = Command::new("kill").arg("-KILL").args(between.iter().map(u32::to_string)).output();
        going.wait();
    }
}

// fault: survivors: all that is runner's is killed at once -> the program ends; what it has forked may be left
#[test]
fn the_program_does_not_survive_a_kill_of_all_that_is_runners() {
    let (going, between) = start("serve(answers)");
    kill(&[&[going.running.pid()], &between[..]].concat());
    going.wait();
}

#[test]
fn a_supervisor_that_is_killed_alone_ends_the_run() {
    let (going, between) = start(DAEMON);
    kill(&between[1..]);
    going.wait().exit(3).stdout_has("lost its supervisor").stdout_has("was killed by signal 9 (KILL)");
}

// fault: survivors: runner is killed while a built-in worker is stopped -> nothing is left
#[test]
fn not_even_a_built_in_worker_that_is_stopped_survives() {
    let running = Runner::with(LONG).start();
    let workers = running.wait_for_workers(2);
    running.wait_for_requests();
    signal(workers[0], "STOP");
    running.signal("KILL");
    wait_until_gone(&workers);
}

// fault: survivors: a killed run leaves the folder of a socket -> the next run removes it
#[test]
fn the_folder_of_a_socket_that_a_killed_run_left_is_gone_after_the_next() {
    let temporary = tempfile::tempdir().unwrap();
    let left = |folder: &Path| std::fs::read_dir(folder).unwrap().count();
    let serves = "listener = socket.socket(socket.AF_UNIX)\nlistener.bind(sys.argv[1])\nlistener.listen(9)\n\
                  while True:\n    connection = listener.accept()[0]\n    while connection.recv(4096):\n        \
                  connection.sendall(b'HTTP/1.1 200 OK\\r\\ncontent-length: 0\\r\\n\\r\\n')\n";
    let scenario = "[server]\ncommand = [\"python3\", \"server.py\", \"{socket}\"]\nlisten = \"unix\"\n\
                    [load]\npath = \"/\"\nconcurrency = 1\nduration = \"300s\"\n";
    let runner = |scenario: &str| {
        let path = temporary.path().to_str().unwrap();
        Runner::with(scenario).file("server.py", &format!("import socket, sys\n{serves}")).env("TMPDIR", path)
    };
    let running = runner(scenario).start();
    running.wait_for_requests();
    assert_eq!(left(temporary.path()), 1);
    let processes = between(running.pid());
    running.signal("KILL");
    wait_until_gone(&processes);
    assert_eq!(left(temporary.path()), 1, "it is left");
    runner(LONG).set("load.duration=100ms").run().exit(0);
    assert_eq!(left(temporary.path()), 0);
}
