//! The dirty check: its request carries a canary, its budget follows from exposures or a bound.

use std::time::Duration;

use super::super::file::{self, leaf::At};
use super::super::problem::Problem;
use super::super::template::Placeholder;
use super::super::{Budget, Dirty, Expect, Request, Sleeps};
use super::request::Parts;
use super::{Loading, value};
use crate::{stats, units};

const TIME: Duration = Duration::from_secs(10);
const LEAST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an answer may take beyond the long sleep.
const BEYOND_SLEEP: Duration = Duration::from_secs(5);
const EXPOSURES: u64 = 3000;

impl Loading<'_> {
    pub(super) fn dirty(&mut self, at: &At<file::Dirty>, workers_known: bool) -> Option<Dirty> {
        let written = &at.value;
        let request = self.request(&Parts::of_dirty(at, workers_known));
        if let Some(request) = &request {
            self.check_canary(at, request);
        }
        let sleep = self.sleeps(written);
        let budget = self.budget(written);
        let timeout = self.dirty_timeout(written, sleep);
        Some(Dirty {
            request: request?,
            sleep,
            expect: match value(&written.expect) {
                None | Some(file::Expect::Clean) => Expect::Clean,
                Some(file::Expect::Dirty) => Expect::Dirty,
                Some(file::Expect::Report) => Expect::Report,
            },
            budget,
            timeout,
        })
    }

    fn check_canary(&mut self, at: &At<file::Dirty>, request: &Request) {
        if request.has(|hole| *hole == Placeholder::Canary) {
            return;
        }
        let span = at.value.path.as_ref().map_or(&at.span, |path| &path.span);
        let problem = Problem::new("[dirty] has no `{canary}`").at(span, "nothing here tells requests apart");
        let help = "put `{canary}` where the server takes in what identifies a user, as in \"/page/?email={canary}\"";
        if !["headers", "cookies", "json", "form", "body"].iter().any(|key| self.spoilt.touches(&["dirty", key])) {
            self.problems.add(problem.help(help));
        }
    }

    fn sleeps(&mut self, written: &file::Dirty) -> Option<Sleeps> {
        let at = written.sleep.as_ref()?;
        let (Some(long), Some(short)) = (&at.value.long, &at.value.short) else {
            let missing = if at.value.long.is_none() { "long" } else { "short" };
            let problem = Problem::new(format!("`sleep` has no `{missing}`")).at(&at.span, "half of a pair");
            let help = "write sleep = { long = \"700ms\", short = \"30ms\" }, or one duration for both";
            self.missing(&["dirty", "sleep", missing], problem.help(help));
            return None;
        };
        if short.value.0 > long.value.0 {
            let problem = Problem::new("the short sleep is longer than the long one").at(&short.span, "longer");
            self.problems.add(problem.also(&long.span, "shorter").help("swap them"));
        }
        Some(Sleeps { long: long.value.0, short: short.value.0 })
    }

    /// Enough exposures for both `exposures` and `bound`, where both are given.
    fn budget(&mut self, written: &file::Dirty) -> Budget {
        let exposures = match &written.exposures {
            Some(given) if given.value < 1 => {
                let problem = Problem::new("`exposures` is out of range").at(&given.span, "less than 1");
                self.problems.add(problem.help("write how many chances to leak are enough, as in exposures = 3000"));
                None
            }
            given => given.as_ref().and_then(|given| u64::try_from(given.value).ok()),
        };
        let bound = match &written.bound {
            // A bound so small that no day is long enough is as good as none.
            Some(given) if given.value.0 < 1e-9 => {
                let problem =
                    Problem::new("`bound` must not be zero").at(&given.span, "no number of requests shows that");
                self.problems.add(problem.help("write the largest share that may stay unseen, as in bound = \"0.1%\""));
                None
            }
            given => given.as_ref().map(|given| stats::trials_for_bound(given.value.0).max(1)),
        };
        Budget {
            exposures: exposures.max(bound).unwrap_or(EXPOSURES),
            time: self.some_time("time", &written.time, TIME),
            exhaustive: value(&written.exhaustive).unwrap_or(false),
        }
    }

    fn dirty_timeout(&mut self, written: &file::Dirty, sleep: Option<Sleeps>) -> Duration {
        let long = sleep.map_or(Duration::ZERO, |sleep| sleep.long);
        let default = LEAST_TIMEOUT.max(long + BEYOND_SLEEP);
        let timeout = self.some_time("timeout", &written.timeout, default);
        if let Some(given) = written.timeout.as_ref().filter(|_| !timeout.is_zero() && timeout <= long) {
            let problem = Problem::new("no request could end within `timeout`");
            let problem = problem.at(&given.span, format!("the long sleep takes {}", units::show_duration(long)));
            self.problems
                .add(problem.help(format!("write more, as in timeout = \"{}\"", units::show_duration(default))));
        }
        timeout
    }
}
