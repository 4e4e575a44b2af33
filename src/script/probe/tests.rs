//! Two calls that interleave, and what the probe tells of them.

use std::path::Path;
use std::sync::{Arc, Mutex};

use super::super::{HandlerCall, HandlerRequest, HandlerStep, Limits, Process, Program};
use super::{StateAccess, StateEvent, StateProbe};

const CANARY: &str = "zq[0-9a-z]{19,195}";

fn canary(letter: char) -> String {
    format!("zq{}", letter.to_string().repeat(20))
}

/// A worker whose handler is probed, and what was told of its requests.
struct Probed {
    program: Arc<Program>,
    process: Process,
    probe: Arc<StateProbe>,
    told: Arc<Mutex<Vec<(u64, StateEvent)>>>,
}

impl Probed {
    fn new(source: &str) -> Probed {
        Probed::in_folder(source, Path::new("/nowhere"))
    }

    fn in_folder(source: &str, folder: &Path) -> Probed {
        let program = Program::compile_probed(source, folder, Limits::default()).unwrap();
        let told: Arc<Mutex<Vec<_>>> = Arc::default();
        let tell = {
            let told = told.clone();
            Box::new(move |request, _: &str, event| told.lock().unwrap().push((request, event)))
        };
        let probe = StateProbe::new(CANARY, None, program.sites("handlers/x.rhai"), tell).unwrap();
        Probed { program, process: Process::default(), probe, told }
    }

    /// A call of `handle` for a user, who is a letter.
    fn call(&self, user: char) -> HandlerCall {
        let query = vec![("me".to_owned(), canary(user)), ("who".to_owned(), user.to_string())];
        let request = HandlerRequest { path: "/x".to_owned(), query, ..HandlerRequest::default() };
        let probe = self.probe.request(&request, |number| format!("task {number}"));
        HandlerCall::probed(&self.program, &self.process, "handle", request, Some(probe))
    }

    /// Reads and writes, each as `a stores a process.x map.x 3:5 handle attribute`: user, what, whose canary, path, type and
    /// key, place, function, kind.
    fn lines(&self) -> Vec<String> {
        let told = self.told.lock().unwrap();
        let user = |request: u64| char::from(b'a' + u8::try_from(request).unwrap() - 1);
        let line = |request: u64, what: &str, access: &StateAccess| {
            let owners: String = access.c.iter().map(|canary| canary.chars().nth(2).unwrap()).collect();
            let (of, key) = (access.of, access.key.as_deref().unwrap_or("-"));
            let place = &access.place;
            let at = format!("{}:{}", place.line.unwrap(), place.column.unwrap());
            let function = place.function.as_deref().unwrap_or("-");
            let path = &access.path;
            format!("{} {what} {owners} {path} {of}.{key} {at} {function} {:?}", user(request), access.kind)
        };
        told.iter()
            .filter_map(|(request, event)| match event {
                StateEvent::Store(access) => Some(line(*request, "stores", access)),
                StateEvent::Load(access) => Some(line(*request, "loads", access)),
                _ => None,
            })
            .collect()
    }
}

fn finish(call: &mut HandlerCall) {
    loop {
        if let HandlerStep::Done(done) = call.resume() {
            done.unwrap();
            return;
        }
    }
}

/// Two users, `a` and `b`, whose calls are both suspended before `a` goes on.
fn interleaved(source: &str) -> Vec<String> {
    let probed = Probed::new(source);
    let (mut a, mut b) = (probed.call('a'), probed.call('b'));
    assert!(matches!(a.resume(), HandlerStep::Yield), "{source}");
    assert!(matches!(b.resume(), HandlerStep::Yield), "{source}");
    finish(&mut a);
    finish(&mut b);
    probed.lines()
}

/// `a`, and then `b`.
fn in_turn(source: &str) -> Vec<String> {
    let probed = Probed::new(source);
    finish(&mut probed.call('a'));
    finish(&mut probed.call('b'));
    probed.lines()
}

#[test]
fn who_writes_and_who_reads_is_told_with_line_and_path() {
    for object in ["process", "thread"] {
        let source = "fn handle(r) {\n    OBJECT.user = r.query.me;\n    yield_now();\n    `Hello, ${OBJECT.user}`\n}";
        let expected = [
            "a stores a OBJECT.user OBJECT.user 2:5 handle Attribute",
            "b stores b OBJECT.user OBJECT.user 2:5 handle Attribute",
            "a loads b OBJECT.user OBJECT.user 4:15 handle Attribute",
            "b loads b OBJECT.user OBJECT.user 4:15 handle Attribute",
        ];
        assert_eq!(interleaved(&source.replace("OBJECT", object)), expected.map(|it| it.replace("OBJECT", object)));
    }
}

#[test]
fn a_context_is_the_calls_own_and_locals_are_not_told() {
    let told = interleaved("fn handle(r) { context.user = r.query.me; yield_now(); context.user }");
    assert!(
        told.iter()
            .all(|line| line.starts_with("a stores a") || line.starts_with("a loads a") || line.starts_with('b'))
    );
    assert!(!told.iter().any(|line| line.contains("loads a") && line.starts_with('b')), "{told:?}");
    let told = interleaved("fn handle(r) { let user = r.query.me; yield_now(); `${user}` }");
    assert!(told.is_empty(), "{told:?}");
}

#[test]
fn each_context_is_an_object_of_its_own() {
    let probed = Probed::new("fn handle(r) { context.user = r.query.me; process.user = r.query.me; }");
    finish(&mut probed.call('a'));
    finish(&mut probed.call('b'));
    let told = probed.told.lock().unwrap();
    let stores = told.iter().filter_map(|(_, event)| match event {
        StateEvent::Store(access) => Some((access.of, access.obj, access.own_obj)),
        _ => None,
    });
    let stores: Vec<_> = stores.collect();
    assert_eq!(stores[1], stores[3], "{stores:?}");
    assert!(stores[0].1 != stores[2].1 && stores[0].2 && !stores[1].2, "{stores:?}");
}

/// The last store by `a` and the last load by `b` of the body of a handler.
fn pair(body: &str) -> (String, String) {
    let source = format!("fn handle(r) {{\n let me = r.query.me; let who = r.query.who; let n = 1;\n{body}\n}}");
    let told = in_turn(&source);
    let last = |start: &str| told.iter().rfind(|line| line.starts_with(start)).cloned().unwrap_or_default();
    let plain = |line: String| line.split(' ').skip(3).collect::<Vec<_>>().join(" ").replace(" handle", "");
    (plain(last("a stores a")), plain(last("b loads a")))
}

#[test]
fn every_way_to_reach_state_is_told() {
    let mut wrong = Vec::new();
    for (body, store, load) in [
        // Names, in brackets and out of a variable.
        (
            "if who == \"a\" { process[\"a b\"] = me; }\nprocess[\"a b\"]",
            "process[\"a b\"] process.\"a b\" 3:17 Item",
            "process[\"a b\"] process.\"a b\" 4:1 Item",
        ),
        (
            "let k = `slot ${n}`; if who == \"a\" { process[k] = me; }\nprocess[k]",
            "process[\"slot 1\"] process.\"slot 1\" 3:38 Item",
            "process[\"slot 1\"] process.\"slot 1\" 4:1 Item",
        ),
        // Parts of maps and arrays: the value that holds the part is told last.
        (
            "if who == \"a\" { process.user = #{}; process.user.name = me; }\nprocess.user.name",
            "process.user process.user 3:37 Attribute",
            "process.user process.user 4:1 Attribute",
        ),
        (
            "if who == \"a\" { process.ring = [0, 0]; process.ring[n] = me; }\nprocess.ring[n]",
            "process.ring process.ring 3:40 Item",
            "process.ring process.ring 4:1 Item",
        ),
        (
            "if who == \"a\" { process.ring = [0, 0]; process.ring[(n + 2) % 2] = me; }\nprocess.ring[(n + 2) % 2]",
            "process.ring process.ring 3:40 Item",
            "process.ring process.ring 4:1 Item",
        ),
        (
            "if who == \"a\" { process.by = #{}; process.by[`x${n}`] = me; }\nprocess.by[`x${n}`]",
            "process.by process.by 3:35 Item",
            "process.by process.by 4:1 Item",
        ),
        // Methods that change a value where it is, and that look for one.
        (
            "if who == \"a\" { process.items = []; process.items.push(me); }\nprocess.items.extract(0)",
            "process.items process.items 3:37 Call",
            "process.items process.items 4:1 Call",
        ),
        (
            "if who == \"a\" { process.by = #{}; process.by.set(\"x\", me); }\nprocess.by.get(\"x\")",
            "process.by process.by 3:35 Call",
            "process.by process.by 4:1 Item",
        ),
        (
            "if who == \"a\" { process.text = \"\"; process.text += me; }\nprocess.text.to_upper()",
            "process.text process.text 3:36 Augmented",
            "process.text process.text 4:1 Call",
        ),
        (
            "if who == \"a\" { process.count = 0; process.bytes = blob(); process.bytes += me; }\n`${process.bytes.as_string()}`",
            "process.bytes process.bytes 3:60 Augmented",
            "process.bytes process.bytes 4:4 Call",
        ),
        // The whole of it, through a variable, in a loop, by an alias.
        (
            "if who == \"a\" { process.items = [me]; }\nlet all = process.items; all[0]",
            "process.items process.items 3:17 Attribute",
            "process.items process.items 4:11 Attribute",
        ),
        (
            "if who == \"a\" { process.items = [#{ name: me }]; }\nfor item in process.items { return item.name; }",
            "process.items process.items 3:17 Attribute",
            "process.items process.items 4:13 Attribute",
        ),
        (
            "let p = process;\nif who == \"a\" { p.user = me; }\np.user",
            "process.user process.user 4:17 Attribute",
            "process.user process.user 5:1 Attribute",
        ),
        // Names of values are values too.
        (
            "if who == \"a\" { process[me] = 1; }\nprocess.keys()",
            &format!("process.{0} process.{0} 3:17 Item", canary('a')),
            "process.keys() process.- 4:1 Call",
        ),
        // A chain over several lines.
        (
            "if who == \"a\" {\n  process\n    .user = me; }\nprocess\n    .user",
            "process.user process.user 5:6 Attribute",
            "process.user process.user 7:6 Attribute",
        ),
    ] {
        let told = pair(body);
        if told != (store.to_owned(), load.to_owned()) {
            wrong.push(format!("{body}\n  {}\n  {}", told.0, told.1));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_part_is_told_before_what_holds_it() {
    let told = in_turn(
        "fn handle(r) {\n let i = if r.query.who == \"a\" { 0 } else { 1 };\n process.ring = process.ring ?? [0, 0]; process.ring[i] = r.query.me; process.ring[i] }",
    );
    let told: Vec<&str> = told.iter().map(|line| line.split(" 3:").next().unwrap()).collect();
    assert_eq!(
        told,
        [
            "a stores a process.ring[0] array.0",
            "a stores a process.ring process.ring",
            "a loads a process.ring[0] array.0",
            "a loads a process.ring process.ring",
            "b loads a process.ring process.ring",
            "b stores b process.ring[1] array.1",
            "b stores b process.ring process.ring",
            "b loads b process.ring[1] array.1",
            "b loads b process.ring process.ring",
        ]
    );
}

#[test]
fn what_is_only_looked_at_or_put_back_is_neither_read_nor_written() {
    for body in [
        "process.owner == ()",
        "r.query.me in process.all",
        "process.all.contains(r.query.me)",
        "process.all.len",
        "process.owner.len()",
        "process.owner != r.query.me",
    ] {
        let told = in_turn(&format!(
            "fn handle(r) {{ if r.query.who == \"a\" {{ process.owner = r.query.me; process.all = [r.query.me]; }} `${{{body}}}` }}"
        ));
        assert!(told.len() == 2 && told.iter().all(|line| line.starts_with("a stores a")), "{body}: {told:?}");
    }
    let told = in_turn(
        "fn handle(r) { if r.query.who == \"a\" { process.all = [r.query.me]; return 200; } process.all.for_each(|x| x); process.all.shift(); }",
    );
    assert!(!told.iter().any(|line| line.starts_with("b stores")), "{told:?}");
}

#[test]
fn a_line_of_an_imported_file_is_told_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("shared")).unwrap();
    std::fs::write(folder.path().join("shared/keep.rhai"), "\nfn keep(value) {\n    process.kept = value;\n}\n")
        .unwrap();
    let source = "import \"shared/keep\" as keep;\nfn handle(r) { keep::keep(r.query.me); process.kept }";
    let probed = Probed::in_folder(source, folder.path());
    finish(&mut probed.call('a'));
    let told = probed.told.lock().unwrap();
    let places = told.iter().filter_map(|(_, event)| match event {
        StateEvent::Store(access) | StateEvent::Load(access) => Some(&access.place),
        _ => None,
    });
    let places: Vec<_> = places.map(|place| (place.file.as_str(), place.line, place.text.as_str())).collect();
    let both = [
        ("handlers/shared/keep.rhai", Some(3), "process.kept = value;"),
        ("handlers/x.rhai", Some(2), "fn handle(r) { keep::keep(r.query.me); process.kept }"),
    ];
    assert_eq!(places, both);
}

#[test]
fn requests_and_responses_are_told_with_their_canaries() {
    let probed = Probed::new("fn handle(r) { r.query.me }");
    let request = HandlerRequest {
        path: "/x".to_owned(),
        headers: vec![("cookie".to_owned(), format!("s={}", canary('c')))],
        body: format!("name={}", canary('d')).into_bytes(),
        ..HandlerRequest::default()
    };
    let probe = probed.probe.request(&request, |number| format!("task {number}"));
    let body = canary('e').into_bytes();
    probe.respond(&super::HandlerResponse { status: 200, headers: Vec::new(), body });
    let told = probed.told.lock().unwrap();
    let [(1, StateEvent::Request { own, .. }), (1, StateEvent::Response { c, status: 200 })] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!((own.as_slice(), c.as_slice()), (&[canary('c'), canary('d')][..], &[canary('e')][..]));
}
