//! What answers must be the server that was started, and a server that cannot get ready is not waited for in vain.

use crate::foreign::{Going, command, python};
use crate::harness::raw_server::{RawServer, Response};

/// Answers in the place of a server that has said where it should listen, from this process.
fn answer_for(going: &Going) {
    let port: u16 = going.wait_for_file("port").parse().unwrap();
    RawServer::start_at(port, |_| Response::ok("ok"));
}

// fault: owners: another process answers on the port -> exit code 3; it is named
#[test]
fn what_another_process_answers_is_not_the_servers() {
    let myself = std::process::id();
    for ready in ["", "ready = { path = \"/\" }", "ready = { log = \"listening\" }"] {
        let going = python("print('listening', flush=True)\ntime.sleep(60)", ready).start();
        answer_for(&going);
        let outcome = going.running.wait().exit(3).no_report();
        let outcome = outcome.stderr_has(&format!("its address is held by process {myself} ("));
        outcome.stderr_has("which it has not started").stderr_has("ready = { foreign = true }");
    }
}

#[test]
fn what_another_process_answers_counts_where_the_scenario_says_so() {
    let going = python("time.sleep(60)", "ready = { path = \"/\", foreign = true }").start();
    answer_for(&going);
    going.running.wait().exit(0).stdout_has("every request was answered");
}

#[test]
fn a_socket_that_is_handed_down_is_the_servers_own() {
    // The parent listens, a child that has left it serves.
    let daemon = "listener = listen()\nif os.fork(): time.sleep(60)\nos.setsid()\nif os.fork(): os._exit(0)\nserve(answers, listener)";
    python(daemon, "stop = { grace = \"1s\" }").run().exit(0).stdout_has("every request was answered");
}

// fault: owners: a server is stopped before it is ready -> noticed; exit code 3
#[test]
fn a_server_that_is_stopped_before_it_is_ready_is_noticed() {
    let program = "os.kill(os.getpid(), signal.SIGSTOP)";
    let outcome = python(program, "ready = { within = \"10m\" }").run().exit(3);
    outcome.stderr_has("was stopped by a signal (state T)").stderr_has("see who does");
}

// fault: owners: the line that makes ready comes after 20 MB of others -> found
#[test]
fn a_line_that_makes_ready_is_found_after_more_than_the_log_keeps() {
    let program = "for _ in range(20): print('x' * 999_999, flush=True)\nlistener = listen()\n\
                   print('listening at last', flush=True)\nserve(answers, listener)";
    python(program, "ready = { log = \"^listening at [a-z]+$\", within = \"60s\" }").run().exit(0);
}

/// Serves from the socket that it is handed, which nobody else can take meanwhile.
const HANDED: &str = r#"
import errno, os, socket, sys, threading
number, port = int(sys.argv[1]), int(sys.argv[2])
open("said", "w").write(f"{number} {os.environ['LISTEN_FDS']} {os.environ['LISTEN_PID'] == str(os.getpid())}")
try:
    socket.create_server(("127.0.0.1", port))
    sys.exit(7)
except OSError as error:
    assert error.errno == errno.EADDRINUSE
listener = socket.socket(fileno=number)
listener.setblocking(True)
def serve(connection):
    assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    while connection.recv(65536):
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
while True:
    threading.Thread(target=serve, args=[listener.accept()[0]], daemon=True).start()
"#;

// fault: owners: somebody wants the port before the command binds it -> held for the command (`listen = "fd"`)
#[test]
fn a_port_can_be_held_for_a_command_that_takes_a_socket() {
    let server = "listen = \"fd\"\nready = { path = \"/\" }";
    let going = command(r#"["python3", "server.py", "{fd}", "{port}"]"#, server).file("server.py", HANDED).start();
    assert_eq!(going.wait_for_file("said"), "3 1 True");
    going.wait().exit(0).stdout_has("every request was answered");
}

// fault: owners: a server dies with the socket that it was handed -> noticed; nobody listens any more
#[test]
fn a_server_that_dies_with_the_socket_it_was_handed_leaves_nobody_who_listens() {
    let dies = HANDED.replace(
        "while connection.recv(65536):",
        "while connection.recv(65536):\n        count.append(1)\n        if len(count) > 50: os._exit(3)",
    );
    let dies = dies.replace("def serve", "count = []\ndef serve");
    let server = "listen = \"fd\"\nready = { path = \"/\" }";
    let foreign = command(r#"["python3", "server.py", "{fd}", "{port}"]"#, server).file("server.py", &dies);
    foreign.run().exit(3).stdout_has("exited with status 3");
}
