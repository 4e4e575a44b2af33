//! Hypothesis tests of suspicions: would the data have been shown without the identities that it is taken to belong to?
//!
//! Lone responses tell what belongs to whom. They do not tell what a server shows when it is busy, has lost a session or has
//! waited in vain for a backend: a default language, a free plan, a common picture. If that equals what one persona gets
//! alone, a response that holds it looks like a leak. So what raised a suspicion is repeated on a fresh server, first without
//! those it names, then with them. A leak needs its source; a fallback does not.
//!
//! If a mark is shown without its owners once, it accuses nobody any more. If never, it must be shown with them so often that
//! chance does not explain the difference: had the owners nothing to do with it, each of `k` showings would fall among the
//! `n` rounds with them, of `n + m` in all, with the probability `n / (n + m)`, so all of them with its `k`-th power. Once is
//! never enough: a mark is a word of a few bytes perhaps.

use std::collections::BTreeMap;

use super::baseline::{Accusation, MarkKey, PersonaNumber};
use super::evidence::{Evidence, FoundBy};
use super::identity::Identity;
use super::observation::Observation;
use super::recipe::{Line, Principal, Recipe, Start, Until};

/// A hypothesis is proven if chance explains it with at most this probability.
const LARGEST_CHANCE: f64 = 1e-4;
/// This many times as many rounds without the owners as with them.
const TIMES_AS_MANY: u64 = 3;
/// A round is carried out in this many copies at once, unless it is large: time is short, and load brings fallbacks about.
const MOST_COPIES: usize = 12;
const MOST_LINES: usize = 64;

/// Suspicions that go by the same mark, and what speaks for and against them.
#[derive(Debug)]
pub(super) struct Hypothesis {
    evidence: Vec<Evidence>,
    /// All who get one of the marks when they ask alone.
    owners: Vec<PersonaNumber>,
    pub marks: Vec<MarkKey>,
    /// For each trigger, in how many rounds of it personas had asked when the last suspicion came.
    seen_in: BTreeMap<FoundBy, u64>,
    with: Rounds,
    without: Rounds,
    /// A suspicion has come since it was last looked into.
    pub is_open: bool,
}

/// Rounds, and in how many of them the mark was shown.
#[derive(Debug, Clone, Copy, Default)]
struct Rounds {
    all: u64,
    shown: u64,
}

/// What has come of a hypothesis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HypothesisStatus {
    Proven,
    /// It was shown without those whose it was taken to be.
    Refuted,
    Open,
}

impl Hypothesis {
    /// The first suspicion, which came after this many `rounds` of its trigger.
    pub fn of(evidence: Evidence, accusation: &Accusation, rounds: u64) -> Self {
        let (owners, marks) = accusation.sharpest();
        let mut hypothesis = Hypothesis {
            evidence: Vec::new(),
            owners,
            marks,
            seen_in: BTreeMap::new(),
            with: Rounds::default(),
            without: Rounds::default(),
            is_open: true,
        };
        hypothesis.add(evidence, rounds);
        hypothesis
    }

    /// Whether this one goes by the same mark.
    pub fn is_about(&self, accusation: &Accusation) -> bool {
        accusation.goes_by(&self.marks)
    }

    /// One more of the same. Those of one round count once.
    pub fn add(&mut self, evidence: Evidence, rounds: u64) {
        let seen_in = self.seen_in.entry(evidence.found_by).or_default();
        if rounds > *seen_in {
            self.with.all += rounds - *seen_in;
            self.with.shown += 1;
            *seen_in = rounds;
        }
        self.evidence.push(evidence);
        self.is_open = true;
    }

    /// How likely it would be shown in none of the rounds without its owners if these had nothing to do with it.
    fn chance(&self) -> f64 {
        let Rounds { all, shown } = self.with;
        let share = all as f64 / (all + self.without.all).max(1) as f64;
        share.powf(shown as f64)
    }

    pub fn status_now(&self) -> HypothesisStatus {
        match self.chance() {
            _ if self.without.shown > 0 => HypothesisStatus::Refuted,
            chance if chance <= LARGEST_CHANCE => HypothesisStatus::Proven,
            _ => HypothesisStatus::Open,
        }
    }

    /// Whether more rounds without the owners are needed: several for each with them, those included that must follow.
    pub fn wants_without(&self) -> bool {
        let wanted = LARGEST_CHANCE.ln() / (1.0 / (1 + TIMES_AS_MANY) as f64).ln();
        let missing = (wanted - self.with.shown as f64).max(0.0);
        let each = self.with.all as f64 / self.with.shown.max(1) as f64;
        let planned = self.with.all + (missing * each).ceil() as u64;
        self.without.shown == 0 && self.without.all < TIMES_AS_MANY * planned
    }

    /// Whether more rounds with the owners may prove it: as many as without them, where time did not suffice for more of these.
    pub fn wants_with(&self) -> bool {
        self.status_now() == HypothesisStatus::Open && self.with.all <= self.without.all
    }

    /// What raised the suspicion, several at once, asked by whoever is there; and in how many copies.
    pub fn again(&self, is_anybody_there: bool) -> (Recipe, usize) {
        let recipe = self.evidence.first().map(|first| first.recipe.clone()).unwrap_or_default();
        let copies = (MOST_LINES / recipe.lines.len().max(1)).clamp(1, MOST_COPIES);
        let lines = recipe.lines.len();
        let shifted = |(index, line): (usize, &Line)| {
            let by = index / lines * lines;
            let mut line = line.clone();
            if let Start::After(other) = &mut line.start {
                *other += by;
            }
            line.until = line.until.map(|until| Until { line: until.line + by, ..until });
            for shot in line.shots.iter_mut().filter(|shot| shot.who != Principal::Nobody) {
                shot.who = if is_anybody_there { Principal::Another } else { Principal::Nobody };
            }
            line
        };
        let all = recipe.lines.iter().cycle().take(lines * copies).enumerate().map(shifted).collect();
        (Recipe { lines: all, ..recipe }, copies)
    }

    /// All but those whose it is taken to be.
    pub fn bystanders(&self, all: &[Identity]) -> Vec<Identity> {
        let others = all.iter().enumerate().filter(|(number, _)| !self.owners.contains(number));
        others.map(|(_, identity)| identity.clone()).collect()
    }

    /// Takes what came of rounds, in this many copies, with the owners or without. `judge` says what is wrong with a response.
    pub fn take(
        &mut self,
        observations: &[Observation],
        copies: usize,
        with_owners: bool,
        judge: impl Fn(&Observation) -> Option<Accusation>,
    ) {
        let shows = |observation: &&Observation| {
            observation.seen.is_well_behaved()
                && judge(observation).is_some_and(|accusation| self.is_about(&accusation))
        };
        let shown = observations.iter().filter(shows).count().min(copies) as u64;
        let rounds = if with_owners { &mut self.with } else { &mut self.without };
        rounds.all += copies as u64;
        rounds.shown += shown;
    }

    /// How many rounds there were until now: each begins with somebody else.
    pub fn rounds(&self) -> u64 {
        self.with.all + self.without.all
    }

    /// The leaks that it proves.
    pub fn into_evidence(self) -> Vec<Evidence> {
        self.evidence
    }
}
