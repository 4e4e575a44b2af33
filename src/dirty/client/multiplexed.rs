//! Requests over HTTP/2: streams of a connection, which several may share.

use tokio::time::timeout;

use super::wire::{OpenConnection, Received, Way, Wire, millis};
use super::{Ask, CheckClient};
use crate::dirty::recipe::Anomaly;
use crate::exchange::Failure;
use crate::net::http2::connection::{HoldBack, Http2Connection, PendingExchange};
use crate::net::http2::request::Http2Request;
use crate::net::response::ExchangeError;

impl CheckClient {
    /// A wire whose connection others can share; one without a connection where none can be made.
    pub(in crate::dirty) async fn shared(&self) -> Wire {
        let mut wire = Wire::default();
        let opened = timeout(self.timeout, self.connect(&mut wire)).await;
        if let Ok(Ok(open)) = opened {
            wire.open = Some(open);
        }
        wire
    }

    /// Sends requests at once, as streams of one connection.
    pub(super) async fn send_as_streams(&self, wire: &mut Wire, asks: &[Ask<'_>]) {
        if wire.open.is_none() {
            *wire = self.shared().await;
        }
        let sending = asks.iter().map(|ask| {
            let mut wire = wire.sharing();
            async move { self.send(&mut wire, ask).await }
        });
        futures::future::join_all(sending).await;
    }

    /// One request as a stream of a connection, and its response.
    pub(super) async fn stream(
        &self,
        wire: &mut Wire,
        connection: Http2Connection,
        bytes: &[u8],
        ask: &Ask<'_>,
        way: &mut Way,
    ) -> Result<Received, ExchangeError> {
        let going = self.begin(&connection, bytes, ask, way).await?;
        let clock = self.clock.clock();
        let answer = self.receive(way, async |sink| going.answer(clock, sink).await);
        let Anomaly::Abort(after) = ask.shot.twist else {
            let answer = answer.await?;
            wire.open = Some(OpenConnection::Two(connection));
            return Ok(Received::Response(answer));
        };
        // Whoever stops waiting here drops the stream, which resets it.
        let Ok(answer) = timeout(millis(after), answer).await else {
            // Every other one leaves alone; the rest take their connection with them, where it is theirs.
            if self.requests.get().is_multiple_of(2) {
                self.left.borrow_mut().push(connection);
            }
            return Ok(Received::Left);
        };
        answer.map(Received::Response)
    }

    /// Sends a request, the last of it when the gate opens. A request without a body is handled when its head is there, and
    /// waits with all of it: what is handed to a connection at one time goes out in one piece.
    async fn begin(
        &self,
        connection: &Http2Connection,
        bytes: &[u8],
        ask: &Ask<'_>,
        way: &mut Way,
    ) -> Result<PendingExchange, ExchangeError> {
        let scheme = if self.target.dialer.speaks_tls() { "https" } else { "http" };
        let request = Http2Request::new(bytes, scheme).map_err(|why| ExchangeError::Told(Failure::Protocol, why));
        let leave = match &request {
            Ok(_) => connection.permit().await,
            Err(_) => Err(ExchangeError::Closed { untouched: false }),
        };
        let hold = match (ask.gate, ask.shot.twist, &request) {
            (Some(_), _, Ok(request)) if request.body().is_some() => HoldBack::LastByte,
            (None, Anomaly::Halting(_), _) => HoldBack::Half,
            _ => HoldBack::Nothing,
        };
        way.sent = Some(self.clock.now());
        if let (Some(gate), HoldBack::Nothing) = (ask.gate, hold) {
            gate.wait().await;
            way.sent = Some(self.clock.now());
        }
        let going = request.and_then(|request| leave?.begin(&request, hold));
        if hold != HoldBack::Nothing {
            match (ask.gate, ask.shot.twist) {
                (Some(gate), _) => {
                    gate.wait().await;
                }
                (None, Anomaly::Halting(pause)) => tokio::time::sleep(millis(pause)).await,
                (None, _) => {}
            }
            way.sent = Some(self.clock.now());
        }
        let mut going = going?;
        going.finish();
        Ok(going)
    }
}
