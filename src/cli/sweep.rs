//! `runner sweep URL|FILE`: all requests of an application, without a scenario written for it.

use std::path::Path;
use std::time::Instant;

use toml::Value;

use super::Exit;
use super::arguments::SweepArguments;
use super::logging::EventLog;
use super::run::run_one;
use super::system_context::{World, load_one, or_print, typed_or_print};
use crate::record::SWEPT;
use crate::scenario::Scenario;
use crate::scenario::command_line::{AdHocSweep, split_url};
use crate::units::show_duration;

pub(super) fn sweep(arguments: &SweepArguments, log: &EventLog, began: Instant) -> Exit {
    let scenario = scenario(arguments).and_then(|scenario| or_print(scenario.only_swept()));
    let Some(scenario) = scenario else { return Exit::Invalid };
    run_one(&scenario, &arguments.reports.path(), &arguments.allow_hosts, arguments.json, log, began)
}

/// What is to be swept; `None` after a problem.
fn scenario(arguments: &SweepArguments) -> Option<Scenario> {
    let overrides = overrides(arguments);
    if !arguments.subject.contains("://") {
        return load_one(Path::new(&arguments.subject), &overrides);
    }
    let (origin, target) = split_url(&arguments.subject);
    let typed = AdHocSweep { origin, from: arguments.from.clone().unwrap_or(target) };
    typed_or_print(typed.scenario(SWEPT, &overrides, &World))
}

/// The options as keys of a scenario, after those of `--set`.
fn overrides(arguments: &SweepArguments) -> Vec<String> {
    let mut all = arguments.overrides.set.clone();
    let mut add = |key: &str, value: Value| all.push(format!("dirty.{key}={value}"));
    let is_file = !arguments.subject.contains("://");
    if let Some(from) = arguments.from.as_ref().filter(|_| is_file) {
        add("from", Value::from(from.as_str()));
    }
    if let Some(base) = &arguments.base {
        add("base", Value::from(base.as_str()));
    }
    if let Some(methods) = &arguments.methods {
        add("methods", Value::from(methods.as_str()));
    }
    if !arguments.leave_out.is_empty() {
        add("leave_out", Value::from(arguments.leave_out.clone()));
    }
    for (name, value) in &arguments.headers {
        add(&format!("headers.\"{}\"", name.replace('"', "")), Value::from(value.as_str()));
    }
    if let Some(time) = arguments.time {
        add("time", Value::from(show_duration(time)));
    }
    if let Some(rate) = arguments.rate {
        add("rate", Value::from(format!("{rate}/s")));
    }
    if let Some(concurrency) = arguments.concurrency {
        add("concurrency", Value::from(i64::from(concurrency)));
    }
    all
}
