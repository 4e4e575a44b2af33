//! From which operations data has come that all requests of a principal carry, where the time of its requests does not tell: each
//! of many threads keeps what was left there last, and that may be long ago. So every operation is asked by one principal alone,
//! and others look at the victims: whose data they see names the operations that this principal asks for. Those few are then
//! told apart in the same way. With 16 principals, two stages name one operation of 200.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::seq::SliceRandom as _;
use tracing::debug;

use super::super::client::{AskOrder, CheckClient};
use super::super::evidence::FoundBy;
use super::super::observation::Observation;
use super::super::recipe::{Line, Recipe};
use super::super::sweep_order::SweepOrder;
use super::leaks::Untraced;
use super::{Sweep, sightings};
use crate::scenario::import::Effect;
use crate::trigger::Trigger;

/// Of so many principals at least, one looks and three are told apart; of the more, two look.
const LEAST_PRINCIPALS: usize = 4;
const WELL_OFF: usize = 8;
/// How often an operation is asked in a stage before what is seen counts, so that several threads have met it.
const WARM_UP: usize = 4;
/// Passes that count: where nothing has shown after so many, nothing will, and how many at most.
const NOTHING_AFTER: usize = 4;
const MOST_PASSES: usize = 12;
/// Requests of a pass at least: few operations are asked several times.
const LEAST_IN_A_PASS: usize = 16;
/// How often each of those who look does so after a pass, at once: on several threads.
const LOOKS: usize = 3;
/// Sightings of one principal that end a stage, and that count at all.
const ENOUGH: u64 = 8;
const LEAST_SHOWN: u64 = 2;
/// What is seen this many times less often than what is seen most was left there before.
const LEFTOVER: u64 = 4;
const MOST_STAGES: usize = 8;
/// More sources than so many are none: what a middleware keeps comes from everywhere.
const MOST_SOURCES: usize = 5;
/// Places that are asked about; there are more only where a middleware leaks.
const MOST_QUESTIONS: usize = 20;
/// A part of the time of the sweep, and at least and at most.
const SHARE: u32 = 5;
const TIME: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(60));

/// Who asks for what, and what was seen of it.
#[derive(Debug, Default)]
pub(super) struct Assignment {
    /// By operation: the principal who alone asks for it.
    askers: BTreeMap<usize, usize>,
    /// Those who look.
    lookers: Vec<usize>,
    questions: Vec<Question>,
    /// Operations that are also asked in an odd way, as a request was that is suspected.
    odd: BTreeMap<usize, Trigger>,
    /// Whether what is seen counts.
    counts: bool,
}

/// A place in the responses of an operation that shows data of principals.
#[derive(Debug)]
struct Question {
    victim: usize,
    place: String,
    /// Operations that come into question, still.
    candidates: Vec<usize>,
    /// How often the data of each principal was seen there.
    shown: BTreeMap<usize, u64>,
    /// Principals whose data was seen there before: theirs may still be there.
    stale: BTreeSet<usize>,
    state: QuestionState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum QuestionState {
    Open,
    Answered,
    /// Nothing tells.
    GivenUp,
}

impl Question {
    /// Whether this stage has told enough.
    fn is_told(&self) -> bool {
        self.most_shown() >= ENOUGH
    }

    fn most_shown(&self) -> u64 {
        self.shown.values().copied().max().unwrap_or_default()
    }

    /// Drops the operations of principals whose data was not seen; once all are seen, each by a principal of its own, they are the
    /// answer.
    fn narrow(&mut self, askers: &BTreeMap<usize, usize>) {
        let most = self.most_shown();
        let shown = std::mem::take(&mut self.shown);
        if most < LEAST_SHOWN {
            self.state = QuestionState::GivenUp;
            return;
        }
        let is_telling = |principal: &usize| {
            shown.get(principal).is_some_and(|count| *count >= LEAST_SHOWN && count * LEFTOVER >= most)
        };
        // What is left over from before is seen beside the sources; more than both are no few operations.
        if shown.keys().filter(|principal| is_telling(principal)).count() > 2 * MOST_SOURCES {
            self.state = QuestionState::GivenUp;
            return;
        }
        let before = self.candidates.len();
        self.candidates.retain(|page| askers.get(page).is_some_and(is_telling));
        self.stale = shown.into_keys().collect();
        let principals: BTreeSet<&usize> = self.candidates.iter().filter_map(|page| askers.get(page)).collect();
        // Those that show whoever asks for them: what was only left there is gone in the next stage.
        if principals.len() == before {
            self.state = if before <= MOST_SOURCES { QuestionState::Answered } else { QuestionState::GivenUp };
        }
    }
}

impl Assignment {
    fn open(&self) -> impl Iterator<Item = &Question> {
        self.questions.iter().filter(|question| question.state == QuestionState::Open)
    }

    /// Gives each operation that is still in question to one of these principals: as few of one question to one of them as can
    /// be, and to none whose data was seen there before, if there are others.
    fn assign(&mut self, principals: &[usize]) {
        let mut askers: BTreeMap<usize, usize> = BTreeMap::new();
        let mut load: BTreeMap<usize, usize> = BTreeMap::new();
        for question in self.open() {
            let mut here: BTreeMap<usize, usize> = BTreeMap::new();
            for page in &question.candidates {
                if let Some(principal) = askers.get(page) {
                    *here.entry(*principal).or_default() += 1;
                }
            }
            for page in &question.candidates {
                if askers.contains_key(page) {
                    continue;
                }
                let of = |counts: &BTreeMap<usize, usize>, one: usize| counts.get(&one).copied().unwrap_or_default();
                let cost = |one: &usize| (of(&here, *one), question.stale.contains(one), of(&load, *one));
                let Some(principal) = principals.iter().copied().min_by_key(cost) else { return };
                askers.insert(*page, principal);
                *here.entry(principal).or_default() += 1;
                *load.entry(principal).or_default() += 1;
            }
        }
        self.askers = askers;
    }

    /// Takes what was seen.
    pub fn take(&mut self, observations: &[Observation], client: &CheckClient) {
        let Assignment { askers, lookers, questions, counts, .. } = self;
        for question in questions.iter_mut().filter(|question| *counts && question.state == QuestionState::Open) {
            for observation in observations.iter().filter(|observation| observation.seen.page == question.victim) {
                let owners = sightings::owners_at(observation, &question.place, client);
                for principal in owners.into_iter().filter_map(|owner| client.principal_of(owner)) {
                    // Those who look ask for nothing but the victims: theirs was kept of the victim itself.
                    let is_looker = lookers.contains(&principal);
                    let principal = if is_looker { askers.get(&question.victim).copied() } else { Some(principal) };
                    if let Some(principal) = principal {
                        *question.shown.entry(principal).or_default() += 1;
                    }
                }
            }
        }
    }
}

impl Sweep<'_> {
    /// Finds out from which operations comes what principals are known by, where that is not known.
    pub(super) async fn trace_by_assignment(&mut self) {
        let untraced = self.leaks.unsure(&self.ledger);
        let (looking, asking) = self.looking_and_asking();
        if untraced.is_empty() || asking.len() < LEAST_PRINCIPALS - 1 {
            return;
        }
        let until = self.clock.now() + (self.plan.budget.time / SHARE).clamp(TIME.0, TIME.1);
        let able = self.ledger.able();
        let question = |one: &Untraced| Question {
            victim: one.victim,
            place: one.place.clone(),
            candidates: able.clone(),
            shown: BTreeMap::new(),
            stale: BTreeSet::new(),
            state: QuestionState::Open,
        };
        let questions = untraced.iter().take(MOST_QUESTIONS).map(question).collect();
        // A client that leaves a write never learns what that has created, and could not remove it.
        let reads = |page: usize| self.ledger.operations.get(page).is_some_and(|it| it.effect == Some(Effect::Read));
        let odd = untraced
            .iter()
            .flat_map(|one| &one.candidates)
            .filter(|(page, _)| reads(*page))
            .filter_map(|(page, trigger)| Some((*page, (*trigger)?)))
            .collect();
        self.assignment = Some(Assignment { lookers: looking, questions, odd, ..Assignment::default() });
        for stage in 0..MOST_STAGES {
            let Some(assignment) = &mut self.assignment else { break };
            assignment.assign(&asking);
            if assignment.askers.is_empty() || self.clock.now() > until || !self.stage(until).await {
                break;
            }
            let Some(assignment) = &mut self.assignment else { break };
            let Assignment { askers, questions, .. } = assignment;
            for question in questions.iter_mut().filter(|question| question.state == QuestionState::Open) {
                question.narrow(askers);
                let name = self.spec.operations.get(question.victim).map_or("", |one| one.name());
                let Question { place, candidates, state, .. } = question;
                debug!(request = name, place, stage, ?candidates, ?state, "by whom it was asked for tells its source");
            }
            self.show_answers().await;
        }
        self.assignment = None;
        if let Some(client) = &self.client {
            client.let_ask(AskOrder::InTurn);
        }
    }

    /// Notes what has been answered, and lets it show once more: then the last request that the principal has made for the source
    /// is the one from which it came.
    async fn show_answers(&mut self) {
        let Some(assignment) = &mut self.assignment else { return };
        let answered = |question: &Question| question.state == QuestionState::Answered;
        let (answered, left): (Vec<Question>, Vec<Question>) =
            std::mem::take(&mut assignment.questions).into_iter().partition(answered);
        assignment.questions = left;
        assignment.counts = false;
        if answered.is_empty() {
            return;
        }
        for question in &answered {
            self.leaks.note_sources(question.victim, &question.place, &question.candidates);
        }
        let pages: BTreeSet<usize> = answered.iter().flat_map(|question| question.candidates.iter().copied()).collect();
        let victims: BTreeSet<usize> = answered.iter().map(|question| question.victim).collect();
        self.pass(&pages.into_iter().collect::<Vec<_>>(), &victims.into_iter().collect::<Vec<_>>()).await;
    }

    /// Those who look, and those who ask, no two of whom may see each other's data.
    fn looking_and_asking(&self) -> (Vec<usize>, Vec<usize>) {
        let Some(client) = &self.client else { return Default::default() };
        let mut groups: BTreeSet<String> = BTreeSet::new();
        let is_new = |index: &usize| {
            client.principal(*index).is_some_and(|principal| groups.insert(client.group_of(principal.number)))
        };
        let mut all: Vec<usize> = (0..client.principals()).filter(is_new).collect();
        let lookers = if all.len() >= WELL_OFF { 2 } else { 1 };
        let asking = all.split_off(lookers.min(all.len()));
        (all, asking)
    }

    /// Asks, as it is assigned, until enough was seen at each place. False if the time was up before anything counted.
    async fn stage(&mut self, until: Duration) -> bool {
        let Some(assignment) = &self.assignment else { return false };
        let pages: Vec<usize> = assignment.askers.keys().copied().collect();
        let times = LEAST_IN_A_PASS.div_ceil(pages.len());
        let warm_up = WARM_UP.div_ceil(times);
        for pass in 0..warm_up + MOST_PASSES {
            let Some(assignment) = &mut self.assignment else { return false };
            let is_futile =
                |question: &Question| pass >= warm_up + NOTHING_AFTER && question.most_shown() < LEAST_SHOWN;
            let is_over = |question: &Question| question.is_told() || is_futile(question);
            if assignment.open().all(is_over) {
                break;
            }
            if self.clock.now() > until {
                // What was seen until now may be enough.
                return pass > warm_up;
            }
            let asked_about = assignment.open().filter(|question| !is_over(question));
            let victims: BTreeSet<usize> = asked_about.map(|question| question.victim).collect();
            let victims: Vec<usize> = victims.into_iter().collect();
            assignment.counts = pass >= warm_up;
            let pages: Vec<usize> = std::iter::repeat_n(&pages, times).flatten().copied().collect();
            self.pass(&pages, &victims).await;
        }
        true
    }

    /// All of these operations once, each with a victim behind it, several at a time; then the victims, by those who look.
    async fn pass(&mut self, pages: &[usize], victims: &[usize]) {
        let mut pages = pages.to_vec();
        pages.shuffle(&mut self.random);
        let (Some(assignment), Some(client)) = (&self.assignment, &self.client) else { return };
        let lookers = assignment.lookers.clone();
        let mut askers = assignment.askers.clone();
        for (victim, looker) in victims.iter().zip(lookers.iter().cycle()) {
            askers.entry(*victim).or_insert(*looker);
        }
        client.let_ask(AskOrder::ByPage(askers));
        let unusual: Vec<(usize, Option<Trigger>)> =
            pages.iter().filter_map(|page| Some((*page, Some(*assignment.odd.get(page)?)))).collect();
        if let Some(trigger) = unusual.first().and_then(|(_, trigger)| *trigger) {
            self.round(FoundBy::Trigger(trigger), self.one_by_one(&unusual, None, 0)).await;
        }
        let lanes = self.at_once().min(LEAST_IN_A_PASS);
        let mut beside = victims.iter().copied().cycle();
        let mut lane = |pages: &[usize], index: usize| {
            let shots: Vec<usize> = pages.iter().flat_map(|page| [*page].into_iter().chain(beside.next())).collect();
            let line = Line::of_pages(&shots);
            // What stays with a connection shows on that, what stays with a thread on any.
            if index.is_multiple_of(2) { line.on_one_connection() } else { line }
        };
        let size = pages.len().div_ceil(lanes).max(1);
        let lines = pages.chunks(size).enumerate().map(|(index, some)| lane(some, index)).collect();
        self.round(FoundBy::Sweep(SweepOrder::Mix), Recipe::of(lines)).await;
        let looked_at: Vec<usize> = std::iter::repeat_n(victims, LOOKS).flatten().copied().collect();
        let each = looked_at.len().div_ceil(lanes).max(1);
        for looker in lookers {
            if let Some(client) = &self.client {
                client.only_principal(Some(looker));
            }
            let lines = looked_at.chunks(each).map(Line::of_pages).collect();
            self.round(FoundBy::Sweep(SweepOrder::Mix), Recipe::of(lines)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(candidates: &[usize]) -> Question {
        Question {
            victim: 0,
            place: String::new(),
            candidates: candidates.to_vec(),
            shown: BTreeMap::new(),
            stale: BTreeSet::new(),
            state: QuestionState::Open,
        }
    }

    /// The one source of a question of so many operations is found in so many stages, if what it leaves is seen.
    fn stages_until_found(count: usize, source: usize, principals: &[usize]) -> usize {
        let mut assignment =
            Assignment { questions: vec![question(&(0..count).collect::<Vec<_>>())], ..Assignment::default() };
        for stage in 1..=MOST_STAGES {
            assignment.assign(principals);
            let Assignment { askers, questions, .. } = &mut assignment;
            questions[0].shown = BTreeMap::from([(askers[&source], ENOUGH)]);
            questions[0].narrow(askers);
            if questions[0].state == QuestionState::Answered {
                assert_eq!(questions[0].candidates, [source]);
                // The last one confirms it.
                return stage - 1;
            }
        }
        panic!("{source} of {count} was not found by {}", principals.len());
    }

    #[test]
    fn whose_data_is_seen_names_the_operation() {
        let fourteen: Vec<usize> = (2..16).collect();
        for (count, principals, stages) in
            [(10, &fourteen[..], 1), (50, &fourteen, 2), (196, &fourteen, 2), (1000, &fourteen, 3), (27, &[1, 2, 3], 3)]
        {
            for source in [0, count / 2, count - 1] {
                assert_eq!(stages_until_found(count, source, principals), stages, "{count}");
            }
        }
    }

    #[test]
    fn what_was_left_there_before_names_nothing() {
        let mut assignment = Assignment { questions: vec![question(&[1, 2, 3])], ..Assignment::default() };
        assignment.assign(&[7, 8, 9]);
        let Assignment { askers, questions, .. } = &mut assignment;
        questions[0].shown = BTreeMap::from([(askers[&1], 2), (askers[&2], 4), (askers[&3], 9), (99, 5)]);
        questions[0].narrow(askers);
        assert_eq!((questions[0].candidates.as_slice(), questions[0].state), ([2, 3].as_slice(), QuestionState::Open));
        assignment.assign(&[7, 8, 9, 10, 11]);
        let Assignment { askers, questions, .. } = &mut assignment;
        assert!(askers.values().all(|asker| *asker > 9), "others ask now");
        questions[0].shown = BTreeMap::from([(askers[&3], 9)]);
        questions[0].narrow(askers);
        assert_eq!((questions[0].candidates.as_slice(), questions[0].state), ([3].as_slice(), QuestionState::Open));
    }

    #[test]
    fn two_sources_are_both_named_and_nothing_seen_names_none() {
        let mut assignment =
            Assignment { questions: vec![question(&[1, 2]), question(&[1, 2])], ..Assignment::default() };
        assignment.assign(&[7, 8, 9]);
        let Assignment { askers, questions, .. } = &mut assignment;
        questions[0].shown = BTreeMap::from([(askers[&1], 6), (askers[&2], 9)]);
        questions[0].narrow(askers);
        questions[1].narrow(askers);
        assert_eq!(
            (questions[0].candidates.as_slice(), questions[0].state),
            ([1, 2].as_slice(), QuestionState::Answered)
        );
        assert_eq!(questions[1].state, QuestionState::GivenUp);
    }

    #[test]
    fn what_comes_from_everywhere_has_no_source() {
        let mut assignment =
            Assignment { questions: vec![question(&(0..50).collect::<Vec<_>>())], ..Assignment::default() };
        assignment.assign(&(2..16).collect::<Vec<_>>());
        let Assignment { askers, questions, .. } = &mut assignment;
        questions[0].shown = askers.values().map(|asker| (*asker, 5)).collect();
        questions[0].narrow(askers);
        assert_eq!(questions[0].state, QuestionState::GivenUp);
    }

    #[test]
    fn who_was_seen_before_asks_for_none_of_the_rest_if_others_can() {
        let mut assignment = Assignment { questions: vec![question(&[1, 2])], ..Assignment::default() };
        assignment.questions[0].stale = BTreeSet::from([7]);
        assignment.assign(&[7, 8, 9]);
        let askers: BTreeSet<usize> = assignment.askers.values().copied().collect();
        assert_eq!(askers, BTreeSet::from([8, 9]));
    }
}
