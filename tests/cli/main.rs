//! The program as a user runs it: real processes, real sockets, ports from the kernel.

mod anywhere;
mod broken;
mod browser;
mod capacity;
mod chromium;
mod commands;
mod compare;
mod diagnosis;
mod dirty;
mod encoded;
mod ended;
mod endless;
mod fallback;
#[cfg(feature = "fleet")]
mod fleet;
mod foreign;
mod handlers;
#[path = "../harness/mod.rs"]
#[expect(dead_code, reason = "each test binary uses a part of it")]
mod harness;
mod hostile;
mod hooks;
mod life;
mod http2;
mod input;
mod inherited;
mod inspect;
mod load_url;
mod locate;
mod login;
mod merge;
mod misbehave;
mod pages;
mod pairing;
mod panes;
mod probe_builtin;
mod probe_claims;
mod night;
mod owner;
mod python;
mod replay;
mod screens;
mod secrets;
mod secure;
mod serve;
mod serving;
mod streams;
mod survivors;
mod sweep;
mod tls;
mod tracing;
mod verdicts;
mod waiting;
