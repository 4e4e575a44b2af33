//! Logging in to real servers, as frameworks have it: forms with tokens against forgery, sessions, redirects.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::harness::{Outcome, Runner};

/// A shop with the forms of a framework. Its arguments are a port, a folder for its log and sessions, and what is special.
const SHOP: &str = r#"
import json, os, secrets, sys, time, threading
from html import escape
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

PORT, FOLDER, SPECIAL = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
LOG, KEPT = os.path.join(FOLDER, "log"), os.path.join(FOLDER, "sessions")
sessions = json.load(open(KEPT)) if "keeps" in SPECIAL and os.path.exists(KEPT) else {}
tokens, lock, last = set(), threading.Lock(), ""

def log(line):
    with open(LOG, "a") as file:
        file.write(line + "\n")

class Shop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body="", *headers):
        body = body.encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def form(self):
        length = int(self.headers.get("content-length") or 0)
        fields = parse_qs(self.rfile.read(length).decode(), keep_blank_values=True)
        return {name: values[0] for name, values in fields.items()}

    def page(self, csrf):
        # An attribute without quotes, one in single ones, and an entity.
        field = "<input type=hidden name='csrfmiddlewaretoken' value=\"%s\">" % escape(csrf).replace("-", "&#45;")
        return "<!-- <input name=csrfmiddlewaretoken value=wrong> --><form>%s<input name=username><input type=password name=password></form>" % field

    def do_HEAD(self):
        self.do_GET()

    def do_POST(self):
        self.do_GET()

    def do_GET(self):
        global last
        url = urlsplit(self.path)
        cookies = {name: morsel.value for name, morsel in SimpleCookie(self.headers.get("cookie", "")).items()}
        form = self.form()
        user = sessions.get(cookies.get("sessionid"))
        if url.path == "/start":
            return self.answer(301, "", ("location", "/accounts/login/?next=/me/"))
        if url.path == "/accounts/login/" and self.command == "GET":
            csrf = "-" + secrets.token_hex(16)
            tokens.add(csrf)
            return self.answer(200, self.page(csrf), ("set-cookie", "csrftoken=%s; Path=/" % csrf), ("set-cookie", "old=1; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT"))
        if url.path == "/accounts/login/":
            name = form.get("username", "")
            csrf = cookies.get("csrftoken")
            if csrf not in tokens or form.get("csrfmiddlewaretoken") != csrf:
                log("forged " + name)
                return self.answer(403, "<h1>CSRF verification failed</h1>")
            if form.get("password") != "pw-" + name:
                log("refused " + name)
                return self.answer(200, self.page(csrf))
            log("login " + name)
            sid = secrets.token_hex(16)
            with lock:
                sessions[sid] = name
                if "keeps" in SPECIAL:
                    json.dump(sessions, open(KEPT, "w"))
            return self.answer(302, "", ("location", "/me/"), ("set-cookie", "sessionid=%s; Path=/; HttpOnly; SameSite=Lax" % sid))
        if user is None or "forgets" in SPECIAL and user == "zoe":
            log("stranger " + url.path)
            return self.answer(302, "", ("location", "/accounts/login/?next=" + url.path))
        if self.command == "POST" and form.get("csrf") != cookies.get("csrftoken"):
            log("forged " + user)
            return self.answer(403, "<h1>CSRF verification failed</h1>")
        log("page " + user)
        if "leaks" in SPECIAL:
            last = user
            time.sleep(0.3)
            user = last
        self.answer(200, "<h1>Hello %s</h1><p>These are the orders of %s.</p>" % (user, user))

class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

Server(("127.0.0.1", PORT), Shop).serve_forever()
"#;

const DIRTY: &str = r#"
[server]
command = ["python3", "shop.py", "{port}", "."]

[dirty]
path       = "/me/"
time       = "3s"
exposures  = 30
triggers   = ["pair"]
expect     = "report"
identities = [{ name = "zoe", password = "pw-zoe" }, { name = "bob", password = "pw-bob" }]

[[dirty.login.step]]
path    = "/accounts/login/"
capture = { csrf = { field = "csrfmiddlewaretoken" } }

[[dirty.login.step]]
path = "/accounts/login/"
form = { username = "{identity.name}", password = "{identity.password}", csrfmiddlewaretoken = "{capture.csrf}" }
"#;

fn shop(scenario: &str, special: &[&str]) -> Runner {
    let words: String = special.iter().map(|word| format!(", \"{word}\"")).collect();
    let scenario = scenario.replace("\"{port}\", \".\"]", &format!("\"{{port}}\", \".\"{words}]"));
    Runner::with(&scenario).file("shop.py", SHOP)
}

/// How often the shop said each thing.
fn said(outcome: &Outcome) -> BTreeMap<String, usize> {
    let log = std::fs::read_to_string(outcome.folder.path().join("log")).unwrap_or_default();
    let mut said = BTreeMap::new();
    log.lines().for_each(|line| *said.entry(line.to_owned()).or_default() += 1);
    said
}

fn problems(outcome: &Outcome) -> Vec<String> {
    let record = outcome.record("scenario");
    let problems = &record["variants"][0]["trials"][0]["dirty"]["control"]["problems"];
    problems.as_array().unwrap().iter().map(|problem| problem.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_form_with_a_hidden_token_lets_every_identity_in() {
    let outcome = shop(DIRTY, &[]).run().exit(0);
    assert!(problems(&outcome).is_empty(), "{:?}", problems(&outcome));
    let said = said(&outcome);
    let count = |line: &str| said.get(line).copied().unwrap_or_default();
    assert!(count("page zoe") > 3 && count("page bob") > 3, "{said:?}");
    assert!(count("login zoe") > 0 && count("login zoe") == count("login bob") && count("forged zoe") == 0, "{said:?}");
}

#[test]
fn a_page_behind_a_login_that_shows_somebody_else_is_found() {
    let scenario = DIRTY.replace("expect     = \"report\"", "expect     = \"dirty\"").replace("\"3s\"", "\"60s\"");
    let outcome = shop(&scenario, &["leaks"]).run().exit(0);
    let record = outcome.record("scenario");
    let leak = &record["variants"][0]["trials"][0]["dirty"]["evidence"][0];
    assert!(leak["place"].as_str().unwrap().starts_with("body"), "{leak}");
}

#[test]
fn an_identity_that_is_not_let_in_is_named_and_the_check_concludes_nothing() {
    let clean = DIRTY.replace("expect     = \"report\"", "expect     = \"clean\"");
    for (wrong, told) in [
        (
            clean.replace("pw-zoe", "pw-nobody"),
            "zoe's login was answered 200 with a form that asks for the password again (step 2 of 2, POST /accounts/login/)",
        ),
        (
            clean.replace("csrfmiddlewaretoken = \"{capture.csrf}\"", "csrf = \"{capture.csrf}\""),
            "zoe's login was answered 403: \"<h1>CSRF verification failed</h1>\" (step 2 of 2, POST /accounts/login/)",
        ),
        (
            clean.replace("field = \"csrfmiddlewaretoken\"", "field = \"csrf_token\""),
            "zoe's login was answered 200 without the form field `csrf_token` in its HTML: \"<!-- <input",
        ),
    ] {
        let outcome = shop(&wrong, &[]).run().exit(4);
        assert!(problems(&outcome)[0].starts_with(told), "{:?}", problems(&outcome));
        let report = outcome.report("scenario");
        assert!(report.contains("zoe's login was answered"), "{report}");
    }
}

#[test]
fn an_identity_that_is_a_stranger_after_its_login_is_named() {
    let clean = DIRTY.replace("expect     = \"report\"", "expect     = \"clean\"");
    let outcome = shop(&clean, &["forgets"]).run().exit(4);
    let told = "zoe, asking alone, was always answered 302 to /accounts/login/?next=/me/, although the login was not";
    assert!(problems(&outcome).iter().any(|problem| problem == told), "{:?}", problems(&outcome));
}

/// The dirty request is a form itself, with a token that is fresh after the login.
#[test]
fn what_a_later_step_captures_goes_with_the_request_itself() {
    let scenario = DIRTY
        .replace("path       = \"/me/\"", "path       = \"/me/\"\nform       = { csrf = \"{capture.fresh}\" }")
        + "follow = true\n[[dirty.login.step]]\npath = \"/start\"\nfollow = 2\ncapture = { fresh = { cookie = \"csrftoken\" } }\n\
           [[dirty.login.step]]\npath = \"/me/?n={identity.name}\"\n";
    let outcome = shop(&scenario, &[]).run().exit(0);
    assert!(problems(&outcome).is_empty(), "{:?}", problems(&outcome));
    let said = said(&outcome);
    assert!(said.get("page bob").copied() > Some(3) && !said.keys().any(|line| line.starts_with("forged")), "{said:?}");
}

#[test]
fn a_login_is_kept_where_the_server_keeps_it_and_made_again_where_not() {
    let once = format!(
        "{}\n[dirty.login]\nonce = true\n{}",
        &DIRTY[..DIRTY.find("[[dirty").unwrap()],
        &DIRTY[DIRTY.find("[[dirty").unwrap()..]
    );
    let logins = |scenario: &str, special: &[&str]| {
        let outcome = shop(scenario, special).run().exit(0);
        assert!(problems(&outcome).is_empty(), "{:?}", problems(&outcome));
        (
            said(&outcome).get("login zoe").copied().unwrap_or_default(),
            said(&outcome).get("page zoe").copied().unwrap_or_default(),
        )
    };
    let (kept, asked) = logins(&once, &["keeps"]);
    assert!(kept == 1 && asked > 3, "{kept} {asked}");
    assert!(logins(&once, &[]).0 > 1, "the server forgets with every start");
    assert!(logins(DIRTY, &["keeps"]).0 > 1, "each server is logged in to, if nothing else is said");
}

/// Sends whoever comes to `/go` to a page that is the same for all, by a location that tells whom it sent there last.
const GOES: &str = r#"
import sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
last = ""
class H(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def do_GET(self):
        global last
        user = self.path.split("u=")[-1]
        if self.path.startswith("/go"):
            if "leaks" in sys.argv:
                last = user
                time.sleep(0.3)
                user = last
            self.send_response(302)
            self.send_header("location", "/page?u=" + user)
            self.send_header("set-cookie", "seen=yes")
            body = b""
        else:
            body = b"<h1>Welcome</h1>" if "seen=yes" in self.headers.get("cookie", "") else b"no cookie came along"
            self.send_response(200 if body.startswith(b"<h1>") else 400)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
class S(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
S(("127.0.0.1", int(sys.argv[1])), H).serve_forever()
"#;

#[test]
fn redirects_are_followed_with_cookies_and_what_stands_in_them_is_searched() {
    let scenario = |special: &str, expect: &str| {
        let scenario = format!(
            "[server]\ncommand = [\"python3\", \"goes.py\", \"{{port}}\", \"{special}\"]\n[dirty]\npath = \"/go?u={{canary}}\"\n\
             follow = true\nexpect = \"{expect}\"\ntime = \"15s\"\nexposures = 40\ntriggers = [\"pair\", \"pipeline\"]\n"
        );
        Runner::with(&scenario).file("goes.py", GOES).run().exit(0).record("scenario")
    };
    let dirty = |record: &Value| record["variants"][0]["trials"][0]["dirty"].clone();
    let leaking = dirty(&scenario("leaks", "dirty"));
    let place = leaking["evidence"][0]["place"].as_str().unwrap().to_owned();
    assert_eq!(place, "header location of redirect 1", "{leaking}");
    let clean = dirty(&scenario("not", "report"));
    assert_eq!((&clean["leaks"], clean["control"]["problems"].as_array().unwrap().len()), (&0.into(), 0), "{clean}");
    assert!(clean["triggers"]["pair"]["exposures"].as_u64().unwrap() > 0, "{clean}");
}

const LOAD: &str = r#"
[server]
command = ["python3", "shop.py", "{port}", "."]

[load]
path        = "/me/?u={data.name}"
form        = { csrf = "{capture.fresh}" }
concurrency = 6
duration    = "1s"
data        = "users.csv"

[[load.login.step]]
path    = "/start"
follow  = true
capture = { csrf = { field = "csrfmiddlewaretoken" } }

[[load.login.step]]
path    = "/accounts/login/"
form    = { username = "{data.name}", password = "pw-{data.name}", csrfmiddlewaretoken = "{capture.csrf}" }
capture = { fresh = { cookie = "csrftoken" } }

[assert]
that = ["errors.count == 0", "completed > 5"]
"#;

#[test]
fn every_user_of_a_load_logs_in_before_it_and_outside_of_what_is_measured() {
    for more in ["", "load.pipeline=2", "load.rate=\"50/s\""] {
        let scenario = match more {
            "load.rate=\"50/s\"" => LOAD.replace("concurrency = 6", "max_concurrency = 6"),
            _ => LOAD.to_owned(),
        };
        let runner = shop(&scenario, &[]).file("users.csv", "name\nann\nbob\nzoe\n");
        let runner = if more.is_empty() { runner } else { runner.set(more) };
        let outcome = runner.run().exit(0);
        let said = said(&outcome);
        let logins: Vec<_> = said.iter().filter(|(line, _)| line.starts_with("login")).collect();
        assert_eq!(logins.iter().map(|(_, count)| **count).collect::<Vec<_>>(), [2, 2, 2], "{more} {said:?}");
        let pages: usize = said.iter().filter(|(line, _)| line.starts_with("page")).map(|(_, count)| count).sum();
        let record = outcome.record("scenario");
        let load = &record["variants"][0]["trials"][0]["load"];
        let (started, unanswered) = (load["started"].as_u64().unwrap(), load["unanswered"].as_u64().unwrap());
        assert!(pages as u64 <= started && pages as u64 + unanswered >= started, "{more} {pages} {load}");
        assert!(!said.keys().any(|line| line.starts_with("stranger") || line.starts_with("forged")), "{said:?}");
    }
}

#[test]
fn a_user_of_a_load_who_is_not_let_in_ends_the_run_before_anything_is_measured() {
    let outcome = shop(LOAD, &[]).file("users.csv", "name,x\nann,1\nbob,1\n\"a b\",1\n").run();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let wrong = LOAD.replace("pw-{data.name}", "pw-ann");
    let outcome = shop(&wrong, &[]).file("users.csv", "name\nann\nbob\n").run().exit(3);
    let told = "login of user 1 was answered 200 with a form that asks for the password again (step 2 of 2, POST /accounts/login/)";
    assert!(outcome.stderr.contains(told), "{}", outcome.stderr);
    assert!(!said(&outcome).keys().any(|line| line.starts_with("page")), "{:?}", said(&outcome));
}

#[test]
fn the_plan_tells_of_the_steps() {
    let check = |scenario: &str| {
        Runner::new(&["check", "scenario.toml"])
            .file("scenario.toml", scenario)
            .file("users.csv", "name\nann\n")
            .run()
            .exit(0)
            .stdout_has("GET /accounts/login/, then POST /accounts/login/")
    };
    check(DIRTY).stdout_has("each logs in: ");
    check(&LOAD.replace("\"/start\"", "\"/accounts/login/\"")).stdout_has("each user logs in before: ");
}
