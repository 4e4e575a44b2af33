//! The control run: the same requests, one at a time, before anything overlaps.

use std::time::Duration;

use super::observation::{Observation, Seen};
use super::recipe::{Line, Recipe, RecipeRequest, Start};
use crate::exchange::Outcome;

/// Short requests on one connection, then a long one on another.
const SHORT_PROBES: usize = 3;

/// What the control run said of the probe itself.
#[derive(Debug, Default)]
pub struct Control {
    pub requests: u64,
    /// Why nothing that follows could be trusted; sentences without a full stop.
    pub problems: Vec<String>,
    /// Each that was answered well was answered with its own canary.
    pub echoes: bool,
    /// How long a lone short request takes, in the middle of them.
    pub alone: Duration,
    /// One connection carried more than one request.
    pub keeps_alive: bool,
}

pub(super) fn recipe() -> Recipe {
    let short = Line::of(vec![RecipeRequest::plain(); SHORT_PROBES]).on_one_connection();
    Recipe::of(vec![short, Line::of(vec![RecipeRequest::long()]).starting(Start::After(0))])
}

impl Control {
    /// Lone requests must be answered, and well: half of them at least.
    pub(super) fn of(alone: &[Observation]) -> Self {
        let mut problems = Vec::new();
        for observation in alone {
            let line = &observation.seen.line;
            let problem = match observation.seen.exchange.outcome {
                Outcome::Failed(failure) => format!("{line}, sent alone, got no response ({})", failure.name()),
                Outcome::Unanswered => format!("{line}, sent alone, got no response"),
                // An error page that says who asked can show a leak as well as any other.
                Outcome::Answered(status) if status >= 400 && !observation.seen.own => {
                    format!("{line}, sent alone, was answered with status {status}")
                }
                Outcome::Answered(_) => continue,
            };
            problems.push(problem);
        }
        // A server that refuses now and then is not yet broken.
        if 2 * problems.len() <= alone.len() {
            problems.clear();
        }
        let short = || alone.iter().map(|observation| &observation.seen).take(SHORT_PROBES);
        let mut times: Vec<Duration> = short().map(|seen| seen.exchange.service_time()).collect();
        times.sort_unstable();
        let usable = || {
            let well = |seen: &Seen| seen.own || seen.status().is_some_and(|status| status < 400);
            alone.iter().filter(move |observation| observation.seen.status().is_some() && well(&observation.seen))
        };
        let first = alone.first().map(|observation| observation.seen.connection);
        Control {
            requests: alone.len() as u64,
            problems,
            echoes: usable().all(|observation| observation.seen.own),
            alone: times.get(times.len() / 2).copied().unwrap_or_default(),
            keeps_alive: short().skip(1).any(|seen| Some(seen.connection) == first),
        }
    }
}
