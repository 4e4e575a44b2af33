//! TLS, who is connected to in place of the url, and from where.

use serde_json::Value;

use crate::harness::{Outcome, Runner};
use crate::secure::{Certificates, Manners, Secure};

/// The load of a `runner load --json`.
#[track_caller]
fn load(outcome: &Outcome) -> Value {
    let record: Value =
        serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {}", outcome.stderr));
    record["variants"][0]["trials"][0]["load"].clone()
}

fn runner(arguments: &[&str]) -> Runner {
    Runner::new(&["load", "--json", "-q", "-c2", "-n", "40"]).arguments(arguments)
}

#[test]
fn a_server_whose_signer_is_named_is_loaded_and_sessions_are_resumed() {
    let server = Secure::start(Manners { closes: true, ..Manners::default() });
    let ca = server.certificates.path("ca.pem");
    let load = load(&runner(&["--cacert", &ca, &server.origin()]).run().exit(0));
    assert_eq!((&load["completed"], &load["failed"]), (&40.into(), &0.into()));
    let resumed = load["generator"]["handshakes_resumed"].as_u64().unwrap();
    assert!(resumed >= 30, "{load}");
    assert_eq!(server.heard().iter().filter(|heard| heard.resumed).count() as u64, resumed);
}

// fault: servers: a certificate that nobody trusts signed -> refused, with the way out
#[test]
fn a_certificate_of_nobody_knows_whom_is_refused_with_the_way_out() {
    let server = Secure::start(Manners::default());
    let refused = runner(&[&server.origin()]).run().exit(3);
    refused.stderr_has("invalid peer certificate: UnknownIssuer").stderr_has("--insecure");
    let others = Certificates::new();
    runner(&["--cacert", &others.path("ca.pem"), &server.origin()])
        .run()
        .exit(3)
        .stderr_has("the TLS handshake with 127.0.0.1:");
    for option in ["-k", "--insecure"] {
        assert_eq!(load(&runner(&[option, &server.origin()]).run().exit(0))["completed"], 40);
    }
    assert_eq!(server.heard().len(), 4, "two connections each");
}

#[test]
fn a_server_that_does_not_speak_tls_is_told() {
    let server =
        crate::serve::Served::start(&[crate::harness::shipped("scenarios/async_sleep.toml").to_str().unwrap()]);
    let origin = server.origin().replace("http://", "https://");
    runner(&["-k", &origin]).run().exit(3).stderr_has("what came is not TLS");
}

#[test]
fn a_client_shows_its_certificate_and_without_one_the_report_says_why_it_failed() {
    let server = Secure::start(Manners { asks: true, ..Manners::default() });
    let of = |name: &str| server.certificates.path(name);
    let (ca, cert, key) = (of("ca.pem"), of("client.pem"), of("client-key.pem"));
    let shown = runner(&["--cacert", &ca, "--cert", &cert, "--key", &key, &server.origin()]).run().exit(0);
    assert_eq!(load(&shown)["completed"], 40);
    let outcome = runner(&["--cacert", &ca, "-d", "300ms", &server.origin()]).run();
    // A number of requests and a duration exclude each other.
    assert_eq!(outcome.code, Some(2));
    let options = ["load", "-c2", "-d", "300ms", "--reports", "reports", "--cacert", &ca, &server.origin()];
    let outcome = Runner::new(&options).run().exit(3).stdout_has("failed in the TLS handshake");
    let record = outcome.record("load");
    let load = &record["variants"][0]["trials"][0]["load"];
    assert_eq!(load["errors"]["tls"], load["started"]);
    assert_eq!(load["error_samples"]["tls"], "the server asks for a client's certificate");
    let caveats = record["variants"][0]["caveats"].to_string();
    assert!(caveats.contains("the first: the server asks for a client's certificate"), "{caveats}");
    assert!(outcome.report("load").contains("the server asks for a client's certificate"));
}

#[test]
fn connections_go_elsewhere_while_the_url_names_who_is_asked_for() {
    let server = Secure::start(Manners::default());
    let (ca, address) = (server.certificates.path("ca.pem"), server.address.to_string());
    let scenario = format!(
        "[server]\nurl = \"https://shop.test\"\nconnect_to = \"{address}\"\ntls = {{ ca = \"{ca}\" }}\n\
         [load]\npath = \"/\"\nconcurrency = 2\nrequests = 20\n[assert]\nthat = [\"errors.count == 0\"]\n"
    );
    let outcome = Runner::with(&scenario).run().exit(0);
    assert_eq!(outcome.record("scenario")["variants"][0]["server"], "https://shop.test");
    let load = load(&runner(&["--cacert", &ca, "--connect-to", &address, "https://shop.test/"]).run().exit(0));
    assert_eq!(load["completed"], 40);
    let heard = server.heard();
    assert_eq!(heard.len(), 4);
    let right = |host: &str, name: &Option<String>| host == "shop.test" && name.as_deref() == Some("shop.test");
    assert!(heard.iter().all(|heard| right(&heard.host, &heard.name)), "{heard:?}");
    runner(&["--connect-to", "192.0.2.1:80", "https://127.0.0.1/"]).run().exit(3).stderr_has("--allow-host 192.0.2.1");
    runner(&["--connect-to", "nowhere", "https://127.0.0.1/"]).run().exit(2).stderr_has("is not an address");
}

#[test]
fn a_unix_socket_stands_for_the_address_with_tls_and_without() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tls.sock");
    let server = Secure::start_unix(&path);
    let ca = server.certificates.path("ca.pem");
    let arguments = ["--cacert", &ca, "--unix-socket", path.to_str().unwrap(), "https://shop.test/"];
    assert_eq!(load(&runner(&arguments).run().exit(0))["completed"], 40);
    assert_eq!(server.heard()[0].name.as_deref(), Some("shop.test"));
    let nobody = folder.path().join("nobody.sock");
    let arguments = ["--unix-socket", nobody.to_str().unwrap(), "http://shop.test/"];
    runner(&arguments).run().exit(3).stderr_has("nothing answers on unix:");
}

#[test]
fn connections_come_from_the_addresses_that_are_named() {
    let server = Secure::start(Manners { closes: true, ..Manners::default() });
    let sources = ["-k", "--source", "127.0.0.2", "--source", "127.0.0.4-127.0.0.5", &server.origin()];
    assert_eq!(load(&runner(&sources).run().exit(0))["completed"], 40);
    let mut seen: Vec<String> = server.heard().iter().map(|heard| heard.from.unwrap().ip().to_string()).collect();
    seen.sort();
    seen.dedup();
    assert_eq!(seen, ["127.0.0.2", "127.0.0.4", "127.0.0.5"]);
    runner(&["--source", "here", "http://127.0.0.1/"]).run().exit(2).stderr_has("no address");
}

#[test]
fn http_2_is_agreed_upon_and_a_script_sees_its_answers() {
    let server = Secure::start_http2();
    let options = ["-k", "--http2", "-m", "2", "-R", "200", &server.origin()];
    let load = load(&runner(&options).run().exit(0));
    assert_eq!((&load["completed"], &load["http"], &load["streams"]), (&40.into(), &"2".into(), &2.into()));
    let scenario = format!(
        "[server]\nurl = \"{}\"\ntls = {{ insecure = true }}\n\
         [load]\nhttp = \"2\"\nstreams = 4\nconcurrency = 4\nrequests = 40\nscript = \"hooks.rhai\"\n\
         [assert]\nthat = [\"errors.count == 0\", \"checks.failed == 0\", \"checks.passed == 40\"]\n",
        server.origin()
    );
    let hooks = r#"
        fn request(user, seq) { #{ path: `/${user.number}/${seq}` } }
        fn check(exchange) {
            let response = exchange.response;
            let right = response.status == 200 && response.headers["x-kind"] == "two";
            right && response.headers["x-sum"] == "7" && response.body == exchange.request.path
        }
    "#;
    let outcome = Runner::with(&scenario).file("hooks.rhai", hooks).run().exit(0);
    let record = outcome.record("scenario");
    assert_eq!(record["variants"][0]["trials"][0]["load"]["generator"]["connections_opened"], 1);
    assert!(outcome.report("scenario").contains("4 users over HTTP/2, up to 4 on a connection (closed model)"));
}

#[test]
fn a_server_that_does_not_choose_http_2_is_told_by_the_report() {
    let server = Secure::start(Manners::default());
    let load = load(&runner(&["-k", "--http2", &server.origin()]).run().exit(3));
    assert_eq!(load["errors"]["tls"], 40);
    let why = load["error_samples"]["tls"].as_str().unwrap();
    assert!(why.contains("(ALPN)"), "{why}");
}

#[test]
fn a_script_makes_and_checks_every_request_of_a_pipeline() {
    let server = Secure::start(Manners::default());
    let scenario = format!(
        "[server]\nurl = \"{}\"\ntls = {{ insecure = true }}\n\
         [load]\npipeline = 4\nconcurrency = 2\nrequests = 40\nscript = \"hooks.rhai\"\n\
         [assert]\nthat = [\"errors.count == 0\", \"checks.failed == 0\", \"checks.passed == 40\"]\n",
        server.origin()
    );
    let hooks = r#"
        fn request(user, seq) { #{ path: `/${seq}` } }
        fn check(exchange) { exchange.request.path == `/${exchange.seq}` && exchange.seq < 24 }
    "#;
    let outcome = Runner::with(&scenario).file("hooks.rhai", hooks).run().exit(0);
    assert!(outcome.report("scenario").contains("2 users who send 4 requests at once"));
}

/// A Python server that answers with what it was asked for, over TLS.
const ECHO: &str = r#"
import http.server, ssl, sys
class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = self.path.encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
host, port, cert, key = sys.argv[1:]
server = http.server.ThreadingHTTPServer((host, int(port)), Echo)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
# The handshake belongs to the connection's thread.
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
"#;

fn echo(certificates: &Certificates, tls: &str, rest: &str) -> Runner {
    let (cert, key) = (certificates.path("server.pem"), certificates.path("server-key.pem"));
    let scenario = format!(
        "[server]\ncommand = [\"python3\", \"echo.py\", \"{{host}}\", \"{{port}}\", \"{cert}\", \"{key}\"]\n\
         ready = {{ path = \"/health\", within = \"10s\" }}\ntls = {{ {tls} }}\n{rest}"
    );
    Runner::with(&scenario).file("echo.py", ECHO)
}

#[test]
fn a_command_that_serves_tls_is_waited_for_loaded_and_checked_over_it() {
    let certificates = Certificates::new();
    let ca = format!("ca = \"{}\"", certificates.path("ca.pem"));
    let rest = "[load]\npath = \"/\"\nconcurrency = 2\nrequests = 20\n\
                [dirty]\npath = \"/?q={canary}\"\nexposures = 50\ntime = \"10s\"\ntriggers = [\"pair\"]\n\
                [assert]\nthat = [\"errors.count == 0\"]\n";
    let outcome = echo(&certificates, &ca, rest).run().exit(0);
    let record = outcome.record("scenario");
    let trial = &record["variants"][0]["trials"][0];
    assert_eq!(trial["load"]["completed"], 20);
    assert_eq!(trial["dirty"]["positive_control"]["found"], true, "{}", trial["dirty"]);
}

#[test]
fn a_command_whose_certificate_is_not_trusted_does_not_get_ready_and_the_reason_is_told() {
    let certificates = Certificates::new();
    let rest = "[load]\npath = \"/\"\nconcurrency = 2\nrequests = 20\n";
    let set = "server.ready={ path = \"/health\", within = \"10s\" }";
    let outcome = echo(&certificates, "insecure = false", rest).set(set).run().exit(3);
    let outcome = outcome.stderr_has("the TLS handshake failed: invalid peer certificate: UnknownIssuer");
    outcome.stderr_has("help: `ca` of [server.tls] names who signed");
}
