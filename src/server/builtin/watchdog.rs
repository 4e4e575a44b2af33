//! Ends a worker one of whose handlers does not come back, or takes the memory of the machine in one step: no limit of
//! scripts ends a function of rhai's that does, and in most modes no other request would get a response any more.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{gauges, log};
use crate::script::heartbeat::{Heartbeat, HeartbeatWatch, MemoryWatch, longest_call, looks, most_growth};
use crate::units::{show_duration, show_size};

/// How often to look whether calls come back.
const LOOK: Duration = Duration::from_secs(1);
/// How often to look at the memory. One step takes half a gigabyte a second, at most a few.
const MEMORY_LOOK: Duration = Duration::from_millis(50);

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
        let (mut watches, mut memory_watches) = (Vec::new(), Vec::new());
        for tick in 1_u64.. {
            std::thread::sleep(MEMORY_LOOK);
            if let Some(line) = look_at_memory(&mut memory_watches, gauges::OF_THIS_PROCESS.resident) {
                end(&line, &format!("took more than {} in one step", show_size(most_growth())));
            }
            if !tick.is_multiple_of(u64::from(looks(LOOK, MEMORY_LOOK))) {
                continue;
            }
            if let Some(line) = look(&mut watches, most) {
                let most = show_duration(most);
                end(&line, &format!("did not come back within {most}, as a function that it calls does not end"));
            }
        }
    })?;
    Ok(())
}

fn end(line: &str, what: &str) -> ! {
    log::line(&format!("{line}: the handler {what}; the worker ends"));
    std::process::exit(1)
}

/// The request line of a handler under which the process grows too much. The memory is asked for once at most, for all.
fn look_at_memory(watches: &mut Vec<MemoryWatch>, resident: fn() -> usize) -> Option<Arc<str>> {
    let pulses = PULSES.lock().unwrap_or_else(PoisonError::into_inner);
    watches.resize_with(pulses.len(), MemoryWatch::default);
    let mut held = None;
    watches
        .iter_mut()
        .zip(pulses.iter())
        .find_map(|(watch, pulse)| watch.look(pulse, || *held.get_or_insert_with(resident)))
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
