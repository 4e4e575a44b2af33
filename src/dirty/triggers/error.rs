//! Requests whose handler fails, then others: what a failure left undone shows in their answers, or in those to others that
//! fail.

use super::super::class::LeakClass;
use super::super::evidence::Leak;
use super::super::recipe::{Anomaly, Line, Recipe, RecipeRequest, Start};
use super::in_sweep::{InSweep, SweepPart};
use super::{Family, Situation, Strategy, followers};

/// How far into the first that fails others that fail come: what an error page tells is kept somewhere until it is written.
const PARTS: [f64; 3] = [0.0, 0.3, 0.6];

pub(super) struct Error;

impl Strategy for Error {
    fn family(&self) -> Family {
        Family::Error
    }

    fn obstacle(&self, situation: &Situation) -> Option<String> {
        (situation.malformed == 0).then(|| "there is nothing in the request that could be spoilt".to_owned())
    }

    /// Each way of spoiling in turn; followers on the same connection and over their own, and others that fail as well: at
    /// once, and one after the other.
    fn recipe(&self, situation: &Situation, round: u64) -> Recipe {
        let spoilt = RecipeRequest::twisted(Anomaly::Malformed(round as usize % situation.malformed.max(1)));
        let failing = Line::of(vec![spoilt, situation.follower(), RecipeRequest::plain()]).on_one_connection();
        let own = followers(situation, situation.followers() / 2, RecipeRequest::plain(), 0);
        let nobody = followers(situation, situation.followers() / 2, situation.follower(), 0);
        let beside =
            PARTS.iter().map(|part| Line::of(vec![spoilt, spoilt]).starting(Start::At(situation.part_of(None, *part))));
        let beside = beside.filter(|_| situation.one_at_a_time().is_none());
        let also = Line::of(vec![spoilt, spoilt]).starting(Start::After(0));
        Recipe::of([failing, also].into_iter().chain(own).chain(nobody).chain(beside).collect())
    }

    fn least_rounds(&self) -> u64 {
        24
    }

    fn first_look(&self) -> u64 {
        4
    }

    fn class(&self, _leak: &Leak, _round: &[Leak]) -> Option<LeakClass> {
        Some(LeakClass::ErrorPath)
    }

    fn in_sweep(&self) -> Option<&dyn InSweep> {
        Some(self)
    }
}

impl InSweep for Error {
    /// A handler may fail at one of several ways to spoil its request.
    fn turns(&self) -> u64 {
        3
    }

    /// Each way to spoil a request once.
    fn has_turn(&self, situation: &Situation, turn: u64) -> bool {
        (turn as usize) < situation.malformed
    }

    fn lines(&self, part: &mut SweepPart<'_>) -> Vec<Line> {
        let spoilt = part.twisted(Anomaly::Malformed(part.turn));
        vec![Line::of(vec![spoilt, part.next()]).on_one_connection()]
    }
}
