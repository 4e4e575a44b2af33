//! What is asked of a leak once the least that shows it is known: each question is an experiment, and what comes of it
//! rules causes out. Pure.

use super::super::attempt::Attempt;
use super::super::class::Class;
use super::super::recipe::{Line, Nap, Recipe, Shot, Start, Twist, Who};
use super::super::triggers::Situation;
use super::candidates::Kind;
use super::causes::Signs;
use crate::stats::chance_of_none;

/// Chance explains an outcome with less than this, or it says nothing.
const IMPROBABLE: f64 = 0.01;
const MOST_WITH_OWN_URLS: u64 = 40;
/// How often it is looked for what a longer value leaves.
const TAILS: usize = 2;
/// How long a cache is waited for to end, in milliseconds.
pub(super) const WAIT_MS: f64 = 2500.0;
/// Requests that come later, to meet the same thread again, as long as they take no longer than this in all.
const LATER: usize = 16;
const LATER_MS: f64 = 800.0;

/// In the order in which they are asked: what costs least and tells most comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// Do responses on one connection belong to its requests, in order? Between ordinary ones, some are for a page that
    /// does not exist.
    InOrder,
    /// Does it show with URLs that differ?
    OwnUrls,
    /// Does a longer value leave something behind a shorter one?
    Tail,
    /// Do others get it over connections of their own?
    OtherConnections,
    /// Is the handler asked that was told to sleep?
    Handler,
    /// Does what stays end by itself?
    Time,
    /// Do requests get it that overlap nothing, and do not say who asks?
    LeftBehind,
}

/// What recipes are made from: the request before, the one that gets what is another's, and whether their URLs are equal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cast {
    pub first: Shot,
    pub victim: Shot,
    pub same_url: bool,
}

impl Question {
    pub const ALL: [Question; 7] = [
        Question::InOrder,
        Question::OwnUrls,
        Question::Tail,
        Question::OtherConnections,
        Question::Handler,
        Question::Time,
        Question::LeftBehind,
    ];

    /// Whether its answer would rule anything out.
    pub fn is_due(self, signs: &Signs, situation: &Situation) -> bool {
        let undecided = !signs.guess.firm || signs.from_the_first == Some(true);
        let a_cache = signs.from_a_cache || signs.ended_by_own_urls == Some(true) || signs.ended_by_time == Some(true);
        let open = undecided && !(a_cache && signs.named) && signs.tail != Some(true);
        open && match self {
            Question::InOrder => signs.needs == Kind::OneConnection && signs.late && signs.guess.class != Class::Connection,
            Question::OwnUrls => situation.same_url && signs.named && signs.needs.may_be_a_cache(),
            Question::Tail => signs.needs.follows(),
            Question::OtherConnections => signs.needs == Kind::OneConnection && !signs.kept,
            Question::Handler => signs.kept && signs.named && signs.handled.is_none() && situation.long.is_some(),
            Question::Time => signs.kept && signs.named,
            Question::LeftBehind => {
                let overlaps = matches!(signs.needs, Kind::Pair | Kind::Burst(_) | Kind::Gate(_));
                overlaps && !signs.joined && situation.no_anonymous.is_none()
            }
        }
    }

    /// What is tried, one after the other, until the question [`is_answered`](Question::is_answered). `least` is what
    /// showed the leak.
    pub fn recipes(self, least: &Recipe, cast: Cast, signs: &Signs, situation: &Situation) -> Vec<Recipe> {
        let one = |line: Line| vec![Recipe { same_url: cast.same_url, ..Recipe::of(vec![line]) }];
        let Cast { first, victim, .. } = cast;
        match self {
            Question::InOrder => {
                let elsewhere = Shot { who: Who::Nobody, ..Shot::twisted(Twist::Elsewhere) };
                let line = Line::of(vec![first, elsewhere, victim, elsewhere, victim]).on_one_connection();
                let lines = vec![Line::of(vec![elsewhere]), line.starting(Start::After(0))];
                vec![Recipe::of(lines)]
            }
            Question::OwnUrls => {
                let recipe = Recipe { own_url: true, same_url: false, fresh_server: false, ..least.clone() };
                let (shown, tries) = signs.rate;
                let enough = (1..MOST_WITH_OWN_URLS).find(|others| chance_of_none(shown, tries, *others) < IMPROBABLE);
                vec![recipe; enough.unwrap_or(MOST_WITH_OWN_URLS) as usize]
            }
            Question::Tail => {
                let line = Line::of([Shot::twisted(Twist::LongCanary), Shot::twisted(Twist::ShortCanary)].repeat(2));
                let both = [line.clone(), line.on_one_connection()];
                both.into_iter().flat_map(|line| vec![Recipe::of(vec![line]); TAILS]).collect()
            }
            Question::OtherConnections => one(Line::of([vec![first], vec![victim; later(situation)]].concat())),
            Question::Handler => one(Line::of(vec![first, Shot { nap: Nap::Long, ..victim }])),
            Question::Time => one(Line::of(vec![first, Shot { pause_ms: WAIT_MS, ..victim }])),
            Question::LeftBehind => {
                let nobody = Shot { who: Who::Nobody, ..Shot::plain() };
                one(Line::of([vec![first], vec![nobody; later(situation)]].concat()))
            }
        }
    }

    /// Whether no further try says more.
    pub fn is_answered(self, last: &Attempt) -> bool {
        match self {
            Question::OwnUrls | Question::OtherConnections | Question::LeftBehind => last.is_foreign(),
            Question::Tail => last.fragment,
            Question::InOrder | Question::Handler | Question::Time => true,
        }
    }

    /// Writes down what came of it.
    pub fn answer(self, tried: &[Attempt], situation: &Situation, signs: &mut Signs) {
        let Some(last) = tried.last() else { return };
        let shown = tried.iter().any(Attempt::is_foreign);
        match self {
            Question::InOrder => signs.in_order = in_order(last),
            Question::OwnUrls => {
                let (hits, tries) = signs.rate;
                let certain = chance_of_none(hits, tries, tried.len() as u64) < IMPROBABLE;
                signs.ended_by_own_urls = if shown { Some(false) } else { certain.then_some(true) };
            }
            Question::Tail => signs.tail = Some(tried.iter().any(|tried| tried.fragment)),
            Question::OtherConnections => signs.on_other_connections = Some(shown),
            Question::Handler => signs.handled = handled(last, situation),
            // The first may hold what an earlier one brought; the second holds it still, or not.
            Question::Time => {
                let answered = last.observations.len() == 2 && last.observations.iter().all(|o| o.seen.is_ordinary());
                signs.ended_by_time = answered.then(|| !last.foreign.iter().any(|(place, _)| place.shot == 1));
            }
            Question::LeftBehind => signs.left_behind = Some(shown),
        }
    }
}

/// How many requests come later.
fn later(situation: &Situation) -> usize {
    let alone = situation.alone.as_secs_f64() * 1e3;
    ((LATER_MS / alone.max(1.0)) as usize).clamp(2, LATER)
}

/// Whether a page that does not exist is answered as such wherever it stands among others; `None` if it is answered as
/// the others are, or nothing leaked.
fn in_order(tried: &Attempt) -> Option<bool> {
    let at = |line: usize, shot: usize| {
        tried.observations.iter().map(|o| &o.seen).find(|s| (s.place.line, s.place.shot) == (line, shot))?.status()
    };
    let (elsewhere, page) = (at(0, 0)?, at(1, 0)?);
    let there = [(1, elsewhere), (2, page), (3, elsewhere), (4, page)];
    let as_asked = there.into_iter().all(|(shot, status)| at(1, shot) == Some(status));
    (elsewhere != page && (tried.is_foreign() || !as_asked)).then_some(as_asked)
}

/// Whether a response that holds what is another's took as long as its handler was told to sleep.
fn handled(tried: &Attempt, situation: &Situation) -> Option<bool> {
    let long = situation.long?;
    let got = tried.foreign.iter().find(|(place, _)| place.shot == 1)?;
    let seen = tried.observations.iter().map(|o| &o.seen).find(|seen| seen.place == got.0)?;
    // A long sleep that is no longer than what a request takes anyway tells nothing.
    (long > 4 * situation.alone).then(|| seen.exchange.service_time() >= long.mul_f64(0.9))
}
