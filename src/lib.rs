//! `runner` starts a web server, loads it, looks for one request's data in another's response, and judges.
//!
//! The modules below are floors: each may use only those declared before it. `tests/floors.rs` reads this list and
//! fails on an upward `use`.

#![deny(unsafe_code)]

pub mod canary;
pub mod cli;
pub mod dirty;
pub mod exchange;
pub mod load;
pub mod record;
pub mod report;
pub mod rule;
pub mod run;
pub mod scenario;
pub mod script;
pub mod server;
pub mod stats;
pub mod units;
pub mod verdict;
