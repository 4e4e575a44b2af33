//! The search for the capacity: its rules, and what of a load has no place in it.

use std::time::Duration;

use super::super::capacity::{CapacitySpec, is_of_a_probe};
use super::super::file::{self, values::Located};
use super::super::problem::Problem;
use super::super::source::Span;
use super::model::MOST_RATE;
use super::{Loading, value};
use crate::rule::Rule;

const TIME: Duration = Duration::from_secs(40);
/// In less not even a few rates can be tried.
const LEAST_TIME: Duration = Duration::from_secs(5);
const PRECISION: f64 = 0.03;
const FINEST: f64 = 0.01;
const COARSEST: f64 = 0.5;

impl Loading<'_> {
    /// `None` after a problem.
    pub(super) fn capacity(
        &mut self,
        at: &Located<file::RawCapacity>,
        written: &file::RawScenario,
    ) -> Option<CapacitySpec> {
        let given = &at.value;
        let rules = self.capacity_rules(at, written);
        let time = self.capacity_time(given);
        let precision = self.precision(given);
        let max_rate = self.max_rate(given);
        let Some(load) = &written.load else {
            let problem = Problem::new("[capacity] without [load]").at(&at.span, "what is to be sent?");
            let help =
                "add [load] with a path and concurrency = 10: [capacity] sends what it sends, at rates of its own";
            self.missing(&["load"], problem.help(help));
            return None;
        };
        self.keys_without_effect(&at.span, &load.value);
        Some(CapacitySpec { rules: rules?, time, precision, max_rate })
    }

    fn capacity_rules(&mut self, at: &Located<file::RawCapacity>, written: &file::RawScenario) -> Option<Vec<Rule>> {
        let help = "add rules = [\"latency.p99 < 250ms\", \"errors.rate < 0.1%\"]";
        let Some(given) = &at.value.rules else {
            let problem = Problem::new("[capacity] has no `rules`").at(&at.span, "what is a rate to keep?");
            self.missing(&["capacity", "rules"], problem.help(help));
            return None;
        };
        if given.value.is_empty() && !self.spoilt.touches(&["capacity", "rules"]) {
            let problem = Problem::new("[capacity] has no rule").at(&given.span, "any rate keeps that");
            self.problems.add(problem.help(help));
        }
        // Each is read, so that all problems are told.
        let rules: Vec<Option<Rule>> = given.value.iter().map(|text| self.capacity_rule(text, written)).collect();
        rules.into_iter().collect()
    }

    fn capacity_rule(&mut self, text: &Located<String>, written: &file::RawScenario) -> Option<Rule> {
        let rule = self.judging_rule(text, written)?;
        if is_of_a_probe(rule.metric) {
            return Some(rule);
        }
        let metric = rule.metric.name();
        let place = self.metric_place(text, &metric);
        let problem = Problem::new(format!("`{metric}` tells nothing of a rate"));
        let problem = problem.at(&place, "not whether a load at this rate went well");
        let help =
            "use `latency.*`, `service_time.*`, `errors.*`, `status.*` or `checks.*`; judge the rest in [assert]";
        self.problems.add(problem.help(help));
        None
    }

    fn capacity_time(&mut self, given: &file::RawCapacity) -> Duration {
        let time = value(&given.time).map_or(TIME, |time| time.0);
        if let Some(at) = given.time.as_ref().filter(|_| time < LEAST_TIME) {
            let problem = Problem::new("`time` is too short").at(&at.span, "less than 5s");
            self.problems.add(problem.help("each rate is tried for seconds: write 5s or more, as in time = \"40s\""));
        }
        time
    }

    fn precision(&mut self, given: &file::RawCapacity) -> f64 {
        let precision = value(&given.precision).map_or(PRECISION, |share| share.0);
        if let Some(at) = given.precision.as_ref().filter(|_| !(FINEST..=COARSEST).contains(&precision)) {
            let label = if precision < FINEST { "finer than 1%" } else { "more than 50%" };
            let problem = Problem::new("`precision` is out of range").at(&at.span, label);
            self.problems.add(problem.help("write a share from 1% to 50%, as in precision = \"3%\""));
        }
        precision
    }

    fn max_rate(&mut self, given: &file::RawCapacity) -> Option<f64> {
        let at = given.max_rate.as_ref()?;
        let rate = at.value.0;
        if rate <= 0.0 || rate > MOST_RATE {
            let label = if rate > 0.0 { "more than 1,000,000/s" } else { "nothing ever comes" };
            let problem = Problem::new("`max_rate` is out of range").at(&at.span, label);
            self.problems.add(problem.help("write a rate above zero, up to 1,000,000/s, as in max_rate = \"2000/s\""));
        }
        Some(rate)
    }

    /// Who comes when it is due neither thinks nor sends several requests at once.
    fn keys_without_effect(&mut self, capacity: &Span, load: &file::RawLoad) {
        let keys = [
            ("pause", load.pause.as_ref().map(|given| &given.span)),
            ("pipeline", load.pipeline.as_ref().map(|given| &given.span)),
        ];
        for (key, span) in keys {
            let Some(span) = span else { continue };
            let problem = Problem::new(format!("`{key}` next to [capacity]")).at(span, "is for users who wait");
            let problem = problem.also(capacity, "sends requests when they are due, in the open model");
            self.problems
                .add(problem.help(format!("remove `{key}`, or measure the capacity in a scenario of its own")));
        }
    }
}
