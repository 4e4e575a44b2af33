//! A part of a trial: how many requests the server works on at once.

use std::sync::Mutex;
use std::time::Instant;

use tokio_util::sync::CancellationToken;
use tracing::{info, info_span};

use super::super::inspection::{self, Inspector};
use super::super::supervise::{self, Ending};
use super::super::{facts, hooks};
use super::{RunEvent, Stage, target};
use crate::record::Trial;
use crate::scenario::InspectSpec;
use crate::script::client::Called;
use crate::server::{ListenerView, Server};

impl Stage<'_> {
    /// Inspects a server that is there for nothing else.
    pub(super) fn inspect(
        &self,
        plan: &InspectSpec,
        server: &mut Server,
        trial: &mut Trial,
    ) -> std::io::Result<Ending> {
        let _inspection = info_span!("inspection").entered();
        let users = inspection::most_users(plan);
        let load = inspection::closed(&plan.load, users);
        let client = match load.script.as_ref().map(|script| (script, self.set_up(script))) {
            None => None,
            Some((_, Called { result: Ok(client), .. })) => Some(client),
            Some((script, Called { result: Err(error), log })) => {
                trial.failure = Some(hooks::setup_failure(&script.path, &error, &log));
                return Ok(Ending::Finished);
            }
        };
        let target = target(server, &self.variant.server);
        let (sessions, ending) = self.log_in(&load, server, &target)?;
        let sessions = match (sessions, ending) {
            (Ok(sessions), Ending::Finished) => sessions,
            (refused, ending) => {
                trial.failure = refused.err().filter(|_| matches!(ending, Ending::Finished));
                drop(client.map(|client| self.tear_down(client)));
                return Ok(ending);
            }
        };
        let request = facts::what_is_sent(&plan.load);
        let description = format!("how many at once? {request}");
        self.observer.event(RunEvent::InspectionBegan { description: &description });
        info!("inspection begins: {request}");
        let (began, doing) = (Instant::now(), Mutex::new(String::new()));
        let mut tick = |_: &Server| {
            let doing = inspection::said(&doing);
            self.observer.event(RunEvent::Inspection {
                elapsed: began.elapsed(),
                planned: inspection::MOST_TIME,
                doing: &doing,
            });
            None
        };
        let view = ListenerView::of(server.endpoint());
        let (seed, client_script) = (self.seed, client.as_ref());
        let work = |cancel: &CancellationToken| {
            let inspector = Inspector {
                plan,
                most: users,
                client: client_script,
                sessions: &sessions,
                target: &target,
                view,
                seed,
                cancel,
                began,
                doing: &doing,
            };
            inspector.inspect(request)
        };
        let watched = supervise::watch(server, self.cancel, &mut tick, work);
        drop(client.map(|client| self.tear_down(client)));
        let (came, ending) = watched?;
        let record = came?;
        info!(signature = ?record.signature, parallelism = ?record.parallelism, "inspection ended");
        trial.inspection = Some(record);
        Ok(ending)
    }
}
