//! From the trials of variants to their part of the record: what is judged of them.

use std::borrow::Cow;

use super::{abort, facts};
use crate::analysis::{caveats, pooled};
use crate::load::hook_watchdog::call_watched;
use crate::record::{self, Status, VerdictKind};
use crate::scenario::{self, Scenario, Secrets, Variant};
use crate::verdict;

/// Every variant with its trials, judged. Each was to have `planned_trials`.
pub(super) fn variants(
    scenario: &Scenario,
    planned_trials: u32,
    trials: Vec<Vec<record::Trial>>,
) -> Vec<record::VariantRecord> {
    let of_each = scenario.variants.iter().zip(trials);
    of_each.map(|(variant, trials)| judge(variant, planned_trials, trials, &scenario.secrets)).collect()
}

/// A variant's part of the record. Of one that was not started nothing can be judged.
fn judge(
    variant: &Variant,
    planned_trials: u32,
    trials: Vec<record::Trial>,
    secrets: &Secrets,
) -> record::VariantRecord {
    let verdicts = if trials.is_empty() { Vec::new() } else { verdicts(variant, &trials) };
    record::VariantRecord {
        name: variant.name.clone(),
        settings: variant.settings.iter().map(|(key, value)| (key.clone(), as_shown(value, secrets))).collect(),
        server: facts::describe_server(&variant.server),
        planned_trials,
        caveats: caveats::of(&trials),
        pooled: pooled::pooled(&trials),
        trials,
        verdicts,
    }
}

/// Everything that is judged of a variant.
fn verdicts(variant: &Variant, trials: &[record::Trial]) -> Vec<record::Verdict> {
    let mut verdicts: Vec<record::Verdict> = Vec::new();
    if let Some(plan) = &variant.dirty {
        let of_each = trials.iter().filter_map(|trial| verdict::judge_dirty(plan.expect, trial.dirty.as_ref()?));
        verdicts.extend(of_each.max_by_key(|verdict| verdict.status.severity()));
    }
    verdicts.extend(variant.rules.iter().map(|rule| verdict::judge(rule, trials)));
    verdicts.extend(variant.verdicts.iter().flat_map(|script| judge_by(script, trials)));
    verdicts.extend(trials.iter().filter_map(|trial| trial.aborted.as_ref()).map(abort::judged));
    if trials.iter().any(record::Trial::lost_a_generator) {
        verdicts.iter_mut().filter(|verdict| matches!(verdict.kind, VerdictKind::Rule { .. })).for_each(unsettle);
    }
    // A rule that does not hold, or cannot be judged, says more.
    if verdicts.iter().all(|verdict| verdict.status == Status::Passed) {
        verdicts.extend(verdict::success::judge(&variant.rules, variant.verdicts.is_some(), trials));
    }
    verdicts
}

/// What a rule says of a load that was ended for want of a generator is neither for nor against the server.
fn unsettle(verdict: &mut record::Verdict) {
    if verdict.status == Status::Failed {
        verdict.status = Status::Inconclusive;
    }
}

/// A setting. A number that is a secret becomes a text, as only texts are hidden.
fn as_shown(value: &serde_json::Value, secrets: &Secrets) -> serde_json::Value {
    let number = value.as_number().map(ToString::to_string);
    let hidden = number.filter(|number| matches!(secrets.hide(number), Cow::Owned(_)));
    hidden.map_or_else(|| value.clone(), serde_json::Value::String)
}

/// The verdicts of a script; one that does not come back is inconclusive, with that as evidence.
fn judge_by(script: &scenario::ScriptSpec, trials: &[record::Trial]) -> Vec<record::Verdict> {
    let (own, judged) = (script.clone(), trials.to_vec());
    let judged = call_watched(&|| false, move |pulse| verdict::script::judge(&own, &judged, pulse));
    judged.unwrap_or_else(|hung| vec![verdict::script::unjudged(script, &hung.to_string())])
}
