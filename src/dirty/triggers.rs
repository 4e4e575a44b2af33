//! What provokes leaks: a file each, and each a pure function from a situation to a recipe.
//!
//! A new trigger is a file here, and a row in the table in `trigger.rs`. If a sweep is to try it with each operation, the file
//! says how ([`in_sweep::InSweep`]).

use std::time::Duration;

use self::in_sweep::InSweep;
use super::Premises;
use super::class::LeakClass;
use super::evidence::Leak;
use super::observation::Observation;
use super::recipe::{Line, Principal, Recipe, RecipeRequest, Start};
use super::totals::TriggerCounts;
use crate::trigger::{Trigger, for_each_trigger};

mod abort;
mod anonymous;
mod big;
mod error;
mod first;
mod gate;
pub(super) mod in_sweep;
mod keep_alive;
mod overlap;
mod pair;
mod pipeline;
mod ramp;
mod residue;
mod same_key;
mod slow;
mod smuggle;
mod storm;
mod suffix;

/// What a trigger must know of the server and of the scenario's request.
#[derive(Debug, Clone, Default)]
pub(super) struct Situation {
    pub premises: Premises,
    /// The scenario's long sleep, if it has a `{sleep}`.
    pub long: Option<Duration>,
    /// How long a lone request takes.
    pub alone: Duration,
    /// Why no request can be sent without saying who asks, if so.
    pub no_anonymous: Option<String>,
    /// All identities ask for one and the same URL.
    pub same_url: bool,
    /// In how many ways a request can be spoilt.
    pub malformed: usize,
    /// How many other pages the scenario names for those who follow.
    pub also: usize,
    /// Whether the server answers the page's URL with a suffix like the page itself; `None` before that is known.
    pub suffixed: Option<bool>,
    /// The server has answered several requests on one connection; `None` before that is known.
    pub keeps_alive: Option<bool>,
    /// It is asked over HTTP/2.
    pub http2: bool,
    /// Responses are streams, which do not end by themselves.
    pub streams: bool,
    /// The server can be started anew.
    pub owned: bool,
    pub seed: u64,
}

/// Triggers that may follow each other on one server: what one leaves behind is not credited to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    /// Before anything else is asked.
    Opening,
    /// Nothing overlaps, and all are well behaved.
    Sequence,
    /// Well-behaved requests at once.
    Overlap,
    /// Handlers that fail.
    Error,
    /// Clients or time-outs that end requests early.
    Leaving,
    /// Unusual requests, and unusual ways to use a connection.
    Wire,
    /// Anything.
    Storm,
}

/// How a trigger provokes leaks: what it sends, and what its leaks tell.
pub(super) trait Strategy: Send + Sync {
    fn family(&self) -> Family;

    /// Why it cannot be exercised here, as in "not exercised, because ...".
    fn obstacle(&self, situation: &Situation) -> Option<String>;

    /// What round number `round`, from 0, sends.
    fn recipe(&self, situation: &Situation, round: u64) -> Recipe;

    /// Fewer rounds than this say nothing.
    fn least_rounds(&self) -> u64 {
        2
    }

    /// How many of them are worth a first look, before other triggers have had their turn.
    fn first_look(&self) -> u64 {
        1
    }

    /// The class of a leak among all leaks of its round, where what was sent tells it.
    fn class(&self, _leak: &Leak, _round: &[Leak]) -> Option<LeakClass> {
        None
    }

    /// The class of a leak between ordinary requests that overlapped.
    fn class_of_overlap(&self) -> LeakClass {
        LeakClass::SharedSlot
    }

    /// How it is tried with each operation of a sweep; `None` if it is not: most of the others are what a sweep does anyway.
    fn in_sweep(&self) -> Option<&dyn InSweep> {
        None
    }

    /// What the responses of a round tell of the server, after this many rounds, this one included.
    fn learn_from_responses(&self, _round: &[Observation], _rounds: u64, _situation: &mut Situation) {}

    /// What the counts of all its rounds tell of the server.
    fn learn_from_counts(&self, _counts: &TriggerCounts, _situation: &mut Situation) {}
}

/// Each row of the table has a file here that is named after it, with a type that is named after its variant.
macro_rules! strategies {
    ($($variant:ident $module:ident $kind:ident::$coverage:ident $(($of:expr))? $sends:literal;)*) => {
        impl Trigger {
            /// How it provokes leaks.
            pub(super) fn strategy(self) -> &'static dyn Strategy {
                match self {
                    $(Trigger::$variant => &$module::$variant,)*
                }
            }
        }
    };
}
for_each_trigger!(strategies);

impl Situation {
    /// How many requests it takes to meet a given thread again with near certainty: twice the threads, and a dozen at
    /// least (one follower found a value left in a thread in as few as none of thirty tries, twelve in 29).
    fn followers(&self) -> usize {
        let threads = self.premises.in_flight.unwrap_or(8).clamp(6, 32) * self.premises.workers.unwrap_or(1).min(4);
        (2 * threads) as usize
    }

    /// How far into a request a client leaves, or another comes, in milliseconds: `part` of what its handler takes.
    pub(super) fn part_of(&self, sleep: Option<Duration>, part: f64) -> f64 {
        sleep.unwrap_or(self.alone).as_secs_f64() * 1e3 * part
    }

    fn one_at_a_time(&self) -> Option<String> {
        self.premises.one_at_a_time().then(|| "the server handles one request at a time".to_owned())
    }

    fn closes(&self) -> Option<String> {
        let why = if self.streams {
            "responses are streams, and a connection ends with each"
        } else {
            "the server closes the connection after each response"
        };
        (self.keeps_alive == Some(false)).then(|| why.to_owned())
    }

    /// A follower who says who asks, number `index`: for the scenario's page, or for one of the others, in turn.
    fn on_some_page(&self, index: usize) -> RecipeRequest {
        RecipeRequest::of_page(index % (1 + self.also))
    }

    /// A follower: who says nothing of itself where that is possible, else somebody else.
    fn follower(&self) -> RecipeRequest {
        if self.no_anonymous.is_none() { RecipeRequest::anonymous() } else { RecipeRequest::plain() }
    }
}

/// Followers of line `after`, each over a connection of its own, for all pages in turn; four at a time if they say nothing of themselves that
/// could get into each other's answers, else one by one.
fn followers(situation: &Situation, count: usize, shot: RecipeRequest, after: usize) -> impl Iterator<Item = Line> {
    let at_once = if shot.who == Principal::Nobody { 4 } else { 1 };
    let pages = 1 + situation.also;
    (0..at_once).map(move |line| {
        let shots =
            (0..count.div_ceil(at_once)).map(|position| RecipeRequest { page: (line + position) % pages, ..shot });
        Line::of(shots.collect()).starting(Start::After(after))
    })
}

#[cfg(test)]
mod tests;
