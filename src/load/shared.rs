//! Requests over connections that users share: HTTP/2.

use std::time::Duration;

use super::lane::Lane;
use super::source::Source;
use super::user::{Carrier, User};
use crate::exchange::Failure;
use crate::net::http2::request::Http2Request;
use crate::net::http2::{ExchangeObserver, FailedExchange, Retry};
use crate::net::response::{ExchangeError, ResponseInfo};

/// A request that is refused so often, while nothing at all is answered, has failed. While others are answered, it has only
/// to wait for its turn.
const MOST_REFUSALS: u32 = 3;

/// A request whose connection ends so often before anything of an answer comes has failed: the next time it is no chance.
const MOST_UNSEEN: u32 = 2;

/// How long one waits that was refused alone, the first time: something else must end before there is room.
const AFTER_REFUSED_STREAM: Duration = Duration::from_millis(10);

/// What a user keeps of a connection that is not its own: its last request, so that it is taken apart only once.
#[derive(Debug)]
pub(super) struct Stream(Http2Request);

/// A request of a user on its way.
struct Way<'a> {
    lane: &'a Lane,
    slot: u32,
    now: Duration,
}

impl ExchangeObserver for Way<'_> {
    fn opened(&self, resumed: bool) {
        self.lane.opened(resumed);
    }

    fn sent(&self, waited: bool) {
        let now = if waited { self.lane.plan.clock.now() } else { self.now };
        self.lane.sent(self.slot, now);
    }
}

impl Carrier for Stream {
    /// What the server has refused unseen, or what was sent on a connection that it had closed meanwhile, is sent again.
    async fn ask<S: Source>(user: &mut User<'_, S, Self>, mut now: Duration) -> Result<ResponseInfo, Failure> {
        let (lane, clock) = (user.lane, user.lane.plan.clock);
        let (mut refusals, mut unseen) = (0, 0);
        loop {
            let answered = lane.sessions.answered();
            let (outgoing, sink) = user.source.outgoing();
            let translated = match user.connection.take().filter(|last| last.0.is_of(outgoing.bytes)) {
                Some(Stream(translated)) => translated,
                None => translate(lane, outgoing.bytes)?,
            };
            let translated = &user.connection.insert(Stream(translated)).0;
            let way = Way { lane, slot: user.slot, now };
            let FailedExchange { why, again } =
                match lane.sessions.exchange(&lane.plan.target.dialer, translated, clock, &way, sink).await {
                    Ok(answer) => return Ok(answer),
                    Err(lost) => lost,
                };
            refusals = if lane.sessions.answered() == answered { refusals + 1 } else { 1 };
            unseen += u32::from(again == Retry::IfMayBeUnseen);
            let may = match again {
                Retry::Never => false,
                Retry::IfMayBeUnseen => outgoing.idempotent && unseen <= MOST_UNSEEN,
                Retry::OnAnother | Retry::Later => refusals <= MOST_REFUSALS,
            };
            if !may {
                return Err(lane.failed(&why));
            }
            if again == Retry::Later {
                tokio::time::sleep(AFTER_REFUSED_STREAM * refusals).await;
            }
            lane.sent_again(user.slot);
            now = clock.now();
        }
    }

    fn take_up(kept: Option<Self>, _lane: &Lane) -> Option<Self> {
        kept
    }

    fn put_back(self, _lane: &Lane) -> Option<Self> {
        Some(self)
    }
}

fn translate(lane: &Lane, bytes: &[u8]) -> Result<Http2Request, Failure> {
    let scheme = if lane.plan.target.dialer.speaks_tls() { "https" } else { "http" };
    Http2Request::new(bytes, scheme).map_err(|why| {
        // Only scripts make such requests.
        let why = format!("HTTP/2 has no such request: {why}");
        lane.failed(&ExchangeError::Told(Failure::Script, why))
    })
}
