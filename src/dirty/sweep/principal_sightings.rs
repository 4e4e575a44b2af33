//! From which operations the values have come that all requests of a principal carry.

use std::collections::{BTreeMap, BTreeSet};

use super::super::evidence::Leak;
use super::ledger::Ledger;
use crate::trigger::Trigger;

/// So many operations at most explain all of them but for a tenth, and each of them so large a part of what is left.
const MOST_SOURCES: usize = 5;
const ENOUGH_EXPLAINED: f64 = 0.9;
const LEAST_EXPLAINED: f64 = 0.3;
/// Sightings by which a source is found, at most.
const MOST_SIGHTINGS: usize = 60;
/// What so few requests have left is explained by some operation of many by chance: of the sightings, one explains about a third.
const TELLING_REQUESTS: usize = 10;
/// Further ones, where it was found out by other means.
const MOST_EXAMPLES: usize = 20;
/// More sources than so many explain anything.
const FEW_SOURCES: usize = 2;
/// What a cache keeps shows so often before it shows the next, on average.
const SHOWN_FOR_A_WHILE: usize = 6;
/// Principals by whom it is found out what was kept for a time: at least, and at most.
const KEPT_OF: std::ops::RangeInclusive<usize> = 5..=12;

/// What a principal is known by, in a response to another.
#[derive(Debug, Clone)]
pub(super) struct PrincipalSighting {
    /// Operations from which it may have come, each with the owner of that request's own canary.
    pub suspects: Vec<(usize, u64)>,
    /// All operations that it had asked for; only of some sightings.
    pub asked: Vec<usize>,
    /// The owner of what was seen.
    pub principal: u64,
    pub leak: Leak,
}

/// Those at one place of an operation's responses: the first few, by which their source is found.
#[derive(Debug, Default)]
pub(super) struct PrincipalSightings {
    seen: Vec<PrincipalSighting>,
    /// The operations from which they have come, if that was found out by other means.
    known: Vec<usize>,
}

impl PrincipalSightings {
    pub fn extend(&mut self, more: Option<PrincipalSighting>) {
        self.seen.extend(more);
    }

    pub fn iter(&self) -> std::slice::Iter<'_, PrincipalSighting> {
        self.seen.iter()
    }

    /// Whether further ones would tell where they come from; where that is known, they are its examples.
    pub fn want_more(&self) -> bool {
        let most = if self.known.is_empty() { MOST_SIGHTINGS } else { MOST_SIGHTINGS + MOST_EXAMPLES };
        self.seen.len() < most
    }

    /// It was found out by other means from which operations they come: when they were shown counts no more.
    pub fn note_sources(&mut self, sources: &[usize]) {
        self.known = sources.to_vec();
    }

    /// Whether it is known from where they come: it was found out, or one operation explains nearly all of them, and there are
    /// enough of them that this is no chance.
    pub fn tell_source(&self, victim: usize, ledger: &Ledger) -> bool {
        if !self.known.is_empty() {
            return true;
        }
        let candidates = self.candidates(ledger);
        let [(page, _)] = candidates.as_slice() else { return false };
        // What is shown again and again of one request is one chance.
        let suspects = self.seen.iter().flat_map(|one| &one.suspects);
        let requests: BTreeSet<u64> = suspects.filter(|(at, _)| at == page).map(|(_, owner)| *owner).collect();
        requests.len() >= TELLING_REQUESTS && is_few(&self.latest_sources(victim, ledger))
    }

    /// The fewest operations that explain nearly all of them by when their principals have asked for these.
    fn latest_sources(&self, victim: usize, ledger: &Ledger) -> Vec<usize> {
        let pages = |one: &PrincipalSighting| one.suspects.iter().map(|(page, _)| *page).collect::<Vec<_>>();
        let suspects: Vec<Vec<usize>> = self.seen.iter().map(pages).collect();
        let suspects: Vec<&[usize]> = suspects.iter().map(Vec::as_slice).collect();
        tracing_sources(&suspects, &|page| self.likelihood(page, victim, ledger))
    }

    /// Whether its requests were odd, and whether it is the victim.
    fn likelihood(&self, page: usize, victim: usize, ledger: &Ledger) -> (bool, bool) {
        let is_odd = |owner: u64| ledger.request(owner).is_some_and(|seen| seen.role.is_odd());
        let odd = self.seen.iter().any(|one| one.suspects.iter().any(|(at, owner)| *at == page && is_odd(*owner)));
        (odd, page == victim)
    }

    /// Whether it tells more from where what is kept for a time comes, if all that this principal had asked for is known.
    pub fn want_all_of(&self, principal: u64) -> bool {
        let known = self.seen.iter().filter(|one| !one.asked.is_empty());
        known.clone().count() < *KEPT_OF.end() && known.clone().all(|one| one.principal != principal)
    }

    /// The few operations from which they have come to `victim`: those that explain nearly all; where no few do, the one that
    /// explains most. Where several explain as much, it is the victim itself: a cache shows at the page what it has kept of that
    /// page. Empty if nothing is known of them.
    pub fn sources(&self, victim: usize, ledger: &Ledger) -> Vec<usize> {
        if !self.known.is_empty() {
            return self.known.clone();
        }
        let likelier = |page: usize| self.likelihood(page, victim, ledger);
        let latest = self.latest_sources(victim, ledger);
        if is_few(&latest) {
            return latest;
        }
        let asked = self.seen.iter().map(|one| one.asked.as_slice()).filter(|asked| !asked.is_empty());
        let asked: Vec<&[usize]> = asked.collect();
        let in_all = asked
            .first()
            .map_or(0, |first| first.iter().filter(|page| asked.iter().all(|pages| pages.contains(page))).count());
        let kept = tracing_sources(&asked, &likelier);
        // What many may explain is explained by chance.
        let is_telling = asked.len() >= *KEPT_OF.start() && in_all <= FEW_SOURCES;
        if is_telling && is_few(&kept) {
            return kept;
        }
        // A cache shows few principals, each for a while.
        let principals: BTreeSet<u64> = self.seen.iter().map(|one| one.principal).collect();
        let are_kept = principals.len() * SHOWN_FOR_A_WHILE <= self.seen.len();
        let likeliest = || self.candidates(ledger).into_iter().map(|(page, _)| page).max_by_key(|page| likelier(*page));
        let own = (are_kept && asked.iter().any(|pages| pages.contains(&victim))).then_some(victim);
        own.or_else(likeliest).into_iter().collect()
    }

    /// The operations that come into question, of those from which nearly all may have come; one, if it is known. With the
    /// trigger that makes a request as odd as the one that is suspected, if it was odd.
    pub fn candidates(&self, ledger: &Ledger) -> Vec<(usize, Option<Trigger>)> {
        let mut candidates: BTreeMap<usize, (usize, Option<Trigger>)> = BTreeMap::new();
        for (page, owner) in self.seen.iter().flat_map(|one| &one.suspects) {
            let (count, trigger) = candidates.entry(*page).or_default();
            *count += 1;
            *trigger = trigger.or_else(|| ledger.request(*owner)?.role.trigger());
        }
        let most = candidates.values().map(|(count, _)| *count).max().unwrap_or_default();
        let likely = candidates.into_iter().filter(|(_, (count, _))| *count == most);
        likely.map(|(page, (_, trigger))| (page, trigger)).collect()
    }
}

fn is_few(sources: &[usize]) -> bool {
    (1..=FEW_SOURCES).contains(&sources.len())
}

/// The fewest operations that explain what was seen, the one that explains most first: each sighting names those from which it may
/// have come. Of those that explain as many, the one that is `likelier`. Empty if a few do not explain nearly all.
fn tracing_sources<L: Ord>(sightings: &[&[usize]], likelier: &dyn Fn(usize) -> L) -> Vec<usize> {
    let mut left: Vec<&[usize]> = sightings.to_vec();
    let mut sources = Vec::new();
    while !left.is_empty() && sources.len() < MOST_SOURCES {
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        for page in left.iter().flat_map(|suspects| suspects.iter()) {
            *counts.entry(*page).or_default() += 1;
        }
        let Some((page, count)) =
            counts.into_iter().max_by_key(|(page, count)| (*count, likelier(*page), std::cmp::Reverse(*page)))
        else {
            break;
        };
        if (count as f64) < LEAST_EXPLAINED * left.len() as f64 {
            break;
        }
        sources.push(page);
        left.retain(|suspects| !suspects.contains(&page));
        if left.len() as f64 <= (1.0 - ENOUGH_EXPLAINED) * sightings.len() as f64 {
            return sources;
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_what_explains_all_sightings() {
        // Operation 7 is always among them; others are by chance.
        let always: [&[usize]; 4] = [&[1, 7], &[2, 7, 9], &[7], &[1, 3, 7]];
        assert_eq!(tracing_sources(&always, &|_| false), [7]);
        let two: [&[usize]; 4] = [&[1], &[1, 5], &[2, 6], &[2]];
        assert_eq!(tracing_sources(&two, &|_| false), [1, 2]);
        assert_eq!(tracing_sources(&[&[1, 4]], &|page| page == 4), [4]);
        let any: Vec<Vec<usize>> = (0..20).map(|page| vec![page]).collect();
        let any: Vec<&[usize]> = any.iter().map(Vec::as_slice).collect();
        assert!(tracing_sources(&any, &|_| false).is_empty(), "everything is a source");
    }
}
