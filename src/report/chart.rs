//! The pictures of a report, as SVG.

mod canvas;
mod latency;
mod leak;
mod overview;
mod parallelism;
mod scale;
mod server;
mod throughput;

pub(crate) use latency::latency;
pub(crate) use leak::leak;
pub(crate) use overview::overview;
pub(crate) use parallelism::parallelism;
pub(crate) use server::server;
pub(crate) use throughput::throughput;
