//! Every function that scripts can call and that is not one of theirs, called with what could make it run on.

use std::any::TypeId;
use std::collections::BTreeSet;
use std::sync::mpsc::{RecvTimeoutError, channel};

use rhai::{Array, Blob, Dynamic, FnPtr, INT, ImmutableString, Map};

use super::*;

/// A call that takes longer has run on. A debug build needs milliseconds.
const SOON: Duration = Duration::from_secs(60);

/// Functions that suspend, and so are not carried out here; and that of tests.
const LEFT_OUT: [&str; 9] = ["sleep", "block", "burn", "yield_now", "log", "fetch", "print", "hang", "panics"];

/// What values of a type are tried, as expressions.
fn values(of: TypeId) -> Option<&'static [&'static str]> {
    let is = |known: TypeId| known == of;
    Some(if is(TypeId::of::<INT>()) {
        &["-1", "7", "9223372036854775807", "4611686018427387904"]
    } else if is(TypeId::of::<f64>()) {
        &["0.0", "1.0e300"]
    } else if is(TypeId::of::<ImmutableString>()) || is(TypeId::of::<&str>()) || is(TypeId::of::<String>()) {
        &["\"\"", "\"x\"", "long"]
    } else if is(TypeId::of::<char>()) {
        &["'x'"]
    } else if is(TypeId::of::<bool>()) {
        &["true"]
    } else if is(TypeId::of::<Array>()) {
        &["[]", "[1, 2, 3]", "many"]
    } else if is(TypeId::of::<Blob>()) {
        &["blob()", "blob(9, 1)"]
    } else if is(TypeId::of::<Map>()) {
        &["#{}", "#{a: 1}"]
    } else if is(TypeId::of::<FnPtr>()) {
        &["|x| x", "|| true"]
    } else if is(TypeId::of::<Dynamic>()) {
        &["many", "[1, 2, 3]"]
    } else if is(TypeId::of::<std::ops::Range<INT>>()) {
        &["0..9223372036854775807", "5..-5"]
    } else if is(TypeId::of::<std::ops::RangeInclusive<INT>>()) {
        &["-9223372036854775807..=9223372036854775807"]
    } else {
        return None;
    })
}

/// All calls of all functions with all values of their parameters' types.
fn calls() -> BTreeSet<String> {
    let (engine, _) = super::super::engine::new(LIMITS);
    let of = |info: rhai::FuncInfo<'_>| {
        let name = info.metadata.name.to_string();
        let is_plain = name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        let known: Option<Vec<_>> = info.metadata.param_types.iter().map(|of| values(*of)).collect();
        let known = known.filter(|_| is_plain && !LEFT_OUT.contains(&name.as_str()))?;
        let lists = known.into_iter().fold(vec![Vec::new()], |lists: Vec<Vec<&str>>, values| {
            lists.iter().flat_map(|list| values.iter().map(|value| [&list[..], &[*value]].concat())).collect()
        });
        Some(lists.into_iter().map(|list| format!("{name}({})", list.join(", "))).collect::<Vec<_>>())
    };
    engine.collect_fn_metadata(None, of, true).into_iter().flatten().collect()
}

/// What no limit ends, and what panics, to see what becomes of them.
pub(in crate::script) fn register(engine: &mut rhai::Engine) {
    engine
        .register_fn("hang", || {
            loop {
                std::thread::park();
            }
        })
        .register_fn("panics", || -> () { panic!("on purpose") });
}

// fault: endless: a native function of a script is called with extreme values -> it comes back
#[test]
fn no_native_function_runs_on_whatever_it_is_called_with() {
    let calls = calls();
    for known in ["pad(long, 7, \"\")", "pad([], 4611686018427387904, [1, 2, 3])", "range(7, -1, 7)", "blob(7)"] {
        assert!(calls.contains(known), "{known} is not among {} calls", calls.len());
    }
    let (tell, told) = channel();
    std::thread::spawn(move || {
        let limits = Limits { running: Duration::from_secs(3600), ..LIMITS };
        for call in calls {
            if tell.send(call.clone()).is_err() {
                return;
            }
            // Of an iterator the first values are asked for, too.
            let source = format!(
                "fn handle(r) {{ let long = \"\"; long.pad(1000, \"ab\"); let many = []; many.pad(100, 1);
                 let it = {call}; if type_of(it).contains(\"terator\") {{ for x in it {{ }} }} 200 }}"
            );
            let Ok(program) = Program::compile(&source, Path::new("."), limits) else { continue };
            // It may fail, and must come back.
            let _ = drive(&mut HandlerCall::new(&program, &Process::default(), "handle", HandlerRequest::default()));
        }
    });
    let mut last = String::new();
    loop {
        match told.recv_timeout(SOON) {
            Ok(call) => last = call,
            Err(RecvTimeoutError::Timeout) => panic!("{last} does not come back"),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

// fault: endless: `pad` with an empty text, or to a length beyond all numbers -> answered, or an error that names the limit
#[test]
fn padding_with_nothing_and_padding_beyond_all_numbers_are_answered() {
    assert_eq!(text("let s = \"a\"; s.pad(5, \"\"); s"), "a");
    assert_eq!(text("let s = \"a\"; s.pad(6, \"bc\"); s"), "abcbcb");
    assert_eq!(text("let s = \"abc\"; s.pad(-1, \"x\"); s.pad(2, \"x\"); s"), "abc");
    for body in [
        "let a = []; a.pad(4611686018427387904, [1, 2, 3]); a",
        "let a = []; a.pad(9223372036854775807, 1); a",
        "let b = []; b.pad(9000, 0); let a = []; a.pad(9000, b); a",
    ] {
        assert!(failure(body).message.contains("an array grew"), "{body}");
    }
    assert!(failure("let s = \"\"; s.pad(2000000, \"xy\"); s").message.contains("a string grew"));
    assert!(
        failure("let s = \"x\"; s.pad(900000, \"xy\"); let a = []; a.pad(9, s); a").message.contains("a string grew")
    );
    assert_eq!(text("let a = [1]; a.pad(3, [2]); `${a}`"), "[1, [2], [2]]");
}
