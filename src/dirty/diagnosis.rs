//! What happens after a leak is seen: the fewest requests and the simplest timing that still show it, how often they
//! do, and what that says of its class.
//!
//! In steps, each on a server that nothing was asked of before. A leak's candidates are tried from the simplest up; the
//! first that shows it more than once is tried again, to know how often; and then with URLs that differ, as that ends
//! what a cache does.

use std::cell::Cell;
use std::collections::VecDeque;
use std::time::Duration;

use super::attempt::{Cast, attempt};
use super::class::{Class, Signs};
use super::client::Client;
use super::judge::Oracle;
use super::observation::Place;
use super::recipe::{Line, Recipe, Shot, Twist};
use super::stopwatch::Stopwatch;
use super::tally::Evidence;
use super::triggers::Situation;
use crate::stats::chance_of_none;

mod candidates;
mod series;

use candidates::Candidate;
pub(super) use candidates::Kind;
use series::Series;

/// It takes at most this part of the check's time, and at least and at most so long.
const SHARE: u32 = 3;
const LEAST_TIME: Duration = Duration::from_secs(2);
const MOST_TIME: Duration = Duration::from_secs(10);
/// So much longer for what tells a cache or a residue from what they look like.
const GRACE: Duration = Duration::from_secs(4);
/// A check with its diagnosis ends by then, or when its own time is up.
const OVERALL: Duration = Duration::from_secs(60);
/// How often a candidate must show the leak to be taken at once.
const ENOUGH: u64 = 2;
/// How often what was taken is tried again: on one server, or on one each.
const AGAIN: u64 = 10;
const AGAIN_ANEW: u64 = 5;
/// With URLs that differ it does not show, if chance explains that with less than this. So many tries at most.
const IMPROBABLE: f64 = 0.01;
const MOST_BUSTED: u64 = 40;
/// How often it is looked for what a longer value leaves.
const TAILS: usize = 2;
/// A window is narrow if it is shorter than this.
const NARROW: Duration = Duration::from_millis(5);

/// The least that shows a leak.
#[derive(Debug, Clone)]
pub struct Shrunk {
    pub recipe: Recipe,
    /// In so many of these tries a response held what was another's.
    pub shown: u64,
    pub tries: u64,
    /// Where the victim and the source stand in it.
    pub victim: Place,
    pub source: Option<Place>,
    /// `body`, `header x-user`.
    pub place: String,
    /// What was sent in a try that showed it.
    pub requests: Vec<Asked>,
}

/// One request as it was sent.
#[derive(Debug, Clone)]
pub struct Asked {
    pub place: Place,
    /// Empty for an anonymous one.
    pub canary: String,
    /// What a login gave for it.
    pub token: Option<String>,
    pub bytes: Vec<u8>,
}

/// Diagnoses the first leak of each class, one after the other.
#[derive(Debug, Default)]
pub(super) struct Diagnosis {
    began: Option<Duration>,
    /// The evidence that is still to be looked at, by index.
    waiting: VecDeque<usize>,
    case: Option<Case>,
    given_up: bool,
}

/// One leak under diagnosis.
#[derive(Debug)]
struct Case {
    /// Its index.
    evidence: usize,
    stages: VecDeque<Vec<Candidate>>,
    best: Option<(Candidate, Series)>,
    phase: Phase,
    /// How many were at once in what was tried, and how often that showed it.
    at_once: Vec<(usize, u64)>,
    /// With URLs that differ.
    busted: Series,
    /// What a longer value leaves was seen.
    tail: bool,
    /// Nothing that a diagnosis may find makes it another class.
    firm: bool,
    /// Of the best, once it was the best.
    counted: Series,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    Search,
    /// How often does it show?
    Count,
    /// Does it show with URLs that differ?
    Bust,
    /// Does a longer value leave something behind a shorter one?
    Tail,
    Over,
}

/// What tries need.
pub(super) struct Bench<'a> {
    pub client: &'a Client,
    pub cast: Cast<'a>,
    pub situation: &'a Situation,
    pub clock: &'a Stopwatch,
    /// The time of the whole check.
    pub time: Duration,
    /// How many tries there were: tells one from the next.
    pub tries: Cell<u64>,
}

impl Bench<'_> {
    fn number(&self) -> u64 {
        self.tries.set(self.tries.get() + 1);
        self.tries.get()
    }
}

impl Diagnosis {
    /// Whether a further server is of use.
    pub fn is_due(&self, evidence: &[Evidence], now: Duration, time: Duration) -> bool {
        let anything = match self.began {
            None => !evidence.is_empty(),
            Some(_) => self.case.is_some() || !self.waiting.is_empty(),
        };
        anything && !self.given_up && now < self.until(now, time)
    }

    /// Whether it has had a server.
    pub fn has_begun(&self) -> bool {
        self.began.is_some()
    }

    /// Whether what is tried next tells nothing on a server that has been asked before.
    pub fn needs_a_fresh_server(&self) -> bool {
        let best = self.case.as_ref().and_then(|case| case.best.as_ref());
        best.is_some_and(|(best, found)| best.recipe.fresh_server || found.kept)
    }

    /// Whether what is looked at may show on a server that was asked whether it is ready.
    pub fn may_follow_others(evidence: &[Evidence]) -> bool {
        !evidence.iter().any(|one| one.class == Class::StickyFirst || one.recipe.fresh_server)
    }

    /// Nothing more.
    pub fn give_up(&mut self) {
        self.given_up = true;
    }

    fn until(&self, now: Duration, time: Duration) -> Duration {
        let telling = self.case.as_ref().is_some_and(|case| matches!(case.phase, Phase::Bust | Phase::Tail));
        let grace = if telling { GRACE } else { Duration::ZERO };
        let own = self.began.unwrap_or(now) + (time / SHARE).clamp(LEAST_TIME, MOST_TIME) + grace;
        own.min(OVERALL.max(time))
    }

    /// As much as one server is good for. What is found is written into the evidence.
    pub async fn step(&mut self, evidence: &mut [Evidence], bench: &Bench<'_>) {
        if self.began.is_none() {
            self.began = Some(bench.clock.now());
            self.waiting = first_of_each_class(evidence);
        }
        if self.case.is_none() {
            let Some(next) = self.waiting.pop_front() else { return };
            self.case = Some(Case::of(next, &evidence[next], bench.situation));
        }
        let until = self.until(bench.clock.now(), bench.time);
        let Some(case) = &mut self.case else { return };
        case.step(bench, until).await;
        let (over, now) = (case.phase == Phase::Over, bench.clock.now());
        if over || now >= self.until(now, bench.time) {
            self.conclude(evidence, bench.situation, bench.client.quickest());
        }
    }

    /// Writes down what is known of the leak at hand, also if there was no time for all of it.
    pub fn conclude(&mut self, evidence: &mut [Evidence], situation: &Situation, quickest: Option<Duration>) {
        if let Some(case) = self.case.take()
            && let Some(one) = evidence.get_mut(case.evidence)
        {
            let (guess, follows) = (one.class, case.follows());
            case.conclude(one, u64::from(situation.premises.workers.unwrap_or(1).max(1)), quickest);
            let (class, oracle) = (one.class, one.leak.oracle);
            if follows {
                // What ordinary requests show that follow each other, they show whatever trigger was there as well.
                let likely = evidence.iter_mut().filter(|other| !other.firm && other.leak.oracle == oracle);
                likely.filter(|other| other.class == guess).for_each(|other| other.class = class);
            }
        }
    }
}

fn first_of_each_class(evidence: &[Evidence]) -> VecDeque<usize> {
    let mut classes: Vec<Class> = Vec::new();
    let mut first = VecDeque::new();
    for (index, one) in evidence.iter().enumerate() {
        if !classes.contains(&one.class) {
            classes.push(one.class);
            first.push_back(index);
        }
    }
    first
}

impl Case {
    fn of(index: usize, evidence: &Evidence, situation: &Situation) -> Case {
        Case {
            evidence: index,
            stages: candidates::stages(evidence, situation).into(),
            best: None,
            phase: Phase::Search,
            at_once: Vec::new(),
            busted: Series::default(),
            tail: false,
            firm: evidence.firm,
            counted: Series::default(),
        }
    }

    /// As much as one server is good for.
    async fn step(&mut self, bench: &Bench<'_>, until: Duration) {
        match self.phase {
            Phase::Search => self.search(bench, until).await,
            Phase::Tail => self.tail(bench, until).await,
            Phase::Count => self.count(bench, until).await,
            Phase::Bust => self.bust(bench, until).await,
            Phase::Over => {}
        }
    }

    async fn search(&mut self, bench: &Bench<'_>, until: Duration) {
        for candidate in self.stages.pop_front().unwrap_or_default() {
            let mut series = Series::default();
            series.go_on(&candidate.recipe, candidate.tries(bench.situation), ENOUGH, bench, until).await;
            if let Some(count) = candidate.kind.at_once()
                && series.tries > 0
            {
                self.at_once.push((count, series.shown));
            }
            let taken = series.shown >= ENOUGH || (series.shown > 0 && series.kept);
            if series.shown > self.best.as_ref().map_or(0, |(_, held)| held.shown) {
                self.best = Some((candidate, series));
            }
            if taken {
                self.stages.clear();
                break;
            }
        }
        if self.stages.is_empty() {
            self.phase = match &self.best {
                None => Phase::Over,
                Some(_) => Phase::Count,
            };
        }
    }

    /// Values of one length overwrite each other whole, so that what is left of one looks like what stays.
    async fn tail(&mut self, bench: &Bench<'_>, until: Duration) {
        self.phase = Phase::Over;
        let pair = [Shot::twisted(Twist::LongCanary), Shot::twisted(Twist::ShortCanary)];
        let line = Line::of(pair.repeat(2));
        for line in [line.clone(), line.on_one_connection()] {
            for _ in 0..TAILS {
                let left = until.saturating_sub(bench.clock.now());
                let recipe = Recipe::of(vec![line.clone()]);
                let work = attempt(bench.client, &recipe, bench.cast, bench.number());
                let Ok(tried) = tokio::time::timeout(left, work).await else { return };
                self.tail |= tried.fragment;
            }
        }
    }

    /// The tries that found it do not count: they ended when it had shown often enough.
    async fn count(&mut self, bench: &Bench<'_>, until: Duration) {
        self.phase = Phase::Over;
        let Some((best, found)) = &mut self.best else { return };
        let named = found.last.as_ref().is_some_and(|(shown, _)| shown.victim.identity.is_some());
        let may_be_a_cache = bench.situation.same_url && named && !self.firm && best.kind.may_be_a_cache();
        best.recipe.fresh_server = bench.situation.owned && (found.kept || best.kind.breaks_the_server());
        let (now, in_all) = if best.recipe.fresh_server { (1, AGAIN_ANEW) } else { (AGAIN, AGAIN) };
        self.counted.go_on(&best.recipe, now, u64::MAX, bench, until).await;
        self.phase = match self.counted.tries < in_all {
            true => Phase::Count,
            false if may_be_a_cache => Phase::Bust,
            false => self.after_bust(),
        };
    }

    /// Whether it is a matter of lengths is asked last, and only where one after the other shows it.
    fn after_bust(&self) -> Phase {
        let (shown, tries) = self.best.as_ref().map_or((0, 0), |(_, found)| self.rate(found));
        if self.follows() && !self.firm && !self.ended_by_own_urls((shown, tries)) { Phase::Tail } else { Phase::Over }
    }

    /// Ordinary requests show it that follow each other.
    fn follows(&self) -> bool {
        self.best.as_ref().is_some_and(|(best, _)| best.kind.follows())
    }

    /// As often as it takes to tell; once that it shows tells that too.
    async fn bust(&mut self, bench: &Bench<'_>, until: Duration) {
        self.phase = Phase::Over;
        let Some((best, found)) = &self.best else { return };
        let recipe = Recipe { own_url: true, same_url: false, fresh_server: false, ..best.recipe.clone() };
        let (shown, tries) = self.rate(found);
        let enough = (1..MOST_BUSTED).find(|others| chance_of_none(shown, tries, *others) < IMPROBABLE);
        self.busted.go_on(&recipe, enough.unwrap_or(MOST_BUSTED), 1, bench, until).await;
        self.phase = self.after_bust();
    }

    /// In how many of how many tries it showed.
    fn rate(&self, found: &Series) -> (u64, u64) {
        match (self.counted.shown, self.counted.tries) {
            // It did not show again, or there was no time to see.
            (0, tries) => (found.shown, found.tries + tries),
            counted => counted,
        }
    }

    /// Whether URLs that differ end it: it did not show with them, too often for chance.
    fn ended_by_own_urls(&self, (shown, tries): (u64, u64)) -> bool {
        self.busted.shown == 0 && chance_of_none(shown, tries, self.busted.tries) < IMPROBABLE
    }

    /// Writes down what was found, if anything was.
    fn conclude(self, evidence: &mut Evidence, workers: u64, quickest: Option<Duration>) {
        let Some((best, found)) = &self.best else { return };
        let (shown, tries) = self.rate(found);
        let Some((last, requests)) = self.counted.last.as_ref().or(found.last.as_ref()).cloned() else { return };
        // Without canaries nobody is seen to have got an answer of their own.
        let of_personas = matches!(evidence.leak.oracle, Oracle::Swap | Oracle::Learned);
        let signs = Signs {
            needs: best.kind,
            kept: found.kept,
            ended_by_own_urls: self.ended_by_own_urls((shown, tries)),
            named: last.victim.identity.is_some(),
            late: !of_personas && !last.victim.own && last.source.as_ref().is_none_or(|source| !source.own),
            tail: self.tail,
            narrow: quickest.is_some_and(|quickest| quickest < NARROW),
            per_worker: best.kind.at_once().unwrap_or(1).div_ceil(workers as usize).max(2),
            clean_below: best.kind.at_once().is_some_and(|count| clean_below(&self.at_once, count)),
            // Of several workers, two requests meet the same one in a part of the tries.
            steady: shown * 2 * workers >= tries,
        };
        if !self.firm {
            evidence.class = Class::diagnosed(evidence.class, &signs);
        }
        evidence.shrunk = Some(Shrunk {
            recipe: best.recipe.clone(),
            shown,
            tries,
            victim: last.victim.place,
            source: last.source.map(|source| source.place),
            place: last.place,
            requests,
        });
    }
}

/// Whether fewer than `count` at once were tried, and none of them showed it.
fn clean_below(at_once: &[(usize, u64)], count: usize) -> bool {
    let mut fewer = at_once.iter().filter(|(tried, _)| *tried < count).peekable();
    fewer.peek().is_some() && fewer.all(|(_, shown)| *shown == 0)
}

#[cfg(test)]
mod tests;
