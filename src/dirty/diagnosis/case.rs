//! One leak under diagnosis.

use std::collections::VecDeque;
use std::time::Duration;

use tracing::{debug, info};

use super::super::class::{Guess, LeakClass};
use super::super::evidence::{Evidence, Reduction};
use super::super::experiment::Experiment;
use super::super::triggers::Situation;
use super::ExperimentContext;
use super::candidates::{self, Candidate, ExperimentRequests};
use super::causes::{Causes, Symptoms};
use super::questions::DiagnosticQuestion;
use super::series::Series;
use crate::stats::interval_95;

/// How often a candidate must show the leak to be taken at once.
const ENOUGH: u64 = 2;
/// How often what was taken is tried again on one server, in parts: the next one only if that took no longer than this.
const AGAIN: [u64; 3] = [3, 2, 5];
const AGAIN_WITHIN: Duration = Duration::from_secs(3);
/// How often where each try takes a server of its own; and where such a server is ready late, or a try takes so long.
const AGAIN_ANEW: u64 = 5;
const AGAIN_ANEW_SLOWLY: u64 = 3;
const SLOW: Duration = Duration::from_secs(1);
/// So many servers tell that no accident has to come before.
const FROM_THE_FIRST: u64 = 2;
/// A window is narrow if it is shorter than this.
const NARROW: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(super) struct Case {
    /// Its index.
    pub evidence: usize,
    stages: VecDeque<Vec<Candidate>>,
    best: Option<(Candidate, Series)>,
    phase: Phase,
    /// How many were at once in what was tried, and how often that showed it.
    at_once: Vec<(usize, u64)>,
    guess: Guess,
    /// It is told by what personas get when they ask alone, where nobody is seen to have got a response of their own.
    of_personas: bool,
    requests: ExperimentRequests,
    /// Of the best, once it was the best.
    counted: Series,
    /// Of the best, on servers that nothing else was asked of.
    afresh: Series,
    /// What was answered.
    signs: Option<Symptoms>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    /// What is the least that shows it?
    Search,
    /// Does it show from the first request on?
    FromTheFirst,
    /// How often does it show?
    Count,
    /// The questions from this one on.
    Ask(usize),
    Over,
}

impl Case {
    pub fn of(index: usize, evidence: &Evidence, situation: &Situation) -> Case {
        Case {
            evidence: index,
            stages: candidates::stages(evidence, situation).into(),
            best: None,
            phase: Phase::Search,
            at_once: Vec::new(),
            guess: Guess { class: evidence.class, firm: evidence.firm },
            of_personas: evidence.leak.oracle.is_of_personas(),
            requests: candidates::experiment_requests(evidence, situation),
            counted: Series::default(),
            afresh: Series::default(),
            signs: None,
        }
    }

    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// It is known how often it shows, and causes are told apart.
    pub fn asks(&self) -> bool {
        matches!(self.phase, Phase::Ask(_))
    }

    /// What is tried next tells nothing on a server that has been asked before.
    pub fn needs_a_fresh_server(&self) -> bool {
        match self.phase {
            Phase::FromTheFirst => true,
            Phase::Count => self.wants_fresh_servers(),
            Phase::Search | Phase::Ask(_) | Phase::Over => false,
        }
    }

    /// As much as one server is good for.
    pub async fn step(&mut self, context: &ExperimentContext<'_>, until: Duration) {
        // Nothing was asked of it yet, if runner has started it.
        let mut untouched = true;
        while context.clock.now() < until {
            let good = match self.phase {
                Phase::Search => self.search(context, until).await,
                Phase::FromTheFirst if untouched => self.try_from_the_first(context, until).await,
                Phase::Count if untouched || !self.wants_fresh_servers() => self.count(context, until).await,
                Phase::Ask(next) => self.ask(next, context, until).await,
                Phase::FromTheFirst | Phase::Count | Phase::Over => return,
            };
            untouched = false;
            if !good {
                return;
            }
        }
    }

    /// A stage of candidates. Whether the server is good for more.
    async fn search(&mut self, context: &ExperimentContext<'_>, until: Duration) -> bool {
        for candidate in self.stages.pop_front().unwrap_or_default() {
            let mut series = Series::default();
            series.go_on(&candidate.recipe, candidate.tries(context.situation), ENOUGH, context, until).await;
            if let Some(count) = candidate.kind.at_once()
                && series.tries > 0
            {
                self.at_once.push((count, series.shown));
            }
            let taken = series.shown >= ENOUGH || (series.shown > 0 && series.kept);
            debug!(candidate = ?candidate.kind, shown = series.shown, tries = series.tries, taken, "simpler requests tried");
            if series.shown > self.best.as_ref().map_or(0, |(_, held)| held.shown) {
                self.best = Some((candidate, series));
            }
            if taken {
                self.stages.clear();
                break;
            }
        }
        if !self.stages.is_empty() {
            return false;
        }
        let Some((best, found)) = &mut self.best else {
            self.phase = Phase::Over;
            return false;
        };
        best.recipe.fresh_server = context.situation.owned && (found.kept || best.kind.breaks_the_server());
        let late = matches!(self.guess, Guess { class: LeakClass::Pool | LeakClass::Desync, firm: true });
        let ordinary = best.kind.follows() && context.situation.owned;
        self.phase = if late && ordinary { Phase::FromTheFirst } else { Phase::Count };
        true
    }

    /// One try on a server that nothing was asked of before.
    async fn try_from_the_first(&mut self, context: &ExperimentContext<'_>, until: Duration) -> bool {
        let Some((best, _)) = &self.best else { return false };
        let before = self.afresh.shown;
        self.afresh.go_on(&best.recipe, 1, u64::MAX, context, until).await;
        if self.afresh.shown == before || self.afresh.shown >= FROM_THE_FIRST {
            self.phase = Phase::Count;
        }
        true
    }

    fn wants_fresh_servers(&self) -> bool {
        self.best.as_ref().is_some_and(|(best, _)| best.recipe.fresh_server)
    }

    /// The tries that found it do not count: they ended when it had shown often enough.
    async fn count(&mut self, context: &ExperimentContext<'_>, until: Duration) -> bool {
        let Some((best, _)) = &self.best else { return false };
        if best.recipe.fresh_server {
            let began = context.clock.now();
            self.counted.go_on(&best.recipe, 1, u64::MAX, context, until).await;
            let slow = context.slow_start || context.clock.now().saturating_sub(began) > SLOW;
            let enough = if slow { AGAIN_ANEW_SLOWLY } else { AGAIN_ANEW };
            if self.counted.tries < enough {
                return false;
            }
        } else {
            let soon = context.clock.now() + AGAIN_WITHIN;
            for tries in AGAIN {
                self.counted.go_on(&best.recipe, tries, u64::MAX, context, until).await;
                if context.clock.now() > soon {
                    break;
                }
            }
        }
        self.signs = self.signs(context.situation, context.client.quickest());
        self.phase = Phase::Ask(0);
        true
    }

    /// The next question that is due.
    async fn ask(&mut self, next: usize, context: &ExperimentContext<'_>, until: Duration) -> bool {
        let (Some(signs), Some((best, _))) = (&mut self.signs, &self.best) else {
            self.phase = Phase::Over;
            return false;
        };
        let due = (next..DiagnosticQuestion::ALL.len())
            .find(|index| DiagnosticQuestion::ALL[*index].is_due(signs, context.situation));
        let Some(index) = due else {
            self.phase = Phase::Over;
            return false;
        };
        let question = DiagnosticQuestion::ALL[index];
        let mut tried: Vec<Experiment> = Vec::new();
        for recipe in question.recipes(&best.recipe, self.requests, signs, context.situation) {
            let Some(one) = context.try_in_time(&recipe, until).await else { break };
            let answered = question.is_answered(&one);
            tried.push(one);
            if answered {
                break;
            }
        }
        question.answer(&tried, context.situation, signs);
        let shown = tried.iter().filter(|one| one.shown.is_some()).count();
        debug!(?question, tries = tried.len(), shown, "question asked that tells causes apart");
        self.phase = Phase::Ask(index + 1);
        true
    }

    /// In how many of how many tries it showed.
    fn rate(&self, found: &Series) -> (u64, u64) {
        match (self.counted.shown, self.counted.tries) {
            // It did not show again, or there was no time to see.
            (0, tries) => (found.shown, found.tries + tries),
            counted => counted,
        }
    }

    /// What is known before anything is asked.
    fn signs(&self, situation: &Situation, quickest: Option<Duration>) -> Option<Symptoms> {
        let (best, found) = self.best.as_ref()?;
        let (last, _) = self.counted.last.as_ref().or(found.last.as_ref())?;
        let (shown, tries) = self.rate(found);
        let workers = u64::from(situation.premises.workers.unwrap_or(1).max(1));
        let all = [found, &self.counted, &self.afresh];
        let joined: u64 = all.iter().map(|series| series.joined).sum();
        Some(Symptoms {
            guess: self.guess,
            needs: best.kind,
            rate: (shown, tries),
            of_personas: self.of_personas,
            kept: found.kept,
            named: last.victim.identity.is_some(),
            late: !self.of_personas && !last.victim.own && last.source.as_ref().is_none_or(|source| !source.own),
            unasked: all.iter().any(|series| series.unasked),
            joined: 2 * joined > all.iter().map(|series| series.shown).sum(),
            from_a_cache: all.iter().any(|series| series.from_a_cache),
            handled: all.iter().any(|series| series.own_too).then_some(true),
            from_the_first: (self.afresh.tries > 0).then_some(self.afresh.shown >= FROM_THE_FIRST),
            in_order: None,
            ended_by_own_urls: None,
            ended_by_time: None,
            tail: None,
            on_other_connections: None,
            left_behind: None,
            narrow: quickest.is_some_and(|quickest| quickest < NARROW),
            per_worker: best.kind.at_once().unwrap_or(1).div_ceil(workers as usize).max(2),
            clean_below: best.kind.at_once().is_some_and(|count| clean_below(&self.at_once, count)),
            // Of several workers, two requests meet the same one in a part of the tries.
            steady: shown * 2 * workers >= tries,
            steady_by_chance: {
                let (least, most) = interval_95(shown, tries);
                let half = 0.5 / workers as f64;
                least < half && half < most
            },
        })
    }

    /// Whether ordinary requests show it that follow each other.
    pub fn follows(&self) -> bool {
        self.best.as_ref().is_some_and(|(best, _)| best.kind.follows())
    }

    /// Writes down what was found. Whether what it takes is known.
    pub fn conclude(self, evidence: &mut Evidence, situation: &Situation, quickest: Option<Duration>) -> bool {
        let signs = self.signs.or_else(|| self.signs(situation, quickest));
        let causes = signs.map_or_else(|| Causes::untold(self.guess), |signs| signs.causes());
        (evidence.class, evidence.alternatives) = (causes.class, causes.alternatives);
        let Some((best, found)) = &self.best else { return false };
        let Some((last, requests)) = self.counted.last.as_ref().or(found.last.as_ref()).cloned() else { return false };
        let (shown, tries) = self.rate(found);
        let alternatives = evidence.alternatives.len();
        info!(class = evidence.class.name(), alternatives, needs = ?best.kind, shown, tries, "leak diagnosed");
        evidence.shrunk = Some(Reduction {
            recipe: best.recipe.clone(),
            shown,
            tries,
            victim: last.victim.place,
            source: last.source.map(|source| source.place),
            place: last.place,
            requests,
        });
        true
    }
}

/// Whether fewer than `count` at once were tried, and none of them showed it.
fn clean_below(at_once: &[(usize, u64)], count: usize) -> bool {
    let mut fewer = at_once.iter().filter(|(tried, _)| *tried < count).peekable();
    fewer.peek().is_some() && fewer.all(|(_, shown)| *shown == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_clean_below_only_if_fewer_were_tried_and_never_showed_it() {
        assert!(clean_below(&[(2, 0), (2, 0), (3, 0), (5, 2)], 5));
        assert!(!clean_below(&[(2, 1), (3, 0), (5, 2)], 5), "two showed it once");
        assert!(!clean_below(&[(3, 2), (5, 0)], 3), "more that showed nothing say nothing");
        assert!(!clean_below(&[(5, 2)], 5), "nothing was tried with fewer");
    }
}
