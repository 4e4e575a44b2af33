//! What became of the requests of a load: which had no response, and which responses throughput counts.

use crate::record::LoadRecord;

/// Requests without a response: failed and unanswered.
pub fn without_response(load: &LoadRecord) -> u64 {
    load.failed.saturating_add(load.unanswered)
}

/// The share of requests without a response, from 0 to 1; 0 where none was started.
pub fn share_without_response(load: &LoadRecord) -> f64 {
    if load.started == 0 { 0.0 } else { without_response(load) as f64 / load.started as f64 }
}

/// Whether half of the requests waited for a response that did not come; those that failed otherwise may have done so at
/// once.
pub fn half_waited_in_vain(load: &LoadRecord) -> bool {
    let waited = load.unanswered.saturating_add(load.errors.get("timeout").copied().unwrap_or(0));
    waited.saturating_mul(2) >= load.started
}

/// A smaller share of responses outside of the time, or the requests, that are counted is not worth a word.
const OUTSIDE: f64 = 0.1;

/// A number out of a total.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartOf {
    pub part: u64,
    pub whole: u64,
}

/// Throughput counts the responses that arrived within a time, all else the requests that were due in it. Where these are
/// not nearly the same, this tells by how much.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outside {
    /// Of the responses that arrived in time, those to requests of the warm-up.
    pub to_warmup: Option<PartOf>,
    /// Of the responses to requests that count, those that came after the time was up.
    pub too_late: Option<PartOf>,
}

/// How throughput and the other figures differ in what they count.
pub fn outside(load: &LoadRecord) -> Outside {
    let in_time = (load.throughput * load.duration_s).round().max(0.0) as u64;
    let good = load.completed.saturating_sub(load.errors.get("status").copied().unwrap_or(0));
    let early = load.answers_to_warmup.min(in_time);
    let late = good.saturating_sub(in_time - early);
    let telling =
        |part: u64, whole: u64| (part > 0 && part as f64 >= OUTSIDE * whole as f64).then_some(PartOf { part, whole });
    Outside { to_warmup: telling(early, in_time), too_late: telling(late, good) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_that_throughput_alone_counts_or_leaves_out_are_told() {
        let of = |throughput, completed, answers_to_warmup| {
            let told = outside(&LoadRecord {
                throughput,
                completed,
                answers_to_warmup,
                duration_s: 10.0,
                ..LoadRecord::default()
            });
            let pair = |part: Option<PartOf>| part.map(|PartOf { part, whole }| (part, whole));
            (pair(told.to_warmup), pair(told.too_late))
        };
        assert_eq!(of(10.0, 100, 0), (None, None));
        assert_eq!(of(10.0, 0, 100), (Some((100, 100)), None));
        assert_eq!(of(0.0, 50, 0), (None, Some((50, 50))));
        assert_eq!(of(100.0, 1_000, 99), (None, None), "as many came after the end");
        assert_eq!(of(10.0, 100, 40), (Some((40, 100)), Some((40, 100))));
        assert_eq!(of(f64::NAN, 0, 0), (None, None));
    }
}
