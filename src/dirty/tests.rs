//! The check as a whole.

mod simulated;
