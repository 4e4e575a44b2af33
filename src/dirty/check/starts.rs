//! What starts of the server take, and which parts of a check share a server for that.

use std::time::Duration;

use super::super::diagnosis::Diagnosis;
use super::super::triggers::Family;
use super::{CheckPhase, DirtyCheck};

/// Servers that are kept back for suspicions and for a diagnosis, while the search goes on.
const RESERVE: u32 = 4;
/// A diagnosis has a new server for each of its steps while their starts take no longer than this in all.
const OF_DIAGNOSIS: Duration = Duration::from_secs(10);

/// The starts of a server for a check, the ends of those before them included.
#[derive(Debug, Clone, Copy, Default)]
pub struct Starts {
    pub count: u32,
    /// All of them, and what was waited for their first good answers.
    pub took: Duration,
    /// Parts of the check that would rather have had a server of their own.
    pub shared: u32,
    /// Of `took`, what the diagnosis asked for.
    diagnosing: Duration,
}

impl Starts {
    pub(super) fn mean(self) -> Duration {
        self.took.checked_div(self.count).unwrap_or_default()
    }

    /// Whether this many more take no longer than `within`, together with those until now.
    fn suffice(self, more: u32, within: Duration) -> bool {
        self.took + self.mean() * more <= within
    }
}

impl DirtyCheck<'_> {
    /// This part, which comes next, runs on a server that was just started. For so long its first requests are sent again while it
    /// refuses them, or answers that it is not there yet.
    pub fn on_a_new_server(&mut self, part: CheckPhase, patience: Option<Duration>) {
        self.fresh = true;
        self.patience = patience.filter(|_| self.situation.owned);
        if !self.situation.owned {
            return;
        }
        let took = self.idle_since.elapsed();
        self.starts.count += 1;
        self.starts.took += took;
        if part == CheckPhase::Diagnosis {
            self.starts.diagnosing += took;
        }
    }

    /// Whether a part goes on with the server at hand, as starts are slow, although it would rather have one of its own.
    pub(super) fn shares_for_its_start(&self, part: CheckPhase) -> bool {
        if !self.situation.owned {
            return false;
        }
        let (starts, within) = (self.starts, self.plan.budget.start_time);
        match part {
            // What the server has kept would tell against the truth.
            CheckPhase::Opening | CheckPhase::Verify | CheckPhase::ControlGroup => false,
            CheckPhase::Diagnosis if !self.diagnosis.has_begun() || self.diagnosis.needs_a_fresh_server() => false,
            CheckPhase::Diagnosis => starts.diagnosing + starts.mean() > OF_DIAGNOSIS || !starts.suffice(1, within),
            _ => !starts.suffice(self.servers_wanted(part), within),
        }
    }

    /// Whether the server must be asked nothing before a part asks, not even whether it is ready.
    pub fn must_be_untouched(&self, part: CheckPhase) -> bool {
        match part {
            CheckPhase::Opening => {
                self.plan.triggers.iter().any(|trigger| trigger.strategy().family() == Family::Opening)
            }
            CheckPhase::Diagnosis => {
                self.diagnosis.needs_a_fresh_server() || !Diagnosis::may_follow_others(&self.findings.totals.evidence)
            }
            _ => false,
        }
    }

    /// Whether a further start is within what they may take.
    pub(super) fn may_start(&self) -> bool {
        !self.situation.owned || self.starts.count == 0 || self.starts.suffice(1, self.plan.budget.start_time)
    }

    /// Servers that would be started from this part on.
    fn servers_wanted(&self, part: CheckPhase) -> u32 {
        let parts = self.regular_parts().skip_while(|other| *other != part).filter(|part| self.is_due(*part)).count();
        parts as u32 + RESERVE
    }

    /// What was begun on the server at hand counts as no start.
    pub(super) fn begin_part(&mut self, part: CheckPhase) {
        if !std::mem::take(&mut self.fresh) && part != CheckPhase::Opening {
            self.starts.shared += 1;
        }
        self.clock.go();
    }

    /// The time that follows is that of a start, if there is one.
    pub(super) fn end_part(&mut self) {
        if let Some(client) = &self.client {
            self.starts.took += client.take_waited();
        }
        self.clock.stop();
        self.idle_since = std::time::Instant::now();
        if !self.may_start() {
            // No server is left on which they could be looked into.
            self.findings.unsettled += self.personas.shelve();
        }
        self.findings.starts = self.starts;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::dirty::client::tests::plan;
    use crate::dirty::{DirtyProgress, Premises};
    use crate::scenario::{RequestSpec, Template};

    #[test]
    fn parts_share_a_server_only_where_starts_would_take_too_long() {
        let mut plan = plan(RequestSpec::get(&Template::parse("/?q={canary}").unwrap()));
        plan.budget.start_time = Duration::from_secs(60);
        let check = |start: Duration, owned| {
            let mut check = DirtyCheck::new(&plan, Premises::default(), owned, 1, Arc::new(DirtyProgress::default()));
            check.idle_since = std::time::Instant::now().checked_sub(start).unwrap();
            check.on_a_new_server(CheckPhase::Opening, None);
            check
        };
        let shared = |start, part| check(Duration::from_secs(start), true).shares_for_its_start(part);
        for part in [CheckPhase::Personas, CheckPhase::Rest] {
            assert!(!shared(0, part) && shared(25, part), "{part:?}");
        }
        assert!(shared(9, CheckPhase::Personas) && !shared(9, CheckPhase::Rest), "what is left is spent");
        let needy = [CheckPhase::Verify, CheckPhase::ControlGroup, CheckPhase::Diagnosis];
        assert!(needy.into_iter().all(|part| !shared(25, part)), "they need one");
        assert!(check(Duration::from_secs(25), true).may_start());
        assert!(!check(Duration::from_secs(40), true).may_start());
        assert!(check(Duration::from_secs(40), false).may_start(), "what is attached to takes no start");
    }
}
