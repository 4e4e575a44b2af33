//! Redirects: followed with the cookies of whoever asks.

use url::Url;

use super::wire::{Received, Way, Wire};
use super::{Ask, CheckClient};
use crate::dirty::observation::{CanariesFound, Hop};
use crate::dirty::recipe::{Anomaly, RecipeRequest};
use crate::exchange::{Exchange, Failure, Outcome};
use crate::net::sink::BufferedResponse;
use crate::session::redirect::Trail;
use crate::session::url_of;

/// What came of a request: the response, and those on the way to it.
#[derive(Debug, Default)]
pub(super) struct Trace {
    pub reply: BufferedResponse,
    /// Where the request for it went.
    pub url: Option<Url>,
    pub hops: Vec<Hop>,
}

impl CheckClient {
    /// Goes where the response to a request leads, as often as the scenario says; what came of the last request on the
    /// way stands for all of them. Cookies that are set on the way go with what follows.
    pub(super) async fn follow(
        &self,
        wire: &mut Wire,
        ask: &Ask<'_>,
        bytes: &[u8],
        mut exchange: Exchange,
        reply: BufferedResponse,
    ) -> (Exchange, Trace) {
        let secure = self.is_secure();
        let mut trace = Trace { reply, url: url_of(bytes, secure), hops: Vec::new() };
        if self.follow == 0 || matches!(ask.shot.twist, Anomaly::Abort(_)) {
            return (exchange, trace);
        }
        let mut session = ask.identity.map(|identity| identity.session.clone()).unwrap_or_default();
        let mut bare = bytes.to_vec();
        session.remove_cookies(&mut bare, secure);
        let mut trail = Trail::new(bare, self.follow, secure);
        // What is unusual about a request is so once.
        let plain = Ask { shot: RecipeRequest { twist: Anomaly::None, ..ask.shot }, gate: None, ..ask.clone() };
        while let Outcome::Answered(status) = exchange.outcome {
            trace.url.iter().for_each(|url| session.take_cookies(url, &trace.reply.head));
            if !trail.leads_on(status, &trace.reply.head) {
                break;
            }
            let mut bytes = trail.request.clone();
            session.add_cookies(&mut bytes, secure);
            let mut way = Way::within(self.timeout);
            let going = tokio::time::timeout(self.timeout, self.converse(wire, &bytes, &plain, &mut way)).await;
            let came: Result<Received, Failure> = going.unwrap_or(Err(Failure::Timeout));
            exchange = self.exchange(exchange.intended, exchange.sent, came);
            let (url, reply) = (trace.url.take(), std::mem::replace(&mut trace.reply, way.kept));
            trace.hops.push(Hop { status, url, reply, canaries: CanariesFound::default() });
            trace.url = url_of(&bytes, secure);
        }
        (exchange, trace)
    }
}
