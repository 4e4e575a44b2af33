//! From what a dirty check found to what the record says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use super::response_samples;
use super::sent_requests::asked;
use super::untested_classes::untested;
use crate::dirty::evidence::Reduction;
use crate::dirty::{Evidence, Findings, Seen, TriggerCounts};
use crate::record;
use crate::scenario::{self, Expect};
use crate::stats::{interval_95, upper_bound_95};
use crate::traceparent::{TraceContext, TraceOrigin};
use crate::trigger::Trigger;
use crate::units::counted;

/// A clean verdict on fewer exposures would mean little: its bound is above 10 %.
const TOO_FEW: u64 = 29;

/// One response without a canary in this many is put down to the server's mood; more make the check inconclusive.
const TELLING: u64 = 10;

/// `tls` is how it was spoken with the server, if it was; `failure` is what kept the check from going on.
pub(in crate::run) fn dirty(
    plan: &scenario::DirtySpec,
    tls: Option<&scenario::TlsSpec>,
    findings: &Findings,
    failure: Option<&str>,
) -> record::DirtyRecord {
    let tally = &findings.totals;
    let expect = match plan.expect {
        Expect::Clean => "clean",
        Expect::Dirty => "dirty",
        Expect::Report => "report",
    };
    record::DirtyRecord {
        expect: expect.to_owned(),
        exposures: tally.exposures,
        leaks: tally.leaks,
        bound: upper_bound_95(tally.leaks, tally.exposures),
        duration_s: findings.duration.as_secs_f64(),
        first_proof_s: findings.first_proof.map(|time| time.as_secs_f64()),
        control: record::ControlRecord {
            requests: findings.control.requests,
            problems: findings.control.problems.clone(),
            echoes: (findings.control.requests > 0).then_some(findings.control.echoes),
        },
        positive_control: findings
            .positive_control
            .map(|control| record::PositiveControlRecord { requests: control.requests, found: control.found }),
        triggers: triggers(findings),
        alike: findings.alike.clone(),
        cut: tally.cut,
        unsolicited: tally.unsolicited,
        undecoded: tally.undecoded.clone().map(|(responses, why)| record::Unread { responses, why }),
        evidence: tally
            .evidence
            .iter()
            .map(|evidence| leak(evidence, tls, plan.follow > 0, findings.trace_seed, &|_| None))
            .collect(),
        inconclusive: inconclusive(findings, failure).map(|why| response_samples::with_limit(why, findings.limit)),
        samples: response_samples::samples(&findings.samples),
        limit: response_samples::limit(findings.limit),
        starts: Some(response_samples::starts(findings.starts)),
        sweep: None,
    }
}

/// Every trigger that was tried, or that could not be.
fn triggers(findings: &Findings) -> BTreeMap<String, record::TriggerRecord> {
    let tally = &findings.totals;
    let all: BTreeSet<Trigger> = tally.triggers.keys().chain(findings.obstacles.keys()).copied().collect();
    let known = |one: &Trigger| {
        let tally = tally.triggers.get(one).copied().unwrap_or_default();
        trigger(&tally, findings.obstacles.get(one).cloned())
    };
    all.iter().map(|one| (one.name().to_owned(), known(one))).collect()
}

fn trigger(tally: &TriggerCounts, not_exercised: Option<String>) -> record::TriggerRecord {
    record::TriggerRecord {
        requests: tally.requests,
        exposures: tally.exposures,
        leaks: tally.leaks,
        rounds: tally.rounds,
        rounds_with_leak: tally.rounds_with_leak,
        failed: tally.failed,
        missing: tally.missing,
        not_exercised,
    }
}

/// Why neither "clean" nor "no leak" would be honest.
fn inconclusive(findings: &Findings, failure: Option<&str>) -> Option<String> {
    let tally = &findings.totals;
    if tally.leaks > 0 {
        // A leak is a leak, whatever else could not be found out.
        return None;
    }
    if let Some(failure) = failure {
        return Some(format!("it could not go on: {failure}"));
    }
    if let Some(problem) = findings.control.problems.first() {
        return Some(format!("the control run failed: {problem}"));
    }
    if findings.positive_control.is_some_and(|control| !control.found) {
        let why = "two responses were exchanged on their way, and nothing in them told so";
        return Some(format!("a planted leak was not seen: {why}"));
    }
    let sum = |pick: fn(&TriggerCounts) -> u64| tally.triggers.values().map(pick).sum::<u64>();
    // Those that were to fail say nothing of the server's mood.
    let (requests, failed) = (sum(|t| t.ordinary), sum(|t| t.failed));
    if failed * 2 > requests {
        return Some(format!("{failed} of {requests} requests failed, or were answered with a status of 400 or above"));
    }
    if findings.interrupted {
        let after = crate::units::show_time(findings.duration.as_secs_f64());
        return Some(format!("cut short after {after}, with {}", counted(tally.exposures, "exposure")));
    }
    let meant = || tally.triggers.values().filter(|trigger| trigger.overlapping);
    let (asked, overlapped): (u64, u64) = (meant().map(|t| t.requests).sum(), meant().map(|t| t.overlapped).sum());
    if let Some(why) = untested(findings) {
        return Some(why);
    }
    if findings.positive_control.is_none() {
        let why = "no leak was planted, so that nothing shows that one would be seen";
        return Some(format!("{why}: give the check more time"));
    }
    let missing = sum(|t| t.missing);
    if missing * TELLING > requests {
        let responses = counted(requests, "response");
        return Some(format!("{missing} of {responses} did not tell who asked, though those to lone requests did"));
    }
    if findings.unsettled > 0 {
        let suspicions = counted(findings.unsettled, "suspicion");
        return Some(format!("{suspicions} could be neither confirmed nor refuted in the time: give the check more"));
    }
    if !findings.one_at_a_time && overlapped * 10 < asked {
        let requests = counted(asked, "request");
        return Some(format!("too little overlap: {overlapped} of {requests} overlapped another"));
    }
    if tally.exposures < TOO_FEW {
        return Some(format!(
            "only {}, which bounds next to nothing: give the check more time",
            counted(tally.exposures, "exposure")
        ));
    }
    None
}

/// `operation` names that of a page, in a sweep.
pub(super) fn leak(
    evidence: &Evidence,
    tls: Option<&scenario::TlsSpec>,
    follow: bool,
    trace_seed: Option<u64>,
    operation: &dyn Fn(usize) -> Option<String>,
) -> record::LeakRecord {
    let leak = &evidence.leak;
    let all = || std::iter::once(&leak.victim).chain(&leak.source).chain(&evidence.bystanders);
    let origin = all().map(Seen::sent).min().unwrap_or_default();
    let witness =
        |seen: &Seen| record::Witness { operation: operation(seen.page), ..witness(seen, origin, trace_seed) };
    record::LeakRecord {
        class: evidence.class,
        alternatives: evidence.alternatives.clone(),
        oracle: leak.oracle,
        overlapped: leak.overlapped,
        trigger: evidence.found_by.name().to_owned(),
        round: evidence.round,
        victim: witness(&leak.victim),
        source: leak.source.as_ref().map(witness),
        place: leak.place.clone(),
        excerpt: leak.excerpt.clone(),
        own_present: leak.own_present,
        round_requests: evidence.round_requests,
        bystanders: evidence.bystanders.iter().map(witness).collect(),
        recipe: evidence.recipe.clone(),
        shrunk: evidence.shrunk.as_ref().map(|least| shrunk(least, tls, follow)),
        located: None,
    }
}

fn shrunk(shrunk: &Reduction, spoken: Option<&scenario::TlsSpec>, follow: bool) -> record::ShrunkRecord {
    let (rate_at_least, rate_at_most) = interval_95(shrunk.shown, shrunk.tries);
    record::ShrunkRecord {
        recipe: shrunk.recipe.clone(),
        shown: shrunk.shown,
        tries: shrunk.tries,
        rate_at_least,
        rate_at_most,
        place: shrunk.place.clone(),
        requests: shrunk.requests.iter().map(|one| asked(one, shrunk)).collect(),
        tls: spoken.map(tls),
        follow,
    }
}

fn tls(tls: &scenario::TlsSpec) -> record::TlsRecord {
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let scenario::TlsFiles { ca, cert, key } = &tls.files;
    record::TlsRecord {
        insecure: tls.insecure,
        ca: path(ca),
        cert: path(cert),
        key: path(key),
        name: tls.name.as_ref().map(|name| name.to_str().into_owned()),
    }
}

fn witness(seen: &Seen, origin: Duration, trace_seed: Option<u64>) -> record::Witness {
    let millis = |time: Duration| time.saturating_sub(origin).as_secs_f64() * 1e3;
    record::Witness {
        request: seen.request,
        canary: seen.canary.clone(),
        role: seen.role.name().to_owned(),
        line: seen.line.clone(),
        connection: seen.connection,
        worker: seen.worker.clone(),
        sleep_ms: seen.sleep.map(|sleep| sleep.as_secs_f64() * 1e3),
        sent_ms: millis(seen.sent()),
        first_byte_ms: seen.exchange.first_byte.map(millis),
        done_ms: millis(seen.exchange.done),
        status: seen.status(),
        response_bytes: seen.status().map(|_| seen.bytes),
        operation: None,
        trace_id: trace_seed.map(|seed| TraceContext::of(seed, TraceOrigin::Dirty, seen.request).trace_id()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dirty::{Control, PositiveControl};

    #[test]
    fn a_check_that_does_not_see_a_planted_leak_concludes_nothing() {
        let tally =
            TriggerCounts { requests: 100, ordinary: 100, exposures: 100, overlapped: 100, ..TriggerCounts::default() };
        let findings = |found| {
            let mut findings = Findings {
                control: Control { requests: 4, ..Control::default() },
                positive_control: Some(PositiveControl { requests: 2, found }),
                ..Findings::default()
            };
            findings.totals.exposures = 100;
            findings.totals.triggers.insert(Trigger::Overlap, tally);
            findings
        };
        assert_eq!(inconclusive(&findings(true), None), None);
        let why = inconclusive(&findings(false), None).unwrap();
        assert!(why.starts_with("a planted leak was not seen"), "{why}");
    }

    // fault: labels: the server is gone during a dirty check -> the report says so, and not that the time was up
    #[test]
    fn a_server_that_is_gone_is_no_lack_of_time() {
        let mut findings = Findings::default();
        findings.obstacles.insert(Trigger::Gate, crate::dirty::NO_TURN.to_owned());
        let why = |findings: &Findings, failure| inconclusive(findings, failure).unwrap();
        assert!(why(&findings, None).starts_with("the time was up"));
        let gone = "it exited with status 1 before it was ready";
        assert_eq!(why(&findings, Some(gone)), format!("it could not go on: {gone}"));
        findings.interrupted = true;
        assert!(why(&findings, None).starts_with("cut short after"));
        findings.totals.leaks = 1;
        assert_eq!(inconclusive(&findings, Some(gone)), None, "a leak is one");
    }
}
