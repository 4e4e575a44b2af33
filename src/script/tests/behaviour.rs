//! Each function and object that a script finds.

use super::*;

#[test]
fn the_example_handlers_compile_and_answer() {
    let dirty = program(include_str!("../../../scenarios/handlers/dirty.rhai"));
    assert_eq!(dirty.functions(), ["clean", "dirty"]);
    let request = with_query(&[("email", "ann"), ("sleep", "0.1")]);
    let mut call = HandlerCall::new(&dirty, &Process::default(), "dirty", request);
    assert!(matches!(call.resume(), HandlerStep::Sleep(time) if time == Duration::from_millis(100)));
    assert_eq!(body_of(call.resume()), "<p>Hello, ann</p>");

    let checkout = program(include_str!("../../../scenarios/handlers/checkout.rhai"));
    let request = HandlerRequest {
        headers: pairs(&[("x-user", "ann")]),
        body: br#"{"items": 2, "plan": "pro"}"#.to_vec(),
        ..HandlerRequest::default()
    };
    let (steps, result) = drive(&mut HandlerCall::new(&checkout, &Process::default(), "checkout", request));
    assert!(matches!(steps[..], [HandlerStep::Sleep(time)] if time == Duration::from_millis(5)));
    let response = result.unwrap();
    assert_eq!((response.status, response.body.as_slice()), (201, br#"{"items":2,"user":"ann"}"#.as_slice()));
    assert_eq!(response.headers, pairs(&[("content-type", "application/json")]));
}

#[test]
fn a_path_finds_its_function() {
    let program = program("fn dirty(r) {} fn a_b(r) {} fn two(a, b) {} private fn hidden(r) {} fn none() {}");
    for (path, handler) in [
        ("/dirty/", Some("dirty")),
        ("/dirty", Some("dirty")),
        ("/a/b/", Some("a_b")),
        ("/a-b", Some("a_b")),
        ("/two/", None),
        ("/hidden/", None),
        ("/none/", None),
        ("/", None),
        ("", None),
    ] {
        assert_eq!(program.handler_for(path), handler, "{path}");
    }
    assert_eq!(program.handler_for(&"x".repeat(1_000)), None);
    assert_eq!(program.functions(), ["a_b", "dirty"]);
}

#[test]
fn a_path_without_a_function_falls_to_handle() {
    let program = program("fn handle(r) {} fn a(r) {}");
    assert_eq!(program.handler_for("/a/"), Some("a"));
    assert_eq!(program.handler_for("/b/c/"), Some("handle"));
    assert_eq!(program.handler_for(&"/x".repeat(1_000)), Some("handle"));
    assert_eq!(program.handler_for("/ü/\u{0}"), Some("handle"));
}

#[test]
fn times_are_texts_with_a_unit_seconds_as_text_or_numbers() {
    let source = r#"fn handle(r) { sleep("5ms"); block("0.1"); burn(2); sleep(0.25); sleep(()); yield_now(); block(1); burn(0.5) }"#;
    let process = Process::new(Duration::from_secs(7), None);
    let (steps, result) = drive(&mut HandlerCall::new(&program(source), &process, "handle", HandlerRequest::default()));
    let shown: Vec<String> = steps.iter().map(|step| format!("{step:?}")).collect();
    assert_eq!(
        shown,
        ["Sleep(5ms)", "Block(100ms)", "Burn(2s)", "Sleep(250ms)", "Sleep(7s)", "Yield", "Block(1s)", "Burn(500ms)"]
    );
    assert_eq!(result.unwrap().status, 204);
}

#[test]
fn log_print_and_debug_are_steps() {
    let source = r#"fn handle(r) { log("a"); log(1); print(#{x: 1}); debug("b") }"#;
    let (steps, _) =
        drive(&mut HandlerCall::new(&program(source), &Process::default(), "handle", HandlerRequest::default()));
    let shown: Vec<String> = steps.iter().map(|step| format!("{step:?}")).collect();
    assert_eq!(shown, [r#"Log("a")"#, r#"Log("1")"#, r##"Log("#{\"x\": 1}")"##, r#"Log("\"b\"")"#]);
}

#[test]
fn now_is_the_clock_of_the_process() {
    let source = program("fn handle(r) { `${now()}` }");
    let process = Process::new(Duration::ZERO, Some(|| 12.5));
    assert_eq!(body_of(HandlerCall::new(&source, &process, "handle", HandlerRequest::default()).resume()), "12.5");
    assert!(failure("now()").message.contains("no clock"));
}

#[test]
fn random_numbers_stay_in_their_range() {
    assert_eq!(text("for i in 0..200 { let n = random(1, 3); if n < 1 || n > 3 { return `${n}` } } `ok`"), "ok");
    assert_eq!(text("for i in 0..200 { let n = random(); if n < 0.0 || n >= 1.0 { return `${n}` } } `ok`"), "ok");
    assert_eq!(text("`${random(5, 5)}`"), "5");
    assert!(failure("random(2, 1)").message.contains("must not be above"));
}

#[test]
fn a_request_shows_all_its_parts() {
    let request = HandlerRequest {
        method: "POST".into(),
        path: "/a/".into(),
        query: pairs(&[("q", "1"), ("q", "2"), ("empty", "")]),
        headers: pairs(&[
            ("x-a", "1"),
            ("x-a", "2"),
            ("cookie", "sid=\"abc\"; b=x=y"),
            ("cookie", "c=3; broken"),
            ("content-type", "application/x-www-form-urlencoded"),
        ]),
        body: b"name=Ann+B%C3%A9&empty=&flag&x=1%262".to_vec(),
    };
    for (expression, expected) in [
        ("request.method", "POST"),
        ("request.path", "/a/"),
        ("request.query.q", "2"),
        ("request.query.empty", ""),
        ("request.query.missing == ()", "true"),
        ("request.headers[\"x-a\"]", "1, 2"),
        ("request.headers[\"missing\"] == ()", "true"),
        ("request.cookies.sid", "abc"),
        ("request.cookies.b", "x=y"),
        ("request.cookies.c", "3"),
        ("request.cookies.keys().len", "3"),
        ("request.form.name", "Ann Bé"),
        ("request.form.x", "1&2"),
        ("request.form.flag", ""),
        ("request.form.missing == ()", "true"),
        ("request.body.len()", "36"),
        ("request[\"method\"]", "POST"),
    ] {
        let source = format!("fn handle(request) {{ `${{{expression}}}` }}");
        let response = respond_to(&source, request.clone()).unwrap_or_else(|error| panic!("{expression}: {error}"));
        assert_eq!(String::from_utf8(response.body).unwrap(), expected, "{expression}");
    }
}

#[test]
fn a_request_has_no_other_parts_and_is_not_written() {
    assert!(failure("request.bdoy").message.contains("a request has no `bdoy`; it has method, path"));
    assert_eq!(failure("request.user = 1").message, "`user` of a request cannot be written");
    assert_eq!(failure("request.path = \"x\"").message, "`path` of a request cannot be written");
    assert_eq!(text("request.query.len(); request.headers.x = 1; \"fine\""), "fine");
}

#[test]
fn json_bodies_are_read_and_bad_ones_named() {
    let json = |body: &str, expression: &str| {
        let request = HandlerRequest { body: body.into(), ..HandlerRequest::default() };
        respond_to(&format!("fn handle(request) {{ `${{{expression}}}` }}"), request)
    };
    let body = r#"{"a": [1, 2.5, null, true, "x", {"b": 18446744073709551615}]}"#;
    for (expression, expected) in [
        ("request.json.a[0] + 1", "2"),
        ("request.json.a[1]", "2.5"),
        ("request.json.a[2] == ()", "true"),
        ("request.json.a[4]", "x"),
        ("type_of(request.json.a[5].b)", "f64"),
        ("request.json.missing == ()", "true"),
        ("request.form.len()", "1"),
    ] {
        assert_eq!(String::from_utf8(json(body, expression).unwrap().body).unwrap(), expected, "{expression}");
    }
    assert_eq!(json("", "request.json == ()").unwrap().body, b"true");
    let error = json("{nope", "request.json.a").unwrap_err();
    assert!(error.message.contains("not JSON") && error.line == 1, "{error}");
    assert!(json(&"[".repeat(100_000), "request.json").is_err());
}

#[test]
fn returned_values_become_responses() {
    let html = pairs(&[("content-type", "text/html; charset=utf-8")]);
    let json = pairs(&[("content-type", "application/json")]);
    for (value, status, headers, body) in [
        ("\"hi\"", 200, &html, "hi"),
        ("'x'", 200, &html, "x"),
        ("#{b: 1, a: [true, (), 1.5, 'c', \"\\u0001<\"]}", 200, &json, r#"{"a":[true,null,1.5,"c","\u0001<"],"b":1}"#),
        ("[]", 200, &json, "[]"),
        ("()", 204, &vec![], ""),
        ("404", 404, &vec![], ""),
        ("respond(201)", 201, &vec![], ""),
        ("respond(418, \"tea\")", 418, &html, "tea"),
        ("respond(500, #{a: 1})", 500, &json, r#"{"a":1}"#),
        ("respond(200, blob(2, 65))", 200, &pairs(&[("content-type", "application/octet-stream")]), "AA"),
        ("let x = \"s\"; let f = || x; f.call()", 200, &html, "s"),
        ("return respond(202, ())", 202, &vec![], ""),
    ] {
        let response = response(value);
        assert_eq!((response.status, &response.headers), (status, headers), "{value}");
        assert_eq!(String::from_utf8_lossy(&response.body), body, "{value}");
    }
    for value in ["1.5", "true", "request", "|| 1", "99", "600", "-1", "respond(204, \"x\")", "respond(100)", "[|| 1]"]
    {
        let error = failure(value);
        assert!(error.function.as_deref() == Some("handle") && error.line == 1, "{value}: {error:?}");
    }
}

#[test]
fn headers_and_cookies_chain_on_a_response() {
    let built = response(
        r#"respond(200, "x").header("X-A", 1).header("x-a", "2").cookie("a", "1").cookie("b", "x@y.z").header("content-type", "text/plain")"#,
    );
    let expected = [
        ("x-a", "2"),
        ("set-cookie", "a=1; Path=/"),
        ("set-cookie", "b=x@y.z; Path=/"),
        ("content-type", "text/plain"),
    ];
    assert_eq!(built.headers, pairs(&expected));
    let built = response(
        r#"let r = respond(200, ()); r.header("a", "1"); let other = r; other.header("b", "2"); header(r, "c", "3"); r"#,
    );
    assert_eq!(built.headers, pairs(&[("a", "1"), ("c", "3")]));
    assert_eq!(response(r#"header(respond(200), "a", "b")"#).headers, pairs(&[("a", "b")]));
}

#[test]
fn nothing_slips_into_the_head_of_a_response() {
    for chain in [
        r#"header("a", "x\r\ny: z")"#,
        r#"header("a", "x\ny")"#,
        r#"header("a", "\x00")"#,
        r#"header("a\r\nb", "x")"#,
        r#"header("a b", "x")"#,
        r#"header("", "x")"#,
        r#"header("é", "x")"#,
        r#"header("Content-Length", "5")"#,
        r#"header("transfer-encoding", "chunked")"#,
        r#"cookie("a", "x; Domain=evil")"#,
        r#"cookie("a", "x\r\ny")"#,
        r#"cookie("a=b", "x")"#,
        r#"cookie("", "x")"#,
    ] {
        let error = failure(&format!("respond(200, \"x\").{chain}"));
        assert!(error.line == 1 && error.column > 0, "{chain}: {error:?}");
    }
}

#[test]
fn constants_are_seen_in_functions() {
    let source = r#"
        const LIMIT = 5;
        const NAMES = ["a", "b"];
        const DEEP = #{ x: #{ y: LIMIT * 2 } };
        fn handle(request) { helper() + `${NAMES[1]}${DEEP.x.y}` }
        fn helper() { `${LIMIT}` }
    "#;
    assert_eq!(respond_to(source, HandlerRequest::default()).unwrap().body, b"5b10");
}

#[test]
fn imports_come_from_the_folder_alone() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    std::fs::create_dir(folder.path().join("scripts")).unwrap();
    write("secret.rhai", "fn leak() { 1 }");
    write(
        "scripts/common.rhai",
        "import \"more\" as more; const HI = \"hi \"; export const PUBLIC = 3; fn greet(name) { more::loud(HI + name) } fn fail() { nope() }",
    );
    write("scripts/more.rhai", "fn loud(text) { text.to_upper() }");
    write("scripts/a.rhai", "import \"b\" as b;");
    write("scripts/b.rhai", "import \"a\" as a;");
    std::os::unix::fs::symlink(folder.path().join("secret.rhai"), folder.path().join("scripts/link.rhai")).unwrap();
    let scripts = folder.path().join("scripts");
    let compile = |source: &str| Program::compile(source, &scripts, Limits::default());
    let run = |source: &str| {
        let program = compile(source).unwrap_or_else(|error| panic!("{error}"));
        drive(&mut HandlerCall::new(&program, &Process::default(), "handle", HandlerRequest::default())).1
    };

    let body = run("import \"common\" as c; fn handle(r) { c::greet(\"ann\") + c::PUBLIC }").unwrap().body;
    assert_eq!(String::from_utf8(body).unwrap(), "HI ANN3");
    let body = run("fn handle(r) { import \"more.rhai\" as m; m::loud(\"x\") }").unwrap().body;
    assert_eq!(String::from_utf8(body).unwrap(), "X");
    let error = run("import \"common\" as c; fn handle(r) { c::fail() }").unwrap_err();
    assert_eq!(
        (error.file.as_deref(), error.function.as_deref(), error.line),
        (Some("common"), Some("fail"), 1),
        "{error}"
    );

    for path in ["../secret", "/etc/passwd", "link", "missing", "", "a", "scripts/../../secret", "."] {
        let error = compile(&format!("import \"{path}\" as x; fn handle(r) {{}}")).unwrap_err();
        assert!(!error.message.is_empty(), "{path}");
    }
    let error =
        run("fn handle(r) { let path = \"mo\" + \"re\"; import path + \"\" as m; m::loud(\"x\") }").unwrap_err();
    assert!(error.message.contains("plain text"), "{error}");
}

#[test]
fn there_is_no_way_out() {
    for body in ["eval(\"1\")", "timestamp()", "open_file(\"x\")", "let f = Fn(\"eval\"); f.call(\"1\")"] {
        let source = format!("fn handle(request) {{ {body} }}");
        assert!(compile(&source).is_err() || respond_to(&source, HandlerRequest::default()).is_err(), "{body}");
    }
}
