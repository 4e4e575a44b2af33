//! Classes of leaks that were not looked for, as the time was up.

use std::collections::BTreeSet;

use crate::dirty::{Findings, NO_TURN};
use crate::units::show_duration;

/// The triggers that show a class of leaks by themselves (see `docs/dirty-check.md`), each with those that show the same.
/// Of the others, each needs so long, or so much luck, that a check without them is no worse.
const SHOWS: [(&str, &[&str]); 13] = [
    ("first", &[]),
    ("anonymous", &[]),
    ("keep_alive", &["big"]),
    ("same_key", &[]),
    ("suffix", &[]),
    ("residue", &[]),
    ("overlap", &["pair"]),
    ("pair", &["overlap"]),
    ("ramp", &[]),
    ("gate", &[]),
    ("error", &[]),
    ("abort", &["slow"]),
    ("pipeline", &["slow", "smuggle"]),
];

/// Why a check in which triggers had no turn cannot conclude, if nothing else shows what they show.
pub(super) fn unasked(findings: &Findings) -> Option<String> {
    let had_no_turn = |name: &str| findings.obstacles.get(name).is_some_and(|why| why == NO_TURN);
    let tried = |name: &&str| findings.tally.triggers.contains_key(name);
    let open = SHOWS.iter().filter(|(name, like)| had_no_turn(name) && !like.iter().any(tried));
    let names: BTreeSet<&str> = open.map(|(name, _)| *name).collect();
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    let (last, head) = names.split_last()?;
    let list = if head.is_empty() { last.clone() } else { format!("{} and {last}", head.join(", ")) };
    let (their, show) = if head.is_empty() { ("its", "shows") } else { ("their", "show") };
    Some(format!(
        "the time was up before {list} had {their} turn, which alone {show} some class of leak: give the check more, as in \
         time = \"{}\"",
        show_duration(2 * findings.time)
    ))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::dirty::TriggerTally;

    #[test]
    fn a_check_that_did_not_look_for_a_class_of_leaks_says_which_triggers_had_no_turn() {
        let why = |no_turn: &[&'static str]| {
            let mut findings = Findings { time: Duration::from_secs(3), ..Findings::default() };
            let others = ["slow", "smuggle", "big", "storm"];
            for name in SHOWS.iter().map(|(name, _)| *name).chain(others) {
                if no_turn.contains(&name) {
                    findings.obstacles.insert(name, NO_TURN.to_owned());
                } else {
                    findings.tally.triggers.insert(name, TriggerTally::default());
                }
            }
            unasked(&findings)
        };
        assert_eq!(why(&[]), None);
        assert_eq!(why(&["slow", "smuggle", "big", "pair", "storm"]), None, "others show the same");
        let said = why(&["error"]).unwrap();
        assert!(said.contains("before `error` had its turn") && said.ends_with("time = \"6s\""), "{said}");
        let said = why(&["abort", "slow", "gate"]).unwrap();
        assert!(said.contains("before `abort` and `gate` had their turn"), "{said}");
    }

    #[test]
    fn what_cannot_be_exercised_at_all_is_no_matter_of_time() {
        let mut findings = Findings::default();
        findings.obstacles.insert("same_key", "the URL holds the identity".to_owned());
        findings.obstacles.insert("abort", "the server handles one request at a time".to_owned());
        findings.obstacles.insert("slow", NO_TURN.to_owned());
        assert_eq!(unasked(&findings), None);
    }
}
