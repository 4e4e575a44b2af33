//! What caveats of several kinds go by.

/// A smaller share of requests without a response moves none of the quantiles that are shown but the last.
pub(super) const TELLING: f64 = 0.001;

/// What to look for where something comes that no request has asked for.
pub(super) const TOO_MANY_RESPONSES: &str =
    "look for a handler that answers twice, a body longer than its content-length, or one in the response to a HEAD";
