//! The program as a user runs it: real processes, real sockets, ports from the kernel.

mod broken;
mod browser;
mod chromium;
mod commands;
mod corpus;
mod diagnosis;
mod dirty;
mod ended;
mod foreign;
mod handlers;
mod harness;
mod hostile;
mod hooks;
mod life;
mod load;
mod load_url;
mod misbehave;
mod models;
mod python;
mod secrets;
mod secure;
mod serve;
mod serving;
mod tls;
mod waiting;
