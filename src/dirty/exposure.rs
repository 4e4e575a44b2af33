//! Counts chances to leak: a request that was handled while another was, or after it by the same worker.
//!
//! A client does not see when a request is handled, only when it was sent and answered. What it knows is that a handler
//! that slept for so long was at it for at least so long before its answer: that stretch, or the whole wait where no
//! sleep is known, stands for the handling.

use std::collections::HashSet;
use std::time::Duration;

use super::Premises;
use super::observation::Seen;

/// Two stretches of handling overlap if they share at least this part of the shorter: less may be chance or jitter.
const SHARED: f64 = 0.5;

/// What a round exposed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exposures {
    /// Requests whose handling overlapped another's.
    pub overlapping: u64,
    /// Requests whose handling overlapped another's or followed it in the same worker.
    pub any: u64,
    /// Short requests that were sent while the long one was open, and how many of them had to wait for its end.
    pub inside: u64,
    pub waited: u64,
}

/// Counts the exposures among the answered requests of a round.
pub fn count(round: &[&Seen], premises: Premises) -> Exposures {
    let answered: Vec<&Seen> = round.iter().copied().filter(|seen| seen.status().is_some()).collect();
    let overlapping = overlapping(&answered);
    let followed = |seen: &Seen| premises.workers == Some(1) || (seen.worker.is_some() && has_sibling(seen, &answered));
    let any = answered.iter().zip(&overlapping).filter(|(seen, overlaps)| **overlaps || followed(seen)).count();
    let long = answered.iter().max_by_key(|seen| seen.sleep.unwrap_or_default());
    let inside: Vec<_> = answered
        .iter()
        .filter(|seen| {
            long.is_some_and(|long| {
                seen.request != long.request && (long.sent()..long.exchange.done).contains(&seen.sent())
            })
        })
        .collect();
    let waited = inside.iter().filter(|seen| long.is_some_and(|long| seen.exchange.done >= long.exchange.done)).count();
    Exposures {
        overlapping: overlapping.iter().filter(|overlaps| **overlaps).count() as u64,
        any: any as u64,
        inside: inside.len() as u64,
        waited: waited as u64,
    }
}

/// From when to when a request was surely being handled.
fn handling(seen: &Seen) -> (Duration, Duration) {
    let done = seen.exchange.done;
    let start = seen.sleep.map_or(seen.sent(), |sleep| done.saturating_sub(sleep).max(seen.sent()));
    (start, done)
}

/// For each request whether its handling overlaps that of another in the same worker.
fn overlapping(round: &[&Seen]) -> Vec<bool> {
    let mut order: Vec<usize> = (0..round.len()).collect();
    order.sort_by_key(|index| handling(round[*index]).0);
    let mut overlaps = vec![false; round.len()];
    for (position, &one) in order.iter().enumerate() {
        let (_, end) = handling(round[one]);
        for &other in &order[position + 1..] {
            if handling(round[other]).0 >= end {
                break;
            }
            if shares_enough(round[one], round[other]) {
                overlaps[one] = true;
                overlaps[other] = true;
            }
        }
    }
    overlaps
}

fn shares_enough(one: &Seen, other: &Seen) -> bool {
    if one.worker.is_some() && other.worker.is_some() && one.worker != other.worker {
        return false;
    }
    let ((a_start, a_end), (b_start, b_end)) = (handling(one), handling(other));
    let shared = a_end.min(b_end).saturating_sub(a_start.max(b_start));
    let shorter = (a_end - a_start).min(b_end - b_start);
    !shared.is_zero() && shared.as_secs_f64() >= shorter.as_secs_f64() * SHARED
}

/// Whether another request of the round was answered by the same worker before this one was.
fn has_sibling(seen: &Seen, round: &[&Seen]) -> bool {
    let earlier: HashSet<_> =
        round.iter().filter(|other| other.exchange.done < seen.exchange.done).map(|other| &other.worker).collect();
    earlier.contains(&seen.worker)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dirty::observation::Role;
    use crate::exchange::{Exchange, Outcome};

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn seen(request: u64, sent: u64, done: u64, sleep: Option<u64>) -> Seen {
        let exchange = Exchange {
            intended: ms(sent),
            sent: Some(ms(sent)),
            first_byte: Some(ms(done)),
            done: ms(done),
            outcome: Outcome::Answered(200),
        };
        Seen {
            request,
            canary: String::new(),
            role: Role::Short,
            line: String::new(),
            connection: request,
            worker: None,
            sleep: sleep.map(ms),
            exchange,
        }
    }

    fn counted(round: &[Seen], workers: Option<u32>) -> Exposures {
        count(&round.iter().collect::<Vec<_>>(), Premises { workers })
    }

    #[test]
    fn short_requests_inside_a_long_one_are_exposures_and_so_is_the_long_one() {
        let round = [seen(1, 0, 700, Some(700)), seen(2, 10, 41, Some(30)), seen(3, 41, 72, Some(30))];
        assert_eq!(counted(&round, None), Exposures { overlapping: 3, any: 3, inside: 2, waited: 0 });
    }

    #[test]
    fn requests_that_queue_at_one_worker_do_not_overlap_but_follow_each_other() {
        let round = [seen(1, 0, 700, Some(700)), seen(2, 10, 731, Some(30)), seen(3, 10, 762, Some(30))];
        assert_eq!(counted(&round, Some(1)), Exposures { overlapping: 0, any: 3, inside: 2, waited: 2 });
        assert_eq!(counted(&round, None).any, 0);
    }

    #[test]
    fn other_workers_share_nothing() {
        let mut round = [seen(1, 0, 700, Some(700)), seen(2, 10, 41, Some(30))];
        round[0].worker = Some("1".to_owned());
        round[1].worker = Some("2".to_owned());
        assert_eq!(counted(&round, Some(2)).overlapping, 0);
    }

    #[test]
    fn without_a_known_sleep_the_whole_wait_stands_for_the_handling() {
        let round = [seen(1, 0, 20, None), seen(2, 5, 25, None), seen(3, 100, 120, None)];
        assert_eq!(counted(&round, None).overlapping, 2);
    }

    #[test]
    fn requests_without_an_answer_expose_nothing() {
        let mut round = [seen(1, 0, 700, Some(700)), seen(2, 10, 41, Some(30))];
        round[1].exchange.outcome = Outcome::Unanswered;
        assert_eq!(counted(&round, None).overlapping, 0);
    }
}
