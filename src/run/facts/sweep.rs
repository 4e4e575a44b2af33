//! From what a sweep found to what the record says.

use std::collections::BTreeMap;

use super::dirty::leak;
use super::response_samples;
use crate::dirty::sweep::{Finding, LeakingPair, OperationResult, StoredPlace, SweepFindings};
use crate::record;
use crate::scenario::import::{Effect, LeftOut, LeftOutReason};
use crate::scenario::{self, Expect, SweepOperation, SweepSource, SweepSpec};
use crate::stats::upper_bound_95;
use crate::units::{counted, show_percentage};

/// Fewer of the operations answered than this, and what was not is too much to call the rest clean.
const ENOUGH: f64 = 0.9;
/// So many are named where they are the reason.
const MOST_NAMED: usize = 5;
/// A clean verdict on fewer exposures would mean little: its bound is above 10 %.
const TOO_FEW: u64 = 29;

/// `tls` is how it was spoken with the server, if it was; `failure` is what kept the sweep from going on.
pub(in crate::run) fn sweep(
    plan: &scenario::DirtySpec,
    tls: Option<&scenario::TlsSpec>,
    findings: &SweepFindings,
    failure: Option<&str>,
) -> record::DirtyRecord {
    let empty = SweepSpec::default();
    let spec = plan.sweep.as_ref().unwrap_or(&empty);
    let name = |page: usize| spec.operations.get(page).map(|operation| operation.name().to_owned());
    let evidence: Vec<record::LeakRecord> = findings
        .found
        .iter()
        .filter_map(|finding| finding.evidence.as_ref())
        .map(|evidence| leak(evidence, tls, plan.follow > 0, findings.trace_seed, &name))
        .collect();
    let swept = swept(spec, findings);
    let expect = match plan.expect {
        Expect::Clean => "clean",
        Expect::Dirty => "dirty",
        Expect::Report => "report",
    };
    let alone = findings.orders.iter().filter(|(order, _)| order.name() == "alone");
    record::DirtyRecord {
        expect: expect.to_owned(),
        exposures: findings.exposures,
        leaks: findings.leaks,
        bound: upper_bound_95(findings.leaks, findings.exposures),
        duration_s: findings.duration.as_secs_f64(),
        first_proof_s: None,
        control: record::ControlRecord {
            requests: alone.map(|(_, counts)| counts.requests).sum(),
            problems: findings.problems.clone(),
            echoes: None,
        },
        positive_control: findings
            .positive_control
            .map(|control| record::PositiveControlRecord { requests: control.requests, found: control.found }),
        triggers: orders(findings),
        alike: Vec::new(),
        cut: findings.cut,
        unsolicited: findings.unsolicited,
        undecoded: findings.undecoded.clone().map(|(responses, why)| record::Unread { responses, why }),
        evidence,
        inconclusive: inconclusive(&swept, findings, logs_in(plan), failure)
            .map(|why| response_samples::with_limit(why, findings.limit)),
        samples: response_samples::samples(&findings.samples),
        limit: response_samples::limit(findings.limit),
        starts: Some(response_samples::starts(findings.starts)),
        sweep: Some(swept),
    }
}

/// What was sent in which order.
fn orders(findings: &SweepFindings) -> BTreeMap<String, record::TriggerRecord> {
    let all = findings.orders.iter().map(|(found_by, counts)| {
        let record = record::TriggerRecord {
            requests: counts.requests,
            exposures: counts.exposures.max(counts.leaks),
            leaks: counts.leaks,
            rounds: counts.rounds,
            rounds_with_leak: 0,
            failed: counts.failed,
            missing: 0,
            not_exercised: None,
        };
        (found_by.name().to_owned(), record)
    });
    all.collect()
}

fn swept(spec: &SweepSpec, findings: &SweepFindings) -> record::SweepRecord {
    let mut operations: Vec<record::SweptOperation> = spec
        .operations
        .iter()
        .zip(&findings.operations)
        .enumerate()
        .map(|(page, (operation, result))| swept_operation(operation, result, findings.unfilled.get(&page)))
        .collect();
    let not_given = not_given(spec, findings);
    for (page, _) in &not_given {
        operations[*page].left_out = true;
    }
    let asked = || operations.iter().filter(|operation| operation.is_asked());
    let exercised = asked().filter(|operation| operation.exercised).count();
    let share = exercised as f64 / asked().count().max(1) as f64;
    // Of all operations at once: each is given a part of the 5 %.
    let worst = asked().filter(|operation| operation.exercised).map(|operation| operation.exposures).min();
    let worst = worst.map_or(1.0, |least| worst_bound(least, exercised));
    let name = |page: usize| spec.operations.get(page).map(|one| one.name().to_owned()).unwrap_or_default();
    let stored = |place: &StoredPlace| stored_record(&place.sources, place.victim, &place.place, &name);
    record::SweepRecord {
        from: match &spec.source {
            SweepSource::Scenario => "scenario".to_owned(),
            SweepSource::File(path) | SweepSource::Server(path) => path.clone(),
        },
        base: spec.base.clone(),
        omitted: spec
            .omitted
            .iter()
            .map(|omission| record::OmittedRecord {
                name: omission.name.clone(),
                reason: omission.reason.to_string(),
                remedy: omission.reason.remedy(&omission.name),
                chosen: omission.reason.is_chosen(),
            })
            .chain(not_given.into_iter().map(|(_, omitted)| omitted))
            .collect(),
        findings: finding_records(findings, &name),
        stored: findings.stored.iter().map(stored).collect(),
        unsettled: findings
            .unsettled
            .iter()
            .map(|place| stored_record(&place.sources, place.victim, &place.place, &name))
            .collect(),
        shared: findings.allowed,
        exercised: share,
        pairs: findings.met,
        bound_worst: worst,
        principals: findings.principals,
        created: findings.created,
        removed: findings.removed,
        left_behind: findings.left.iter().cloned().collect(),
        unremovable: unremovable(spec, findings),
        operations,
    }
}

/// Whether the scenario says how identities log in.
fn logs_in(plan: &scenario::DirtySpec) -> bool {
    plan.login.is_some() || plan.sweep.as_ref().is_some_and(|sweep| sweep.signup.is_some())
}

/// Operations whose id no response gave, by their index, where no document had said that one would: left out, like those of which
/// it is known beforehand.
fn not_given(spec: &SweepSpec, findings: &SweepFindings) -> Vec<(usize, record::OmittedRecord)> {
    let is_guess = |name: &String| spec.operations.iter().any(|one| one.operation.guessed.contains(name));
    let omitted = |(page, name): (&usize, &String)| {
        let operation = spec.operations.get(*page).filter(|one| !one.cleanup)?;
        let exercised = findings.operations.get(*page)?.is_exercised;
        // The parameter, as the document calls it.
        let path = operation.name().rsplit_once('{').and_then(|(_, rest)| rest.split_once('}'));
        let parameter = path.map_or(name.as_str(), |(parameter, _)| parameter).to_owned();
        let left_out = LeftOut { name: operation.name().to_owned(), reason: LeftOutReason::NoId(parameter) };
        let record = record::OmittedRecord {
            name: left_out.name.clone(),
            reason: left_out.reason.to_string(),
            remedy: Some(left_out.remedy()),
            chosen: false,
        };
        (!exercised && is_guess(name)).then_some((*page, record))
    };
    findings.unfilled.iter().filter_map(omitted).collect()
}

/// POST requests that no other request removes: neither what they create, nor what they are sent to.
fn unremovable(spec: &SweepSpec, findings: &SweepFindings) -> BTreeMap<String, u64> {
    let stays = |one: &SweepOperation| {
        let operation = &one.operation;
        let writes = operation.effect == Effect::Write && operation.request.method == "POST";
        writes && operation.creates.is_none() && operation.needs.is_empty()
    };
    let all =
        spec.operations.iter().zip(&findings.operations).filter(|(one, result)| stays(one) && result.answered > 0);
    all.map(|(one, result)| (one.name().to_owned(), result.answered)).collect()
}

/// The upper end of a one-sided interval for a share of which none was seen, at a confidence that is shared by `count` of them
/// (Bonferroni): 1 - (0.05 / count)^(1 / exposures).
fn worst_bound(exposures: u64, count: usize) -> f64 {
    if exposures == 0 {
        return 1.0;
    }
    1.0 - (0.05 / count.max(1) as f64).powf(1.0 / exposures as f64)
}

fn swept_operation(
    operation: &SweepOperation,
    result: &OperationResult,
    unfilled: Option<&String>,
) -> record::SweptOperation {
    let why = match (unfilled, result.alone, result.failure) {
        _ if result.is_exercised => None,
        (Some(name), ..) => Some(format!("no response gave its `{name}`")),
        (_, Some(status), _) => Some(format!("every request was answered with {}", statuses(result, status))),
        (_, None, Some(failure)) => Some(format!("no request got a response ({failure})")),
        (_, None, None) if result.requests == 0 => Some("its turn had not come when the sweep ended".to_owned()),
        (_, None, None) => Some("no request got a response".to_owned()),
    };
    let carriers = &operation.operation.carriers;
    let plain = result.plain.iter().filter_map(|index| {
        let place = carriers.get(*index)?.to_string();
        Some(record::PlainPlace { carrier: *index, place })
    });
    record::SweptOperation {
        name: operation.name().to_owned(),
        requests: result.requests,
        exposures: result.exposures,
        status: result.statuses.iter().map(|(status, count)| (status.to_string(), *count)).collect(),
        exercised: result.is_exercised,
        not_exercised: why.filter(|_| result.is_asked),
        cleanup: !result.is_asked,
        left_out: false,
        reflects: result.reflects || result.reflects_identity,
        plain: plain.collect(),
        silent: result.is_exercised && !result.tells,
    }
}

fn statuses(result: &OperationResult, alone: u16) -> String {
    let all: Vec<String> = result.statuses.keys().map(u16::to_string).collect();
    if all.is_empty() { alone.to_string() } else { all.join(" or ") }
}

fn stored_record(
    sources: &[usize],
    victim: usize,
    place: &str,
    name: &dyn Fn(usize) -> String,
) -> record::StoredRecord {
    let sources: Vec<String> = sources.iter().map(|source| name(*source)).collect();
    let victim = name(victim);
    let line = match sources.as_slice() {
        [source] => format!("\"{source} -> {victim}\""),
        _ => format!("\"* -> {victim}\""),
    };
    record::StoredRecord { sources, victim, place: place.to_owned(), line: format!("shared = [{line}]") }
}

fn finding_records(findings: &SweepFindings, name: &dyn Fn(usize) -> String) -> Vec<record::FindingRecord> {
    let mut evidence = 0;
    let one = |finding: &Finding| {
        let index = finding.evidence.as_ref().map(|_| {
            evidence += 1;
            evidence - 1
        });
        let shown = finding.evidence.as_ref();
        let first = finding.pairs.first().copied();
        let leak = shown.map(|one| &one.leak);
        let source = match leak {
            Some(leak) => leak.source.as_ref().map(|seen| seen.page),
            None => first.and_then(|pair| pair.source),
        };
        let victim = leak.map(|leak| leak.victim.page).or(first.map(|pair| pair.victim)).unwrap_or_default();
        let is_likely = |pair: &LeakingPair| (pair.source, pair.victim) == (source, victim) && pair.is_likely;
        record::FindingRecord {
            class: shown.map(|one| one.class),
            source: source.map(name),
            victim: name(victim),
            source_likely: finding.pairs.iter().any(is_likely),
            sources: finding.sources().into_iter().map(name).collect(),
            victims: finding.victims().into_iter().map(name).collect(),
            pairs: finding
                .pairs
                .iter()
                .map(|pair| record::SweptPair {
                    source: pair.source,
                    victim: pair.victim,
                    responses: pair.count,
                    likely: pair.is_likely,
                })
                .collect(),
            of_identity: finding.of_principals,
            after_requests: finding.after_requests,
            evidence: index,
        }
    };
    findings.found.iter().map(one).collect()
}

/// Why neither "clean" nor "no leak" would be honest.
fn inconclusive(
    swept: &record::SweepRecord,
    findings: &SweepFindings,
    logs_in: bool,
    failure: Option<&str>,
) -> Option<String> {
    if findings.leaks > 0 {
        // A leak is a leak, whatever else could not be found out.
        return None;
    }
    if let Some(failure) = failure {
        return Some(format!("it could not go on: {failure}"));
    }
    if let Some(problem) = findings.problems.first() {
        return Some(problem.clone());
    }
    if findings.interrupted {
        let after = crate::units::show_time(findings.duration.as_secs_f64());
        return Some(format!("cut short after {after}, with {}", counted(findings.exposures, "exposure")));
    }
    if let Some(first) = swept.unsettled.first() {
        let more = swept.unsettled.len() - 1;
        let others = if more > 0 { format!(", and {more} more") } else { String::new() };
        return Some(format!(
            "{} shows what another request brought, and whether it was stored for everybody or leaked cannot be told{others}: \
             if it is meant to be seen, write {}",
            first.victim, first.line
        ));
    }
    if findings.positive_control.is_some_and(|control| !control.found) {
        return Some(
            "a planted leak was not seen: two responses were exchanged, and nothing in them told so".to_owned(),
        );
    }
    if swept.exercised < ENOUGH {
        let missing = swept.operations.iter().filter(|operation| operation.is_asked() && !operation.exercised);
        let missing: Vec<&record::SweptOperation> = missing.collect();
        let named: Vec<String> = missing.iter().take(MOST_NAMED).map(|one| one.name.clone()).collect();
        let more = missing.len().saturating_sub(MOST_NAMED);
        let others = if more > 0 { format!(" and {more} more") } else { String::new() };
        let why = missing.first().and_then(|one| one.not_exercised.clone()).unwrap_or_default();
        let refused = |one: &&record::SweptOperation| ["401", "403"].iter().any(|code| one.status.contains_key(*code));
        let advice = match !logs_in && missing.iter().any(refused) {
            true => {
                "; say who asks, by [dirty.login], [dirty.signup] or `headers`: `runner new NAME --from FILE` proposes \
                 the login that a document tells of"
            }
            false => "",
        };
        return Some(format!(
            "only {} of the operations were answered well; not {}{others} ({why}){advice}",
            show_percentage(swept.exercised),
            named.join(", "),
        ));
    }
    if findings.positive_control.is_none() {
        let why = "no response shows a value of its own request, so that nothing shows that a leak would be seen";
        return Some(format!("{why}: give who asks, by `headers`, `cookies` or [dirty.login]"));
    }
    let (overlapped, meant) = findings.overlapped;
    if !findings.one_at_a_time && meant > 0 && overlapped * 10 < meant {
        return Some(format!("too little overlap: {overlapped} of {} overlapped another", counted(meant, "request")));
    }
    (findings.exposures < TOO_FEW).then(|| {
        let exposures = counted(findings.exposures, "exposure");
        format!("only {exposures}, which bounds next to nothing: give the sweep more time")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_for_each_of_many_takes_more_exposures_than_one_for_all() {
        // 1 % for each of 200 operations takes 826 exposures each; for all of them together, 299.
        assert!((worst_bound(826, 200) - 0.01).abs() < 1e-4, "{}", worst_bound(826, 200));
        assert!((worst_bound(299, 1) - 0.01).abs() < 1e-4);
        assert_eq!(worst_bound(0, 5), 1.0);
    }

    #[test]
    fn operations_that_refuse_are_named() {
        let operation = |name: &str, exercised| record::SweptOperation {
            name: name.to_owned(),
            exercised,
            not_exercised: (!exercised).then(|| "every request was answered with 401".to_owned()),
            status: BTreeMap::from([(if exercised { "200" } else { "401" }.to_owned(), 3)]),
            ..record::SweptOperation::default()
        };
        let swept = record::SweepRecord {
            operations: vec![operation("GET /a", true), operation("GET /b", false)],
            exercised: 0.5,
            ..record::SweepRecord::default()
        };
        let findings = SweepFindings {
            positive_control: Some(crate::dirty::PositiveControl { requests: 2, found: true }),
            exposures: 100,
            ..SweepFindings::default()
        };
        let named =
            "only 50.0 % of the operations were answered well; not GET /b (every request was answered with 401)";
        assert_eq!(inconclusive(&swept, &findings, true, None).unwrap(), named);
        let advised = inconclusive(&swept, &findings, false, None).unwrap();
        assert!(advised.starts_with(named) && advised.contains("[dirty.login]"), "{advised}");
        assert_eq!(inconclusive(&record::SweepRecord { exercised: 1.0, ..swept }, &findings, false, None), None);
    }
}
