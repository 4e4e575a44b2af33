//! Hooks are waited for as long as their limits can explain. One that does not come back is given up: its thread is left to
//! itself, and the run ends.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use super::thread_group::LOOK;
use crate::script::client::Called;
use crate::script::heartbeat::{Heartbeat, HeartbeatWatch, MemoryWatch, longest_call, looks, most_growth};
use crate::server::OF_THIS_PROCESS;
use crate::units::{show_duration, show_size};

/// How long a call may go on once the end of the run was asked for.
const ONCE_CANCELLED: Duration = Duration::from_secs(2);

/// A hook that did not come back. Its thread may still keep a core busy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HungHook(pub String);

/// How long a hook is waited for, look by look.
#[derive(Debug, Default)]
pub(super) struct HookWatchdog {
    watch: HeartbeatWatch,
    memory: MemoryWatch,
    since_cancelled: u32,
}

impl HookWatchdog {
    /// Why no more is to be expected, if so.
    pub fn look(&mut self, pulse: &Heartbeat, is_cancelled: bool) -> Option<String> {
        if let Some(name) = self.memory.look(pulse, OF_THIS_PROCESS.resident) {
            return Some(format!("the hook `{name}` took more than {} in one step", show_size(most_growth())));
        }
        self.since_cancelled += u32::from(is_cancelled);
        let (most, asked) = match self.since_cancelled > looks(ONCE_CANCELLED, LOOK) {
            true => (ONCE_CANCELLED, " after the end was asked for"),
            false => (longest_call(), ""),
        };
        let name = self.watch.look(pulse, looks(most, LOOK))?;
        Some(format!("the hook `{name}` did not come back within {}{asked}", show_duration(most)))
    }
}

/// Makes a call on a thread of its own, and gives it up if it does not come back.
pub fn call_watched<T: Send + 'static>(
    is_cancelled: &dyn Fn() -> bool,
    call: impl FnOnce(Arc<Heartbeat>) -> T + Send + 'static,
) -> Result<T, HungHook> {
    let pulse = Arc::<Heartbeat>::default();
    let (came, comes) = channel();
    let shown = Arc::clone(&pulse);
    // Nobody may wait for it any more.
    let span = tracing::Span::current();
    let life = move || drop(came.send(span.in_scope(|| call(shown))));
    std::thread::Builder::new()
        .name("hooks".to_owned())
        .spawn(life)
        .map_err(|error| HungHook(format!("no thread for the hooks: {error}")))?;
    let mut patience = HookWatchdog::default();
    loop {
        match comes.recv_timeout(LOOK) {
            Ok(came) => return Ok(came),
            Err(RecvTimeoutError::Disconnected) => return Err(HungHook("the thread of the hooks panicked".to_owned())),
            Err(RecvTimeoutError::Timeout) => {
                if let Some(why) = patience.look(&pulse, is_cancelled()) {
                    return Err(HungHook(why));
                }
            }
        }
    }
}

/// As a call that failed.
pub fn failed<T>(hung: &HungHook) -> Called<T> {
    Called { result: Err(crate::script::ScriptError::new(hung.to_string())), log: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_does_not_come_back_is_given_up_soon_after_the_end_was_asked_for() {
        let (hold, held) = channel::<()>();
        let (_hold, name) = (hold, Arc::from("setup"));
        let hung = call_watched(&|| true, move |pulse| pulse.during(&name, || held.recv().is_ok()));
        assert_eq!(hung.unwrap_err().0, "the hook `setup` did not come back within 2s after the end was asked for");
        assert_eq!(call_watched(&|| true, |_| 7), Ok(7));
    }

    #[test]
    fn a_call_has_the_time_of_its_limits_and_more() {
        let (pulse, mut patience, name) = (Heartbeat::default(), HookWatchdog::default(), Arc::from("check"));
        pulse.during(&name, || {
            let at = (1..10_000).find(|_| patience.look(&pulse, false).is_some()).unwrap();
            assert_eq!(at * LOOK.as_millis() / 1000, 40);
        });
    }
}
