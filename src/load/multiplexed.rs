//! Requests over connections that users share: HTTP/2.

use std::time::Duration;

use super::request_source::RequestSource;
use super::thread_state::ThreadState;
use super::virtual_user::{Transport, VirtualUser};
use crate::exchange::Failure;
use crate::net::http2::request::Http2Request;
use crate::net::http2::{ExchangeObserver, FailedExchange, Retry};
use crate::net::response::{ExchangeError, ResponseInfo};

/// A request that is refused so often, while nothing at all is answered, has failed. While others are answered, it has only
/// to wait for its turn.
const MOST_REFUSALS: u32 = 3;

/// A request whose connection ends so often before anything of a response comes has failed: the next time it is no chance.
const MOST_UNSEEN: u32 = 2;

/// How long one waits that was refused alone, the first time: something else must end before there is room.
const AFTER_REFUSED_STREAM: Duration = Duration::from_millis(10);

/// What a user keeps of a connection that is not its own: its last request, so that it is taken apart only once.
#[derive(Debug)]
pub(super) struct Multiplexed(Http2Request);

/// A request of a user on its way.
struct Way<'a> {
    thread: &'a ThreadState,
    slot: u32,
    now: Duration,
}

impl ExchangeObserver for Way<'_> {
    fn opened(&self, resumed: bool) {
        self.thread.opened(resumed);
    }

    fn sent(&self, waited: bool) {
        let now = if waited { self.thread.plan.clock.now() } else { self.now };
        self.thread.sent(self.slot, now);
    }
}

impl Transport for Multiplexed {
    /// What the server has refused unseen, or what was sent on a connection that it had closed meanwhile, is sent again.
    async fn ask<S: RequestSource>(
        user: &mut VirtualUser<'_, S, Self>,
        mut now: Duration,
    ) -> Result<ResponseInfo, Failure> {
        let (thread, clock) = (user.thread, user.thread.plan.clock);
        let (mut refusals, mut unseen) = (0, 0);
        loop {
            let answered = thread.sessions.answered();
            let (outgoing, sink) = user.source.outgoing();
            let translated = match user.connection.take().filter(|last| last.0.is_of(outgoing.bytes)) {
                Some(Multiplexed(translated)) => translated,
                None => translate(thread, outgoing.bytes)?,
            };
            let translated = &user.connection.insert(Multiplexed(translated)).0;
            let way = Way { thread, slot: user.slot, now };
            let FailedExchange { why, again } =
                match thread.sessions.exchange(&thread.plan.target.dialer, translated, clock, &way, sink).await {
                    Ok(answer) => return Ok(answer),
                    Err(lost) => lost,
                };
            refusals = if thread.sessions.answered() == answered { refusals + 1 } else { 1 };
            unseen += u32::from(again == Retry::IfMayBeUnseen);
            let may = match again {
                Retry::Never => false,
                Retry::IfMayBeUnseen => outgoing.idempotent && unseen <= MOST_UNSEEN,
                Retry::OnAnother | Retry::Later => refusals <= MOST_REFUSALS,
            };
            if !may {
                return Err(thread.failed(&why));
            }
            if again == Retry::Later {
                tokio::time::sleep(AFTER_REFUSED_STREAM * refusals).await;
            }
            thread.sent_again(user.slot);
            now = clock.now();
        }
    }

    fn take_up(kept: Option<Self>, _thread: &ThreadState) -> Option<Self> {
        kept
    }

    fn put_back(self, _thread: &ThreadState) -> Option<Self> {
        Some(self)
    }
}

fn translate(thread: &ThreadState, bytes: &[u8]) -> Result<Http2Request, Failure> {
    let scheme = if thread.plan.target.dialer.speaks_tls() { "https" } else { "http" };
    Http2Request::new(bytes, scheme).map_err(|why| {
        // Only scripts make such requests.
        let why = format!("HTTP/2 has no such request: {why}");
        thread.failed(&ExchangeError::Told(Failure::Script, why))
    })
}
