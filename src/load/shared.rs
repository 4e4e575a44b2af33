//! Requests over connections that users share: HTTP/2.

use std::time::Duration;

use super::connection::answer::{Answer, Broken};
use super::connection::http2::{Lost, Watcher};
use super::connection::translated::Translated;
use super::lane::Lane;
use super::source::Source;
use super::user::{AT_ONCE, Carrier, User};
use crate::exchange::Failure;

/// A request that servers refuse again and again has failed.
const MOST_REFUSALS: u32 = 3;

/// What a user keeps of a connection that is not its own: its last request, so that it is taken apart only once.
#[derive(Debug)]
pub(super) struct Stream(Translated);

/// A request of a user on its way.
struct Way<'a> {
    lane: &'a Lane,
    slot: u32,
    now: Duration,
}

impl Watcher for Way<'_> {
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
    async fn ask<S: Source>(user: &mut User<'_, S, Self>, mut now: Duration) -> Result<Answer, Failure> {
        let (lane, clock) = (user.lane, user.lane.plan.clock);
        let mut refusals = 0;
        loop {
            let (outgoing, sink) = user.source.outgoing();
            let translated = match user.connection.take().filter(|last| last.0.is_of(outgoing.bytes)) {
                Some(Stream(translated)) => translated,
                None => translate(lane, outgoing.bytes)?,
            };
            let translated = &user.connection.insert(Stream(translated)).0;
            let way = Way { lane, slot: user.slot, now };
            let came = lane.sessions.exchange(&lane.plan.target.dialer, translated, clock, &way, sink).await;
            let (broken, again) = match came {
                Ok(answer) => return Ok(answer),
                Err(Lost::Refused(broken)) => (broken, true),
                Err(Lost::Broken(broken)) => {
                    let at_once = clock.now().saturating_sub(now) < AT_ONCE;
                    let untouched = matches!(broken, Broken::Closed { untouched: true });
                    let again = outgoing.idempotent && untouched && at_once;
                    (broken, again)
                }
            };
            refusals += 1;
            if !again || refusals > MOST_REFUSALS {
                return Err(lane.failed(&broken));
            }
            lane.retried.set(lane.retried.get() + 1);
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

fn translate(lane: &Lane, bytes: &[u8]) -> Result<Translated, Failure> {
    let scheme = if lane.plan.target.dialer.speaks_tls() { "https" } else { "http" };
    Translated::new(bytes, scheme).map_err(|why| {
        let why = format!("HTTP/2 has no such request: {why}");
        lane.failed(&Broken::Told(Failure::Protocol, why))
    })
}
