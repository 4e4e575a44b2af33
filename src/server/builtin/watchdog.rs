//! Ends a worker one of whose handlers does not come back: no limit of scripts ends a function of rhai's that never does,
//! and in most modes nobody else would be answered any more.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::log;
use crate::script::heartbeat::{Heartbeat, HeartbeatWatch, longest_call, looks};
use crate::units::show_duration;

/// How often to look.
const LOOK: Duration = Duration::from_secs(1);

/// The pulses of all threads that have run handlers.
static PULSES: Mutex<Vec<Arc<Heartbeat>>> = Mutex::new(Vec::new());

thread_local! {
    static PULSE: Arc<Heartbeat> = {
        let pulse = Arc::<Heartbeat>::default();
        PULSES.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&pulse));
        pulse
    };
}

/// Runs a handler up to its next step, and shows that it is under way.
pub(super) fn during<T>(line: &Arc<str>, step: impl FnOnce() -> T) -> T {
    PULSE.with(Arc::clone).during(line, step)
}

/// Watches over the handlers of this process from now on.
pub(in crate::server) fn start() -> std::io::Result<()> {
    let most = longest_call();
    std::thread::Builder::new().name("watchdog".to_owned()).spawn(move || {
        let mut watches: Vec<HeartbeatWatch> = Vec::new();
        loop {
            std::thread::sleep(LOOK);
            if let Some(line) = look(&mut watches, most) {
                let most = show_duration(most);
                log::line(&format!(
                    "{line}: the handler did not come back within {most}, as a function that it calls does not end; \
                     the worker ends"
                ));
                std::process::exit(1);
            }
        }
    })?;
    Ok(())
}

/// The request line of a handler that is overdue.
fn look(watches: &mut Vec<HeartbeatWatch>, most: Duration) -> Option<Arc<str>> {
    let pulses = PULSES.lock().unwrap_or_else(PoisonError::into_inner);
    watches.resize_with(pulses.len(), HeartbeatWatch::default);
    watches.iter_mut().zip(pulses.iter()).find_map(|(watch, pulse)| watch.look(pulse, looks(most, LOOK)))
}

#[cfg(test)]
mod tests {
    use super::*;

    // fault: endless: a handler does not come back -> its worker ends, with a line that names the request
    #[test]
    fn a_handler_that_does_not_come_back_is_told_by_its_request() {
        let (mut watches, line) = (Vec::new(), Arc::from("GET /spin"));
        let mut looks = || look(&mut watches, 3 * LOOK);
        during(&line, || assert!(looks().is_none()));
        let told = during(&line, || [(); 4].map(|()| looks()));
        assert_eq!(told.map(|told| told.as_deref() == Some("GET /spin")), [false, false, false, true]);
        assert!(looks().is_none());
    }
}
