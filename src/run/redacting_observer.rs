//! Events without secrets, for whoever shows them.

use super::{LoadSoFar, Observer, RunEvent};
use crate::record::Caveat;
use crate::scenario::Secrets;

/// Passes every event on, with `${NAME}` in place of every secret.
pub(super) struct RedactingObserver<'a> {
    pub observer: &'a dyn Observer,
    pub secrets: &'a Secrets,
}

impl Observer for RedactingObserver<'_> {
    fn event(&self, event: RunEvent<'_>) {
        let hide = |text| self.secrets.hide(text);
        match event {
            RunEvent::Trial { variant, number, of, left } => {
                self.observer.event(RunEvent::Trial { variant: &hide(variant), number, of, left });
            }
            RunEvent::Crossover { elapsed, planned, doing } => {
                self.observer.event(RunEvent::Crossover { elapsed, planned, doing: &hide(doing) });
            }
            RunEvent::ServerReady { description, after } => {
                self.observer.event(RunEvent::ServerReady { description: &hide(description), after });
            }
            RunEvent::LoadBegan { description } => {
                self.observer.event(RunEvent::LoadBegan { description: &hide(description) });
            }
            RunEvent::CapacityBegan { description } => {
                self.observer.event(RunEvent::CapacityBegan { description: &hide(description) });
            }
            RunEvent::InspectionBegan { description } => {
                self.observer.event(RunEvent::InspectionBegan { description: &hide(description) });
            }
            RunEvent::DirtyBegan { description } => {
                self.observer.event(RunEvent::DirtyBegan { description: &hide(description) });
            }
            RunEvent::Trouble { message } => self.observer.event(RunEvent::Trouble { message: &hide(message) }),
            RunEvent::ServerStarting { number, elapsed, set_up: Some(line) } => {
                self.observer.event(RunEvent::ServerStarting { number, elapsed, set_up: Some(&hide(line)) });
            }
            RunEvent::LoadSoFar { so_far } => {
                let hidden = |caveat: &Caveat| Caveat {
                    kind: caveat.kind.clone(),
                    message: self.secrets.hide(&caveat.message).into_owned(),
                    advice: self.secrets.hide(&caveat.advice).into_owned(),
                };
                let caveats = so_far.caveats.iter().map(hidden).collect();
                let so_far = &LoadSoFar { caveats, ..so_far.clone() };
                self.observer.event(RunEvent::LoadSoFar { so_far });
            }
            RunEvent::ServerStarting { set_up: None, .. }
            | RunEvent::LoggingIn { .. }
            | RunEvent::Load { .. }
            | RunEvent::LoadEnded
            | RunEvent::Capacity { .. }
            | RunEvent::CapacityEnded
            | RunEvent::Inspection { .. }
            | RunEvent::Dirty { .. }
            | RunEvent::DirtyEnded
            | RunEvent::Reported => self.observer.event(event),
        }
    }

    fn wants_load_so_far(&self) -> bool {
        self.observer.wants_load_so_far()
    }
}
