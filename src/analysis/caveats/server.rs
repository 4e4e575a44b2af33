//! Caveats of what is known of a server.

use crate::record::{Caveat, ServerRecord};

/// Nobody could look at its processes.
pub(super) fn not_measured(server: &ServerRecord) -> Option<Caveat> {
    let (why, remedy) = server.unmeasured.as_ref()?.split_once("; ")?;
    Some(Caveat::new(format!("nothing is known of what the server used, as {why}"), remedy))
}
