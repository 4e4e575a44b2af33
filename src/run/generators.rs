//! A load that other processes drive, and what this one asks of them.

use std::fmt;

use tokio_util::sync::CancellationToken;

use crate::load::LiveCounters;
use crate::load::part::LoadPart;
use crate::net::endpoint::Endpoint;
use crate::record::{GeneratorRecord, TrialFailure};
use crate::scenario::{LoadSpec, Scenario, Variant};

/// A load that is to be driven.
#[derive(Debug, Clone, Copy)]
pub struct SharedLoad<'a> {
    pub variant: &'a Variant,
    pub plan: &'a LoadSpec,
    pub seed: u64,
    /// Where the server listens that this process has started; `None` where it was up before, and each finds it by itself.
    pub started: Option<&'a Endpoint>,
}

/// What came of a load that others drove.
#[derive(Debug)]
pub struct SharedResults {
    /// What each measured, in the order of their threads.
    pub parts: Vec<LoadPart>,
    pub generators: Vec<GeneratorRecord>,
}

/// Processes that drive a load together, each a slice of its threads.
pub trait Generators: fmt::Debug + Send + Sync {
    /// How many threads a load has on all of them together.
    fn threads(&self, plan: &LoadSpec) -> u32;

    /// Drives a load to its end or until `cancel`; blocks meanwhile. `live` has the threads of all; it is begun when they
    /// begin, and told what they have done. The error says why nothing was started.
    fn drive(
        &self,
        load: &SharedLoad<'_>,
        live: &LiveCounters,
        cancel: &CancellationToken,
    ) -> Result<SharedResults, TrialFailure>;
}

/// Why a scenario cannot be driven by several generators, with advice, if it cannot.
pub fn refused(scenario: &Scenario) -> Option<(String, &'static str)> {
    let of = |variant: &Variant| match variant {
        variant if variant.capacity.is_some() => Some("[capacity]"),
        variant if variant.inspect.is_some() => Some("[inspect]"),
        variant if variant.load.is_none() => Some("no [load]"),
        _ => None,
    };
    let has =
        scenario.crossover.is_some().then_some("[crossover]").or_else(|| scenario.variants.iter().find_map(of))?;
    let message = format!("{} has {has}, and several generators drive a [load] only", scenario.file.display());
    Some((message, "run it on one machine, or give it to one agent with `runner submit`"))
}
