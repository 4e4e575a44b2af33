//! Reasons to trust a number less, computed from the figures themselves.

use crate::record::{Caveat, Load, Micros, Trial};
use crate::units::{show_count, show_percentage, show_rate};

/// A load thread that is busier than this may itself be the limit.
const BUSY: f64 = 0.85;
/// A quantile with fewer requests beyond it moves with every run.
const SAMPLES_BEYOND: f64 = 10.0;
/// A smaller share of requests without an answer moves none of the quantiles that are shown but the last.
const TELLING: f64 = 0.001;
/// How far users in flight, by Little's law, may be from the users there are.
const LITTLE: f64 = 0.1;

/// The caveats of a variant, each once, from whichever trial shows it first.
pub(super) fn of(trials: &[Trial]) -> Vec<Caveat> {
    let mut caveats: Vec<Caveat> = Vec::new();
    let rules: [fn(&Load) -> Option<Caveat>; 6] =
        [busy_generator, few_samples, error_statuses, never_answered, little, not_torn_down];
    for rule in rules {
        caveats.extend(trials.iter().filter_map(|trial| trial.load.as_ref()).find_map(rule));
    }
    caveats
}

fn caveat(message: String, advice: &str) -> Option<Caveat> {
    Some(Caveat { message, advice: advice.to_owned() })
}

fn busy_generator(load: &Load) -> Option<Caveat> {
    let share = load.generator.cpu_max;
    let message = format!(
        "the busiest load thread used {} of a core: runner may be the limit, not the server",
        show_percentage(share)
    );
    (share > BUSY).then(|| caveat(message, "raise `load.threads`, or run the server on another core or machine"))?
}

fn not_torn_down(load: &Load) -> Option<Caveat> {
    let error = load.checks.as_ref()?.teardown_error.as_ref()?;
    caveat(format!("the script's teardown failed: {error}"), "look for what its setup made and left behind")
}

fn few_samples(load: &Load) -> Option<Caveat> {
    let quantiles = [("p99.9", 0.999), ("p99", 0.99), ("p90", 0.9)];
    let thin =
        quantiles.iter().filter(|(_, q)| (load.started as f64) * (1.0 - q) < SAMPLES_BEYOND).map(|(name, _)| *name);
    let names: Vec<&str> = thin.collect();
    let message = format!(
        "{} rest{} on fewer than 10 requests beyond, of {} in all",
        names.join(", "),
        if names.len() == 1 { "s" } else { "" },
        show_count(load.started)
    );
    (!names.is_empty() && load.started > 0).then(|| caveat(message, "a longer `load.duration` steadies them"))?
}

fn error_statuses(load: &Load) -> Option<Caveat> {
    let errors = load.errors.get("status").copied().filter(|count| *count > 0)?;
    let message = format!(
        "{} of {} responses have a status of 400 or above; latency counts them, throughput does not",
        show_count(errors),
        show_count(load.completed)
    );
    caveat(message, "a fast error flatters latency: look at the status table, and at server.log for its cause")
}

fn never_answered(load: &Load) -> Option<Caveat> {
    let lost = load.failed + load.unanswered;
    let share = lost as f64 / (load.started as f64).max(1.0);
    if share < TELLING {
        return None;
    }
    let message = format!(
        "{} of requests never got an answer; they rank as longer than all that did, so quantiles beyond {:.2} % are lower bounds",
        show_percentage(share),
        (1.0 - share) * 100.0
    );
    caveat(message, "compare them only with a run that has the same `load.timeout` and `load.duration`")
}

/// Little's law: users in flight = rate x mean latency. Where it does not hold, time was spent elsewhere.
/// Source: J. D. C. Little (1961), "A proof for the queuing formula L = lambda W".
fn little(load: &Load) -> Option<Caveat> {
    if load.open.is_some() {
        return None;
    }
    let Some(Micros::Exactly(mean_us)) = load.latency_us.mean else { return None };
    let rate = load.completed as f64 / load.duration_s.max(1e-9);
    let in_flight = rate * mean_us / 1e6;
    let users = f64::from(load.concurrency);
    let message =
        format!("{} x the mean latency makes {in_flight:.1} users in flight, but there are {users}", show_rate(rate),);
    let off = (in_flight - users).abs() > users * LITTLE && load.completed > 10 * u64::from(load.concurrency);
    off.then(|| {
        caveat(message, "the users were not always asking: runner or the machine was too busy, or the run too short")
    })?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_lost_requests_of_many_are_no_caveat() {
        let load = |failed| Load { started: 100_000, failed, ..Load::default() };
        assert!(never_answered(&load(99)).is_none() && never_answered(&Load::default()).is_none());
        let message = never_answered(&load(123)).map(|caveat| caveat.message).unwrap_or_default();
        assert!(message.starts_with("0.12 % of requests") && message.contains("beyond 99.88 % are"), "{message}");
    }
}
