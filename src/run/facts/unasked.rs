//! Classes of leaks that were not looked for, as the time was up.

use std::collections::BTreeSet;

use crate::dirty::{Findings, NO_TURN};
use crate::units::show_duration;

/// For each class of leaks, the triggers that show it by themselves (see `docs/dirty-check.md`). The storm shows none that
/// no other shows.
const SHOWN_BY: [&[&str]; 11] = [
    &["first"],
    &["anonymous"],
    &["keep_alive", "big"],
    &["same_key"],
    &["residue"],
    &["overlap", "pair"],
    &["ramp"],
    &["gate"],
    &["error"],
    &["abort", "slow"],
    &["pipeline", "slow", "smuggle"],
];

/// Why a check in which triggers had no turn cannot conclude, if they are the only ones that show some class of leaks.
pub(super) fn unasked(findings: &Findings) -> Option<String> {
    let had_no_turn = |name: &&str| findings.obstacles.get(name).is_some_and(|why| why == NO_TURN);
    let tried = |name: &&str| findings.tally.triggers.contains_key(name);
    let open = SHOWN_BY.iter().filter(|class| !class.iter().any(|name| tried(name)));
    let names: BTreeSet<&str> = open.flat_map(|class| class.iter().copied()).filter(had_no_turn).collect();
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
            for name in SHOWN_BY.iter().flat_map(|class| class.iter().copied()) {
                if no_turn.contains(&name) {
                    findings.obstacles.insert(name, NO_TURN.to_owned());
                } else {
                    findings.tally.triggers.insert(name, TriggerTally::default());
                }
            }
            unasked(&findings)
        };
        assert_eq!(why(&[]), None);
        assert_eq!(why(&["slow", "smuggle", "big", "pair"]), None, "others show the same");
        let said = why(&["error"]).unwrap();
        assert!(said.contains("before `error` had its turn") && said.ends_with("time = \"6s\""), "{said}");
        let said = why(&["abort", "slow", "gate"]).unwrap();
        assert!(said.contains("before `abort`, `gate` and `slow` had their turn"), "{said}");
    }

    #[test]
    fn what_cannot_be_exercised_at_all_is_no_matter_of_time() {
        let mut findings = Findings::default();
        findings.obstacles.insert("same_key", "the URL holds the identity".to_owned());
        assert_eq!(unasked(&findings), None);
    }
}
