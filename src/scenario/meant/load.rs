//! The load: this version runs the closed model.

use std::time::Duration;

use super::super::file::{self, leaf::At};
use super::super::problem::Problem;
use super::super::source::Span;
use super::super::{Load, Model};
use super::request::Parts;
use super::script::HookScript;
use super::{Loading, value};
use crate::script::hooks::REQUEST;

const MOST_USERS: i64 = 100_000;
const MOST_THREADS: i64 = 256;
const DURATION: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(10);
const DRAIN: Duration = Duration::from_secs(1);

impl Loading<'_> {
    pub(super) fn load(&mut self, at: &At<file::Load>, workers_known: bool) -> Option<Load> {
        let written = &at.value;
        let is_open = self.later(written);
        let script = written.script.as_ref().map(|script| self.hooks(script));
        let data = written.data.as_ref().map(|data| self.data(data));
        // A script makes requests itself; one that is wrong may have meant to.
        let makes_requests = |script: &Option<HookScript>| script.as_ref().is_none_or(|script| script.has(REQUEST));
        let scripted = script.as_ref().is_some_and(makes_requests);
        let request = self.request(&Parts::of_load(at, workers_known, data.as_ref(), scripted));
        let model = if is_open { None } else { self.model(at) };
        let (duration, timeout, drain) = (
            self.some_time("duration", &written.duration, DURATION),
            self.some_time("timeout", &written.timeout, TIMEOUT),
            value(&written.drain).map_or(DRAIN, |drain| drain.0),
        );
        let threads = self.whole("threads", &written.threads, 1, MOST_THREADS);
        // Everything is looked at before anything missing ends it.
        Some(Load {
            request: request?,
            sleep: value(&written.sleep).map(|sleep| sleep.0),
            model: model?,
            duration,
            warmup: value(&written.warmup).map_or(Duration::ZERO, |warmup| warmup.0),
            timeout,
            drain,
            threads,
            script: script.map_or(Some(None), |script| script.map(|script| Some(script.script)))?,
            data: data.map_or(Some(None), |given| given.data.map(Some))?,
        })
    }

    fn model(&mut self, at: &At<file::Load>) -> Option<Model> {
        let Some(given) = &at.value.concurrency else {
            let problem = Problem::new("[load] has no `concurrency`").at(&at.span, "how many users?");
            self.missing(
                &["load", "concurrency"],
                problem.help("add concurrency = 50: users who each wait for their answer"),
            );
            return None;
        };
        if given.value == 0 {
            let problem = Problem::new("`concurrency` must not be zero").at(&given.span, "nobody asks");
            self.problems.add(problem.help("write how many users wait for answers at a time, as in concurrency = 50"));
            return None;
        }
        let concurrency = self.whole("concurrency", &at.value.concurrency, 1, MOST_USERS)?;
        Some(Model::Closed { concurrency })
    }

    /// Reports what only later versions run; whether the model is among it.
    fn later(&mut self, written: &file::Load) -> bool {
        fn span<T>(given: &Option<At<T>>) -> Option<&Span> {
            given.as_ref().map(|given| &given.span)
        }
        let open = "this version has the closed model: concurrency = 50 users who wait for their answers";
        let model = [("rate", span(&written.rate)), ("stages", span(&written.stages))];
        let around = [("spacing", span(&written.spacing)), ("max_concurrency", span(&written.max_concurrency))];
        for (key, span) in model.iter().chain(&around) {
            if let Some(span) = span {
                self.unsupported(key, span, open);
            }
        }
        model.iter().any(|(_, span)| span.is_some())
    }
}
