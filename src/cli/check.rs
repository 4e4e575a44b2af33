//! `runner check FILE...`: the plan, and nothing started.

use super::arguments::Check;
use super::{Exit, print, system_context};
use crate::run::plan;
use crate::scenario::warnings;

pub(super) fn check(arguments: &Check) -> Exit {
    let Some(scenarios) = system_context::load_all(&arguments.files, &arguments.overrides.set) else {
        return Exit::Invalid;
    };
    for scenario in &scenarios {
        system_context::print_problems(&warnings(scenario));
    }
    let plans: Vec<String> = scenarios.iter().map(plan::describe).collect();
    print::out(&plans.join("\n"))
}
