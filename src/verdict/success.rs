//! A load without a single success has not passed, whatever its rules say.

use crate::record::{LoadRecord, Status, Trial, Verdict, VerdictKind};
use crate::rule::Rule;
use crate::units::{counted, show_count};

/// Rules on these metrics say themselves what is thought of answers that are errors, and of checks that fail.
const ON_STATUSES: [&str; 2] = ["errors", "status"];
const ON_CHECKS: &str = "checks";

/// The verdict on the worst of a variant's loads, where one saw no success. One that was cut short says so itself.
pub fn judge(rules: &[Rule], has_script: bool, trials: &[Trial]) -> Option<Verdict> {
    let whole = trials.iter().filter(|trial| !trial.interrupted && trial.failure.is_none() && trial.aborted.is_none());
    let lacking = whole.filter_map(|trial| lacking(trial.load.as_ref()?, rules, has_script));
    let (status, observed) = lacking.max_by_key(|(status, _)| status.severity())?;
    Some(Verdict {
        kind: VerdictKind::Success,
        rule: "a success in the load".to_owned(),
        status,
        expected: "at least one".to_owned(),
        observed,
        value: None,
        evidence: None,
    })
}

/// What a load lacks; no response means that nothing was measured.
fn lacking(load: &LoadRecord, rules: &[Rule], has_script: bool) -> Option<(Status, String)> {
    let errors = |kind: &str| load.errors.get(kind).copied().unwrap_or(0);
    if load.started == 0 {
        return Some((Status::CouldNotRun, "no request was sent".to_owned()));
    }
    // A queue may be so long that within the time nothing but requests of the warm-up is answered.
    if load.completed == 0 && load.answers_to_warmup > 0 {
        return None;
    }
    if load.completed == 0 {
        let started = show_count(load.started);
        let none = match errors("script") == load.started {
            true => format!("no request was sent: the script failed for each of {started}"),
            false => format!("no request was answered, of {started} started"),
        };
        return Some((Status::CouldNotRun, none));
    }
    let judged = |groups: &[&str]| {
        let group = |rule: &Rule| rule.metric.name().split('.').next().is_some_and(|group| groups.contains(&group));
        has_script || rules.iter().any(group)
    };
    if errors("status") >= load.completed && !judged(&ON_STATUSES) {
        let responses = counted(load.completed, "response");
        let statuses: Vec<&str> = load.status.keys().map(String::as_str).collect();
        return Some((
            Status::Inconclusive,
            format!("not one of {responses} has a status below 400: {}", statuses.join(", ")),
        ));
    }
    let checks = load.checks.as_ref().filter(|checks| checks.passed == 0 && checks.failed > 0)?;
    let all = format!("not one of {} checks passed", show_count(checks.failed));
    (!judged(&[ON_CHECKS])).then_some((Status::Inconclusive, all))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Checks;

    fn load(started: u64, completed: u64) -> LoadRecord {
        LoadRecord { started, completed, failed: started - completed, ..LoadRecord::default() }
    }

    fn judged(load: LoadRecord, rules: &[&str]) -> Option<(Status, String)> {
        let rules: Vec<Rule> = rules.iter().map(|rule| Rule::parse(rule).unwrap()).collect();
        let trial = Trial { load: Some(load), ..Trial::default() };
        judge(&rules, false, &[Trial::default(), trial]).map(|verdict| (verdict.status, verdict.observed))
    }

    // fault: labels: nothing is answered, or a script fails each request -> could not run, in record, report and
    // exit code
    #[test]
    fn a_load_without_an_answer_measured_nothing_whatever_its_rules() {
        for rules in [&[][..], &["errors.status == 0"], &["errors.count > 0", "failed > 0"]] {
            let none = judged(load(3, 0), rules).unwrap();
            assert_eq!(none, (Status::CouldNotRun, "no request was answered, of 3 started".to_owned()));
        }
        let mut unsent = load(3, 0);
        unsent.errors.insert("script".to_owned(), 3);
        let script = "no request was sent: the script failed for each of 3".to_owned();
        assert_eq!(judged(unsent, &[]), Some((Status::CouldNotRun, script)));
        assert_eq!(judged(load(0, 0), &[]).unwrap().1, "no request was sent");
        assert_eq!(judged(load(3, 1), &[]), None);
        let of_the_warm_up = LoadRecord { answers_to_warmup: 2, ..load(3, 0) };
        assert_eq!(judged(of_the_warm_up, &[]), None);
    }

    // fault: labels: every response is an error, and no rule judges that -> inconclusive, never passed
    #[test]
    fn answers_that_are_errors_are_no_success_unless_a_rule_asks_for_them() {
        let refused = |errors| {
            let mut load = load(10, 10);
            load.status.insert("404".to_owned(), errors);
            load.errors.insert("status".to_owned(), errors);
            load
        };
        let none = (Status::Inconclusive, "not one of 10 responses has a status below 400: 404".to_owned());
        assert_eq!(judged(refused(10), &["latency.p99 < 1s"]), Some(none));
        assert_eq!(judged(refused(9), &[]), None);
        assert_eq!(judged(refused(10), &["status.404 == 10"]), None);
        assert_eq!(judged(refused(10), &["errors.rate > 90%"]), None);
    }

    // fault: labels: not one check of a script passes, and no rule judges that -> inconclusive, never passed
    #[test]
    fn checks_of_which_none_passes_are_no_success_unless_a_rule_judges_them() {
        let checked = |passed, failed| {
            let checks = Some(Checks { passed, failed, ..Checks::default() });
            LoadRecord { checks, ..load(10, 10) }
        };
        let none = (Status::Inconclusive, "not one of 10 checks passed".to_owned());
        assert_eq!(judged(checked(0, 10), &["errors.rate < 1%"]), Some(none));
        assert_eq!(judged(checked(1, 9), &[]), None);
        assert_eq!(judged(checked(0, 0), &[]), None);
        assert_eq!(judged(checked(0, 10), &["checks.rate < 50%"]), None);
    }

    #[test]
    fn what_was_cut_short_says_so_itself() {
        let trial = Trial { load: Some(load(3, 0)), interrupted: true, ..Trial::default() };
        assert!(judge(&[], false, &[trial]).is_none());
    }
}
