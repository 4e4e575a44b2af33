//! The trials of a run, round by round: in a round each variant has one trial.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::{info, info_span};

use super::drift::DriftWatch;
use super::resume::TrialStore;
use super::trial::{self, TrialTools};
use super::{Observer, Options, RunEvent, hooks, plan};
use crate::record::{RoundsRecord, Trial};
use crate::scenario::Scenario;
use crate::server::probe::Probes;

/// Why rounds that were asked for cannot be run. The text fits after "error: ".
#[derive(Debug, thiserror::Error)]
#[error("the scenario has no rounds {first}..{end}: {}", pieces(*.of, *.has_crossover))]
pub struct NoSuchRounds {
    /// The first one asked for, from 0.
    pub first: u32,
    /// The one behind the last.
    pub end: u32,
    /// Into how many the scenario can be cut.
    pub of: u32,
    /// It has a search for a crossover, which takes all its trials.
    pub has_crossover: bool,
}

fn pieces(of: u32, has_crossover: bool) -> String {
    match has_crossover {
        true => "its search for a crossover needs all of them in one run".to_owned(),
        false => format!("it has 0..{of}"),
    }
}

impl NoSuchRounds {
    /// What to do about it. The text fits after "help: ".
    pub fn advice(&self) -> &'static str {
        match self.has_crossover {
            true => "run the whole scenario on one machine, or leave out its [crossover]",
            false => "`repeats` says how many rounds there are",
        }
    }
}

/// The rounds that are asked for; all where nothing is.
pub(super) fn chosen(scenario: &Scenario, asked: Option<&std::ops::Range<u32>>) -> Result<RoundsRecord, NoSuchRounds> {
    let (pieces, repeats) = (plan::rounds(scenario), scenario.repeats);
    match asked {
        Some(rounds) if *rounds != (0..pieces) => {
            if rounds.is_empty() || rounds.end > pieces {
                let has_crossover = scenario.crossover.is_some();
                return Err(NoSuchRounds { first: rounds.start, end: rounds.end, of: pieces, has_crossover });
            }
            Ok(RoundsRecord { first: rounds.start, count: rounds.end - rounds.start, of: repeats })
        }
        _ => Ok(RoundsRecord { first: 0, count: repeats, of: repeats }),
    }
}

/// What all trials of a run have in common.
pub(super) struct TrialRun<'a> {
    pub scenario: &'a Scenario,
    pub seed: u64,
    pub log: &'a Path,
    pub options: &'a Options,
    pub probes: Probes,
    pub observer: &'a dyn Observer,
    pub cancel: &'a CancellationToken,
    pub rounds: RoundsRecord,
}

/// The variants of a round, by index, in the order of their trials. Each other round goes back the way, so that what gets slower
/// from trial to trial favours none.
fn order(round: u32, variants: usize) -> Vec<usize> {
    let order = 0..variants;
    if round % 2 == 1 { order.rev().collect() } else { order.collect() }
}

/// The number of a trial in the whole run, from 1, whichever rounds are run: its seed counts from that of the run.
fn trial_number(round: u32, variants: usize, position: usize) -> u64 {
    u64::from(round) * variants as u64 + position as u64 + 1
}

impl TrialRun<'_> {
    /// Every trial of every variant, interleaved and in an order that alternates, so that a drifting machine favours no variant.
    /// Of those in `earlier`, by variant, none is run again.
    pub fn all(&self, mut earlier: Vec<Vec<Trial>>, store: &mut TrialStore, drift: &mut DriftWatch) -> Vec<Vec<Trial>> {
        let scenario = self.scenario;
        let count = scenario.variants.len();
        earlier.resize_with(count, Vec::new);
        let mut trials: Vec<Vec<Trial>> = vec![Vec::new(); count];
        let (all, kept) = (count * self.rounds.count as usize, earlier.iter().map(Vec::len).sum::<usize>());
        let mut earlier: Vec<_> = earlier.into_iter().map(Vec::into_iter).collect();
        let (mut number, mut hung, began) = (0, false, Instant::now());
        for round in self.rounds.range() {
            for (position, index) in order(round, count).into_iter().enumerate() {
                if self.cancel.is_cancelled() {
                    break;
                }
                if hung {
                    trials[index].push(hooks::not_run());
                    continue;
                }
                number += 1;
                if let Some(trial) = earlier[index].next() {
                    trials[index].push(trial);
                    continue;
                }
                if number == all / 2 && number > 1 {
                    drift.look();
                }
                let left = self.time_left(began.elapsed(), number - 1 - kept.min(number - 1), all - kept);
                let seed = self.seed.wrapping_add(trial_number(round, count, position));
                let ran = self.one(index, (number, all), seed, left);
                hung = ran.hung;
                store.add(index, &ran.trial, scenario);
                trials[index].push(ran.trial);
            }
        }
        trials
    }

    fn one(&self, index: usize, (number, of): (usize, usize), seed: u64, left: Option<Duration>) -> trial::Ran {
        let variant = &self.scenario.variants[index];
        self.observer.event(RunEvent::Trial { variant: &variant.name, number, of, left });
        let _trial = info_span!("trial", variant = variant.name, number, of).entered();
        info!(variant = variant.name, number, of, "trial begins");
        let tools = TrialTools {
            allowed_hosts: &self.options.allowed_hosts,
            generators: self.options.generators.as_deref(),
            probes: &self.probes,
        };
        trial::run(variant, seed, self.log, tools, self.observer, self.cancel)
    }

    /// How long a run will go on after `done` trials in so much time, of `all` that are to run: as they took, or, before the
    /// first has ended, as is planned. `None` where there is no more than one trial.
    fn time_left(&self, elapsed: Duration, done: usize, all: usize) -> Option<Duration> {
        let search = self.scenario.crossover.as_ref().map_or(Duration::ZERO, |search| search.time);
        let trials = match done {
            0 => plan::time_of_a_round(self.scenario).saturating_mul(self.rounds.count),
            done => elapsed.mul_f64(all.saturating_sub(done) as f64 / done as f64),
        };
        (all > 1).then(|| trials + search)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::tests::loaded;

    fn with_repeats(repeats: u32) -> Scenario {
        Scenario { repeats, ..loaded("[server]\nmode = \"sync\"\n[load]\npath = \"/health\"\nconcurrency = 1\n") }
    }

    #[test]
    fn rounds_that_run_apart_make_the_trials_of_the_whole_run() {
        let numbered = |rounds: std::ops::Range<u32>| {
            let of_round = |round| {
                let positions = order(round, 3).into_iter().enumerate();
                positions.map(move |(position, index)| (index, trial_number(round, 3, position)))
            };
            rounds.flat_map(of_round).collect::<Vec<_>>()
        };
        let whole = numbered(0..4);
        assert_eq!(whole[..6], [(0, 1), (1, 2), (2, 3), (2, 4), (1, 5), (0, 6)]);
        assert_eq!([numbered(0..1), numbered(1..3), numbered(3..4)].concat(), whole);
    }

    #[test]
    fn rounds_are_those_that_the_scenario_has() {
        let of = |rounds| chosen(&with_repeats(4), Some(&rounds)).map_err(|error| error.to_string());
        let whole = RoundsRecord { first: 0, count: 4, of: 4 };
        assert_eq!(of(1..3), Ok(RoundsRecord { first: 1, count: 2, of: 4 }));
        assert_eq!((of(0..4), chosen(&with_repeats(4), None).unwrap()), (Ok(whole), whole));
        assert_eq!(of(3..5).unwrap_err(), "the scenario has no rounds 3..5: it has 0..4");
        assert!(of(2..2).is_err());
    }
}
