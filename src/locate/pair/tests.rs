//! Events as a probe would write them, by hand: known-bad ones for each confidence, and known-good ones.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::locate::history::ProcessHistory;
use crate::locate::{Moment, Party, SharedKind};

const VICTIM: &str = "zq1vvvvvvvvvvvvvvvvvv";
const SOURCE: &str = "zq1sssssssssssssssssss";

/// The files of one process after another.
fn told(processes: &[Vec<Value>]) -> Location {
    let parse = |events: &Vec<Value>| {
        let hello = json!({"e": "hello", "t": 0, "language": "python", "version": "3.11"});
        let lines: Vec<String> = std::iter::once(&hello).chain(events).map(Value::to_string).collect();
        ProcessHistory::parse(lines.join("\n").as_bytes())
    };
    let history = History { processes: processes.iter().map(parse).collect() };
    locate(&history, &showing(VICTIM))
}

fn showing(victim: &str) -> Showing {
    Showing { victim: Party::new(victim, Vec::new()), source: Some(Party::new(SOURCE, Vec::new())) }
}

fn request(number: u64, own: &[&str]) -> Value {
    json!({"e": "request", "t": number * 1000, "r": number, "u": format!("Task-{number}"), "own": own})
}

fn response(number: u64, holds: &[&str]) -> Value {
    json!({"e": "response", "t": 9000, "r": number, "c": holds})
}

/// `line` stands for the time too.
fn access(kind: &str, number: u64, line: u64, holds: &[&str], more: Value) -> Value {
    let mut event = json!({"e": kind, "t": line * 100, "r": number, "u": format!("Task-{number}"), "c": holds, "obj": 7,
        "type": "SimpleNamespace", "path": "app.shared", "key": "email", "kind": "attribute", "own_obj": false,
        "file": "app.py", "line": line, "column": 5, "function": "dirty", "text": "..."});
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event
}

fn store(number: u64, line: u64, holds: &[&str]) -> Value {
    access("store", number, line, holds, json!({}))
}

fn load(number: u64, line: u64, holds: &[&str]) -> Value {
    access("load", number, line, holds, json!({}))
}

/// Request 1 is the victim's, 2 the source's.
fn scene(middle: Vec<Value>) -> Vec<Value> {
    let ends = [response(2, &[SOURCE]), response(1, &[SOURCE])];
    [request(1, &[VICTIM]), request(2, &[SOURCE])].into_iter().chain(middle).chain(ends).collect()
}

fn line(moment: &Option<Moment>) -> Option<u32> {
    moment.as_ref().and_then(|moment| moment.place.line)
}

/// Confidence, lines of write, of what was overwritten and of read, and the object.
fn outline(location: &Location) -> (Confidence, [Option<u32>; 3], Option<&str>) {
    let lines = [&location.write, &location.overwritten, &location.read].map(line);
    (location.confidence, lines, location.object.as_ref().and_then(|object| object.path.as_deref()))
}

#[test]
fn a_slot_that_was_written_over_is_located() {
    let location = told(&[scene(vec![
        store(1, 20, &[VICTIM]),
        store(2, 25, &[SOURCE]),
        load(2, 26, &[SOURCE]),
        load(1, 27, &[SOURCE]),
    ])]);
    let lines = [Some(25), Some(20), Some(27)];
    assert_eq!(outline(&location), (Confidence::Located, lines, Some("app.shared.email")));
    let (write, read) = (location.write.unwrap(), location.read.unwrap());
    assert_eq!(
        (write.unit.as_str(), write.request, read.unit.as_str(), read.request),
        ("Task-2", Some(2), "Task-1", Some(1))
    );
    assert!((read.at_ms - write.at_ms - 0.2).abs() < 1e-9, "{} {}", write.at_ms, read.at_ms);
    assert_eq!(location.object.unwrap().kind, SharedKind::ModuleGlobal);
}

#[test]
fn only_the_same_object_and_key_make_a_pair() {
    for other in [json!({"obj": 8}), json!({"key": "name"})] {
        let middle = vec![access("store", 2, 25, &[SOURCE], other), load(1, 27, &[SOURCE])];
        assert_eq!(told(&[scene(middle)]).confidence, Confidence::Partly);
    }
    // An append has no key, and an index may be any.
    let append = access("store", 2, 25, &[SOURCE], json!({"key": null, "kind": "call"}));
    let location = told(&[scene(vec![append, access("load", 1, 27, &[SOURCE], json!({"key": 0, "kind": "item"}))])]);
    assert_eq!(outline(&location).0, Confidence::Located);
    assert_eq!(location.overwritten, None);
}

#[test]
fn a_value_of_one_comes_before_a_container_of_several_and_the_earlier_read_before_the_later() {
    let log = json!({"obj": 1, "path": "app.log", "key": null});
    let middle = vec![
        access("store", 2, 10, &[SOURCE, VICTIM], log.clone()),
        store(2, 25, &[SOURCE]),
        access("load", 1, 26, &[SOURCE, VICTIM], log),
        load(1, 27, &[SOURCE]),
        load(1, 28, &[SOURCE]),
    ];
    assert_eq!(outline(&told(&[scene(middle)])).1, [Some(25), None, Some(27)]);
}

#[test]
fn the_line_that_shares_an_object_comes_before_the_one_that_fills_it() {
    let record = json!({"obj": 9, "path": null, "own_obj": true});
    let middle = vec![
        access("store", 2, 10, &[SOURCE], record.clone()),
        access(
            "store",
            2,
            11,
            &[SOURCE],
            json!({"obj": 3, "path": "app.cache", "key": "/me", "kind": "item", "type": "dict"}),
        ),
        access("load", 1, 30, &[SOURCE], json!({"obj": 3, "path": "app.cache", "key": "/me", "kind": "item"})),
        access("load", 1, 31, &[SOURCE], json!({"obj": 9, "path": null})),
    ];
    let location = told(&[scene(middle.clone())]);
    assert_eq!(outline(&location), (Confidence::Located, [Some(11), None, Some(30)], Some("app.cache[/me]")));
    assert_eq!(location.object.unwrap().kind, SharedKind::CacheEntry);
    // Where nothing else is known, the filled object is the one.
    let location = told(&[scene(vec![middle[0].clone(), middle[3].clone()])]);
    assert_eq!(outline(&location).1, [Some(10), None, Some(31)]);
}

#[test]
fn what_one_callee_handed_to_both_is_the_same_callee() {
    let call = |number, line, result: u64| {
        access("call", number, line, &[SOURCE], json!({"callee": "profile", "obj": result, "path": null, "key": null}))
    };
    let location = told(&[scene(vec![call(2, 12, 40), call(1, 12, 40)])]);
    assert_eq!(outline(&location), (Confidence::SameCallee, [Some(12), None, Some(12)], Some("profile")));
    assert_eq!(told(&[scene(vec![call(2, 12, 40), call(1, 12, 41)])]).confidence, Confidence::Partly, "two objects");
    // One that ran for the victim too kept nothing: what it met within is what counts.
    let within = access("load", 1, 11, &[VICTIM], json!({"function": "App.profile"}));
    assert_eq!(told(&[scene(vec![call(2, 12, 40), within, call(1, 12, 40)])]).confidence, Confidence::Partly);
    let put = access("store", 2, 9, &[SOURCE], json!({"obj": 80, "value": 40, "key": "9"}));
    assert_eq!(outline(&told(&[scene(vec![put, call(1, 12, 40)])])).1, [Some(9), None, Some(12)]);
    // A connection: what the one sends the other receives.
    let connection = |kind: &str| json!({"callee": kind, "callee_obj": 5, "obj": null, "path": null, "key": null});
    let mut sent = access("call", 2, 12, &[], connection("pool.send"));
    sent["args_c"] = json!([SOURCE]);
    let received = access("call", 1, 30, &[SOURCE], connection("pool.receive"));
    assert_eq!(outline(&told(&[scene(vec![sent, received])])).0, Confidence::SameCallee);
    // What is given to a call comes back from it: no other request is in that.
    let mut echo = access("call", 1, 30, &[SOURCE], connection("str"));
    echo["args_c"] = json!([SOURCE]);
    assert_ne!(told(&[scene(vec![echo.clone(), echo])]).confidence, Confidence::SameCallee);
}

#[test]
fn an_object_that_its_own_request_made_and_another_reached_is_shared() {
    let state = json!({"obj": 4, "path": null, "key": "user", "own_obj": true});
    let mut of_victim = access("load", 1, 30, &[SOURCE], state.clone());
    of_victim["own_obj"] = json!(false);
    let wrapper = |number, line| {
        access("call", number, line, &[SOURCE], json!({"callee": "handler", "callee_obj": 5, "obj": line}))
    };
    let middle = vec![access("store", 2, 10, &[SOURCE], state), wrapper(2, 11), of_victim, wrapper(1, 31)];
    assert_eq!(outline(&told(&[scene(middle)])), (Confidence::Located, [Some(10), None, Some(30)], Some("user")));
}

#[test]
fn a_container_that_is_read_whole_is_what_was_stored_into() {
    let appended = access(
        "store",
        2,
        10,
        &[SOURCE],
        json!({"obj": 2, "value": 3, "path": null, "key": null, "kind": "call", "type": "list"}),
    );
    let taken =
        access("load", 1, 30, &[SOURCE, VICTIM], json!({"obj": 6, "value": 2, "path": "app.database", "key": "added"}));
    let location = told(&[scene(vec![appended.clone(), taken.clone()])]);
    assert_eq!(outline(&location), (Confidence::Located, [Some(10), None, Some(30)], Some("app.database.added")));
    // The whole object was stored, and something is read from it.
    let whole =
        access("store", 2, 10, &[SOURCE], json!({"obj": 1, "values": [60, 61], "path": "app", "key": "current"}));
    let part = access("load", 1, 30, &[SOURCE], json!({"obj": 61, "path": null, "key": "name"}));
    assert_eq!(
        outline(&told(&[scene(vec![whole, part])])),
        (Confidence::Located, [Some(10), None, Some(30)], Some("app.current"))
    );
    // Where the way within is told, its keys count.
    let way = |key: &str| {
        access(
            "load",
            1,
            30,
            &[SOURCE],
            json!({"obj": 6, "path": "app", "key": "all", "value": 2, "inner": [[2, key]]}),
        )
    };
    let item = access("store", 2, 10, &[SOURCE], json!({"obj": 2, "key": "a", "kind": "item"}));
    assert_eq!(told(&[scene(vec![item.clone(), way("a")])]).confidence, Confidence::Located);
    assert_eq!(told(&[scene(vec![item, way("b")])]).confidence, Confidence::Partly);
    // What is read of it is surer.
    let item = access("load", 1, 31, &[SOURCE], json!({"obj": 2, "key": "0", "kind": "item"}));
    assert_eq!(outline(&told(&[scene(vec![appended, taken, item])])).1, [Some(10), None, Some(31)]);
}

#[test]
fn the_very_object_that_was_stored_elsewhere_is_probable() {
    let names = json!({"obj": 1, "value": 2, "path": null, "key": "names", "kind": "item", "own_obj": true});
    let mut read = access("load", 1, 30, &[SOURCE], names.clone());
    read["obj"] = json!(3);
    let holders =
        json!({"e": "holders", "r": 1, "c": [SOURCE], "paths": [{"path": "app:Visit.extra['names']", "obj": 2}]});
    let location = told(&[scene(vec![access("store", 2, 10, &[SOURCE], names), read, holders])]);
    assert_eq!(
        outline(&location),
        (Confidence::Probable, [Some(10), None, Some(30)], Some("app:Visit.extra['names']"))
    );
}

#[test]
fn what_is_only_added_to_is_not_what_is_used() {
    let text = |kind: &str, number, line, holds: &[&str], manner: &str| {
        access(kind, number, line, holds, json!({"kind": manner}))
    };
    let middle = vec![
        text("store", 2, 16, &[SOURCE], "augmented"),
        text("load", 1, 16, &[SOURCE], "augmented"),
        text("store", 1, 16, &[SOURCE, VICTIM], "augmented"),
        text("load", 1, 23, &[SOURCE, VICTIM], "attribute"),
    ];
    assert_eq!(outline(&told(&[scene(middle)])).1, [Some(16), None, Some(23)]);
    let list = |kind: &str, number, line, holds: &[&str]| match kind {
        "store" => access(kind, number, line, holds, json!({"obj": 2, "path": null, "key": null, "kind": "call"})),
        _ => access(kind, number, line, holds, json!({"obj": 1, "value": 2, "key": "lines"})),
    };
    let middle = vec![
        list("store", 2, 18, &[SOURCE]),
        list("load", 1, 18, &[SOURCE]),
        list("store", 1, 18, &[VICTIM]),
        list("load", 1, 21, &[SOURCE, VICTIM]),
    ];
    assert_eq!(outline(&told(&[scene(middle.clone())])).1, [Some(18), None, Some(21)]);
    assert_eq!(
        outline(&told(&[scene(middle[..3].to_vec())])).1,
        [Some(18), None, Some(18)],
        "if there is nothing else"
    );
}

#[test]
fn an_attribute_of_its_object_is_not_what_a_method_returns() {
    let buffer = json!({"obj": 1, "path": null, "key": "buffer", "kind": "augmented"});
    let method = json!({"callee": "self.answer", "callee_obj": 1, "obj": 9, "path": null, "key": null});
    let call = access("call", 1, 30, &[SOURCE], method);
    let location = told(&[scene(vec![access("store", 2, 10, &[SOURCE], buffer), call.clone()])]);
    assert_eq!(location.confidence, Confidence::Partly);
    let appended = access("store", 2, 10, &[SOURCE], json!({"obj": 1, "key": null, "kind": "call"}));
    assert_eq!(outline(&told(&[scene(vec![appended, call])])).1, [Some(10), None, Some(30)]);
}

#[test]
fn what_a_unit_does_after_the_answer_to_an_implied_request_it_does_for_the_next() {
    let of = |server: &str| {
        let begun = |number: u64, own: &str, unit: &str| json!({"e": "request", "r": number, "u": unit, "own": [own], "server": server});
        let in_unit = |mut event: Value| {
            event["u"] = json!("Task-9");
            event
        };
        let events = vec![
            begun(2, SOURCE, "loop"),
            in_unit(store(2, 10, &[SOURCE])),
            in_unit(response(2, &[])),
            begun(1, VICTIM, "loop"),
            in_unit(load(2, 11, &[SOURCE])),
            in_unit(access("load", 1, 12, &[VICTIM], json!({"obj": 70}))),
            in_unit(response(1, &[SOURCE])),
        ];
        told(&[events])
    };
    assert_eq!(outline(&of("implicit")).1, [Some(10), None, Some(11)]);
    assert_eq!(of("asgi").reason, Some(NotLocated::NotInOwnCode));
}

#[test]
fn the_only_object_that_still_holds_it_is_probable() {
    let holders = |paths: Value| json!({"e": "holders", "t": 8999, "r": 1, "c": [SOURCE], "paths": paths});
    let store = access("store", 2, 12, &[SOURCE], json!({"obj": 3, "path": "app.box", "key": "in"}));
    let read = access("call", 1, 30, &[SOURCE], json!({"callee": "next", "obj": null, "path": null, "key": null}));
    let of = |paths| told(&[scene(vec![store.clone(), read.clone(), holders(paths)])]);
    let location = of(json!([{"path": "app.other", "obj": 1}, {"path": "app.box", "obj": 3}]));
    assert_eq!(outline(&location), (Confidence::Probable, [Some(12), None, Some(30)], Some("app.box.in")));
    let location = of(json!([{"path": "app.queue", "type": "deque"}]));
    assert_eq!(outline(&location), (Confidence::Probable, [Some(12), None, Some(30)], Some("app.queue")));
    let location = of(json!([{"path": "app.a"}, {"path": "app.b"}]));
    assert_eq!(outline(&location), (Confidence::Partly, [Some(12), None, Some(30)], None), "two may be it");
}

#[test]
fn the_ends_alone_are_partly_also_in_two_processes() {
    let write = store(2, 12, &[SOURCE]);
    let read = access("load", 1, 30, &[SOURCE], json!({"obj": 99, "path": null}));
    assert_eq!(
        outline(&told(&[scene(vec![write.clone(), read.clone()])])),
        (Confidence::Partly, [Some(12), None, Some(30)], None)
    );
    assert_eq!(outline(&told(&[scene(vec![read.clone()])])), (Confidence::Partly, [None, None, Some(30)], None));
    let mut given =
        access("call", 1, 31, &[], json!({"callee": "response.end", "obj": null, "path": null, "key": null}));
    given["args_c"] = json!([SOURCE]);
    assert_eq!(outline(&told(&[scene(vec![given])])), (Confidence::Partly, [None, None, Some(31)], None));
    let two = [vec![request(2, &[SOURCE]), write], vec![request(1, &[VICTIM]), read]];
    assert_eq!(outline(&told(&two)), (Confidence::Partly, [Some(12), None, Some(30)], None));
}

#[test]
fn somebody_who_brings_nothing_is_known_by_the_answer() {
    let events = vec![
        request(1, &[]),
        request(2, &[SOURCE]),
        request(3, &[]),
        store(2, 25, &[SOURCE]),
        load(1, 27, &[SOURCE]),
        response(3, &[]),
        response(1, &[SOURCE]),
    ];
    let lines: Vec<String> =
        std::iter::once(json!({"e": "hello", "language": "node"})).chain(events).map(|e| e.to_string()).collect();
    let history = History { processes: vec![ProcessHistory::parse(lines.join("\n").as_bytes())] };
    let location = locate(&history, &showing(""));
    assert_eq!((location.confidence, location.language.as_deref()), (Confidence::Located, Some("node")));
}

#[test]
fn what_is_not_known_has_its_reason() {
    let reason = |location: Location| location.reason.unwrap();
    // A clean application: each touches its own alone.
    let own = vec![
        store(1, 20, &[VICTIM]),
        load(1, 21, &[VICTIM]),
        access("store", 2, 20, &[SOURCE], json!({"obj": 8})),
        access("load", 2, 21, &[SOURCE], json!({"obj": 8})),
    ];
    assert_eq!(reason(told(&[scene(own.clone())])), NotLocated::NotInOwnCode);
    assert_eq!(reason(told(std::slice::from_ref(&own))), NotLocated::RequestNotSeen);
    assert_eq!(reason(told(&[])), NotLocated::ProbeNotLoaded);
    let lost = [scene(own), vec![json!({"e": "dropped", "count": 2})]].concat();
    assert_eq!(reason(told(&[lost])), NotLocated::EventsLost);
    let history = History::default();
    let nobody = Showing { source: None, ..showing(VICTIM) };
    assert_eq!(reason(locate(&history, &nobody)), NotLocated::NoSource);
}

#[test]
fn what_the_victim_put_there_itself_is_no_other_requests_write() {
    // It copied what it had read: the line that wrote it is the source's.
    let copied = json!({"obj": 50, "key": "copy"});
    let middle = vec![
        store(2, 10, &[SOURCE]),
        load(1, 11, &[SOURCE]),
        access("store", 1, 12, &[SOURCE], copied.clone()),
        access("load", 1, 13, &[SOURCE], copied),
    ];
    assert_eq!(outline(&told(&[scene(middle)])).1, [Some(10), None, Some(11)]);
}

/// An access by either request, or by none, of either value, to one of a few slots.
fn any_access() -> impl Strategy<Value = Value> {
    let kind = prop::sample::select(vec!["store", "load", "call"]);
    (kind, 1..4_u64, 1..100_u64, any::<bool>(), any::<bool>(), 1..4_u64, any::<bool>()).prop_map(
        |(kind, number, line, victim, source, object, local)| {
            let holds: Vec<&str> =
                [(victim, VICTIM), (source, SOURCE)].iter().filter(|one| one.0).map(|one| one.1).collect();
            access(
                kind,
                number,
                line,
                &holds,
                json!({"obj": object, "own_obj": local, "callee": "f", "callee_obj": object}),
            )
        },
    )
}

proptest! {
    #[test]
    fn a_request_that_never_meets_the_value_is_never_accused(middle in prop::collection::vec(any_access(), 0..40)) {
        let clean: Vec<Value> = middle
            .into_iter()
            .filter(|event| event["r"] != 1 || !event["c"].to_string().contains(SOURCE))
            .collect();
        let location = told(&[scene(clean)]);
        prop_assert_eq!(location.confidence, Confidence::NotLocated);
    }

    #[test]
    fn a_located_pair_is_a_write_of_the_value_by_another_before_its_read(middle in prop::collection::vec(any_access(), 0..40)) {
        let location = told(&[scene(middle)]);
        prop_assert_eq!(location.reason.is_some(), location.confidence == Confidence::NotLocated);
        if location.confidence <= Confidence::Probable {
            let (write, read) = (location.write.unwrap(), location.read.unwrap());
            prop_assert_eq!(read.request, Some(1));
            prop_assert_ne!(write.request, Some(1));
            prop_assert!(location.overwritten.is_none_or(|before| before.request == Some(1)));
        }
    }
}
