//! The classes of leaks: how requests come to share what they should not.

use serde::{Deserialize, Serialize};

/// How a leak came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeakClass {
    /// A slot that all share, written by one request between another's write and read.
    #[serde(alias = "overlap")]
    SharedSlot,
    /// The same, in a window of a few milliseconds.
    NarrowRace,
    /// A ring or pool of slots with fewer slots than requests in flight.
    Capacity,
    /// What a request left in its thread or process, seen by a later one that brings no value of its own.
    #[serde(alias = "stale")]
    StaleState,
    /// What the first request after the start brought, kept for good.
    StickyFirst,
    /// A cache, or a server that joins equal requests, whose key leaves out who asks.
    Cache,
    /// A pool of connections to a backend, off by one response after a request that ended early.
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

impl LeakClass {
    /// As in the record: `shared_slot`.
    pub const fn name(self) -> &'static str {
        match self {
            LeakClass::SharedSlot => "shared_slot",
            LeakClass::NarrowRace => "narrow_race",
            LeakClass::Capacity => "capacity",
            LeakClass::StaleState => "stale_state",
            LeakClass::StickyFirst => "sticky_first",
            LeakClass::Cache => "cache",
            LeakClass::Pool => "pool",
            LeakClass::ErrorPath => "error_path",
            LeakClass::Connection => "connection",
            LeakClass::Desync => "desync",
            LeakClass::Residue => "residue",
            LeakClass::Derived => "derived",
        }
    }
}

/// The class by the first look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Guess {
    pub class: LeakClass,
    /// Told by what was found, so that what it takes says little against it.
    pub firm: bool,
}

impl Guess {
    /// The classes that look like it, as long as nothing but the first look tells it.
    pub fn alike(self) -> Vec<LeakClass> {
        let alike: &[LeakClass] = match self.class {
            _ if self.firm => &[],
            LeakClass::SharedSlot => &[LeakClass::NarrowRace],
            LeakClass::NarrowRace => &[LeakClass::SharedSlot],
            LeakClass::Capacity => &[LeakClass::NarrowRace, LeakClass::SharedSlot],
            LeakClass::StaleState => &[LeakClass::StickyFirst, LeakClass::Cache],
            LeakClass::StickyFirst => &[LeakClass::Cache],
            LeakClass::Cache => &[LeakClass::StickyFirst],
            LeakClass::Pool => &[LeakClass::ErrorPath],
            LeakClass::ErrorPath | LeakClass::Connection => &[LeakClass::StaleState],
            LeakClass::Desync => &[LeakClass::Connection],
            LeakClass::Residue | LeakClass::Derived => &[],
        };
        alike.to_vec()
    }
}
