//! What a run would do, in words.

use super::facts::{describe_dirty, describe_load, describe_server};
use crate::rule::TRIGGERS;
use crate::scenario::{Dirty, Expect, Scenario, Variant};
use crate::stats::upper_bound_95;
use crate::units::{counted, show_duration, show_percentage};

/// The plan of a scenario, a few lines a variant.
pub fn describe(scenario: &Scenario) -> String {
    let mut text = format!("{} is valid\n", scenario.file.display());
    let (variants, repeats) = (scenario.variants.len(), scenario.repeats);
    if variants > 1 || repeats > 1 {
        let each = if variants > 1 { " each" } else { "" };
        text += &format!("  {}, {}{each}\n", counted(variants as u64, "variant"), counted(repeats.into(), "trial"));
    }
    for variant in &scenario.variants {
        let indent = if variants > 1 {
            text += &format!("  {}\n", variant.name);
            "    "
        } else {
            "  "
        };
        for line in lines(variant) {
            text += &format!("{indent}{line}\n");
        }
    }
    text
}

fn lines(variant: &Variant) -> Vec<String> {
    let mut lines = vec![format!("server  {}", describe_server(&variant.server))];
    lines.extend(variant.load.as_ref().map(|load| format!("load    {}", describe_load(load))));
    if let Some(dirty) = &variant.dirty {
        lines.push(format!("dirty   {}", describe_dirty(dirty)));
        lines.extend([means(dirty), Some(promise(dirty))].into_iter().flatten().map(|line| format!("        {line}")));
    }
    lines.extend(variant.rules.iter().map(|rule| format!("assert  {}", rule.text)));
    lines.extend(variant.abort_when.iter().map(|rule| format!("abort   {}", rule.text)));
    lines
}

/// Who asks, and how leaks are provoked, where the scenario says so.
fn means(dirty: &Dirty) -> Option<String> {
    let mut means = Vec::new();
    if let Some(first) = dirty.identities.first() {
        let fields: Vec<&str> = first.keys().map(String::as_str).collect();
        let count = dirty.identities.len();
        means.push(format!("{count} identities ({})", fields.join(", ")));
    }
    means.extend(
        dirty.login.as_ref().map(|login| format!("each logs in: {} {}", login.request.method, login.request.target())),
    );
    if dirty.triggers.len() < TRIGGERS.len() {
        means.push(format!("{}: {}", counted(dirty.triggers.len() as u64, "trigger"), dirty.triggers.join(", ")));
    }
    (!means.is_empty()).then(|| means.join("; "))
}

/// What the check can show, and what it takes.
fn promise(dirty: &Dirty) -> String {
    let budget = dirty.budget;
    let bound = show_percentage(upper_bound_95(0, budget.exposures));
    let expected = match dirty.expect {
        Expect::Clean => "expected clean",
        Expect::Dirty => "expected dirty",
        Expect::Report => "judged by the rules",
    };
    let (exposures, time) = (counted(budget.exposures, "exposure"), show_duration(budget.time));
    format!("{expected}; that at most {bound} leak (95 %) takes {exposures} without a leak, in {time} at most")
}
