//! `runner check FILE...`: the plan, and nothing started.

use super::arguments::Check;
use super::select::select;
use super::{Exit, print, system_context};
use crate::run::plan;
use crate::scenario::warnings;
use crate::units::counted;

pub(super) fn check(arguments: &Check) -> Exit {
    let Some(selected) = select(&arguments.files, &arguments.overrides.set, &arguments.selection) else {
        return Exit::Invalid;
    };
    if !selected.invalid.is_empty() {
        return Exit::Invalid;
    }
    let scenarios = selected.scenarios;
    if arguments.effective {
        let all: Vec<&str> = scenarios.iter().map(|scenario| scenario.effective.as_str()).collect();
        return print::out(&all.join("\n# ---\n\n"));
    }
    for scenario in &scenarios {
        system_context::print_problems(&warnings(scenario));
    }
    let mut plans: Vec<String> = scenarios.iter().map(plan::describe).collect();
    if scenarios.len() > 1 {
        let time = plan::in_whole_seconds(scenarios.iter().map(plan::expected_time).sum());
        plans.push(format!("{} in all, about {time}\n", counted(scenarios.len() as u64, "scenario")));
    }
    print::out(&plans.join("\n"))
}
