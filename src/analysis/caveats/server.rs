//! Caveats of what is known of a server.

use crate::record::{Caveat, ServerRecord, Unmeasured};

/// Nobody could look at its processes.
pub(super) fn not_measured(server: &ServerRecord) -> Option<Caveat> {
    let Unmeasured { why, remedy } = server.unmeasured.as_ref()?;
    Some(Caveat::new(format!("nothing is known of what the server used, as {why}"), remedy))
}
