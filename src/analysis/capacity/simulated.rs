//! The search on servers whose capacity is known, with tries that come out by chance.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::*;

/// A server, and how it is seen.
struct Simulated {
    capacity: f64,
    /// How far the capacity seems to lie elsewhere from one try to the next, as a share.
    wobble: f64,
    /// The share of tries that come out wrong: the machine was busy.
    wrong: f64,
    /// Whether more than the capacity makes a queue, by whose growth the capacity can be told.
    queues: bool,
    random: StdRng,
}

impl Simulated {
    fn new(capacity: f64, seed: u64) -> Self {
        Simulated { capacity, wobble: 0.0, wrong: 0.0, queues: true, random: StdRng::seed_from_u64(seed) }
    }

    /// One try: whether the rules held, and what the capacity seems to be.
    fn attempt(&mut self, rate: f64) -> (bool, Option<f64>) {
        let seen = self.capacity * (1.0 + self.wobble * (self.random.random::<f64>() * 2.0 - 1.0));
        if self.random.random_bool(self.wrong) {
            // A stall breaks the rules at any rate, and tells a capacity that is too low.
            return (false, self.queues.then_some(rate * 0.97));
        }
        let kept = rate <= seen;
        (kept, (!kept && self.queues).then_some(seen))
    }

    /// Searches from `start`: what is found, and in how many tries.
    fn search(&mut self, start: f64, tries: usize) -> (RateBracket, usize) {
        let mut search = CapacitySearch::new(start, 0.03, None);
        let mut taken = 0;
        while let Some(rate) = search.next_rate().filter(|_| taken < tries) {
            let (kept, estimate) = self.attempt(rate);
            search.tell(rate, kept, estimate);
            taken += 1;
        }
        (search.bracket(), taken)
    }
}

/// How many of 1,000 searches came within 3 % of the capacity, and how many tries the slowest twentieth took.
fn searches(change: impl Fn(&mut Simulated), start: impl Fn(&mut StdRng) -> f64) -> (usize, usize) {
    let mut random = StdRng::seed_from_u64(7);
    let (mut near, mut taken) = (0, Vec::new());
    for seed in 0..1000 {
        let capacity = 10f64.powf(1.0 + 4.0 * random.random::<f64>());
        let mut server = Simulated::new(capacity, seed);
        change(&mut server);
        let (bracket, tries) = server.search(capacity * start(&mut random), 12);
        near += usize::from(bracket.low.is_some_and(|low| (low / capacity - 1.0).abs() < 0.03));
        taken.push(tries);
    }
    taken.sort_unstable();
    (near, taken[950])
}

#[test]
fn the_capacity_of_a_calm_server_is_always_found() {
    let (near, tries) = searches(|_| {}, |random| 0.8 + 0.4 * random.random::<f64>());
    assert!(near == 1000 && tries <= 8, "{near} of 1000 in {tries} tries");
}

#[test]
fn from_a_start_that_is_far_off_it_is_found_too() {
    let (near, tries) = searches(|_| {}, |random| 0.2 + 4.0 * random.random::<f64>());
    assert!(near >= 990 && tries <= 12, "{near} of 1000 in {tries} tries");
}

#[test]
fn where_tries_come_out_by_chance_the_third_decides() {
    let change = |server: &mut Simulated| (server.wobble, server.wrong) = (0.005, 0.1);
    let (near, tries) = searches(change, |random| 0.95 + 0.1 * random.random::<f64>());
    assert!(near >= 970, "{near} of 1000 in {tries} tries");
    // Were each try believed, one in ten would end the search at a wrong rate.
    let mut wrong = 0;
    for seed in 0..1000 {
        let mut server = Simulated::new(400.0, seed);
        change(&mut server);
        wrong += usize::from((0..4).any(|_| !server.attempt(390.0).0));
    }
    assert!(wrong > 250, "{wrong}: nothing was tested");
}

#[test]
fn a_rule_without_a_queue_is_found_by_halving() {
    let change = |server: &mut Simulated| server.queues = false;
    let (near, tries) = searches(change, |random| 1.0 + 0.5 * random.random::<f64>());
    assert!(near >= 990 && tries <= 12, "{near} of 1000 in {tries} tries");
}
