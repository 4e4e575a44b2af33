//! What may show a leak with less than the recipe that showed it, from the simplest up. Pure.

use std::collections::BTreeSet;

use super::super::evidence::Evidence;
use super::super::observation::Seen;
use super::super::oracle::LeakOracle;
use super::super::recipe::{Anomaly, Line, Principal, Recipe, RecipeRequest, SleepLength, Start, Until};
use super::super::triggers::Situation;

/// Where in the victim the source comes, as parts of what a lone request takes.
const PARTS: [f64; 3] = [0.3, 0.1, 0.7];
/// How many requests at once, one more than usual sizes of rings and pools.
const LEVELS: [usize; 5] = [3, 5, 9, 17, 33];
const GATED: [usize; 3] = [2, 9, 33];
/// Followers of a source: one, or enough to meet its thread again.
const FOLLOWERS: [usize; 3] = [1, 4, 16];
/// Followers of a source whose answer comes late.
const LATE_FOLLOWERS: [usize; 2] = [1, 4];
/// How often a candidate is tried for each worker, for this many workers at most; and how often one of many requests.
const TRIES: u64 = 4;
const MOST_WORKERS: u32 = 4;
const FEW_TRIES: u64 = 2;
const TRIES_OF_ALL: u64 = 3;
/// Divisors of the bystanders that are kept.
const SHARES: [usize; 4] = [8, 4, 2, 1];

/// A recipe, and what it would say of the leak if it showed one.
#[derive(Debug, Clone)]
pub(in crate::dirty) struct Candidate {
    pub recipe: Recipe,
    pub kind: LeakCondition,
}

/// What a recipe needs for a leak to show.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::dirty) enum LeakCondition {
    /// One request after the other, each over a connection of its own.
    Sequence,
    /// One after the other, on one connection.
    OneConnection,
    /// Two, of which the second comes in the middle of the first.
    Pair,
    /// This many at the same moment.
    Burst(usize),
    /// This many whose last bytes go out together.
    Gate(usize),
    /// A request that is out of the ordinary in this way, before the others.
    Twisted(Anomaly),
    /// A request so slow that a time-out may fire, before the others.
    Slow,
    /// Several on one connection before the first response.
    Pipelined,
    /// So large a part of what showed it first that nothing is said.
    Whole,
}

/// What recipes are made from: the request before, the one whose response leaks, and how they
/// travel: whether their URLs are equal, and over which version of HTTP.
#[derive(Debug, Clone, Copy)]
pub(super) struct ExperimentRequests {
    pub first: RecipeRequest,
    pub victim: RecipeRequest,
    pub same_url: bool,
    pub http2: bool,
}

impl Candidate {
    /// How often it is tried: more often where several workers take turns, as two requests may meet different ones.
    pub fn tries(&self, situation: &Situation) -> u64 {
        let workers = u64::from(situation.premises.workers.unwrap_or(1).clamp(1, MOST_WORKERS));
        match self.kind {
            LeakCondition::Whole => TRIES_OF_ALL,
            // Many followers need no many tries.
            LeakCondition::Sequence | LeakCondition::OneConnection | LeakCondition::Twisted(_)
                if self.recipe.shots().count() > 2 =>
            {
                FEW_TRIES
            }
            LeakCondition::Sequence | LeakCondition::Pair => TRIES * workers,
            _ => TRIES,
        }
    }
}

impl LeakCondition {
    /// How many are under way at the same time, where no more than that matters.
    pub fn at_once(self) -> Option<usize> {
        match self {
            LeakCondition::Pair => Some(2),
            LeakCondition::Burst(count) => Some(count),
            _ => None,
        }
    }

    /// Nothing overlaps.
    pub fn follows(self) -> bool {
        matches!(self, LeakCondition::Sequence | LeakCondition::OneConnection)
    }

    /// Ordinary requests, so that a cache is all it may take.
    pub fn may_be_a_cache(self) -> bool {
        !matches!(
            self,
            LeakCondition::Twisted(_) | LeakCondition::Slow | LeakCondition::Pipelined | LeakCondition::Whole
        )
    }

    /// What such a request breaks may stay broken, so that the next try on the same server would say nothing.
    pub fn breaks_the_server(self) -> bool {
        matches!(self, LeakCondition::Twisted(_) | LeakCondition::Slow)
    }
}

/// Candidates that may share a server, stage by stage. Ordinary requests that show nothing leave nothing behind that would
/// show it to the next, and so do unusual ones: what they show is counted on servers of their own.
pub(in crate::dirty) fn stages(evidence: &Evidence, situation: &Situation) -> Vec<Vec<Candidate>> {
    let from = From::of(evidence, situation);
    let overlaps = if situation.premises.one_at_a_time() { Vec::new() } else { from.overlaps() };
    let mut stages = vec![from.sequences().into_iter().chain(overlaps).collect(), from.unusual(), from.late()];
    stages.extend(from.parts().into_iter().map(|candidate| vec![candidate]));
    stages.retain(|stage: &Vec<Candidate>| !stage.is_empty());
    stages
}

/// Who takes part in the experiments of a diagnosis.
pub(super) fn experiment_requests(evidence: &Evidence, situation: &Situation) -> ExperimentRequests {
    let from = From::of(evidence, situation);
    ExperimentRequests {
        first: RecipeRequest { who: from.others, page: from.source.page, ..RecipeRequest::plain() },
        victim: RecipeRequest { who: from.victim.who, page: from.victim.page, ..RecipeRequest::plain() },
        same_url: evidence.recipe.same_url,
        http2: evidence.recipe.http2,
    }
}

/// What all candidates are made from.
struct From<'a> {
    evidence: &'a Evidence,
    situation: &'a Situation,
    source: RecipeRequest,
    victim: RecipeRequest,
    /// Who asks but for the victim: the persona whose the value is, or somebody.
    others: Principal,
}

impl<'a> From<'a> {
    fn of(evidence: &'a Evidence, situation: &'a Situation) -> Self {
        let recipe = &evidence.recipe;
        let derived = evidence.leak.oracle.is_of_personas();
        let shot = |seen: &Seen| {
            let line = recipe.lines.get(seen.place.line);
            let shot = line
                .and_then(|line| line.shots.get(seen.place.shot))
                .copied()
                .unwrap_or_else(|| RecipeRequest::of_page(seen.page));
            let persona = seen.persona.filter(|_| derived).map(Principal::Persona);
            RecipeRequest { who: persona.unwrap_or(shot.who), ..shot }
        };
        let victim = shot(&evidence.leak.victim);
        let source = evidence.leak.source.as_ref().map_or_else(RecipeRequest::plain, shot);
        let others = if derived { source.who } else { Principal::Another };
        From { evidence, situation, source, victim, others }
    }

    fn recipe(&self, lines: Vec<Line>) -> Recipe {
        let Recipe { same_url, http2, one_connection, .. } = self.evidence.recipe;
        Recipe { same_url, http2, one_connection, ..Recipe::of(lines) }
    }

    fn sequences(&self) -> Vec<Candidate> {
        let leak = &self.evidence.leak;
        let followers = if leak.overlapped { &FOLLOWERS[..1] } else { &FOLLOWERS[..] };
        let same = leak.source.as_ref().is_none_or(|source| source.connection == leak.victim.connection);
        // The rest of a value shows behind a shorter one.
        let (longer, shorter) = match leak.oracle {
            LeakOracle::Fragment => (Anomaly::LongCanary, Anomaly::ShortCanary),
            _ => (Anomaly::None, Anomaly::None),
        };
        let victim = RecipeRequest { who: self.victim.who, page: self.victim.page, ..RecipeRequest::twisted(shorter) };
        let mut all = Vec::new();
        for count in followers {
            let first = RecipeRequest { who: self.others, page: self.source.page, ..RecipeRequest::twisted(longer) };
            let shots = || std::iter::once(first).chain(vec![victim; *count]).collect();
            all.push(Candidate { recipe: self.recipe(vec![Line::of(shots())]), kind: LeakCondition::Sequence });
            if same && self.situation.keeps_alive != Some(false) {
                let line = Line::of(shots()).on_one_connection();
                all.push(Candidate { recipe: self.recipe(vec![line]), kind: LeakCondition::OneConnection });
            }
        }
        all
    }

    fn overlaps(&self) -> Vec<Candidate> {
        let victim = RecipeRequest { who: self.victim.who, page: self.victim.page, ..RecipeRequest::plain() };
        let other = RecipeRequest { who: self.others, page: self.source.page, ..RecipeRequest::plain() };
        let pair = |victim: RecipeRequest, at: f64| {
            self.recipe(vec![Line::of(vec![victim]), Line::of(vec![other]).starting(Start::At(at))])
        };
        let middle = |part: &f64| self.situation.part_of(None, *part);
        let mut all: Vec<Candidate> = PARTS
            .iter()
            .map(|part| Candidate { recipe: pair(victim, middle(part)), kind: LeakCondition::Pair })
            .collect();
        if self.victim.nap == SleepLength::Long {
            let recipe = pair(RecipeRequest { nap: SleepLength::Long, ..victim }, middle(&0.5));
            all.push(Candidate { recipe, kind: LeakCondition::Pair });
        }
        let burst = |count: usize, start: Start| {
            let others = (1..count).map(|_| Line::of(vec![other]).starting(start));
            self.recipe(std::iter::once(Line::of(vec![victim]).starting(start)).chain(others).collect())
        };
        all.push(Candidate { recipe: burst(2, Start::At(0.0)), kind: LeakCondition::Burst(2) });
        let at_once = LEVELS.map(|n| Candidate { recipe: burst(n, Start::At(0.0)), kind: LeakCondition::Burst(n) });
        let gated = GATED.map(|n| Candidate { recipe: burst(n, Start::Gate), kind: LeakCondition::Gate(n) });
        all.into_iter().chain(at_once).chain(gated).collect()
    }

    /// With what was out of the ordinary in the recipe.
    fn unusual(&self) -> Vec<Candidate> {
        let recipe = &self.evidence.recipe;
        let mut all = Vec::new();
        if recipe.lines.get(self.evidence.leak.victim.place.line).is_some_and(|line| line.pipelined) {
            let shots = vec![
                RecipeRequest { who: self.others, ..RecipeRequest::plain() },
                RecipeRequest { who: self.victim.who, ..RecipeRequest::plain() },
            ];
            let line = Line { pipelined: true, ..Line::of(shots).on_one_connection() };
            all.push(Candidate { recipe: self.recipe(vec![line]), kind: LeakCondition::Pipelined });
        }
        let odd = |shot: &RecipeRequest| shot.twist != Anomaly::None || shot.nap == SleepLength::Longest;
        let first = recipe.shots().map(|(_, shot)| *shot).find(odd);
        let Some(first) = Some(self.source).filter(odd).or(first) else { return all };
        let who = if self.others == Principal::Another { first.who } else { self.others };
        let first = RecipeRequest { pause_ms: 0.0, who, ..first };
        let kind = if first.twist == Anomaly::None { LeakCondition::Slow } else { LeakCondition::Twisted(first.twist) };
        let victim = RecipeRequest { nap: SleepLength::Short, pause_ms: 0.0, ..self.victim };
        let victim = if odd(&victim) && victim.twist == first.twist && !matches!(first.twist, Anomaly::Suffixed(_)) {
            RecipeRequest { twist: Anomaly::None, ..victim }
        } else {
            victim
        };
        for count in FOLLOWERS {
            let shots = || std::iter::once(first).chain(vec![victim; count]).collect();
            all.push(Candidate { recipe: self.recipe(vec![Line::of(shots())]), kind });
            if !matches!(first.twist, Anomaly::Abort(_)) && self.situation.keeps_alive != Some(false) {
                all.push(Candidate { recipe: self.recipe(vec![Line::of(shots()).on_one_connection()]), kind });
            }
        }
        all
    }

    /// A request that asks for the long sleep, which a time-out may cut short, and others once what it asked for has come:
    /// what showed the leak may have come long after it, in another round.
    fn late(&self) -> Vec<Candidate> {
        let Some(long) = self.situation.long.filter(|_| !self.evidence.leak.overlapped) else { return Vec::new() };
        let first = RecipeRequest { who: self.others, page: self.source.page, ..RecipeRequest::long() };
        let victim = RecipeRequest { who: self.victim.who, page: self.victim.page, ..RecipeRequest::plain() };
        let waits = RecipeRequest { pause_ms: long.as_secs_f64() * 1e3, ..victim };
        let of = |count: usize| {
            let shots = [first, waits].into_iter().chain(vec![victim; count - 1]).collect();
            Candidate { recipe: self.recipe(vec![Line::of(shots)]), kind: LeakCondition::Slow }
        };
        LATE_FOLLOWERS.map(of).into()
    }

    /// The lines of victim and source, with a growing part of the others.
    fn parts(&self) -> Vec<Candidate> {
        let recipe = &self.evidence.recipe;
        let leak = &self.evidence.leak;
        let seen = std::iter::once(&leak.victim).chain(&leak.source).map(|seen| seen.place.line);
        let named: BTreeSet<usize> = seen.filter(|line| *line < recipe.lines.len()).collect();
        let others: Vec<usize> = (0..recipe.lines.len()).filter(|line| !named.contains(line)).collect();
        let mut all: Vec<Candidate> = Vec::new();
        for share in SHARES {
            let keep: BTreeSet<usize> = named.iter().chain(&others[..others.len() / share]).copied().collect();
            let recipe = only(recipe, &keep);
            if all.last().is_none_or(|last| last.recipe != recipe) {
                all.push(Candidate { recipe, kind: LeakCondition::Whole });
            }
        }
        all
    }
}

/// A recipe with no more than these lines, and those that they wait for.
fn only(recipe: &Recipe, keep: &BTreeSet<usize>) -> Recipe {
    let waits_for = |line: &Line| match (line.start, line.until) {
        (Start::After(other), _) => Some(other),
        (_, Some(until)) => Some(until.line),
        _ => None,
    };
    let mut keep = keep.clone();
    // Lines wait only for lines before them.
    for index in (0..recipe.lines.len()).rev() {
        if keep.contains(&index) {
            keep.extend(waits_for(&recipe.lines[index]));
        }
    }
    let kept: Vec<usize> = keep.into_iter().filter(|index| *index < recipe.lines.len()).collect();
    let moved = |index: usize| kept.binary_search(&index).unwrap_or(0);
    let lines = kept.iter().map(|index| {
        let line = recipe.lines[*index].clone();
        let start = if let Start::After(other) = line.start { Start::After(moved(other)) } else { line.start };
        let until = line.until.map(|until| Until { line: moved(until.line), ..until });
        Line { start, until, ..line }
    });
    Recipe { lines: lines.collect(), ..recipe.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_recipe_keeps_what_its_lines_wait_for() {
        let line = |start| Line::of(vec![RecipeRequest::plain()]).starting(start);
        let until = Line { until: Some(Until { line: 1, most: 9 }), ..line(Start::At(5.0)) };
        let whole = Recipe::of(vec![line(Start::Gate), line(Start::At(0.0)), line(Start::After(0)), until]);
        let part = only(&whole, &BTreeSet::from([3]));
        assert_eq!(part.lines.len(), 2);
        assert_eq!((part.lines[0].start, part.lines[1].until), (Start::At(0.0), Some(Until { line: 0, most: 9 })));
        let part = only(&whole, &BTreeSet::from([2]));
        assert_eq!((part.lines[0].start, part.lines[1].start), (Start::Gate, Start::After(0)));
        assert_eq!(only(&whole, &(0..4).collect()), whole);
    }
}
