//! A slice of the load of a variant, for a process that drives no more than that.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use tokio_util::sync::CancellationToken;

use super::hooks;
use super::trial::target;
use crate::load::client_script::{ClientScript, HookFindings};
use crate::load::part::LoadPart;
use crate::load::slice::ThreadSlice;
use crate::load::{self, LiveCounters};
use crate::net::target::Target;
use crate::scenario::{Address, AttachedSpec, LoadSpec, ScriptSpec, ServerSpec, Variant};
use crate::script::client::Called;
use crate::server::{Log, Server};
use crate::session::Session;

/// Which part of which load a process drives.
#[derive(Debug, Clone, Copy)]
pub struct SliceJob<'a> {
    pub variant: &'a Variant,
    /// Where the server listens, if somebody else has started it for this load.
    pub started: Option<&'a Address>,
    pub slice: ThreadSlice,
    pub seed: u64,
    /// Hosts that may be loaded although they are not this machine.
    pub allowed_hosts: &'a [String],
}

/// Why a slice was not driven, or not to its end.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct SliceRefused {
    pub message: String,
    pub advice: String,
}

/// A slice that has all it needs: its script is set up, and its users have logged in.
#[derive(Debug)]
pub struct PreparedSlice {
    plan: LoadSpec,
    script: Option<ScriptSpec>,
    client: Option<ClientScript>,
    logged: Vec<String>,
    users: Vec<Session>,
    target: Target,
    slice: ThreadSlice,
    seed: u64,
    /// Held as long as it is loaded.
    server: Server,
}

impl PreparedSlice {
    /// Finds the server, sets the script up, and logs the users of the slice in. Nothing else is sent.
    pub fn new(job: &SliceJob<'_>, cancel: &CancellationToken) -> Result<PreparedSlice, SliceRefused> {
        let Some(plan) = job.variant.load.clone() else {
            let advice = "generators drive a [load]".to_owned();
            return Err(SliceRefused { message: format!("{} has no load", job.variant.name), advice });
        };
        if let Some((source, why)) = load::system_limits::foreign(&plan.source_addresses) {
            let message = format!("no connection can come from {source}: {why}");
            let advice = "source_addresses are those of each generator's own machine".to_owned();
            return Err(SliceRefused { message, advice });
        }
        let spec = server(job)?;
        let refused = |error: crate::server::StartError| SliceRefused { message: error.message, advice: error.advice };
        let server =
            Server::start(&spec, Log::from_here(Path::new("/dev/null")), job.allowed_hosts, &|_| cancel.is_cancelled())
                .map_err(refused)?;
        let target = target(&server, &spec);
        let (client, logged) = match &plan.script {
            None => (None, Vec::new()),
            Some(script) => match set_up(script, cancel) {
                Called { result: Ok(client), log } => (Some(client), log),
                Called { result: Err(error), log } => {
                    let failure = hooks::setup_failure(&script.path, &error, &log);
                    return Err(SliceRefused { message: failure.message, advice: failure.advice });
                }
            },
        };
        let mut prepared = PreparedSlice {
            script: plan.script.clone(),
            plan,
            client,
            logged,
            users: Vec::new(),
            target,
            slice: job.slice,
            seed: job.seed,
            server,
        };
        match prepared.log_in(cancel) {
            Ok(users) => {
                prepared.users = users;
                Ok(prepared)
            }
            Err(refused) => {
                // What the setup made is cleared away.
                prepared.clear_away(cancel);
                Err(refused)
            }
        }
    }

    fn log_in(&self, cancel: &CancellationToken) -> Result<Vec<Session>, SliceRefused> {
        let done = AtomicU32::new(0);
        match load::login::log_in(&self.plan, self.slice, &self.target, self.seed, cancel, &done) {
            Ok(Ok(users)) => Ok(users),
            Ok(Err(refusal)) => {
                let (message, advice) = hooks::login_refused(&refusal);
                Err(SliceRefused { message, advice: advice.to_owned() })
            }
            Err(error) => Err(machine_refused(&error)),
        }
    }

    /// What it is to drive.
    pub fn plan(&self) -> &LoadSpec {
        &self.plan
    }

    /// Drives it to its end or until `cancel`; blocks meanwhile. `live` says when it begins.
    pub fn drive(mut self, live: &Arc<LiveCounters>, cancel: &CancellationToken) -> Result<LoadPart, SliceRefused> {
        let driven = load::run(&self.plan, self.client.as_ref(), &self.users, &self.target, self.seed, cancel, live);
        let teardown = self.clear_away(cancel);
        let mut results = match driven {
            Ok(results) => results,
            Err(error) => return Err(machine_refused(&error)),
        };
        if let Some(hung) = results.hung.take() {
            let failure = hooks::hung(self.script.as_ref().map(|script| &*script.path), &hung);
            return Err(SliceRefused { message: failure.message, advice: failure.advice });
        }
        let mut part = LoadPart::of(results);
        if let Some(found) = &mut part.measured.findings {
            // The setup's lines come first.
            let mut log = HookFindings::default();
            log.logged(std::mem::take(&mut self.logged));
            log.logged(std::mem::take(&mut found.log));
            log.logged(teardown.iter().flat_map(|teardown| teardown.log.clone()).collect());
            found.log = log.log;
        }
        part.teardown_error = teardown.and_then(|teardown| teardown.result.err()).map(|error| error.to_string());
        drop(self.server);
        Ok(part)
    }

    /// Clears away what the script has made, if the load is never to begin; also after `cancel`.
    pub fn give_up(mut self, cancel: &CancellationToken) {
        self.clear_away(cancel);
    }

    fn clear_away(&mut self, cancel: &CancellationToken) -> Option<Called<()>> {
        let client = self.client.take()?;
        Some(hooks::attend(cancel, || (), move |pulse| client.end(pulse)))
    }
}

/// How the server is reached: where it was started, or as the scenario says.
fn server(job: &SliceJob<'_>) -> Result<ServerSpec, SliceRefused> {
    let attached = |host: String, port: u16, connect_to: Option<Address>| {
        let tls = job.variant.server.tls().cloned();
        ServerSpec::Attached(AttachedSpec { host, port, tls, connect_to, process: None })
    };
    match (job.started, &job.variant.server) {
        (Some(Address::Host(host, port)), _) => Ok(attached(host.clone(), *port, None)),
        (Some(address @ Address::Unix(_)), _) => Ok(attached("localhost".to_owned(), 80, Some(address.clone()))),
        (None, ServerSpec::Attached(server)) => {
            Ok(ServerSpec::Attached(AttachedSpec { process: None, ..server.clone() }))
        }
        (None, _) => Err(SliceRefused {
            message: "nobody has started the server of this load".to_owned(),
            advice: "this is a fault of whoever asked".to_owned(),
        }),
    }
}

fn machine_refused(error: &std::io::Error) -> SliceRefused {
    let advice = hooks::MACHINE_REFUSED.to_owned();
    SliceRefused { message: format!("the machine refused: {error}"), advice }
}

fn set_up(script: &ScriptSpec, cancel: &CancellationToken) -> Called<ClientScript> {
    let script = Arc::new(script.clone());
    hooks::attend(cancel, || (), move |pulse| ClientScript::begin(script, pulse))
}
