//! What a sweep creates it removes again, the last first, also after an interruption.

use std::time::Duration;

use futures::future::join_all;
use tracing::debug;

use super::super::client::{Ask, CheckClient, Created, Wire};
use super::super::identity::Identity;
use super::super::observation::Observation;
use super::super::recipe::{Anomaly, Recipe, RecipeRequest};
use super::{Sweep, principals};
use crate::scenario::{SweepOperation, SweepSpec};

/// Things of one kind that are created at most.
const MOST_OF_A_KIND: usize = 1000;
/// To remove everything.
const TIME: Duration = Duration::from_secs(20);
/// Removed at once.
const AT_ONCE: usize = 16;

impl Sweep<'_> {
    /// Takes what responses give to their principals, and what they say was created.
    pub(super) fn note_captures(&mut self, observations: &[Observation]) {
        let Some(client) = &self.client else { return };
        for observation in observations {
            let seen = &observation.seen;
            let Some(principal) = seen.principal.and_then(|owner| client.principal_of(owner)) else { continue };
            principals::take_captures(client, &self.spec.operations, principal, observation);
        }
        self.take_created();
    }

    fn take_created(&mut self) {
        let Some(client) = &self.client else { return };
        let created = client.take_created();
        self.findings.created += created.len() as u64;
        self.created.extend(created);
    }

    /// A recipe without requests that would create more of a kind than are created.
    pub(super) fn without_what_is_full(&self, mut recipe: Recipe) -> Recipe {
        let is_full = |page: usize| {
            let capture = self.spec.operations.get(page).and_then(|one| one.operation.creates.as_ref());
            capture.is_some_and(|name| self.created.iter().filter(|one| one.capture == *name).count() >= MOST_OF_A_KIND)
        };
        if self.created.len() >= MOST_OF_A_KIND {
            recipe.lines.iter_mut().for_each(|line| line.shots.retain(|shot| !is_full(shot.page)));
        }
        recipe
    }

    /// Removes what was created. What cannot be removed stays on the list, as does what there is no time for.
    pub(super) async fn clean_up(&mut self) {
        self.take_created();
        let Some(client) = &self.client else { return };
        let removal = remove(client, &self.spec.operations, &mut self.created);
        let observations = tokio::time::timeout(TIME, removal).await;
        self.ledger.take(&mut observations.unwrap_or_default(), self.situation.premises, false);
        debug!(left = self.created.len(), "clean-up");
    }

    /// Operations by which something was created that is still there, and how much.
    pub(super) fn left_behind(&self) -> Vec<(String, u64)> {
        let mut left: std::collections::BTreeMap<String, u64> = std::collections::BTreeMap::new();
        for one in &self.created {
            if let Some(operation) = self.spec.operations.get(one.page) {
                *left.entry(operation.name().to_owned()).or_default() += 1;
            }
        }
        left.into_iter().collect()
    }
}

/// Removes what the client has created, as far as there are operations for it: for a replay.
pub(in crate::dirty) async fn remove_created(client: &CheckClient, spec: &SweepSpec) {
    let mut created = client.take_created();
    let in_time = tokio::time::timeout(TIME, remove(client, &spec.operations, &mut created)).await;
    debug!(in_time = in_time.is_ok(), left = created.len(), "clean-up");
}

/// Removes things, the last first, and takes each off the list once it is gone, so that the list is right whenever this ends.
/// What the requests were answered.
async fn remove(client: &CheckClient, operations: &[SweepOperation], created: &mut Vec<Created>) -> Vec<Observation> {
    let remover = |created: &Created| {
        let removes = |one: &SweepOperation| one.cleanup && one.operation.deletes.as_ref() == Some(&created.capture);
        operations.iter().position(removes)
    };
    let mut all = Vec::new();
    let mut end = created.len();
    while end > 0 {
        let from = end.saturating_sub(AT_ONCE);
        let these = created[from..end].to_vec();
        let ask = |one: &Created| {
            let (page, asker) = (remover(one), client.principal(one.principal));
            let one = one.clone();
            async move {
                let (page, asker) = (page?, asker?);
                let mut session = asker.session.clone();
                session.set_captured(&one.capture, &one.value);
                let own = Identity { session, ..asker };
                let identity = client.on_behalf_of(&own, client.stranger(Anomaly::None));
                let ask = Ask { shot: RecipeRequest::of_page(page), ..Ask::alone(&identity) };
                client.send(&mut Wire::default(), &ask).await;
                Some(identity.number)
            }
        };
        let asked = join_all(these.iter().rev().map(ask)).await;
        let observations = client.take_observations();
        drop(client.take_strays());
        // What is answered 404 is gone: somebody else has removed it, or it went with another.
        let is_gone = |status: u16| status < 400 || matches!(status, 404 | 410);
        let gone = |asker: &Option<u64>| {
            let of = |o: &&Observation| asker.is_some() && o.seen.identity == *asker;
            observations.iter().find(of).and_then(|o| o.seen.status()).is_some_and(is_gone)
        };
        for (index, _) in (from..end).rev().zip(&asked).filter(|(_, asker)| gone(asker)) {
            created.remove(index);
        }
        all.extend(observations);
        end = from;
    }
    all
}
