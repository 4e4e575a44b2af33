//! A time-out that costs nothing while answers come in time.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use tokio::time::Sleep;

/// One timer for all requests of a user. It stays armed for an earlier request's end and is moved only when it fires,
/// so that a request that is answered in time never touches the timer wheel. One that is due before an earlier one was
/// has to say so: see [`Deadline::hasten`].
#[derive(Debug)]
pub struct Deadline {
    timer: Pin<Box<Sleep>>,
    /// Whom the timer wakes, once it is armed.
    wakes: Option<Waker>,
}

impl Deadline {
    pub fn new(first: Instant) -> Self {
        Deadline { timer: Box::pin(tokio::time::sleep_until(first.into())), wakes: None }
    }

    /// Before a request that is due sooner than the one before it was.
    #[cold]
    pub fn hasten(&mut self, due: Instant) {
        if self.timer.deadline().into_std() > due {
            self.timer.as_mut().reset(due.into());
            self.wakes = None;
        }
    }

    /// Whether the timer has fired; if not, it wakes the task when it does. Asking it takes a lock, so one that is armed
    /// for this task is only looked at.
    fn fired(&mut self, context: &mut Context<'_>) -> bool {
        let armed = self.wakes.as_ref().is_some_and(|waker| waker.will_wake(context.waker()));
        if armed && !self.timer.is_elapsed() {
            return false;
        }
        // Without budget it does not arm, but has the task polled again.
        let arms = tokio::task::coop::has_budget_remaining();
        let fired = self.timer.as_mut().poll(context).is_ready();
        self.wakes = (arms && !fired).then(|| context.waker().clone());
        fired
    }

    /// What `work` yields, or `None` if `due` passes first; which is only asked for if the work waits for long.
    pub fn guard<T>(
        &mut self,
        due: impl Fn() -> Instant,
        mut work: Pin<&mut impl Future<Output = T>>,
    ) -> impl Future<Output = Option<T>> {
        poll_fn(move |context| {
            if let Poll::Ready(output) = work.as_mut().poll(context) {
                return Poll::Ready(Some(output));
            }
            // A response that never pauses uses up the task's budget, and without any a timer never fires.
            if !tokio::task::coop::has_budget_remaining() && Instant::now() >= due() {
                return Poll::Ready(None);
            }
            while self.fired(context) {
                if Instant::now() >= due() {
                    return Poll::Ready(None);
                }
                self.timer.as_mut().reset(due().into());
            }
            Poll::Pending
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn it_fires_at_the_due_time_of_the_request_and_not_of_an_earlier_one() {
        let second = Duration::from_secs(1);
        let start = tokio::time::Instant::now();
        let mut deadline = Deadline::new((start + second).into_std());
        let quick = deadline.guard(|| (start + second).into_std(), pin!(async { 5 })).await;
        assert_eq!(quick, Some(5));
        let answered = deadline.guard(|| (start + 3 * second).into_std(), pin!(tokio::time::sleep(2 * second))).await;
        assert_eq!(answered, Some(()), "the first due time passed in between");
    }

    #[tokio::test(start_paused = true)]
    async fn it_fires_in_time_for_a_request_that_is_due_before_an_earlier_one() {
        let second = Duration::from_secs(1);
        let start = tokio::time::Instant::now();
        let mut deadline = Deadline::new((start + 9 * second).into_std());
        let earlier = deadline.guard(|| (start + 9 * second).into_std(), pin!(tokio::time::sleep(second))).await;
        assert_eq!(earlier, Some(()));
        let due = (start + 2 * second).into_std();
        deadline.hasten(due);
        assert_eq!(deadline.guard(|| due, pin!(std::future::pending::<()>())).await, None);
        assert_eq!(tokio::time::Instant::now(), start + 2 * second);
    }

    #[tokio::test]
    async fn it_fires_though_the_work_is_always_ready_to_go_on() {
        let due = Instant::now() + Duration::from_millis(20);
        let busy = async {
            for _ in 0..100_000_000_u64 {
                tokio::task::coop::consume_budget().await;
            }
        };
        assert_eq!(Deadline::new(due).guard(|| due, pin!(busy)).await, None);
    }
}
