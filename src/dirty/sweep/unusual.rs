//! What is out of the ordinary, for many operations in one round, with all operations as followers: a client that leaves, a
//! handler that fails, a large body, the same connection for another user. A canary names the request that brought it, so
//! that it need not be asked for one operation at a time.

use std::cmp::Reverse;
use std::time::Duration;

use rand::RngExt as _;
use rand::seq::SliceRandom as _;

use super::super::evidence::FoundBy;
use super::super::recipe::{Anomaly, Line, Recipe, RecipeRequest, Start};
use super::super::triggers::Situation;
use super::super::triggers::in_sweep::{InSweep, SweepPart};
use super::{Sweep, orders};
use crate::scenario::import::Effect;
use crate::trigger::Trigger;

/// The requests of a wave begin within so many milliseconds; those of clients that leave.
const SPREAD_MS: f64 = 30.0;
const LEAVING_MS: f64 = 2.0;

/// The triggers that are tried with each operation: those with most turns first, else in the order of the table.
pub(super) fn triggers() -> Vec<(Trigger, &'static dyn InSweep)> {
    let mut all: Vec<_> =
        Trigger::ALL.into_iter().filter_map(|trigger| Some((trigger, trigger.strategy().in_sweep()?))).collect();
    all.sort_by_key(|(_, strategy)| Reverse(strategy.turns()));
    all
}

impl Sweep<'_> {
    /// Each trigger for all operations, until all had their turn or the time is up.
    pub(super) async fn unusual(&mut self, until: Duration) {
        for (trigger, strategy) in triggers() {
            for turn in 0..strategy.turns() {
                self.wave(trigger, turn, Some(until)).await;
            }
        }
    }

    /// A trigger for all operations that it suits, as many at a time as the server takes.
    pub(super) async fn wave(&mut self, trigger: Trigger, turn: u64, until: Option<Duration>) {
        let Some(strategy) = trigger.strategy().in_sweep().filter(|_| self.plan.triggers.contains(&trigger)) else {
            return;
        };
        let mut pages = self.ledger.able();
        pages.retain(|page| self.suits(trigger, strategy, turn, *page));
        pages.shuffle(&mut self.random);
        let size = strategy.at_once(self.at_once());
        // Each follows about as often as any other. Who is about to leave comes before that, and so sees what was left to it.
        let mut followers = orders::shuffled(&self.ledger.able(), usize::MAX, &mut self.random).concat();
        if strategy.leaves() {
            followers.clone_from(&pages);
            followers.rotate_left(size.min(pages.len()));
        }
        let spread = if strategy.leaves() { LEAVING_MS } else { SPREAD_MS };
        let mut followers = followers.into_iter().cycle();
        for part in pages.chunks(size.max(1)) {
            if self.is_out_of_time() || until.is_some_and(|until| self.clock.now() > until) {
                return;
            }
            let mut lines = Vec::new();
            for (index, page) in part.iter().enumerate() {
                let start = self.random.random_range(0.0..spread);
                let mut part = self.part(*page, (turn as usize, index), lines.len(), &mut followers);
                // What waits for nobody begins at its own time.
                lines.extend(strategy.lines(&mut part).into_iter().map(|line| match line.start {
                    Start::At(_) => line.starting(Start::At(start)),
                    _ => line,
                }));
            }
            self.round(FoundBy::Trigger(trigger), Recipe::of(lines)).await;
        }
    }

    /// One operation after the other, each as its trigger asks for it, and each followed by `follower`, or else by itself; on one
    /// connection as long as nothing is odd.
    pub(super) fn one_by_one(
        &self,
        pages: &[(usize, Option<Trigger>)],
        follower: Option<usize>,
        turn: usize,
    ) -> Recipe {
        let mut lines: Vec<Line> = Vec::new();
        for (index, (page, trigger)) in pages.iter().enumerate() {
            let start = lines.len().checked_sub(1).map_or(Start::default(), Start::After);
            let allowed = trigger.filter(|trigger| self.plan.triggers.contains(trigger));
            let odd = allowed.and_then(|trigger| Some((trigger, trigger.strategy().in_sweep()?)));
            let follower = follower.unwrap_or(*page);
            let mut followers = std::iter::repeat(follower);
            let pair = [RecipeRequest::of_page(*page), RecipeRequest::of_page(follower)];
            let is_plain = |line: &&mut Line| line.reuse && line.shots.iter().all(|shot| shot.twist == Anomaly::None);
            match odd.filter(|(trigger, strategy)| self.suits(*trigger, *strategy, turn as u64, *page)) {
                Some((_, strategy)) => {
                    let part = strategy.lines(&mut self.part(*page, (turn, index), lines.len(), &mut followers));
                    lines.extend(part.into_iter().map(|line| match line.start {
                        Start::At(_) => line.starting(start),
                        Start::After(_) | Start::Gate => line,
                    }));
                }
                None => match lines.last_mut().filter(is_plain) {
                    Some(line) => line.shots.extend(pair),
                    None => lines.push(Line::of(pair.to_vec()).on_one_connection().starting(start)),
                },
            }
        }
        Recipe::of(lines)
    }

    /// An operation's part in a round, of which its first line has this index.
    fn part<'a>(
        &'a self,
        page: usize,
        (turn, variation): (usize, usize),
        index: usize,
        followers: &'a mut dyn Iterator<Item = usize>,
    ) -> SweepPart<'a> {
        let has_anonymous = Box::new(|page| self.has_anonymous(page));
        let (situation, variation) = (self.situation_of(page), turn + variation);
        SweepPart { page, situation, turn, variation, index, followers, has_anonymous }
    }

    fn suits(&self, trigger: Trigger, strategy: &dyn InSweep, turn: u64, page: usize) -> bool {
        let situation = self.situation_of(page);
        let writes = self.ledger.operations.get(page).is_some_and(|state| state.effect != Some(Effect::Read));
        strategy.has_turn(&situation, turn)
            && trigger.strategy().obstacle(&situation).is_none()
            && !(writes && strategy.only_reads())
    }

    fn has_anonymous(&self, page: usize) -> bool {
        self.client.as_ref().is_some_and(|client| client.forms.has_anonymous(page))
    }

    /// What a trigger must know of one operation.
    fn situation_of(&self, page: usize) -> Situation {
        let client = self.client.as_ref();
        let nobody = self.has_anonymous(page);
        Situation {
            alone: self.ledger.operations.get(page).map(|state| state.took).unwrap_or_default(),
            no_anonymous: (!nobody).then(|| "it cannot be asked without saying who asks".to_owned()),
            malformed: client.map_or(0, |client| client.forms.malformed_of(page)),
            same_url: false,
            ..self.situation.clone()
        }
    }
}
