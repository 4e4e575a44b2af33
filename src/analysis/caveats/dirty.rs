//! Reasons to trust a dirty check less.

use crate::record::{Caveat, DirtyRecord};
use crate::units::{counted, show_time};

use super::limits::TOO_MANY_RESPONSES;

/// Starts that take longer in all are told of, in seconds.
const SLOW_STARTS: f64 = 10.0;

/// Starts do not count as time of the check, but somebody waits for them.
pub(super) fn slow_starts(dirty: &DirtyRecord) -> Option<Caveat> {
    let starts = dirty.starts.as_ref().filter(|starts| starts.shared > 0 || starts.took_s > SLOW_STARTS)?;
    let mut message = format!(
        "{} of the server for the dirty check took {}, which do not count as its time",
        counted(starts.count, "start"),
        show_time(starts.took_s)
    );
    if starts.shared > 0 {
        message += &format!(
            "; {} went on with a server that had been asked before, so that what one trigger left there may show with another",
            counted(starts.shared, "part")
        );
    }
    Some(Caveat::new(
        message,
        "`dirty.start_time` says how long starts may take in all; a server that starts sooner needs less of it",
    ))
}

pub(super) fn unsolicited(dirty: &DirtyRecord) -> Option<Caveat> {
    let message = format!(
        "on {} of the dirty check something came that no request had asked for; they were closed, and it is no response to \
         anybody. Clients that share connections would take it for the next response",
        counted(dirty.unsolicited, "connection")
    );
    (dirty.unsolicited > 0).then(|| Caveat::new(message, TOO_MANY_RESPONSES))
}

pub(super) fn rate_limited(dirty: &DirtyRecord) -> Option<Caveat> {
    let limit = dirty.limit.as_ref()?;
    let message = format!(
        "the server limits requests to about {} in {}, and answered {} with {}: the dirty check kept to that, and no more \
         than that were under way at once",
        limit.allowed,
        show_time(limit.window_s),
        counted(limit.refused, "request"),
        limit.status
    );
    Some(Caveat::new(
        message,
        "raise the limit for the check, or take it off: what needs more requests at once stays unseen",
    ))
}

pub(super) fn not_searched(dirty: &DirtyRecord) -> Option<Caveat> {
    let message = format!(
        "the end of {} was not searched for canaries, as runner keeps 4 MiB of each: the bound does not hold for leaks there",
        counted(dirty.cut, "response")
    );
    (dirty.cut > 0).then(|| Caveat::new(message, "point the check at a page that shows who asks near its beginning"))
}

pub(super) fn alike(dirty: &DirtyRecord) -> Option<Caveat> {
    let (one, other) = dirty.alike.first()?;
    let more = match dirty.alike.len() - 1 {
        0 => String::new(),
        more => format!(", nor can those to {}", counted(more as u64, "other pair")),
    };
    let message = format!(
        "responses to {one} and to {other} cannot be told apart{more}: a leak between them would not be seen, and the bound does \
         not hold for it"
    );
    Some(Caveat::new(message, "point the check at a page on which each identity sees something of its own"))
}

pub(super) fn not_decoded(dirty: &DirtyRecord) -> Option<Caveat> {
    let unread = dirty.undecoded.as_ref()?;
    let responses = counted(unread.responses, "response");
    let message = format!("the body of {responses} could not be read ({}): a leak in there was not seen", unread.why);
    Some(Caveat::new(
        message,
        "ask for a body that can be read: `headers = { accept-encoding = \"gzip\" }`, or `identity` for none encoded",
    ))
}
