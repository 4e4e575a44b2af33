//! Classes of leaks that were not looked for, as the time was up.

use std::collections::BTreeSet;

use crate::dirty::{Findings, NO_TURN};
use crate::trigger::{Coverage, Trigger};
use crate::units::show_duration;

/// Why a check in which triggers had no turn cannot conclude, if nothing else shows what they show.
pub(super) fn untested(findings: &Findings) -> Option<String> {
    let had_no_turn = |trigger: &Trigger| findings.obstacles.get(trigger).is_some_and(|why| why == NO_TURN);
    let is_missed = |trigger: &Trigger| match trigger.coverage() {
        Coverage::Alone => true,
        Coverage::SharedWith(others) => !others.iter().any(|other| findings.totals.triggers.contains_key(other)),
        Coverage::Redundant => false,
    };
    let open = Trigger::ALL.into_iter().filter(|trigger| had_no_turn(trigger) && is_missed(trigger));
    let names: BTreeSet<&str> = open.map(Trigger::name).collect();
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

    use Trigger::{Abort, Big, Error, Gate, Pair, SameKey, Slow, Smuggle, Storm};

    use super::*;
    use crate::dirty::TriggerCounts;

    #[test]
    fn a_check_that_did_not_look_for_a_class_of_leaks_says_which_triggers_had_no_turn() {
        let why = |no_turn: &[Trigger]| {
            let mut findings = Findings { time: Duration::from_secs(3), ..Findings::default() };
            for trigger in Trigger::ALL {
                if no_turn.contains(&trigger) {
                    findings.obstacles.insert(trigger, NO_TURN.to_owned());
                } else {
                    findings.totals.triggers.insert(trigger, TriggerCounts::default());
                }
            }
            untested(&findings)
        };
        assert_eq!(why(&[]), None);
        assert_eq!(why(&[Slow, Smuggle, Big, Pair, Storm]), None, "others show the same");
        let said = why(&[Error]).unwrap();
        assert!(said.contains("before `error` had its turn") && said.ends_with("time = \"6s\""), "{said}");
        let said = why(&[Abort, Slow, Gate]).unwrap();
        assert!(said.contains("before `abort` and `gate` had their turn"), "{said}");
    }

    #[test]
    fn what_cannot_be_exercised_at_all_is_no_matter_of_time() {
        let mut findings = Findings::default();
        findings.obstacles.insert(SameKey, "the URL holds the identity".to_owned());
        findings.obstacles.insert(Abort, "the server handles one request at a time".to_owned());
        findings.obstacles.insert(Slow, NO_TURN.to_owned());
        assert_eq!(untested(&findings), None);
    }
}
