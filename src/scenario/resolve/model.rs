//! Who sends when: the closed model, the open one, or stages of either.

use std::time::Duration;

use super::super::file::{self, Spacing, values::Located};
use super::super::problem::Problem;
use super::super::source::Span;
use super::super::{Level, Model};
use super::{Loading, value};

const MOST_USERS: i64 = 100_000;
const MOST_REQUESTS: i64 = 1_000_000_000;
pub(super) const MOST_RATE: f64 = 1e6;
/// Each is measured apart, in histograms of its own.
const MOST_STAGES: usize = 50;
/// As many users as an open load may have if it does not say.
const MAX_CONCURRENCY: u32 = 1000;
const DURATION: Duration = Duration::from_secs(10);
/// How long a load lasts at most that a number of requests ends.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// When what is sent is sent.
pub(super) struct LoadShape {
    pub model: Model,
    pub levels: Vec<Level>,
    pub duration: Duration,
    pub requests: Option<u64>,
    pub pause: Duration,
}

/// What a level counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Users,
    Rate,
}

impl Unit {
    const fn key(self) -> &'static str {
        match self {
            Unit::Users => "concurrency",
            Unit::Rate => "rate",
        }
    }
}

/// A level as written, and where.
type Written<'w> = (Unit, f64, &'w Span);

impl Loading<'_> {
    /// `None` after a problem.
    pub(super) fn shape(&mut self, at: &Located<file::RawLoad>) -> Option<LoadShape> {
        let written = &at.value;
        let requests = self.whole("requests", &written.requests, 1, MOST_REQUESTS).map(u64::from);
        let lasting = self.some_time("duration", &written.duration, DURATION);
        if let (Some(requests), Some(duration)) = (&written.requests, &written.duration) {
            let problem =
                Problem::new("both `requests` and `duration`").at(&requests.span, "ends with so many requests");
            let problem = problem.also(&duration.span, "ends after so long");
            self.problems.add(problem.help("keep one of them: whichever is to end the load"));
        }
        let lasting = if requests.is_some() { LONGEST } else { lasting };
        let found = match &written.stages {
            Some(stages) => self.stages(written, stages),
            None => self.one_level(at, lasting),
        };
        let most = self.whole("max_concurrency", &written.max_concurrency, 1, MOST_USERS);
        let (unit, levels) = found?;
        self.keys_of_the_other_model(written, unit);
        let spacing = value(&written.spacing).unwrap_or(Spacing::Uniform);
        let model = match unit {
            Unit::Users => Model::Closed,
            Unit::Rate => Model::Open { spacing, max_concurrency: most.unwrap_or(MAX_CONCURRENCY) },
        };
        let duration = levels.iter().map(|level| level.lasting).sum();
        let pause = value(&written.pause).map_or(Duration::ZERO, |pause| pause.0);
        Some(LoadShape { model, levels, duration, requests, pause })
    }

    /// A load without stages.
    fn one_level(&mut self, at: &Located<file::RawLoad>, lasting: Duration) -> Option<(Unit, Vec<Level>)> {
        let (unit, value, _) = match self.level(&at.value.rate, &at.value.concurrency) {
            Ok(level) => level?,
            Err(()) => {
                let problem = Problem::new("[load] has no `concurrency`").at(&at.span, "how many users?");
                // Each of the others says how much load there is as well.
                if !["rate", "stages"].iter().any(|key| self.spoilt.touches(&["load", key])) {
                    self.missing(
                        &["load", "concurrency"],
                        problem.help("add concurrency = 50: users who each wait for their response"),
                    );
                }
                return None;
            }
        };
        Some((unit, vec![Level { from: value, to: value, lasting }]))
    }

    fn stages(
        &mut self,
        load: &file::RawLoad,
        stages: &Located<Vec<Located<file::RawStage>>>,
    ) -> Option<(Unit, Vec<Level>)> {
        let around = [
            ("rate", span(&load.rate)),
            ("concurrency", span(&load.concurrency)),
            ("duration", span(&load.duration)),
            ("requests", span(&load.requests)),
        ];
        for (key, span) in around {
            let Some(span) = span else { continue };
            let problem = Problem::new(format!("`{key}` next to `stages`")).at(span, "stages say this themselves");
            let help = format!("remove `{key}`; each stage has `for`, and `rate` or `concurrency`");
            self.problems.add(problem.also(&stages.span, "the stages").help(help));
        }
        let cut = self.spoilt.touches(&["load", "stages"]);
        if stages.value.is_empty() && cut {
            return None;
        }
        if stages.value.is_empty() || stages.value.len() > MOST_STAGES {
            let problem = Problem::new(format!("{} stages", stages.value.len())).at(&stages.span, "");
            self.problems.add(problem.help(format!("write 1 to {MOST_STAGES}: {{ rate = \"50/s\", for = \"10s\" }}")));
            return None;
        }
        let mut levels: Vec<Level> = Vec::new();
        let mut first: Option<Written<'_>> = None;
        for stage in &stages.value {
            let (unit, to, span) = self.stage(stage)?;
            match first {
                Some((known, _, before)) if known != unit => {
                    let problem = Problem::new("stages of a rate and of users").at(span, format!("a {}", unit.key()));
                    let problem = problem.also(before, format!("a {} before", known.key()));
                    self.problems.add(problem.help("give all of them `rate`, or all of them `concurrency`"));
                    return None;
                }
                _ => first = first.or(Some((unit, to, span))),
            }
            let ramp = stage.value.ramp.as_ref().filter(|ramp| ramp.value);
            if let (Some(ramp), None, false) = (ramp, levels.last(), cut) {
                let problem = Problem::new("the first stage cannot ramp").at(&ramp.span, "from where?");
                let help = format!("put a stage with a constant {} before it", unit.key());
                self.problems.add(problem.help(help));
            }
            let from = if ramp.is_some() { levels.last().map_or(to, |before| before.to) } else { to };
            let lasting = stage.value.lasting.as_ref().map_or(DURATION, |lasting| lasting.value.0);
            levels.push(Level { from, to, lasting });
        }
        first.map(|(unit, ..)| (unit, levels))
    }

    /// The level at the end of a stage; `None` after a problem.
    fn stage<'w>(&mut self, stage: &'w Located<file::RawStage>) -> Option<Written<'w>> {
        if stage.value.lasting.is_none() {
            let problem = Problem::new("a stage without `for`").at(&stage.span, "how long?");
            self.missing(&["load", "stages"], problem.help("add for = \"10s\" to it"));
        }
        self.some_time("for", &stage.value.lasting, DURATION);
        match self.level(&stage.value.rate, &stage.value.concurrency) {
            Ok(level) => level,
            Err(()) => {
                let problem = Problem::new("a stage without a level").at(&stage.span, "how much load?");
                self.missing(&["load", "stages"], problem.help("add rate = \"50/s\", or concurrency = 50"));
                None
            }
        }
    }

    /// A rate or a number of users; an error if neither is given, `None` after a problem.
    fn level<'w>(
        &mut self,
        rate: &'w Option<Located<file::values::PerSecond>>,
        users: &'w Option<Located<i64>>,
    ) -> Result<Option<Written<'w>>, ()> {
        match (rate, users) {
            (None, None) => Err(()),
            (Some(rate), Some(users)) => {
                let problem = Problem::new("both `rate` and `concurrency`").at(&rate.span, "requests that come anyway");
                let problem = problem.also(&users.span, "users who wait for their answers");
                let help = "keep `rate` for the open model, or `concurrency` for the closed one";
                self.problems.add(problem.help(help));
                Ok(None)
            }
            (Some(rate), None) => Ok(self.rate(rate).map(|value| (Unit::Rate, value, &rate.span))),
            (None, Some(given)) if given.value == 0 => {
                let problem = Problem::new("`concurrency` must not be zero").at(&given.span, "nobody asks");
                let help = "write how many users wait for answers at a time, as in concurrency = 50";
                self.problems.add(problem.help(help));
                Ok(None)
            }
            (None, Some(given)) => {
                let users = self.whole("concurrency", users, 1, MOST_USERS);
                Ok(users.map(|users| (Unit::Users, f64::from(users), &given.span)))
            }
        }
    }

    fn rate(&mut self, given: &Located<file::values::PerSecond>) -> Option<f64> {
        let rate = given.value.0;
        if rate > 0.0 && rate <= MOST_RATE {
            return Some(rate);
        }
        let label = if rate > 0.0 { "more than 1,000,000/s" } else { "nothing ever comes" };
        let problem = Problem::new("`rate` is out of range").at(&given.span, label);
        self.problems.add(problem.help("write a rate above zero, up to 1,000,000/s, as in rate = \"2000/s\""));
        None
    }

    /// Keys that mean nothing in this model are mistakes.
    fn keys_of_the_other_model(&mut self, written: &file::RawLoad, unit: Unit) {
        let open = "is for the open model: give a `rate` in place of `concurrency`, or remove it";
        let closed = "is for the closed model: a `rate` already says when requests come; remove it";
        let others = match unit {
            Unit::Users => {
                vec![
                    ("spacing", span(&written.spacing), open),
                    ("max_concurrency", span(&written.max_concurrency), open),
                ]
            }
            Unit::Rate => {
                vec![("pause", span(&written.pause), closed), ("pipeline", span(&written.pipeline), closed)]
            }
        };
        for (key, span, help) in others {
            let Some(span) = span else { continue };
            let problem = Problem::new(format!("`{key}` with a `{}`", unit.key())).at(span, "has no effect here");
            self.problems.add(problem.help(format!("`{key}` {help}")));
        }
    }
}

fn span<T>(given: &Option<Located<T>>) -> Option<&Span> {
    given.as_ref().map(|given| &given.span)
}
