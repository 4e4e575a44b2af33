//! The capacity in words, in plain text.

use crate::record::{BrokenBy, CapacityRecord, LimitingResource, ProbeRecord, ScalingRecord};
use crate::rule::Rule;
use crate::units::{counted, show_percentage, show_rate, show_size, show_time};

use super::format::list;

/// The highest rate that kept the rules, and the lowest that did not: `394/s (the capacity is below 402/s)`.
pub(super) fn rates(capacity: &CapacityRecord) -> String {
    match (capacity.rate, capacity.high) {
        (Some(rate), Some(high)) => format!("{} ({} is too much)", show_rate(rate), show_rate(high)),
        (Some(rate), None) => format!("{} or more", show_rate(rate)),
        (None, Some(high)) => format!("below {}", show_rate(high)),
        (None, None) => "not known".to_owned(),
    }
}

/// What was found, in a sentence without a full stop.
pub(super) fn fact(capacity: &CapacityRecord) -> String {
    let rules: Vec<String> = capacity.rules.iter().map(|rule| format!("`{rule}`")).collect();
    let rules = list(&rules);
    let unconfirmed = if capacity.confirmed { "" } else { ", as far as the time allowed to tell" };
    match (capacity.rate, capacity.high) {
        (Some(_), _) => format!("the highest rate with {rules} is {}{unconfirmed}", rates(capacity)),
        (None, Some(high)) => format!("no rate down to {} keeps {rules}{unconfirmed}", show_rate(high)),
        (None, None) => format!("the highest rate with {rules} is not known: no rate could be tried to its end"),
    }
}

/// What a higher rate runs into.
pub(super) fn limit(capacity: &CapacityRecord) -> Option<String> {
    Some(match capacity.limiting? {
        LimitingResource::Cpu => "at a higher rate requests wait: the server has no core to spare".to_owned(),
        LimitingResource::Pool => {
            let at_once =
                capacity.at_once.map(|count| format!("about {}", counted(count.round().max(1.0) as u64, "request")));
            let at_once = at_once.unwrap_or_else(|| "a fixed number of requests".to_owned());
            format!("at a higher rate requests wait although cores are idle: the server works on {at_once} at once")
        }
        LimitingResource::Connections => "at a higher rate there are not enough connections".to_owned(),
        LimitingResource::Errors => "at a higher rate responses turn into errors".to_owned(),
        LimitingResource::Rule => "at a higher rate the rule breaks first: no queue grows yet".to_owned(),
        LimitingResource::Generator => {
            "runner itself is the limit, not the server: the server may carry more".to_owned()
        }
        LimitingResource::MaxRate => "no higher rate was tried, as `capacity.max_rate` says".to_owned(),
    })
}

/// What requests cost the server at that rate.
pub(super) fn cost(capacity: &CapacityRecord) -> Option<String> {
    let cpu = capacity.cpu_s_per_1000.map(|cpu| format!("{} of CPU time for 1,000 requests", show_time(cpu)));
    let memory = capacity.rss_bytes.map(|bytes| format!("{} of memory", show_size(bytes)));
    let parts: Vec<String> = cpu.into_iter().chain(memory).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// What a probe came to: `kept`, or what broke.
pub(super) fn outcome(probe: &ProbeRecord) -> String {
    match &probe.broken {
        None => "kept".to_owned(),
        Some(BrokenBy::GrowingQueue) => "requests waited longer and longer".to_owned(),
        Some(BrokenBy::Generator) => "runner was at its limit".to_owned(),
        Some(BrokenBy::Disturbed) => "disturbed, does not count".to_owned(),
        Some(BrokenBy::Rule { rule, observed }) => {
            let shown = Rule::parse(rule).ok().zip(*observed);
            let shown = shown.map(|(rule, observed)| observed.shown(|value| rule.show(value)));
            format!("`{rule}` broke: {}", shown.unwrap_or_else(|| "no samples".to_owned()))
        }
    }
}

/// What another worker brings.
pub(super) fn scaling(fit: &ScalingRecord) -> String {
    let most = fit.points.last().map_or(0, |point| point.workers);
    let settings: Vec<String> = fit
        .settings
        .iter()
        .map(|(key, value)| format!("`{key}={}`", value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect();
    let of = if settings.is_empty() { String::new() } else { format!("with {}: ", settings.join(" ")) };
    let next = match fit.next_gain {
        gain if gain >= 0.0 => {
            format!("another worker after {} would bring {}", counted(most, "worker"), show_percentage(gain))
        }
        gain => format!("another worker after {} would cost {}", counted(most, "worker"), show_percentage(-gain)),
    };
    let peak = match fit.peak_workers {
        Some(peak) if peak < 1e3 => {
            format!(", and the capacity is highest with about {}", counted(peak.round().max(1.0) as u64, "worker"))
        }
        _ => String::new(),
    };
    format!("{of}the first worker keeps {}, {next}{peak}", show_rate(fit.per_worker))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measured_value::MeasuredValue;

    fn found(rate: Option<f64>, high: Option<f64>) -> CapacityRecord {
        let rules = vec!["latency.p99 < 250ms".to_owned(), "errors.rate < 0.1%".to_owned()];
        CapacityRecord { rules, rate, high, confirmed: true, ..CapacityRecord::default() }
    }

    #[test]
    fn what_was_found_is_told_with_what_was_too_much() {
        let both = "`latency.p99 < 250ms` and `errors.rate < 0.1%`";
        assert_eq!(
            fact(&found(Some(394.0), Some(402.0))),
            format!("the highest rate with {both} is 394/s (402/s is too much)")
        );
        assert_eq!(fact(&found(Some(394.0), None)), format!("the highest rate with {both} is 394/s or more"));
        assert_eq!(fact(&found(None, Some(5.0))), format!("no rate down to 5.00/s keeps {both}"));
        let cut = CapacityRecord { confirmed: false, ..found(Some(394.0), Some(450.0)) };
        assert!(fact(&cut).ends_with("(450/s is too much), as far as the time allowed to tell"));
    }

    #[test]
    fn a_pool_is_told_with_its_size() {
        let pool = CapacityRecord {
            limiting: Some(LimitingResource::Pool),
            at_once: Some(7.9),
            ..found(Some(394.0), Some(402.0))
        };
        assert!(limit(&pool).unwrap().ends_with("the server works on about 8 requests at once"));
        assert_eq!(limit(&found(None, None)), None);
    }

    #[test]
    fn a_rule_that_broke_is_told_with_what_was_seen() {
        let broken =
            BrokenBy::Rule { rule: "latency.p99 < 250ms".to_owned(), observed: Some(MeasuredValue::Exactly(0.3)) };
        let probe = ProbeRecord { broken: Some(broken), ..ProbeRecord::default() };
        assert_eq!(outcome(&probe), "`latency.p99 < 250ms` broke: 300 ms");
        assert_eq!(outcome(&ProbeRecord::default()), "kept");
    }

    #[test]
    fn what_another_worker_brings_is_told_for_the_settings_that_it_is_of() {
        let fit = ScalingRecord {
            settings: [("server.mode".to_owned(), "sync".into())].into(),
            points: vec![crate::record::CapacityPoint { workers: 4, rate: 38.0 }],
            per_worker: 10.0,
            next_gain: 0.2,
            ..ScalingRecord::default()
        };
        let told =
            "with `server.mode=sync`: the first worker keeps 10.0/s, another worker after 4 workers would bring 20.0 %";
        assert_eq!(scaling(&fit), told);
        let costs = scaling(&ScalingRecord { next_gain: -0.05, peak_workers: Some(3.2), ..fit });
        assert!(costs.ends_with("would cost 5.00 %, and the capacity is highest with about 3 workers"), "{costs}");
    }
}
