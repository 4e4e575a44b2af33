//! What people read when a script is wrong.

use super::*;

#[test]
fn an_error_names_function_line_and_column() {
    let source = "fn handle(request) {\n    let x = 1;\n    helper(x)\n}\nfn helper(x) {\n    x + emial\n}";
    let error = respond_to(source, HandlerRequest::default()).unwrap_err();
    assert_eq!(error.to_string(), "in helper, line 6, column 9: unknown variable `emial` (called by handle)");
    let error = failure("\n\n  nope(1)");
    assert_eq!((error.function.as_deref(), error.line, error.column), (Some("handle"), 3, 3));
}

#[test]
fn messages_are_phrased_for_people() {
    for (body, expected) in [
        (
            "nope(1, \"x\", 2.5, ())",
            "unknown function `nope(integer, string, float, ())`: no function of this name takes these arguments",
        ),
        ("sleep(\"5 lightyears\")", "`5 lightyears` is not a duration"),
        ("sleep(-1)", "sleep(-1): write seconds from 0 to 86400"),
        ("block(#{})", "block wants seconds (0.1) or a text with a unit (\"100ms\")"),
        ("throw \"out of stock\"", "out of stock"),
        ("throw #{code: 7}", "#{\"code\": 7}"),
        ("let a = [1]; a[5]", "array index 5 out of bounds"),
        ("1 / 0", "division by zero"),
        ("let x = 5; x.foo = 1", "foo"),
        ("let n = 5; for x in n {}", "`for` wants something to go through"),
        ("let n = 1; if n { 2 }", "this wants a bool, not a integer"),
        ("global::X", "without `global::`"),
        ("process = 1", "process"),
    ] {
        let error = failure(body);
        assert!(error.message.contains(expected), "{body}: {error}");
        assert_eq!((error.function.as_deref(), error.line), (Some("handle"), 1), "{body}: {error:?}");
    }
}

#[test]
fn a_script_that_does_not_parse_says_where() {
    for (source, line, expected) in [
        ("fn handle(r) {\n  let x = 1\n  x\n}", 3, "expecting ';'"),
        ("fn handle(r) {\n  let = 1;\n}", 2, "expecting name of a variable"),
        ("fn handle(r) {\n", 2, "is a `}` missing"),
        ("fn handle(r) { eval(\"1\") }", 1, "eval"),
        ("fn a(r) {}\nfn a(s) {}", 2, "a second function `a`"),
        ("const A = 1;\nlet counter = 0;\nfn handle(r) {}", 2, "functions cannot see `let counter`"),
        ("fn handle(r) {}\nprint(1);", 2, "outside of functions"),
        ("const A = nope();", 1, "unknown function `nope()`"),
        ("const A = sleep(1);", 1, "in a function"),
        ("fn f(r) { spawn(1) }", 1, "spawn"),
    ] {
        let error = compile(source).unwrap_err();
        assert!(error.message.contains(expected), "{source}: {error}");
        if line > 0 {
            assert_eq!(error.line, line, "{source}: {error}");
        }
    }
}

#[test]
fn a_missing_handler_is_an_error_of_the_call() {
    let mut call = HandlerCall::new(&program("fn a(r) {}"), &Process::default(), "b", HandlerRequest::default());
    assert!(matches!(call.resume(), HandlerStep::Done(Err(error)) if error.message.contains("no function `b`")));
    assert!(matches!(call.resume(), HandlerStep::Done(Err(_))));
}

#[test]
fn a_script_may_catch_and_rethrow() {
    assert_eq!(text("try { throw \"a\" } catch (e) { return e + \"!\" }"), "a!");
    assert_eq!(text("try { nope() } catch { return \"caught\" }"), "caught");
}
