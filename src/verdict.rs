//! Judges rules on what was measured: passed, failed or inconclusive. A rule without samples never passes.

pub mod script;
pub mod success;

use crate::analysis::coverage::not_exercised;
use crate::analysis::observed::observe;
use crate::measured_value::MeasuredValue;
use crate::record::{self, RuleLimit, Status, Trial, Verdict, VerdictKind};
use crate::rule::Rule;
use crate::scenario::Expect;
use crate::units;

/// Judges a rule over all trials of a variant; the worst trial decides, and is the one shown.
pub fn judge(rule: &Rule, trials: &[Trial]) -> Verdict {
    let judged = trials.iter().map(|trial| judge_trial(rule, trial));
    let worst = judged
        .max_by(|(a, a_off), (b, b_off)| a.status.severity().cmp(&b.status.severity()).then(a_off.total_cmp(b_off)));
    worst
        .map(|(verdict, _)| verdict)
        .unwrap_or_else(|| verdict(rule, Status::Inconclusive, "nothing was measured".to_owned(), None))
}

/// The verdict of one trial, and how far its value is on the wrong side of the limit (negative: on the right one).
fn judge_trial(rule: &Rule, trial: &Trial) -> (Verdict, f64) {
    let observed = observe(rule.metric, trial);
    let off = observed.map_or(0.0, |observed| observed.off(rule.comparison, rule.limit));
    (judge_observed(rule, observed), off)
}

fn judge_observed(rule: &Rule, observed: Option<MeasuredValue>) -> Verdict {
    let Some(observed) = observed else {
        return verdict(rule, Status::Inconclusive, "no samples".to_owned(), None);
    };
    let status = match observed.compare(rule.comparison, rule.limit) {
        Some(true) => Status::Passed,
        Some(false) => Status::Failed,
        None => Status::Inconclusive,
    };
    verdict(rule, status, observed.shown(|value| rule.show(value)), Some(observed))
}

fn verdict(rule: &Rule, status: Status, observed: String, value: Option<MeasuredValue>) -> Verdict {
    Verdict {
        kind: VerdictKind::Rule(limit(rule)),
        rule: rule.text.clone(),
        status,
        expected: rule.expected(),
        observed,
        value,
        evidence: None,
    }
}

/// The metric of a rule and its limit, as a record has them.
pub fn limit(rule: &Rule) -> RuleLimit {
    RuleLimit {
        metric: rule.metric.name(),
        comparison: rule.comparison,
        value: rule.limit,
        for_s: rule.lasting.map(|lasting| lasting.as_secs_f64()),
    }
}

/// What a dirty check says by itself; `None` if it is left to the rules.
pub fn judge_dirty(expect: Expect, dirty: &record::DirtyRecord) -> Option<Verdict> {
    let (name, expected) = match expect {
        Expect::Report => return None,
        Expect::Clean => ("clean", "no response holds another request's data"),
        Expect::Dirty => ("dirty", "at least one response holds another request's data"),
    };
    let status = match (expect, dirty.leaks, &dirty.inconclusive) {
        (Expect::Clean, 1.., _) => Status::Failed,
        (Expect::Dirty, 1.., _) => Status::Passed,
        (_, _, Some(_)) => Status::Inconclusive,
        (Expect::Clean, ..) => Status::Passed,
        (Expect::Dirty | Expect::Report, ..) => Status::Failed,
    };
    let exposures = units::show_count(dirty.exposures);
    let mut observed = match (dirty.leaks, &dirty.inconclusive) {
        (0, Some(why)) => why.clone(),
        (0, None) => {
            format!("no leak in {exposures} exposures: at most {} leak (95 %)", units::show_percentage(dirty.bound))
        }
        (1, _) => format!("1 leak in {exposures} exposures"),
        (leaks, _) => format!("{} leaks in {exposures} exposures", units::show_count(leaks)),
    };
    if dirty.leaks == 0 && dirty.inconclusive.is_none() {
        observed += &not_exercised(dirty).map(|note| format!("; {note}")).unwrap_or_default();
    }
    let evidence = dirty.evidence.first().map(|leak| format!("request {}", leak.victim.request));
    Some(Verdict {
        kind: VerdictKind::DirtyCheck { expect },
        value: Some(MeasuredValue::Exactly(dirty.leaks as f64)).filter(|_| status != Status::Inconclusive),
        rule: format!("dirty.expect = \"{name}\""),
        status,
        expected: expected.to_owned(),
        observed,
        evidence,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Half;

    fn rule(text: &str) -> Rule {
        Rule::parse(text).unwrap()
    }

    fn trial(latency_p50: MeasuredValue) -> Trial {
        let mut latencies = crate::stats::Latencies::default();
        match latency_p50 {
            MeasuredValue::MoreThan(us) => latencies.cut(Half::First, (us * 1e3) as u64),
            known => latencies.answered(Half::First, (known.likely() * 1e3) as u64),
        }
        let histogram = record::Histograms::of(&latencies, &latencies);
        let load =
            record::LoadRecord { started: 10, failed: 1, throughput: 9.9, histogram, ..record::LoadRecord::default() };
        Trial { load: Some(load), ..Trial::default() }
    }

    fn status(text: &str, trial: &Trial) -> Status {
        judge(&rule(text), std::slice::from_ref(trial)).status
    }

    #[test]
    fn exact_values_pass_or_fail() {
        let trial = trial(MeasuredValue::Exactly(100_000.0));
        assert_eq!(status("latency.p50 < 250ms", &trial), Status::Passed);
        assert_eq!(status("latency.p50 < 50ms", &trial), Status::Failed);
        assert_eq!(status("throughput < 11/s", &trial), Status::Passed);
        assert_eq!(status("errors.rate < 1%", &trial), Status::Failed);
        assert_eq!(status("errors.rate <= 10%", &trial), Status::Passed);
    }

    #[test]
    fn a_broken_rule_is_seen_to_be_broken() {
        let said = |text: &str, trial: &Trial| {
            let verdict = judge(&rule(text), std::slice::from_ref(trial));
            assert_eq!(verdict.status, Status::Failed, "{text}");
            format!("{}; expected {}", verdict.observed, verdict.expected)
        };
        let checks = record::Checks { passed: 9_997, failed: 3, ..record::Checks::default() };
        let load =
            record::LoadRecord { started: 3_000_000, failed: 1, checks: Some(checks), ..record::LoadRecord::default() };
        let counts = Trial { load: Some(load), ..Trial::default() };
        assert_eq!(said("checks.rate >= 100%", &counts), "99.97 %; expected >= 100 %");
        assert_eq!(said("errors.rate == 0%", &counts), "0.00003 %; expected == 0 %");
        assert_eq!(said("latency.min <= 100ms", &timed(100_040.0)), "100.04 ms; expected <= 100 ms");
        assert_eq!(said("latency.min <= 100.04ms", &timed(100_300.0)), "100.3 ms; expected <= 100.04 ms");
    }

    /// A load whose quickest answer took this many microseconds.
    fn timed(us: f64) -> Trial {
        let latency_us = record::Quantiles { min: Some(MeasuredValue::Exactly(us)), ..record::Quantiles::default() };
        Trial {
            load: Some(record::LoadRecord { started: 1, latency_us, ..record::LoadRecord::default() }),
            ..Trial::default()
        }
    }

    #[test]
    fn a_more_than_is_judged_only_where_it_decides() {
        let trial = trial(MeasuredValue::MoreThan(2_000_000.0));
        assert_eq!(status("latency.p50 > 2s", &trial), Status::Passed);
        assert_eq!(status("latency.p50 < 2s", &trial), Status::Failed);
        assert_eq!(status("latency.p50 < 3s", &trial), Status::Inconclusive);
        assert_eq!(status("latency.p50 > 3s", &trial), Status::Inconclusive);
    }

    #[test]
    fn requests_sent_again_and_what_came_unasked_can_be_judged() {
        let generator = record::Generator { retries: 30, ..record::Generator::default() };
        let load = record::LoadRecord { started: 120, unsolicited: 2, generator, ..record::LoadRecord::default() };
        let trial = Trial { load: Some(load), ..Trial::default() };
        assert_eq!(status("retries.rate <= 25%", &trial), Status::Passed);
        assert_eq!(status("retries.rate < 25%", &trial), Status::Failed);
        assert_eq!(status("retries.count == 30", &trial), Status::Passed);
        assert_eq!(status("unsolicited == 0", &trial), Status::Failed);
        assert_eq!(status("retries.rate < 25%", &Trial::default()), Status::Inconclusive);
    }

    #[test]
    fn the_share_of_errors_is_open_where_answers_never_came() {
        let of = |failed, unanswered, text: &str| {
            let load = record::LoadRecord { started: 100, failed, unanswered, ..record::LoadRecord::default() };
            let verdict = judge(&rule(text), &[Trial { load: Some(load), ..Trial::default() }]);
            (verdict.status, verdict.observed)
        };
        assert_eq!(of(0, 0, "errors.rate < 1%"), (Status::Passed, "0 %".to_owned()));
        assert_eq!(of(0, 30, "errors.rate < 1%"), (Status::Inconclusive, "0 % to 30.0 %".to_owned()));
        assert_eq!(of(5, 30, "errors.rate < 1%"), (Status::Failed, "5.00 % to 35.0 %".to_owned()));
        assert_eq!(of(0, 30, "errors.rate <= 30%").0, Status::Passed);
        assert_eq!(of(0, 30, "errors.count == 0").0, Status::Passed, "what was seen can be counted");
    }

    #[test]
    fn a_rule_without_samples_is_inconclusive() {
        let trial = Trial::default();
        assert_eq!(status("latency.p99 < 1s", &trial), Status::Inconclusive);
        assert_eq!(status("dirty.leaks == 0", &trial), Status::Inconclusive);
        assert_eq!(judge(&rule("throughput > 1/s"), &[]).status, Status::Inconclusive);
    }

    #[test]
    fn an_idle_server_is_measured_and_one_that_nobody_looked_at_is_not() {
        let samples = vec![record::ServerSample::default(); 2];
        let idle = record::ServerRecord {
            threads_max: 3,
            rss_peak_bytes: 1 << 20,
            samples,
            ..record::ServerRecord::default()
        };
        let trial = |server| Trial { servers: vec![server], ..Trial::default() };
        assert_eq!(status("server.cpu.mean < 0.5", &trial(idle.clone())), Status::Passed);
        assert_eq!(status("server.cpu.mean > 0.5", &trial(idle.clone())), Status::Failed);
        let looked_at_once = record::ServerRecord { samples: vec![record::ServerSample::default()], ..idle };
        assert_eq!(status("server.cpu.mean < 0.5", &trial(looked_at_once.clone())), Status::Inconclusive);
        assert_eq!(status("server.threads.max < 4", &trial(looked_at_once)), Status::Passed);
        for rule in ["server.cpu.mean < 0.5", "server.rss.max < 1GiB", "server.threads.max < 4"] {
            assert_eq!(status(rule, &trial(record::ServerRecord::default())), Status::Inconclusive, "{rule}");
        }
    }

    #[test]
    fn the_worst_trial_decides() {
        let trials = [1e5, 3e5, 2e5].map(|micros| trial(MeasuredValue::Exactly(micros)));
        let judged = |text| {
            let verdict = judge(&rule(text), &trials);
            (verdict.status, verdict.observed)
        };
        assert_eq!(judged("latency.p50 < 250ms"), (Status::Failed, "300 ms".to_owned()));
        assert_eq!(judged("latency.p50 < 400ms"), (Status::Passed, "300 ms".to_owned()));
        assert_eq!(judged("latency.p50 > 50ms"), (Status::Passed, "100 ms".to_owned()));
    }

    #[test]
    fn a_dirty_check_is_judged_by_what_was_expected() {
        let of = |expect, leaks, inconclusive: Option<&str>| {
            let dirty = record::DirtyRecord {
                exposures: 100,
                leaks,
                inconclusive: inconclusive.map(str::to_owned),
                ..record::DirtyRecord::default()
            };
            judge_dirty(expect, &dirty).map(|verdict| verdict.status)
        };
        assert_eq!(of(Expect::Clean, 0, None), Some(Status::Passed));
        assert_eq!(of(Expect::Clean, 1, None), Some(Status::Failed));
        assert_eq!(of(Expect::Dirty, 1, None), Some(Status::Passed));
        assert_eq!(of(Expect::Dirty, 0, None), Some(Status::Failed));
        assert_eq!(of(Expect::Clean, 0, Some("control failed")), Some(Status::Inconclusive));
        assert_eq!(of(Expect::Clean, 2, Some("control failed")), Some(Status::Failed));
        assert_eq!(of(Expect::Report, 2, None), None);
    }
}
