//! What a run would do, in words.

use super::facts::{describe_dirty, describe_load, describe_server};
use crate::scenario::{Dirty, Expect, Scenario, Variant};
use crate::stats::upper_bound_95;
use crate::units::{counted, show_percentage};

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
        lines.push(format!("        {}", promise(dirty)));
    }
    lines.extend(variant.rules.iter().map(|rule| format!("assert  {}", rule.text)));
    lines.extend(variant.abort_when.iter().map(|rule| format!("abort   {}", rule.text)));
    lines
}

/// What the check can show at best.
fn promise(dirty: &Dirty) -> String {
    let exposures = dirty.budget.exposures;
    let bound = show_percentage(upper_bound_95(0, exposures));
    let expected = match dirty.expect {
        Expect::Clean => "expected clean",
        Expect::Dirty => "expected dirty",
        Expect::Report => "judged by the rules",
    };
    format!("{expected}; without a leak in {}, at most {bound} leak (95 %)", counted(exposures, "exposure"))
}
