//! What is out of the ordinary, for many operations in one round, with all operations as followers: a client that leaves, a
//! handler that fails, a large body, the same connection for another user. A canary names the request that brought it, so
//! that it need not be asked for one operation at a time.

use std::time::Duration;

use rand::RngExt as _;
use rand::seq::SliceRandom as _;

use super::super::evidence::FoundBy;
use super::super::recipe::{Anomaly, Line, Principal, Recipe, RecipeRequest, Start};
use super::super::triggers::Situation;
use super::{Sweep, orders};
use crate::scenario::import::Effect;
use crate::trigger::Trigger;

/// What is tried, the quickest first, and how often: a handler may fail at one of several ways to spoil its request.
pub(super) const TRIGGERS: [(Trigger, u64); 9] = [
    (Trigger::Error, 3),
    (Trigger::Abort, 3),
    (Trigger::KeepAlive, 1),
    (Trigger::Anonymous, 1),
    (Trigger::Residue, 1),
    (Trigger::Pipeline, 1),
    (Trigger::Big, 1),
    (Trigger::Gate, 1),
    (Trigger::Slow, 1),
];

/// The requests of a wave begin within so many milliseconds; those of clients that leave.
const SPREAD_MS: f64 = 30.0;
const LEAVING_MS: f64 = 2.0;
/// So many leave at once: of more a busy server would not have begun to handle the last ones when they leave.
const LEAVING: usize = 16;
/// How far into their handling clients leave, and how many milliseconds later somebody else comes: within any time that a late
/// response may need, and also when the server takes a while to notice who left.
const PARTS: [f64; 4] = [0.5, 0.2, 0.8, 0.05];
const DELAYS_MS: [f64; 5] = [0.0, 1.0, 3.0, 10.0, 30.0];
/// How many requests for one operation get through the gate at once.
const AT_THE_GATE: usize = 8;
/// A slow client sends half of its request so many milliseconds after the other half.
const HALT_MS: f64 = 300.0;

impl Sweep<'_> {
    /// Each trigger for all operations, until all had their turn or the time is up.
    pub(super) async fn unusual(&mut self, until: Duration) {
        for (trigger, turns) in TRIGGERS {
            for turn in 0..turns {
                self.wave(trigger, turn, Some(until)).await;
            }
        }
    }

    /// A trigger for all operations that it suits, as many at a time as the server takes.
    pub(super) async fn wave(&mut self, trigger: Trigger, turn: u64, until: Option<Duration>) {
        if !self.plan.triggers.contains(&trigger) {
            return;
        }
        let mut pages = self.ledger.able();
        pages.retain(|page| self.suits(trigger, turn, *page));
        pages.shuffle(&mut self.random);
        let size = match trigger {
            Trigger::Gate => self.at_once() / AT_THE_GATE,
            Trigger::Abort => self.at_once().min(LEAVING),
            _ => self.at_once(),
        };
        // Each follows about as often as any other. Who is about to leave comes before that, and so sees what was left to it.
        let mut followers = orders::shuffled(&self.ledger.able(), usize::MAX, &mut self.random).concat();
        if trigger == Trigger::Abort {
            followers.clone_from(&pages);
            followers.rotate_left(size.min(pages.len()));
        }
        let mut followers = followers.into_iter().cycle();
        for part in pages.chunks(size.max(1)) {
            if self.is_out_of_time() || until.is_some_and(|until| self.clock.now() > until) {
                return;
            }
            let mut lines = Vec::new();
            for (index, page) in part.iter().enumerate() {
                let spread = if trigger == Trigger::Abort { LEAVING_MS } else { SPREAD_MS };
                let start = self.random.random_range(0.0..spread);
                let mut odd = Odd { sweep: self, followers: &mut followers, page: *page, turn: turn as usize + index };
                let of_page = odd.lines(trigger, turn as usize, lines.len());
                // What waits for nobody begins at its own time.
                lines.extend(of_page.into_iter().map(|line| match line.start {
                    Start::At(_) => line.starting(Start::At(start)),
                    _ => line,
                }));
            }
            self.round(FoundBy::Trigger(trigger), Recipe::of(lines)).await;
        }
    }

    fn suits(&self, trigger: Trigger, turn: u64, page: usize) -> bool {
        let situation = self.situation_of(page);
        // Each way to spoil a request once.
        let is_new = turn == 0 || trigger != Trigger::Error || (turn as usize) < situation.malformed;
        is_new && trigger.strategy().obstacle(&situation).is_none() && !self.is_unsafe_to_spoil(page, trigger)
    }

    /// What a trigger must know of one operation.
    fn situation_of(&self, page: usize) -> Situation {
        let client = self.client.as_ref();
        let nobody = client.is_some_and(|client| client.forms.has_anonymous(page));
        Situation {
            alone: self.ledger.operations.get(page).map(|state| state.took).unwrap_or_default(),
            no_anonymous: (!nobody).then(|| "it cannot be asked without saying who asks".to_owned()),
            malformed: client.map_or(0, |client| client.forms.malformed_of(page)),
            same_url: false,
            ..self.situation.clone()
        }
    }

    /// A write that is sent many times over, or cut off, does more than is asked.
    fn is_unsafe_to_spoil(&self, page: usize, trigger: Trigger) -> bool {
        let writes = self.ledger.operations.get(page).is_some_and(|state| state.effect != Some(Effect::Read));
        writes && matches!(trigger, Trigger::Gate | Trigger::Residue)
    }
}

/// One operation's part in a wave.
struct Odd<'a, 's, F> {
    sweep: &'a Sweep<'s>,
    followers: &'a mut F,
    page: usize,
    /// Differs from one operation to the next.
    turn: usize,
}

impl<F: Iterator<Item = usize>> Odd<'_, '_, F> {
    /// Its lines, of which the first has this index.
    fn lines(&mut self, trigger: Trigger, turn: usize, index: usize) -> Vec<Line> {
        let page = self.page;
        let twisted = |twist: Anomaly| RecipeRequest { page, ..RecipeRequest::twisted(twist) };
        match trigger {
            Trigger::Abort => {
                let takes = self.sweep.situation_of(page).part_of(None, PARTS[self.turn % PARTS.len()]);
                let left = Line::of(vec![twisted(Anomaly::Abort(takes.max(0.5)))]);
                let pause_ms = DELAYS_MS[self.turn % DELAYS_MS.len()];
                let soon = RecipeRequest { pause_ms, ..self.next() };
                vec![left, Line::of(vec![soon]).starting(Start::After(index))]
            }
            Trigger::Anonymous => {
                let nobody = vec![self.next_nobody(), self.next_nobody()];
                vec![Line::of(vec![orders::ask(page)]), Line::of(nobody).starting(Start::After(index))]
            }
            Trigger::Gate => vec![Line::of(vec![orders::ask(page)]).starting(Start::Gate); AT_THE_GATE],
            Trigger::Pipeline => {
                let shots = vec![orders::ask(page), self.next(), self.next_nobody()];
                vec![Line { pipelined: true, ..Line::of(shots).on_one_connection() }]
            }
            Trigger::KeepAlive => {
                let shots = vec![orders::ask(page), self.next_nobody(), self.next(), self.nobody(page)];
                vec![Line::of(shots).on_one_connection()]
            }
            Trigger::Residue => {
                let short = RecipeRequest { twist: Anomaly::ShortCanary, ..self.next() };
                vec![Line::of(vec![twisted(Anomaly::LongCanary), short, self.nobody(page)]).on_one_connection()]
            }
            Trigger::Big => {
                vec![Line::of(vec![twisted(Anomaly::Big), self.next(), self.next_nobody()]).on_one_connection()]
            }
            Trigger::Slow => vec![Line::of(vec![twisted(Anomaly::Halting(HALT_MS)), self.next()]).on_one_connection()],
            _ => vec![Line::of(vec![twisted(Anomaly::Malformed(turn)), self.next()]).on_one_connection()],
        }
    }

    /// A follower.
    fn next(&mut self) -> RecipeRequest {
        orders::ask(self.followers.next().unwrap_or(self.page))
    }

    /// A follower that does not say who asks, where that is possible.
    fn next_nobody(&mut self) -> RecipeRequest {
        let page = self.followers.next().unwrap_or(self.page);
        self.nobody(page)
    }

    fn nobody(&self, page: usize) -> RecipeRequest {
        let has_anonymous = self.sweep.client.as_ref().is_some_and(|client| client.forms.has_anonymous(page));
        let who = if has_anonymous { Principal::Nobody } else { Principal::Another };
        RecipeRequest { who, ..orders::ask(page) }
    }
}
