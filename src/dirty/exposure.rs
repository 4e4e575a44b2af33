//! Counts chances to leak: a request that was handled while another was, or after it by the same worker.

use std::collections::HashMap;
use std::time::Duration;

use super::Premises;
use super::observation::{Role, Seen};

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

/// Counts the exposures among the requests of a round: those whose answers could show a leak.
pub fn count(round: &[&Seen], premises: Premises) -> Exposures {
    let answered: Vec<&Seen> = round.iter().copied().filter(|seen| seen.status().is_some()).collect();
    let overlaps = if premises.one_at_a_time() { vec![false; answered.len()] } else { overlapping(&answered) };
    let first_done = first_done_by_worker(&answered);
    let followed = |seen: &Seen| {
        let earlier = first_done.get(&seen.worker).is_some_and(|first| *first < seen.exchange.done);
        premises.workers == Some(1) || (seen.worker.is_some() && earlier)
    };
    let mut exposures = Exposures::default();
    for (seen, overlaps) in answered.iter().zip(overlaps).filter(|(seen, _)| seen.is_usable()) {
        exposures.overlapping += u64::from(overlaps);
        exposures.any += u64::from(overlaps || followed(seen));
    }
    if let Some(long) = answered.iter().find(|seen| seen.role == Role::Long && seen.sleep.is_some()) {
        let inside = answered.iter().filter(|seen| seen.role == Role::Short && may_share_a_worker(seen, long));
        for seen in inside.filter(|seen| (long.sent()..long.exchange.done).contains(&seen.sent())) {
            exposures.inside += 1;
            exposures.waited += u64::from(seen.exchange.done >= long.exchange.done);
        }
    }
    exposures
}

/// For each request whether its handling overlaps that of another in the same worker.
fn overlapping(round: &[&Seen]) -> Vec<bool> {
    let mut overlaps = vec![false; round.len()];
    each_overlap(round, &mut |one, other| {
        overlaps[one] = true;
        overlaps[other] = true;
    });
    overlaps
}

/// Hands out every two requests, by their indices, whose handling overlaps in the same worker.
pub(super) fn each_overlap(round: &[&Seen], found: &mut dyn FnMut(usize, usize)) {
    let mut order: Vec<usize> = (0..round.len()).collect();
    order.sort_by_key(|index| round[*index].handling().0);
    for (position, &one) in order.iter().enumerate() {
        let (_, end) = round[one].handling();
        for &other in &order[position + 1..] {
            if round[other].handling().0 >= end {
                break;
            }
            if shares_enough(round[one], round[other]) {
                found(one, other);
            }
        }
    }
}

/// For each request whether its response could have shown a leak: it overlapped another in its worker, or followed one.
pub(super) fn exposed(round: &[&Seen], premises: Premises) -> Vec<bool> {
    let answered: Vec<&Seen> = round.iter().copied().filter(|seen| seen.status().is_some()).collect();
    let first_done = first_done_by_worker(&answered);
    let overlaps = if premises.one_at_a_time() { vec![false; round.len()] } else { overlapping(round) };
    let followed = |seen: &Seen| {
        let earlier = first_done.get(&seen.worker).is_some_and(|first| *first < seen.exchange.done);
        premises.workers == Some(1) || (seen.worker.is_some() && earlier)
    };
    let each = round.iter().zip(overlaps);
    each.map(|(seen, overlaps)| seen.is_usable() && (overlaps || followed(seen))).collect()
}

fn shares_enough(one: &Seen, other: &Seen) -> bool {
    let ((a_start, a_end), (b_start, b_end)) = (one.handling(), other.handling());
    let shared = a_end.min(b_end).saturating_sub(a_start.max(b_start));
    // A clock that is turned back while a server starts may put an end before its begin.
    let shorter = a_end.saturating_sub(a_start).min(b_end.saturating_sub(b_start));
    may_share_a_worker(one, other) && !shared.is_zero() && shared.as_secs_f64() >= shorter.as_secs_f64() * SHARED
}

/// Unless both say who answered them, and it was not the same worker.
fn may_share_a_worker(one: &Seen, other: &Seen) -> bool {
    one.worker.is_none() || other.worker.is_none() || one.worker == other.worker
}

/// When each worker gave its first response.
fn first_done_by_worker<'a>(round: &[&'a Seen]) -> HashMap<&'a Option<String>, Duration> {
    let mut first = HashMap::new();
    for seen in round {
        let known = first.entry(&seen.worker).or_insert(seen.exchange.done);
        *known = seen.exchange.done.min(*known);
    }
    first
}

#[cfg(test)]
mod tests {
    use super::super::classify;
    use super::*;
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
            role: if request == 1 { Role::Long } else { Role::Short },
            sleep: sleep.map(ms),
            exchange,
            own: true,
            ..classify::tests::seen(request, request)
        }
    }

    fn counted(round: &[Seen], workers: Option<u32>) -> Exposures {
        count(&round.iter().collect::<Vec<_>>(), Premises { workers, in_flight: None })
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
    fn a_mode_that_handles_one_at_a_time_is_believed() {
        let round = [seen(1, 0, 20, None), seen(2, 5, 25, None)];
        let premises = Premises { workers: Some(1), in_flight: Some(1) };
        let counted = count(&round.iter().collect::<Vec<_>>(), premises);
        assert_eq!((counted.overlapping, counted.any), (0, 2));
    }

    #[test]
    fn answers_in_which_no_leak_could_show_expose_nothing() {
        let mut round = [seen(1, 0, 700, Some(700)), seen(2, 10, 41, Some(30)), seen(3, 41, 72, Some(30))];
        (round[1].exchange.outcome, round[1].tells) = (Outcome::Answered(429), false);
        round[2].tells = false;
        assert_eq!(counted(&round, Some(1)).any, 1);
    }

    #[test]
    fn an_error_page_that_holds_a_canary_is_an_exposure_like_any_other() {
        let mut round = [seen(1, 0, 700, Some(700)), seen(2, 10, 41, Some(30)), seen(3, 41, 72, Some(30))];
        (1..3).for_each(|index| round[index].exchange.outcome = Outcome::Answered(500));
        assert_eq!(counted(&round, Some(1)).any, 3);
    }

    #[test]
    fn requests_without_an_answer_expose_nothing() {
        let mut round = [seen(1, 0, 700, Some(700)), seen(2, 10, 41, Some(30))];
        round[1].exchange.outcome = Outcome::Unanswered;
        assert_eq!(counted(&round, None).overlapping, 0);
    }
}
