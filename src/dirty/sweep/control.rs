//! Would a leak be seen? Two responses are exchanged when they have come, and judged as all others are.

use super::super::perform::Round;
use super::super::recipe::{Line, Recipe, RecipeRequest, Start};
use super::super::{PositiveControl, judge};
use super::Sweep;

/// How often, until it is seen: one of two responses may be a refusal.
const PLANTINGS: usize = 3;

impl Sweep<'_> {
    /// Plants a leak in an operation whose responses show what its requests bring, if there is one.
    pub(super) async fn plant(&mut self) {
        let operations = &self.ledger.operations;
        let mut able = self.ledger.able();
        able.sort_by_key(|page| !operations[*page].reflects);
        let reflects = |page: &usize| operations[*page].reflects || operations[*page].reflects_identity;
        let Some(page) = able.into_iter().find(reflects) else { return };
        for _ in 0..PLANTINGS {
            let Some(client) = &self.client else { return };
            let second = Line::of(vec![RecipeRequest::of_page(page)]).starting(Start::After(0));
            let recipe = Recipe::of(vec![Line::of(vec![RecipeRequest::of_page(page)]), second]);
            Round { client, recipe: &recipe, personas: &[], number: self.rounds, role: None }.perform().await;
            client.exchange_replies();
            let observations = client.take_observations();
            drop(client.take_strays());
            let found = observations.iter().any(|observation| judge::judge(observation, client).is_some());
            let before = self.findings.positive_control.map_or(0, |control| control.requests);
            let requests = before + observations.len() as u64;
            self.findings.positive_control = Some(PositiveControl { requests, found });
            self.note_captures(&observations);
            self.ledger.remember_planted(observations);
            if found {
                return;
            }
        }
    }
}
