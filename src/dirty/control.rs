//! The control run: the same requests, one at a time, before anything overlaps.

use super::client::{Client, Line};
use super::judge;
use super::observation::{Observation, Role};
use crate::exchange::Outcome;
use crate::scenario;

/// Short requests on one connection, then a long one on another.
const SHORT_PROBES: usize = 3;

/// What the control run said of the probe itself.
#[derive(Debug, Default)]
pub struct Control {
    pub requests: u64,
    /// Why nothing that follows could be trusted; sentences without a full stop.
    pub problems: Vec<String>,
}

/// Sends the probes, up to the first that is not answered as it should be.
pub(super) async fn run(client: &Client, plan: &scenario::Dirty) {
    let mut line = Line::default();
    for _ in 0..SHORT_PROBES {
        if !client.send(&mut line, Role::Probe, plan.sleep.map(|sleep| sleep.short)).await {
            return;
        }
    }
    client.send(&mut Line::default(), Role::Probe, plan.sleep.map(|sleep| sleep.long)).await;
}

impl Control {
    /// A lone request must be answered, well, and with its own canary.
    pub fn of(alone: &[Observation]) -> Self {
        let mut problems = Vec::new();
        for observation in alone {
            let line = &observation.seen.line;
            let problem = match observation.seen.exchange.outcome {
                Outcome::Failed(failure) => format!("{line}, sent alone, got no answer ({})", failure.name()),
                Outcome::Unanswered => format!("{line}, sent alone, got no answer"),
                Outcome::Answered(status) if status >= 400 => {
                    format!("{line}, sent alone, was answered with status {status}")
                }
                Outcome::Answered(_) if !judge::holds_own(observation) => {
                    format!("{line}, sent alone, was answered without its own canary")
                }
                Outcome::Answered(_) => continue,
            };
            problems.push(problem);
        }
        Control { requests: alone.len() as u64, problems }
    }
}
