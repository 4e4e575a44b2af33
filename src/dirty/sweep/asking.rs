//! The whole story of a sweep on its server: who asks, each operation alone, then in every order.

use std::time::Duration;

use super::super::evidence::FoundBy;
use super::super::observation::{Observation, Role};
use super::super::perform::Round;
use super::super::recipe::Recipe;
use super::super::sweep_order::SweepOrder;
use super::Sweep;
use super::leaks::LeakRound;
use super::orders::{self, Halves, StormShape};
use crate::net::target::Target;
use crate::scenario::SweepSource;
use crate::trigger::Trigger;

/// Requests at once: to a server that takes any number at a time, to one of which nothing is known, and at least.
const UNBOUNDED: usize = 256;
const UNKNOWN: usize = 64;
const LEAST: usize = 8;
/// A storm that ends within so many times the longest of its requests, and so much more, tells that the server takes any number
/// at a time; if that one takes at least so long.
const TIMES_ALONE: u32 = 3;
const GRACE: Duration = Duration::from_millis(30);
const TELLING: Duration = Duration::from_millis(8);
/// A cover of all pairs of more operations than so many times those in flight is too long for each shape of a storm.
const SHORT_COVER: usize = 2;
/// Requests of a sequence in one round, and how long they take at most.
const IN_A_ROW: usize = 2_000;
const ROW_TIME: Duration = Duration::from_secs(15);
/// Storms after which it is looked into what is new and open.
const SETTLE_AFTER: usize = 8;
/// What is out of the ordinary takes no more than this part of the time that is left.
const UNUSUAL_SHARE: f64 = 0.4;

impl Sweep<'_> {
    pub(super) async fn ask_all(&mut self, target: &Target) {
        if !self.gather().await {
            return;
        }
        self.probe(target).await;
        self.fill_captures().await;
        if self.is_hopeless() {
            return;
        }
        self.plant().await;
        self.look_at_all().await;
        self.every_pair(&StormShape::ALL[..1]).await;
        for shape in StormShape::ALL.into_iter().cycle().skip(1).take(StormShape::ALL.len()) {
            self.all_twice(shape).await;
            self.settle_new().await;
        }
        if self.ledger.able().len() <= SHORT_COVER * self.at_once() {
            self.every_pair(&StormShape::ALL[1..]).await;
        }
        // A connection that broke took pairs with it: in another order it breaks elsewhere.
        let order = self.in_any_order();
        self.there_and_back(&order).await;
        let until = self.time_left().mul_f64(UNUSUAL_SHARE) + self.clock.now();
        self.unusual(until).await;
        self.settle().await;
        self.rest().await;
        self.settle().await;
    }

    /// What shows most leaks with the fewest requests: a few for each operation, in each way that is likely to show any. What
    /// failures leave behind is looked for on the way back.
    async fn look_at_all(&mut self) {
        let order = self.in_any_order();
        self.sequence(&order).await;
        self.all_twice(StormShape::HandOver).await;
        self.wave(Trigger::Error, 0, None).await;
        self.sequence(&order.into_iter().rev().collect::<Vec<_>>()).await;
        self.wave(Trigger::Abort, 0, None).await;
        self.settle_new().await;
    }

    /// Whether nothing is answered, so that nothing more is worth asking.
    fn is_hopeless(&mut self) -> bool {
        if !self.ledger.able().is_empty() {
            return false;
        }
        let statuses = self.ledger.operations.iter().filter(|state| state.is_asked).filter_map(|state| state.alone);
        let mut statuses: Vec<u16> = statuses.collect();
        statuses.sort_unstable();
        statuses.dedup();
        let is_elsewhere = statuses == [404] && self.spec.source != SweepSource::Scenario && self.spec.base.is_none();
        let statuses: Vec<String> = statuses.iter().map(u16::to_string).collect();
        let answered = match statuses.is_empty() {
            true => "no request got a response".to_owned(),
            false => format!("every request was answered with a status of 400 or above ({})", statuses.join(", ")),
        };
        let remedy = if is_elsewhere {
            "; where all paths lie below another one, `base` names that, as in base = \"/api\""
        } else {
            ""
        };
        self.findings.problems.push(format!("{answered}{remedy}"));
        true
    }

    /// How much of its time is left.
    pub(super) fn time_left(&self) -> Duration {
        self.plan.budget.time.saturating_sub(self.clock.now())
    }

    /// How many requests are sent at once.
    pub(super) fn at_once(&self) -> usize {
        let premises = self.situation.premises;
        let of_server = match (premises.in_flight, premises.workers) {
            (Some(in_flight), workers) => ((in_flight * workers.unwrap_or(1)) as usize).max(LEAST),
            (None, _) if self.takes_any_number => UNBOUNDED,
            (None, _) => UNKNOWN,
        };
        let limited = self.client.as_ref().and_then(|client| client.at_once()).map_or(usize::MAX, |most| most as usize);
        let rate = self.spec.rate.map_or(usize::MAX, |rate| (rate / 2.0).ceil() as usize);
        let asked = self.spec.concurrency.map_or(usize::MAX, |most| most as usize);
        of_server.min(limited).min(rate).min(asked).max(2)
    }

    fn in_any_order(&mut self) -> Vec<usize> {
        orders::shuffled(&self.ledger.able(), usize::MAX, &mut self.random).concat()
    }

    /// Every operation after every other, and the other way round.
    async fn there_and_back(&mut self, order: &[usize]) {
        self.sequence(order).await;
        self.sequence(&order.iter().rev().copied().collect::<Vec<_>>()).await;
    }

    /// One operation after the other, over one connection: what stays with the server shows there, and what stays with the
    /// connection as well.
    async fn sequence(&mut self, order: &[usize]) {
        let mut left = order;
        while !left.is_empty() && !self.is_out_of_time() {
            let (row, rest) = left.split_at(self.row_of(left));
            self.round(FoundBy::Sweep(SweepOrder::Sequence), orders::sequence(row, true)).await;
            left = rest;
        }
    }

    /// How many of these, from the first on, are asked in one row.
    fn row_of(&self, order: &[usize]) -> usize {
        let took = |page: &usize| self.ledger.operations.get(*page).map_or(Duration::ZERO, |state| state.took);
        let ends = order.iter().scan(Duration::ZERO, |sum, page| {
            *sum += took(page);
            Some(*sum)
        });
        ends.take(IN_A_ROW).take_while(|end| *end <= ROW_TIME).count().max(1)
    }

    /// Every operation twice in storms of all.
    async fn all_twice(&mut self, shape: StormShape) {
        for halves in orders::twice(&self.ledger.able(), self.at_once(), &mut self.random) {
            if self.is_out_of_time() {
                return;
            }
            self.storm(SweepOrder::Mix, &halves, shape).await;
        }
    }

    /// Rounds in which every two operations meet, one shape after the other. Where one half takes over from the other, also
    /// the other way round.
    async fn every_pair(&mut self, shapes: &[StormShape]) {
        for shape in shapes {
            let rounds = orders::cover(&self.ledger.able(), self.at_once(), &mut self.random);
            let back: Vec<Halves> = match shape {
                StormShape::HandOver => {
                    rounds.iter().filter(|one| one.first != one.second).cloned().map(Halves::reversed).collect()
                }
                _ => Vec::new(),
            };
            let all: Vec<Halves> = rounds.into_iter().chain(back).collect();
            for some in all.chunks(SETTLE_AFTER) {
                for halves in some {
                    if self.is_out_of_time() {
                        return;
                    }
                    self.storm(SweepOrder::Pairs, halves, *shape).await;
                }
                self.settle_new().await;
            }
        }
    }

    /// The operations that were exposed least, until enough was.
    async fn rest(&mut self) {
        let mut turn = 0;
        while !self.is_out_of_time() && !self.has_enough() {
            let mut able = self.ledger.able();
            let operations = &self.ledger.operations;
            able.sort_by_key(|page| operations[*page].exposures);
            let at_once = self.at_once();
            // Each has company, also where there are few.
            let pages: Vec<usize> = able.iter().cycle().take(at_once.min(able.len() * 8)).copied().collect();
            let (first, second) = pages.split_at(pages.len() / 2);
            let halves = Halves { first: first.to_vec(), second: second.to_vec() };
            self.storm(SweepOrder::Rest, &halves, StormShape::ALL[turn % StormShape::ALL.len()]).await;
            turn += 1;
        }
    }

    fn has_enough(&self) -> bool {
        self.ledger.exposures() >= self.plan.budget.exposures
    }

    async fn storm(&mut self, order: SweepOrder, halves: &Halves, shape: StormShape) {
        let operations = &self.ledger.operations;
        let took = |page: usize| operations.get(page).map_or(Duration::ZERO, |state| state.took);
        let longest = halves.all().map(took).max().unwrap_or_default();
        let recipe = orders::storm(halves, shape, &took, &mut self.random);
        let began = self.clock.now();
        self.round(FoundBy::Sweep(order), recipe).await;
        // Those that wait for each other take as long as all of them together.
        let elapsed = self.clock.now().saturating_sub(began);
        let is_telling = halves.len() >= UNKNOWN / 2 && longest >= TELLING;
        self.takes_any_number |= is_telling && elapsed <= longest * TIMES_ALONE + GRACE;
    }

    /// Carries a recipe out, and judges what came of it.
    pub(super) async fn round(&mut self, found_by: FoundBy, recipe: Recipe) {
        let recipe = self.without_what_is_full(recipe);
        let requests = recipe.shots().count();
        if requests == 0 {
            return;
        }
        self.keep_to_rate(requests).await;
        self.current = Some((found_by, recipe.clone(), self.clock.now()));
        if let Some(client) = &self.client {
            let role = (found_by == FoundBy::Sweep(SweepOrder::Alone)).then_some(Role::Probe);
            Round { client, recipe: &recipe, personas: &[], number: self.rounds, role }.perform().await;
        }
        self.conclude_round();
    }

    /// No more than the scenario allows in a second.
    async fn keep_to_rate(&mut self, requests: usize) {
        let Some(rate) = self.spec.rate else { return };
        let now = self.clock.now();
        if self.allowed_from > now {
            tokio::time::sleep(self.allowed_from - now).await;
        }
        self.allowed_from = self.allowed_from.max(now) + Duration::from_secs_f64(requests as f64 / rate);
    }

    /// Judges the round under way, also one that was cut short.
    pub(super) fn conclude_round(&mut self) {
        let Some((found_by, recipe, began)) = self.current.take() else { return };
        let Some(client) = &self.client else { return };
        let mut observations = client.take_observations();
        let strays = client.take_strays();
        self.findings.unsolicited += client.take_unsolicited();
        self.rounds += 1;
        let overlaps = matches!(found_by, FoundBy::Sweep(order) if order.overlaps());
        let exposures = self.ledger.take(&mut observations, self.situation.premises, overlaps);
        self.findings.orders.entry(found_by).or_default().exposures += exposures;
        self.note_captures(&observations);
        let took = self.clock.now().saturating_sub(began);
        self.count(found_by, &observations, took);
        let round = LeakRound {
            found_by,
            number: self.rounds,
            recipe: &recipe,
            observations: &observations,
            strays: &strays,
            one_at_a_time: self.situation.premises.one_at_a_time(),
        };
        if let Some(client) = &self.client {
            self.leaks.take(&round, &self.ledger, self.spec, client);
            if let Some(assignment) = &mut self.assignment {
                assignment.take(&observations, client);
            }
        }
        self.tell_progress();
    }

    fn count(&mut self, found_by: FoundBy, observations: &[Observation], took: Duration) {
        let counts = self.findings.orders.entry(found_by).or_default();
        counts.rounds += 1;
        counts.took += took;
        for observation in observations {
            let seen = &observation.seen;
            counts.requests += 1;
            counts.failed += u64::from(seen.is_well_behaved() && seen.status().is_none_or(|status| status >= 400));
            self.findings.cut += u64::from(observation.is_cut());
            if let Some(why) = &observation.reply.undecoded {
                self.findings.undecoded.get_or_insert_with(|| (0, why.to_string())).0 += 1;
            }
            if found_by == FoundBy::Sweep(SweepOrder::Alone) {
                self.ledger.note_alone(observation);
            }
        }
    }
}
