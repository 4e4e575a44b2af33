//! The classes of leaks: how requests come to share what they should not.

use super::judge::Oracle;
use super::observation::Role;
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

impl Class {
    /// The class of a leak that `trigger` showed, among all leaks of its round: from what had to coincide for it. Triggers
    /// take turns from the least demanding to the most, so that what a simple one misses is not simple.
    pub(super) fn of(trigger: &str, leak: &Leak, round: &[Leak]) -> Class {
        match leak.oracle {
            Oracle::Fragment => return Class::Residue,
            Oracle::Number => return Class::Desync,
            Oracle::Swap | Oracle::Learned => return Class::Derived,
            Oracle::Canary => {}
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

fn all_from_one(round: &[Leak]) -> bool {
    let source = |leak: &Leak| leak.source.as_ref().map(|source| source.request);
    round.iter().all(|leak| source(leak).is_some() && source(leak) == source(&round[0]))
}
