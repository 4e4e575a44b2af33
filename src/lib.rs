//! `runner` starts a web server, loads it, looks for one request's data in another's response, and judges.
//!
//! The modules below are floors: each may use only those declared before it. `tests/floors.rs` reads this list and
//! fails on an upward `use`.

#![deny(unsafe_code)]
// A print that cannot be printed ends the program: `cli::print` has another way.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

pub mod units;
pub mod excerpt;
pub mod input;
pub mod output;
pub mod canary;
pub mod exchange;
pub mod traceparent;
pub mod measured_value;
pub mod stats;
pub mod script;
pub mod mode;
pub mod process_end;
pub mod trigger;
pub mod rule;
pub mod scenario;
pub mod net;
pub mod server;
pub mod session;
pub mod load;
pub mod dirty;
pub mod locate;
pub mod record;
pub mod analysis;
pub mod verdict;
pub mod report;
pub mod history;
pub mod telemetry;
pub mod export;
pub mod pages;
pub mod run;
#[cfg(feature = "fleet")]
pub mod fleet;
pub mod cli;
