//! What is to be said of the requests without a response.

use crate::analysis::responses::{half_waited_in_vain, share_without_response, without_response};
use crate::measured_value::MeasuredValue;
use crate::record::LoadRecord;
use crate::report::format::{capital, list, ways_lost};
use crate::units::{counted, show_count, show_percentage, show_time};

use super::gave_up;

/// The requests of a load without a response.
pub(crate) struct UnansweredNote {
    /// How many, in which ways, and what the median would be without them.
    pub what: String,
    /// What they do to the quantiles.
    pub how_they_rank: &'static str,
}

/// What is to be said of the requests without a response; `None` if every one was answered.
pub(crate) fn unanswered_note(load: &LoadRecord) -> Option<UnansweredNote> {
    let lost = without_response(load);
    if lost == 0 || load.started == 0 {
        return None;
    }
    let fraction = share_without_response(load);
    let who = match lost {
        all if all == load.started => "No request got a response",
        _ if fraction > 0.5 => "Most requests never got a response",
        _ => "Some requests never got a response",
    };
    let ways = ways_lost(load, "unanswered, still waiting when the load ended");
    let mut what = format!(
        "{who}: {} of {} ({}). Of these, {}.",
        show_count(lost),
        show_count(load.started),
        show_percentage(fraction),
        list(&ways)
    );
    what += &median_of_the_lucky(load).unwrap_or_default();
    what += &gave_up(load).map(|sentence| format!(" {}.", capital(&sentence))).unwrap_or_default();
    Some(UnansweredNote { what, how_they_rank: how_they_rank(load) })
}

fn how_they_rank(load: &LoadRecord) -> &'static str {
    match load.latency_us.open().next() {
        None => {
            "Requests without a response rank as longer than every answered one, so a quantile that falls among them is only known to be longer than \
             something, and has a `>` in front."
        }
        Some(_) => {
            "One that was cut off is known to take longer than it had waited, and nothing else. A quantile that this leaves open \
             is an estimate (Kaplan-Meier), with an interval at 95 % confidence, or the least and the most that it can be; it \
             has a `>` in front where only such requests are."
        }
    }
}

/// What the median would be if those without a response were dropped, where that changes the story.
fn median_of_the_lucky(load: &LoadRecord) -> Option<String> {
    let MeasuredValue::MoreThan(bound) = load.latency_us.p50? else { return None };
    let latencies = load.histogram.latencies()?;
    let answered = latencies.answered_len();
    if answered == 0 {
        return None;
    }
    let middle = latencies.distribution().median_of_answered()?;
    let half = match half_waited_in_vain(load) {
        true => format!("Half of all requests waited longer than {}", show_time(bound / 1e6)),
        false => "Fewer than half of all requests were answered".to_owned(),
    };
    Some(format!(
        " {half}; over the {} alone, the median would read {}.",
        counted(answered, "answered one"),
        show_time(middle as f64 / 1e9)
    ))
}
