//! `runner serve`: only the server, until it is told to end.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use crate::harness::{Runner, children, shipped, signal, wait_for, wait_until_gone};

/// A server under `runner serve`, on a port from the kernel.
pub struct Served {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    /// What it said when it was ready.
    pub listing: String,
}

impl Served {
    pub fn start(arguments: &[&str]) -> Served {
        Served::with_environment(arguments, &[])
    }

    pub fn with_environment(arguments: &[&str], variables: &[(&str, &str)]) -> Served {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runner"));
        command.arg("serve").args(arguments).args(["--port", "0"]).env("NO_COLOR", "1");
        command.envs(variables.iter().copied());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let stderr = Arc::new(Mutex::new(String::new()));
        let collected = Arc::clone(&stderr);
        let reader = std::thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| *collected.lock().unwrap() += &(line + "\n"));
        });
        let mut listing = String::new();
        while !listing.contains("Ctrl-C ends it\n") {
            let read = stdout.read_line(&mut listing).unwrap();
            assert!(read > 0, "it ended: {listing}{}", stderr.lock().unwrap());
        }
        Served { child, stdout, stderr, reader: Some(reader), listing }
    }

    /// The address of the first example whose path begins so.
    pub fn address(&self, path: &str) -> String {
        let mut addresses = self.listing.split_whitespace().filter(|word| word.starts_with("http://"));
        let is_path = |address: &&str| address.splitn(4, '/').nth(3).is_some_and(|rest| rest.starts_with(&path[1..]));
        addresses.find(is_path).unwrap_or_else(|| panic!("no {path} in {}", self.listing)).to_owned()
    }

    /// `http://127.0.0.1:PORT`
    pub fn origin(&self) -> String {
        self.address("/").splitn(4, '/').take(3).collect::<Vec<_>>().join("/")
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(self.origin().trim_start_matches("http://")).unwrap()
    }

    /// Sends a request; the connection that is to bring its response.
    pub fn send(&self, request: &str) -> TcpStream {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    fn ask(&self, target: &str) -> String {
        let mut stream = self.connect();
        write!(stream, "GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[track_caller]
    fn wait_for_line(&self, text: &str) -> String {
        wait_for(text, || self.stderr.lock().unwrap().lines().find(|line| line.contains(text)).map(str::to_owned))
    }

    /// Ends it with a signal; the exit code, and everything that it wrote to stderr.
    pub fn end(mut self, name: &str) -> (Option<i32>, String) {
        let workers = children(self.child.id());
        signal(self.child.id(), name);
        let code = self.child.wait().unwrap().code();
        self.stdout.read_to_string(&mut self.listing).unwrap();
        self.reader.take().unwrap().join().unwrap();
        wait_until_gone(&workers);
        (code, self.stderr.lock().unwrap().clone())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn scenario(name: &str) -> String {
    shipped(&format!("scenarios/{name}.toml")).display().to_string()
}

#[test]
fn it_lists_every_handler_with_an_address_that_answers_and_ends_well_when_told_to() {
    let served = Served::start(&[&scenario("dirty"), "--set", "dirty.sleep={long=\"20ms\", short=\"10ms\"}"]);
    assert!(served.listing.starts_with("built-in async, 1 worker, on 127.0.0.1:"), "{}", served.listing);
    for (path, body) in [
        ("/dirty/?sleep=0.02&email=test", "<p>Hello, test</p>"),
        ("/dirty/?sleep=0.01&email=dev", "<p>Hello, dev</p>"),
        ("/clean/", ""),
        ("/health", "ok"),
        ("/sync_sleep/", "slept"),
        ("/async_sleep/", "slept"),
    ] {
        let address = served.address(path);
        let answer = served.ask(&address[served.origin().len()..]);
        assert!(answer.contains(body) && !answer.contains("404"), "{address}: {answer}");
    }
    let addresses = served.listing.matches(&format!("{}/dirty/", served.origin())).count();
    assert_eq!(addresses, 2, "one for each user, and no plain one: {}", served.listing);
    let (code, stderr) = served.end("INT");
    assert_eq!(code, Some(0), "{stderr}");
}

#[test]
fn each_request_is_told_when_it_comes_and_when_it_ends_also_by_its_client() {
    let served = Served::start(&[&scenario("dirty"), "--set", "server.workers=2"]);
    served.ask("/clean/?sleep=0.01&email=a");
    let ended = served.wait_for_line("<-- GET /clean/?sleep=0.01&email=a: 200 after ");
    assert!(ended.contains(" worker ") && ended.ends_with(" ms") || ended.ends_with(" s"), "{ended}");
    served.wait_for_line("--> GET /clean/?sleep=0.01&email=a");
    let mut leaver = served.connect();
    leaver.write_all(b"GET /clean/?sleep=60&email=b HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    served.wait_for_line("--> GET /clean/?sleep=60&email=b");
    drop(leaver);
    served.wait_for_line("<-- GET /clean/?sleep=60&email=b: client left after ");
    assert_eq!(served.end("TERM").0, Some(0));
}

#[test]
fn a_run_tells_no_requests() {
    let outcome =
        Runner::with("[server]\nmode = \"async\"\n[load]\npath = \"/health\"\nconcurrency = 1\nduration = \"100ms\"\n")
            .run()
            .exit(0);
    let log = std::fs::read_to_string(outcome.latest("scenario").join("server.log")).unwrap();
    assert!(!log.contains("-->"), "{log}");
}

#[test]
fn a_script_speaks_through_it() {
    let runner = Runner::new(&[])
        .file("s.toml", "[server]\nmode = \"sync\"\nscript = \"s.rhai\"\n[load]\npath = \"/\"\nconcurrency = 1\n")
        .file("s.rhai", "fn speak(request) { log(\"a word\"); throw \"and an end\" }");
    let file = runner.folder().join("s.toml");
    let served = Served::start(&[file.to_str().unwrap()]);
    assert!(served.ask("/speak/").contains("500"));
    served.wait_for_line("GET /speak/: a word");
    served.wait_for_line("and an end");
    served.wait_for_line("<-- GET /speak/: 500 after ");
    served.end("INT");
}

#[test]
fn the_server_of_a_command_is_served_as_well_and_its_words_are_shown() {
    let python = "import http.server, sys\nclass H(http.server.BaseHTTPRequestHandler):\n def do_GET(self):\n  \
                  self.send_response(204); self.end_headers()\nhttp.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), H).serve_forever()\n";
    let runner = Runner::new(&[]).file("s.py", python).file(
        "s.toml",
        "[server]\ncommand = [\"python3\", \"-u\", \"s.py\", \"{port}\"]\n[load]\npath = \"/a?user={user}\"\nconcurrency = 1\n",
    );
    let file = runner.folder().join("s.toml");
    let served = Served::start(&[file.to_str().unwrap()]);
    assert_eq!(served.listing.matches("http://").count(), 1, "{}", served.listing);
    assert!(served.ask(&served.address("/a?user=0")[served.origin().len()..]).contains("204"));
    served.wait_for_line("GET /a?user=0");
    assert_eq!(served.end("INT").0, Some(0));
}

#[test]
fn one_of_several_servers_is_picked_by_name_and_said() {
    let served = Served::start(&[&scenario("clean_in_every_mode"), "--variant", "async_pool"]);
    assert!(served.listing.contains("built-in async_pool") && served.listing.contains("variant 3 of 3"));
    served.end("INT");
    let served = Served::start(&[&scenario("clean_in_every_mode")]);
    assert!(served.listing.contains("variant 1 of 3; `--variant NAME` takes another"), "{}", served.listing);
    served.end("INT");
    Runner::new(&["serve", &scenario("clean_in_every_mode"), "--variant", "fibers"])
        .run()
        .exit(2)
        .stderr_has("no variant is called `fibers`")
        .stderr_has("\"mode=async_pool\"");
}

#[test]
fn what_cannot_be_served_is_said_with_a_remedy() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port().to_string();
    Runner::new(&["serve", &scenario("dirty"), "--port", &port])
        .run()
        .exit(3)
        .stderr_has("is in use")
        .stderr_has("--port 0");
    Runner::new(&["serve", "u.toml"])
        .file("u.toml", "[server]\nurl = \"http://127.0.0.1:1\"\n[load]\npath = \"/\"\nconcurrency = 1\n")
        .run()
        .exit(2)
        .stderr_has("is up already, at http://127.0.0.1:1");
    Runner::new(&["serve", "broken.toml"]).file("broken.toml", "[server]\n").run().exit(2).stderr_has("broken.toml:1");
}

#[test]
fn a_server_that_dies_ends_it_with_its_last_words() {
    Runner::new(&["serve", "s.toml", "--port", "0"])
        .file(
            "s.toml",
            "[server]\ncommand = [\"sh\", \"-c\", \"echo last words; exit 7\"]\n[load]\npath = \"/\"\nconcurrency = 1\n",
        )
        .run()
        .exit(3)
        .stderr_has("last words")
        .stderr_has("exited with status 7");
}
