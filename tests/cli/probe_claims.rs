//! What dirty scripts say of themselves in their first lines, which line writes and which reads, held against a probe's events.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use crate::harness::shipped;
use crate::probe_builtin::{Pair, Probed, Request, canary};

/// Requests at once of a round, and rounds until a race has shown.
const AT_ONCE: usize = 9;
const ROUNDS: usize = 60;

/// A scenario on a script of ours, and what the script says of it.
struct Claim {
    scenario: PathBuf,
    /// None for one that is clean.
    expected: Option<Pair>,
}

/// `slot_global: write=slot.rhai:12 read=slot.rhai:14 object=process.user` of a line of a script.
fn claim(line: &str) -> Option<(String, Pair)> {
    let (name, rest) = line.strip_prefix("// locate ")?.split_once(": write=")?;
    let (write, rest) = rest.split_once(" read=")?;
    let (read, object) = rest.split_once(" object=")?;
    let pair = Pair { object: object.to_owned(), write: write.to_owned(), read: read.to_owned() };
    Some((name.to_owned(), pair))
}

/// The scenarios of a folder whose script is theirs, each with what the script's first lines say.
fn claims(folder: &str) -> Vec<Claim> {
    let mut claims = Vec::new();
    for entry in fs::read_dir(shipped(folder)).unwrap() {
        let scenario = entry.unwrap().path();
        if scenario.extension().is_none_or(|end| end != "toml") {
            continue;
        }
        let text = fs::read_to_string(&scenario).unwrap();
        let name = scenario.file_stem().unwrap().to_str().unwrap().to_owned();
        let script = toml::from_str::<toml::Table>(&text)
            .unwrap()
            .get("server")
            .and_then(|server| server.get("script"))
            .cloned();
        let Some(script) = script.and_then(|script| script.as_str().map(str::to_owned)) else { continue };
        let script = fs::read_to_string(shipped(folder).join(script)).unwrap();
        let expected = script.lines().filter_map(claim).find(|(of, _)| *of == name).map(|(_, pair)| pair);
        claims.push(Claim { scenario, expected });
    }
    claims
}

/// Two requests of the scenario, one with a canary: what it asks for, and without what names a user.
fn requests(scenario: &toml::Table, canary: &str) -> [Request; 3] {
    let dirty = scenario["dirty"].as_table().unwrap();
    let target = dirty["path"].as_str().unwrap().replace("{sleep}", "20ms");
    let mut headers = Vec::new();
    for (name, value) in dirty.get("headers").and_then(toml::Value::as_table).into_iter().flatten() {
        headers.push((name.clone(), value.as_str().unwrap().replace("{canary}", canary)));
    }
    for (name, value) in dirty.get("cookies").and_then(toml::Value::as_table).into_iter().flatten() {
        headers.push(("cookie".to_owned(), format!("{name}={}", value.as_str().unwrap().replace("{canary}", canary))));
    }
    let whole = Request { target: target.replace("{canary}", canary), headers };
    let failing = Request { target: whole.target.replace("page=1", "page=x"), ..whole.clone() };
    [whole, failing, Request::get(target.replace("{canary}", ""))]
}

/// Drives a leak until it has shown, or often enough where there should be none.
fn driven(claim: &Claim) -> BTreeSet<Pair> {
    let scenario: toml::Table = toml::from_str(&fs::read_to_string(&claim.scenario).unwrap()).unwrap();
    let probed = Probed::start(&claim.scenario, &[]);
    for round in 0..if claim.expected.is_some() { ROUNDS } else { 3 } {
        // The first is long, so that what is written over it leaves a rest.
        let number = |index: usize| round * (AT_ONCE + 1) + index;
        let of = |index: usize| requests(&scenario, &canary(number(index), if index == 0 { 90 } else { 20 }));
        let at_once: Vec<Request> = (0..AT_ONCE).map(|index| of(index)[0].clone()).collect();
        probed.ask_all(&at_once);
        probed.ask_all(&[of(AT_ONCE)[1].clone()]);
        probed.ask_all(&vec![of(AT_ONCE)[2].clone(); AT_ONCE]);
        let pairs = probed.told().pairs();
        if !pairs.is_empty() {
            return pairs;
        }
    }
    BTreeSet::new()
}

#[test]
fn every_dirty_script_says_which_lines_leak_and_the_events_agree() {
    let is_example = |claim: &Claim| claim.scenario.ends_with("dirty.toml");
    let mut claims = claims("tests/corpus")
        .into_iter()
        .chain(claims("scenarios").into_iter().filter(is_example))
        .collect::<Vec<_>>();
    claims.sort_by(|one, other| one.scenario.cmp(&other.scenario));
    assert!(claims.iter().filter(|claim| claim.expected.is_some()).count() >= 11);
    let mut wrong = Vec::new();
    for claim in claims {
        let text = fs::read_to_string(&claim.scenario).unwrap();
        let dirty = text.contains("expect = \"dirty\"");
        assert_eq!(claim.expected.is_some(), dirty, "{}: // locate NAME: ...", claim.scenario.display());
        // Slots are numbered: any of them will do.
        let numbered =
            |pair: Pair| Pair { object: pair.object.replace(|digit: char| digit.is_ascii_digit(), "N"), ..pair };
        let pairs: BTreeSet<Pair> = driven(&claim).into_iter().map(numbered).collect();
        let expected: BTreeSet<Pair> = claim.expected.clone().into_iter().collect();
        if pairs != expected {
            wrong.push(format!("{}: {pairs:#?} in place of {expected:#?}", claim.scenario.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
