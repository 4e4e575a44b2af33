//! What experiments say of the cause of a leak. Pure.

use super::super::class::{Guess, LeakClass};
use super::super::recipe::Anomaly;
use super::candidates::LeakCondition;

/// What a diagnosis has seen of a leak. Of what was asked by an experiment, `None` is: not asked, or no answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Symptoms {
    /// By the first look.
    pub guess: Guess,
    /// What the least that shows it consists of.
    pub needs: LeakCondition,
    /// In how many of how many tries that showed it.
    pub rate: (u64, u64),
    /// It is told by what personas get when they ask alone: the same few ask in each try.
    pub of_personas: bool,
    /// What a try has brought stays: later answers hold it, whoever else has asked since.
    pub kept: bool,
    /// The request that got another's data had said who asks.
    pub named: bool,
    /// Neither the victim nor the source got its own response: the leak may be a response that came too late.
    pub late: bool,
    /// A response came that nobody had asked for.
    pub unasked: bool,
    /// The later of two requests took no time of its own, and got the bytes that the earlier one got.
    pub joined: bool,
    /// The leaking response says that it comes from a cache.
    pub from_a_cache: bool,
    /// The handler was asked for the leaking response: it did what this request told it.
    pub handled: Option<bool>,
    /// It shows from the first requests of each server on: no accident has to come before.
    pub from_the_first: Option<bool>,
    /// The responses of the connection are those to its requests, in order, whoever they are for.
    pub in_order: Option<bool>,
    /// With URLs that differ it does not show.
    pub ended_by_own_urls: Option<bool>,
    /// What was kept is gone after a while.
    pub ended_by_time: Option<bool>,
    /// What a longer value leaves shows behind a shorter one.
    pub tail: Option<bool>,
    /// It shows over many connections as well.
    pub on_other_connections: Option<bool>,
    /// It shows where nothing overlaps, to those who do not say who asks.
    pub left_behind: Option<bool>,
    /// A whole request takes no longer than a narrow window.
    pub narrow: bool,
    /// How many at once each worker gets at least, where they are spread evenly.
    pub per_worker: usize,
    /// With fewer at once it does not show.
    pub clean_below: bool,
    /// It shows in at least every other try in which the requests could meet.
    pub steady: bool,
    /// It may be otherwise, for all that so few tries say.
    pub steady_by_chance: bool,
}

/// The likeliest class, and those that nothing has ruled out beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Causes {
    pub class: LeakClass,
    pub alternatives: Vec<LeakClass>,
}

impl Causes {
    fn only(class: LeakClass) -> Causes {
        Causes { class, alternatives: Vec::new() }
    }

    fn or(class: LeakClass, other: LeakClass) -> Causes {
        Causes { class, alternatives: vec![other] }
    }

    /// Of a leak that nothing less than what showed it first shows again: what had to coincide for that says little.
    pub fn untold(guess: Guess) -> Causes {
        Causes { class: guess.class, alternatives: guess.alike() }
    }
}

impl Symptoms {
    /// What causes remain.
    pub fn causes(&self) -> Causes {
        match self.guess.class {
            LeakClass::Derived if self.guess.firm => self.derived(),
            class if self.guess.firm && !self.may_be_left_behind() => {
                Causes { class, alternatives: self.unless_late().into_iter().collect() }
            }
            _ => self.by_what_it_takes(),
        }
    }

    /// Data derived from another request's leaks in one of the other ways.
    fn derived(&self) -> Causes {
        let way = Symptoms { guess: Guess { firm: false, ..self.guess }, ..*self }.by_what_it_takes().class;
        Causes {
            class: LeakClass::Derived,
            alternatives: Some(way).filter(|way| *way != LeakClass::Derived).into_iter().collect(),
        }
    }

    /// Answers that come one too late, as it seemed; but they do so from the first request on, where no response can have
    /// been left over: each request is given what the one before it has left.
    fn may_be_left_behind(&self) -> bool {
        matches!(self.guess.class, LeakClass::Pool | LeakClass::Desync)
            && self.needs.follows()
            && self.from_the_first == Some(true)
            && !self.unasked
    }

    /// What it may be as well, where no fresh server could tell whether an accident has to come before.
    fn unless_late(&self) -> Option<LeakClass> {
        let open = self.late && self.needs.follows() && self.from_the_first.is_none() && !self.unasked;
        match self.guess.class {
            LeakClass::Pool if open => Some(LeakClass::StaleState),
            LeakClass::Desync if open => Some(LeakClass::Connection),
            _ => None,
        }
    }

    fn by_what_it_takes(&self) -> Causes {
        match self.needs {
            _ if self.unasked => Causes::only(LeakClass::Desync),
            _ if self.tail == Some(true) => Causes::only(LeakClass::Residue),
            kind if kind.may_be_a_cache() && self.is_a_cache() => Causes::only(LeakClass::Cache),
            LeakCondition::Sequence => self.sequence(),
            LeakCondition::OneConnection if self.kept => self.sequence(),
            LeakCondition::OneConnection => self.one_connection(),
            LeakCondition::Pair | LeakCondition::Burst(_) | LeakCondition::Gate(_) => self.overlap(),
            // A server that answers with the page wherever its URL ends so hands nothing on by itself.
            LeakCondition::Twisted(Anomaly::Suffixed(_)) => Causes::only(LeakClass::Cache),
            LeakCondition::Twisted(Anomaly::Malformed(_)) => Causes::only(LeakClass::ErrorPath),
            LeakCondition::Twisted(Anomaly::Abort(_) | Anomaly::Halting(_)) | LeakCondition::Slow => {
                Causes::only(LeakClass::Pool)
            }
            LeakCondition::Twisted(Anomaly::Big) => Causes::only(LeakClass::Connection),
            LeakCondition::Pipelined | LeakCondition::Twisted(Anomaly::Smuggling(_)) => Causes::only(LeakClass::Desync),
            LeakCondition::Twisted(Anomaly::None | Anomaly::LongCanary | Anomaly::ShortCanary | Anomaly::Elsewhere)
            | LeakCondition::Whole => Causes::untold(self.guess),
        }
    }

    /// A cache does not ask who is served: what is kept for those who do not say who they are is no cache.
    fn is_a_cache(&self) -> bool {
        let ended = [self.ended_by_own_urls, self.ended_by_time].contains(&Some(true));
        self.named && (ended || self.from_a_cache || (self.joined && self.needs == LeakCondition::Pair))
    }

    fn sequence(&self) -> Causes {
        match self.guess.class {
            LeakClass::Pool | LeakClass::Desync if self.late && self.from_the_first != Some(true) => {
                Causes::only(self.guess.class)
            }
            LeakClass::Cache if !self.kept && self.ended_by_own_urls.is_none() => {
                Causes::or(LeakClass::Cache, LeakClass::StaleState)
            }
            _ if !self.kept => Causes::only(LeakClass::StaleState),
            // It stays with other URLs and over time, for as long as anybody waits.
            _ if !self.named || self.handled == Some(true) => Causes::only(LeakClass::StickyFirst),
            _ if self.handled == Some(false) => Causes::or(LeakClass::Cache, LeakClass::StickyFirst),
            _ => Causes::or(LeakClass::StickyFirst, LeakClass::Cache),
        }
    }

    fn one_connection(&self) -> Causes {
        match (self.guess.class, self.in_order) {
            (LeakClass::Pool | LeakClass::Desync, _) if self.late && self.from_the_first != Some(true) => {
                Causes::only(self.guess.class)
            }
            _ if self.on_other_connections == Some(true) => Causes::only(LeakClass::StaleState),
            (_, Some(false)) => Causes::only(LeakClass::Desync),
            (LeakClass::Pool | LeakClass::Desync, None) if self.late => {
                Causes::or(LeakClass::Connection, LeakClass::Desync)
            }
            _ => Causes::only(LeakClass::Connection),
        }
    }

    fn overlap(&self) -> Causes {
        let if_steady = match self.needs {
            LeakCondition::Burst(_) if self.per_worker > 2 && self.clean_below => LeakClass::Capacity,
            LeakCondition::Pair | LeakCondition::Burst(_) if self.per_worker <= 2 && !self.narrow => {
                LeakClass::SharedSlot
            }
            _ => LeakClass::NarrowRace,
        };
        let (class, other) =
            if self.steady { (if_steady, LeakClass::NarrowRace) } else { (LeakClass::NarrowRace, if_steady) };
        let by_chance = Some(other).filter(|other| self.steady_by_chance && *other != class);
        // What is written by one and read by the next is both: in the way of those who overlap, and left behind.
        let left_behind = (self.left_behind == Some(true)).then_some(LeakClass::StaleState);
        Causes { class, alternatives: by_chance.into_iter().chain(left_behind).collect() }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn signs(guess: LeakClass, needs: LeakCondition) -> Symptoms {
        Symptoms {
            guess: Guess { class: guess, firm: false },
            needs,
            rate: (10, 10),
            of_personas: false,
            kept: false,
            named: true,
            late: false,
            unasked: false,
            joined: false,
            from_a_cache: false,
            handled: None,
            from_the_first: None,
            in_order: None,
            ended_by_own_urls: None,
            ended_by_time: None,
            tail: None,
            on_other_connections: None,
            left_behind: None,
            narrow: false,
            per_worker: 2,
            clean_below: false,
            steady: true,
            steady_by_chance: false,
        }
    }

    fn sure(signs: Symptoms) -> LeakClass {
        let causes = signs.causes();
        assert_eq!(causes.alternatives, [], "{signs:?}");
        causes.class
    }

    fn either(signs: Symptoms) -> (LeakClass, Vec<LeakClass>) {
        let causes = signs.causes();
        (causes.class, causes.alternatives)
    }

    #[test]
    fn how_many_at_once_it_takes_tells_a_slot_a_race_and_a_ring_apart() {
        let pair = signs(LeakClass::Capacity, LeakCondition::Pair);
        assert_eq!(sure(pair), LeakClass::SharedSlot, "two suffice");
        assert_eq!(sure(Symptoms { steady: false, ..pair }), LeakClass::NarrowRace, "two seldom suffice");
        assert_eq!(sure(Symptoms { narrow: true, ..pair }), LeakClass::NarrowRace, "all of it is short");
        let five = Symptoms { needs: LeakCondition::Burst(5), clean_below: true, ..pair };
        assert_eq!(sure(five), LeakClass::SharedSlot, "two at each of four workers");
        let many = Symptoms { needs: LeakCondition::Burst(17), per_worker: 17, clean_below: true, ..pair };
        assert_eq!(sure(many), LeakClass::Capacity);
        assert_eq!(sure(Symptoms { steady: false, ..many }), LeakClass::NarrowRace);
        assert_eq!(sure(Symptoms { needs: LeakCondition::Gate(2), ..pair }), LeakClass::NarrowRace);
        let chance = Symptoms { steady_by_chance: true, ..pair };
        assert_eq!(either(chance), (LeakClass::SharedSlot, vec![LeakClass::NarrowRace]));
        assert_eq!(either(Symptoms { steady: false, ..chance }), (LeakClass::NarrowRace, vec![LeakClass::SharedSlot]));
        assert_eq!(sure(Symptoms { narrow: true, ..chance }), LeakClass::NarrowRace);
        let left = Symptoms { left_behind: Some(true), ..pair };
        assert_eq!(either(left), (LeakClass::SharedSlot, vec![LeakClass::StaleState]), "it shows without overlap too");
    }

    #[test]
    fn requests_that_are_joined_share_no_slot() {
        let pair = signs(LeakClass::SharedSlot, LeakCondition::Pair);
        assert_eq!(sure(Symptoms { joined: true, ..pair }), LeakClass::Cache, "the later took no time of its own");
        assert_eq!(sure(Symptoms { ended_by_own_urls: Some(true), ..pair }), LeakClass::Cache);
        assert_eq!(sure(Symptoms { ended_by_own_urls: Some(false), ..pair }), LeakClass::SharedSlot);
        let after = signs(LeakClass::StaleState, LeakCondition::Sequence);
        assert_eq!(sure(Symptoms { joined: true, ..after }), LeakClass::StaleState, "nothing was under way to join");
        let gate = signs(LeakClass::NarrowRace, LeakCondition::Gate(9));
        assert_eq!(sure(Symptoms { joined: true, ..gate }), LeakClass::NarrowRace, "nobody knows which came first");
    }

    #[test]
    fn what_stays_is_a_cache_if_it_ends_and_else_it_may_be_one() {
        let kept = Symptoms { kept: true, ..signs(LeakClass::StickyFirst, LeakCondition::Sequence) };
        assert_eq!(sure(Symptoms { ended_by_own_urls: Some(true), ..kept }), LeakClass::Cache);
        assert_eq!(sure(Symptoms { ended_by_time: Some(true), ..kept }), LeakClass::Cache);
        assert_eq!(sure(Symptoms { from_a_cache: true, ..kept }), LeakClass::Cache);
        assert_eq!(sure(Symptoms { handled: Some(true), ..kept }), LeakClass::StickyFirst, "a cache asks no handler");
        assert_eq!(either(kept), (LeakClass::StickyFirst, vec![LeakClass::Cache]));
        let stays =
            Symptoms { ended_by_own_urls: Some(false), ended_by_time: Some(false), handled: Some(false), ..kept };
        assert_eq!(either(stays), (LeakClass::Cache, vec![LeakClass::StickyFirst]));
        let nobody = Symptoms { named: false, ended_by_own_urls: Some(true), ..kept };
        assert_eq!(sure(nobody), LeakClass::StickyFirst, "a cache asks nobody");
        assert_eq!(
            sure(Symptoms { kept: false, ..kept }),
            LeakClass::StaleState,
            "the last one's, not the first one's"
        );
    }

    #[test]
    fn answers_that_are_one_late_from_the_first_request_on_are_left_behind() {
        let late = Symptoms { late: true, ..signs(LeakClass::Pool, LeakCondition::Sequence) };
        let firm = |class, signs: Symptoms| Symptoms { guess: Guess { class, firm: true }, ..signs };
        assert_eq!(sure(firm(LeakClass::Pool, Symptoms { from_the_first: Some(false), ..late })), LeakClass::Pool);
        let first = Symptoms { from_the_first: Some(true), ..late };
        assert_eq!(sure(firm(LeakClass::Pool, first)), LeakClass::StaleState);
        let one = Symptoms { needs: LeakCondition::OneConnection, ..first };
        assert_eq!(sure(firm(LeakClass::Desync, Symptoms { in_order: Some(true), ..one })), LeakClass::Connection);
        assert_eq!(sure(firm(LeakClass::Desync, Symptoms { in_order: Some(false), ..one })), LeakClass::Desync);
        assert_eq!(either(firm(LeakClass::Desync, one)), (LeakClass::Connection, vec![LeakClass::Desync]));
        assert_eq!(
            sure(firm(LeakClass::Desync, Symptoms { unasked: true, ..one })),
            LeakClass::Desync,
            "nobody asked for it"
        );
        let attached = firm(LeakClass::Pool, Symptoms { from_the_first: None, ..late });
        assert_eq!(either(attached), (LeakClass::Pool, vec![LeakClass::StaleState]), "no server to start anew");
        let accident = Symptoms { needs: LeakCondition::Twisted(Anomaly::Abort(9.0)), ..first };
        assert_eq!(sure(firm(LeakClass::Pool, accident)), LeakClass::Pool);
    }

    #[test]
    fn what_had_to_be_out_of_the_ordinary_tells_the_rest() {
        let connection = signs(LeakClass::StaleState, LeakCondition::OneConnection);
        assert_eq!(sure(connection), LeakClass::Connection);
        let thread = Symptoms { on_other_connections: Some(true), ..connection };
        assert_eq!(sure(thread), LeakClass::StaleState, "a thread serves a connection, and later others");
        assert_eq!(sure(signs(LeakClass::Pool, LeakCondition::Twisted(Anomaly::Malformed(2)))), LeakClass::ErrorPath);
        assert_eq!(sure(signs(LeakClass::ErrorPath, LeakCondition::Twisted(Anomaly::Abort(9.0)))), LeakClass::Pool);
        assert_eq!(sure(signs(LeakClass::Cache, LeakCondition::Twisted(Anomaly::Suffixed(1)))), LeakClass::Cache);
        assert_eq!(
            sure(Symptoms { tail: Some(true), ..signs(LeakClass::StaleState, LeakCondition::Sequence) }),
            LeakClass::Residue
        );
        assert_eq!(
            either(signs(LeakClass::ErrorPath, LeakCondition::Whole)),
            (LeakClass::ErrorPath, vec![LeakClass::StaleState])
        );
    }

    #[test]
    fn what_follows_from_who_asks_comes_by_one_of_the_other_ways() {
        let of = |needs| {
            let firm = Guess { class: LeakClass::Derived, firm: true };
            either(Symptoms { guess: firm, ..signs(LeakClass::Derived, needs) })
        };
        assert_eq!(of(LeakCondition::Pair), (LeakClass::Derived, vec![LeakClass::SharedSlot]));
        assert_eq!(of(LeakCondition::Whole), (LeakClass::Derived, vec![]));
    }
}
