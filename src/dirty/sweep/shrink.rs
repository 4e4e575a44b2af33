//! What was found, one finding a cause, each with the least that shows it.
//!
//! Values that get from the same operations into the same others have one cause, as far as can be told: what joins them is that
//! they share a source or a victim.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::diagnosis::{self, ExperimentContext};
use super::super::experiment::Participants;
use super::super::personas::Personas;
use super::super::recipe::{Anomaly, Recipe};
use super::super::triggers::Situation;
use super::Sweep;
use super::edge::{CarrierKind, EdgeKey, EdgeState};
use super::findings::Finding;

/// For all findings together, as a part of the time of the sweep, and at least and at most.
const SHARE: u32 = 4;
const LEAST: Duration = Duration::from_secs(10);
const MOST: Duration = Duration::from_secs(60);
/// For one of them.
const MOST_EACH: Duration = Duration::from_secs(6);
/// A source that brought less than such a part of what the victim's most frequent one did joins it to nothing else.
const STRONG: u64 = 8;
/// Operations in which values of two kinds must both show before they count as of one cause.
const MANY: usize = 3;
/// Pairs of a finding that are tried until one shows it.
const MOST_PAIRS: usize = 3;

impl Sweep<'_> {
    /// Narrows each finding down, for as long as that is worth.
    pub(super) async fn shrink(&mut self) {
        if !self.gather().await {
            return;
        }
        self.fill_captures().await;
        self.close();
        self.trace_by_assignment().await;
        self.leaks.trace_principals(&self.ledger);
        let groups = groups(
            self.leaks
                .edges
                .iter()
                .filter(|(_, edge)| edge.state == EdgeState::Leaked)
                .map(|(key, edge)| (key, edge.count)),
        );
        let now = self.clock.now();
        let until = now + (self.plan.budget.time / SHARE).clamp(LEAST, MOST);
        let count = groups.len().max(1) as u32;
        for (done, group) in groups.into_iter().enumerate() {
            let left = until.saturating_sub(self.clock.now());
            let share = (left / (count - done as u32).max(1)).min(MOST_EACH);
            let finding = self.narrow(&group, self.clock.now() + share).await;
            // It does not take another request at the same time, so that it may as well be a store.
            let shrunk = finding.evidence.as_ref().and_then(|evidence| evidence.shrunk.as_ref());
            let is_in_turn = shrunk.is_some_and(|shrunk| shows_in_turn(&shrunk.recipe, shrunk.shown));
            if is_in_turn && self.is_of_writes(&group) {
                group.iter().for_each(|key| self.leaks.note_settled(key, EdgeState::Unsettled));
                continue;
            }
            self.findings.found.push(finding);
        }
        // Responses in which a leak showed while it was narrowed down say nothing new.
        if let Some(client) = &self.client {
            drop((client.take_observations(), client.take_strays()));
        }
    }

    /// Whether all that leaked there was brought by writes that were answered well.
    fn is_of_writes(&self, group: &[EdgeKey]) -> bool {
        group.iter().all(|key| {
            let source = self.leaks.edges.get(key).and_then(|edge| edge.first.source.as_ref());
            let may_be_stored = source.is_some_and(|seen| self.ledger.may_be_stored(seen, false));
            key.carrier == CarrierKind::Request && may_be_stored
        })
    }

    /// One finding: of its pairs those are tried that showed it most often.
    async fn narrow(&mut self, group: &[EdgeKey], until: Duration) -> Finding {
        let mut order: Vec<&EdgeKey> = group.iter().collect();
        let count = |key: &EdgeKey| self.leaks.edges.get(key).map_or(0, |edge| edge.count);
        // One of which the request is known says more than one of a principal.
        order.sort_by_key(|key| (key.carrier, std::cmp::Reverse(count(key))));
        let mut evidence = None;
        let tried = order.len().min(MOST_PAIRS) as u32;
        for (index, key) in order.into_iter().take(MOST_PAIRS).enumerate() {
            let Some(edge) = self.leaks.edges.get(key) else { continue };
            let mut one = edge.evidence();
            let now = self.clock.now();
            let each = now + until.saturating_sub(now) / (tried - index as u32).max(1);
            let took = |page: usize| self.ledger.operations.get(page).map(|state| state.took).unwrap_or_default();
            // The source comes in the middle of the victim.
            let situation = Situation { alone: took(key.victim), ..self.situation.clone() };
            let shown = match &self.client {
                Some(client) => {
                    let personas = Personas::default();
                    let context = ExperimentContext {
                        client,
                        participants: Participants { personas: &personas, in_turn: false },
                        situation: &situation,
                        clock: &self.clock,
                        time: self.plan.budget.time,
                        slow_start: true,
                        tries: Cell::new(self.tries),
                    };
                    let shown = diagnosis::narrow_down(&mut one, &context, each).await;
                    self.tries = context.tries.get();
                    shown
                }
                None => false,
            };
            let is_better = evidence.is_none() || shown;
            if is_better {
                evidence = Some(one);
            }
            if shown || self.clock.now() >= until {
                break;
            }
        }
        Finding::of(group, &self.leaks, evidence)
    }

    /// Those that were never narrowed down, as they were found.
    pub(super) fn rough_findings(&self) -> Vec<Finding> {
        let leaked = self.leaks.edges.iter().filter(|(_, edge)| edge.state == EdgeState::Leaked);
        let groups = groups(leaked.map(|(key, edge)| (key, edge.count)));
        let rough = groups.into_iter().map(|group| {
            let first = group.iter().max_by_key(|key| self.leaks.edges.get(key).map_or(0, |edge| edge.count));
            let evidence = first.and_then(|key| self.leaks.edges.get(key)).map(|edge| edge.evidence());
            Finding::of(&group, &self.leaks, evidence)
        });
        rough.collect()
    }
}

/// Whether it shows where ordinary requests are sent one after the other.
fn shows_in_turn(recipe: &Recipe, shown: u64) -> bool {
    let is_plain = recipe.shots().all(|(_, shot)| shot.twist == Anomaly::None);
    shown > 0 && is_plain && matches!(recipe.lines.as_slice(), [line] if !line.pipelined)
}

/// Edges that have one cause, as far as can be told; the largest groups first.
fn groups<'k>(edges: impl Iterator<Item = (&'k EdgeKey, u64)>) -> Vec<Vec<EdgeKey>> {
    let edges: Vec<(&EdgeKey, u64)> = edges.collect();
    // Each edge joins its source to its victim: as two nodes, so that an operation that is both joins nothing.
    let mut parents: Vec<usize> = (0..edges.len()).collect();
    fn root(parents: &mut [usize], mut at: usize) -> usize {
        while parents[at] != at {
            parents[at] = parents[parents[at]];
            at = parents[at];
        }
        at
    }
    let mut most: BTreeMap<(CarrierKind, usize), u64> = BTreeMap::new();
    for (key, count) in &edges {
        let known = most.entry((key.carrier, key.victim)).or_default();
        *known = (*count).max(*known);
    }
    let mut first: BTreeMap<(CarrierKind, bool, Option<usize>), usize> = BTreeMap::new();
    for (index, (key, count)) in edges.iter().enumerate() {
        // One whose source is not known, or is one of many by chance, is joined by its victim alone.
        let is_strong = count * STRONG >= most.get(&(key.carrier, key.victim)).copied().unwrap_or_default();
        let source = key.source.filter(|_| is_strong).map(|source| (key.carrier, true, Some(source)));
        for node in source.into_iter().chain([(key.carrier, false, Some(key.victim))]) {
            let other = *first.entry(node).or_insert(index);
            let (one, other) = (root(&mut parents, index), root(&mut parents, other));
            parents[one] = other;
        }
    }
    let mut groups: BTreeMap<usize, Vec<EdgeKey>> = BTreeMap::new();
    for (index, (key, _)) in edges.iter().enumerate() {
        groups.entry(root(&mut parents, index)).or_default().push((*key).clone());
    }
    let pairs = |group: &[EdgeKey]| group.iter().map(|key| (key.source, key.victim)).collect::<BTreeSet<_>>().len();
    let mut groups: Vec<Vec<EdgeKey>> = groups.into_values().collect();
    groups.sort_by_key(|group| std::cmp::Reverse(pairs(group)));
    join_kinds(groups)
}

/// Joins groups of different carriers that show in the same operations, if these are many: what a middleware keeps shows there
/// whether a request or its principal brought it.
fn join_kinds(groups: Vec<Vec<EdgeKey>>) -> Vec<Vec<EdgeKey>> {
    let victims = |group: &[EdgeKey]| group.iter().map(|key| key.victim).collect::<BTreeSet<usize>>();
    let kinds = |group: &[EdgeKey]| group.iter().map(|key| key.carrier).collect::<BTreeSet<CarrierKind>>();
    let mut joined: Vec<Vec<EdgeKey>> = Vec::new();
    for group in groups {
        let (mine, carriers) = (victims(&group), kinds(&group));
        let is_same = |other: &&mut Vec<EdgeKey>| {
            let theirs = victims(other);
            let (both, either) = (mine.intersection(&theirs).count(), mine.union(&theirs).count());
            both >= MANY && 2 * both >= either && kinds(other).is_disjoint(&carriers)
        };
        match joined.iter_mut().find(is_same) {
            Some(same) => same.extend(group),
            None => joined.push(group),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::super::super::recipe::{Line, RecipeRequest};
    use super::*;

    fn key(source: usize, victim: usize) -> EdgeKey {
        EdgeKey { source: Some(source), victim, carrier: CarrierKind::Request, place: "body".to_owned() }
    }

    #[test]
    fn what_shows_in_turn_needs_no_other_request_at_the_same_time() {
        let plain = RecipeRequest::plain;
        let shows = |shown: u64, lines: Vec<Line>| shows_in_turn(&Recipe::of(lines), shown);
        assert!(shows(4, vec![Line::of(vec![plain(); 2])]));
        assert!(!shows(0, vec![Line::of(vec![plain(); 2])]), "it never did");
        assert!(!shows(4, vec![Line::of(vec![plain()]); 2]), "at the same time");
        assert!(
            !shows(4, vec![Line::of(vec![RecipeRequest::twisted(Anomaly::Abort(5.0)), plain()])]),
            "its client left"
        );
    }

    #[test]
    fn what_shares_a_source_or_a_victim_has_one_cause() {
        let edges = [key(1, 2), key(3, 2), key(3, 4), key(7, 8), key(8, 7)];
        let groups = groups(edges.iter().map(|key| (key, 1)));
        let sizes: Vec<usize> = groups.iter().map(Vec::len).collect();
        assert_eq!(sizes, [3, 1, 1], "{groups:?}");
        // What came by chance from a source of another leak joins nothing.
        let edges = [(key(1, 2), 100), (key(3, 2), 5), (key(3, 4), 80)];
        let groups = super::groups(edges.iter().map(|(key, count)| (key, *count)));
        assert_eq!(groups.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1], "{groups:?}");
    }

    #[test]
    fn what_shows_in_the_same_many_operations_has_one_cause_whoever_brought_it() {
        let of = |victims: &[usize]| {
            let by_request = victims.iter().map(|victim| key(1, *victim));
            let by_principal = [3, 4, 5].map(|victim| EdgeKey { carrier: CarrierKind::Principal, ..key(2, victim) });
            let keys: Vec<EdgeKey> = by_request.chain(by_principal).collect();
            groups(keys.iter().map(|key| (key, 1))).len()
        };
        assert_eq!(of(&[3, 4, 5, 6]), 1);
        // Two are a coincidence, and so are a few of many.
        assert_eq!(of(&[3, 4]), 2);
        assert_eq!(of(&[3, 4, 5, 6, 7, 8, 9]), 2);
    }
}
