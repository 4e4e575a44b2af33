//! A worker: one process that serves from the listening socket it was handed.

use std::net::TcpListener;
use std::os::fd::AsFd as _;
use std::process::ExitCode;
use std::sync::Arc;

use rustix::process::{Signal, set_parent_process_death_signal};
use tokio::sync::watch;

use super::builtin::app::App;
use super::builtin::{self, log, probe, watchdog};
use super::inherited_signals;
use super::worker_channel::{WorkerChannel, WorkerPlan, WorkerProbe};
use crate::script::{Limits, Program};

/// The whole life of a worker.
pub fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::line(&format!("the worker ends: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn serve() -> std::io::Result<()> {
    inherited_signals::mend()?;
    // The channel below tells too, but not a process that is stopped.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    let mut collar = WorkerChannel::take()?;
    let mut plan = collar.plan()?;
    plan.probe = plan.probe.or_else(WorkerProbe::of_environment);
    log::tell_requests(plan.log_requests);
    let listener = TcpListener::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let app = match app(&plan) {
        Ok(app) => Arc::new(app),
        Err(why) => {
            collar.refuse(&why);
            return Err(std::io::Error::other(why));
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (stop, stopped) = watch::channel(false);
    watchdog::start()?;
    std::thread::Builder::new().name("control".to_owned()).spawn(move || obey(collar, &stop))?;
    tokio::task::LocalSet::new().block_on(&runtime, builtin::serve(plan.mode, plan.threads, listener, app, stopped))
}

/// Passes on the wish to stop. Once runner is gone the process ends at once, whatever its handlers are at.
fn obey(mut collar: WorkerChannel, stop: &watch::Sender<bool>) {
    // Nobody hears it any more where it cannot be said.
    let _ = collar.ready();
    while collar.wait_for_stop() {
        stop.send_replace(true);
    }
    std::process::exit(1);
}

fn app(plan: &WorkerPlan) -> Result<App, String> {
    let compile = |script: &super::worker_channel::WorkerScript| {
        let compile = if plan.probe.is_some() { Program::compile_probed } else { Program::compile };
        compile(&script.source, &script.folder, Limits::default()).map_err(|error| format!("{}: {error}", script.name))
    };
    let program = plan.script.as_ref().map(compile).transpose()?;
    let probe = plan.probe.as_ref().map(|wanted| probe::start(wanted, plan, program.as_deref())).transpose()?;
    Ok(App::new(plan, program, probe))
}
