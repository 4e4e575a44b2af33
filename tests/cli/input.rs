//! What a file says is what is sent: no mark before it, no number and no date in other letters.

use std::fs;

use crate::harness::Runner;

const MARK: &str = "\u{feff}";

/// Prints the path and the body of each request as they came.
const SERVER: &str = r#"
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        # In one piece: threads would mix theirs.
        os.write(1, f"came {self.path} {body} {self.headers.get('x-day')}\n".encode())
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
"#;

/// The lines of what came to a server in so many requests of one user each.
fn came(load: &str, files: &[(&str, &str)]) -> Vec<String> {
    let scenario = format!(
        "[server]\ncommand = [\"python3\", \"server.py\", \"{{host}}\", \"{{port}}\"]\nready = {{ port = true }}\n\
         [load]\nmethod = \"POST\"\n{load}\n"
    );
    let runner = Runner::new(&["scenario.toml"]).file("server.py", SERVER);
    let runner = files.iter().fold(runner, |runner, (name, text)| runner.file(name, text));
    let outcome = runner.file("scenario.toml", &scenario).run().exit(0);
    let log = fs::read_to_string(outcome.latest("scenario").join("server.log")).unwrap();
    let mut lines: Vec<String> = log.lines().filter_map(|line| line.strip_prefix("came ")).map(str::to_owned).collect();
    lines.sort();
    lines
}

// fault: input: `1E5`, `1.10` and integers of any length in a .jsonl -> sent as they stand
#[test]
fn numbers_of_a_data_file_keep_their_digits() {
    let lines =
        "{\"n\": 1E5}\n{\"n\": 1.10}\n{\"n\": 12345678901234567890123}\n{\"n\": -0.0}\n{\"n\": 9007199254740993}\n";
    let load = "path = \"/?n={data.n}\"\nbody = \"{data.n}\"\ndata = \"n.jsonl\"\nconcurrency = 5\nrequests = 5";
    let expected = ["-0.0", "1.10", "12345678901234567890123", "1E5", "9007199254740993"];
    assert_eq!(came(load, &[("n.jsonl", lines)]), expected.map(|n| format!("/?n={n} {n} None")));
}

// fault: input: a date in `json` or a header -> sent as text
#[test]
fn a_date_is_sent_as_text() {
    let load = "path = \"/\"\nconcurrency = 1\nrequests = 1\nheaders = { x-day = 2024-02-29 }\n\
                json = { at = 2024-02-29T07:32:00.5Z, all = [2024-02-29, { t = 07:32:00 }] }";
    let expected = "/ {\"at\":\"2024-02-29T07:32:00.5Z\",\"all\":[\"2024-02-29\",{\"t\":\"07:32:00\"}]} 2024-02-29";
    let sorted = "/ {\"all\":[\"2024-02-29\",{\"t\":\"07:32:00\"}],\"at\":\"2024-02-29T07:32:00.5Z\"} 2024-02-29";
    let came = came(load, &[]);
    assert!(came == [expected] || came == [sorted], "{came:?}");
}

// fault: input: a byte order mark before data, scripts or what they import -> no part of the text
#[test]
fn a_mark_before_a_text_is_no_part_of_it() {
    let script = format!("{MARK}import \"part\" as part;\nfn request(user, seq) {{ #{{ path: part::page(user) }} }}");
    let part = format!("{MARK}fn page(user) {{ \"/\" + user.email }}");
    let load = "script = \"hook.rhai\"\ndata = \"DATA\"\nconcurrency = 1\nrequests = 1";
    for (name, text) in [
        ("users.csv", "email,plan\nann,pro\n"),
        ("USERS.CSV", "email,plan\nann,pro\n"),
        ("users.jsonl", "{\"email\": \"ann\"}\n"),
        ("users.ndjson", "{\"email\": \"ann\"}\r\n"),
    ] {
        let text = format!("{MARK}{text}");
        let files = [("hook.rhai", script.as_str()), ("part.rhai", &part), (name, &text)];
        assert_eq!(came(&load.replace("DATA", name), &files), ["/ann  None"], "{name}");
    }
}

// fault: input: a byte order mark before a scenario -> no part of it; places are told without it
#[test]
fn a_mark_before_a_scenario_does_not_move_what_is_wrong() {
    let scenario = format!("{MARK}[server]\nmode = \"asink\"\n[load]\npath = \"/\"\nconcurrency = 1\n");
    let problem = Runner::with(&scenario).run().exit(2);
    problem.stderr_has("scenario.toml:2:8");
    let first = format!("{MARK}sever = 1\n");
    Runner::with(&first).run().exit(2).stderr_has("scenario.toml:1:1");
}

// fault: input: `${A:-${B:-c}}` -> filled in from the inside
#[test]
fn a_default_may_be_a_variable_with_a_default() {
    let load =
        "path = \"/${NONE:-${ALSO_NONE:-${PAGE}}}/${PAGE:-{seq}}/${NONE:-{seq}}\"\nconcurrency = 1\nrequests = 1";
    let scenario = format!("[server]\nmode = \"async\"\n[load]\n{load}\n");
    let check = Runner::new(&["check", "scenario.toml"]).file("scenario.toml", &scenario).env("PAGE", "shop");
    check.run().exit(0).stdout_has("GET /shop/shop/{seq}");
    let missing = Runner::with(&scenario.replace("${PAGE}", "${NOT_SET}")).env("PAGE", "shop").run().exit(2);
    missing.stderr_has("the environment variable `NOT_SET` is not set");
}
