//! A leak of a record once more, on servers started for it.

use tokio_util::sync::CancellationToken;

use super::locate::Servers;
use super::private::Private;
use super::supervise;
use super::trial::sweep::document::{self, NoDocument};
use crate::dirty::recipe::Recipe;
use crate::dirty::{LeakReplay, ReplayTry};
use crate::net::target::Target;
use crate::record::{LeakRecord, LocationRecord, NotLocated, SweepRecord};
use crate::scenario::{ServerSpec as Plan, SweepOperation, SweepSource, Variant};
use crate::server::probe::{Probe, Probes};
use crate::server::{Log, Server, StartError};

mod expected;

pub use expected::{Difference, ExpectedResponses};

/// What to do again.
#[derive(Debug, Clone, Copy)]
pub struct ReplayPlan<'a> {
    pub variant: &'a Variant,
    pub recipe: &'a Recipe,
    pub expected: &'a ExpectedResponses,
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

/// What came of all tries.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ReplayOutcome {
    pub tries: u64,
    /// In how many the leak showed.
    pub shown: u64,
    /// In how many it did not, and no wonder: they were answered in another way than when it was recorded.
    pub unlike: u64,
    /// How the first of these was answered.
    pub first_unlike: Option<Difference>,
    /// A request that was sent alone was answered in another way than when the leak was recorded.
    pub unlike_alone: Option<Difference>,
}

impl ReplayOutcome {
    /// Tries that tell something.
    pub fn telling(&self) -> u64 {
        self.tries - self.unlike
    }

    /// Whether it is known if the leak is still there.
    pub fn is_known(&self) -> bool {
        self.shown > 0 || self.unlike_alone.is_none() && 2 * self.unlike <= self.tries
    }
}

/// Tries this many times, or until `cancel`; tells `each` of every try, and of what makes it tell nothing. Where none shows
/// the leak, a request is sent alone in the end: without a proper response the tries mean nothing.
pub fn replay(
    again: &ReplayPlan<'_>,
    each: &(dyn Fn(u64, &ReplayTry, Option<&Difference>) + Sync),
    cancel: &CancellationToken,
) -> Result<ReplayOutcome, NotReplayed> {
    let mut replay = prepared(again)?;
    if replay.must_learn() {
        on_a_server(again, false, None, cancel, |target, stop| {
            replay.aim(target, again.variant.server.ready_within()).and_then(|()| replay.learn(stop)).map_err(not_known)
        })?;
    }
    let mut outcome = ReplayOutcome::default();
    // What is to be the first request must be: one server a try then.
    let owned = !matches!(again.variant.server, Plan::Attached(_));
    let on_each = if again.recipe.fresh_server && owned { 1 } else { again.times };
    while outcome.tries < again.times && !cancel.is_cancelled() {
        let before = outcome.tries;
        on_a_server(again, again.recipe.fresh_server, None, cancel, |target, stop| {
            let until = again.times.min(before + on_each);
            let tried = try_out(again, &mut replay, until, &mut outcome, each, target, stop);
            replay.clean_up();
            tried
        })?;
        if outcome.tries == before {
            break;
        }
    }
    Ok(outcome)
}

/// On one server, until there were `until` tries in all.
fn try_out(
    again: &ReplayPlan<'_>,
    replay: &mut LeakReplay<'_>,
    until: u64,
    outcome: &mut ReplayOutcome,
    each: &(dyn Fn(u64, &ReplayTry, Option<&Difference>) + Sync),
    target: &Target,
    stop: &CancellationToken,
) -> Result<(), NotReplayed> {
    replay.aim(target, again.variant.server.ready_within()).map_err(not_known)?;
    while outcome.tries < until {
        let Some(one) = replay.run(again.recipe, stop).map_err(refused)? else { return Ok(()) };
        let unlike = again.expected.unlike(&one).filter(|_| one.leak.is_none());
        outcome.tries += 1;
        outcome.shown += u64::from(one.leak.is_some());
        outcome.unlike += u64::from(unlike.is_some());
        each(outcome.tries, &one, unlike.as_ref());
        outcome.first_unlike = outcome.first_unlike.take().or(unlike);
    }
    if outcome.shown == 0 && outcome.unlike_alone.is_none() {
        let alone = replay.control(stop).map_err(refused)?;
        outcome.unlike_alone = alone.and_then(|alone| again.expected.unlike_alone(&alone));
    }
    Ok(())
}

/// A leak of a sweep, with the operations as they are known now: those that the server documents are asked for. The recipe names
/// operations by their place among them, which may be another now; those in which the server takes no canary are known from
/// the record.
pub fn of_a_sweep(
    again: &ReplayPlan<'_>,
    swept: &SweepRecord,
    cancel: &CancellationToken,
) -> Result<(Variant, Recipe), NotReplayed> {
    let not = |message: String| {
        let advice = "replay with the scenario and the document that were swept, or sweep again";
        NotReplayed { message, advice: advice.to_owned() }
    };
    let plan = again.variant.dirty.as_ref();
    let Some((plan, spec)) = plan.and_then(|plan| Some((plan, plan.sweep.as_ref()?))) else {
        return Err(not(format!("`{}` is no sweep any more", again.variant.name)));
    };
    let plan = match &spec.source {
        SweepSource::Server(path) => {
            let mut found = None;
            on_a_server(again, false, None, cancel, |target, stop| {
                let came = document::operations(plan, spec, path, target, again.seed, stop).map_err(refused)?;
                let NoDocument { message, advice } = match came {
                    Ok(swept) => {
                        found = Some(swept);
                        return Ok(());
                    }
                    Err(none) => none,
                };
                Err(NotReplayed { message, advice })
            })?;
            plan.sweeping(found.ok_or_else(|| not("it was interrupted".to_owned()))?)
        }
        SweepSource::Scenario | SweepSource::File(_) => plan.clone(),
    };
    let operations = plan.sweep.iter().flat_map(|sweep| &sweep.operations);
    let names: Vec<&str> = operations.map(SweepOperation::name).collect();
    let mut recipe = again.recipe.clone();
    for shot in recipe.lines.iter_mut().flat_map(|line| &mut line.shots) {
        let name = swept.operations.get(shot.page).map_or("", |known| known.name.as_str());
        let known = names.iter().position(|own| *own == name);
        shot.page = known.ok_or_else(|| not(format!("nothing that is asked now is `{name}`")))?;
    }
    let plain = |name: &&str| {
        let known = swept.operations.iter().find(|known| known.name == **name);
        known.map(|known| known.plain.iter().map(|place| place.carrier).collect()).unwrap_or_default()
    };
    let plain: Vec<Vec<usize>> = names.iter().map(plain).collect();
    let plan = plan.with_plain_carriers(plain.into_iter());
    Ok((Variant { dirty: Some(plan), ..again.variant.clone() }, recipe))
}

/// Looks for the lines of the server's code that wrote the value and that read it.
pub fn locate(again: &ReplayPlan<'_>, leak: &LeakRecord, cancel: &CancellationToken) -> LocationRecord {
    // Whoever asks for it gets a try, whatever the scenario says.
    match again.variant.server {
        Plan::Attached(_) => super::locate::not_located(leak, NotLocated::Attached),
        _ => {
            let probes = Probes::default();
            super::locate::leak(again.variant, leak, again.seed, &probes, &mut Probed { again, cancel })
        }
    }
}

/// Servers with a probe.
struct Probed<'a> {
    again: &'a ReplayPlan<'a>,
    cancel: &'a CancellationToken,
}

impl Servers for Probed<'_> {
    fn on_a_server(
        &mut self,
        untouched: bool,
        probe: Option<&Probe>,
        work: &mut (dyn FnMut(&Target, &CancellationToken) -> Result<(), String> + Send),
    ) -> Result<(), String> {
        let done =
            on_a_server(self.again, untouched, probe, self.cancel, |target, stop| work(target, stop).map_err(machine));
        done.map_err(|why| why.message)
    }

    fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }
}

fn prepared<'a>(again: &ReplayPlan<'a>) -> Result<LeakReplay<'a>, NotReplayed> {
    let Some(plan) = &again.variant.dirty else {
        let message = format!("`{}` has no dirty check", again.variant.name);
        return Err(NotReplayed { message, advice: "replay a leak of the record that the scenario wrote".to_owned() });
    };
    LeakReplay::new(plan, again.recipe, again.seed).map_err(|why| NotReplayed {
        message: format!("what was sent cannot be sent again: {why}"),
        advice: "replay with the scenario that wrote the record".to_owned(),
    })
}

/// Starts the server, does `work` with it, and stops it. `untouched`: nothing is asked before that.
fn on_a_server(
    again: &ReplayPlan<'_>,
    untouched: bool,
    probe: Option<&Probe>,
    cancel: &CancellationToken,
    work: impl FnOnce(&Target, &CancellationToken) -> Result<(), NotReplayed> + Send,
) -> Result<(), NotReplayed> {
    let log = Private::new().map_err(|error| machine(format!("cannot write the server's log: {error}")))?;
    let server = &again.variant.server;
    let plan = if untouched { &server.ready_without_a_request() } else { server };
    let started =
        Server::start_with(plan, Log::from_here(log.path()), again.allowed_hosts, probe, &|_| cancel.is_cancelled());
    let mut server = match started {
        Ok(server) => server,
        Err(_) if cancel.is_cancelled() => return Ok(()),
        Err(StartError { message, advice }) => return Err(NotReplayed { message, advice }),
    };
    let target = Target::new(server.endpoint().clone(), server.tls().cloned(), server.authority(), plan.workers());
    let watched = supervise::watch(&mut server, cancel, &mut |_: &Server| None, |stop| work(&target, stop));
    server.stop();
    let (done, ending) = watched.map_err(refused)?;
    if let supervise::Ending::Died(death) = ending {
        return Err(NotReplayed { message: death.end.sentence(), advice: death.advice.to_owned() });
    }
    done
}

/// Who asks is not known to the server.
fn not_known(message: String) -> NotReplayed {
    let advice = "check `[dirty.login]` and the identities of the scenario, and that the server knows them";
    NotReplayed { message, advice: advice.to_owned() }
}

fn refused(error: std::io::Error) -> NotReplayed {
    machine(error.to_string())
}

/// What this machine refuses.
fn machine(message: String) -> NotReplayed {
    let advice = "check the limits on processes, files and disk (`ulimit -a`, `df -h /tmp`)".to_owned();
    NotReplayed { message, advice }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_knows_something_if_at_least_half_of_its_tries_do_and_a_lone_request_is_answered() {
        let of = |tries, shown, unlike| ReplayOutcome { tries, shown, unlike, ..ReplayOutcome::default() };
        assert!(of(4, 0, 2).is_known() && of(4, 1, 3).is_known());
        assert!(!of(4, 0, 3).is_known() && !of(1, 0, 1).is_known());
        let alone = ReplayOutcome { unlike_alone: Some(String::new()), ..of(4, 0, 0) };
        assert!(!alone.is_known() && ReplayOutcome { shown: 1, ..alone }.is_known());
    }
}
