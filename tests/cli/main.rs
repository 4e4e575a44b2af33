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
mod misbehave;
mod pairing;
mod probe_builtin;
mod probe_claims;
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
mod tls;
mod tracing;
mod verdicts;
mod waiting;
