//! A load that other processes drive, on the server that this one has started, or that was up.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tracing::info;

use super::super::generators::{Generators, SharedLoad, SharedResults};
use super::super::supervise::{self, Ending};
use super::super::{RunEvent, facts, hooks};
use super::Stage;
use crate::load::slice::ThreadSlice;
use crate::load::start::CommonStart;
use crate::load::{LiveCounters, Results};
use crate::record::{LoadRecord, Trial};
use crate::scenario::{LoadSpec, ServerSpec};
use crate::script::client::Called;
use crate::server::Server;

impl Stage<'_> {
    /// The load on several generators. Logins and scripts are theirs.
    pub(super) fn shared_load(
        &self,
        generators: &dyn Generators,
        plan: &LoadSpec,
        server: &mut Server,
        trial: &mut Trial,
    ) -> std::io::Result<Ending> {
        let whole = ThreadSlice::whole(generators.threads(plan));
        // Nobody here waits for the start: it is begun when the generators begin.
        let live = Arc::new(LiveCounters::of(whole, CommonStart::at_once()));
        self.observer.event(RunEvent::LoadBegan { description: &facts::describe_load(plan) });
        let endpoint = server.endpoint().clone();
        let is_attached = matches!(self.variant.server, ServerSpec::Attached(_));
        let started = (!is_attached).then_some(&endpoint);
        let load = SharedLoad { variant: self.variant, plan, seed: self.seed, started };
        let mut tick = self.load_tick(plan, &live);
        let drive = |cancel: &CancellationToken| generators.drive(&load, &live, cancel);
        let (came, ending) = supervise::watch(server, self.cancel, &mut tick, drive)?;
        self.observer.event(RunEvent::LoadEnded);
        let SharedResults { parts, generators } = match came {
            Ok(results) => results,
            Err(failure) => {
                trial.failure = Some(failure).filter(|_| matches!(ending, Ending::Finished));
                return Ok(ending);
            }
        };
        info!(generators = generators.len(), "load measured");
        let teardown_error = parts.iter().find_map(|part| part.teardown_error.clone());
        let mut results = Results::of_parts(plan, &parts);
        let findings = results.measured.findings.take();
        let checks = hooks::checks(findings, Vec::new(), Some(Called { result: Ok(()), log: Vec::new() }))
            .map(|checks| crate::record::Checks { teardown_error, ..checks });
        trial.load = Some(LoadRecord { checks, generators, ..facts::load(plan, &results) });
        Ok(ending)
    }
}
