//! Suspicions that lone responses have left standing, and their tests; see the module `hypothesis`.

use super::super::events;
use super::super::evidence::{Evidence, FoundBy};
use super::super::hypothesis::{Hypothesis, HypothesisStatus};
use super::super::observation::Observation;
use super::{Ground, Personas, Suspicion, reply};
use crate::trigger::Trigger;

impl Personas {
    /// Makes hypotheses of those suspicions by what lone requests get that further ones have left standing. The others are gone.
    pub fn resolve(&mut self) {
        let suspicions = std::mem::take(&mut self.suspicions);
        for Suspicion { evidence, ground } in suspicions {
            let accusation = match ground {
                Ground::Value(_) => {
                    self.suspicions.push(Suspicion { evidence, ground });
                    continue;
                }
                Ground::Solo(accusation) => accusation,
            };
            let stands = self.stands(&accusation);
            let why =
                if stands { "lone requests by the same got something else" } else { "lone requests got the same" };
            events::suspicion_settled(&evidence, stands, why);
            if stands {
                let rounds = self.asked.get(&evidence.found_by).copied().unwrap_or(1);
                match self.hypotheses.iter_mut().find(|hypothesis| hypothesis.is_about(&accusation)) {
                    Some(hypothesis) => hypothesis.add(evidence, rounds),
                    None => self.hypotheses.push(Hypothesis::of(evidence, &accusation, rounds)),
                }
            }
        }
    }

    /// Whether a hypothesis is to be tested.
    pub fn is_hypothesis_open(&self) -> bool {
        self.hypotheses.iter().any(|hypothesis| hypothesis.is_open)
    }

    /// The next hypothesis to be tested, to be handed back.
    pub fn take_hypothesis(&mut self) -> Option<Hypothesis> {
        let open = self.hypotheses.iter().position(|hypothesis| hypothesis.is_open)?;
        Some(self.hypotheses.swap_remove(open))
    }

    /// Takes a hypothesis back: its leaks if it is proven. If it is refuted, nobody is accused by its marks again; else it is kept
    /// until there is one more suspicion by them. What was there before on a server that is not `fresh` refutes nothing, and
    /// proves nothing.
    pub fn close(&mut self, mut hypothesis: Hypothesis, fresh: bool) -> Vec<Evidence> {
        let status_now = hypothesis.status_now();
        tracing::debug!(rounds = hypothesis.rounds(), "suspicion tried without its owner, then with: {status_now:?}");
        if status_now == HypothesisStatus::Proven {
            return hypothesis.into_evidence();
        }
        if let (HypothesisStatus::Refuted, Some(baseline)) = (status_now, &mut self.baseline) {
            baseline.exonerate(&hypothesis.marks);
        }
        if status_now == HypothesisStatus::Open || !fresh {
            hypothesis.is_open = false;
            self.hypotheses.push(hypothesis);
        }
        Vec::new()
    }

    /// How many hypotheses are neither proven nor refuted.
    pub fn undecided(&self) -> usize {
        self.hypotheses.len()
    }

    /// Takes what was asked in a round of a trigger, not alone: places that then hold what nobody gets alone tell nothing.
    pub fn notice(&mut self, trigger: Trigger, observations: &[Observation]) {
        if observations.iter().any(|observation| observation.seen.persona.is_some()) {
            *self.asked.entry(FoundBy::Trigger(trigger)).or_default() += 1;
        }
        for observation in observations.iter().filter(|observation| observation.seen.is_well_behaved()) {
            let answered = observation.seen.status().is_some();
            if let (true, Some(number), Some(baseline)) = (answered, self.number(&observation.seen), &mut self.baseline)
            {
                baseline.notice(number, reply(observation));
            }
        }
    }
}
