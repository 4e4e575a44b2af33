//! Events without secrets, for whoever shows them.

use super::{Event, Observer};
use crate::scenario::Secrets;

/// Passes every event on, with `${NAME}` in place of every secret.
pub(super) struct Discreet<'a> {
    pub observer: &'a dyn Observer,
    pub secrets: &'a Secrets,
}

impl Observer for Discreet<'_> {
    fn event(&self, event: Event<'_>) {
        let hide = |text| self.secrets.hide(text);
        match event {
            Event::Trial { variant, number, of } => {
                self.observer.event(Event::Trial { variant: &hide(variant), number, of });
            }
            Event::ServerReady { description, after } => {
                self.observer.event(Event::ServerReady { description: &hide(description), after });
            }
            Event::LoadBegan { description } => {
                self.observer.event(Event::LoadBegan { description: &hide(description) });
            }
            Event::DirtyBegan { description } => {
                self.observer.event(Event::DirtyBegan { description: &hide(description) });
            }
            Event::Trouble { message } => self.observer.event(Event::Trouble { message: &hide(message) }),
            Event::ServerStarting { number, elapsed, set_up: Some(line) } => {
                self.observer.event(Event::ServerStarting { number, elapsed, set_up: Some(&hide(line)) });
            }
            Event::ServerStarting { set_up: None, .. }
            | Event::LoggingIn { .. }
            | Event::Load { .. }
            | Event::LoadEnded
            | Event::Dirty { .. }
            | Event::DirtyEnded
            | Event::Reported => self.observer.event(event),
        }
    }
}
