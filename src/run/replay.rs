//! A leak of a record once more, on servers started for it.

use tokio_util::sync::CancellationToken;

use super::supervise;
use crate::dirty::recipe::Recipe;
use crate::dirty::{Replay, Try};
use crate::load::Target;
use crate::scenario::{Server as Plan, Variant};
use crate::server::{Log, Server, StartError};

/// What to do again.
#[derive(Debug, Clone, Copy)]
pub struct Again<'a> {
    pub variant: &'a Variant,
    pub recipe: &'a Recipe,
    pub seed: u64,
    pub times: u64,
    /// Hosts that may be attached to although they are not this machine.
    pub allowed_hosts: &'a [String],
}

/// Why there was no further try.
#[derive(Debug)]
pub struct NotReplayed {
    pub message: String,
    pub advice: String,
}

/// Tries so many times, or until `cancel`; tells `each` of every try. How many there were, and how many showed the leak.
pub fn replay(
    again: &Again<'_>,
    each: &(dyn Fn(u64, &Try) + Sync),
    cancel: &CancellationToken,
) -> Result<(u64, u64), NotReplayed> {
    let Some(plan) = &again.variant.dirty else {
        let message = format!("`{}` has no dirty check", again.variant.name);
        return Err(NotReplayed { message, advice: "replay a leak of the record that the scenario wrote".to_owned() });
    };
    let mut replay = Replay::new(plan, again.recipe, again.seed).map_err(|why| NotReplayed {
        message: format!("what was sent cannot be sent again: {why}"),
        advice: "replay with the scenario that wrote the record".to_owned(),
    })?;
    if replay.must_learn() {
        on_a_server(again, false, cancel, |target, stop| {
            replay.aim(target, again.variant.server.ready_within()).and_then(|()| replay.learn(stop)).map_err(not_known)
        })?;
    }
    let (mut tries, mut shown) = (0, 0);
    // What is to be the first request must be: one server a try then.
    let owned = !matches!(again.variant.server, Plan::Attached(_));
    let on_each = if again.recipe.fresh_server && owned { 1 } else { again.times };
    while tries < again.times && !cancel.is_cancelled() {
        let before = tries;
        on_a_server(again, again.recipe.fresh_server, cancel, |target, stop| {
            replay.aim(target, again.variant.server.ready_within()).map_err(not_known)?;
            while tries < again.times && tries < before + on_each {
                let Some(one) = replay.run(again.recipe, stop).map_err(|error| machine(error.to_string()))? else {
                    break;
                };
                tries += 1;
                shown += u64::from(one.leak.is_some());
                each(tries, &one);
            }
            Ok(())
        })?;
        if tries == before {
            break;
        }
    }
    Ok((tries, shown))
}

/// Starts the server, does `work` with it, and stops it. `untouched`: nothing is asked before that.
fn on_a_server(
    again: &Again<'_>,
    untouched: bool,
    cancel: &CancellationToken,
    work: impl FnOnce(&Target, &CancellationToken) -> Result<(), NotReplayed> + Send,
) -> Result<(), NotReplayed> {
    let log =
        tempfile::NamedTempFile::new().map_err(|error| machine(format!("cannot write the server's log: {error}")))?;
    let server = &again.variant.server;
    let plan = if untouched { &server.ready_without_a_request() } else { server };
    let started = Server::start(plan, Log::from_here(log.path()), again.allowed_hosts, &|| cancel.is_cancelled());
    let mut server = match started {
        Ok(server) => server,
        Err(_) if cancel.is_cancelled() => return Ok(()),
        Err(StartError { message, advice }) => return Err(NotReplayed { message, advice }),
    };
    let target = Target::new(server.endpoint().clone(), server.tls().cloned(), server.authority(), plan.workers());
    let (done, ending) = supervise::watch(&mut server, cancel, &mut || None, |stop| work(&target, stop));
    server.stop();
    if let supervise::Ending::Died(death) = ending {
        return Err(NotReplayed { message: death.message.clone(), advice: death.advice.to_owned() });
    }
    done
}

/// Who asks is not known to the server.
fn not_known(message: String) -> NotReplayed {
    let advice = "check `[dirty.login]` and the identities of the scenario, and that the server knows them";
    NotReplayed { message, advice: advice.to_owned() }
}

/// What this machine refuses.
fn machine(message: String) -> NotReplayed {
    let advice = "check the limits on processes, files and disk (`ulimit -a`, `df -h /tmp`)".to_owned();
    NotReplayed { message, advice }
}
