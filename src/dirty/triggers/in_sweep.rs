//! What a trigger does in a sweep: there it is one operation's part in a round, beside the parts of other operations, and
//! followers are for operations of all kinds.

use super::super::recipe::{Anomaly, Line, Principal, RecipeRequest, Start};
use super::Situation;

/// A trigger that a sweep tries with each operation.
pub(in crate::dirty) trait InSweep: Send + Sync {
    /// How often it is tried with an operation at most.
    fn turns(&self) -> u64 {
        1
    }

    /// Whether an operation has something new for this turn, from 0.
    fn has_turn(&self, _situation: &Situation, _turn: u64) -> bool {
        true
    }

    /// With how many operations at once, on a server that is asked for this many.
    fn at_once(&self, most: usize) -> usize {
        most
    }

    /// Not with writes: it does more of them than are asked for, or leaves them half done.
    fn only_reads(&self) -> bool {
        false
    }

    /// Its clients leave, and each sees what the one before it has left.
    fn leaves(&self) -> bool {
        false
    }

    /// One operation's part in a round.
    fn lines(&self, part: &mut SweepPart<'_>) -> Vec<Line>;
}

/// One operation's part in a round of a sweep.
pub(in crate::dirty) struct SweepPart<'a> {
    /// The operation.
    pub page: usize,
    pub situation: Situation,
    /// How often the trigger was tried with the operation before.
    pub turn: usize,
    /// Differs from one operation to the next.
    pub variation: usize,
    /// The index of its first line in the recipe.
    pub index: usize,
    /// Operations that follow, about as often each.
    pub followers: &'a mut dyn Iterator<Item = usize>,
    /// Whether an operation can be asked without saying who asks.
    pub has_anonymous: Box<dyn Fn(usize) -> bool + 'a>,
}

impl SweepPart<'_> {
    /// A request for the operation.
    pub fn own(&self) -> RecipeRequest {
        RecipeRequest::of_page(self.page)
    }

    /// One that is sent in an unusual way.
    pub fn twisted(&self, twist: Anomaly) -> RecipeRequest {
        RecipeRequest { page: self.page, ..RecipeRequest::twisted(twist) }
    }

    /// A request for the operation that does not say who asks, where that is possible.
    pub fn nobody(&self) -> RecipeRequest {
        self.nobody_at(self.page)
    }

    /// A follower.
    pub fn next(&mut self) -> RecipeRequest {
        RecipeRequest::of_page(self.next_page())
    }

    /// A follower that does not say who asks, where that is possible.
    pub fn next_nobody(&mut self) -> RecipeRequest {
        let page = self.next_page();
        self.nobody_at(page)
    }

    /// Begins when the first line of the part has come to its end.
    pub fn after_first(&self) -> Start {
        Start::After(self.index)
    }

    fn next_page(&mut self) -> usize {
        self.followers.next().unwrap_or(self.page)
    }

    fn nobody_at(&self, page: usize) -> RecipeRequest {
        let who = if (self.has_anonymous)(page) { Principal::Nobody } else { Principal::Another };
        RecipeRequest { who, ..RecipeRequest::of_page(page) }
    }
}
