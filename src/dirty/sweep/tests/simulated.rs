//! How many requests a sweep takes to find nearly all leaks of simulated applications of which it is known what leaks. It is
//! the sweep as it is, its client and its judging included; only the time is halted whenever nobody has anything to do.

use std::collections::BTreeMap;

use super::super::super::Premises;
use super::super::edge::EdgeState;
use super::super::*;
use crate::net::endpoint::Endpoint;
use crate::scenario::tests::loaded;
use application::{Application, Server};

mod application;
mod kinds;

/// Of the leaks, so many are to be found.
const WANTED: f64 = 0.95;

/// What a sweep of an application came to.
#[derive(Debug)]
struct Outcome {
    /// By leak: after how many requests its victim was first seen with its source.
    found: BTreeMap<usize, u64>,
    missed: Vec<String>,
    /// Edges of a leak from operations that are not its sources.
    wrong: usize,
    /// Victims and places that no leak explains.
    alarms: Vec<String>,
    requests: u64,
    orders: BTreeMap<FoundBy, OrderCounts>,
}

impl Outcome {
    /// After how many requests nearly all leaks were known.
    fn enough_after(&self) -> Option<u64> {
        let planted = self.found.len() + self.missed.len();
        let mut after: Vec<u64> = self.found.values().copied().collect();
        after.sort_unstable();
        after.get((planted as f64 * WANTED).ceil() as usize - 1).copied()
    }
}

/// Sweeps an application with so many requests, and not one more.
fn sweep(application: &Application, most: u64, seed: u64) -> Outcome {
    sweep_phases(application, most, seed, &[SweepPhase::Asking])
}

/// The same, in these parts.
fn sweep_phases(application: &Application, most: u64, seed: u64, phases: &[SweepPhase]) -> Outcome {
    let scenario = loaded(&application.scenario());
    let plan = scenario.variants[0].dirty.as_ref().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let target = Target::new(Endpoint::Unix(socket.clone()), None, "simulated", Some(1));
    let premises = Premises { workers: Some(1), ..Premises::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut sweep = Sweep::new(plan, premises, false, seed, Arc::default()).unwrap();
        let stop = CancellationToken::new();
        let server = Server::new(application, &socket, most, stop.clone());
        for phase in phases {
            tokio::select! {
                () = server.serve() => {}
                () = sweep.carry_out(*phase, &target, &stop) => {}
            }
        }
        judge(application, sweep, server.requests())
    })
}

/// Compares what was found with what was planted.
fn judge(application: &Application, mut sweep: Sweep<'_>, requests: u64) -> Outcome {
    sweep.close();
    sweep.leaks.trace_principals(&sweep.ledger);
    let mut found: BTreeMap<usize, u64> = BTreeMap::new();
    let (mut alarms, mut wrong) = (Vec::new(), 0);
    for (key, edge) in sweep.leaks.edges.iter().filter(|(_, edge)| edge.state == EdgeState::Leaked) {
        let shown = |leak: &usize| key.place.split(' ').any(|word| word == application::field(*leak));
        let leak = (0..application.planted.len())
            .find(shown)
            .filter(|leak| application.planted[*leak].victims.contains(&key.victim));
        let Some(leak) = leak else {
            alarms.push(format!("{} at {}", key.victim, key.place));
            continue;
        };
        let is_source = |source: usize| application.planted[leak].sources.contains(&source);
        wrong += usize::from(key.source.is_some_and(|source| !is_source(source)));
        if key.source.is_some_and(is_source) {
            let after = found.entry(leak).or_insert(u64::MAX);
            *after = edge.first.victim.request.min(*after);
        }
    }
    let missed = application.planted.iter().enumerate().filter(|(leak, _)| !found.contains_key(leak));
    let missed = missed.map(|(leak, planted)| format!("{:?} ({})", planted.kind, states(leak, &sweep))).collect();
    Outcome { found, missed, wrong, alarms, requests, orders: sweep.findings.orders }
}

/// What is known of a leak whose source was not told: how often each state of it was seen, and from where.
fn states(leak: usize, sweep: &Sweep<'_>) -> String {
    let field = application::field(leak);
    let edges = sweep.leaks.edges.iter().filter(|(key, _)| key.place.split(' ').any(|word| word == field));
    let all = edges.map(|(key, edge)| format!("{:?} {:?} {}", edge.state, key.carrier, edge.count));
    all.collect::<Vec<_>>().join(", ")
}

/// Sweeps an application of each seed; how many of them were found out within so many requests.
fn found_out(endpoints: usize, most: u64, seeds: std::ops::Range<u64>) -> usize {
    let count = seeds.end - seeds.start;
    let mut fine = 0;
    for seed in seeds {
        let application = Application::new(endpoints, true, seed);
        let outcome = sweep(&application, most, seed);
        assert!(outcome.alarms.is_empty(), "{endpoints} operations, seed {seed}: {:#?}", outcome.alarms);
        assert!(outcome.requests <= most + endpoints as u64, "what follows the end is only removed");
        let after = outcome.enough_after();
        fine += usize::from(after.is_some_and(|after| after <= most));
        let after = after.map_or("more".to_owned(), |after| after.to_string());
        let orders = outcome.orders.iter().map(|(found_by, one)| format!("{} {}", found_by.name(), one.requests));
        println!(
            "{endpoints} operations, seed {seed}: 95 % after {after} requests; {} of {} found after {}; missed {}; {}",
            outcome.found.len(),
            application.planted.len(),
            outcome.requests,
            outcome.missed.join("; "),
            orders.collect::<Vec<_>>().join(", "),
        );
    }
    println!("{endpoints} operations: {fine} of {count} within {most} requests");
    fine
}

#[test]
fn leaks_of_a_small_application_are_found_within_its_budget() {
    assert!(found_out(50, 600, 0..3) >= 2);
}

#[test]
fn a_clean_application_is_asked_in_every_order_and_accused_of_nothing() {
    let outcome = sweep(&Application::new(50, false, 1), 4_000, 1);
    assert!(outcome.found.is_empty() && outcome.alarms.is_empty(), "{outcome:?}");
    let asked: Vec<&str> = outcome.orders.keys().map(|found_by| found_by.name()).collect();
    let unusual = unusual::triggers().into_iter().map(|(trigger, _)| trigger.name());
    for order in ["alone", "sequence", "mix", "pairs", "rest"].into_iter().chain(unusual) {
        assert!(asked.contains(&order), "{order} is not among {asked:?}");
    }
}

/// Sweeps applications of eight threads; of all leaks, how many had their source told, and how many others were named.
fn told_of_threads(endpoints: usize, seeds: std::ops::Range<u64>) -> (usize, usize) {
    let (mut right, mut wrong) = (0, 0);
    for seed in seeds {
        let application = Application::of_threads(endpoints, seed);
        let outcome = sweep_phases(&application, u64::MAX, seed, &[SweepPhase::Asking, SweepPhase::Shrinking]);
        assert!(outcome.alarms.is_empty(), "{endpoints} operations, seed {seed}: {:#?}", outcome.alarms);
        let Outcome { found, missed, wrong: others, requests, .. } = outcome;
        println!(
            "{endpoints} operations of threads, seed {seed}: {requests} requests, missed {missed:?}, {others} wrong"
        );
        right += found.len();
        wrong += others;
    }
    (right, wrong)
}

#[test]
fn which_operation_left_something_in_a_thread_is_told() {
    assert_eq!(told_of_threads(50, 0..2), (6, 0));
}

#[test]
#[ignore = "takes minutes: `make nightly.simulated`"]
fn leaks_of_simulated_applications_are_found_within_their_budgets() {
    let within = [(50, 600), (200, 5_000), (1_000, 40_000)].map(|(endpoints, most)| found_out(endpoints, most, 0..20));
    assert!(within.iter().all(|within| *within >= 18), "{within:?} of 20 each");
}

#[test]
#[ignore = "takes minutes: `make nightly.simulated`"]
fn leaks_of_simulated_applications_of_threads_have_their_sources_told() {
    let told = [(50, 20), (200, 10)].map(|(endpoints, seeds)| told_of_threads(endpoints, 0..seeds));
    assert!(told[0] == (60, 0) && told[1] == (30, 0), "{told:?} of 60 and 30");
}
