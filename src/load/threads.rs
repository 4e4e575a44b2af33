//! Threads that are one piece of work: they begin together, and if one cannot go on, none does.

use std::io::Result;
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::thread::{Builder, ScopedJoinHandle};

use tokio_util::sync::CancellationToken;

use super::clock::Clock;

/// Runs `work` on `count` threads and waits for all. Each is told its index to `prepare`; the clock that they share starts
/// when the last is ready, so that what that took makes nothing late, and is left in `clock`. The first that fails or panics
/// cancels the token that the others were given, a child of `cancel`, so that its failure is known at once.
pub(super) fn run<P, T: Send>(
    count: u32,
    clock: &OnceLock<Clock>,
    cancel: &CancellationToken,
    prepare: impl Fn(u32) -> Result<P> + Sync,
    work: impl Fn(P, Clock, &CancellationToken) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let (stop, gate) = (cancel.child_token(), Gate { awaited: Mutex::default(), nobody: Condvar::new(), clock });
    let one = |index, place: Place<'_>| {
        let guard = stop.clone().drop_guard();
        let prepared = prepare(index)?;
        let output = work(prepared, place.pass(), &stop)?;
        guard.disarm();
        Ok(output)
    };
    let one = &one;
    std::thread::scope(|scope| {
        let places: Vec<_> = (0..count).map(|index| (index, gate.place())).collect();
        let spawn = |(index, place)| {
            Builder::new().name(format!("load-{index}")).spawn_scoped(scope, move || one(index, place))
        };
        let threads: Result<Vec<_>> = places.into_iter().map(spawn).collect();
        if threads.is_err() {
            stop.cancel();
        }
        let join = |thread: ScopedJoinHandle<'_, Result<T>>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads?.into_iter().map(join).collect()
    })
}

/// Opens when nobody is awaited any longer; then the clock starts.
struct Gate<'a> {
    awaited: Mutex<u32>,
    nobody: Condvar,
    clock: &'a OnceLock<Clock>,
}

/// One who is awaited at the gate, until it passes or will never come.
struct Place<'a>(&'a Gate<'a>);

impl Gate<'_> {
    fn place(&self) -> Place<'_> {
        *self.awaited.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Place(self)
    }

    fn clock(&self) -> Clock {
        *self.clock.get_or_init(Clock::start)
    }
}

impl<'a> Place<'a> {
    /// Waits until all others are there, too.
    fn pass(self) -> Clock {
        let Place(gate) = self;
        drop(self);
        let awaited = gate.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        drop(gate.nobody.wait_while(awaited, |awaited| *awaited > 0));
        gate.clock()
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        *self.0.awaited.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.nobody.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let outcome = run(3, &OnceLock::new(), &cancel, Ok, |index, clock, stop| {
            fails(index).and_then(|index| waits(index, clock, stop))
        });
        assert_eq!(outcome.unwrap_err().to_string(), "no descriptors");
        assert!(!cancel.is_cancelled(), "the caller's token is its own");
        let outcome = run(3, &OnceLock::new(), &cancel, fails, waits);
        assert_eq!(outcome.unwrap_err().to_string(), "no descriptors", "the others pass, though it never comes");
    }

    #[test]
    fn a_thread_that_panics_ends_the_others_too() {
        let outcome = std::panic::catch_unwind(|| {
            run(2, &OnceLock::new(), &CancellationToken::new(), Ok, |index, _, stop| {
                assert!(index == 1, "on purpose");
                wait_for(stop);
                Ok(())
            })
        });
        assert!(outcome.is_err());
    }

    #[test]
    fn threads_that_succeed_are_left_alone_and_their_outputs_are_in_order() {
        let outcome =
            run(3, &OnceLock::new(), &CancellationToken::new(), Ok, |index, _, stop| Ok((index, stop.is_cancelled())));
        assert_eq!(outcome.unwrap(), [(0, false), (1, false), (2, false)]);
    }

    #[test]
    fn the_clock_starts_when_the_last_is_ready() {
        let lasting = std::time::Duration::from_millis(50);
        let prepare = |index| {
            if index == 1 {
                std::thread::sleep(lasting);
            }
            Ok(std::time::Instant::now())
        };
        let clock = OnceLock::new();
        let outcome = run(2, &clock, &CancellationToken::new(), prepare, |ready, clock, _| Ok((ready, clock)));
        let outputs = outcome.unwrap();
        let [(_, first), (ready, second)] = outputs[..] else { unreachable!() };
        let zero = clock.get().unwrap().instant(std::time::Duration::ZERO);
        assert!(zero >= ready);
        assert_eq!([first, second].map(|clock| clock.instant(std::time::Duration::ZERO)), [zero, zero]);
    }
}
