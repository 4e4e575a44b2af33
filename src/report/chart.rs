//! The pictures of a report, as SVG.

mod by_key;
mod canvas;
mod capacity;
mod font;
mod grid;
mod latencies;
mod latency;
mod leak;
mod matrix;
mod overview;
mod parallelism;
mod percentiles;
mod scale;
mod server;
mod styles;
mod theme;
mod throughput;
mod timelines;

pub(crate) use by_key::by_key;
pub(crate) use capacity::capacity;
pub(crate) use latencies::{alternatives, by_variant};
pub(crate) use latency::latency;
pub(crate) use leak::{leak, timeline as leak_timeline};
pub(crate) use matrix::matrix;
pub(crate) use overview::overview;
pub(crate) use parallelism::parallelism;
pub(crate) use server::server;
pub(crate) use throughput::throughput;
pub(crate) use timelines::{servers, throughputs};
