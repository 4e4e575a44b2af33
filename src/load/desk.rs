//! Where arrivals of the open model meet the users of a load thread who are free.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

/// A request that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Call {
    pub due: Duration,
    /// It had to wait for a user.
    pub queued: bool,
}

/// A user's place to wait at.
#[derive(Default)]
pub(super) struct Seat {
    given: Cell<Option<Call>>,
    waker: Cell<Option<Waker>>,
}

impl Seat {
    fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// Arrivals without a user, or users without an arrival; both in the order in which they came.
#[derive(Default)]
pub(super) struct Desk {
    waiting: RefCell<VecDeque<Duration>>,
    idle: RefCell<VecDeque<Rc<Seat>>>,
    seats: RefCell<Vec<Rc<Seat>>>,
    closed: Cell<bool>,
}

impl Desk {
    /// The seat of a new user, who has a call to begin with.
    pub fn seat(&self, due: Duration) -> Rc<Seat> {
        let given = Cell::new(Some(Call { due, queued: false }));
        let seat = Rc::new(Seat { given, waker: Cell::default() });
        self.seats.borrow_mut().push(Rc::clone(&seat));
        seat
    }

    /// Gives an arrival to the user who has been free for longest, or has it wait.
    pub fn hand_over(&self, due: Duration) {
        match self.idle.borrow_mut().pop_front() {
            Some(seat) => {
                seat.given.set(Some(Call { due, queued: false }));
                seat.wake();
            }
            None => self.waiting.borrow_mut().push_back(due),
        }
    }

    /// Nothing more arrives; users go once nothing waits.
    pub fn close(&self) {
        self.closed.set(true);
        self.idle.take().iter().for_each(|seat| seat.wake());
    }

    /// What waits still, for a user or for the user whom it was given to.
    pub fn left(&self) -> Vec<Duration> {
        let given = self.seats.take().into_iter().filter_map(|seat| seat.given.take()).map(|call| call.due);
        self.waiting.take().into_iter().chain(given).collect()
    }

    /// The next request for a user; `None` once there will be none. What waits is not begun unless `may_begin`.
    pub async fn next(&self, seat: &Rc<Seat>, may_begin: bool) -> Option<Call> {
        let given = seat.given.take();
        if given.is_some() {
            return given;
        }
        if may_begin && let Some(due) = self.waiting.borrow_mut().pop_front() {
            return Some(Call { due, queued: true });
        }
        if self.closed.get() {
            return None;
        }
        self.idle.borrow_mut().push_back(Rc::clone(seat));
        poll_fn(|context| match seat.given.take() {
            Some(call) => Poll::Ready(Some(call)),
            None if self.closed.get() => Poll::Ready(None),
            None => {
                seat.waker.set(Some(context.waker().clone()));
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
        let desk = Desk::default();
        desk.hand_over(at(1));
        desk.hand_over(at(2));
        let seat = desk.seat(at(0));
        assert_eq!(desk.next(&seat, true).await, Some(Call { due: at(0), queued: false }));
        assert_eq!(desk.next(&seat, true).await, Some(Call { due: at(1), queued: true }));
        assert_eq!(desk.next(&seat, true).await, Some(Call { due: at(2), queued: true }));
        let (next, ()) = tokio::join!(desk.next(&seat, true), async { desk.hand_over(at(3)) });
        assert_eq!(next, Some(Call { due: at(3), queued: false }));
        let (next, ()) = tokio::join!(desk.next(&seat, true), async { desk.close() });
        assert_eq!(next, None);
    }

    #[tokio::test]
    async fn what_waits_at_the_end_is_left() {
        let desk = Desk::default();
        desk.hand_over(at(1));
        desk.close();
        assert_eq!(desk.next(&Rc::default(), false).await, None);
        let _seat = desk.seat(at(2));
        assert_eq!(desk.left(), [at(1), at(2)]);
    }
}
