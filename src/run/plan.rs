//! What a run would do, in words.

use std::time::Duration;

mod sweep_plan;

use super::facts::{describe_capacity, describe_dirty, describe_inspection, describe_load, describe_server};
use super::inspection;
use crate::load::system_limits;
use crate::scenario::{DirtySpec, Expect, LoadSpec, LoginSpec, Scenario, Variant};
use crate::stats::upper_bound_95;
use crate::trigger::Trigger;
use crate::units::{counted, show_count, show_duration, show_percentage};

/// The plan of a scenario, a few lines a variant.
pub fn describe(scenario: &Scenario) -> String {
    let mut text = format!("{} is valid\n", scenario.file.display());
    let (variants, repeats) = (scenario.variants.len(), scenario.repeats);
    if variants > 1 || repeats > 1 {
        let each = if variants > 1 { " each" } else { "" };
        text += &format!("  {}, {}{each}\n", counted(variants as u64, "variant"), counted(repeats.into(), "trial"));
    }
    if !scenario.layers.is_empty() {
        let files: Vec<String> = scenario.layers.iter().map(|path| path.display().to_string()).collect();
        text += &format!("  builds upon {}\n", files.join(", "));
    }
    if !scenario.tags.is_empty() {
        text += &format!("  tags    {}\n", scenario.tags.join(", "));
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
    if let Some(search) = &scenario.crossover {
        let (time, count) = (show_duration(search.time), search.alternatives.len() as u64);
        text += &format!("  crossover  of {} along {}, {time} at most\n", counted(count, "alternative"), search.key);
    }
    if variants > 1 || repeats > 1 || scenario.crossover.is_some() {
        let time = in_whole_seconds(expected_time(scenario));
        text += &format!("  takes about {time}, and the starts of servers\n");
    }
    scenario.secrets.hide(&text).into_owned()
}

/// A time that is planned, to the second: `1m30s`.
pub fn in_whole_seconds(time: Duration) -> String {
    show_duration(Duration::from_secs(time.as_secs_f64().ceil() as u64))
}

/// Into how many rounds a run can be cut, each of one trial a variant, so that parts of it run on several machines. A search for a
/// crossover needs the trials before it: such a run is whole.
pub fn rounds(scenario: &Scenario) -> u32 {
    if scenario.crossover.is_some() { 1 } else { scenario.repeats }
}

/// How long the loads and checks of a scenario take, without the starts of servers; a dirty check may end before its time.
pub fn expected_time(scenario: &Scenario) -> Duration {
    let search = scenario.crossover.as_ref().map_or(Duration::ZERO, |search| search.time);
    time_of_a_round(scenario).saturating_mul(scenario.repeats).saturating_add(search)
}

/// The same of one trial of each variant.
pub(super) fn time_of_a_round(scenario: &Scenario) -> Duration {
    let of_load = |load: &LoadSpec| load.warmup + load.duration;
    let trials = scenario.variants.iter().map(|variant| {
        let load = variant.load.as_ref().map_or(Duration::ZERO, of_load);
        let inspection = variant.inspect.as_ref().map_or(Duration::ZERO, |_| inspection::MOST_TIME);
        load + inspection + variant.dirty.as_ref().map_or(Duration::ZERO, |dirty| dirty.budget.time)
    });
    trials.sum()
}

fn lines(variant: &Variant) -> Vec<String> {
    let mut lines = vec![format!("server  {}", describe_server(&variant.server))];
    if let Some(load) = &variant.load {
        lines.push(format!("load    {}", describe_load(load)));
        lines.extend(load.login.as_ref().map(|login| format!("        each user logs in before: {}", steps(login))));
        lines.extend(too_few_ports(load, system_limits::ports()).map(|line| format!("        {line}")));
    }
    if let (Some(capacity), Some(load)) = (&variant.capacity, &variant.load) {
        lines.push(format!("capacity  {}", describe_capacity(capacity, load)));
    }
    if let Some(inspect) = &variant.inspect {
        lines.push(format!("inspect {}", describe_inspection(inspect)));
    }
    if let Some(dirty) = &variant.dirty {
        let name = if dirty.sweep.is_some() { "sweep" } else { "dirty" };
        lines.push(format!("{name:<8}{}", describe_dirty(dirty)));
        lines.extend([means(dirty), Some(promise(dirty))].into_iter().flatten().map(|line| format!("        {line}")));
    }
    lines.extend(variant.dirty.iter().filter_map(|dirty| dirty.sweep.as_ref()).flat_map(sweep_plan::lines));
    lines.extend(variant.rules.iter().map(|rule| format!("assert  {}", rule.text)));
    lines.extend(variant.abort_when.iter().map(|rule| format!("abort   {}", rule.text)));
    lines
}

/// What to do about connections that one address cannot make.
fn too_few_ports(load: &LoadSpec, ports: Option<u64>) -> Option<String> {
    let (connections, ports) = (u64::from(load.connections()), ports?);
    let addresses = load.source_addresses.len().max(1) as u64;
    (connections > ports * addresses).then(|| {
        format!(
            "{} may be too many: from one address of this machine, {} ports lead to a server, so name {} in `source_addresses`",
            counted(connections, "connection"),
            show_count(ports),
            counted(connections.div_ceil(ports), "address")
        )
    })
}

/// Who asks, and how leaks are provoked, where the scenario says so.
fn means(dirty: &DirtySpec) -> Option<String> {
    let mut means = Vec::new();
    if let Some(first) = dirty.identities.first() {
        let fields: Vec<&str> = first.keys().map(String::as_str).collect();
        let count = dirty.identities.len();
        means.push(format!("{count} identities ({})", fields.join(", ")));
    }
    means.extend(dirty.login.as_ref().map(|login| format!("each logs in: {}", steps(login))));
    if dirty.triggers.len() < Trigger::ALL.len() {
        let names: Vec<&str> = dirty.triggers.iter().map(|trigger| trigger.name()).collect();
        means.push(format!("{}: {}", counted(dirty.triggers.len() as u64, "trigger"), names.join(", ")));
    }
    (!means.is_empty()).then(|| means.join("; "))
}

/// The requests of a login, in their order.
fn steps(login: &LoginSpec) -> String {
    let lines: Vec<String> =
        login.requests().map(|request| format!("{} {}", request.method, request.target())).collect();
    lines.join(", then ")
}

/// What the check can show, and what it takes.
fn promise(dirty: &DirtySpec) -> String {
    let budget = dirty.budget;
    let bound = show_percentage(upper_bound_95(0, budget.exposures));
    let expected = match dirty.expect {
        Expect::Clean => "expected clean",
        Expect::Dirty => "expected dirty",
        Expect::Report => "judged by the rules",
    };
    let (exposures, time) = (counted(budget.exposures, "exposure"), show_duration(budget.time));
    let of = if dirty.sweep.is_some() { " of all requests" } else { "" };
    format!("{expected}; that at most {bound}{of} leak (95 %) takes {exposures} without a leak, in {time} at most")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::tests::plan;
    use crate::scenario::{Level, Protocol};

    #[test]
    fn more_connections_than_ports_are_said_to_take_more_addresses() {
        let levels = |users| vec![Level { from: users, to: users, lasting: std::time::Duration::ZERO }];
        let load = || LoadSpec { levels: levels(60_001.0), ..plan() };
        let needed = too_few_ports(&load(), Some(30_000)).unwrap();
        assert!(needed.starts_with("60,001 connections") && needed.contains("30,000 ports"), "{needed}");
        assert!(needed.contains("name 3 addresses in `source_addresses`"), "{needed}");
        let source_addresses = (2..=4).map(|last| std::net::Ipv4Addr::new(127, 0, 0, last).into()).collect();
        assert_eq!(too_few_ports(&LoadSpec { source_addresses, ..load() }, Some(30_000)), None);
        assert_eq!(too_few_ports(&LoadSpec { protocol: Protocol::Http2 { streams: 4 }, ..load() }, Some(30_000)), None);
        assert_eq!(too_few_ports(&LoadSpec { levels: levels(30_000.0), ..plan() }, Some(30_000)), None);
        assert_eq!(too_few_ports(&load(), None), None);
    }
}
