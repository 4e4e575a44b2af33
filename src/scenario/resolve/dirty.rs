//! The dirty check: what it sends and tries; its budget follows from exposures or a bound.

use std::time::Duration;

use regex::bytes::Regex;

use super::super::file::{self, values::Located};
use super::super::problem::Problem;
use super::super::sweep::SweepSource;
use super::super::template::Template;
use super::super::{Budget, DirtySpec, RequestSpec, Sleeps, Version};
use super::login::{self, LoginSection};
use super::request::Parts;
use super::sweep::SweepContext;
use super::{Loading, value};
use crate::trigger::Trigger;
use crate::{stats, units};

const TIME: Duration = Duration::from_secs(30);
/// Of a sweep.
const SWEEP_TIME: Duration = Duration::from_secs(120);
const START_TIME: Duration = Duration::from_secs(60);
const LEAST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a response may take beyond the long sleep.
const BEYOND_SLEEP: Duration = Duration::from_secs(5);
const EXPOSURES: u64 = 3000;

impl Loading<'_> {
    pub(super) fn dirty(&mut self, at: &Located<file::RawDirty>, workers_known: bool) -> Option<DirtySpec> {
        let written = &at.value;
        let identities = self.identities(written);
        let fields: Vec<String> = identities.first().map(|first| first.keys().cloned().collect()).unwrap_or_default();
        let captured = login::captured(written.login.as_ref());
        let has_login = written.login.is_some() || written.signup.is_some();
        let context = SweepContext { workers_known, identity: &fields, has_login };
        let sweep = self.sweep(at, &context);
        let request = match &sweep {
            None => self.request(&Parts::of_dirty(at, workers_known, &fields, &captured)),
            // What is asked first, until it is known what else there is.
            Some(sweep) => sweep.as_ref().map(|sweep| match &sweep.source {
                SweepSource::Server(path) => RequestSpec::get(&Template::literal(path)),
                _ => RequestSpec::get(&Template::literal("/")),
            }),
        };
        let owner = LoginSection { section: "dirty", workers_known, identity: &fields, data: None };
        let login = written.login.as_ref().map(|login| self.login(login, &owner));
        let follow = self.follow(&written.follow);
        let group = self.group(written, &identities);
        let also = self.also(at, request.as_ref(), workers_known, &fields);
        if let (Some(request), None | Some(Some(_)), None) = (&request, &login, &sweep) {
            let login = login.as_ref().and_then(Option::as_ref);
            if let (Some(at), Some(login)) = (&written.login, login) {
                let requests: Vec<&RequestSpec> = std::iter::once(request).chain(&also).collect();
                self.check_captures(at, &owner, login, &requests);
            }
            self.check_identity(at, request, login);
        }
        let public = self.public(written);
        let triggers = self.triggers(written);
        let sleep = self.sleeps(written);
        let budget = self.budget(written, if sweep.is_some() { SWEEP_TIME } else { TIME });
        let timeout = self.dirty_timeout(written, sleep);
        let stream = self.stream(written, timeout);
        self.check_locate(written, workers_known);
        let sweep = sweep.map_or(Some(None), |sweep| sweep.map(Some))?;
        let spec = DirtySpec {
            request: request?,
            also,
            sweep: None,
            identities,
            group,
            login: login.map_or(Some(None), |login| login.map(Some))?,
            follow,
            shape: value(&written.shape).unwrap_or_default(),
            public,
            triggers,
            sleep,
            expect: value(&written.expect).unwrap_or_default(),
            budget,
            timeout,
            stream,
            locate: value(&written.locate),
            version: match value(&written.http) {
                None | Some(file::Http::One) => Version::One,
                Some(file::Http::Two) => Version::Two,
            },
        };
        Some(match sweep {
            Some(sweep) if !sweep.operations.is_empty() => spec.sweeping(sweep),
            sweep => DirtySpec { sweep, ..spec },
        })
    }

    /// The other pages: with what the request has beside its URL and its body.
    fn also(
        &mut self,
        at: &Located<file::RawDirty>,
        request: Option<&RequestSpec>,
        workers: bool,
        fields: &[String],
    ) -> Vec<RequestSpec> {
        let captured = login::captured(at.value.login.as_ref());
        let parts = Parts::of_dirty(at, workers, fields, &captured);
        let paths = at.value.also.iter().flatten();
        let pages = paths.filter_map(|path| {
            let target = self.filled(path, Template::parse, &parts, None)?;
            self.check_path_text(path, &path.value);
            let request = request?;
            let (headers, cookies) = (request.headers.clone(), request.cookies.clone());
            Some(RequestSpec { headers, cookies, ..RequestSpec::get(&target) })
        });
        pages.collect()
    }

    fn public(&mut self, written: &file::RawDirty) -> Vec<Regex> {
        let mut all = Vec::new();
        for text in written.public.iter().flatten() {
            match Regex::new(&text.value) {
                Ok(pattern) if pattern.is_match(b"") => {
                    let problem = Problem::new("what is `public` would be everything").at(&text.span, "fits any text");
                    self.problems.add(problem.help("write a regular expression for the text that may be shared alone"));
                }
                Ok(pattern) => all.push(pattern),
                Err(error) => {
                    let why = error.to_string();
                    let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                    let problem = Problem::new("not a regular expression").at(&text.span, why);
                    self.problems.add(problem.help("put a backslash before what stands for itself, as in \"a\\\\(b\""));
                }
            }
        }
        all
    }

    /// The triggers that are asked for and not skipped.
    fn triggers(&mut self, written: &file::RawDirty) -> Vec<Trigger> {
        let names =
            |list: &Located<Vec<Located<Trigger>>>, one: Trigger| list.value.iter().any(|item| item.value == one);
        let asked = |one: &Trigger| written.triggers.as_ref().is_none_or(|list| names(list, *one));
        let kept = |one: &Trigger| !written.skip.as_ref().is_some_and(|list| names(list, *one));
        let left: Vec<Trigger> = Trigger::ALL.into_iter().filter(asked).filter(kept).collect();
        if let (true, Some(span)) = (left.is_empty(), written.triggers.as_ref().or(written.skip.as_ref())) {
            let problem = Problem::new("no trigger is left to try").at(&span.span, "nothing provokes a leak");
            let help = "name one at least in `triggers` that `skip` does not name";
            self.missing(&["dirty", "triggers"], problem.help(help));
        }
        left
    }

    fn sleeps(&mut self, written: &file::RawDirty) -> Option<Sleeps> {
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
    fn budget(&mut self, written: &file::RawDirty, time: Duration) -> Budget {
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
            time: self.some_time("time", &written.time, time),
            start_time: self.some_time("start_time", &written.start_time, START_TIME),
            exhaustive: value(&written.exhaustive).unwrap_or(false),
        }
    }

    fn dirty_timeout(&mut self, written: &file::RawDirty, sleep: Option<Sleeps>) -> Duration {
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

    /// A probe is started together with the server.
    fn check_locate(&mut self, written: &file::RawDirty, owned: bool) {
        if let Some(at) = written.locate.as_ref().filter(|at| at.value && !owned) {
            let problem = Problem::new("no line of code can be located in a server that was up before");
            let problem = problem.at(&at.span, "its processes are not runner's to start");
            self.problems.add(problem.help("leave `locate` out, or have runner start the server, by `server.command`"));
        }
    }

    fn stream(&mut self, written: &file::RawDirty, timeout: Duration) -> Option<Duration> {
        let given = written.stream.as_ref()?;
        let stream = self.some_time("stream", &written.stream, timeout);
        if !stream.is_zero() && stream >= timeout {
            let problem = Problem::new("no stream could be read for so long");
            let problem = problem.at(&given.span, format!("`timeout` is {}", units::show_duration(timeout)));
            let less = units::show_duration(timeout / 2);
            self.problems.add(problem.help(format!("write less, as in stream = \"{less}\", or a longer `timeout`")));
        }
        Some(stream)
    }
}
