//! The search for where the better of two alternatives changes: short trials in pairs, spent where they decide.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::{debug, info, info_span};

use super::trial::{self, TrialTools};
use super::{Observer, RunEvent, Unobserved};
use crate::analysis::comparison::search::CrossoverSearch;
use crate::analysis::comparison::{self, Objective, value_of};
use crate::record::{ComparisonRecord, CrossoverPoint, CrossoverRecord, VariantRecord};
use crate::rule::{Unit, quantity};
use crate::scenario::{CrossoverSpec, Variant};
use crate::server::probe::Probes;

/// A trial measures for as long as this many waits, where it is a wait that varies.
const WAITS: f64 = 20.0;
const WARMUP: Duration = Duration::from_millis(200);
const DRAIN: Duration = Duration::from_millis(100);
/// A condition under which no difference is seen gets so many more pairs.
const TO_SETTLE: usize = 5;
/// Of the search's time, so much may be spent on settling.
const SETTLING: f64 = 0.5;

/// What a search needs to run a trial.
pub(super) struct CrossoverRun<'a> {
    pub spec: &'a CrossoverSpec,
    pub seed: u64,
    pub log: &'a Path,
    pub allowed_hosts: &'a [String],
    pub observer: &'a dyn Observer,
    pub cancel: &'a CancellationToken,
}

impl CrossoverRun<'_> {
    /// Searches between the conditions of a comparison where the best alternative changes, until the time is up; adds what was
    /// found, and what it took.
    pub fn search(&self, variants: &[VariantRecord], comparison: &mut ComparisonRecord) {
        let along = comparison.key.as_ref().is_some_and(|key| key.path == self.spec.key);
        let Some(objective) = Objective::of(variants).filter(|_| along) else { return };
        let _search = info_span!("crossover", key = self.spec.key).entered();
        let began = Instant::now();
        info!("search for crossovers begins");
        self.settle(comparison, objective, began + self.spec.time.mul_f64(SETTLING), began);
        let mut places = comparison::crossings(comparison);
        let count = places.len() as u32;
        for (index, place) in places.iter_mut().enumerate() {
            let left = self.spec.time.saturating_sub(began.elapsed()) / (count - index as u32);
            self.find(comparison, place, objective, Instant::now() + left, began);
        }
        info!(found = places.iter().filter(|place| place.at.is_some()).count(), "search for crossovers ended");
        comparison.crossovers = places;
    }

    /// Conditions under which no difference is seen get more pairs of trials.
    fn settle(&self, comparison: &mut ComparisonRecord, objective: Objective, until: Instant, began: Instant) {
        for pair in comparison::unsettled(comparison) {
            let value = comparison.conditions[pair.condition].value;
            let Some(at) = value.and_then(|value| self.spec.values.iter().position(|known| *known == value)) else {
                continue;
            };
            let mut ratios = Vec::new();
            while ratios.len() < TO_SETTLE && Instant::now() < until && !self.cancel.is_cancelled() {
                let turned = ratios.len() % 2 == 1;
                ratios.extend(self.pair(comparison, (pair.best, pair.other), at, objective, turned, began));
            }
            comparison::settle(comparison, pair, &ratios);
        }
    }

    /// Searches one place.
    fn find(
        &self,
        comparison: &ComparisonRecord,
        place: &mut CrossoverRecord,
        objective: Objective,
        until: Instant,
        began: Instant,
    ) {
        let ends = [place.between.0, place.between.1].map(|condition| comparison.conditions[condition].value);
        let [Some(first), Some(last)] = ends else { return };
        let within = self.spec.values.iter().enumerate().filter(|(_, value)| (first..=last).contains(*value));
        let (indexes, values): (Vec<usize>, Vec<f64>) = within.unzip();
        let known = |condition: usize| comparison::ratios(comparison, condition, place.above, place.below);
        let mut search = CrossoverSearch::new(values, &known(place.between.0), &known(place.between.1));
        let mut turned = false;
        while Instant::now() < until && !self.cancel.is_cancelled() {
            let Some(next) = search.next() else { break };
            let ratio = self.pair(comparison, (place.above, place.below), indexes[next], objective, turned, began);
            let Some(ratio) = ratio else { break };
            debug!(value = self.spec.values[indexes[next]], ratio, "pair measured");
            search.add(next, ratio);
            turned = !turned;
        }
        place.at = Some(search.estimate());
        place.points = search.measured().map(|(value, ratios)| CrossoverPoint { value, ratios }).collect();
    }

    /// How many times as good the first of two alternatives is at a value of the key; `turned` says that the other goes first.
    /// `None` where one could not be measured.
    fn pair(
        &self,
        comparison: &ComparisonRecord,
        (one, other): (usize, usize),
        at: usize,
        objective: Objective,
        turned: bool,
        began: Instant,
    ) -> Option<f64> {
        let names = [one, other].map(|index| comparison.alternatives[index].as_str());
        let [one, other] = [one, other].map(|index| self.variant(comparison, index, at));
        let doing = format!("{} and {} at {}", names[0], names[1], self.shown(at));
        self.observer.event(RunEvent::Crossover { elapsed: began.elapsed(), planned: self.spec.time, doing: &doing });
        let measure = |variant: &Variant| {
            let tools = TrialTools { allowed_hosts: self.allowed_hosts, generators: None, probes: &Probes::default() };
            let ran = trial::run(variant, self.seed, self.log, tools, &Unobserved, self.cancel);
            value_of(objective.metric, &ran.trial)
        };
        let (one, other) = (one?, other?);
        let (one, other) = match turned {
            false => (measure(&one), measure(&other)),
            true => {
                let other = measure(&other);
                (measure(&one), other)
            }
        };
        Some(objective.ratio(one?, other?)).filter(|ratio| ratio.is_finite() && *ratio > 0.0)
    }

    /// An alternative at a value of the key, as a short trial measures it.
    fn variant(&self, comparison: &ComparisonRecord, alternative: usize, at: usize) -> Option<Variant> {
        let index = comparison.conditions.first()?.variants.get(alternative).copied().flatten()?;
        let mut variant = self.spec.alternatives.get(*self.spec.of_variant.get(index)?)?.get(at)?.clone();
        let load = variant.load.as_mut()?;
        let waits = match self.spec.unit {
            Unit::Duration => Duration::from_secs_f64(self.spec.values[at] * WAITS),
            _ => Duration::ZERO,
        };
        let duration = self.spec.duration.max(waits).min(load.duration.max(self.spec.duration));
        load.levels.iter_mut().for_each(|level| level.lasting = duration);
        load.levels.truncate(1);
        (load.duration, load.requests) = (duration, None);
        (load.warmup, load.drain) = (load.warmup.min(WARMUP), load.drain.min(DRAIN));
        (variant.dirty, variant.capacity, variant.inspect) = (None, None, None);
        Some(variant)
    }

    fn shown(&self, at: usize) -> String {
        let key = self.spec.key.rsplit('.').next().unwrap_or(&self.spec.key);
        format!("{key}={}", quantity(self.spec.values[at], self.spec.unit).text())
    }
}
