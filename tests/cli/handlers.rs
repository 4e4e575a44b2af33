//! Scripted handlers in a real server: who sees whose state, what becomes of a handler whose client leaves, and what a
//! handler fetches.

use std::fs;

use runner::mode::{Handlers, Mode};

use crate::harness::raw_server::{RawServer, Request, Response};
use crate::harness::shipped;
use crate::serving::{Serving, read};

const OBJECTS: [&str; 3] = ["process", "thread", "context"];
const TABLE: (&str, &str) = ("<!-- leaks: from a test, UPDATE=1 renews it -->\n", "<!-- end of leaks -->");

/// A handler of each object that keeps what it is given, and answers with what it finds once the second of two has been there
/// (where a second can). Each of the two leaves a mark of its own: a count of both could lose one of them.
const KEEPING: &str = "
fn keep_OBJECT(request) {
    let who = if \"email\" in request.query { request.query.email } else { \"\" };
    let rounds = request.query.rounds.parse_int();
    if who == \"bob\" {
        for i in 0..rounds { if process.OBJECT_ann ?? false { break; } sleep(0.005); }
    }
    if who != \"\" { OBJECT.email = who; }
    if who == \"ann\" {
        process.OBJECT_ann = true;
        for i in 0..rounds { if process.OBJECT_bob ?? false { break; } sleep(0.005); }
    }
    if who == \"bob\" { process.OBJECT_bob = true; }
    OBJECT.email ?? \"nobody\"
}
";

/// Where no second request can come while one is handled, few are waited for; elsewhere many: it will come, if late.
fn rounds(mode: Mode) -> u32 {
    if mode.handlers() == Handlers::One { 20 } else { 4000 }
}

/// In words: what the first of two requests at once finds of the second, and what a later one finds of both.
fn leaks(serving: &Serving, object: &str, rounds: u32) -> String {
    let ask = |rest: &str| serving.ask(&format!("/keep_{object}?{rest}"));
    let first = ask(&format!("rounds={rounds}&email=ann"));
    let second = ask(&format!("rounds={rounds}&email=bob"));
    let (first, second) = (read(first).body, read(second).body);
    assert_eq!(second, "bob");
    // Each thread of the two has one of them, so any thread will do.
    let later = read(ask("rounds=0")).body;
    match (first.as_str(), later.as_str()) {
        ("bob", "ann" | "bob") => "during, after".to_owned(),
        ("ann", "ann" | "bob") => "after".to_owned(),
        ("ann", "nobody") => "no".to_owned(),
        other => panic!("{object}: {other:?}"),
    }
}

#[test]
fn the_table_of_leaks_is_what_the_servers_do() {
    let script: String = OBJECTS.iter().map(|object| KEEPING.replace("OBJECT", object)).collect();
    let mut table = format!("{}| mode | `process` | `thread` | `context` |\n| --- | --- | --- | --- |\n", TABLE.0);
    for mode in Mode::ALL {
        let threads = if mode.threads(None).is_some() { "\nthreads = 2" } else { "" };
        let serving = Serving::start(&format!("mode = \"{}\"{threads}", mode.name()), &script);
        let cells = OBJECTS.map(|object| leaks(&serving, object, rounds(*mode))).join(" | ");
        table += &format!("| `{}` | {cells} |\n", mode.name());
        serving.stop();
    }
    let path = shipped("docs/handlers.md");
    let page = fs::read_to_string(&path).unwrap();
    let start = page.find(TABLE.0).unwrap();
    let end = page.find(TABLE.1).unwrap();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, format!("{}{table}{}", &page[..start], &page[end..])).unwrap();
    } else {
        assert_eq!(&page[start..end], table, "UPDATE=1 renews docs/handlers.md");
    }
}

const NAPPING: &str = "
fn nap(request) {
    process.naps = \"begun\";
    sleep(0.2);
    process.naps = \"ended\";
    \"napped\"
}
fn later(request) { sleep(0.5); process.naps }
fn naps(request) { process.naps ?? \"none\" }
";

/// What became of a nap whose client left, once its time is over: timers of one event loop fire in their order.
fn abandoned_nap(on_disconnect: &str) -> String {
    let serving = Serving::start(&format!("mode = \"async\"\n{on_disconnect}"), NAPPING);
    let client = serving.ask("/nap");
    crate::harness::wait_for("the nap", || (serving.get("/naps").body == "begun").then_some(()));
    drop(client);
    let left = serving.get("/later").body;
    assert_eq!(serving.get("/nap").body, "napped", "a client that stays gets its response");
    serving.stop();
    left
}

#[test]
fn a_handler_whose_client_has_left_goes_on() {
    assert_eq!(abandoned_nap(""), "ended");
    assert_eq!(abandoned_nap("on_disconnect = \"continue\""), "ended");
}

#[test]
fn a_handler_whose_client_has_left_ends_where_the_scenario_wants_that() {
    assert_eq!(abandoned_nap("on_disconnect = \"cancel\""), "begun");
}

/// An upstream that answers so many requests with what they asked.
fn upstream() -> u16 {
    let respond = |request: &Request| match request.path() {
        "/silent" => loop {
            std::thread::park();
        },
        "/rude" => Response::raw("hello\r\n\r\n"),
        "/cut" => Response::raw("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort"),
        "/long" => Response::raw(format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", "x".repeat(1_000_001))),
        "/away" => Response::raw("HTTP/1.1 302 Found\r\nlocation: http://192.0.2.1/\r\ncontent-length: 0\r\n\r\n"),
        _ => {
            let (head, body) = (request.head, String::from_utf8_lossy(request.body));
            let body = serde_json::json!({ "head": head, "body": body }).to_string();
            Response::raw(format!(
                "HTTP/1.1 200 OK\r\nx-a: 1\r\nX-A: 2\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            ))
        }
    };
    RawServer::start(move |request| respond(request).closing()).address.port()
}

const FETCHING: &str = r#"
fn plain(request) { let r = fetch(`http://${request.query.at}/a?b=c`); `${r.status} ${r.headers["x-a"]} ${r.json.head}` }
fn post(request) {
    let r = fetch(`http://${request.query.at}/p`, #{ body: #{ name: "ann" }, headers: #{ "X-User": 7 } });
    `${r.json.head}|${r.json.body}`
}
fn put(request) {
    fetch(`http://${request.query.at}/p`, #{ method: "PUT", body: "text", headers: #{ "content-type": "a/b" } }).body
}
fn status(request) { fetch(`http://${request.query.at}${request.query.path}`, #{ timeout: "300ms" }).status }
fn caught(request) { try { fetch(`http://${request.query.at}/silent`, #{ timeout: "50ms" }) } catch (e) { return `caught ${e}`; } }
fn option(request) { fetch("http://127.0.0.1/", #{ verb: "GET" }) }
fn framing(request) { fetch("http://127.0.0.1/", #{ headers: #{ "content-length": 5 } }) }
fn split(request) { fetch("http://127.0.0.1/", #{ headers: #{ "a": "b\r\nc: d" } }) }
fn both(request) {
    // A mark of its own for each, as two that count in one place at the same moment may count one.
    process[request.query.me] = true;
    try { fetch(`http://${request.query.at}/silent`, #{ timeout: "1s" }) } catch { }
    let both = process[request.query.other] ?? false;
    process[request.query.me] = false;
    `${both}`
}
"#;

#[test]
fn a_handler_fetches_in_every_mode() {
    let at = format!("at=127.0.0.1:{}", upstream());
    for mode in Mode::ALL {
        let others_run = mode.handlers() != Handlers::One;
        let mode = mode.name();
        let serving = Serving::start(&format!("mode = \"{mode}\""), FETCHING);
        let get = |path: &str| serving.get(path);
        let plain = get(&format!("/plain?{at}")).body;
        assert!(plain.starts_with("200 1, 2 GET /a?b=c HTTP/1.1\r\nhost: 127.0.0.1:"), "{plain}");
        let post = get(&format!("/post?{at}")).body;
        assert!(post.starts_with("POST /p ") && post.ends_with("|{\"name\":\"ann\"}"), "{post}");
        assert!(post.contains("content-type: application/json") && post.contains("x-user: 7"), "{post}");
        let put = get(&format!("/put?{at}")).body;
        assert!(put.contains("PUT /p ") && put.contains("content-type: a/b") && !put.contains("text/html"), "{put}");
        assert_eq!(get(&format!("/status?{at}&path=/away")).status, 302, "redirects are not followed");
        assert!(get(&format!("/caught?{at}")).body.contains("/silent: no response within 50ms"));
        for (path, why) in [
            (format!("/status?{at}&path=/silent"), "no response within 300ms"),
            (format!("/status?{at}&path=/rude"), "no response: "),
            (format!("/status?{at}&path=/cut"), "ended early"),
            (format!("/status?{at}&path=/long"), "longer than 1.00 MB"),
            ("/status?at=127.0.0.1:1&path=/".to_owned(), "cannot connect: "),
            ("/status?at=192.0.2.1&path=/".to_owned(), "--allow-host 192.0.2.1"),
            ("/option".to_owned(), "no option `verb`; it has method, headers, body and timeout"),
            ("/framing".to_owned(), "the header `content-length` is the server's to write"),
            ("/split".to_owned(), "line break or control character"),
        ] {
            let answer = get(&path);
            assert!(answer.status == 500 && answer.body.contains(why), "{mode} {path}: {}", answer.body);
        }
        let pair =
            [("a", "b"), ("b", "a")].map(|(me, other)| serving.ask(&format!("/both?{at}&me={me}&other={other}")));
        let pair = pair.map(|stream| read(stream).body);
        assert_eq!(pair.iter().any(|both| both == "true"), others_run, "{mode}: {pair:?}");
        serving.stop();
    }
}

#[test]
fn a_host_that_was_allowed_is_asked() {
    let arguments = ["--allow-host", "192.0.2.1"];
    let serving = Serving::start_with("mode = \"async\"", FETCHING, &arguments);
    let body = serving.get("/status?at=192.0.2.1:9&path=/").body;
    assert!(!body.contains("--allow-host") && body.contains("fetch of http://192.0.2.1:9/: "), "{body}");
    serving.stop();
}
