//! Numbers and states in words.

use std::time::Duration;

use crate::analysis::responses::{self, PartOf};
use crate::measured_value::{Bounds, MeasuredValue};
use crate::record::{
    Checks, Happening, LoadRecord, ServerPart, ServerRecord, Status, VariantRecord, Verdict, VerdictKind,
};
use crate::units;

/// What stands where there is no value.
pub(crate) const NONE: &str = "–";

/// Ends of an interval that are closer than this share to what is between them tell people no more than that.
const CLOSE: f64 = 0.01;

/// A quantile: `101 ms`; where requests that were cut off leave it open, `2.19 s (2.05 to 2.40 s)`; and `> 2.00 s` where it falls
/// among those alone.
pub(crate) fn micros(value: Option<MeasuredValue>) -> String {
    match value {
        Some(MeasuredValue::Exactly(us)) => units::show_time(us / 1e6),
        Some(MeasuredValue::Within(open)) => within(open),
        Some(MeasuredValue::MoreThan(us)) => format!("> {}", units::show_time(us / 1e6)),
        None => NONE.to_owned(),
    }
}

/// A quantile where there is little room: without the interval, and with a `~` before what is an estimate.
pub(crate) fn short_micros(value: Option<MeasuredValue>) -> String {
    match value {
        Some(MeasuredValue::Within(open)) => match (open.estimate, within(open)) {
            (Some(us), long) if long.contains('(') => format!("~ {}", units::show_time(us / 1e6)),
            (_, long) => long,
        },
        known => micros(known),
    }
}

fn within(open: Bounds) -> String {
    let time = |us: f64| units::show_time(us / 1e6);
    let (least, most) = open.ends();
    let middle = open.estimate.unwrap_or(least);
    let range = match most {
        Some(most) if (most - middle).max(middle - least) <= CLOSE * middle => return time(middle),
        Some(most) => {
            let (least, most) = (time(least), time(most));
            // One unit for both, if they have the same.
            let unit = most.split_once(' ').map_or("", |(_, unit)| unit);
            let least = least.strip_suffix(&format!(" {unit}")).unwrap_or(&least);
            format!("{least} to {most}")
        }
        None => format!("{} or more", time(least)),
    };
    match open.estimate {
        Some(estimate) => format!("{} ({range})", time(estimate)),
        None => range,
    }
}

/// What a server was for, after "server of".
pub(crate) fn part(part: ServerPart) -> &'static str {
    match part {
        ServerPart::Load => "the load",
        ServerPart::Capacity => "the search for the capacity",
        ServerPart::Inspection => "the inspection",
        ServerPart::DirtyCheck => "the dirty check",
        ServerPart::Diagnosis => "the diagnosis",
        ServerPart::Location => "the search in its code",
    }
}

/// How servers ended, each way once: `stopped`, `stopped, then the server (process 12) exited with status 3 after 2.40 s`.
pub(crate) fn ends<'a>(servers: impl IntoIterator<Item = &'a ServerRecord>) -> String {
    let mut ends: Vec<String> = Vec::new();
    for end in servers.into_iter().map(|server| server.end.to_string()) {
        if !ends.contains(&end) {
            ends.push(end);
        }
    }
    ends.join(", then ")
}

/// What happened to a server: `process 4712 was killed by signal 9 (KILL)`.
pub(crate) fn happening(what: &Happening) -> String {
    match what {
        Happening::ProcessEnded(end) => end.to_string(),
        Happening::LogNotKept { why } => format!("the rest of its log is not kept: {why}"),
        Happening::More => "more processes ended than are listed".to_owned(),
        Happening::Told { text } => text.clone(),
    }
}

/// Milliseconds without needless decimals: `700 ms`, `30.5 ms`.
pub(crate) fn millis(ms: f64) -> String {
    format!("{} ms", short_millis(ms))
}

/// The number of [`millis`] without its unit.
pub(crate) fn short_millis(ms: f64) -> String {
    let text = format!("{ms:.1}");
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

/// CPU time, which the system counts in steps of 10 ms.
pub(crate) fn cpu_time(seconds: f64) -> String {
    if seconds < 0.01 { "under 10 ms".to_owned() } else { units::show_time(seconds) }
}

/// What was observed of a rule. One of `abort_when` is no rule to hold: it did, and that ended the load.
pub(crate) fn observed(verdict: &Verdict) -> String {
    match verdict.kind {
        VerdictKind::AbortWhen { .. } => format!("held: {}, so the load was ended early", verdict.observed),
        _ => verdict.observed.clone(),
    }
}

/// A time that a scenario set: `2s`, `1m30s`.
pub(crate) fn setting(seconds: f64) -> String {
    if (0.0..=86_400.0 * 366.0).contains(&seconds) {
        units::show_duration(Duration::from_micros((seconds * 1e6).round() as u64))
    } else {
        NONE.to_owned()
    }
}

/// `part` of `whole` as a percentage.
pub(crate) fn share(part: u64, whole: u64) -> String {
    if whole == 0 { NONE.to_owned() } else { units::show_percentage(part as f64 / whole as f64) }
}

/// The first letter in upper case, unless it begins a name such as `p99`.
pub(crate) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next();
    if chars.clone().next().is_some_and(|second| second.is_ascii_digit()) {
        return text.to_owned();
    }
    first.map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// A share, from 0 to 1, as one of eight heights.
pub(crate) fn height(share: f64) -> char {
    const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    HEIGHTS[(share.clamp(0.0, 1.0) * 7.0).round() as usize]
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}

/// A status as a heading says it.
pub(crate) fn status(status: Status) -> &'static str {
    match status {
        Status::Passed => "passed",
        Status::Failed => "failed",
        Status::Inconclusive => "inconclusive",
        Status::CouldNotRun => "could not run",
        Status::Interrupted => "interrupted",
        Status::NotStarted => "not started",
    }
}

/// What became of the requests without a response, kind by kind: `2,000 timed out after 2s`.
pub(crate) fn failures(load: &LoadRecord) -> Vec<String> {
    let named = |kind: &str, n: u64| match kind {
        "connect" => format!("{} could not connect", units::show_count(n)),
        "tls" => format!("{} failed in the TLS handshake", units::show_count(n)),
        "timeout" => format!("{} timed out after {}", units::show_count(n), setting(load.timeout_s)),
        "closed" => format!("{} lost their connection", units::show_count(n)),
        "protocol" => format!("{} got something that is not HTTP", units::show_count(n)),
        "script" => format!("{} were not sent, as the script failed", units::show_count(n)),
        other => format!("{} failed ({other})", units::show_count(n)),
    };
    let without_response = load.errors.iter().filter(|(kind, n)| **n > 0 && *kind != "status");
    without_response.map(|(kind, n)| named(kind, *n)).collect()
}

/// What became of the requests without a response; `unanswered` says of which those are that waited still.
pub(crate) fn ways_lost(load: &LoadRecord, unanswered: &str) -> Vec<String> {
    let mut ways = failures(load);
    if load.unanswered > 0 {
        ways.push(format!("{} were {unanswered}", units::show_count(load.unanswered)));
    }
    ways
}

/// How throughput and the other figures differ in what they count, if they do.
pub(crate) fn outside(load: &LoadRecord) -> Option<String> {
    let outside = responses::outside(load);
    let of = |PartOf { part, whole }| format!("{} of {}", units::show_count(part), units::counted(whole, "response"));
    let to_warmup = outside.to_warmup.map(|part| format!("{} in time were to requests of the warm-up", of(part)));
    let too_late = outside.too_late.map(|part| format!("{} came after the time was up", of(part)));
    let both: Vec<String> = to_warmup.into_iter().chain(too_late).collect();
    (!both.is_empty()).then(|| list(&both))
}

/// Requests that were sent again: `74 sent again`.
pub(crate) fn sent_again(load: &LoadRecord) -> Option<String> {
    let retries = load.generator.retries;
    (retries > 0).then(|| format!("{} sent again", units::show_count(retries)))
}

/// How the requests of a load travelled, where that was not the usual way; with a space before.
pub(crate) fn travel(load: &LoadRecord) -> String {
    match (load.http.as_str(), load.streams, load.pipeline) {
        ("2", streams @ 2.., _) => format!(" over HTTP/2, up to {streams} on a connection"),
        ("2", ..) => " over HTTP/2".to_owned(),
        (_, _, pipeline @ 2..) => format!(" who send {pipeline} requests at once"),
        _ => String::new(),
    }
}

/// What the checks of a load came to: `3 of 1,200 checks failed`.
pub(crate) fn checks_in_words(checks: &Checks) -> String {
    let all = checks.passed + checks.failed;
    match (all, checks.failed) {
        (0, _) => "no response was checked".to_owned(),
        (all, 0) => format!("all {} passed", units::counted(all, "check")),
        (all, failed) => format!("{} of {} failed", units::show_count(failed), units::counted(all, "check")),
    }
}

/// How a variant came out, in words; one that passed because nothing was asserted says so.
pub(crate) fn outcome(variant: &VariantRecord) -> &'static str {
    match variant.status() {
        Status::Passed if variant.verdicts.is_empty() => "no rules",
        other => status(other),
    }
}

/// How much load there was, in words.
pub(crate) fn amount(load: &LoadRecord) -> String {
    let level = |value: f64| match load.open {
        Some(_) => units::show_rate(value),
        None => units::counted(value.round() as u64, "user"),
    };
    let peak = load.stages.iter().fold(0.0, |most: f64, stage| most.max(stage.to));
    match (&load.open, load.stages.len()) {
        (Some(open), 0) => level(open.rate),
        (None, 0) => level(f64::from(load.concurrency)),
        (_, stages) => format!("{} of up to {}", units::counted(stages as u64, "stage"), level(peak)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::counted;

    #[test]
    fn numbers_come_with_their_nouns() {
        assert_eq!(counted(1, "leak"), "1 leak");
        assert_eq!(counted(2000, "exposure"), "2,000 exposures");
        assert_eq!(millis(700.0), "700 ms");
        assert_eq!(millis(30.46), "30.5 ms");
        assert_eq!(list(&["a".into(), "b".into(), "c".into()]), "a, b and c");
        assert_eq!(micros(Some(MeasuredValue::MoreThan(2e6))), "> 2.00 s");
        let open =
            Bounds { at_least: 2.05e6, at_most: Some(2.6e6), estimate: Some(2.19e6), low: Some(2e6), high: None };
        let both = |open| [micros(Some(MeasuredValue::Within(open))), short_micros(Some(MeasuredValue::Within(open)))];
        assert_eq!(both(open), ["2.19 s (2.05 to 2.60 s)", "~ 2.19 s"]);
        assert_eq!(both(Bounds { at_least: 9e5, low: Some(9e5), ..open }), ["2.19 s (900 ms to 2.60 s)", "~ 2.19 s"]);
        assert_eq!(both(Bounds { at_most: None, ..open }), ["2.19 s (2.05 s or more)", "~ 2.19 s"]);
        assert_eq!(both(Bounds { at_least: 2.18e6, high: Some(2.2e6), ..open }), ["2.19 s"; 2]);
        let unlikely = Bounds { estimate: None, low: None, ..open };
        assert_eq!(both(unlikely), ["2.05 to 2.60 s"; 2]);
        assert_eq!(both(Bounds { at_most: None, ..unlikely }), ["2.05 s or more"; 2]);
        assert_eq!(both(Bounds { at_most: Some(2.06e6), ..unlikely }), ["2.05 s"; 2]);
    }
}
