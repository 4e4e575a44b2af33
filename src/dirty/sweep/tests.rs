//! The sweep as a whole.

mod simulated;
