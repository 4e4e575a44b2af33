//! Functions of rhai's that are ours: they give what rhai's give, but for what is too long.

use super::*;

#[test]
fn texts_of_data_read_as_ever() {
    for (body, expected) in [
        ("`${[1, \"a\", 'b', 1.5, true, (), [2], #{c: 3}]}`", r#"[1, "a", 'b', 1.5, true, (), [2], #{"c": 3}]"#),
        ("`${#{}} ${[]}`", "#{} []"),
        ("[1].to_debug() + #{a: \"b\"}.to_string()", r#"[1]#{"a": "b"}"#),
        ("#{a: [1, \"x\"], b: ()}.to_json()", r#"{"a":[1,"x"],"b":null}"#),
        (
            "let s = \"a-b-c\"; s.replace(\"-\", \"+\"); s.replace('a', \"xy\"); s.replace(\"b\", 'z'); s.replace('c', 'd'); s",
            "xy+z+d",
        ),
        ("let s = \"abc\"; s.replace(\"\", \"-\"); s", "-a-b-c-"),
    ] {
        assert_eq!(text(body), expected, "{body}");
    }
}

#[test]
fn no_text_is_built_that_is_too_long() {
    let many = "let s = \"x\"; for i in 0..19 { s += s; } let a = []; a.pad(100, 0); for i in 0..100 { a[i] = s; }";
    for (body, expected) in [
        ("`${a}`", "a string grew longer"),
        ("print(a); log(a); respond(200).header(\"a\", a)", ""),
        ("s.replace(\"x\", s)", "a string grew longer"),
        ("throw a", "[\"xxx"),
        ("a", "of JSON"),
    ] {
        let program = program(&format!("fn handle(r) {{ {many} {body} }}"));
        let (steps, result) =
            drive(&mut HandlerCall::new(&program, &Process::default(), "handle", HandlerRequest::default()));
        for step in steps {
            assert!(matches!(&step, HandlerStep::Log(text) if text.len() < 2_000_000), "{body}");
        }
        match result {
            Ok(response) => assert!(expected.is_empty() && response.headers[0].1.len() < 2_000_000, "{body}"),
            Err(error) => {
                assert!(
                    error.message.contains(expected) && error.message.len() < 1_100_000,
                    "{body}: {}",
                    error.message.len()
                );
            }
        }
    }
}
