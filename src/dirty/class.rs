//! The classes of leaks: how requests come to share what they should not.

use std::collections::BTreeSet;

use super::diagnosis::Kind;
use super::judge::Oracle;
use super::observation::Role;
use super::recipe::Twist;
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

/// What a diagnosis has seen of a leak.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signs {
    /// What the least that shows it consists of.
    pub needs: Kind,
    /// What a try has brought stays: all later answers hold it.
    pub kept: bool,
    /// With URLs that differ it does not show.
    pub ended_by_own_urls: bool,
    /// With fewer at once it does not show.
    pub clean_below: bool,
    /// It shows in at least every other try in which the requests could meet.
    pub steady: bool,
}

impl Class {
    /// The class that a diagnosis tells; `guess` where it tells nothing.
    pub(super) fn diagnosed(guess: Class, signs: &Signs) -> Class {
        match (guess, signs.needs) {
            // Told by what was found, not by what it took.
            (Class::Residue | Class::Derived | Class::Desync, _) => guess,
            (Class::Pool, Kind::Sequence | Kind::OneConnection) => guess,
            _ if signs.ended_by_own_urls => Class::Cache,
            (_, Kind::Sequence | Kind::OneConnection) if signs.kept && guess != Class::Cache => Class::StickyFirst,
            (Class::Cache, Kind::Sequence) => Class::Cache,
            (_, Kind::Sequence) => Class::StaleState,
            (_, Kind::OneConnection) => Class::Connection,
            (_, Kind::Pair) if signs.steady => Class::SharedSlot,
            (_, Kind::Burst(level)) if level > 2 && signs.clean_below && signs.steady => Class::Capacity,
            (_, Kind::Pair | Kind::Burst(_) | Kind::Gate(_)) => Class::NarrowRace,
            (_, Kind::Twisted(Twist::Malformed(_))) => Class::ErrorPath,
            (_, Kind::Twisted(Twist::Abort(_) | Twist::Halting(_)) | Kind::Slow) => Class::Pool,
            (_, Kind::Twisted(Twist::Big)) => Class::Connection,
            (_, Kind::Pipelined) => Class::Desync,
            (_, Kind::Twisted(Twist::None | Twist::LongCanary | Twist::ShortCanary) | Kind::Whole) => guess,
        }
    }

    /// The quick guess at the class of a leak that `trigger` showed, among all leaks of its round: from what had to
    /// coincide for it. Triggers take turns from the least demanding to the most, so that what a simple one misses is
    /// not simple.
    pub(super) fn of(trigger: &str, leak: &Leak, round: &[Leak]) -> Class {
        match leak.oracle {
            Oracle::Fragment => return Class::Residue,
            Oracle::Number => return Class::Desync,
            Oracle::Swap | Oracle::Learned => return Class::Derived,
            Oracle::Canary => {}
        }
        // What another leak of the round gives away holds for all: they have one cause.
        let told_by = |oracle| round.iter().any(|other| other.oracle == oracle);
        if told_by(Oracle::Fragment) {
            return Class::Residue;
        }
        if told_by(Oracle::Number) {
            return Class::Desync;
        }
        if let Some(class) = off_by_one(round) {
            return class;
        }
        let role = leak.source.as_ref().map(|source| source.role);
        let same_connection = leak.source.as_ref().is_some_and(|source| source.connection == leak.victim.connection);
        match trigger {
            "first" if all_from_one(round) => Class::StickyFirst,
            "same_key" if !leak.overlapped => Class::Cache,
            "pipeline" => Class::Desync,
            "error" => Class::ErrorPath,
            "abort" | "slow" => Class::Pool,
            "keep_alive" | "big" => Class::Connection,
            _ if role == Some(Role::Leaving) => Class::Pool,
            _ if role == Some(Role::Failing) => Class::ErrorPath,
            _ if !leak.overlapped && same_connection => Class::Connection,
            _ if !leak.overlapped => Class::StaleState,
            "gate" => Class::NarrowRace,
            "ramp" => Class::Capacity,
            _ => Class::SharedSlot,
        }
    }
}

/// Each gets, in place of its own, what somebody before it should have got, and no two the same: answers that come one
/// too late. On one connection those to the client are in disorder, else those from a backend.
fn off_by_one(round: &[Leak]) -> Option<Class> {
    const ENOUGH: usize = 2;
    let late = |leak: &&Leak| {
        let earlier = leak.source.as_ref().is_some_and(|source| source.request < leak.victim.request);
        earlier && leak.victim.identity.is_some() && !leak.own_present && !leak.overlapped
    };
    let late: Vec<&Leak> = round.iter().filter(late).collect();
    let sources: BTreeSet<u64> = late.iter().filter_map(|leak| Some(leak.source.as_ref()?.request)).collect();
    if sources.len() < ENOUGH || sources.len() < late.len() {
        return None;
    }
    let connection =
        |leak: &&Leak| Some(leak.victim.connection) == leak.source.as_ref().map(|source| source.connection);
    Some(if late.iter().all(connection) { Class::Desync } else { Class::Pool })
}

fn all_from_one(round: &[Leak]) -> bool {
    let source = |leak: &Leak| leak.source.as_ref().map(|source| source.request);
    round.iter().all(|leak| source(leak).is_some() && source(leak) == source(&round[0]))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::observation::{Place, Seen};
    use super::*;
    use crate::exchange::{Exchange, Outcome};

    #[test]
    fn the_least_that_shows_a_leak_tells_its_class() {
        let plain =
            Signs { needs: Kind::Pair, kept: false, ended_by_own_urls: false, clean_below: false, steady: true };
        let of = |guess, signs| Class::diagnosed(guess, &signs);
        assert_eq!(of(Class::Capacity, plain), Class::SharedSlot, "two suffice");
        assert_eq!(of(Class::SharedSlot, Signs { steady: false, ..plain }), Class::NarrowRace, "two seldom suffice");
        let seventeen = Signs { needs: Kind::Burst(17), clean_below: true, ..plain };
        assert_eq!(of(Class::SharedSlot, seventeen), Class::Capacity);
        assert_eq!(of(Class::SharedSlot, Signs { steady: false, ..seventeen }), Class::NarrowRace);
        assert_eq!(of(Class::SharedSlot, Signs { needs: Kind::Gate(2), ..plain }), Class::NarrowRace);
        let sequence = Signs { needs: Kind::Sequence, ..plain };
        assert_eq!(of(Class::Connection, sequence), Class::StaleState);
        assert_eq!(of(Class::StaleState, Signs { kept: true, ..sequence }), Class::StickyFirst);
        assert_eq!(of(Class::StaleState, Signs { ended_by_own_urls: true, kept: true, ..sequence }), Class::Cache);
        assert_eq!(of(Class::SharedSlot, Signs { ended_by_own_urls: true, ..plain }), Class::Cache);
        assert_eq!(of(Class::StaleState, Signs { needs: Kind::OneConnection, ..plain }), Class::Connection);
        assert_eq!(of(Class::Pool, Signs { needs: Kind::Twisted(Twist::Malformed(2)), ..plain }), Class::ErrorPath);
        assert_eq!(of(Class::ErrorPath, Signs { needs: Kind::Twisted(Twist::Abort(9.0)), ..plain }), Class::Pool);
        assert_eq!(of(Class::Residue, sequence), Class::Residue, "a fragment is one however it came about");
        assert_eq!(of(Class::ErrorPath, Signs { needs: Kind::Whole, ..plain }), Class::ErrorPath);
    }

    fn seen(request: u64, connection: u64) -> Seen {
        let exchange = Exchange {
            intended: Duration::ZERO,
            sent: None,
            first_byte: None,
            done: Duration::ZERO,
            outcome: Outcome::Answered(200),
        };
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
        }
    }

    fn leak(oracle: Oracle, victim: Seen, source: Seen) -> Leak {
        let (place, excerpt) = ("body".to_owned(), String::new());
        Leak { oracle, victim, source: Some(source), overlapped: false, place, excerpt, own_present: false }
    }

    fn classes(round: &[Leak]) -> Vec<Class> {
        round.iter().map(|leak| Class::of("anonymous", leak, round)).collect()
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
    }

    #[test]
    fn what_one_leak_of_a_round_gives_away_holds_for_all() {
        let round = [leak(Oracle::Canary, seen(2, 2), seen(1, 1)), leak(Oracle::Fragment, seen(3, 3), seen(1, 1))];
        assert_eq!(classes(&round), [Class::Residue; 2]);
        let round = [leak(Oracle::Canary, seen(2, 2), seen(1, 1)), leak(Oracle::Number, seen(3, 3), seen(1, 1))];
        assert_eq!(classes(&round), [Class::Desync; 2]);
    }
}
