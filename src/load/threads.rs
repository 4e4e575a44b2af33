//! Threads that are one piece of work: if one cannot go on, none does.

use std::io::Result;
use std::thread::{Builder, ScopedJoinHandle};

use tokio_util::sync::CancellationToken;

/// Runs `work` on `count` threads, each told its index, and waits for all. The first that fails or panics cancels the
/// token that the others were given, a child of `cancel`, so that its failure is known at once.
pub(super) fn run<T: Send>(
    count: u32,
    cancel: &CancellationToken,
    work: impl Fn(u32, &CancellationToken) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let stop = cancel.child_token();
    let one = |index| {
        let guard = stop.clone().drop_guard();
        let output = work(index, &stop)?;
        guard.disarm();
        Ok(output)
    };
    let one = &one;
    std::thread::scope(|scope| {
        let spawn = |index| Builder::new().name(format!("load-{index}")).spawn_scoped(scope, move || one(index));
        let threads: Result<Vec<_>> = (0..count).map(spawn).collect();
        if threads.is_err() {
            stop.cancel();
        }
        let join = |thread: ScopedJoinHandle<'_, Result<T>>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads?.into_iter().map(join).collect()
    })
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
        let outcome = run(3, &cancel, |index, stop| {
            if index == 1 {
                return Err(std::io::Error::other("no descriptors"));
            }
            wait_for(stop);
            Ok(index)
        });
        assert_eq!(outcome.unwrap_err().to_string(), "no descriptors");
        assert!(!cancel.is_cancelled(), "the caller's token is its own");
    }

    #[test]
    fn a_thread_that_panics_ends_the_others_too() {
        let outcome = std::panic::catch_unwind(|| {
            run(2, &CancellationToken::new(), |index, stop| {
                assert!(index == 1, "on purpose");
                wait_for(stop);
                Ok(())
            })
        });
        assert!(outcome.is_err());
    }

    #[test]
    fn threads_that_succeed_are_left_alone_and_their_outputs_are_in_order() {
        let outcome = run(3, &CancellationToken::new(), |index, stop| Ok((index, stop.is_cancelled())));
        assert_eq!(outcome.unwrap(), [(0, false), (1, false), (2, false)]);
    }
}
