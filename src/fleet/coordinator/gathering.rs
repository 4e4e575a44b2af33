//! Waiting for enough agents.

use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::super::bus::{Bus, BusError};
use super::super::message::AgentInfo;
use super::{CoordinatorOptions, discover, unfit};
use crate::units::{counted, show_duration};

/// As many agents as are wanted, by their names; those with most cores first, where there are more.
pub(super) fn gather(
    bus: &Bus,
    options: &CoordinatorOptions,
    cancel: &CancellationToken,
    say: &dyn Fn(&str),
) -> Result<Vec<AgentInfo>, BusError> {
    let (begun, wanted) = (Instant::now(), options.generators as usize);
    let mut told = usize::MAX;
    loop {
        let found = discover(bus, options.pool.as_deref())?;
        let (mut fit, unfit): (Vec<AgentInfo>, Vec<AgentInfo>) =
            found.into_iter().partition(|agent| unfit(agent).is_none());
        if fit.len() >= wanted {
            fit.sort_by(|one, other| {
                other.cpus.cmp(&one.cpus).then_with(|| (&one.name, &one.id).cmp(&(&other.name, &other.id)))
            });
            fit.truncate(wanted);
            fit.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
            return Ok(fit);
        }
        if cancel.is_cancelled() || begun.elapsed() >= options.wait {
            return Err(too_few(options, &fit, &unfit));
        }
        if told != fit.len() {
            told = fit.len();
            say(&format!("waiting for agents: {told} of {wanted}"));
        }
    }
}

fn too_few(options: &CoordinatorOptions, fit: &[AgentInfo], others: &[AgentInfo]) -> BusError {
    let pool = options.pool.as_ref().map(|pool| format!(" of the pool {pool}")).unwrap_or_default();
    let wanted = counted(u64::from(options.generators), "generator");
    let why: Vec<String> =
        others.iter().filter_map(|agent| Some(format!("{} {}", agent.name, unfit(agent)?))).take(5).collect();
    let why = if why.is_empty() { String::new() } else { format!(": {}", why.join(", ")) };
    let message = format!(
        "{wanted} are wanted, and {} agents{pool} were free within {}{why}",
        fit.len(),
        show_duration(options.wait)
    );
    BusError::new(
        message,
        "start more with `runner agent --nats URL`, ask for fewer with --generators, or wait longer with --wait",
    )
}
