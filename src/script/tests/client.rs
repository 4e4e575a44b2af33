//! Client-side hooks.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::script::client::{Called, HookExchange, HookResponse, HookUser, Setup, UserRequest};
use crate::script::hooks::{ALL, CHECK, REQUEST};
use crate::script::{Hooks, Limits, ScriptError};

fn compiled(source: &str, setup: &Setup) -> Result<Hooks, ScriptError> {
    Hooks::compile(source, Path::new("."), Limits::default(), setup, || 7.5)
}

fn hooks(source: &str) -> Hooks {
    compiled(source, &Setup::default()).unwrap()
}

fn ana() -> HookUser {
    let columns = [("email", Value::from("ana@x")), ("age", Value::from(33))];
    HookUser::new(4, columns.iter().map(|(name, value)| (*name, value)))
}

/// What `request` makes of this body, for the user ana and request 2.
fn asked(body: &str) -> Result<UserRequest, String> {
    let hooks = hooks(&format!("fn request(user, seq) {{ {body} }}"));
    hooks.request(&ana(), 2).result.map(|(wanted, _)| wanted).map_err(|error| error.message)
}

fn exchange(head: &str, body: &str) -> HookExchange {
    let request = "PUT /a%20b?x=1&y=%26 HTTP/1.1\r\nhost: h\r\ncookie: s=1\r\ncontent-length: 7\r\n\r\n{\"n\":3}";
    HookExchange {
        user: ana(),
        seq: 2,
        request: request.as_bytes().to_vec(),
        response: Some(HookResponse {
            status: 201,
            head: head.as_bytes().to_vec(),
            body: body.as_bytes().to_vec(),
            undecoded: None,
        }),
        failure: None,
        latency: Duration::from_millis(250),
        service_time: Duration::from_millis(200),
    }
}

const HEAD: &str = "HTTP/1.1 103 Hints\r\nx-early: 1\r\n\r\nHTTP/1.1 201 Created\r\nX-A: b\r\nset-cookie: s=2; Path=/\r\n\
                    set-cookie: t=3\r\n\r\nx-late: c\r\n";

fn checked(body: &str, exchange: HookExchange) -> Result<Option<String>, String> {
    let hooks = hooks(&format!("fn check(exchange) {{ {body} }}"));
    hooks.check(&Arc::new(exchange)).result.map_err(|error| error.message)
}

#[test]
fn a_request_is_made_of_the_parts_that_a_script_gives() {
    let wanted = asked(
        "#{ method: \"patch\", path: \"/u/\" + user.email + \"/a b#c\\r\\nx: y\", query: #{ a: \"1&b=2\", n: user.age }, \
         headers: #{ \"X-User\": user.number, gone: () }, cookies: #{ s: seq }, json: #{ items: [1, seq] } }",
    )
    .unwrap();
    assert_eq!(wanted.method.as_deref(), Some("PATCH"));
    assert_eq!(wanted.path.as_deref(), Some("/u/ana@x/a%20b%23c%0D%0Ax:%20y"));
    assert_eq!(wanted.query.as_deref(), Some("a=1%26b%3D2&n=33"));
    let headers = [("gone", None), ("x-user", Some("4")), ("cookie", Some("s=2"))];
    let mut given: Vec<_> = wanted.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
    given.sort_by_key(|(name, _)| headers.iter().position(|(known, _)| known == name));
    assert_eq!(given, headers);
    let body = wanted.body.unwrap();
    assert_eq!((body.bytes.as_slice(), body.content_type), (&b"{\"items\":[1,2]}"[..], Some("application/json")));
    assert_eq!(asked("()").unwrap(), UserRequest::default());
    let form = asked("#{ form: #{ a: \"x y\" } }").unwrap().body.unwrap();
    assert_eq!(form.bytes, b"a=x%20y");
}

#[test]
fn a_request_that_could_not_be_sent_as_meant_is_an_error() {
    for (body, error) in [
        ("#{ pth: \"/\" }", "a request has no `pth`"),
        ("#{ path: \"x\" }", "does not start with `/`"),
        ("#{ headers: #{ a: \"x\\r\\nHost: evil\" } }", "holds a line break"),
        ("#{ headers: #{ \"a\\r\\nb\": 1 } }", "is not a header's name"),
        ("#{ headers: #{ \"content-length\": 9 } }", "is runner's to write"),
        ("#{ cookies: #{ a: \"x; admin=1\" } }", "holds a semicolon"),
        ("#{ method: \"GET / HTTP/1.1\\r\\n\" }", "is not a method"),
        ("#{ json: 1, body: \"x\" }", "more than one of json, form and body"),
        ("\"/\"", "a string is not a request"),
        ("throw \"no more\"", "no more"),
        ("loop { }", "endless loop"),
        ("request(user, seq)", "nest more than"),
        ("fetch_nothing()", "unknown function"),
        ("process.x = 1", "only while a request is handled"),
        ("block(1)", "only while a request is handled"),
    ] {
        let found = asked(body).unwrap_err();
        assert!(found.contains(error), "{body}: {found}");
    }
}

#[test]
fn sleep_is_think_time_and_belongs_to_requests() {
    let hooks = hooks(
        "fn request(user, seq) { sleep(\"20ms\"); sleep(0.03); } fn check(exchange) { sleep(1); } fn setup() { now() }",
    );
    let (_, pause) = hooks.request(&ana(), 0).result.unwrap();
    assert_eq!(pause, Duration::from_millis(50));
    let error = hooks.check(&Arc::new(exchange(HEAD, ""))).result.unwrap_err();
    assert!(error.message.contains("think time"), "{error}");
    assert_eq!(hooks.request(&ana(), 1).result.unwrap().1, pause, "one call does not add to the next");
}

#[test]
fn an_exchange_shows_the_request_and_the_response() {
    for body in [
        "exchange.status == 201 && exchange.response.status == 201",
        "exchange.response.headers[\"x-a\"] == \"b\" && exchange.response.headers[\"x-late\"] == \"c\"",
        "exchange.response.headers[\"x-early\"] == ()",
        "exchange.response.cookies == #{ s: \"2\", t: \"3\" }",
        "exchange.response.json.ok && exchange.response.body == \"{\\\"ok\\\":true}\"",
        "exchange.request.method == \"PUT\" && exchange.request.path == \"/a b\"",
        "exchange.request.query == #{ x: \"1\", y: \"&\" } && exchange.request.cookies.s == \"1\"",
        "exchange.request.json.n == 3 && exchange.seq == 2 && exchange.user.number == 4",
        "exchange.latency == 0.25 && exchange.service_time == 0.2 && exchange.failure == ()",
    ] {
        assert_eq!(checked(body, exchange(HEAD, "{\"ok\":true}")), Ok(None), "{body}");
    }
}

#[test]
fn a_check_says_what_is_wrong_as_a_text_a_map_or_false() {
    let of = |body: &str| checked(body, exchange(HEAD, "x")).unwrap();
    assert_eq!((of("true"), of("#{}")), (None, None));
    assert_eq!(of("false").as_deref(), Some("check returned false"));
    assert_eq!(of("\"too late\"").as_deref(), Some("too late"));
    assert_eq!(of("#{ wanted: 1, got: 2 }").as_deref(), Some("{\"got\":2,\"wanted\":1}"));
    assert!(of("let x = 1;").unwrap().contains("return true, or what is wrong"));
    let error = checked("exchange.response.json.a", exchange(HEAD, "x")).unwrap_err();
    assert!(error.contains("is not JSON"), "{error}");
    assert!(checked("exchange.respnse", exchange(HEAD, "")).unwrap_err().contains("an exchange has no `respnse`"));
    let failed = HookExchange { response: None, failure: Some("timeout"), ..exchange("", "") };
    assert_eq!(checked("exchange.failure == \"timeout\" && exchange.response == ()", failed), Ok(None));
}

#[test]
fn what_setup_returned_is_read_by_the_others_and_never_changed() {
    let source = |body: &str| {
        format!(
            "fn setup() {{ #{{ token: \"t\", list: [1, 2] }} }} fn request(user, seq) {{ {body} }} fn of(x) {{ x.list.push(9); x.list.len() }}"
        )
    };
    let setup = hooks(&source("")).setup().result.unwrap();
    let with = |body: &str| compiled(&source(body), &setup).unwrap();
    let token = with("#{ headers: #{ a: setup.token } }").request(&ana(), 0).result.unwrap().0.headers;
    assert_eq!(token, [("a".to_owned(), Some("t".to_owned()))]);
    assert!(with("setup = 1;").request(&ana(), 0).result.is_err());
    // A copy may be changed; what it was copied from stays.
    for changed in [
        "let a = setup; a.list.push(3); a.token = 1;",
        "let a = setup.list; a.push(3);",
        "of(setup);",
        "try { setup.list = []; } catch { }",
        "try { setup.list.push(3); } catch { }",
    ] {
        let hooks = with(&format!("{changed} #{{ query: #{{ n: setup.list.len() }} }}"));
        for seq in 0..2 {
            let query = hooks.request(&ana(), seq).result.unwrap().0.query;
            assert_eq!(query.as_deref(), Some("n=2"), "{changed}");
        }
    }
}

#[test]
fn what_a_user_keeps_is_its_own_and_lasts() {
    let hooks = hooks(
        "fn request(user, seq) { user.n = (user.n ?? 0) + 1; #{ query: #{ n: user.n } } }
         fn check(exchange) { exchange.user.n += 10; true }",
    );
    let query = |user: &HookUser| hooks.request(user, 0).result.unwrap().0.query.unwrap();
    let (one, other) = (ana(), ana());
    assert_eq!((query(&one), query(&one), query(&other)), ("n=1".to_owned(), "n=2".to_owned(), "n=1".to_owned()));
    hooks.check(&Arc::new(HookExchange { user: one.clone(), ..exchange(HEAD, "") })).result.unwrap();
    assert_eq!(query(&one), "n=13");
}

#[test]
fn what_hooks_log_comes_with_the_call_and_is_bounded() {
    let hooks = hooks("fn setup() { for i in 0..1000 { log(i); } } fn teardown() { print(\"bye\"); }");
    assert_eq!(hooks.setup().log.len(), 20);
    let Called { result, log } = hooks.teardown();
    assert_eq!((result, log), (Ok(()), vec!["bye".to_owned()]));
}

#[test]
fn a_hook_with_another_number_of_parameters_is_refused_where_it_stands() {
    for (source, message) in [
        ("\nfn request(user) { }", "`request` takes 1 parameter, but is called as `request(user, seq)`"),
        ("\nfn check() { }", "`check` takes no parameter, but is called as `check(exchange)`"),
        ("\nfn setup(a, b) { }", "`setup` takes 2 parameters, but is called as `setup()`"),
    ] {
        let error = compiled(source, &Setup::default()).unwrap_err();
        assert_eq!((error.message.as_str(), error.line), (message, 2));
    }
    let both = hooks("fn check() { } fn check(exchange) { }");
    assert!(both.has(CHECK) && !both.has(REQUEST));
}

#[test]
fn hooks_have_different_names() {
    for (index, hook) in ALL.iter().enumerate() {
        assert!(ALL[..index].iter().all(|other| other.name != hook.name), "{hook:?}");
    }
}

#[test]
fn a_hook_that_ran_into_a_limit_leaves_the_next_call_as_it_was() {
    let hooks = hooks("fn request(user, seq) { if seq == 0 { request(user, seq) } else { () } }");
    for _ in 0..3 {
        assert!(hooks.request(&ana(), 0).result.is_err());
        assert!(hooks.request(&ana(), 1).result.is_ok());
    }
}

#[test]
fn closures_within_closures_are_dropped_where_there_is_room() {
    let chain = "let f = || 0; for i in 0..200000 { let g = f; f = || g.call(); }";
    let on_a_small_stack = move || {
        let source = format!("fn request(user, seq) {{ {chain} if seq == 1 {{ user.f = f; }} () }}");
        let (hooks, user) = (hooks(&source), ana());
        hooks.request(&user, 0).result.unwrap();
        let error = hooks.request(&user, 1).result.unwrap_err();
        assert!(error.message.contains("a closure that uses variables around it cannot be kept"), "{error}");
        hooks.request(&user, 2).result.unwrap();
    };
    std::thread::Builder::new().stack_size(512 << 10).spawn(on_a_small_stack).unwrap().join().unwrap();
}
