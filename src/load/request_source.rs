//! What is sent next, and what is made of the responses. It knows nothing of when: that is the loop's to decide.

mod errors;
pub(super) mod plain;
pub(super) mod scripted;

use std::time::Duration;

use super::client_script::HookFindings;
use super::thread_plan::ThreadPlan;
use crate::exchange::Exchange;
use crate::net::sink::ResponseSink;

/// Makes the requests of all users of a load thread.
pub(super) trait SourceOfUsers: 'static {
    type OfUser<'a>: RequestSource;

    /// The requests of one user, by its number in the load.
    fn of_user<'a>(&'a self, plan: &'a ThreadPlan, number: u32) -> Self::OfUser<'a>;

    /// What was found in the responses so far, by a source that looks at them.
    fn found(&self) -> Option<HookFindings> {
        None
    }
}

/// When a request that is ready is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// As soon as it is due.
    Now,
    /// After its user has thought for so long, from now on.
    After(Duration),
    /// Never: the script failed to say what to send.
    Failed,
}

/// The bytes of a request, and what must be known to send them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outgoing<'a> {
    pub bytes: &'a [u8],
    /// It is a HEAD: its response has no body.
    pub head_only: bool,
    /// Its body waits for the server's leave.
    pub waits: bool,
    /// Sending it twice asks for no more than sending it once.
    pub idempotent: bool,
    /// Its connection carries no other after it.
    pub closes: bool,
}

/// The requests of one user, one after another.
pub(super) trait RequestSource {
    /// Where responses go.
    type Sink: ResponseSink;

    /// The source of another place in the batches of the same user, for users who pipeline.
    fn sibling(&self, place: u32) -> Self;

    /// The kind of the request at hand: its index in the scenario.
    fn kind(&self) -> usize;

    /// Makes the next request.
    fn prepare(&mut self) -> Turn;

    /// The request at hand, and where its response goes.
    fn outgoing(&mut self) -> (Outgoing<'_>, &mut Self::Sink);

    /// The beginning of the body of the response that has come, which is an error; `None` if it is not the first to this
    /// user.
    fn error(&mut self) -> Option<&[u8]>;

    /// Looks at what came of it.
    fn judge(&mut self, exchange: &Exchange);
}
