//! `abort_when`: rules that end a load early, watched on the counters of the progress line.

use std::collections::VecDeque;
use std::time::Duration;

use crate::load::LoadProgress;
use crate::measured_value::MeasuredValue;
use crate::record::{Aborted, Status, Verdict, VerdictKind};
use crate::rule::{Metric, Rule};
use crate::verdict;

/// Rates are taken over this stretch.
const WINDOW: Duration = Duration::from_secs(1);

/// Watches all rules of a load.
#[derive(Debug)]
pub(super) struct AbortWatch<'a> {
    rules: Vec<(&'a Rule, Option<Duration>)>,
    readings: VecDeque<(Duration, LoadProgress)>,
}

impl<'a> AbortWatch<'a> {
    pub fn new(rules: &'a [Rule]) -> Self {
        AbortWatch { rules: rules.iter().map(|rule| (rule, None)).collect(), readings: VecDeque::new() }
    }

    /// Takes a reading; tells of the first rule that has held for as long as it says.
    pub fn look(&mut self, now: Duration, progress: LoadProgress) -> Option<Aborted> {
        self.readings.push_back((now, progress));
        while self.readings.get(1).is_some_and(|(time, _)| now.saturating_sub(*time) >= WINDOW) {
            self.readings.pop_front();
        }
        let (then, before) = *self.readings.front()?;
        let span = now.saturating_sub(then);
        if span < WINDOW {
            return None;
        }
        self.rules.iter_mut().find_map(|(rule, since)| {
            let value = value(rule.metric, before, progress, span);
            let Some(value) = value.filter(|value| rule.comparison.holds(*value, rule.limit)) else {
                *since = None;
                return None;
            };
            let held_since = *since.get_or_insert(now);
            let long_enough = now.saturating_sub(held_since) >= rule.lasting.unwrap_or_default();
            long_enough.then(|| Aborted {
                rule: rule.text.clone(),
                limit: verdict::limit(rule),
                after_s: now.as_secs_f64(),
                value: Some(MeasuredValue::Exactly(value)),
                observed: rule.show(value),
            })
        })
    }
}

/// The metric over the window; `None` where the window holds nothing to measure.
fn value(metric: Metric, before: LoadProgress, now: LoadProgress, span: Duration) -> Option<f64> {
    // The counters of one reading are taken one after the other: they may be out of step by a request or two.
    let grown = |pick: fn(&LoadProgress) -> u64| pick(&now).saturating_sub(pick(&before));
    let (completed, failed, error_status) = (grown(|p| p.completed), grown(|p| p.failed), grown(|p| p.error_status));
    let (errors, ended) = (failed + error_status, completed + failed);
    match metric {
        Metric::ErrorRate => (ended > 0).then(|| errors as f64 / ended as f64),
        Metric::ErrorCount => Some((now.failed + now.error_status) as f64),
        Metric::ErrorStatus => Some(now.error_status as f64),
        Metric::Throughput => Some(completed.saturating_sub(error_status) as f64 / span.as_secs_f64()),
        _ => None,
    }
}

/// A load that had to be ended has failed.
pub(super) fn judged(aborted: &Aborted) -> Verdict {
    Verdict {
        kind: VerdictKind::AbortWhen { limit: aborted.limit.clone(), after_s: aborted.after_s },
        rule: aborted.rule.clone(),
        status: Status::Failed,
        expected: "never".to_owned(),
        observed: format!("{} after {:.1} s", aborted.observed, aborted.after_s),
        value: aborted.value,
        evidence: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(completed: u64, failed: u64) -> LoadProgress {
        LoadProgress { started: completed + failed, completed, failed, error_status: 0 }
    }

    #[test]
    fn a_rule_must_hold_without_a_break() {
        let rules = [Rule::parse("errors.rate > 50% for 2s").unwrap()];
        let mut watch = AbortWatch::new(&rules);
        let mut total = (0, 0);
        let mut aborted_at = None;
        for second in 0..10 {
            let bad = second != 2 && second != 3;
            total = if bad { (total.0 + 1, total.1 + 9) } else { (total.0 + 10, total.1) };
            let aborted = watch.look(Duration::from_secs(second), reading(total.0, total.1));
            aborted_at = aborted_at.or(aborted.map(|_| second));
        }
        assert_eq!(aborted_at, Some(6), "bad from 4 on, so for 2 s at 6");
    }

    #[test]
    fn a_quiet_server_is_no_error() {
        let rules = [Rule::parse("errors.rate > 50%").unwrap()];
        let mut watch = AbortWatch::new(&rules);
        assert!((0..5).all(|second| watch.look(Duration::from_secs(second), reading(0, 0)).is_none()));
    }

    #[test]
    fn silence_between_two_errors_is_a_break() {
        let rules = [Rule::parse("errors.rate > 50% for 5s").unwrap()];
        let mut watch = AbortWatch::new(&rules);
        let failed = |second: u64| match second {
            0..2 => 0,
            2..40 => 1,
            _ => second - 38,
        };
        let aborted: Vec<u64> = (0..60)
            .filter(|second| watch.look(Duration::from_secs(*second), reading(0, failed(*second))).is_some())
            .collect();
        assert_eq!(aborted[0], 45, "one a second from 40 on, so for 5 s at 45");
    }
}
