//! A sweep of the application, on a server of its own: what the server itself documents is asked for first.

use std::path::Path;
use std::sync::Arc;

use tracing::{info, info_span};

use super::super::supervise::{self, Ending};
use super::super::{RunEvent, events, facts};
use super::{Stage, target};
use crate::dirty::{self, Phased as _, Sweep, SweepPhase};
use crate::record::{LogOf, ServerPart, Trial, TrialFailure};
use crate::scenario::sweep::ResetSpec;
use crate::scenario::{self, DirtySpec, SweepSource, Variant};
use crate::server::Server;

pub(in crate::run) mod document;
mod reset;

use document::NoDocument;

impl Stage<'_> {
    /// A sweep, part by part.
    pub(super) fn sweep(&self, plan: &DirtySpec, trial: &mut Trial) {
        self.in_flight.take();
        let _check = info_span!("sweep").entered();
        let Some(plan) = self.known_operations(plan, trial) else { return };
        let premises = dirty::Premises {
            workers: self.variant.server.workers(),
            in_flight: facts::in_flight(&self.variant.server),
        };
        let owned = !matches!(self.variant.server, scenario::ServerSpec::Attached(_));
        let progress = Arc::new(dirty::DirtyProgress::default());
        let description = facts::describe_dirty(&plan);
        let Some(mut check) = Sweep::new(&plan, premises, owned, self.seed, Arc::clone(&progress)) else { return };
        while let Some(mut part) = check.next_phase() {
            if trial.failure.is_some() || trial.interrupted {
                break;
            }
            let serves = if part == SweepPhase::Shrinking { ServerPart::Diagnosis } else { ServerPart::DirtyCheck };
            self.part(serves, trial, (&self.variant.server, None), |stage, server, _| {
                let target = target(server, &stage.variant.server);
                if !check.has_begun() {
                    stage.observer.event(RunEvent::DirtyBegan { description: &description });
                    info!("sweep begins: {description}");
                }
                stage.phases(server, &mut check, &mut part, &target, (&progress, &plan))
            });
            // What was found stands: a server that does not start once more, or dies then, takes nothing from that.
            if part != SweepPhase::Asking {
                trial.failure = None;
            }
        }
        if let Some(reset) = plan.sweep.as_ref().and_then(|sweep| sweep.reset.as_ref()).filter(|_| check.has_begun()) {
            self.reset(reset, trial);
        }
        events::dirty_ended(&progress);
        if check.has_begun() {
            let mut findings = check.conclude();
            findings.interrupted |= trial.interrupted;
            let failure = trial.failure.as_ref().map(|failure| failure.message.as_str());
            trial.dirty = Some(facts::sweep(&plan, self.variant.server.tls(), &findings, failure));
            let plain = findings.operations.iter().map(|operation| operation.plain.clone());
            let plan = plan.with_plain_carriers(plain);
            self.locate(&Variant { dirty: Some(plan), ..self.variant.clone() }, trial);
        }
        self.observer.event(RunEvent::DirtyEnded);
    }

    /// Brings the data back to where it was, also after an interruption. That it failed is told, and changes nothing of what was
    /// found.
    fn reset(&self, reset: &ResetSpec, trial: &Trial) {
        let folder = if reset.folder.as_os_str().is_empty() { Path::new(".") } else { &reset.folder };
        let done = reset::run(&reset.command, folder);
        info!(command = reset.command, ok = done.is_ok(), interrupted = trial.interrupted, "data reset");
        if let Err(why) = done {
            let message = format!("`reset` {why}: run `{}` in {} by hand", reset.command, folder.display());
            self.observer.event(RunEvent::Trouble { message: &message });
        }
    }

    /// The plan with its operations: those that the server documents are asked for on a server that is up. `None` if there are
    /// none, which is the trial's failure.
    fn known_operations(&self, plan: &DirtySpec, trial: &mut Trial) -> Option<DirtySpec> {
        let spec = plan.sweep.as_ref()?;
        let SweepSource::Server(path) = &spec.source else { return Some(plan.clone()) };
        let mut found = None;
        self.part(ServerPart::DirtyCheck, trial, (&self.variant.server, None), |stage, server, trial| {
            let (target, seed) = (target(server, &stage.variant.server), stage.seed);
            let mut tick = |_: &Server| None;
            let (came, ending) = supervise::watch(server, stage.cancel, &mut tick, |stop| {
                document::operations(plan, spec, path, &target, seed, stop)
            })?;
            match came? {
                Ok(swept) => found = Some(plan.sweeping(swept)),
                Err(NoDocument { message, advice }) if matches!(ending, Ending::Finished) => {
                    trial.failure =
                        Some(TrialFailure { message, advice, log_tail: stage.log_tail(), log_of: LogOf::Server });
                }
                Err(_) => {}
            }
            Ok(ending)
        });
        found.filter(|_| trial.failure.is_none() && !trial.interrupted)
    }
}
