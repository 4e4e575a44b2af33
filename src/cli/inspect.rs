//! `runner inspect FILE|URL`: how many requests a server works on at once.

use std::path::Path;
use std::time::Instant;

use super::arguments::Inspect;
use super::logging::EventLog;
use super::run::run_one;
use super::system_context::{World, load_one, or_print, typed_or_print};
use super::{Exit, print};
use crate::record::INSPECTED;
use crate::scenario::Scenario;
use crate::scenario::command_line::{AdHocLoad, split_url};

pub(super) fn inspect(arguments: &Inspect, log: &EventLog, began: Instant) -> Exit {
    let scenario = scenario(arguments).and_then(|scenario| or_print(scenario.only_inspected()));
    let Some(scenario) = scenario else { return Exit::Invalid };
    run_one(&scenario, &arguments.reports.path(), &arguments.allow_hosts, arguments.json, log, began)
}

/// What is to be inspected; `None` after a problem.
fn scenario(arguments: &Inspect) -> Option<Scenario> {
    if !arguments.subject.contains("://") {
        let path = arguments.path.iter().map(|path| format!("load.path={path}"));
        let overrides: Vec<String> = arguments.overrides.set.iter().cloned().chain(path).collect();
        return load_one(Path::new(&arguments.subject), &overrides);
    }
    if !arguments.overrides.set.is_empty() {
        print::error("`--set` with an address", Some("it overrides keys of a scenario file; an address has none"));
        return None;
    }
    let (origin, target) = split_url(&arguments.subject);
    let target = arguments.path.clone().unwrap_or(target);
    let typed = AdHocLoad { origin, target, ..AdHocLoad::default() };
    typed_or_print(typed.scenario(INSPECTED, &World))
}
