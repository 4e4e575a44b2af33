use super::super::recipe::{Start, Who};
use super::*;

fn situation() -> Situation {
    Situation { alone: Duration::from_millis(30), malformed: 3, same_url: true, owned: true, ..Situation::default() }
}

#[test]
fn every_recipe_can_be_carried_out_and_ends() {
    for trigger in all() {
        for round in 0..40 {
            let recipe = trigger.recipe(&situation(), round);
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
    for trigger in all().iter().filter(|trigger| trigger.obstacle(&situation).is_none()) {
        let anonymous = |round| trigger.recipe(&situation, round).shots().any(|(_, shot)| shot.who == Who::Nobody);
        assert!(!(0..40).any(anonymous), "{}", trigger.name());
    }
}

#[test]
fn the_same_round_is_the_same_recipe() {
    for trigger in all() {
        assert_eq!(trigger.recipe(&situation(), 7), trigger.recipe(&situation(), 7));
    }
}

#[test]
fn a_server_that_handles_one_request_at_a_time_leaves_nothing_to_overlap() {
    let premises = Premises { workers: Some(1), in_flight: Some(1) };
    let situation = Situation { premises, ..situation() };
    let left_out: Vec<&str> =
        all().iter().filter(|trigger| trigger.obstacle(&situation).is_some()).map(|trigger| trigger.name()).collect();
    assert_eq!(left_out, ["overlap", "pair", "ramp", "gate", "storm"]);
}
