//! Verdicts of the scenario's own: what its script's `verdict` says of the metrics.

use std::path::Path;
use std::sync::Arc;

use crate::analysis::observed::observe;
use crate::measured_value::MeasuredValue;
use crate::record::{Status, Trial, Verdict, VerdictKind};
use crate::rule::{Metric, Unit};
use crate::scenario::ScriptSpec;
use crate::script::client::{Judged, MetricValue, Metrics, Setup};
use crate::script::heartbeat::Heartbeat;
use crate::script::{Hooks, Limits};
use crate::server::OF_THIS_PROCESS;

/// The verdicts of a script over all trials of a variant; of each, that of the worst trial. One that fails to judge is
/// inconclusive, with its error as evidence.
pub fn judge(script: &ScriptSpec, trials: &[Trial], pulse: Arc<Heartbeat>) -> Vec<Verdict> {
    let folder = script.path.parent().unwrap_or(Path::new(""));
    let hooks = match Hooks::compile(&script.source, folder, Limits::default(), &Setup::default(), no_time) {
        Ok(hooks) => hooks.measured(OF_THIS_PROCESS).watched(pulse),
        Err(error) => return vec![unjudged(script, &error.to_string())],
    };
    let mut verdicts: Vec<Verdict> = Vec::new();
    for trial in trials {
        let trial = Arc::new(trial.clone());
        let judged = match hooks.verdict(Metrics::new(move |name| look_up(name, &trial))).result {
            Ok(judged) => judged.into_iter().map(verdict).collect(),
            Err(error) => vec![unjudged(script, &error.to_string())],
        };
        for new in judged {
            match verdicts.iter_mut().find(|known| known.rule == new.rule) {
                Some(known) if new.status.severity() > known.status.severity() => *known = new,
                Some(_) => {}
                None => verdicts.push(new),
            }
        }
    }
    verdicts
}

/// What was measured does not depend on when it is judged.
fn no_time() -> f64 {
    0.0
}

fn look_up(name: &str, trial: &Trial) -> Result<MetricValue, String> {
    let metric = Metric::parse(name).ok_or_else(|| format!("there is no metric `{name}`"))?;
    Ok(match observe(metric, trial).ok_or_else(|| format!("`{name}` has no samples"))? {
        MeasuredValue::Exactly(value) if matches!(metric.unit(), Unit::Count | Unit::Size) => {
            MetricValue::Whole(value as u64)
        }
        observed => MetricValue::Number(observed),
    })
}

fn verdict(judged: Judged) -> Verdict {
    let status = match judged.passed {
        Some(true) => Status::Passed,
        Some(false) => Status::Failed,
        None => Status::Inconclusive,
    };
    Verdict {
        kind: VerdictKind::Script,
        rule: judged.rule,
        status,
        expected: judged.expected,
        observed: judged.observed,
        value: None,
        evidence: None,
    }
}

/// What a script comes to that says nothing, and why.
pub fn unjudged(script: &ScriptSpec, error: &str) -> Verdict {
    let file = script.path.file_name().unwrap_or_default().to_string_lossy();
    Verdict {
        kind: VerdictKind::Script,
        value: None,
        rule: format!("verdict(metrics) of {file}"),
        status: Status::Inconclusive,
        expected: "a list of verdicts".to_owned(),
        observed: "the script failed".to_owned(),
        evidence: Some(error.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Histograms, LoadRecord, Quantiles};
    use crate::stats::{Half, Latencies};

    fn trial(throughput: f64, answered: bool) -> Trial {
        let mut latencies = Latencies::default();
        match answered {
            true => latencies.answered(Half::First, 2_000_000_000),
            false => latencies.cut(Half::First, 2_000_000_000),
        }
        let histogram = Histograms::of(&latencies, &latencies);
        let latency_us = Quantiles::of(&latencies);
        Trial {
            load: Some(LoadRecord { started: 4, throughput, latency_us, histogram, ..LoadRecord::default() }),
            ..Trial::default()
        }
    }

    fn judged(body: &str, trials: &[Trial]) -> Vec<Verdict> {
        let source = format!("fn verdict(metrics) {{ {body} }}");
        judge(&ScriptSpec { path: "a/shop.rhai".into(), source }, trials, Arc::default())
    }

    fn statuses(body: &str, trials: &[Trial]) -> Vec<Status> {
        judged(body, trials).iter().map(|verdict| verdict.status).collect()
    }

    #[test]
    fn a_script_may_pass_fail_or_leave_open() {
        let body = r#"[
            expect("fast", metrics["throughput"] > 5, metrics["throughput"]),
            #{ rule: "few", passed: metrics["started"] < 3, expected: "< 3", observed: metrics["started"] },
            #{ rule: "open", passed: () },
        ]"#;
        let verdicts = judged(body, &[trial(9.5, true)]);
        let statuses: Vec<Status> = verdicts.iter().map(|verdict| verdict.status).collect();
        assert_eq!(statuses, [Status::Passed, Status::Failed, Status::Inconclusive]);
        assert_eq!((verdicts[0].observed.as_str(), verdicts[1].observed.as_str()), ("9.5", "4"));
    }

    #[test]
    fn the_worst_trial_decides() {
        let body = r#"expect("fast", metrics["throughput"] > 5, metrics["throughput"])"#;
        let verdicts = judged(body, &[trial(9.0, true), trial(4.0, true), trial(8.0, true)]);
        assert_eq!((verdicts.len(), verdicts[0].status, verdicts[0].observed.as_str()), (1, Status::Failed, "4.0"));
    }

    #[test]
    fn a_lower_bound_is_compared_only_where_it_decides() {
        let of = |rule: &str| statuses(&format!("[expect(\"a\", {rule})]"), &[trial(1.0, false)]);
        for holds in ["metrics[\"latency.p99\"] > 1", "1.5 < metrics[\"latency.p99\"]", "metrics[\"latency.p99\"] != 1"]
        {
            assert_eq!(of(holds), [Status::Passed], "{holds}");
        }
        for fails in
            ["metrics[\"latency.p99\"] < 1", "metrics[\"latency.p99\"] <= 1.5", "1 >= metrics[\"latency.p99\"]"]
        {
            assert_eq!(of(fails), [Status::Failed], "{fails}");
        }
        for open in ["metrics[\"latency.p99\"] < 3", "metrics[\"latency.p99\"] > 3", "metrics[\"latency.p99\"] == 3.5"]
        {
            assert_eq!(of(open), [Status::Inconclusive], "{open}");
        }
    }

    #[test]
    fn what_cannot_be_judged_is_inconclusive_with_the_error_as_evidence() {
        for (body, error) in [
            ("metrics[\"latncy.p99\"] < 1", "there is no metric `latncy.p99`"),
            ("metrics[\"dirty.leaks\"] == 0", "`dirty.leaks` has no samples"),
            ("loop { }", "endless loop"),
            ("true", "a bool is not a verdict"),
            ("[#{ passed: true }]", "without a `rule`"),
            ("expect(\"a\", 1)", "should be true or false"),
            ("#{ rule: \"a\", pased: true }", "has no `pased`"),
        ] {
            let verdicts = judged(body, &[trial(1.0, true)]);
            assert_eq!((verdicts.len(), verdicts[0].status), (1, Status::Inconclusive), "{body}");
            assert!(verdicts[0].evidence.as_ref().unwrap().contains(error), "{:?}", verdicts[0]);
        }
    }
}
