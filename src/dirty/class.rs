//! The classes of leaks: how requests come to share what they should not.

use std::collections::BTreeSet;
use std::time::Duration;

use super::judge::Oracle;
use super::observation::{Role, Seen};
use super::tally::Leak;

/// How a leak came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// A slot that all share, written by one request between another's write and read.
    SharedSlot,
    /// The same, in a window of a few milliseconds.
    NarrowRace,
    /// A ring or pool of slots with fewer slots than requests in flight.
    Capacity,
    /// What a request left in its thread or process, seen by a later one that brings no value of its own.
    StaleState,
    /// What the first request after the start brought, kept for good.
    StickyFirst,
    /// A cache, or a server that joins equal requests, whose key leaves out who asks.
    Cache,
    /// A pool of connections to a backend, off by one answer after a request that ended early.
    Pool,
    /// What a failed request left behind.
    ErrorPath,
    /// State kept with the connection.
    Connection,
    /// Answers in the wrong order or number.
    Desync,
    /// The rest of a longer value in a buffer that is used again.
    Residue,
    /// Not the value itself but what follows from it: a hash, a mask, a language.
    Derived,
}

/// The class by the first look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Guess {
    pub class: Class,
    /// Told by what was found, so that what it takes says little against it.
    pub firm: bool,
}

impl Guess {
    /// The classes that look like it, as long as nothing but the first look tells it.
    pub fn alike(self) -> Vec<Class> {
        let alike: &[Class] = match self.class {
            _ if self.firm => &[],
            Class::SharedSlot => &[Class::NarrowRace],
            Class::NarrowRace => &[Class::SharedSlot],
            Class::Capacity => &[Class::NarrowRace, Class::SharedSlot],
            Class::StaleState => &[Class::StickyFirst, Class::Cache],
            Class::StickyFirst => &[Class::Cache],
            Class::Cache => &[Class::StickyFirst],
            Class::Pool => &[Class::ErrorPath],
            Class::ErrorPath | Class::Connection => &[Class::StaleState],
            Class::Desync => &[Class::Connection],
            Class::Residue | Class::Derived => &[],
        };
        alike.to_vec()
    }

    /// The class of a leak that `trigger` showed, among all leaks of its round: from what was found, else from what had to
    /// coincide for it. `echoes`: lone answers hold the canary of their request.
    pub fn of(trigger: &str, leak: &Leak, round: &[Leak], echoes: bool) -> Guess {
        match told(leak, round, echoes) {
            Some(class) => Guess { class, firm: true },
            None => Guess { class: by_trigger(trigger, leak, round), firm: false },
        }
    }
}

/// The class that the responses themselves tell. What another leak of the round gives away holds for all: they have one
/// cause.
fn told(leak: &Leak, round: &[Leak], echoes: bool) -> Option<Class> {
    let told_by = |oracle| leak.oracle == oracle || round.iter().any(|other| other.oracle == oracle);
    if matches!(leak.oracle, Oracle::Swap | Oracle::Learned) && !leak.verbatim {
        Some(Class::Derived)
    } else if leak.oracle != Oracle::Number && told_by(Oracle::Fragment) {
        Some(Class::Residue)
    } else if told_by(Oracle::Number) {
        Some(Class::Desync)
    } else {
        late(round, echoes)
    }
}

/// Triggers take turns from the least demanding to the most, so that what a simple one misses is not simple.
fn by_trigger(trigger: &str, leak: &Leak, round: &[Leak]) -> Class {
    let role = leak.source.as_ref().map(|source| source.role);
    let same_connection = leak.source.as_ref().is_some_and(|source| source.connection == leak.victim.connection);
    let came_before = !leak.source.as_ref().is_some_and(|source| came_later(&leak.victim, source));
    match trigger {
        "first" if all_from_one(round) => Class::StickyFirst,
        "same_key" if !leak.overlapped && leak.victim.identity.is_some() => Class::Cache,
        "suffix" => Class::Cache,
        "pipeline" | "smuggle" => Class::Desync,
        "error" => Class::ErrorPath,
        "abort" | "slow" => Class::Pool,
        "keep_alive" | "big" => Class::Connection,
        _ if role == Some(Role::Leaving) => Class::Pool,
        _ if role == Some(Role::Failing) => Class::ErrorPath,
        _ if !leak.overlapped && same_connection => Class::Connection,
        _ if !leak.overlapped && came_before => Class::StaleState,
        "gate" => Class::NarrowRace,
        "ramp" => Class::Capacity,
        _ => Class::SharedSlot,
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
/// a notice that it takes too long, or up. An answer goes to nobody twice, which what is left in a slot, a thread or a cache
/// does. On one connection it is the answers to the client that are in disorder, else those from a backend.
pub(super) fn late(round: &[Leak], echoes: bool) -> Option<Class> {
    let late = round.iter().filter_map(|leak| Some((leak, leak.source.as_ref()?)).filter(|(l, s)| is_late(l, s)));
    let late: Vec<(&Leak, &Seen)> = late.collect();
    let sources: BTreeSet<u64> = late.iter().map(|(_, source)| source.request).collect();
    let told = sources.len() >= ENOUGH || late.iter().any(|(_, source)| was_put_off(source, echoes));
    if late.is_empty() || !told || sources.len() < late.len() {
        return None;
    }
    let on_its_own = |(leak, source): &(&Leak, &Seen)| leak.victim.connection == source.connection;
    Some(if late.iter().all(on_its_own) { Class::Desync } else { Class::Pool })
}

/// Whether a response may be one that `source` had waited for in vain.
fn is_late(leak: &Leak, source: &Seen) -> bool {
    // Client and server do not agree on the moment: a little is forgiven.
    let overlap = source.exchange.done.saturating_sub(leak.victim.sent());
    let over = source.sent() < leak.victim.sent() && FORGIVEN * overlap <= leak.victim.exchange.service_time();
    over && !source.own && !leak.own_present && source.role != Role::Failing
}

/// It was answered with what is another's, or told that it takes too long, or was not answered.
fn was_put_off(source: &Seen, echoes: bool) -> bool {
    match source.status() {
        None | Some(408 | 504) => true,
        Some(200..300) => source.tells || echoes,
        Some(_) => false,
    }
}

fn all_from_one(round: &[Leak]) -> bool {
    let source = |leak: &Leak| leak.source.as_ref().map(|source| source.request);
    round.iter().all(|leak| source(leak).is_some() && source(leak) == source(&round[0]))
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::observation::{Place, Seen};
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
            canary: String::new(),
            role: Role::Short,
            place: Place::default(),
            line: String::new(),
            connection,
            worker: None,
            sleep: None,
            exchange,
            tells: true,
            own: false,
        }
    }

    fn leak(oracle: Oracle, victim: Seen, source: Seen) -> Leak {
        let (place, excerpt) = ("body".to_owned(), String::new());
        let verbatim = matches!(oracle, Oracle::Canary);
        Leak { oracle, victim, source: Some(source), overlapped: false, place, excerpt, own_present: false, verbatim }
    }

    fn classes(round: &[Leak]) -> Vec<Class> {
        round.iter().map(|leak| Guess::of("anonymous", leak, round, false).class).collect()
    }

    #[test]
    fn answers_that_come_one_too_late_are_a_pools_or_a_connections() {
        let round = |connection: fn(u64) -> u64| -> Vec<Leak> {
            (2..5).map(|n| leak(Oracle::Canary, seen(n, connection(n)), seen(n - 1, connection(n - 1)))).collect()
        };
        assert_eq!(classes(&round(|request| request)), [Class::Pool; 3]);
        assert_eq!(classes(&round(|_| 7)), [Class::Desync; 3]);
        let all_of_one: Vec<Leak> = (2..5).map(|n| leak(Oracle::Canary, seen(n, n), seen(1, 1))).collect();
        assert_eq!(classes(&all_of_one), [Class::StaleState; 3], "what stays is not late");
        let mut had_its_own = round(|_| 7);
        had_its_own.iter_mut().for_each(|leak| leak.source.as_mut().unwrap().own = true);
        assert_eq!(classes(&had_its_own), [Class::Connection; 3], "nobody waits for what it has been given");
    }

    #[test]
    fn what_is_told_by_personas_is_derived_unless_it_is_the_value_itself() {
        let guess = |verbatim| {
            let leak = Leak { verbatim, overlapped: true, ..leak(Oracle::Swap, seen(1, 1), seen(2, 2)) };
            let guess = Guess::of("overlap", &leak, &[], false);
            (guess.class, guess.firm)
        };
        assert_eq!(guess(false), (Class::Derived, true));
        assert_eq!(guess(true), (Class::SharedSlot, false), "a diagnosis may tell more");
    }

    #[test]
    fn what_a_later_request_brought_is_not_what_an_earlier_one_left() {
        let ms = Duration::from_millis;
        // From when to when a source ran whose value a victim got that ran from 16 to 57 ms.
        let class = |sent: u64, done: u64| {
            let mut leak = leak(Oracle::Canary, seen(1, 1), seen(2, 2));
            leak.own_present = true;
            let run = |seen: &mut Seen, from, to| (seen.exchange.sent, seen.exchange.done) = (Some(ms(from)), ms(to));
            run(&mut leak.victim, 16, 57);
            run(leak.source.as_mut().unwrap(), sent, done);
            Guess::of("overlap", &leak, std::slice::from_ref(&leak), true).class
        };
        assert_eq!(class(55, 77), Class::SharedSlot);
        assert_eq!(class(2, 16), Class::StaleState);
        assert_eq!(class(17, 58), Class::StaleState, "nobody can tell which was first");
        assert_eq!(class(20, 40), Class::StaleState, "it may have been handled before the victim was");
    }

    #[test]
    fn one_answer_too_late_suffices_where_its_owner_was_put_off() {
        let round = |outcome, tells| {
            let mut round = vec![leak(Oracle::Canary, seen(2, 7), seen(1, 7))];
            let source = round[0].source.as_mut().unwrap();
            (source.exchange.outcome, source.tells) = (outcome, tells);
            classes(&round)
        };
        assert_eq!(round(Outcome::Answered(504), false), [Class::Desync]);
        assert_eq!(round(Outcome::Answered(200), true), [Class::Desync], "with another's answer");
        assert_eq!(
            round(Outcome::Answered(500), false),
            [Class::Connection],
            "it has failed, and may have left something"
        );
        assert_eq!(round(Outcome::Answered(200), false), [Class::Connection], "its answer may say nothing of it");
    }

    #[test]
    fn what_one_leak_of_a_round_gives_away_holds_for_all() {
        let round = [leak(Oracle::Canary, seen(2, 2), seen(1, 1)), leak(Oracle::Fragment, seen(3, 3), seen(1, 1))];
        assert_eq!(classes(&round), [Class::Residue; 2]);
        let round = [leak(Oracle::Canary, seen(2, 2), seen(1, 1)), leak(Oracle::Number, seen(3, 3), seen(1, 1))];
        assert_eq!(classes(&round), [Class::Desync; 2]);
    }
}
