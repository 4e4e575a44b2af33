//! The load of a trial, and the calls of its script.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::{info, info_span};

use super::super::so_far::LoadWatch;
use super::super::supervise::{self, Ending};
use super::super::{RunEvent, abort, events, facts, hooks};
use super::{Stage, target};
use crate::load::client_script::ClientScript;
use crate::load::slice::ThreadSlice;
use crate::load::{self, LiveCounters};
use crate::net::target::Target;
use crate::record::{self, Trial, TrialFailure};
use crate::scenario::{self, LoadSpec};
use crate::script::client::Called;
use crate::script::heartbeat::Heartbeat;
use crate::server::Server;
use crate::session::Session;

impl Stage<'_> {
    pub(super) fn load(&self, plan: &LoadSpec, server: &mut Server, trial: &mut Trial) -> std::io::Result<Ending> {
        let _load = info_span!("load").entered();
        if let Some(generators) = self.generators {
            return self.shared_load(generators, plan, server, trial);
        }
        let (client, logged) = match &plan.script {
            None => (None, Vec::new()),
            Some(script) => match self.set_up(script) {
                Called { result: Ok(client), log } => (Some(client), log),
                Called { result: Err(error), log } => {
                    trial.failure = Some(hooks::setup_failure(&script.path, &error, &log));
                    return Ok(Ending::Finished);
                }
            },
        };
        let target = target(server, &self.variant.server);
        let (users, ending) = self.log_in(plan, server, &target)?;
        let users = match (users, ending) {
            (Ok(users), Ending::Finished) => users,
            (refused, ending) => {
                trial.failure = refused.err().filter(|_| matches!(ending, Ending::Finished));
                // What the setup made is cleared away.
                drop(client.map(|client| self.tear_down(client)));
                return Ok(ending);
            }
        };
        let live = Arc::new(LiveCounters::new(load::threads(plan)));
        let description = facts::describe_load(plan);
        self.observer.event(RunEvent::LoadBegan { description: &description });
        info!("load begins: {description}");
        let mut tick = self.load_tick(plan, &live);
        let seed = self.seed;
        let work = |cancel: &CancellationToken| load::run(plan, client.as_ref(), &users, &target, seed, cancel, &live);
        let watched = supervise::watch(server, self.cancel, &mut tick, work);
        self.observer.event(RunEvent::LoadEnded);
        events::load_ended(live.progress());
        // Also after Ctrl-C: what the setup made is cleared away.
        let teardown = client.map(|client| self.tear_down(client));
        let (results, ending) = watched?;
        let mut results = results?;
        let (connections, threads) = (results.measured.connections, results.measured.generator.threads);
        let failed_checks = results.measured.findings.as_ref().map(|findings| findings.failed);
        info!(
            threads,
            connections_opened = connections.opened,
            retried = connections.retried,
            unsolicited = connections.unsolicited,
            failed_checks,
            "load measured"
        );
        if let Some(hung) = results.hung.take() {
            self.hung.set(true);
            trial.failure = Some(hooks::hung(plan.script.as_ref().map(|script| &*script.path), &hung));
        }
        let checks = hooks::checks(results.measured.findings.take(), logged, teardown);
        trial.load = Some(record::LoadRecord { checks, ..facts::load(plan, &results) });
        Ok(ending)
    }

    /// Looks at a load under way: shows it, and tells whether it is to be ended.
    pub(super) fn load_tick<'l>(
        &'l self,
        plan: &'l LoadSpec,
        live: &'l LiveCounters,
    ) -> impl FnMut(&Server) -> Option<record::Aborted> + 'l {
        let mut watch = abort::AbortWatch::new(&self.variant.abort_when);
        let mut figures = LoadWatch::default();
        let planned = plan.warmup + plan.duration;
        move |server: &Server| {
            // While its threads get ready it has not begun.
            let elapsed = live.elapsed()?;
            let progress = live.progress();
            self.in_flight.set(self.in_flight.get().after(progress));
            // How long a number of requests takes is seen from how far they have come, to the second.
            let expected = plan.requests.map_or(planned, |requests| {
                let times = (requests as f64 / progress.started.max(1) as f64).clamp(1.0, 1e4);
                Duration::from_secs(elapsed.mul_f64(times).as_secs() + 1)
            });
            self.observer.event(RunEvent::Load { elapsed, planned: expected, progress, used: server.used_now() });
            if let Some(so_far) = figures.look(plan, live, elapsed, self.observer.wants_load_so_far()) {
                self.observer.event(RunEvent::LoadSoFar { so_far: &so_far });
            }
            // While the load drains nothing new is started: no rate means anything.
            if elapsed < planned { watch.look(elapsed, progress) } else { None }
        }
    }

    pub(super) fn set_up(&self, script: &scenario::ScriptSpec) -> Called<ClientScript> {
        let script = Arc::new(script.clone());
        self.attend(move |pulse| ClientScript::begin(script, pulse))
    }

    /// Also after Ctrl-C.
    pub(super) fn tear_down(&self, client: ClientScript) -> Called<()> {
        self.attend(move |pulse| client.end(pulse))
    }

    pub(super) fn attend<T: Send + 'static>(
        &self,
        call: impl FnOnce(Arc<Heartbeat>) -> Called<T> + Send + 'static,
    ) -> Called<T> {
        hooks::attend(self.cancel, || self.hung.set(true), call)
    }

    /// Logs the users of a load in, where it has a login; or why one of them was refused.
    pub(super) fn log_in(
        &self,
        plan: &LoadSpec,
        server: &mut Server,
        target: &Target,
    ) -> std::io::Result<(Result<Vec<Session>, TrialFailure>, Ending)> {
        if plan.login.is_none() {
            return Ok((Ok(Vec::new()), Ending::Finished));
        }
        let (began, done) = (Instant::now(), AtomicU32::new(0));
        let mut tick = |_: &Server| {
            let done = done.load(Ordering::Relaxed);
            self.observer.event(RunEvent::LoggingIn { elapsed: began.elapsed(), done, of: plan.users() });
            None
        };
        let seed = self.seed;
        let work =
            |cancel: &CancellationToken| load::login::log_in(plan, ThreadSlice::whole(1), target, seed, cancel, &done);
        let (came, ending) = supervise::watch(server, self.cancel, &mut tick, work)?;
        let refused = |refusal| {
            let (message, advice) = hooks::login_refused(&refusal);
            self.failure(message, advice.to_owned())
        };
        Ok((came?.map_err(refused), ending))
    }
}
