//! What the dirty check says of pages behind a login: a PASS is earned by pages on which a leak would show.

use serde_json::Value;

use crate::harness::{Outcome, Runner, a_few_at_once, shipped};

const CANARY: &str = r#"headers = { authorization = "Bearer {canary}" }"#;
const NAMED: &str = r#"headers = { authorization = "Bearer {identity.name}" }
identities = [{ name = "ann-lee" }, { name = "bob-ray" }, { name = "zoe-kim" }]"#;

/// Checks the page of this kind, whose visitors say as `who` has it who they are.
fn check(kind: &str, who: &str) -> Outcome {
    let server = shipped("tests/cli/verdicts/pages.py");
    let command = format!(r#"["python3", "{}", "{kind}", "{{port}}"]"#, server.display());
    let dirty = format!("path = \"/\"\n{who}\ntime = \"20s\"\nbound = \"5%\"");
    Runner::with(&format!("[server]\ncommand = {command}\n\n[dirty]\n{dirty}\n")).run()
}

fn dirty(outcome: &Outcome) -> Value {
    outcome.record("scenario")["variants"][0]["trials"][0]["dirty"].clone()
}

/// Each kind of page, for both kinds of visitors.
fn each(kinds: &[&'static str]) -> Vec<(&'static str, &'static str)> {
    kinds.iter().flat_map(|kind| [CANARY, NAMED].map(|who| (*kind, who))).collect()
}

#[test]
fn a_page_that_is_the_same_for_all_who_are_logged_in_is_inconclusive_whatever_nobody_gets() {
    a_few_at_once(&each(&["constant_401", "constant_302", "constant_200", "nonce"]), |(kind, who)| {
        let outcome = check(kind, who).exit(4).stdout_has("a leak would not be seen");
        let dirty = dirty(&outcome);
        assert!(dirty["positive_control"].is_null() && dirty["leaks"] == 0, "{kind}: {dirty}");
    });
}

#[test]
fn a_page_that_is_that_of_whoever_asked_first_leaks() {
    a_few_at_once(&each(&["first_user", "first_user_in_header"]), |(kind, who)| {
        let outcome = check(kind, who).exit(1);
        let leak = &dirty(&outcome)["evidence"][0];
        let oracle = if *who == NAMED { "value" } else { "canary" };
        assert_eq!(leak["oracle"], oracle, "{kind}: {leak}");
        assert!(leak["shrunk"]["shown"].as_u64() > Some(2), "{kind}: {leak}");
        let replay = outcome.then(&["replay", "reports/scenario/latest", "1", "--times", "2"]).run();
        replay.exit(0).stdout_has("of 2 showed it");
    });
}

#[test]
fn a_page_that_was_cached_for_an_earlier_visitor_is_named() {
    check("warmed", NAMED).exit(4).stdout_has("every identity gets the page of old@mail.test");
    check("warmed", CANARY).exit(4).stdout_has("every identity gets the page of old@mail.test");
}

#[test]
fn identities_that_cannot_be_told_apart_are_named() {
    let outcome = check("plans", NAMED).exit(0).stdout_has("responses to bob-ray and to zoe-kim cannot be told apart");
    assert_eq!(dirty(&outcome)["alike"], serde_json::json!([["bob-ray", "zoe-kim"]]));
}

#[test]
fn an_article_by_one_of_them_accuses_nobody() {
    let dirty = dirty(&check("article", NAMED).exit(0));
    assert_eq!((&dirty["leaks"], &dirty["positive_control"]["found"]), (&0.into(), &true.into()), "{dirty}");
}

#[test]
fn a_short_word_is_told_from_anothers_also_where_nobody_is_refused() {
    let leak = &dirty(&check("greeting_slot", NAMED).exit(1))["evidence"][0];
    assert!(leak["oracle"] == "swap" || leak["oracle"] == "learned", "{leak}");
}

#[test]
fn a_page_that_tells_who_asks_only_when_nobody_else_does_is_no_pass() {
    for who in [CANARY, NAMED] {
        let outcome = check("busy", who).exit(4);
        outcome.stdout_has("did not tell who asked");
    }
}
