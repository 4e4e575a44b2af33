//! What experiments say of the cause of a leak. Pure.

use super::super::class::{Class, Guess};
use super::super::recipe::Twist;
use super::candidates::Kind;

/// What a diagnosis has seen of a leak. Of what was asked by an experiment, `None` is: not asked, or no answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Signs {
    /// By the first look.
    pub guess: Guess,
    /// What the least that shows it consists of.
    pub needs: Kind,
    /// In so many of so many tries that showed it.
    pub rate: (u64, u64),
    /// It is told by what personas get when they ask alone: the same few ask in each try.
    pub of_personas: bool,
    /// What a try has brought stays: later answers hold it, whoever else has asked since.
    pub kept: bool,
    /// Who got what is another's had said who asks.
    pub named: bool,
    /// Neither who got what is another's nor that other got an answer of their own: it may be one that came too late.
    pub late: bool,
    /// A response came that nobody had asked for.
    pub unasked: bool,
    /// The later of two requests took no time of its own, and got the bytes that the earlier one got.
    pub joined: bool,
    /// A response that was another's says that it comes from a cache.
    pub from_a_cache: bool,
    /// The handler of a response that was another's was asked: what it was told for this request it did.
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
    pub class: Class,
    pub alternatives: Vec<Class>,
}

impl Causes {
    fn only(class: Class) -> Causes {
        Causes { class, alternatives: Vec::new() }
    }

    fn or(class: Class, other: Class) -> Causes {
        Causes { class, alternatives: vec![other] }
    }

    /// Of a leak that nothing less than what showed it first shows again: what had to coincide for that says little.
    pub fn untold(guess: Guess) -> Causes {
        Causes { class: guess.class, alternatives: guess.alike() }
    }
}

impl Signs {
    /// What causes remain.
    pub fn causes(&self) -> Causes {
        match self.guess.class {
            Class::Derived if self.guess.firm => self.derived(),
            class if self.guess.firm && !self.may_be_left_behind() => {
                Causes { class, alternatives: self.unless_late().into_iter().collect() }
            }
            _ => self.by_what_it_takes(),
        }
    }

    /// What follows from another's data gets about in one of the other ways.
    fn derived(&self) -> Causes {
        let way = Signs { guess: Guess { firm: false, ..self.guess }, ..*self }.by_what_it_takes().class;
        Causes {
            class: Class::Derived,
            alternatives: Some(way).filter(|way| *way != Class::Derived).into_iter().collect(),
        }
    }

    /// Answers that come one too late, as it seemed; but they do so from the first request on, where no answer can have
    /// been left over: each request is given what the one before it has left.
    fn may_be_left_behind(&self) -> bool {
        matches!(self.guess.class, Class::Pool | Class::Desync)
            && self.needs.follows()
            && self.from_the_first == Some(true)
            && !self.unasked
    }

    /// What it may be as well, where no fresh server could tell whether an accident has to come before.
    fn unless_late(&self) -> Option<Class> {
        let open = self.late && self.needs.follows() && self.from_the_first.is_none() && !self.unasked;
        match self.guess.class {
            Class::Pool if open => Some(Class::StaleState),
            Class::Desync if open => Some(Class::Connection),
            _ => None,
        }
    }

    fn by_what_it_takes(&self) -> Causes {
        match self.needs {
            _ if self.unasked => Causes::only(Class::Desync),
            _ if self.tail == Some(true) => Causes::only(Class::Residue),
            kind if kind.may_be_a_cache() && self.is_a_cache() => Causes::only(Class::Cache),
            Kind::Sequence => self.sequence(),
            Kind::OneConnection if self.kept => self.sequence(),
            Kind::OneConnection => self.one_connection(),
            Kind::Pair | Kind::Burst(_) | Kind::Gate(_) => self.overlap(),
            // A server that answers with the page wherever its URL ends so hands nothing on by itself.
            Kind::Twisted(Twist::Suffixed(_)) => Causes::only(Class::Cache),
            Kind::Twisted(Twist::Malformed(_)) => Causes::only(Class::ErrorPath),
            Kind::Twisted(Twist::Abort(_) | Twist::Halting(_)) | Kind::Slow => Causes::only(Class::Pool),
            Kind::Twisted(Twist::Big) => Causes::only(Class::Connection),
            Kind::Pipelined | Kind::Twisted(Twist::Smuggling(_)) => Causes::only(Class::Desync),
            Kind::Twisted(_) | Kind::Whole => Causes::untold(self.guess),
        }
    }

    /// A cache does not ask who is served: what is kept for those who do not say who they are is no cache.
    fn is_a_cache(&self) -> bool {
        let ended = [self.ended_by_own_urls, self.ended_by_time].contains(&Some(true));
        self.named && (ended || self.from_a_cache || (self.joined && self.needs == Kind::Pair))
    }

    fn sequence(&self) -> Causes {
        match self.guess.class {
            Class::Pool | Class::Desync if self.late && self.from_the_first != Some(true) => {
                Causes::only(self.guess.class)
            }
            Class::Cache if !self.kept && self.ended_by_own_urls.is_none() => {
                Causes::or(Class::Cache, Class::StaleState)
            }
            _ if !self.kept => Causes::only(Class::StaleState),
            // It stays with other URLs and over time, for as long as anybody waits.
            _ if !self.named || self.handled == Some(true) => Causes::only(Class::StickyFirst),
            _ if self.handled == Some(false) => Causes::or(Class::Cache, Class::StickyFirst),
            _ => Causes::or(Class::StickyFirst, Class::Cache),
        }
    }

    fn one_connection(&self) -> Causes {
        match (self.guess.class, self.in_order) {
            (Class::Pool | Class::Desync, _) if self.late && self.from_the_first != Some(true) => {
                Causes::only(self.guess.class)
            }
            _ if self.on_other_connections == Some(true) => Causes::only(Class::StaleState),
            (_, Some(false)) => Causes::only(Class::Desync),
            (Class::Pool | Class::Desync, None) if self.late => Causes::or(Class::Connection, Class::Desync),
            _ => Causes::only(Class::Connection),
        }
    }

    fn overlap(&self) -> Causes {
        let if_steady = match self.needs {
            Kind::Burst(_) if self.per_worker > 2 && self.clean_below => Class::Capacity,
            Kind::Pair | Kind::Burst(_) if self.per_worker <= 2 && !self.narrow => Class::SharedSlot,
            _ => Class::NarrowRace,
        };
        let (class, other) = if self.steady { (if_steady, Class::NarrowRace) } else { (Class::NarrowRace, if_steady) };
        let by_chance = Some(other).filter(|other| self.steady_by_chance && *other != class);
        // What is written by one and read by the next is both: in the way of those who overlap, and left behind.
        let left_behind = (self.left_behind == Some(true)).then_some(Class::StaleState);
        Causes { class, alternatives: by_chance.into_iter().chain(left_behind).collect() }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn signs(guess: Class, needs: Kind) -> Signs {
        Signs {
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

    fn sure(signs: Signs) -> Class {
        let causes = signs.causes();
        assert_eq!(causes.alternatives, [], "{signs:?}");
        causes.class
    }

    fn either(signs: Signs) -> (Class, Vec<Class>) {
        let causes = signs.causes();
        (causes.class, causes.alternatives)
    }

    #[test]
    fn how_many_at_once_it_takes_tells_a_slot_a_race_and_a_ring_apart() {
        let pair = signs(Class::Capacity, Kind::Pair);
        assert_eq!(sure(pair), Class::SharedSlot, "two suffice");
        assert_eq!(sure(Signs { steady: false, ..pair }), Class::NarrowRace, "two seldom suffice");
        assert_eq!(sure(Signs { narrow: true, ..pair }), Class::NarrowRace, "all of it is short");
        let five = Signs { needs: Kind::Burst(5), clean_below: true, ..pair };
        assert_eq!(sure(five), Class::SharedSlot, "two at each of four workers");
        let many = Signs { needs: Kind::Burst(17), per_worker: 17, clean_below: true, ..pair };
        assert_eq!(sure(many), Class::Capacity);
        assert_eq!(sure(Signs { steady: false, ..many }), Class::NarrowRace);
        assert_eq!(sure(Signs { needs: Kind::Gate(2), ..pair }), Class::NarrowRace);
        let chance = Signs { steady_by_chance: true, ..pair };
        assert_eq!(either(chance), (Class::SharedSlot, vec![Class::NarrowRace]));
        assert_eq!(either(Signs { steady: false, ..chance }), (Class::NarrowRace, vec![Class::SharedSlot]));
        assert_eq!(sure(Signs { narrow: true, ..chance }), Class::NarrowRace);
        let left = Signs { left_behind: Some(true), ..pair };
        assert_eq!(either(left), (Class::SharedSlot, vec![Class::StaleState]), "it shows without overlap too");
    }

    #[test]
    fn requests_that_are_joined_share_no_slot() {
        let pair = signs(Class::SharedSlot, Kind::Pair);
        assert_eq!(sure(Signs { joined: true, ..pair }), Class::Cache, "the later took no time of its own");
        assert_eq!(sure(Signs { ended_by_own_urls: Some(true), ..pair }), Class::Cache);
        assert_eq!(sure(Signs { ended_by_own_urls: Some(false), ..pair }), Class::SharedSlot);
        let after = signs(Class::StaleState, Kind::Sequence);
        assert_eq!(sure(Signs { joined: true, ..after }), Class::StaleState, "nothing was under way to join");
        let gate = signs(Class::NarrowRace, Kind::Gate(9));
        assert_eq!(sure(Signs { joined: true, ..gate }), Class::NarrowRace, "nobody knows which came first");
    }

    #[test]
    fn what_stays_is_a_cache_if_it_ends_and_else_it_may_be_one() {
        let kept = Signs { kept: true, ..signs(Class::StickyFirst, Kind::Sequence) };
        assert_eq!(sure(Signs { ended_by_own_urls: Some(true), ..kept }), Class::Cache);
        assert_eq!(sure(Signs { ended_by_time: Some(true), ..kept }), Class::Cache);
        assert_eq!(sure(Signs { from_a_cache: true, ..kept }), Class::Cache);
        assert_eq!(sure(Signs { handled: Some(true), ..kept }), Class::StickyFirst, "a cache asks no handler");
        assert_eq!(either(kept), (Class::StickyFirst, vec![Class::Cache]));
        let stays = Signs { ended_by_own_urls: Some(false), ended_by_time: Some(false), handled: Some(false), ..kept };
        assert_eq!(either(stays), (Class::Cache, vec![Class::StickyFirst]));
        let nobody = Signs { named: false, ended_by_own_urls: Some(true), ..kept };
        assert_eq!(sure(nobody), Class::StickyFirst, "a cache asks nobody");
        assert_eq!(sure(Signs { kept: false, ..kept }), Class::StaleState, "the last one's, not the first one's");
    }

    #[test]
    fn answers_that_are_one_late_from_the_first_request_on_are_left_behind() {
        let late = Signs { late: true, ..signs(Class::Pool, Kind::Sequence) };
        let firm = |class, signs: Signs| Signs { guess: Guess { class, firm: true }, ..signs };
        assert_eq!(sure(firm(Class::Pool, Signs { from_the_first: Some(false), ..late })), Class::Pool);
        let first = Signs { from_the_first: Some(true), ..late };
        assert_eq!(sure(firm(Class::Pool, first)), Class::StaleState);
        let one = Signs { needs: Kind::OneConnection, ..first };
        assert_eq!(sure(firm(Class::Desync, Signs { in_order: Some(true), ..one })), Class::Connection);
        assert_eq!(sure(firm(Class::Desync, Signs { in_order: Some(false), ..one })), Class::Desync);
        assert_eq!(either(firm(Class::Desync, one)), (Class::Connection, vec![Class::Desync]));
        assert_eq!(sure(firm(Class::Desync, Signs { unasked: true, ..one })), Class::Desync, "nobody asked for it");
        let attached = firm(Class::Pool, Signs { from_the_first: None, ..late });
        assert_eq!(either(attached), (Class::Pool, vec![Class::StaleState]), "no server to start anew");
        let accident = Signs { needs: Kind::Twisted(Twist::Abort(9.0)), ..first };
        assert_eq!(sure(firm(Class::Pool, accident)), Class::Pool);
    }

    #[test]
    fn what_had_to_be_out_of_the_ordinary_tells_the_rest() {
        let connection = signs(Class::StaleState, Kind::OneConnection);
        assert_eq!(sure(connection), Class::Connection);
        let thread = Signs { on_other_connections: Some(true), ..connection };
        assert_eq!(sure(thread), Class::StaleState, "a thread serves a connection, and later others");
        assert_eq!(sure(signs(Class::Pool, Kind::Twisted(Twist::Malformed(2)))), Class::ErrorPath);
        assert_eq!(sure(signs(Class::ErrorPath, Kind::Twisted(Twist::Abort(9.0)))), Class::Pool);
        assert_eq!(sure(signs(Class::Cache, Kind::Twisted(Twist::Suffixed(1)))), Class::Cache);
        assert_eq!(sure(Signs { tail: Some(true), ..signs(Class::StaleState, Kind::Sequence) }), Class::Residue);
        assert_eq!(either(signs(Class::ErrorPath, Kind::Whole)), (Class::ErrorPath, vec![Class::StaleState]));
    }

    #[test]
    fn what_follows_from_who_asks_comes_by_one_of_the_other_ways() {
        let of = |needs| {
            let firm = Guess { class: Class::Derived, firm: true };
            either(Signs { guess: firm, ..signs(Class::Derived, needs) })
        };
        assert_eq!(of(Kind::Pair), (Class::Derived, vec![Class::SharedSlot]));
        assert_eq!(of(Kind::Whole), (Class::Derived, vec![]));
    }
}
