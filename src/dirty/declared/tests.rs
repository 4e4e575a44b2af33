use std::collections::BTreeMap;
use std::time::Duration;

use super::super::classify;
use super::super::observation::{CanariesFound, Seen};
use super::*;
use crate::exchange::{Exchange, Outcome};
use crate::net::sink::BufferedResponse;
use crate::session::Captured;

const NAMES: [&str; 3] = ["ann-lee", "bob-ray", "zoe-kim"];

fn identity(fields: &[(&str, &str)]) -> Identity {
    let fields =
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>();
    Identity { fields, ..Identity::default() }
}

fn named() -> DeclaredValues {
    DeclaredValues::of(&NAMES.map(|name| identity(&[("name", name)])))
}

/// A response to this persona, or to nobody; one millisecond a request.
fn response(asker: usize, request: u64, body: &str) -> Observation {
    let at = Duration::from_millis(request);
    let exchange =
        Exchange { intended: at, sent: Some(at), first_byte: None, done: at, outcome: Outcome::Answered(200) };
    let seen = Seen {
        identity: (asker < NAMES.len()).then_some(asker as u64 + 1),
        persona: (asker < NAMES.len()).then_some(asker),
        principal: None,
        page: 0,
        exchange,
        tells: false,
        ..classify::tests::seen(request, request)
    };
    let reply = BufferedResponse {
        head: b"HTTP/1.1 200 OK\r\n\r\n".to_vec(),
        body: body.as_bytes().to_vec(),
        ..BufferedResponse::default()
    };
    Observation {
        seen,
        request: Vec::new(),
        reply,
        url: None,
        hops: Vec::new(),
        captured: Captured::default(),
        canaries: CanariesFound::default(),
    }
}

fn number(observation: &Observation) -> Option<usize> {
    Some(observation.seen.persona.unwrap_or(NAMES.len()))
}

fn take(declared: &mut DeclaredValues, responses: &[Observation]) {
    declared.take(responses, number, |_, _| false);
}

fn seen_in(declared: &DeclaredValues, asker: usize, body: &str) -> Option<String> {
    declared.sighting(&response(asker, 9, body), asker, |_| true).map(|sighting| sighting.text)
}

#[test]
fn anothers_value_is_seen_where_the_own_is_missing() {
    let declared = named();
    assert_eq!(seen_in(&declared, 1, "<p>menu of Ann-Lee</p>").as_deref(), Some("ann-lee"));
    assert_eq!(seen_in(&declared, 3, "menu of ann-lee").as_deref(), Some("ann-lee"), "nobody has no value of its own");
    assert_eq!(seen_in(&declared, 1, "bob-ray and ann-lee are online"), None, "the own is there");
    assert_eq!(seen_in(&declared, 0, "menu of ann-lee"), None, "it is the own");
    assert_eq!(seen_in(&declared, 1, "menu of joann-lee, ann-leeds"), None, "a part of other words");
    assert_eq!(seen_in(&declared, 1, "the same page for all"), None);
}

#[test]
fn a_value_is_seen_as_pages_write_it() {
    let declared =
        DeclaredValues::of(&[identity(&[("mail", "ann+1@shop.test")]), identity(&[("mail", "o'hara@shop.test")])]);
    for body in ["ann%2B1%40shop.test", "u=ann%2b1%40shop.test&", "ANN+1@SHOP.TEST", "\"ann+1@shop.test\""] {
        assert_eq!(seen_in(&declared, 1, body).as_deref(), Some("ann+1@shop.test"), "{body}");
    }
    for body in ["o&#39;hara@shop.test", "O&#x27;Hara@shop.test", "o'hara@shop.test"] {
        assert_eq!(seen_in(&declared, 0, body).as_deref(), Some("o'hara@shop.test"), "{body}");
    }
}

#[test]
fn what_says_nothing_of_one_identity_alone_is_no_value() {
    let of = |one: &[(&str, &str)], other: &[(&str, &str)]| {
        let declared = DeclaredValues::of(&[identity(one), identity(other)]);
        declared.values.iter().map(|value| value.text.clone()).collect::<Vec<_>>()
    };
    assert_eq!(of(&[("lang", "en"), ("year", "2024")], &[("lang", "de"), ("year", "1999")]), [""; 0]);
    assert_eq!(of(&[("plan", "free")], &[("plan", "free")]), [""; 0], "both have it");
    assert_eq!(of(&[("name", "ann")], &[("name", "ann lee")]), ["ann lee"], "a part of the other's");
    assert_eq!(of(&[("id", "4711047")], &[("id", "4711048")]), ["4711047", "4711048"]);
}

#[test]
fn text_that_stands_there_before_its_owner_asks_accuses_nobody() {
    let mut declared = named();
    take(&mut declared, &[response(1, 1, "an article by zoe-kim"), response(2, 2, "an article by zoe-kim")]);
    assert_eq!(seen_in(&declared, 0, "an article by zoe-kim"), None);
    assert_eq!(declared.question(2, true), None);
    assert!(!declared.stands(2, true) && !declared.stands(2, false));
    assert_eq!(declared.shown_to_all(), Some("zoe-kim"));
}

/// Asks `count` times in turn those who are not `without`, who are answered with `body`.
fn ask_others(declared: &mut DeclaredValues, without: usize, count: u64, body: &str) {
    let others: Vec<usize> = (0..NAMES.len()).filter(|other| *other != without).collect();
    let response = |n: u64| response(others[n as usize % others.len()], n + 1, body);
    take(declared, &(0..count).map(response).collect::<Vec<_>>());
}

#[test]
fn a_page_of_whoever_asks_first_is_a_leak() {
    let mut declared = named();
    take(&mut declared, &[response(0, 1, "menu of ann-lee"), response(1, 2, "menu of ann-lee")]);
    assert_eq!(declared.question(0, true), Some(ValueQuestion::WithoutOwner(0)));
    declared.start_anew();
    ask_others(&mut declared, 0, ENOUGH, "menu of bob-ray");
    assert_eq!(declared.question(0, true), Some(ValueQuestion::OwnerFirst(0)));
    assert!(!declared.stands(0, true), "two responses may be chance");
    declared.start_anew();
    take(&mut declared, &[response(0, 1, "menu of ann-lee")]);
    ask_others(&mut declared, 0, ENOUGH, "menu of ann-lee");
    assert!(declared.stands(0, true));
    assert_eq!(declared.question(0, true), None);
}

#[test]
fn an_article_that_is_there_now_and_then_is_no_leak() {
    let mut declared = named();
    take(&mut declared, &[response(0, 1, "hello"), response(1, 2, "an article by ann-lee")]);
    declared.start_anew();
    ask_others(&mut declared, 0, ENOUGH, "an article by nobody");
    declared.start_anew();
    take(&mut declared, &[response(0, 1, "hello")]);
    ask_others(&mut declared, 0, ENOUGH / 4, "an article by ann-lee");
    ask_others(&mut declared, 0, ENOUGH, "an article by nobody");
    assert!(!declared.stands(0, true));
}

#[test]
fn where_no_server_can_be_started_anew_nearly_all_must_hold_it() {
    let leaked = |others: &str| {
        let mut declared = named();
        take(&mut declared, &[response(0, 1, "menu of ann-lee")]);
        assert_eq!(declared.question(0, false), Some(ValueQuestion::OwnerFirst(0)));
        ask_others(&mut declared, 0, ENOUGH / 2, "menu of ann-lee");
        ask_others(&mut declared, 0, ENOUGH / 2, others);
        declared.stands(0, false)
    };
    assert!(leaked("menu of ann-lee"));
    assert!(!leaked("menu of bob-ray"));
}
