//! What is out of the ordinary, for one operation after another, with all of them as followers: a client that leaves, a
//! handler that fails, a large body, the same connection for another user.

use std::time::Duration;

use rand::seq::SliceRandom as _;

use super::super::evidence::FoundBy;
use super::super::recipe::{Anomaly, Principal, Recipe};
use super::super::triggers::Situation;
use super::Sweep;
use crate::scenario::import::Effect;
use crate::trigger::Trigger;

/// What is tried for each operation, the quickest first.
const TRIGGERS: [Trigger; 9] = [
    Trigger::KeepAlive,
    Trigger::Anonymous,
    Trigger::Error,
    Trigger::Abort,
    Trigger::SameKey,
    Trigger::Residue,
    Trigger::Pipeline,
    Trigger::Big,
    Trigger::Gate,
];
/// How often each is tried for one operation: a handler may fail at one of several ways to spoil its request.
const fn turns(trigger: Trigger) -> u64 {
    match trigger {
        Trigger::Error => 3,
        Trigger::Abort => 2,
        _ => 1,
    }
}

/// Of the followers, one in so many asks for the same operation.
const SAME: usize = 3;
/// A recipe of more requests than this is thinned out.
const MOST_REQUESTS: usize = 60;

impl Sweep<'_> {
    /// Each trigger for each operation, in an order drawn anew for each, until all had their turn or the time is up.
    pub(super) async fn unusual(&mut self, until: Duration) {
        let triggers: Vec<Trigger> =
            TRIGGERS.into_iter().filter(|trigger| self.plan.triggers.contains(trigger)).collect();
        let turns = triggers.into_iter().flat_map(|trigger| (0..turns(trigger)).map(move |turn| (trigger, turn)));
        for (trigger, turn) in turns {
            let mut pages = self.ledger.able();
            pages.shuffle(&mut self.random);
            for page in pages {
                if self.is_out_of_time() || self.clock.now() > until {
                    return;
                }
                let situation = self.situation_of(page);
                if trigger.strategy().obstacle(&situation).is_some() || self.is_unsafe_to_spoil(page, trigger) {
                    continue;
                }
                // Each way to spoil a request once.
                if turn > 0 && trigger == Trigger::Error && turn as usize >= situation.malformed {
                    continue;
                }
                let recipe = trigger.strategy().recipe(&situation, turn);
                let recipe = self.mixed(thinned(recipe), page);
                self.round(FoundBy::Trigger(trigger), recipe).await;
            }
        }
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
        writes && matches!(trigger, Trigger::Gate | Trigger::Residue | Trigger::SameKey)
    }

    /// A recipe whose first and unusual requests are for one operation, and the others for all in turn, those first that were
    /// exposed least.
    fn mixed(&self, mut recipe: Recipe, page: usize) -> Recipe {
        let mut others = self.ledger.able();
        others.sort_by_key(|page| self.ledger.operations[*page].exposures);
        let mut next = others.into_iter().cycle();
        let has_anonymous = |page: usize| self.client.as_ref().is_some_and(|client| client.forms.has_anonymous(page));
        let (mut is_first, mut followers) = (true, 0);
        for shot in recipe.lines.iter_mut().flat_map(|line| &mut line.shots) {
            let is_odd = is_first || shot.twist != Anomaly::None;
            is_first = false;
            followers += usize::from(!is_odd);
            shot.page = match is_odd || followers % SAME == 1 {
                true => page,
                false => next.next().unwrap_or(page),
            };
            if shot.who == Principal::Nobody && !has_anonymous(shot.page) {
                shot.who = Principal::Another;
            }
        }
        recipe
    }
}

/// A recipe with fewer requests on each line, and as many lines.
fn thinned(mut recipe: Recipe) -> Recipe {
    let count = recipe.shots().count();
    let until: usize = recipe.lines.iter().filter_map(|line| line.until).map(|until| until.most as usize).sum();
    if count + until > MOST_REQUESTS {
        // Each line has one at least.
        let room = MOST_REQUESTS.saturating_sub(recipe.lines.len());
        for line in &mut recipe.lines {
            let kept = (line.shots.len() * room / count.max(1)).max(1);
            line.shots.truncate(kept);
            line.until = None;
        }
    }
    recipe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dirty::recipe::{Line, RecipeRequest, Until};

    #[test]
    fn a_long_recipe_is_thinned_out_and_keeps_its_lines() {
        let line = |count| Line::of(vec![RecipeRequest::plain(); count]);
        let recipe =
            Recipe::of(vec![line(1), Line { until: Some(Until { line: 0, most: 250 }), ..line(1) }, line(200)]);
        let thin = thinned(recipe);
        assert!(thin.lines.len() == 3 && thin.shots().count() <= MOST_REQUESTS && thin.lines[1].until.is_none());
        let short = Recipe::of(vec![line(3)]);
        assert_eq!(thinned(short.clone()), short);
    }
}
