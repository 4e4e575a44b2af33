//! Threads that are one piece of work: they begin together, and if one cannot go on, none does.

use std::any::Any;
use std::io::Result;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::Builder;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::start::CommonStart;
use crate::net::clock::Clock;

/// How often to look after threads that are at work.
pub(super) const LOOK: Duration = Duration::from_millis(100);

/// What came of the threads.
#[derive(Debug)]
pub(super) struct ThreadGroupEnd<T> {
    /// Of those that came to their end, in their order.
    pub outputs: Vec<T>,
    /// Why one was given up, if one was. It may still run.
    pub hung: Option<String>,
}

/// What a thread ends with: its output, or its panic.
type End<T> = std::result::Result<Result<T>, Box<dyn Any + Send>>;

/// Runs `work` on a thread for each of `indices` and waits for all. Each is told its index to `prepare`; the clock that they
/// share starts when the last is ready, so that what that took makes nothing late, and is left in `start`. The first that fails or panics
/// cancels the token that the others were given, a child of `cancel`, so that its failure is known at once. Of a thread that
/// is at work `hangs` is asked, every 100 ms, whether it will ever end, and if not, why: then it is left to itself, and
/// the others are ended.
pub(super) fn run<P, T: Send + 'static>(
    indices: Range<u32>,
    start: Arc<CommonStart>,
    cancel: &CancellationToken,
    prepare: impl Fn(u32) -> Result<P> + Send + Sync + 'static,
    work: impl Fn(P, Clock, &CancellationToken) -> Result<T> + Send + Sync + 'static,
    hangs: &mut dyn FnMut(u32) -> Option<String>,
) -> Result<ThreadGroupEnd<T>> {
    let stop = cancel.child_token();
    let gate = Arc::new(StartBarrier { awaited: Mutex::default(), nobody: Condvar::new(), start });
    let one = {
        let stop = stop.clone();
        move |index, place: Place| {
            let guard = stop.clone().drop_guard();
            let prepared = prepare(index)?;
            let output = work(prepared, place.pass()?, &stop)?;
            guard.disarm();
            Ok(output)
        }
    };
    let one = Arc::new(one);
    let (ended, ends) = channel();
    let mut threads = Vec::new();
    let mut refused = None;
    let places: Vec<_> = indices.map(|index| (index, StartBarrier::place(&gate))).collect();
    for (index, place) in places {
        let (one, ended, span) = (Arc::clone(&one), ended.clone(), tracing::Span::current());
        let life = move || {
            let end = catch_unwind(AssertUnwindSafe(|| span.in_scope(|| one(index, place))));
            // Nobody may wait for it any more.
            let _ = ended.send((index, end));
        };
        match Builder::new().name(format!("load-{index}")).spawn(life) {
            Ok(_) => threads.push(index),
            Err(error) => {
                stop.cancel();
                refused.get_or_insert(error);
            }
        }
    }
    drop(ended);
    let (mut ends, hung) = wait(&threads, &ends, hangs, &stop);
    if let Some(error) = refused {
        return Err(error);
    }
    ends.sort_by_key(|(index, _)| *index);
    let outputs: Result<Vec<T>> =
        ends.into_iter().map(|(_, end)| end.unwrap_or_else(|panic| resume_unwind(panic))).collect();
    Ok(ThreadGroupEnd { outputs: outputs?, hung })
}

/// What the threads end with, and why one of them will not.
fn wait<T>(
    threads: &[u32],
    ends: &Receiver<(u32, End<T>)>,
    hangs: &mut dyn FnMut(u32) -> Option<String>,
    stop: &CancellationToken,
) -> (Vec<(u32, End<T>)>, Option<String>) {
    let mut awaited = threads.to_vec();
    let (mut ended, mut hung) = (Vec::new(), None);
    while !awaited.is_empty() {
        match ends.recv_timeout(LOOK) {
            Ok((index, end)) => {
                awaited.retain(|known| *known != index);
                ended.push((index, end));
            }
            Err(RecvTimeoutError::Timeout) => awaited.retain(|index| match hangs(*index) {
                None => true,
                Some(why) => {
                    stop.cancel();
                    hung.get_or_insert(why);
                    false
                }
            }),
            // Each has said how it ended.
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    (ended, hung)
}

/// Opens when nobody is awaited any longer; then the clock starts.
struct StartBarrier {
    awaited: Mutex<u32>,
    nobody: Condvar,
    start: Arc<CommonStart>,
}

/// One who is awaited at the gate, until it passes or will never come.
struct Place(Arc<StartBarrier>);

impl StartBarrier {
    fn place(gate: &Arc<StartBarrier>) -> Place {
        *gate.awaited.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Place(Arc::clone(gate))
    }
}

impl Place {
    /// Waits until all others are there, too, and the clock has started.
    fn pass(self) -> Result<Clock> {
        let gate = Arc::clone(&self.0);
        drop(self);
        let awaited = gate.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        drop(gate.nobody.wait_while(awaited, |awaited| *awaited > 0));
        gate.start.pass()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        *self.0.awaited.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.nobody.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn never(_: u32) -> Option<String> {
        None
    }

    fn wait_for(stop: &CancellationToken) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(stop.cancelled());
    }

    #[test]
    fn a_thread_that_fails_ends_the_others() {
        let cancel = CancellationToken::new();
        let fails = |index| if index == 1 { Err(std::io::Error::other("no descriptors")) } else { Ok(index) };
        let waits = |index, _, stop: &CancellationToken| {
            wait_for(stop);
            Ok(index)
        };
        let fails_or_waits = move |index, clock: Clock, stop: &CancellationToken| {
            fails(index).and_then(|index| waits(index, clock, stop))
        };
        let outcome = run(0..3, Arc::default(), &cancel, Ok, fails_or_waits, &mut never);
        assert_eq!(outcome.unwrap_err().to_string(), "no descriptors");
        assert!(!cancel.is_cancelled(), "the caller's token is its own");
        let outcome = run(0..3, Arc::default(), &cancel, fails, waits, &mut never);
        assert_eq!(outcome.unwrap_err().to_string(), "no descriptors", "the others pass, though it never comes");
    }

    #[test]
    fn a_thread_that_panics_ends_the_others_too() {
        let outcome = std::panic::catch_unwind(|| {
            let work = |index, _, stop: &CancellationToken| {
                assert!(index == 1, "on purpose");
                wait_for(stop);
                Ok(())
            };
            run(0..2, Arc::default(), &CancellationToken::new(), Ok, work, &mut never)
        });
        assert!(outcome.is_err());
    }

    #[test]
    fn threads_that_succeed_are_left_alone_and_their_outputs_are_in_order() {
        let work = |index, _, stop: &CancellationToken| Ok((index, stop.is_cancelled()));
        let outcome = run(0..3, Arc::default(), &CancellationToken::new(), Ok, work, &mut never);
        assert_eq!(outcome.unwrap().outputs, [(0, false), (1, false), (2, false)]);
    }

    #[test]
    fn the_clock_starts_when_the_last_is_ready() {
        let lasting = std::time::Duration::from_millis(50);
        let prepare = move |index| {
            if index == 1 {
                std::thread::sleep(lasting);
            }
            Ok(std::time::Instant::now())
        };
        let start = Arc::new(CommonStart::at_once());
        let work = |ready, clock, _: &CancellationToken| Ok((ready, clock));
        let outcome = run(0..2, Arc::clone(&start), &CancellationToken::new(), prepare, work, &mut never);
        let outputs = outcome.unwrap().outputs;
        let [(_, first), (ready, second)] = outputs[..] else { unreachable!() };
        let zero = start.clock().unwrap().instant(std::time::Duration::ZERO);
        assert!(zero >= ready);
        assert_eq!([first, second].map(|clock| clock.instant(std::time::Duration::ZERO)), [zero, zero]);
    }

    #[test]
    fn a_start_that_is_called_off_starts_nothing() {
        let work = |_, _, _: &CancellationToken| -> Result<()> { unreachable!() };
        let start = Arc::new(CommonStart::when(|| None));
        let refused = run(4..7, Arc::clone(&start), &CancellationToken::new(), Ok, work, &mut never).unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::Interrupted);
        assert!(start.clock().is_none());
    }

    #[test]
    fn threads_of_a_slice_have_the_indices_of_the_whole() {
        let zero = std::time::Instant::now() + Duration::from_millis(30);
        let wait = move || {
            std::thread::sleep(zero.saturating_duration_since(std::time::Instant::now()));
            Some(Clock::since(zero))
        };
        let work = |index, clock: Clock, _: &CancellationToken| Ok((index, clock.instant(Duration::ZERO)));
        let start = Arc::new(CommonStart::when(wait));
        let outcome = run(4..6, start, &CancellationToken::new(), Ok, work, &mut never).unwrap();
        assert_eq!(outcome.outputs, [(4, zero), (5, zero)]);
    }

    #[test]
    fn a_thread_that_hangs_is_left_to_itself_and_the_others_keep_what_they_have() {
        let (hold, held) = channel::<()>();
        let held = Mutex::new(held);
        let work = move |index, _, stop: &CancellationToken| {
            match index {
                1 => drop(held.lock().unwrap().recv()),
                _ => wait_for(stop),
            }
            Ok(index)
        };
        let mut hangs = |index| (index == 1).then(|| "it hangs".to_owned());
        let came = run(0..3, Arc::default(), &CancellationToken::new(), Ok, work, &mut hangs).unwrap();
        assert_eq!((came.outputs, came.hung.as_deref()), (vec![0, 2], Some("it hangs")));
        drop(hold);
    }
}
