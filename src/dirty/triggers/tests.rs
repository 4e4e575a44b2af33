use std::collections::BTreeSet;

use super::super::recipe::{Anomaly, Principal, Start};
use super::*;

fn situation() -> Situation {
    Situation { alone: Duration::from_millis(30), malformed: 3, same_url: true, owned: true, ..Situation::default() }
}

#[test]
fn every_recipe_can_be_carried_out_and_ends() {
    for trigger in Trigger::ALL {
        for round in 0..40 {
            let recipe = trigger.strategy().recipe(&situation(), round);
            assert!(recipe.shots().count() >= 2, "{}: a leak takes two", trigger.name());
            assert_eq!(recipe.validate(), Ok(()), "{}: it can be replayed", trigger.name());
            for (index, line) in recipe.lines.iter().enumerate() {
                let waits_for = match (line.start, line.until) {
                    (Start::After(other), _) => Some(other),
                    (_, Some(until)) => Some(until.line),
                    _ => None,
                };
                // Only for lines before it, so that no two wait for each other.
                assert!(waits_for.is_none_or(|other| other < index), "{}: {line:?}", trigger.name());
            }
        }
    }
}

#[test]
fn nobody_is_anonymous_where_that_cannot_be() {
    let situation = Situation { no_anonymous: Some("it is part of the path".to_owned()), ..situation() };
    for trigger in Trigger::ALL.iter().filter(|trigger| trigger.strategy().obstacle(&situation).is_none()) {
        let anonymous =
            |round| trigger.strategy().recipe(&situation, round).shots().any(|(_, shot)| shot.who == Principal::Nobody);
        assert!(!(0..40).any(anonymous), "{}", trigger.name());
    }
}

#[test]
fn others_come_within_milliseconds_of_each_client_that_leaves_and_in_numbers() {
    let trigger = abort::Abort;
    for round in 0..trigger.least_rounds() {
        let recipe = trigger.recipe(&situation(), round);
        let leaves = |line: &Line| line.shots.iter().any(|shot| matches!(shot.twist, Anomaly::Abort(_)));
        let leaving: Vec<usize> = (0..recipe.lines.len()).filter(|index| leaves(&recipe.lines[*index])).collect();
        for left in &leaving {
            let follows = |line: &&Line| {
                let ask_all_the_time = line.until.is_some_and(|until| until.line == *left);
                ask_all_the_time || (line.start == Start::After(*left) && line.shots[0].pause_ms <= 30.0)
            };
            let followers = recipe.lines.iter().filter(follows).count();
            assert!(followers >= 2, "round {round}, line {left}: {followers}");
        }
    }
}

#[test]
fn those_who_follow_ask_for_other_pages_too() {
    let situation = Situation { also: 2, ..situation() };
    for trigger in [Trigger::Abort, Trigger::Error, Trigger::Anonymous] {
        let pages: BTreeSet<usize> = (0..2)
            .flat_map(|round| trigger.strategy().recipe(&situation, round).lines)
            .flat_map(|line| line.shots)
            .map(|shot| shot.page)
            .collect();
        assert_eq!(pages, BTreeSet::from([0, 1, 2]), "{}", trigger.name());
    }
    let alone = Situation { also: 0, ..situation };
    for trigger in Trigger::ALL {
        assert!((0..4).all(|round| trigger.strategy().recipe(&alone, round).shots().all(|(_, shot)| shot.page == 0)));
    }
}

#[test]
fn urls_that_end_like_those_of_files_are_asked_for_where_that_may_tell_something() {
    let obstacle = |same_url, suffixed| {
        let situation = Situation { same_url, suffixed, ..situation() };
        suffix::Suffix.obstacle(&situation).unwrap_or_default()
    };
    assert_eq!((obstacle(true, None), obstacle(true, Some(true))), (String::new(), String::new()));
    assert!(
        obstacle(false, None).contains("part of the URL") && obstacle(true, Some(false)).contains("answers nobody")
    );
}

#[test]
fn bursts_grow_with_the_workers_that_share_them() {
    let most = |trigger: Trigger, workers| {
        let premises = Premises { workers: Some(workers), in_flight: None };
        let situation = Situation { premises, ..situation() };
        let strategy = trigger.strategy();
        (0..strategy.first_look()).map(|round| strategy.recipe(&situation, round).lines.len()).max().unwrap()
    };
    for trigger in [Trigger::Ramp, Trigger::Gate] {
        assert!(most(trigger, 8) >= 4 * most(trigger, 1), "{}", trigger.name());
        assert!(most(trigger, 64) <= 300, "{}", trigger.name());
    }
}

#[test]
fn pipelined_requests_go_out_in_one_packet_and_in_several() {
    let packets = |line: &Line| 1 + line.shots.iter().filter(|shot| shot.pause_ms > 0.0).count();
    for round in 0..3 {
        let lines = pipeline::Pipeline.recipe(&situation(), round).lines;
        let counts: BTreeSet<usize> = lines.iter().map(packets).collect();
        assert!(counts.len() > 1 && lines.iter().all(|line| line.pipelined), "{counts:?}");
    }
}

#[test]
fn the_same_round_is_the_same_recipe() {
    for trigger in Trigger::ALL {
        let recipe = || trigger.strategy().recipe(&situation(), 7);
        assert_eq!(recipe(), recipe());
    }
}

#[test]
fn a_server_that_handles_one_request_at_a_time_leaves_nothing_to_overlap() {
    let premises = Premises { workers: Some(1), in_flight: Some(1) };
    let situation = Situation { premises, ..situation() };
    let left_out: Vec<&str> = Trigger::ALL
        .iter()
        .filter(|trigger| trigger.strategy().obstacle(&situation).is_some())
        .map(|trigger| trigger.name())
        .collect();
    assert_eq!(left_out, ["overlap", "pair", "ramp", "gate", "storm"]);
}

#[test]
fn every_trigger_has_a_turn_and_says_what_it_is_for() {
    for trigger in Trigger::ALL {
        let strategy = trigger.strategy();
        assert!(strategy.first_look() >= 1 && strategy.least_rounds() >= strategy.first_look(), "{trigger}");
        assert!(!trigger.sends().is_empty() && trigger.sends().len() < 250, "{trigger}");
    }
}
