//! Where arrivals of the open model meet the users of a load thread who are free.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

/// A request that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct QueuedArrival {
    pub due: Duration,
    /// It had to wait for a user.
    pub queued: bool,
}

/// A user's place to wait at.
#[derive(Default)]
pub(super) struct IdleUser {
    given: Cell<Option<QueuedArrival>>,
    waker: Cell<Option<Waker>>,
}

impl IdleUser {
    fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// Arrivals without a user, or users without an arrival; both in the order in which they came.
#[derive(Default)]
pub(super) struct ArrivalQueue {
    waiting: RefCell<VecDeque<Duration>>,
    idle: RefCell<VecDeque<Rc<IdleUser>>>,
    seats: RefCell<Vec<Rc<IdleUser>>>,
    closed: Cell<bool>,
}

impl ArrivalQueue {
    /// The idle_user of a new user, who has a call to begin with.
    pub fn idle_user(&self, due: Duration) -> Rc<IdleUser> {
        let given = Cell::new(Some(QueuedArrival { due, queued: false }));
        let idle_user = Rc::new(IdleUser { given, waker: Cell::default() });
        self.seats.borrow_mut().push(Rc::clone(&idle_user));
        idle_user
    }

    /// Gives an arrival to the user who has been free for longest, or has it wait.
    pub fn hand_over(&self, due: Duration) {
        match self.idle.borrow_mut().pop_front() {
            Some(idle_user) => {
                idle_user.given.set(Some(QueuedArrival { due, queued: false }));
                idle_user.wake();
            }
            None => self.waiting.borrow_mut().push_back(due),
        }
    }

    /// Nothing more arrives; users go once nothing waits.
    pub fn close(&self) {
        self.closed.set(true);
        self.idle.take().iter().for_each(|idle_user| idle_user.wake());
    }

    /// What waits still, for a user or for the user whom it was given to.
    pub fn left(&self) -> Vec<Duration> {
        let given = self.seats.take().into_iter().filter_map(|idle_user| idle_user.given.take()).map(|call| call.due);
        self.waiting.take().into_iter().chain(given).collect()
    }

    /// A copy of what waits for a user. What was given to one is as good as begun.
    pub fn waiting(&self) -> Vec<Duration> {
        self.waiting.borrow().iter().copied().collect()
    }

    /// The next request for a user; `None` once there will be none. What waits is not begun unless `may_begin`.
    pub async fn next(&self, idle_user: &Rc<IdleUser>, may_begin: bool) -> Option<QueuedArrival> {
        let given = idle_user.given.take();
        if given.is_some() {
            return given;
        }
        if may_begin && let Some(due) = self.waiting.borrow_mut().pop_front() {
            return Some(QueuedArrival { due, queued: true });
        }
        if self.closed.get() {
            return None;
        }
        self.idle.borrow_mut().push_back(Rc::clone(idle_user));
        poll_fn(|context| match idle_user.given.take() {
            Some(call) => Poll::Ready(Some(call)),
            None if self.closed.get() => Poll::Ready(None),
            None => {
                idle_user.waker.set(Some(context.waker().clone()));
                Poll::Pending
            }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[tokio::test]
    async fn arrivals_wait_for_users_in_order_and_users_for_arrivals() {
        let arrivals = ArrivalQueue::default();
        arrivals.hand_over(at(1));
        arrivals.hand_over(at(2));
        let idle_user = arrivals.idle_user(at(0));
        assert_eq!(arrivals.next(&idle_user, true).await, Some(QueuedArrival { due: at(0), queued: false }));
        assert_eq!(arrivals.next(&idle_user, true).await, Some(QueuedArrival { due: at(1), queued: true }));
        assert_eq!(arrivals.next(&idle_user, true).await, Some(QueuedArrival { due: at(2), queued: true }));
        let (next, ()) = tokio::join!(arrivals.next(&idle_user, true), async { arrivals.hand_over(at(3)) });
        assert_eq!(next, Some(QueuedArrival { due: at(3), queued: false }));
        let (next, ()) = tokio::join!(arrivals.next(&idle_user, true), async { arrivals.close() });
        assert_eq!(next, None);
    }

    #[tokio::test]
    async fn what_waits_at_the_end_is_left() {
        let arrivals = ArrivalQueue::default();
        arrivals.hand_over(at(1));
        arrivals.close();
        assert_eq!(arrivals.next(&Rc::default(), false).await, None);
        let _seat = arrivals.idle_user(at(2));
        assert_eq!(arrivals.left(), [at(1), at(2)]);
    }
}
