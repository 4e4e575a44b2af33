//! A time-out that costs nothing while answers come in time.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Instant;

use tokio::time::Sleep;

/// One timer for all requests of a user. It stays armed for an earlier request's end and is moved only when it fires,
/// so that a request that is answered in time never touches the timer wheel. Due times must not decrease.
#[derive(Debug)]
pub struct Deadline {
    timer: Pin<Box<Sleep>>,
}

impl Deadline {
    pub fn new(first: Instant) -> Self {
        Deadline { timer: Box::pin(tokio::time::sleep_until(first.into())) }
    }

    /// What `work` yields, or `None` if `due` passes first.
    pub async fn guard<F: Future>(&mut self, due: Instant, work: F) -> Option<F::Output> {
        let mut work = pin!(work);
        poll_fn(|context| {
            if let Poll::Ready(output) = work.as_mut().poll(context) {
                return Poll::Ready(Some(output));
            }
            // A response that never pauses uses up the task's budget, and without any a timer never fires.
            if !tokio::task::coop::has_budget_remaining() && Instant::now() >= due {
                return Poll::Ready(None);
            }
            while self.timer.as_mut().poll(context).is_ready() {
                if Instant::now() >= due {
                    return Poll::Ready(None);
                }
                self.timer.as_mut().reset(due.into());
            }
            Poll::Pending
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn it_fires_at_the_due_time_of_the_request_and_not_of_an_earlier_one() {
        let second = Duration::from_secs(1);
        let start = tokio::time::Instant::now();
        let mut deadline = Deadline::new((start + second).into_std());
        let quick = deadline.guard((start + second).into_std(), async { 5 }).await;
        assert_eq!(quick, Some(5));
        let answered = deadline.guard((start + 3 * second).into_std(), tokio::time::sleep(2 * second)).await;
        assert_eq!(answered, Some(()), "the first due time passed in between");
    }

    #[tokio::test]
    async fn it_fires_though_the_work_is_always_ready_to_go_on() {
        let due = Instant::now() + Duration::from_millis(20);
        let busy = async {
            for _ in 0..100_000_000_u64 {
                tokio::task::coop::consume_budget().await;
            }
        };
        assert_eq!(Deadline::new(due).guard(due, busy).await, None);
    }
}
