use super::*;
use crate::stats::Half;

/// 90 answers of 220 requests; of the others, some timed out and the rest was refused.
fn mostly_lost(timeouts: u64) -> LoadRecord {
    let mut latencies = crate::stats::Latencies::default();
    (1..=90).for_each(|ms| latencies.answered(Half::First, ms * 1_000_000));
    (0..timeouts).for_each(|_| latencies.cut(Half::First, 2_000_000_000));
    (timeouts..130).for_each(|_| latencies.failed(100_000));
    let errors = [("timeout", timeouts), ("connect", 130 - timeouts)].map(|(kind, n)| (kind.to_owned(), n));
    LoadRecord {
        started: 220,
        completed: 90,
        failed: 130,
        timeout_s: 2.0,
        throughput: 9.0,
        duration_s: 10.0,
        latency_us: crate::record::Quantiles::of(&latencies),
        histogram: crate::record::Histograms::of(&latencies, &latencies),
        errors: errors.into(),
        ..LoadRecord::default()
    }
}

#[test]
fn a_response_that_is_one_too_many_lies_in_none() {
    assert_eq!(found_in(LeakOracle::Number, "a second response"), None);
    assert_eq!(found_in(LeakOracle::Canary, "body").as_deref(), Some("in the body"));
}

#[test]
fn only_those_that_waited_are_said_to_have_waited() {
    let timed_out = mostly_lost(130);
    assert!(load_fact(&timed_out).starts_with("half of the requests waited longer than 2.00 s without a response"));
    let note = unanswered_note(&timed_out).unwrap().what;
    assert!(note.contains("Half of all requests waited longer than 2.00 s; over the 90 answered ones"), "{note}");
    let refused = mostly_lost(10);
    assert_eq!(
        load_fact(&refused),
        "120 could not connect and 10 timed out after 2s: only 90 of 220 were answered (9.00/s)"
    );
    let note = unanswered_note(&refused).unwrap().what;
    assert!(!note.contains("waited longer") && note.contains("over the 90 answered ones alone"), "{note}");
}

#[test]
fn a_leak_that_was_asked_for_was_expected_and_one_that_was_not_found_is_no_missing_proof() {
    use crate::measured_value::Comparison;
    use crate::record::RuleLimit;
    let told = |leaks: u64, kind: VerdictKind, status: Status| {
        let dirty = DirtyRecord { leaks, first_proof_s: Some(0.8), ..DirtyRecord::default() };
        let verdict = Verdict {
            kind,
            rule: String::new(),
            status,
            expected: String::new(),
            observed: String::new(),
            value: None,
            evidence: None,
        };
        let variant = VariantRecord {
            name: String::new(),
            settings: Default::default(),
            server: String::new(),
            planned_trials: 1,
            trials: vec![Trial { dirty: Some(dirty), ..Trial::default() }],
            verdicts: vec![verdict],
            ..VariantRecord::default()
        };
        proof(status, &[variant]).unwrap()
    };
    let rule = |comparison| {
        VerdictKind::Rule(RuleLimit { metric: "dirty.leaks".to_owned(), comparison, value: 0.0, for_s: None })
    };
    let dirty = |expect| VerdictKind::DirtyCheck { expect };
    assert_eq!(told(0, dirty(Expect::Clean), Status::Passed), "no leak found");
    assert_eq!(told(3, dirty(Expect::Dirty), Status::Passed), "with proof of a leak after 800 ms, as expected");
    assert_eq!(told(3, rule(Comparison::Greater), Status::Passed), "with proof of a leak after 800 ms, as expected");
    assert_eq!(told(3, rule(Comparison::Equal), Status::Failed), "with proof of a leak after 800 ms");
}
