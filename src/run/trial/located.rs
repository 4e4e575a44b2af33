//! The last part of a trial: the lines of its leaks, on servers with a probe. It changes nothing of what was found.

use std::time::Instant;

use tokio_util::sync::CancellationToken;
use tracing::{info_span, warn};

use super::super::locate::{self, Servers};
use super::super::supervise;
use super::{RunEvent, Stage, target};
use crate::net::target::Target;
use crate::record::{ServerPart, Trial, best_known};
use crate::scenario::Variant;
use crate::server::Server;
use crate::server::probe::Probe;

/// The most leaks, each of another class, that are looked for.
const MOST_LEAKS: usize = 3;

impl Stage<'_> {
    /// Looks for the lines of the leaks that a dirty check has found.
    pub(super) fn locate(&self, variant: &Variant, trial: &mut Trial) {
        let over = trial.failure.is_some() || trial.interrupted;
        let Some(wanted) = locate::is_wanted(variant) else { return };
        let Some(mut dirty) = trial.dirty.take_if(|dirty| !over && dirty.leaks > 0) else { return };
        let _location = info_span!("location").entered();
        // Those that a report shows.
        let shown: Vec<usize> = best_known(dirty.evidence.iter().enumerate()).iter().map(|(index, _)| *index).collect();
        for index in shown.into_iter().take(MOST_LEAKS) {
            let leak = &mut dirty.evidence[index];
            leak.located = Some(match &wanted {
                Err(reason) => locate::not_located(leak, reason.clone()),
                Ok(()) => {
                    let (exposures, leaks) = (dirty.exposures, dirty.leaks);
                    let mut servers = Probed { stage: self, trial, began: Instant::now(), exposures, leaks };
                    locate::leak(variant, leak, self.seed, self.probes, &mut servers)
                }
            });
            if trial.interrupted {
                break;
            }
        }
        trial.dirty = Some(dirty);
    }
}

/// Servers of the trial, each with its own place in the record.
struct Probed<'a, 's> {
    stage: &'a Stage<'s>,
    trial: &'a mut Trial,
    began: Instant,
    /// For the line of progress.
    exposures: u64,
    leaks: u64,
}

impl Servers for Probed<'_, '_> {
    fn on_a_server(
        &mut self,
        untouched: bool,
        probe: Option<&Probe>,
        work: &mut (dyn FnMut(&Target, &CancellationToken) -> Result<(), String> + Send),
    ) -> Result<(), String> {
        let plan = &self.stage.variant.server;
        let plan = if untouched { &plan.ready_without_a_request() } else { plan };
        let (began, exposures, leaks, mut done) = (self.began, self.exposures, self.leaks, Ok(()));
        self.stage.part(ServerPart::Location, self.trial, (plan, probe), |stage, server, _| {
            let target = target(server, plan);
            let mut tick = |_: &Server| {
                let (elapsed, planned) = (began.elapsed(), locate::MOST_TIME);
                let doing = Some(locate::DOING);
                stage.observer.event(RunEvent::Dirty { elapsed, planned, exposures, leaks, doing });
                None
            };
            let (result, ending) = supervise::watch(server, stage.cancel, &mut tick, |stop| work(&target, stop))?;
            done = result;
            Ok(ending)
        });
        // The leak is proven, whatever becomes of this server.
        match self.trial.failure.take() {
            Some(failure) => {
                warn!("not located: {}", failure.message);
                Err(failure.message)
            }
            None => done,
        }
    }

    fn is_cancelled(&self) -> bool {
        self.stage.cancel.is_cancelled()
    }
}
