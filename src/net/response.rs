//! What came of a request on a connection: a response, or why there is none.

use std::fmt;
use std::time::Duration;

use super::dialer::DialError;
use super::framing::Malformed;
use crate::exchange::Failure;
use crate::net::tls;
use crate::units::show_duration;

/// What is known of a whole response. Times count from the clock's origin.
#[derive(Debug, Clone, Copy)]
pub struct ResponseInfo {
    pub status: u16,
    /// Of the response itself, not of one in the range 1xx before it.
    pub first_byte: Duration,
    pub done: Duration,
    /// Bytes read for it.
    pub bytes: u64,
    /// The connection cannot carry another request.
    pub close: bool,
}

/// Why no whole response came.
#[derive(Debug)]
pub enum ExchangeError {
    /// No connection could be made.
    Refused(DialError),
    /// No other could be made, for a request that had been sent on one that was closed.
    RefusedAgain(DialError),
    /// Closed or reset; `untouched` if not one byte of a response had come, so that a reused connection may have been
    /// closed by the server before it saw the request.
    Closed { untouched: bool },
    /// What came in place of a response: the beginning of what could not be read.
    Malformed(Malformed, Box<[u8]>),
    /// What had not come in time, and how long that is.
    Late(&'static str, Duration),
    /// Something else, in words.
    Told(Failure, String),
}

impl fmt::Display for ExchangeError {
    /// Why; what came from outside is escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExchangeError::Refused(no) => f.write_str(&no.why),
            ExchangeError::RefusedAgain(no) => {
                write!(f, "the server closed the connection before it answered, and no other could be made: {}", no.why)
            }
            ExchangeError::Closed { untouched: true } => {
                f.write_str("the server closed the connection before it answered")
            }
            ExchangeError::Closed { untouched: false } => {
                f.write_str("the server closed the connection in the middle of its response")
            }
            ExchangeError::Malformed(Malformed(why), came) => write!(f, "{why}: \"{}\"", came.escape_ascii()),
            ExchangeError::Late(what, within) => write!(f, "{what} within {}", show_duration(*within)),
            ExchangeError::Told(_, why) => f.write_str(why),
        }
    }
}

/// Bytes of a malformed response that are kept to be shown.
pub(super) const SHOWN: usize = 200;

impl ExchangeError {
    /// The kind that it is counted under.
    pub fn failure(&self) -> Failure {
        match self {
            ExchangeError::Refused(no) => no.failure,
            ExchangeError::Closed { .. } | ExchangeError::RefusedAgain(_) => Failure::Closed,
            ExchangeError::Late(..) => Failure::Timeout,
            ExchangeError::Malformed(..) => Failure::Protocol,
            ExchangeError::Told(failure, _) => *failure,
        }
    }

    /// As what could not be read from a connection.
    pub(super) fn of_read(error: &std::io::Error, untouched: bool) -> Self {
        match tls::of_tls(error) {
            // Most often an alert of the server, which refuses the client.
            Some(_) => ExchangeError::Told(Failure::Tls, tls::why(error)),
            None => ExchangeError::Closed { untouched },
        }
    }
}
