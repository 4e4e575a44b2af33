//! Findings as sentences, in plain text.

use crate::analysis::abandonment::{Abandonment, abandonment};
use crate::analysis::coverage::{not_exercised, uncovered};
use crate::analysis::exposures::dirty_totals;
use crate::analysis::median_trial::{median_capacity, median_trial};
use crate::analysis::responses::{half_waited_in_vain, without_response};
use crate::measured_value::MeasuredValue;
use crate::record::{
    ComparisonRecord, DirtyRecord, LeakOracle, LeakRecord, LoadRecord, Record, Status, Trial, VariantRecord, Verdict,
    VerdictKind, Witness,
};
use crate::scenario::Expect;
use crate::units::{counted, show_count, show_percentage, show_rate, show_time};

use super::capacity;
use super::decision;
use super::escape::{clean, clip};
use super::format::{capital, list, micros, millis, outside, sent_again, status, ways_lost};
use super::inspection;

mod sweep;
#[cfg(test)]
mod tests;
mod unanswered;

pub(crate) use sweep::{finding, swept, unremovable};
pub(crate) use unanswered::unanswered_note;

/// The verdict and why, with the numbers that decide: `Passed: both rules hold. ...`. One line of plain text.
pub(crate) fn answer(record: &Record) -> String {
    let state = capital(status(record.status));
    let reason = reason(record);
    if reason.is_empty() { state } else { format!("{state}: {reason}") }
}

/// Why a record came out as it did: `both rules hold. ...`. One line of plain text, empty without a reason.
pub(super) fn reason(record: &Record) -> String {
    let reasons: Vec<String> = reasons(record).iter().map(|sentence| clean(sentence).trim().to_owned()).collect();
    let reasons: Vec<&str> = reasons.iter().map(String::as_str).filter(|reason| !reason.is_empty()).collect();
    let sentence = |(index, reason): (usize, &&str)| {
        let reason = reason.trim_end_matches('.');
        if index == 0 { format!("{reason}.") } else { format!("{}.", capital(reason)) }
    };
    let sentences: Vec<String> = reasons.iter().enumerate().map(sentence).collect();
    sentences.join(" ")
}

/// The parts of [`reason`], without capitals and full stops.
fn reasons(record: &Record) -> Vec<String> {
    match (record.status, record.variants.as_slice()) {
        (Status::CouldNotRun, variants) => vec![could_not_run(variants)],
        (Status::Interrupted, variants) => {
            let measured = variants.iter().find(|variant| !facts(variant).is_empty());
            let mut all = vec![why_interrupted(record).to_owned()];
            all.extend(measured.map(facts).unwrap_or_default());
            all.extend(not_started(variants));
            all
        }
        (_, []) => vec!["nothing was measured; the record holds no variant".to_owned()],
        (_, [variant]) if variant.trials.is_empty() => {
            vec!["nothing was measured; the record holds no trial".to_owned()]
        }
        (_, [variant]) => why_and_facts(variant),
        (_, variants) => over_variants(record.status, variants, record.comparison.as_ref()),
    }
}

fn why_interrupted(record: &Record) -> &'static str {
    let by_user = record.variants.iter().flat_map(|variant| &variant.trials).any(|trial| trial.interrupted);
    match record.merged.is_empty() || by_user {
        true => "ended by the user, so the figures cover only what was measured until then",
        false => "rounds of it are in none of the records it was merged from, so the figures cover only the others",
    }
}

/// How many variants of several had no turn.
fn not_started(variants: &[VariantRecord]) -> Option<String> {
    let count = variants.iter().filter(|variant| variant.status() == Status::NotStarted).count();
    let of = counted(variants.len() as u64, "variant");
    (count > 0 && variants.len() > 1).then(|| format!("{count} of {of} {}", came_out_as(Status::NotStarted, count)))
}

fn could_not_run(variants: &[VariantRecord]) -> String {
    let failed = variants.iter().find_map(|variant| {
        let failure = variant.trials.iter().find_map(|trial| trial.failure.as_ref());
        failure.map(|failure| (variant, failure.message.clone()))
    });
    let lacking = || {
        let of = |variant: &VariantRecord| lacking(variant).map(|verdict| verdict.observed.clone());
        variants.iter().find_map(|variant| Some((variant, of(variant)?)))
    };
    match failed.or_else(lacking) {
        Some((variant, message)) if variants.len() > 1 => format!("{message} (in `{}`)", clip(&variant.name, 80)),
        Some((_, message)) => message,
        None => "no trial of this scenario was run".to_owned(),
    }
}

/// Each reason once: what keeps a dirty check from a conclusion is also why its verdict is open.
fn why_and_facts(variant: &VariantRecord) -> Vec<String> {
    let failed = variant.verdicts.iter().any(|verdict| verdict.status == Status::Failed);
    let first_open = variant.verdicts.iter().find(|verdict| verdict.status == Status::Inconclusive);
    let is_of_check = |verdict: &Verdict| matches!(verdict.kind, VerdictKind::DirtyCheck { .. });
    let told = !failed && first_open.is_some_and(is_of_check);
    let of_check = worst_check(variant).filter(|check| !(told && check.leaks == 0 && check.inconclusive.is_some()));
    let capacity = median_capacity(variant).map(capacity::fact);
    let of_load = load_facts(variant).into_iter().chain(inspected(variant));
    why(variant).into_iter().chain(capacity).chain(of_load).chain(of_check.map(dirty_fact)).collect()
}

/// The verdict that says that a load saw no success.
fn lacking(variant: &VariantRecord) -> Option<&Verdict> {
    variant.verdicts.iter().find(|verdict| verdict.kind == VerdictKind::Success)
}

/// Why a variant's verdict is as it is, where its facts do not say so themselves.
fn why(variant: &VariantRecord) -> Option<String> {
    let with =
        |wanted: Status| variant.verdicts.iter().filter(move |verdict| verdict.status == wanted).collect::<Vec<_>>();
    let (failed, open) = (with(Status::Failed), with(Status::Inconclusive));
    let others = |n: usize| match n {
        0 | 1 => String::new(),
        2 => "; 1 other rule does not hold either".to_owned(),
        n => format!("; {} other rules do not hold either", n - 1),
    };
    match (failed.first(), open.first()) {
        (Some(first), _) => Some(broken(first) + others(failed.len()).as_str()),
        (None, Some(first)) if first.kind == VerdictKind::Success => Some(first.observed.clone()),
        (None, Some(first)) => Some(format!("`{}` cannot be judged: {}", first.rule, first.observed)),
        (None, None) => match variant.verdicts.as_slice() {
            [] if is_only_inspected(variant) => None,
            [] => Some("no rule was set".to_owned()),
            [one] if one.kind == (VerdictKind::DirtyCheck { expect: Expect::Dirty }) => {
                Some("the leak shows, as expected".to_owned())
            }
            [one] => Some(format!("`{}` holds", one.rule)),
            [_, _] => Some("both rules hold".to_owned()),
            all => Some(format!("all {} rules hold", all.len())),
        },
    }
}

fn broken(verdict: &Verdict) -> String {
    match verdict.kind {
        VerdictKind::AbortWhen { .. } => {
            format!("the load was ended early: `{}` held ({})", verdict.rule, verdict.observed)
        }
        VerdictKind::DirtyCheck { expect: Expect::Dirty } => "a leak was expected, and none was seen".to_owned(),
        VerdictKind::DirtyCheck { .. } => "the server was expected to be clean, and it leaks".to_owned(),
        VerdictKind::Rule(_) | VerdictKind::Script | VerdictKind::Success => {
            format!("`{}` does not hold, observed {}", verdict.rule, verdict.observed)
        }
    }
}

/// Whether nothing was asked of a variant but how many requests its server works on at once.
fn is_only_inspected(variant: &VariantRecord) -> bool {
    let only = |trial: &Trial| trial.inspection.is_some() && trial.load.is_none() && trial.dirty.is_none();
    variant.trials.iter().all(only)
}

/// What a variant showed: its load, what it works on at once, its dirty check.
fn facts(variant: &VariantRecord) -> Vec<String> {
    let check = worst_check(variant).map(dirty_fact);
    load_facts(variant).into_iter().chain(inspected(variant)).chain(check).collect()
}

/// How many requests the server works on at once, from the first trial that tells.
fn inspected(variant: &VariantRecord) -> Option<String> {
    let first = variant.trials.iter().find_map(|trial| trial.inspection.as_ref())?;
    Some(inspection::answer(first))
}

fn load_facts(variant: &VariantRecord) -> Vec<String> {
    let load = median_trial(variant).and_then(|(_, trial)| trial.load.as_ref());
    load.map(load_fact).into_iter().chain(load.and_then(gave_up)).collect()
}

/// The dirty check that says least, else the one with most leaks.
fn worst_check(variant: &VariantRecord) -> Option<&DirtyRecord> {
    let checks = variant.trials.iter().filter_map(|trial| trial.dirty.as_ref());
    checks.max_by_key(|dirty| (dirty.inconclusive.is_some(), dirty.leaks))
}

fn over_variants(overall: Status, variants: &[VariantRecord], comparison: Option<&ComparisonRecord>) -> Vec<String> {
    let came_out = |wanted: Status| variants.iter().filter(move |variant| variant.status() == wanted);
    let with_verdicts = variants.iter().any(|variant| !variant.verdicts.is_empty());
    let mut all = Vec::new();
    if overall != Status::Passed {
        let culprits: Vec<&VariantRecord> = came_out(overall).collect();
        if !culprits.is_empty() {
            let of = counted(variants.len() as u64, "variant");
            all.push(format!("{} of {of} {}", culprits.len(), came_out_as(overall, culprits.len())));
        }
        all.extend(culprits.first().map(|variant| {
            let reason = why(variant).or_else(|| facts(variant).first().cloned()).unwrap_or_default();
            format!("in `{}`: {reason}", clip(&variant.name, 80))
        }));
    } else if with_verdicts {
        all.push(match variants.len() {
            2 => "every rule holds in both variants".to_owned(),
            n => format!("every rule holds in all {}", counted(n as u64, "variant")),
        });
    } else if variants.iter().all(is_only_inspected) {
        all.push(format!("{} were inspected", counted(variants.len() as u64, "variant")));
    } else {
        all.push("no rule was set".to_owned());
    }
    let recommended = comparison.and_then(decision::recommendation);
    all.into_iter().chain(recommended).chain(capacity_range(variants)).chain(exposures_over(variants)).collect()
}

/// The predicate of this many variants with one status.
fn came_out_as(status: Status, count: usize) -> &'static str {
    match (status, count) {
        (Status::Passed, _) => "passed",
        (Status::Failed, _) => "failed",
        (Status::Inconclusive, 1) => "is inconclusive",
        (Status::Inconclusive, _) => "are inconclusive",
        (Status::CouldNotRun, _) => "could not run",
        (Status::NotStarted, 1) => "was not started",
        (Status::NotStarted, _) => "were not started",
        (Status::Interrupted, 1) => "was interrupted",
        (Status::Interrupted, _) => "were interrupted",
    }
}

/// From the lowest capacity to the highest, with whose each is.
fn capacity_range(variants: &[VariantRecord]) -> Option<String> {
    let rate = |variant: &VariantRecord| median_capacity(variant)?.rate;
    let mut rates: Vec<(f64, &str)> = Vec::new();
    rates.extend(variants.iter().filter_map(|variant| rate(variant).map(|rate| (rate, variant.name.as_str()))));
    rates.sort_by(|a, b| a.0.total_cmp(&b.0));
    let ((low, slowest), (high, fastest)) = (rates.first()?, rates.last()?);
    if rates.len() < 2 {
        return None;
    }
    let [slowest, fastest] = [slowest, fastest].map(|name| clip(name, 80));
    Some(format!("the capacity goes from {} (`{slowest}`) to {} (`{fastest}`)", show_rate(*low), show_rate(*high)))
}

fn exposures_over(variants: &[VariantRecord]) -> Option<String> {
    let of = |variant: &VariantRecord| {
        variant.trials.iter().filter_map(|trial| trial.dirty.clone()).collect::<Vec<DirtyRecord>>()
    };
    let all: Vec<DirtyRecord> = variants.iter().flat_map(of).collect();
    let leaks: u64 = all.iter().map(|dirty| dirty.leaks).sum();
    let exposures: u64 = all.iter().map(|dirty| dirty.exposures).sum();
    let bound = variants.iter().filter_map(dirty_totals).map(|totals| totals.bound).fold(0.0, f64::max);
    if all.is_empty() {
        return None;
    }
    if leaks > 0 {
        let leaky = || variants.iter().filter(|variant| of(variant).iter().any(|dirty| dirty.leaks > 0));
        let names: Vec<String> = leaky().map(|variant| format!("`{}`", clip(&variant.name, 80))).collect();
        let exposures: u64 = leaky().flat_map(of).map(|dirty| dirty.exposures).sum();
        return Some(format!(
            "{} of {} leaked, in {}",
            show_count(leaks),
            counted(exposures, "exposure"),
            list(&names)
        ));
    }
    let undecided = all.iter().filter(|dirty| dirty.inconclusive.is_some()).count();
    if undecided > 0 {
        return Some(format!("no leak was seen, but {} could not conclude", counted(undecided as u64, "dirty check")));
    }
    let unseen = variants.iter().filter(|variant| uncovered(variant).is_some()).count();
    let reservation = variants.iter().find_map(uncovered).map(|note| match variants.len() {
        of if of == unseen => format!("; {note}"),
        of => format!("; in {unseen} of {}, {note}", counted(of as u64, "variant")),
    });
    Some(format!(
        "no leak in {}, so at most {} of a variant's exposures leak, at 95 % confidence{}",
        counted(exposures, "exposure"),
        show_percentage(bound),
        reservation.unwrap_or_default()
    ))
}

/// The load in one sentence: from the users' side.
pub(crate) fn load_fact(load: &LoadRecord) -> String {
    let told = what_came(load);
    // Else it stands beside the throughput alone.
    let contradicts = (load.completed == 0) != (load.throughput == 0.0);
    outside(load).filter(|_| contradicts).map(|note| format!("{told}; {note}")).unwrap_or(told)
}

fn what_came(load: &LoadRecord) -> String {
    let lost = without_response(load);
    if let Some(MeasuredValue::MoreThan(us)) = load.latency_us.p50 {
        let why = match half_waited_in_vain(load) {
            true => format!("half of the requests waited longer than {} without a response", show_time(us / 1e6)),
            false => list(&ways_lost(load, "unanswered")),
        };
        return format!(
            "{why}: only {} of {} were answered ({})",
            show_count(load.completed),
            show_count(load.started),
            show_rate(load.throughput)
        );
    }
    let latency = format!("p50 {} and p99 {}", micros(load.latency_us.p50), micros(load.latency_us.p99));
    let refused = load.errors.get("status").copied().unwrap_or(0);
    let again = sent_again(load).map(|again| format!(", {again}")).unwrap_or_default();
    let rest = match (lost, refused) {
        _ if load.started == 0 => return "no request was started".to_owned(),
        (0, 0) => "every request was answered".to_owned(),
        (0, n) => format!("{} had a status of 400 or above", counted(n, "response")),
        (n, _) => format!("{} of {} never got a response", show_count(n), show_count(load.started)),
    };
    format!("{} with {latency}; {rest}{again}", show_rate(load.throughput))
}

/// That clients gave up, if they did.
pub(crate) fn gave_up(load: &LoadRecord) -> Option<String> {
    let Abandonment { rate_before } = abandonment(load)?;
    let rate = show_rate(rate_before);
    Some(format!("the server answered {rate} until clients gave up; from then on it worked for clients that had left"))
}

/// The dirty check in one sentence.
pub(crate) fn dirty_fact(dirty: &DirtyRecord) -> String {
    if let Some(sweep) = &dirty.sweep {
        return sweep::sweep_fact(dirty, sweep);
    }
    if dirty.leaks > 0 {
        let rounds: u64 = dirty.triggers.values().map(|trigger| trigger.rounds).sum();
        let dirty_rounds: u64 = dirty.triggers.values().map(|trigger| trigger.rounds_with_leak).sum();
        let often =
            if rounds > 0 { format!(" (in {dirty_rounds} of {})", counted(rounds, "round")) } else { String::new() };
        let by_canary = dirty.evidence.iter().any(|leak| leak.oracle == LeakOracle::Canary);
        let what = match by_canary || dirty.evidence.is_empty() {
            true => "responses held the canary of another request",
            false => "responses held another request's data",
        };
        return format!(
            "{} of {} leaked{often}: {what}",
            show_count(dirty.leaks),
            counted(dirty.exposures, "exposure")
        );
    }
    if let Some(reason) = &dirty.inconclusive {
        return format!("the dirty check cannot conclude: {reason}");
    }
    format!(
        "no leak in {}, so at most {} of exposures leak, at 95 % confidence{}",
        counted(dirty.exposures, "exposure"),
        show_percentage(dirty.bound),
        not_exercised(dirty).map(|note| format!("; {note}")).unwrap_or_default()
    )
}

/// Whether any dirty check of a run has proven a leak, and whether that was expected; `None` if there was no dirty check.
pub(crate) fn proof(status: Status, variants: &[VariantRecord]) -> Option<String> {
    let trials = || variants.iter().flat_map(|variant| &variant.trials);
    let checks: Vec<&DirtyRecord> = trials().filter_map(|trial| trial.dirty.as_ref()).collect();
    if checks.is_empty() {
        return None;
    }
    if checks.iter().all(|check| check.leaks == 0) {
        return Some("no leak found".to_owned());
    }
    let asks_for_leaks = |verdict: &Verdict| match &verdict.kind {
        VerdictKind::DirtyCheck { expect } => *expect == Expect::Dirty,
        VerdictKind::Rule(rule) => rule.metric == "dirty.leaks" && !rule.comparison.holds(0.0, rule.value),
        VerdictKind::AbortWhen { .. } | VerdictKind::Script | VerdictKind::Success => false,
    };
    let verdicts = || variants.iter().flat_map(|variant| &variant.verdicts);
    let was_expected = verdicts().any(|verdict| verdict.status == Status::Passed && asks_for_leaks(verdict));
    let expected = if was_expected && status == Status::Passed { ", as expected" } else { "" };
    let first = checks.iter().filter_map(|check| check.first_proof_s).min_by(f64::total_cmp);
    let after = first.map(|seconds| format!(" after {}", show_time(seconds))).unwrap_or_default();
    Some(format!("with proof of a leak{after}{expected}"))
}

/// Where in the response a leak was found, as in "in the body"; `None` where a whole response was one too many.
pub(crate) fn found_in(oracle: LeakOracle, place: &str) -> Option<String> {
    (oracle != LeakOracle::Number).then(|| format!("in the {place}"))
}

/// One leak in one sentence, with its witnesses.
pub(crate) fn leak(leak: &LeakRecord) -> String {
    let victim = format!("request {}, {}{},", leak.victim.request, asked(&leak.victim), on(&leak.victim));
    let what = match leak.oracle {
        LeakOracle::Canary => "was answered with the canary of",
        LeakOracle::Fragment => "was answered with a part of the canary of",
        LeakOracle::Swap => "got the response of",
        LeakOracle::Learned => "was answered with what belongs to",
        LeakOracle::Value => "was answered with the value of",
        LeakOracle::Number => "got a second response, with the canary of",
    };
    let Some(source) = &leak.source else {
        return match leak.oracle {
            LeakOracle::Number => format!("{victim} got a second response, for which nobody had asked"),
            _ => format!("{victim} {what} a request too long ago to be remembered"),
        };
    };
    let same = source.connection == leak.victim.connection;
    let place =
        if same { "the same connection".to_owned() } else { format!("another connection ({})", source.connection) };
    let ran = match leak.overlapped {
        false if source.done_ms <= leak.victim.sent_ms => {
            let gap = millis(leak.victim.sent_ms - source.done_ms);
            format!("which had ended {gap} before on {place}")
        }
        _ => format!("which ran from {} to {} on {place}", at(source.sent_ms), at(source.done_ms)),
    };
    format!("{victim} {what} request {}, {ran}", source.request)
}

fn asked(witness: &Witness) -> String {
    witness
        .sleep_ms
        .map_or_else(|| format!("sent at {}", at(witness.sent_ms)), |ms| format!("which asked for {}", millis(ms)))
}

fn on(witness: &Witness) -> String {
    format!(" on connection {}", witness.connection)
}

/// A time within a round: `+200 ms`.
pub(crate) fn at(ms: f64) -> String {
    format!("{}{}", if ms < 0.0 { "" } else { "+" }, millis(ms))
}

/// How long two requests were handled at once, in milliseconds; `None` if they were not.
pub(crate) fn overlap_ms(a: &Witness, b: &Witness) -> Option<(f64, f64)> {
    let (from, to) = (a.sent_ms.max(b.sent_ms), a.done_ms.min(b.done_ms));
    (to > from).then_some((from, to))
}

/// Every leak that a variant has evidence of, in the order of its trials.
pub(crate) fn leaks(variant: &VariantRecord) -> impl Iterator<Item = &LeakRecord> {
    let evidence = |trial: &Trial| trial.dirty.as_ref().map(|dirty| dirty.evidence.len()).unwrap_or(0);
    variant
        .trials
        .iter()
        .filter(move |trial| evidence(trial) > 0)
        .flat_map(|trial| trial.dirty.iter().flat_map(|dirty| &dirty.evidence))
}
