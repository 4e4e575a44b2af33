//! Scripts that go too far, in every direction.

use super::*;

#[test]
fn the_default_limits_are_tried_here_except_for_operations() {
    assert_eq!(Limits { operations: LIMITS.operations, ..Limits::default() }, LIMITS);
    assert_eq!(Limits::default().operations, 5_000_000);
}

#[test]
fn an_endless_loop_ends_with_function_and_line() {
    let source = "fn handle(r) {\n  spin()\n}\nfn spin() {\n  let x = 0;\n  loop {\n    x += 1;\n  }\n}";
    let error = respond_to(source, HandlerRequest::default()).unwrap_err();
    assert!(error.message.contains("more than 200,000 operations"), "{error}");
    assert!(error.message.ends_with("(in `spin`, which is called here)"), "{error}");
    assert_eq!((error.function.as_deref(), error.line), (Some("handle"), 2), "{error:?}");
    let error = failure("\nloop { }");
    assert_eq!((error.function.as_deref(), error.line), (Some("handle"), 2), "{error:?}");
}

#[test]
fn an_endless_recursion_ends_before_the_stack_does() {
    let error = respond_to("fn handle(r) {\n  down(1)\n}\nfn down(n) {\n  down(n + 1)\n}", HandlerRequest::default())
        .unwrap_err();
    assert!(error.message.contains("calls nest more than 64 deep"), "{error}");
    assert!(error.message.ends_with("(in `down`, which is called here)"), "{error}");
    assert_eq!((error.function.as_deref(), error.line), (Some("handle"), 2), "{error:?}");
    assert!(error.to_string().len() < 200, "{error}");
}

/// Source that nests `levels` of blocks and operators around `inner`.
fn nested(levels: usize, inner: &str) -> String {
    (0..levels).fold(inner.to_owned(), |inner, level| match level % 4 {
        0 => format!("if true {{ {inner} }} else {{ 0 }}"),
        1 => format!("{{ let x = ({inner}); x }}"),
        2 => format!("switch 1 {{ 1 => {{ {inner} }}, _ => 0 }}"),
        _ => format!("[({inner})][0]"),
    })
}

/// The deepest nesting that compiles.
fn deepest(wrap: impl Fn(&str) -> String) -> String {
    (1..64).rev().map(|levels| wrap(&nested(levels, "down(n + 1)"))).find(|source| compile(source).is_ok()).unwrap()
}

#[test]
fn recursion_through_the_deepest_bodies_fits_the_stack() {
    let source = deepest(|body| format!("fn handle(r) {{ down(1) }} fn down(n) {{ {body} }}"));
    let error = respond_to(&source, HandlerRequest::default()).unwrap_err();
    assert!(error.message.contains("calls nest"), "{error}");
}

#[test]
fn recursion_through_closures_fits_the_stack() {
    let source = deepest(|body| {
        format!("fn handle(r) {{ down(1) }} fn down(n) {{ let f = |n| {{ {body} }}; [1].map(|x| f.call(n)) }}")
    });
    let error = respond_to(&source, HandlerRequest::default()).unwrap_err();
    assert!(error.message.contains("calls nest"), "{error}");
    let source = "fn handle(r) { down(1) } fn down(n) { [1, 2].sort(|a, b| { [1].filter(|x| { [1].reduce(|s, v| { down(n) }, 0); true }); 1 }); [n].map(|x| down(x + 1)) }";
    assert!(respond_to(source, HandlerRequest::default()).unwrap_err().message.contains("calls nest"));
}

#[test]
fn data_cannot_grow_without_end() {
    for (body, expected) in [
        ("let s = \"x\"; loop { s += s; }", "a string grew longer than 1.00 MB"),
        ("let s = \"x\"; loop { s = `${s}${s}`; }", "a string grew"),
        ("let s = \"\"; s.pad(2000000, 'x'); s", "a string grew"),
        ("let a = []; a.pad(9900, 1); loop { a.push(1); }", "an array grew to more than 10,000 items"),
        ("let a = [1]; loop { a += a; }", "an array grew"),
        ("let a = []; a.pad(200000, 1); a", "an array grew"),
        ("let b = blob(2000000, 0); b", "an array grew"),
        ("let m = #{}; let i = 0; loop { m.set(`${i}`, i); i += 1; }", "a map grew to more than 10,000 entries"),
        // rhai does not measure what an index writes to.
        ("let m = #{}; let i = 0; loop { m[`${i}`] = i; i += 1; }", "operations"),
        ("process.s = \"x\"; loop { process.s += process.s; }", "a string grew"),
        ("process.a = [1]; loop { process.a += process.a; }", "an array grew"),
        ("let x = 0; loop { x += 1; process[`a`] = x; }", "operations"),
    ] {
        let error = failure(body);
        assert!(error.message.contains(expected), "{body}: {error}");
        assert_eq!((error.function.as_deref(), error.line), (Some("handle"), 1), "{body}: {error:?}");
    }
}

/// Ways to nest data one level deeper with each round.
const NESTING: [&str; 4] = [
    "let a = []; loop { a = [a]; }",
    "let m = #{}; loop { m = #{m: m}; }",
    "let m = #{}; loop { m = #{m: [m]}; }",
    "let a = []; loop { let b = [a]; a = b + []; }",
];

/// Nested data, and what recurses through it.
const NESTED: [&str; 4] = ["a == b", "`${a}` + a.to_debug()", "m == n", "`${m}` + m.to_debug()"];

fn walk(expression: &str, levels: usize) -> String {
    format!(
        "let a = []; let b = []; let m = #{{}}; let n = #{{}};
         for i in 0..{levels} {{ a = [a]; b = [b]; m = #{{m: m}}; n = #{{m: n}}; }} 
         {expression}; throw \"done\""
    )
}

/// How a handler fails under limits that leave the stack to nested data, or nearly.
fn failure_within(limits: Limits, body: &str) -> ScriptError {
    let program = Program::compile(&format!("fn handle(r) {{ {body} }}"), Path::new("."), limits).unwrap();
    drive(&mut HandlerCall::new(&program, &Process::default(), "handle", HandlerRequest::default())).1.unwrap_err()
}

#[test]
fn data_cannot_nest_off_the_stack() {
    let limits = Limits { call_depth: 0, array_items: 600, map_items: 600, operations: 20_000, ..Limits::default() };
    for body in NESTING {
        let error = failure_within(limits, body);
        assert!(error.message.contains("grew"), "{body}: {error}");
    }
    for expression in NESTED {
        let error = failure_within(limits, &walk(expression, 590));
        assert_eq!(error.message, "done", "{expression}: {error}");
    }
}

#[test]
#[ignore = "slow: rhai clones all levels to add one"]
fn data_cannot_nest_off_the_stack_with_more_items() {
    let limits = Limits { call_depth: 0, array_items: 4_000, map_items: 4_000, ..Limits::default() };
    for body in NESTING {
        let error = failure_within(limits, body);
        assert!(error.message.contains("grew"), "{body}: {error}");
    }
    for expression in NESTED {
        assert_eq!(failure_within(limits, &walk(expression, 3_990)).message, "done", "{expression}");
    }
}

#[test]
fn closures_cannot_nest_off_the_stack() {
    let limits = Limits { call_depth: 0, array_items: 10, map_items: 10, ..LIMITS };
    for body in [
        "let a = 1; loop { let b = a; let f = || b; a = f; }",
        "let a = 1; loop { let b = a; let f = || b; a = [f]; }",
        "let a = 1; loop { let b = a; let f = || b; a = #{f: f}; }",
        "let a = 1; loop { let f = |x| a; a = f; }",
    ] {
        let error = failure_within(limits, body);
        assert!(error.message.contains("operations"), "{body}: {error}");
    }
    assert!(compile("fn handle(r) { let f = |x| x; loop { f = f.curry(f); } }").is_err());
}

#[test]
fn bodies_cannot_nest_off_the_stack() {
    let deep = |open: &str, close: &str| format!("fn handle(r) {{ {}1{} }}", open.repeat(5_000), close.repeat(5_000));
    for source in
        [deep("(", ")"), deep("{", "}"), deep("[", "]"), deep("-", ""), deep("if true {", "}"), deep("|x| ", "")]
    {
        let error = compile(&source).unwrap_err();
        assert!(!error.message.is_empty());
    }
}

#[test]
fn the_thread_is_whole_after_every_failure() {
    for _ in 0..3 {
        failure("loop {}");
        failure("throw 1");
        assert_eq!(text("\"fine\""), "fine");
    }
}

/// Bytes that a failing handler touched at most, on a thread whose stacks are new.
fn stack_touched(source: String, limits: Limits) -> usize {
    std::thread::spawn(move || {
        let program = Program::compile(&source, Path::new("."), limits).unwrap();
        let mut call = HandlerCall::new(&program, &Process::default(), "handle", HandlerRequest::default());
        std::fs::write("/proc/self/clear_refs", "5").unwrap(); // forgets the peak so far
        let before = super::many::resident();
        assert!(drive(&mut call).1.is_err());
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().replace("kB", "");
        (peak.trim().parse::<usize>().unwrap() * 1024).saturating_sub(before)
    })
    .join()
    .unwrap()
}

#[test]
#[ignore = "a measurement: run it alone, in debug and in release"]
fn stack_of_a_level() {
    let calls = Limits::default();
    for (name, source) in [
        ("plain call", "fn handle(r) { down(1) } fn down(n) { down(n + 1) }".to_owned()),
        ("deepest body", deepest(|body| format!("fn handle(r) {{ down(1) }} fn down(n) {{ {body} }}"))),
        (
            "deepest closures",
            deepest(|body| {
                format!("fn handle(r) {{ down(1) }} fn down(n) {{ let f = |n| {{ {body} }}; [1].map(|x| f.call(n)) }}")
            }),
        ),
    ] {
        let bytes = stack_touched(source, calls);
        println!("{name}: {} a call", crate::units::show_size((bytes / calls.call_depth) as u64));
    }
    let levels = if cfg!(debug_assertions) { 500 } else { 2_000 };
    for expression in NESTED {
        let bytes = stack_touched(format!("fn handle(r) {{ {} }}", walk(expression, levels)), calls);
        println!("{expression}: {} a level, heap and all", crate::units::show_size((bytes / levels) as u64));
    }
    let operations = 1_000_000;
    let body = "let a = 1; loop { let b = a; let f = || b; a = f; }";
    let bytes = stack_touched(format!("fn handle(r) {{ {body} }}"), Limits { operations, ..calls });
    println!("{body}: {} an operation, heap and all", crate::units::show_size(bytes as u64 / operations));
}
