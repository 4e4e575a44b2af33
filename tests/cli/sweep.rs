//! Sweeps: all requests of an application, and leaks between them.

use serde_json::Value;

use crate::harness::{Outcome, Runner, a_few_at_once};
use crate::serving::Serving;

/// Two pages, of which one writes who asks where the other reads it.
const ACROSS: &str = r#"
    fn profile(request) { process.user = request.headers["x-user"]; sleep("5ms"); #{ user: request.headers["x-user"] } }
    fn search(request) { sleep("10ms"); #{ q: request.query.q, by: process.user } }
    fn cart(request) { sleep("5ms"); #{ user: request.headers["x-user"] } }
    fn plain(request) { "nothing" }
"#;

const CLEAN: &str = r#"
    fn profile(request) { sleep("5ms"); #{ user: request.headers["x-user"] } }
    fn search(request) { sleep("10ms"); #{ q: request.query.q, by: request.headers["x-user"] } }
    fn cart(request) { sleep("5ms"); #{ user: request.headers["x-user"] } }
    fn plain(request) { "nothing" }
"#;

const PAGES: &str = r#"
[dirty]
headers   = { x-user = "{canary}" }
exposures = 300
time      = "20s"
[[dirty.request]]
path = "/profile/"
[[dirty.request]]
path = "/search/?q={canary}"
[[dirty.request]]
path = "/cart/"
[[dirty.request]]
path = "/plain/"
"#;

fn scenario(pages: &str) -> String {
    format!("[server]\nmode = \"async\"\nscript = \"app.rhai\"\n{pages}")
}

fn swept(record: &Value) -> &Value {
    &record["variants"][0]["trials"][0]["dirty"]["sweep"]
}

fn findings(record: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let all = swept(record)["findings"].as_array().unwrap();
    all.iter().map(|finding| (text(&finding["source"]), text(&finding["victim"]))).collect()
}

/// A run of such a scenario with these handlers.
fn sweep(app: &str, pages: &str) -> Outcome {
    Runner::with(&scenario(pages)).file("app.rhai", app).run()
}

#[test]
fn a_leak_across_pages_names_both_and_a_clean_twin_has_none() {
    a_few_at_once(&[true, false], |is_leaky| {
        if *is_leaky {
            let outcome = sweep(ACROSS, PAGES).exit(1).stdout_has("finding 1");
            let record = outcome.record("scenario");
            assert_eq!(findings(&record), [("GET /profile/".to_owned(), "GET /search/".to_owned())], "{record:#}");
            let leak = &record["variants"][0]["trials"][0]["dirty"]["evidence"][0];
            assert_eq!(leak["source"]["operation"], "GET /profile/");
            let requests = leak["shrunk"]["requests"].as_array().unwrap();
            assert_eq!(requests.len(), 2, "{leak:#}");
            let report = outcome.report("scenario");
            assert!(
                report.contains("## Sweep") && report.contains("matrix.svg") && report.contains("curl"),
                "{report}"
            );
            outcome.then(&["replay", "reports/scenario/latest", "1", "--times", "4"]).run().exit(0);
            return;
        }
        let outcome = sweep(CLEAN, PAGES).exit(0);
        let record = outcome.record("scenario");
        assert!(findings(&record).is_empty());
        let swept = swept(&record);
        assert_eq!((&swept["exercised"], &swept["pairs"]), (&1.0.into(), &1.0.into()), "every two met: {swept:#}");
    });
}

/// A page that stores for everybody, a page that keeps the last of what was sent, a page of one's own.
const STORE: &str = r#"
    fn book(request) {
        if request.method == "POST" {
            let all = process.entries;
            if all == () { all = []; }
            all.push(request.json.text);
            process.entries = all;
        }
        #{ entries: process.entries }
    }
    fn last(request) {
        if request.method == "POST" { process.last = request.json.text; }
        #{ last: process.last }
    }
    // A page of a log, into which what was written comes later.
    fn log(request) {
        if request.method == "POST" {
            let all = process.log;
            if all == () { all = []; }
            all.push(#{ at: now(), text: request.json.text });
            process.log = all;
            return "noted";
        }
        let shown = if process.log == () { [] } else { process.log.filter(|one| one.at < now() - 0.2) };
        #{ log: shown.extract(-6).map(|one| one.text) }
    }
    // The same, of which only the last is shown.
    fn news(request) {
        if request.method == "POST" { return log(request); }
        let all = log(request).log;
        #{ news: if all.is_empty() { () } else { all[-1] } }
    }
    fn me(request) { #{ user: request.headers["x-user"] } }
"#;

fn store(page: &str, more: &str) -> String {
    format!(
        r#"
[dirty]
headers   = {{ x-user = "{{canary}}" }}
exposures = 400
time      = "15s"
{more}
[[dirty.request]]
method = "POST"
path   = "/{page}/"
json   = {{ text = "{{canary}}" }}
[[dirty.request]]
path = "/{page}/"
[[dirty.request]]
path = "/me/"
"#
    )
}

#[test]
fn what_a_guest_book_shows_is_stored_and_the_last_of_a_slot_is_unsettled() {
    let shared = r#"shared = ["* -> POST /last/", "* -> GET /last/"]"#;
    let all = [("book", "", 0), ("last", "", 4), ("last", shared, 0), ("log", "", 0), ("news", "", 4)];
    a_few_at_once(&all, |(page, more, code)| {
        let outcome = sweep(STORE, &store(page, more)).exit(*code);
        let record = outcome.record("scenario");
        match (*page, *code) {
            ("log", _) => {
                assert!(!swept(&record)["stored"].as_array().unwrap().is_empty(), "{record:#}");
            }
            ("news", _) => assert!(swept(&record)["unsettled"][0]["line"].as_str().unwrap().contains("/news/")),
            ("book", _) => {
                assert!(!swept(&record)["stored"].as_array().unwrap().is_empty(), "{record:#}");
                assert!(swept(&record)["unremovable"]["POST /book/"].as_u64().unwrap() > 0, "{record:#}");
                assert!(outcome.report("scenario").contains("No operation removes"), "what stays is told");
            }
            (_, 4) => {
                let line = swept(&record)["unsettled"][0]["line"].as_str().unwrap();
                assert!(line.starts_with("shared = [\"") && line.contains("/last/"), "{line}");
                assert!(outcome.report("scenario").contains(line), "the line to paste");
            }
            _ => assert!(swept(&record)["shared"].as_u64().unwrap() > 0),
        }
    });
}

/// Members who sign up; a page that keeps whose it was first, one that shows who has signed up last, one of one's own.
const MEMBERS: &str = r#"
    fn signup(request) {
        process.newest = request.json.username;
        process.first = process.first ?? process.newest;
        respond(201, #{ name: request.json.username })
    }
    fn login(request) { #{ access_token: request.json.username } }
    fn user(request) { request.headers["authorization"].split(" ")[1] }
    fn cached(request) {
        if process.page == () { process.page = user(request); }
        sleep("2ms");
        #{ page: process.page }
    }
    fn newest(request) { #{ newest: process.newest } }
    fn first(request) { #{ first: process.first } }
    fn me(request) { #{ user: user(request) } }
"#;

fn members(page: &str) -> String {
    format!(
        r#"
[dirty]
exposures = 400
time      = "15s"
[dirty.signup]
path = "/signup/"
json = {{ username = "{{canary}}" }}
[dirty.login]
path  = "/login/"
json  = {{ username = "{{canary}}" }}
token = "access_token"
[[dirty.request]]
path    = "/{page}/"
headers = {{ authorization = "Bearer {{token}}" }}
[[dirty.request]]
path    = "/me/"
headers = {{ authorization = "Bearer {{token}}" }}
"#
    )
}

#[test]
fn what_members_are_known_by_is_stored_when_they_sign_up_but_not_when_they_ask() {
    a_few_at_once(&[("cached", 1), ("newest", 0), ("first", 0)], |(page, code)| {
        let record = sweep(MEMBERS, &members(page)).exit(*code).record("scenario");
        let own = ("GET /cached/".to_owned(), "GET /cached/".to_owned());
        let expected = if *page == "cached" { vec![own] } else { Vec::new() };
        assert_eq!(findings(&record), expected, "{record:#}");
    });
}

#[test]
fn operations_that_refuse_everybody_are_named_and_nothing_is_concluded() {
    let app = format!("{CLEAN}\nfn secret(request) {{ respond(401, \"who are you\") }}");
    let pages = format!("{PAGES}[[dirty.request]]\npath = \"/secret/\"\n");
    sweep(&app, &pages).exit(4).stdout_has("GET /secret/").stdout_has("401");
}

/// Notes that are created and removed, and a page that lists them with the number of those that are there.
const NOTES: &str = r#"
    fn notes(request) {
        let made = process.made;
        if made == () { made = 0; }
        made += 1;
        process.made = made;
        process["note" + made] = request.json.title;
        respond(201, #{ id: "" + made, title: request.json.title })
    }
    fn note(request) { sleep("2ms"); #{ title: process["note" + request.query.id] } }
    fn remove(request) {
        let gone = process.gone;
        if gone == () { gone = 0; }
        process.gone = gone + 1;
        process["note" + request.query.id] = ();
        log(`${process.made} made, ${process.gone} gone`);
        "gone"
    }
"#;

const NOTES_ASKED: &str = r#"
[dirty]
headers   = { x-user = "{canary}" }
exposures = 60
time      = "10s"
[[dirty.request]]
method  = "POST"
path    = "/notes/"
json    = { title = "{canary}" }
capture = { note = "id" }
[[dirty.request]]
path = "/note/?id={capture.note}"
[[dirty.request]]
method  = "DELETE"
path    = "/remove/?id={capture.note}"
cleanup = true
"#;

#[test]
fn what_a_sweep_creates_it_removes() {
    let outcome = sweep(NOTES, NOTES_ASKED).exit(0);
    let record = outcome.record("scenario");
    let swept = swept(&record);
    let (created, removed) = (swept["created"].as_u64().unwrap(), swept["removed"].as_u64().unwrap());
    assert!(created > 10 && created == removed, "{created} created, {removed} removed");
    assert!(swept["left_behind"].as_object().unwrap().is_empty());
}

#[test]
fn what_a_replay_of_a_sweeps_leak_creates_it_removes() {
    let leaky = r#"
        fn notes(request) {
            process.title = request.json.title;
            process.made = (process.made ?? 0) + 1;
            let id = "" + process.made;
            sleep("20ms");
            respond(201, #{ id: id, title: process.title })
        }
        fn note(request) { #{ id: request.query.id } }
        fn remove(request) { process.gone = (process.gone ?? 0) + 1; "gone" }
        fn count(request) { `${process.made} ${process.gone}` }
    "#;
    let server = Serving::start("mode = \"async\"", leaky);
    let counted = |server: &Serving| {
        let body = server.get("/count/").body;
        let (made, gone) = body.trim().split_once(' ').unwrap();
        (made.parse::<u64>().unwrap(), gone.parse::<u64>().unwrap())
    };
    let scenario = format!("[server]\nurl = \"http://127.0.0.1:{}\"\n{NOTES_ASKED}", server.port);
    let outcome = Runner::with(&scenario).run().exit(1);
    let (made, gone) = counted(&server);
    let again = ["replay", "reports/scenario/latest", "1", "--times", "3"];
    outcome.then(&again).run().exit(0).stdout_has("try 3: ");
    let (made_then, gone_then) = counted(&server);
    server.stop();
    assert!(made_then >= made + 3, "{made} made, and with the replay {made_then}");
    assert_eq!(made_then - made, gone_then - gone, "what a replay made is gone");
}

#[test]
fn a_document_of_the_server_is_read_and_its_pages_are_followed() {
    let app = r#"
        fn home(request) { `<a href="/profile/">me</a> <a href="/logout/">out</a> <form action="/search/"><input name=q></form>` }
        fn profile(request) { #{ user: request.headers["x-user"] } }
        fn search(request) { sleep("5ms"); #{ q: request.query.q } }
        fn logout(request) { respond(500, "asked for by a sweep") }
    "#;
    let pages = "[dirty]\nfrom = \"/home/\"\nheaders = { x-user = \"{canary}\" }\nexposures = 60\ntime = \"10s\"\n";
    let outcome = sweep(app, pages).exit(0);
    let record = outcome.record("scenario");
    let mut names: Vec<&str> =
        swept(&record)["operations"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["GET /home/", "GET /profile/", "GET /search/"]);
    let omitted = &swept(&record)["omitted"][0];
    assert_eq!((&omitted["name"], &omitted["reason"]), (&"GET /logout/".into(), &"its name has `logout`".into()));
}

/// Notes of which the document does not say what creating one is answered with, as FastAPI writes it.
const UNDESCRIBED: &str = r#"{ "openapi": "3.1.0", "paths": {
    "/notes/": { "post": {
        "requestBody": { "content": { "application/json": { "schema": { "type": "object", "properties": { "title": { "type": "string" } } } } } },
        "responses": { "201": { "content": { "application/json": { "schema": {} } } } } } },
    "/show/": {
        "get": { "parameters": [{ "name": "note_id", "in": "query", "required": true, "schema": { "type": "integer" } }],
            "responses": { "200": { "content": { "application/json": { "schema": {} } } } } } },
    "/me/": { "get": { "responses": { "200": { "content": { "application/json": { "schema": {} } } } } } }
} }"#;

#[test]
fn an_id_that_no_document_speaks_of_is_tried_and_what_needs_it_is_left_out_if_none_comes() {
    let app = |answer: &str| {
        format!(
            r#"
            fn notes(request) {{ process.made = (process.made ?? 0) + 1; respond(201, #{{ {answer} }}) }}
            fn show(request) {{ sleep("2ms"); #{{ note: request.query.note_id }} }}
            fn me(request) {{ #{{ user: request.headers["x-user"] }} }}
            "#
        )
    };
    let pages = "[dirty]\nfrom = \"notes.json\"\nmethods = \"write\"\nheaders = { x-user = \"{canary}\" }\n\
                 exposures = 60\ntime = \"10s\"\n";
    a_few_at_once(&[("id: process.made", true), ("ok: true", false)], |(answer, is_given)| {
        let runner = Runner::with(&scenario(pages)).file("app.rhai", &app(answer)).file("notes.json", UNDESCRIBED);
        let outcome = runner.run().exit(0);
        let record = outcome.record("scenario");
        let swept = swept(&record);
        assert_eq!(swept["exercised"], 1.0, "{swept:#}");
        let omitted: Vec<(&Value, &Value)> =
            swept["omitted"].as_array().unwrap().iter().map(|one| (&one["name"], &one["reason"])).collect();
        let name = "GET /show/".into();
        let reason = "no response gives its `note_id`".into();
        let expected = if *is_given { Vec::new() } else { vec![(&name, &reason)] };
        assert_eq!(omitted, expected, "{swept:#}");
        assert!(outcome.report("scenario").contains("[dirty.values]") != *is_given, "the remedy is told");
    });
}

/// An application below `/api`, and its documents, of which one does not say so.
const BELOW: &str = r#"
import http.server, json, sys, time
paths = {"/me": {"get": {}}, "/home": {"get": {}}}
documents = {
    "/openapi.json": {"openapi": "3.1.0", "paths": paths},
    "/api/openapi.json": {"openapi": "3.1.0", "servers": [{"url": "/api"}], "paths": paths},
}
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        path = self.path.split("?")[0]
        time.sleep(0.005)
        if "busy" in sys.argv and path.startswith("/api/"):
            return self.say(503, {"detail": "busy"})
        if path in documents and (path != "/api/openapi.json" or "both" in sys.argv):
            return self.say(200, documents[path])
        is_there = path.startswith("/api/") and path[4:] in paths
        self.say(200, {"user": self.headers["x-user"]}) if is_there else self.say(404, {"detail": "Not Found"})
    def say(self, status, what):
        body = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer.request_queue_size = 128
http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
"#;

#[test]
fn paths_that_lie_below_another_are_found_or_named() {
    let file = r#"{"openapi": "3.1.0", "paths": {"/me": {"get": {}}, "/home": {"get": {}}}}"#;
    let all = [
        ("one", r#"from = "/openapi.json""#, 0, Some("/api")),
        ("one", r#"from = "/""#, 0, Some("/api")),
        ("both", r#"from = "/""#, 0, None),
        ("one", r#"from = "api.json""#, 4, None),
        ("busy", r#"from = "/openapi.json""#, 4, None),
        ("one", "from = \"api.json\"\nbase = \"/api\"", 0, Some("/api")),
    ];
    a_few_at_once(&all, |(documents, from, code, base)| {
        let scenario = format!(
            "[server]\ncommand = [\"python3\", \"server.py\", \"{{host}}\", \"{{port}}\", \"{documents}\"]\n[dirty]\n{from}\n\
             headers = {{ x-user = \"{{canary}}\" }}\nexposures = 60\ntime = \"10s\"\n"
        );
        let run = Runner::with(&scenario).file("server.py", BELOW).file("api.json", file).run().exit(*code);
        if *code != 0 {
            run.stdout_has("base = \"/api\"");
            return;
        }
        let record = run.record("scenario");
        let named = from.split('"').nth(1).unwrap();
        assert_eq!((swept(&record)["from"].as_str(), swept(&record)["base"].as_str()), (Some(named), *base), "{from}");
        assert_eq!(swept(&record)["exercised"], 1.0, "{from}");
    });
}
