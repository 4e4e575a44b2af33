//! A ceiling in words.

use crate::record::{CeilingReason, CeilingRecord};
use crate::units::{counted, show_percentage, show_rate, show_time};

/// `80.0/s, as 8 threads work on requests that wait for 100 ms each; measured 98.5 % of it`.
pub(super) fn ceiling(ceiling: &CeilingRecord) -> String {
    let count = ceiling.at_once.round().max(1.0) as u64;
    let who = match ceiling.because {
        CeilingReason::Workers => format!("{} one request each", verb(counted(count, "worker"), count)),
        CeilingReason::Threads => format!("{} one request each", verb(counted(count, "thread"), count)),
        CeilingReason::Users => format!("{} at once", verb_to_be(counted(count, "user"), count)),
        CeilingReason::Inspection => format!("{} worked on at once", verb_be(counted(count, "request"), count)),
    };
    let (rate, wait) = (show_rate(ceiling.throughput), show_time(ceiling.wait_s));
    format!("{rate} at most, as {who}, for {wait}; {} of it was measured", show_percentage(ceiling.measured_share))
}

fn verb(who: String, count: u64) -> String {
    format!("{who} {}", if count == 1 { "works on" } else { "work on" })
}

fn verb_be(who: String, count: u64) -> String {
    format!("{who} {}", if count == 1 { "is" } else { "are" })
}

fn verb_to_be(who: String, count: u64) -> String {
    format!("{who} {}", if count == 1 { "waits" } else { "wait" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ceiling_says_what_it_comes_from() {
        let of = |at_once, because| {
            ceiling(&CeilingRecord { throughput: at_once / 0.1, at_once, wait_s: 0.1, because, measured_share: 0.985 })
        };
        let rest = "for 100 ms; 98.5 % of it was measured";
        let threads = format!("80.0/s at most, as 8 threads work on one request each, {rest}");
        assert_eq!(of(8.0, CeilingReason::Threads), threads);
        assert_eq!(
            of(1.0, CeilingReason::Workers),
            format!("10.0/s at most, as 1 worker works on one request each, {rest}")
        );
        assert_eq!(of(50.0, CeilingReason::Users), format!("500/s at most, as 50 users wait at once, {rest}"));
        let found = format!("50.0/s at most, as 5 requests are worked on at once, {rest}");
        assert_eq!(of(5.0, CeilingReason::Inspection), found);
    }
}
