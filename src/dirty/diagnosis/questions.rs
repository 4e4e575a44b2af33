//! Experiments on a leak once the least that shows it is known: each answers one question, and the answer
//! rules causes out. Pure.

use super::super::class::LeakClass;
use super::super::experiment::Experiment;
use super::super::observation::Seen;
use super::super::recipe::{Anomaly, Line, Principal, Recipe, RecipeRequest, SleepLength, Start};
use super::super::triggers::Situation;
use super::candidates::{ExperimentRequests, LeakCondition};
use super::causes::Symptoms;
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
/// Of several workers, this many requests more for each that may meet another; no more workers than this.
const EACH_WORKER: usize = 3;
const MOST_WORKERS: u32 = 4;
const LATER_MS: f64 = 800.0;
/// Two personas ask so often in turn, to see whether the one gets what the other has brought, or each what was last.
const TURNS: usize = 4;

/// In the order in which they are asked: what costs least and tells most comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DiagnosticQuestion {
    /// Do responses on one connection belong to its requests, in order? Between ordinary ones, some are for a page that
    /// does not exist.
    InOrder,
    /// Where the same few ask over and over: does what the first has brought stay, whoever has asked since?
    Stays,
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

impl DiagnosticQuestion {
    pub const ALL: [DiagnosticQuestion; 8] = [
        DiagnosticQuestion::InOrder,
        DiagnosticQuestion::Stays,
        DiagnosticQuestion::OwnUrls,
        DiagnosticQuestion::Tail,
        DiagnosticQuestion::OtherConnections,
        DiagnosticQuestion::Handler,
        DiagnosticQuestion::Time,
        DiagnosticQuestion::LeftBehind,
    ];

    /// Whether its answer would rule anything out.
    pub fn is_due(self, signs: &Symptoms, situation: &Situation) -> bool {
        let undecided = !signs.guess.firm || signs.from_the_first == Some(true);
        let a_cache = signs.from_a_cache || signs.ended_by_own_urls == Some(true) || signs.ended_by_time == Some(true);
        let open = undecided && !(a_cache && signs.named) && signs.tail != Some(true);
        // Whoever fills a cache or a buffer gets a response of their own first.
        let filled = signs.from_the_first != Some(true);
        open && match self {
            DiagnosticQuestion::InOrder => {
                signs.needs == LeakCondition::OneConnection && signs.late && signs.guess.class != LeakClass::Connection
            }
            DiagnosticQuestion::Stays => signs.of_personas && !signs.kept && signs.needs.follows(),
            DiagnosticQuestion::OwnUrls => filled && situation.same_url && signs.named && signs.needs.may_be_a_cache(),
            DiagnosticQuestion::Tail => filled && signs.needs.follows(),
            DiagnosticQuestion::OtherConnections => signs.needs == LeakCondition::OneConnection && !signs.kept,
            DiagnosticQuestion::Handler => {
                signs.kept && signs.named && signs.handled.is_none() && situation.long.is_some()
            }
            DiagnosticQuestion::Time => signs.kept && signs.named,
            DiagnosticQuestion::LeftBehind => {
                let overlaps =
                    matches!(signs.needs, LeakCondition::Pair | LeakCondition::Burst(_) | LeakCondition::Gate(_));
                overlaps && !signs.joined && situation.no_anonymous.is_none()
            }
        }
    }

    /// What is tried, one after the other, until the question [`is_answered`](Question::is_answered). `least` is what
    /// showed the leak.
    pub fn recipes(
        self,
        least: &Recipe,
        requests: ExperimentRequests,
        signs: &Symptoms,
        situation: &Situation,
    ) -> Vec<Recipe> {
        let ExperimentRequests { first, victim, same_url, http2 } = requests;
        let one = |line: Line| vec![Recipe { same_url, http2, ..Recipe::of(vec![line]) }];
        match self {
            DiagnosticQuestion::InOrder => {
                let elsewhere = RecipeRequest { who: Principal::Nobody, ..RecipeRequest::twisted(Anomaly::Elsewhere) };
                let line = Line::of(vec![first, elsewhere, victim, elsewhere, victim]).on_one_connection();
                let lines = vec![Line::of(vec![elsewhere]), line.starting(Start::After(0))];
                vec![Recipe { http2, ..Recipe::of(lines) }]
            }
            DiagnosticQuestion::Stays => one(Line::of([first, victim].repeat(TURNS))),
            DiagnosticQuestion::OwnUrls => {
                let recipe = Recipe { own_url: true, same_url: false, fresh_server: false, ..least.clone() };
                let (shown, tries) = signs.rate;
                let enough = (1..MOST_WITH_OWN_URLS).find(|others| chance_of_none(shown, tries, *others) < IMPROBABLE);
                vec![recipe; enough.unwrap_or(MOST_WITH_OWN_URLS) as usize]
            }
            DiagnosticQuestion::Tail => {
                let line = Line::of(
                    [RecipeRequest::twisted(Anomaly::LongCanary), RecipeRequest::twisted(Anomaly::ShortCanary)]
                        .repeat(2),
                );
                let both = [line.clone(), line.on_one_connection()];
                both.into_iter().flat_map(|line| vec![Recipe { http2, ..Recipe::of(vec![line]) }; TAILS]).collect()
            }
            DiagnosticQuestion::OtherConnections => {
                one(Line::of([vec![first], vec![victim; later(situation)]].concat()))
            }
            DiagnosticQuestion::Handler => {
                one(Line::of(vec![first, RecipeRequest { nap: SleepLength::Long, ..victim }]))
            }
            // Each worker may keep something, or nothing yet.
            DiagnosticQuestion::Time => {
                let workers = situation.premises.workers.unwrap_or(1).min(MOST_WORKERS) as usize;
                let waiting = RecipeRequest { pause_ms: WAIT_MS, ..victim };
                one(Line::of([vec![first, waiting], vec![victim; (workers - 1) * EACH_WORKER]].concat()))
            }
            DiagnosticQuestion::LeftBehind => {
                let nobody = RecipeRequest { who: Principal::Nobody, ..victim };
                one(Line::of([vec![first], vec![nobody; later(situation)]].concat()))
            }
        }
    }

    /// Whether no further try says more.
    pub fn is_answered(self, last: &Experiment) -> bool {
        match self {
            DiagnosticQuestion::OwnUrls | DiagnosticQuestion::OtherConnections | DiagnosticQuestion::LeftBehind => {
                last.is_foreign()
            }
            DiagnosticQuestion::Tail => last.fragment,
            DiagnosticQuestion::InOrder
            | DiagnosticQuestion::Stays
            | DiagnosticQuestion::Handler
            | DiagnosticQuestion::Time => true,
        }
    }

    /// Writes down what came of it.
    pub fn answer(self, tried: &[Experiment], situation: &Situation, signs: &mut Symptoms) {
        let Some(last) = tried.last() else { return };
        let shown = tried.iter().any(Experiment::is_foreign);
        match self {
            DiagnosticQuestion::InOrder => signs.in_order = in_order(last),
            DiagnosticQuestion::Stays => signs.kept = stays(last),
            DiagnosticQuestion::OwnUrls => {
                let (hits, tries) = signs.rate;
                let certain = chance_of_none(hits, tries, tried.len() as u64) < IMPROBABLE;
                signs.ended_by_own_urls = if shown { Some(false) } else { certain.then_some(true) };
            }
            DiagnosticQuestion::Tail => signs.tail = Some(tried.iter().any(|tried| tried.fragment)),
            DiagnosticQuestion::OtherConnections => signs.on_other_connections = Some(shown),
            DiagnosticQuestion::Handler => signs.handled = handled(last, situation),
            DiagnosticQuestion::Time => signs.ended_by_time = ended(last),
            DiagnosticQuestion::LeftBehind => signs.left_behind = Some(shown),
        }
    }
}

/// Whether nothing that was asked for before the wait is still there after it; `None` if somebody was not answered well.
fn ended(tried: &Experiment) -> Option<bool> {
    let after = || tried.observations.iter().map(|o| &o.seen).filter(|seen| seen.place.shot > 0);
    let of_before = |owner: Option<u64>| owner.is_none() || !after().any(|seen| seen.identity == owner);
    let answered = after().next().is_some() && after().all(Seen::is_ordinary);
    answered.then(|| !tried.foreign.iter().any(|(place, owner)| place.shot > 0 && of_before(*owner)))
}

/// Whether one persona got what the other had brought every time, and that one never got anything but its own.
fn stays(tried: &Experiment) -> bool {
    let mut seen = tried.observations.iter().map(|o| &o.seen);
    let Some(first) = seen.find(|seen| seen.place.shot == 0).and_then(|seen| seen.identity) else { return false };
    tried.foreign.len() >= TURNS && tried.foreign.iter().all(|(_, owner)| *owner == Some(first))
}

/// How many requests come later.
fn later(situation: &Situation) -> usize {
    let alone = situation.alone.as_secs_f64() * 1e3;
    ((LATER_MS / alone.max(1.0)) as usize).clamp(2, LATER)
}

/// Whether a page that does not exist is answered as such wherever it stands among others; `None` if it is answered as
/// the others are, or nothing leaked.
fn in_order(tried: &Experiment) -> Option<bool> {
    let at = |line: usize, shot: usize| {
        tried.observations.iter().map(|o| &o.seen).find(|s| (s.place.line, s.place.shot) == (line, shot))?.status()
    };
    let (elsewhere, page) = (at(0, 0)?, at(1, 0)?);
    let there = [(1, elsewhere), (2, page), (3, elsewhere), (4, page)];
    let as_asked = there.into_iter().all(|(shot, status)| at(1, shot) == Some(status));
    (elsewhere != page && (tried.is_foreign() || !as_asked)).then_some(as_asked)
}

/// Whether a leaking response took as long as its handler was told to sleep.
fn handled(tried: &Experiment, situation: &Situation) -> Option<bool> {
    let long = situation.long?;
    let got = tried.foreign.iter().find(|(place, _)| place.shot == 1)?;
    let seen = tried.observations.iter().map(|o| &o.seen).find(|seen| seen.place == got.0)?;
    // A long sleep that is no longer than what a request takes anyway tells nothing.
    (long > 4 * situation.alone).then(|| seen.exchange.service_time() >= long.mul_f64(0.9))
}

#[cfg(test)]
mod tests {
    use super::super::super::class::Guess;
    use super::super::super::classify::tests::seen;
    use super::super::super::observation::{CanariesFound, Observation, RecipePlace};
    use super::super::causes::tests::signs;
    use super::*;
    use crate::exchange::Outcome;
    use crate::net::sink::BufferedResponse;
    use crate::session::Captured;

    /// Requests on one line with the statuses of their answers, by identities from 0 on; those that leak, and whose data.
    fn tried(statuses: &[u16], foreign: &[(usize, u64)]) -> Experiment {
        let observations =
            (0..).zip(statuses).map(|(shot, status)| answered(RecipePlace { line: 0, shot }, *status)).collect();
        let at = |(shot, owner): &(usize, u64)| (RecipePlace { line: 0, shot: *shot }, Some(*owner));
        Experiment { observations, foreign: foreign.iter().map(at).collect(), ..Experiment::default() }
    }

    fn answered(place: RecipePlace, status: u16) -> Observation {
        let mut seen = Seen { place, ..seen(place.shot as u64, 1) };
        seen.exchange.outcome = Outcome::Answered(status);
        let (reply, canaries) = (BufferedResponse::default(), CanariesFound::default());
        Observation {
            seen,
            request: Vec::new(),
            reply,
            url: None,
            hops: Vec::new(),
            captured: Captured::default(),
            canaries,
        }
    }

    #[test]
    fn what_was_there_before_the_wait_has_ended_if_nobody_holds_it_after_it() {
        assert_eq!(ended(&tried(&[200, 200], &[(1, 0)])), Some(false));
        assert_eq!(ended(&tried(&[200, 200], &[(0, 77), (1, 77)])), Some(false), "what an earlier try had brought");
        assert_eq!(ended(&tried(&[200, 200], &[(0, 77)])), Some(true), "it was there before the wait only");
        assert_eq!(ended(&tried(&[200, 200, 200], &[(2, 1)])), Some(true), "it was asked for anew");
        assert_eq!(ended(&tried(&[200, 503], &[])), None);
        assert_eq!(ended(&tried(&[200], &[])), None, "cut short");
    }

    #[test]
    fn what_the_first_of_two_has_brought_stays_if_the_other_gets_it_however_often_both_ask() {
        let took_turns = |foreign: &[(usize, u64)]| stays(&tried(&[200; 8], foreign));
        assert!(took_turns(&[(1, 0), (3, 0), (5, 0), (7, 0)]));
        assert!(!took_turns(&[(1, 0), (2, 1), (3, 0), (4, 1), (5, 0), (6, 1), (7, 0)]), "each gets what was last");
        assert!(!took_turns(&[(1, 0), (5, 0)]), "not always");
        let of_personas = Symptoms { of_personas: true, ..signs(LeakClass::StickyFirst, LeakCondition::Sequence) };
        let due = |signs: &Symptoms| DiagnosticQuestion::Stays.is_due(signs, &Situation::default());
        assert!(due(&of_personas) && !due(&Symptoms { kept: true, ..of_personas }));
        assert!(!due(&Symptoms { of_personas: false, ..of_personas }), "others ask in each try");
    }

    #[test]
    fn responses_are_in_order_if_a_page_that_is_not_there_is_told_so_in_its_place() {
        let asked = |statuses: [u16; 5], foreign: &[(usize, u64)]| {
            let on_line = (0..).zip(statuses).map(|(shot, status)| answered(RecipePlace { line: 1, shot }, status));
            let alone = answered(RecipePlace { line: 0, shot: 0 }, 404);
            let foreign = tried(&[], foreign).foreign;
            in_order(&Experiment {
                observations: std::iter::once(alone).chain(on_line).collect(),
                foreign,
                ..Experiment::default()
            })
        };
        assert_eq!(asked([200, 404, 200, 404, 200], &[(2, 0)]), Some(true));
        assert_eq!(asked([200, 404, 200, 404, 200], &[]), None, "nothing leaked");
        assert_eq!(asked([200, 200, 404, 200, 404], &[(1, 0)]), Some(false));
        assert_eq!(asked([404, 404, 404, 404, 404], &[(2, 0)]), None, "the page itself is not there");
    }

    #[test]
    fn urls_that_differ_end_a_leak_only_where_chance_does_not() {
        let asked = |rate, foreign: bool, tries: usize| {
            let mut known = Symptoms { rate, ..signs(LeakClass::Cache, LeakCondition::Sequence) };
            let one = || tried(&[200, 200], if foreign { &[(1, 0)] } else { &[] });
            let tried: Vec<Experiment> = (0..tries).map(|_| one()).collect();
            DiagnosticQuestion::OwnUrls.answer(&tried, &Situation::default(), &mut known);
            known.ended_by_own_urls
        };
        assert_eq!(asked((10, 10), false, 4), Some(true));
        assert_eq!(asked((5, 5), false, 4), Some(true));
        assert_eq!(asked((3, 10), false, 4), None, "a race that shows in 30 % of tries");
        assert_eq!(asked((10, 10), true, 1), Some(false));
        assert_eq!(asked((10, 10), false, 0), None, "no time to see");
    }

    #[test]
    fn a_question_is_asked_only_while_its_answer_would_rule_something_out() {
        let situation = Situation { same_url: true, no_anonymous: Some(String::new()), ..Situation::default() };
        let due = |signs: &Symptoms| -> Vec<DiagnosticQuestion> {
            DiagnosticQuestion::ALL.into_iter().filter(|question| question.is_due(signs, &situation)).collect()
        };
        let kept = Symptoms { kept: true, ..signs(LeakClass::StickyFirst, LeakCondition::Sequence) };
        assert_eq!(due(&kept), [DiagnosticQuestion::OwnUrls, DiagnosticQuestion::Tail, DiagnosticQuestion::Time]);
        assert_eq!(due(&Symptoms { from_a_cache: true, ..kept }), []);
        assert_eq!(due(&Symptoms { ended_by_own_urls: Some(true), ..kept }), []);
        assert_eq!(due(&Symptoms { tail: Some(true), ..kept }), []);
        assert_eq!(due(&signs(LeakClass::SharedSlot, LeakCondition::Pair)), [DiagnosticQuestion::OwnUrls]);
        let late = Guess { class: LeakClass::Desync, firm: true };
        let late = Symptoms { guess: late, late: true, ..signs(LeakClass::Desync, LeakCondition::OneConnection) };
        assert_eq!(due(&late), [], "an accident");
        let first = due(&Symptoms { from_the_first: Some(true), ..late });
        assert_eq!(first, [DiagnosticQuestion::InOrder, DiagnosticQuestion::OtherConnections]);
    }
}
