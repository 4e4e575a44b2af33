//! The class of a leak by the first look: from what was found, else from what had to coincide for it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::class::{Guess, LeakClass};
use super::evidence::{FoundBy, Leak};
use super::observation::{Role, Seen};
use super::oracle::LeakOracle;
use crate::trigger::Trigger;

/// The class of a leak among all leaks of its round. `echoes`: responses to lone requests hold the canary of their request.
pub(super) fn classify(found_by: FoundBy, leak: &Leak, round: &[Leak], echoes: bool) -> Guess {
    match told(leak, round, echoes) {
        Some(class) => Guess { class, firm: true },
        None => Guess { class: by_trigger(found_by, leak, round), firm: false },
    }
}

/// The class that the responses themselves tell. What another leak of the round gives away holds for all: they have one
/// cause.
fn told(leak: &Leak, round: &[Leak], echoes: bool) -> Option<LeakClass> {
    let told_by = |oracle| leak.oracle == oracle || round.iter().any(|other| other.oracle == oracle);
    if matches!(leak.oracle, LeakOracle::Swap | LeakOracle::Learned) && !leak.verbatim {
        Some(LeakClass::Derived)
    } else if leak.oracle != LeakOracle::Number && told_by(LeakOracle::Fragment) {
        Some(LeakClass::Residue)
    } else if told_by(LeakOracle::Number) {
        Some(LeakClass::Desync)
    } else {
        late(round, echoes)
    }
}

/// Triggers take turns from the least demanding to the most, so that what a simple one misses is not simple.
fn by_trigger(found_by: FoundBy, leak: &Leak, round: &[Leak]) -> LeakClass {
    let strategy = found_by.trigger().map(Trigger::strategy);
    if let Some(class) = strategy.and_then(|strategy| strategy.class(leak, round)) {
        return class;
    }
    let role = leak.source.as_ref().map(|source| source.role);
    let same_connection = leak.source.as_ref().is_some_and(|source| source.connection == leak.victim.connection);
    let came_before = !leak.source.as_ref().is_some_and(|source| came_later(&leak.victim, source));
    match role {
        Some(Role::Leaving) => LeakClass::Pool,
        Some(Role::Failing) => LeakClass::ErrorPath,
        _ if !leak.overlapped && same_connection => LeakClass::Connection,
        _ if !leak.overlapped && came_before => LeakClass::StaleState,
        _ => strategy.map_or(LeakClass::SharedSlot, |strategy| strategy.class_of_overlap()),
    }
}

/// Two moments that are no further apart than this may have been the other way round for the server.
const CLOCK_NOISE: Duration = Duration::from_millis(1);

/// Whether `source` was both sent and answered after the victim. What it brought is then nothing that an earlier request
/// left behind, although it was not surely handled while the victim was. One that was sent later but answered first may
/// still have been handled before: servers take requests that wait in any order.
fn came_later(victim: &Seen, source: &Seen) -> bool {
    source.sent() > victim.sent() + CLOCK_NOISE && source.exchange.done > victim.exchange.done
}

/// So many answers that come too late are no accident.
const ENOUGH: usize = 2;
/// One request is over before another if they share no more than this part of the other.
const FORGIVEN: u32 = 4;

/// Answers that come one too late: each goes to somebody after the one who asked for it, who has been given another one,
/// a notice that it takes too long, or up. A response goes to nobody twice, which what is left in a slot, a thread or a cache
/// does. On one connection it is the answers to the client that are in disorder, else those from a backend.
pub(super) fn late(round: &[Leak], echoes: bool) -> Option<LeakClass> {
    let late = round.iter().filter_map(|leak| Some((leak, leak.source.as_ref()?)).filter(|(l, s)| is_late(l, s)));
    let late: Vec<(&Leak, &Seen)> = late.collect();
    let sources: BTreeSet<u64> = late.iter().map(|(_, source)| source.request).collect();
    let told = sources.len() >= ENOUGH || late.iter().any(|(_, source)| was_put_off(source, echoes));
    if late.is_empty() || !told || sources.len() < late.len() {
        return None;
    }
    let on_its_own = |(leak, source): &(&Leak, &Seen)| leak.victim.connection == source.connection;
    Some(if late.iter().all(on_its_own) { LeakClass::Desync } else { LeakClass::Pool })
}

/// Whether a response may be one that `source` had waited for in vain.
fn is_late(leak: &Leak, source: &Seen) -> bool {
    // Client and server do not agree on the moment: a little is forgiven.
    let overlap = source.exchange.done.saturating_sub(leak.victim.sent());
    let over = source.sent() < leak.victim.sent() && FORGIVEN * overlap <= leak.victim.exchange.service_time();
    over && !source.own && !leak.own_present && source.role != Role::Failing
}

/// It got another request's response, was told that it takes too long, or got none.
fn was_put_off(source: &Seen, echoes: bool) -> bool {
    match source.status() {
        None | Some(408 | 504) => true,
        Some(200..300) => source.tells || echoes,
        Some(_) => false,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::observation::{RecipePlace, Seen};
    use super::*;
    use crate::exchange::{Exchange, Outcome};

    /// An ordinary request by the identity of the same number, answered well.
    pub fn seen(request: u64, connection: u64) -> Seen {
        let time = Duration::from_millis(10 * request);
        let done = time + Duration::from_millis(5);
        let exchange = Exchange { intended: time, sent: None, first_byte: None, done, outcome: Outcome::Answered(200) };
        Seen {
            request,
            identity: Some(request),
            persona: None,
            principal: None,
            page: 0,
            canary: String::new(),
            role: Role::Short,
            place: RecipePlace::default(),
            line: String::new(),
            connection,
            worker: None,
            sleep: None,
            exchange,
            bytes: 0,
            tells: true,
            own: false,
        }
    }

    fn leak(oracle: LeakOracle, victim: Seen, source: Seen) -> Leak {
        let (place, excerpt) = ("body".to_owned(), String::new());
        let verbatim = matches!(oracle, LeakOracle::Canary);
        Leak { oracle, victim, source: Some(source), overlapped: false, place, excerpt, own_present: false, verbatim }
    }

    fn classes(round: &[Leak]) -> Vec<LeakClass> {
        round.iter().map(|leak| classify(FoundBy::Trigger(Trigger::Anonymous), leak, round, false).class).collect()
    }

    #[test]
    fn answers_that_come_one_too_late_are_a_pools_or_a_connections() {
        let round = |connection: fn(u64) -> u64| -> Vec<Leak> {
            (2..5).map(|n| leak(LeakOracle::Canary, seen(n, connection(n)), seen(n - 1, connection(n - 1)))).collect()
        };
        assert_eq!(classes(&round(|request| request)), [LeakClass::Pool; 3]);
        assert_eq!(classes(&round(|_| 7)), [LeakClass::Desync; 3]);
        let all_of_one: Vec<Leak> = (2..5).map(|n| leak(LeakOracle::Canary, seen(n, n), seen(1, 1))).collect();
        assert_eq!(classes(&all_of_one), [LeakClass::StaleState; 3], "what stays is not late");
        let mut had_its_own = round(|_| 7);
        had_its_own.iter_mut().for_each(|leak| leak.source.as_mut().unwrap().own = true);
        assert_eq!(classes(&had_its_own), [LeakClass::Connection; 3], "nobody waits for what it has been given");
    }

    #[test]
    fn what_is_told_by_personas_is_derived_unless_it_is_the_value_itself() {
        let guess = |verbatim| {
            let leak = Leak { verbatim, overlapped: true, ..leak(LeakOracle::Swap, seen(1, 1), seen(2, 2)) };
            let guess = classify(FoundBy::Trigger(Trigger::Overlap), &leak, &[], false);
            (guess.class, guess.firm)
        };
        assert_eq!(guess(false), (LeakClass::Derived, true));
        assert_eq!(guess(true), (LeakClass::SharedSlot, false), "a diagnosis may tell more");
    }

    #[test]
    fn what_a_later_request_brought_is_not_what_an_earlier_one_left() {
        let ms = Duration::from_millis;
        // From when to when a source ran whose value a victim got that ran from 16 to 57 ms.
        let class = |sent: u64, done: u64| {
            let mut leak = leak(LeakOracle::Canary, seen(1, 1), seen(2, 2));
            leak.own_present = true;
            let run = |seen: &mut Seen, from, to| (seen.exchange.sent, seen.exchange.done) = (Some(ms(from)), ms(to));
            run(&mut leak.victim, 16, 57);
            run(leak.source.as_mut().unwrap(), sent, done);
            classify(FoundBy::Trigger(Trigger::Overlap), &leak, std::slice::from_ref(&leak), true).class
        };
        assert_eq!(class(55, 77), LeakClass::SharedSlot);
        assert_eq!(class(2, 16), LeakClass::StaleState);
        assert_eq!(class(17, 58), LeakClass::StaleState, "nobody can tell which was first");
        assert_eq!(class(20, 40), LeakClass::StaleState, "it may have been handled before the victim was");
    }

    #[test]
    fn one_answer_too_late_suffices_where_its_owner_was_put_off() {
        let round = |outcome, tells| {
            let mut round = vec![leak(LeakOracle::Canary, seen(2, 7), seen(1, 7))];
            let source = round[0].source.as_mut().unwrap();
            (source.exchange.outcome, source.tells) = (outcome, tells);
            classes(&round)
        };
        assert_eq!(round(Outcome::Answered(504), false), [LeakClass::Desync]);
        assert_eq!(round(Outcome::Answered(200), true), [LeakClass::Desync], "with another's answer");
        assert_eq!(
            round(Outcome::Answered(500), false),
            [LeakClass::Connection],
            "it has failed, and may have left something"
        );
        assert_eq!(round(Outcome::Answered(200), false), [LeakClass::Connection], "its response may say nothing of it");
    }

    #[test]
    fn what_one_leak_of_a_round_gives_away_holds_for_all() {
        let round =
            [leak(LeakOracle::Canary, seen(2, 2), seen(1, 1)), leak(LeakOracle::Fragment, seen(3, 3), seen(1, 1))];
        assert_eq!(classes(&round), [LeakClass::Residue; 2]);
        let round =
            [leak(LeakOracle::Canary, seen(2, 2), seen(1, 1)), leak(LeakOracle::Number, seen(3, 3), seen(1, 1))];
        assert_eq!(classes(&round), [LeakClass::Desync; 2]);
    }
}
