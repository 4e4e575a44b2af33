//! Reasons to trust a number less, computed from the figures themselves.

use crate::record::{Caveat, DirtyRecord, LoadRecord, ServerRecord, Trial};

mod dirty;
mod generator;
mod generators;
mod limits;
mod load;
mod server;

/// A kind of caveat, and what tells whether there is reason for it.
type Rule<T> = (&'static str, fn(&T) -> Option<Caveat>);

/// What is looked for in a load, in the order in which it is told.
const OF_LOAD: [Rule<LoadRecord>; 26] = [
    ("lost_generator", generators::lost_generator),
    ("stood_still", generator::stood_still),
    ("fell_silent", load::fell_silent),
    ("stalled", load::stalled),
    ("busy_generator", generator::busy_generator),
    ("uneven_generators", generators::uneven_generators),
    ("clocks_apart", generators::clocks_apart),
    ("late_sends", generator::late_sends),
    ("growing_queue", load::growing_queue),
    ("queued", generator::queued),
    ("rate_not_met", generator::rate_not_met),
    ("few_samples", load::few_samples),
    ("error_statuses", load::error_statuses),
    ("no_response", load::no_response),
    ("drifted", load::drifted),
    ("not_connected", load::not_connected),
    ("no_handshake", load::no_handshake),
    ("not_http", load::not_http),
    ("connection_lost", load::connection_lost),
    ("retried", load::retried),
    ("unsolicited", load::unsolicited),
    ("littles_law", generator::littles_law),
    ("few_descriptors", generator::few_descriptors),
    ("few_ports", generator::few_ports),
    ("coarse_clock", generator::coarse_clock),
    ("teardown_failed", load::teardown_failed),
];

/// Of these, those that hold also of a load that is still under way. The others speak of its end.
const WHILE_UNDER_WAY: [&str; 15] = [
    "fell_silent",
    "busy_generator",
    "late_sends",
    "growing_queue",
    "queued",
    "rate_not_met",
    "few_samples",
    "error_statuses",
    "not_connected",
    "no_handshake",
    "not_http",
    "connection_lost",
    "retried",
    "unsolicited",
    "few_descriptors",
];

/// What is looked for in a dirty check.
const OF_DIRTY_CHECK: [Rule<DirtyRecord>; 6] = [
    ("not_searched", dirty::not_searched),
    ("alike", dirty::alike),
    ("not_decoded", dirty::not_decoded),
    ("unsolicited_in_check", dirty::unsolicited),
    ("slow_starts", dirty::slow_starts),
    ("rate_limited", dirty::rate_limited),
];

/// What is looked for in a server.
const OF_SERVER: [Rule<ServerRecord>; 1] = [("not_measured", server::not_measured)];

/// The caveats of a variant, each once, from whichever trial shows it first.
pub fn of(trials: &[Trial]) -> Vec<Caveat> {
    let of_loads = found(&OF_LOAD, trials, |trial| trial.load.as_ref());
    let of_checks = found(&OF_DIRTY_CHECK, trials, |trial| trial.dirty.as_ref());
    let of_servers = found(&OF_SERVER, trials, |trial| trial.servers.first());
    of_loads.into_iter().chain(of_checks).chain(of_servers).collect()
}

/// The caveats of a load that is still under way, by what is known of it so far.
pub fn so_far(load: &LoadRecord) -> Vec<Caveat> {
    let holds_by_now = OF_LOAD.iter().filter(|(kind, _)| WHILE_UNDER_WAY.contains(kind));
    holds_by_now.filter_map(|(kind, rule)| Some(Caveat { kind: (*kind).to_owned(), ..rule(load)? })).collect()
}

fn found<T>(rules: &[Rule<T>], trials: &[Trial], part: impl Fn(&Trial) -> Option<&T>) -> Vec<Caveat> {
    let find = |(kind, rule): &Rule<T>| {
        let caveat = trials.iter().filter_map(&part).find_map(rule)?;
        Some(Caveat { kind: (*kind).to_owned(), ..caveat })
    };
    rules.iter().filter_map(find).collect()
}

#[cfg(test)]
mod tests;
