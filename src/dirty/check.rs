//! A check under way: what comes next, and on what server.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, debug, info_span};

use super::client::CheckClient;
use super::diagnosis::Diagnosis;
use super::personas::Personas;
use super::stopwatch::Stopwatch;
use super::triggers::{Family, Situation};
use super::{DirtyProgress, Findings, NO_TURN, Phased, Premises};
use crate::net::target::Target;
use crate::scenario;
use crate::scenario::template::Placeholder;
use crate::trigger::Trigger;

mod round;
mod starts;
mod phases;

pub use starts::Starts;

/// A part of a check, which wants a server that nothing was asked of before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckPhase {
    /// The first request after the start, the control run, and requests that follow each other.
    Opening,
    /// A first look with the triggers of a family: a few rounds of each, so that what one of them shows does not wait for
    /// all rounds of the others.
    FirstLook(FamilyOf),
    /// The rest of the rounds that the triggers of a family take.
    Family(FamilyOf),
    /// Lone requests by the same few, over and over, then well-behaved requests by them: for what follows from who asks
    /// without being its canary.
    Personas,
    /// Lone requests once more: do suspicions stand?
    Verify,
    /// What raised a suspicion that stands, without those whose values were seen, and then with them.
    ControlGroup,
    /// All triggers, for the exposures that are still missing.
    Rest,
    /// After a leak: the least that shows it.
    Diagnosis,
}

impl CheckPhase {
    /// Its name in logs and traces.
    fn name(self) -> String {
        let of = |family: Family| format!("{family:?}").to_lowercase();
        match self {
            CheckPhase::Opening => "opening".to_owned(),
            CheckPhase::FirstLook(FamilyOf(family)) => format!("first look at {} triggers", of(family)),
            CheckPhase::Family(FamilyOf(family)) => format!("{} triggers", of(family)),
            CheckPhase::Personas => "personas".to_owned(),
            CheckPhase::Verify => "suspicions".to_owned(),
            CheckPhase::ControlGroup => "control group".to_owned(),
            CheckPhase::Rest => "rest".to_owned(),
            CheckPhase::Diagnosis => "diagnosis".to_owned(),
        }
    }
}

/// A family of triggers, as seen from outside: a part is only handed back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FamilyOf(Family);

/// The families in the order of their parts.
const FAMILIES: [Family; 5] = [Family::Overlap, Family::Wire, Family::Error, Family::Leaving, Family::Storm];

/// A check under way: ask for its [`DirtyCheck::next_phase`], give that a server, [`DirtyCheck::run`] it, and so on to the end.
pub struct DirtyCheck<'a> {
    plan: &'a scenario::DirtySpec,
    clock: Stopwatch,
    /// Made for the first server.
    client: Option<CheckClient>,
    situation: Situation,
    findings: Findings,
    diagnosis: Diagnosis,
    personas: Personas,
    /// Personas ask, not strangers.
    personal: bool,
    /// The last part that was begun, those that verify left out.
    part: Option<CheckPhase>,
    /// Rounds of each trigger in that part.
    rounds: BTreeMap<Trigger, u64>,
    /// That part was cut short by suspicions that came to nothing.
    resume: bool,
    progress: Arc<DirtyProgress>,
    starts: Starts,
    /// The server at hand was started for the part that comes next; how patient to be with it.
    fresh: bool,
    patience: Option<Duration>,
    /// Since the end of the last part.
    idle_since: Instant,
    /// A reading of no clock that is ever stopped.
    began: Instant,
    /// Tries of the diagnosis until now.
    tries: Cell<u64>,
}

impl<'a> DirtyCheck<'a> {
    /// `owned`: each part gets a server that was started for it.
    pub fn new(
        plan: &'a scenario::DirtySpec,
        premises: Premises,
        owned: bool,
        seed: u64,
        progress: Arc<DirtyProgress>,
    ) -> Self {
        DirtyCheck {
            plan,
            clock: Stopwatch::stopped(),
            client: None,
            situation: Situation {
                premises,
                long: plan.sleep.map(|sleep| sleep.long),
                owned,
                seed,
                http2: plan.version == scenario::Version::Two,
                ..Situation::default()
            },
            findings: Findings::default(),
            diagnosis: Diagnosis::default(),
            personas: Personas::default(),
            personal: plan.login.is_some() || !plan.identities.is_empty(),
            part: None,
            rounds: BTreeMap::new(),
            resume: false,
            progress,
            starts: Starts::default(),
            fresh: false,
            patience: None,
            idle_since: Instant::now(),
            began: Instant::now(),
            tries: Cell::new(0),
        }
    }

    /// No more diagnosis: its server did not start, or died.
    pub fn give_up_diagnosis(&mut self) {
        self.diagnosis.give_up();
    }

    /// The next part that may find a leak.
    fn next_to_find(&self) -> Option<CheckPhase> {
        let findings = &self.findings;
        let proven = findings.totals.leaks > 0 && !self.plan.budget.exhaustive;
        let futile = !findings.control.problems.is_empty() || findings.interrupted;
        let Some(last) = self.part else { return Some(CheckPhase::Opening) };
        if proven || futile {
            return None;
        }
        if !self.personas.suspicions.is_empty() {
            return Some(CheckPhase::Verify);
        }
        if self.personas.is_hypothesis_open() && self.clock.now() < self.plan.budget.time * 4 / 3 {
            return Some(CheckPhase::ControlGroup);
        }
        let rest = self.regular_parts().skip_while(|part| *part != last);
        rest.skip(usize::from(!self.resume)).find(|part| self.is_due(*part))
    }

    /// All parts in their order, but for those that verify.
    fn regular_parts(&self) -> impl Iterator<Item = CheckPhase> {
        let families = FAMILIES.into_iter().map(|family| CheckPhase::Family(FamilyOf(family)));
        // Where only personas can be told apart, they must be known before anything else.
        let (before, after) =
            if self.personal { (Some(CheckPhase::Personas), None) } else { (None, Some(CheckPhase::Personas)) };
        // The opening asks for one after the other, but not for streams: these do so before clients leave, which takes longest.
        let sequence = self.situation.streams.then_some(FamilyOf(Family::Sequence));
        // The storm has everything at once: it comes when nothing else has shown anything.
        let looked_at = FAMILIES.into_iter().filter(|family| *family != Family::Storm);
        let first_looks = looked_at.flat_map(move |family| {
            let before = sequence.filter(|_| family == Family::Leaving);
            before.into_iter().chain([FamilyOf(family)]).map(CheckPhase::FirstLook)
        });
        let families = first_looks.chain(families).chain(sequence.map(CheckPhase::Family));
        std::iter::once(CheckPhase::Opening).chain(before).chain(families).chain(after).chain([CheckPhase::Rest])
    }

    fn is_due(&self, part: CheckPhase) -> bool {
        !self.is_out_of_time()
            && match part {
                CheckPhase::Opening | CheckPhase::Personas | CheckPhase::Verify | CheckPhase::ControlGroup => true,
                CheckPhase::FirstLook(FamilyOf(family)) | CheckPhase::Family(FamilyOf(family)) => {
                    self.plan.triggers.iter().any(|trigger| self.may(*trigger, family) && self.has_time_for(*trigger))
                }
                CheckPhase::Rest => {
                    !self.has_enough() && self.plan.triggers.iter().any(|trigger| self.has_time_for(*trigger))
                }
                CheckPhase::Diagnosis => false,
            }
    }

    /// Whether there was a server to ask.
    pub fn has_begun(&self) -> bool {
        self.part.is_some()
    }

    /// What was found, until now.
    pub fn conclude(mut self) -> Findings {
        self.findings.unsettled += self.personas.undecided() as u64;
        let quickest = self.client.as_ref().and_then(CheckClient::quickest);
        self.diagnosis.conclude(&mut self.findings.totals.evidence, &self.situation, quickest);
        for trigger in &self.plan.triggers {
            let tried = self.findings.totals.triggers.get(trigger);
            // Where one shows that the server handles one request at a time, the others' rounds showed no more.
            let why = match trigger.strategy().obstacle(&self.situation) {
                Some(why) if tried.is_none_or(|totals| totals.leaks == 0) => why,
                None if tried.is_none() => NO_TURN.to_owned(),
                _ => continue,
            };
            self.findings.obstacles.insert(*trigger, why);
        }
        let one_at_a_time = self.situation.premises.one_at_a_time();
        let limit = self.client.as_ref().and_then(CheckClient::limit);
        let samples = self.client.as_ref().map(CheckClient::samples).unwrap_or_default();
        Findings {
            limit,
            samples,
            time: self.plan.budget.time,
            duration: self.began.elapsed(),
            one_at_a_time,
            trace_seed: self.plan.request.has(|hole| *hole == Placeholder::Traceparent).then_some(self.situation.seed),
            ..self.findings
        }
    }

    fn may(&self, trigger: Trigger, family: Family) -> bool {
        trigger.strategy().family() == family && self.obstacle(trigger).is_none()
    }

    fn obstacle(&self, trigger: Trigger) -> Option<String> {
        trigger.strategy().obstacle(&self.situation)
    }

    /// Whether no further round is due: a proof, or no time for one more.
    fn is_over(&self) -> bool {
        (self.findings.totals.leaks > 0 && !self.plan.budget.exhaustive)
            || !self.personas.suspicions.is_empty()
            || self.is_out_of_time()
    }

    fn is_out_of_time(&self) -> bool {
        let one_more = self.situation.long.unwrap_or_default();
        self.client.as_ref().is_some_and(CheckClient::is_shut_out)
            || self.clock.now() + one_more > self.plan.budget.time && !self.findings.totals.triggers.is_empty()
    }

    /// Whether the next round of a trigger ends before the time is up, as far as that can be told: from what it waits for
    /// and has the server sleep, and from what the rounds before it took. The first round of all is never too long.
    fn has_time_for(&self, trigger: Trigger) -> bool {
        let tried = &self.findings.totals.triggers;
        let Some(client) = self.client.as_ref().filter(|_| !tried.is_empty()) else { return true };
        let totals = tried.get(&trigger).copied().unwrap_or_default();
        let recipe = trigger.strategy().recipe(&self.situation, totals.rounds);
        let planned = recipe.takes(|nap| client.sleep(nap).unwrap_or_default());
        self.clock.now() + planned.max(totals.mean_time()) <= self.plan.budget.time
    }

    fn has_enough(&self) -> bool {
        self.findings.totals.exposures >= self.plan.budget.exposures
    }
}

impl Phased for DirtyCheck<'_> {
    type Phase = CheckPhase;

    fn next_phase(&self) -> Option<CheckPhase> {
        self.next_to_find().or_else(|| {
            let (evidence, time) = (&self.findings.totals.evidence, self.plan.budget.time);
            let due = !self.findings.interrupted && self.diagnosis.is_due(evidence, self.clock.now(), time);
            (due && (self.may_start() || self.shares(CheckPhase::Diagnosis))).then_some(CheckPhase::Diagnosis)
        })
    }

    fn shares(&self, phase: CheckPhase) -> bool {
        self.shares_for_its_start(phase)
    }

    fn doing(phase: CheckPhase) -> Option<&'static str> {
        match phase {
            CheckPhase::Opening => Some("first requests and control"),
            CheckPhase::Verify => Some("looking whether a suspicion stands"),
            CheckPhase::ControlGroup => Some("looking whether it shows without its owner"),
            CheckPhase::Diagnosis => Some("narrowing a leak down"),
            CheckPhase::FirstLook(_) | CheckPhase::Family(_) | CheckPhase::Personas | CheckPhase::Rest => None,
        }
    }

    fn run(&mut self, part: CheckPhase, target: &Target, cancel: &CancellationToken) -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let client = CheckClient::aimed(self.client.take(), self.plan, target, self.situation.seed, &self.clock);
        client.be_patient(self.patience.take());
        client.end_by(matches!(part, CheckPhase::Opening | CheckPhase::Personas).then_some(self.plan.budget.time));
        self.situation.no_anonymous = client.forms.without_anonymous().map(str::to_owned);
        self.situation.malformed = client.forms.malformed();
        self.situation.same_url = client.forms.same_url;
        self.situation.also = client.forms.pages() - 1;
        self.client = Some(client);
        if self.situation.owned && self.fresh {
            self.personas.start_anew();
        }
        if !matches!(part, CheckPhase::Verify | CheckPhase::ControlGroup) {
            if !std::mem::take(&mut self.resume) {
                self.rounds.clear();
            }
            self.part = Some(part);
        }
        self.begin_part(part);
        let name = part.name();
        let span = info_span!("phase", phase = name);
        let work = async {
            debug!(suspicions = self.personas.suspicions.len(), "phase begins: {name}");
            self.run_phase(part).await;
        };
        let finished = runtime.block_on(cancel.run_until_cancelled(work.instrument(span.clone())));
        let (exposures, leaks) = (self.findings.totals.exposures, self.findings.totals.leaks);
        span.in_scope(|| debug!(exposures, leaks, interrupted = finished.is_none(), "phase ended: {name}"));
        self.end_part();
        self.findings.interrupted |= finished.is_none();
        Ok(())
    }

    fn time(&self) -> Stopwatch {
        self.clock.clone()
    }
}
