//! The other requests of a round that leaked, for the report.

use std::time::Duration;

use crate::dirty::evidence::Leak;
use crate::dirty::observation::Seen;

/// The most that are kept for each leak.
const BYSTANDERS: usize = 60;

/// Of a round the first request, from which its times count, and those that were sent nearest to the leak's source and
/// victim; without these two, and in the order of the round.
pub(in crate::dirty) fn bystanders<'a>(round: impl Iterator<Item = &'a Seen>, leak: &Leak) -> Vec<Seen> {
    let named = || std::iter::once(&leak.victim).chain(&leak.source);
    let distance = |seen: &Seen| named().map(|of| of.sent().abs_diff(seen.sent())).min().unwrap_or(Duration::MAX);
    let mut others: Vec<&Seen> = round.filter(|seen| named().all(|of| of.request != seen.request)).collect();
    let first = others.iter().map(|seen| seen.request).min();
    others.sort_by_key(|seen| (Some(seen.request) != first, distance(seen)));
    others.truncate(BYSTANDERS);
    others.sort_by_key(|seen| seen.request);
    others.into_iter().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dirty::classify;
    use crate::dirty::oracle::LeakOracle;
    use crate::exchange::{Exchange, Outcome};

    /// A request for each 10 ms.
    fn seen(request: u64) -> Seen {
        let sent = Duration::from_millis(request * 10);
        let outcome = Outcome::Answered(200);
        Seen {
            exchange: Exchange { intended: sent, sent: Some(sent), first_byte: None, done: sent, outcome },
            own: true,
            ..classify::tests::seen(request, request)
        }
    }

    fn kept(round: u64, victim: u64, source: u64) -> Vec<u64> {
        let leak = Leak {
            verbatim: false,
            oracle: LeakOracle::Canary,
            victim: seen(victim),
            source: Some(seen(source)),
            overlapped: true,
            place: String::new(),
            excerpt: String::new(),
            own_present: false,
        };
        let round: Vec<Seen> = (1..=round).map(seen).collect();
        bystanders(round.iter(), &leak).iter().map(|seen| seen.request).collect()
    }

    #[test]
    fn of_a_long_round_the_first_and_the_neighbours_of_the_leak_are_kept() {
        let kept = kept(500, 400, 300);
        assert_eq!((kept.len(), kept[0]), (BYSTANDERS, 1));
        let near = |of: u64| kept[1..].iter().filter(|request| request.abs_diff(of) <= 15).count();
        assert_eq!(near(300) + near(400), BYSTANDERS - 1, "{kept:?}");
        assert!(near(300) >= 29 && near(400) >= 29 && kept.is_sorted(), "{kept:?}");
    }

    #[test]
    fn of_a_short_round_all_but_the_leak_are_kept() {
        assert_eq!(kept(5, 2, 4), [1, 3, 5]);
    }
}
