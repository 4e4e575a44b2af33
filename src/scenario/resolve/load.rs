//! The load: what is sent, and who sends when.

use std::time::Duration;

use super::super::file::{self, values::Located};
use super::super::problem::Problem;
use super::super::{LoadSpec, RequestSpec, WeightedRequest};
use super::login::{self, LoginSection};
use super::model::LoadShape;
use super::request::Parts;
use super::script::HookScript;
use super::{Loading, value};
use crate::script::hooks::REQUEST;

const MOST_THREADS: i64 = 256;
const MOST_WEIGHT: i64 = 1_000_000;
/// Each is measured apart, in histograms of its own.
const MOST_KINDS: usize = 20;
const TIMEOUT: Duration = Duration::from_secs(10);
const DRAIN: Duration = Duration::from_secs(1);

impl Loading<'_> {
    pub(super) fn load(&mut self, at: &Located<file::RawLoad>, workers_known: bool) -> Option<LoadSpec> {
        let written = &at.value;
        let script = written.script.as_ref().map(|script| self.hooks(script));
        let data = written.data.as_ref().map(|data| self.data(data));
        // A script makes requests itself; one that is wrong may have meant to.
        let makes_requests = |script: &Option<HookScript>| script.as_ref().is_none_or(|script| script.has(REQUEST));
        let scripted = script.as_ref().is_some_and(makes_requests);
        let captured = login::captured(written.login.as_ref());
        let kinds = self.kinds(at, &Parts::of_load(at, workers_known, data.as_ref(), scripted, &captured));
        let owner = LoginSection { section: "load", workers_known, identity: &[], data: data.as_ref() };
        let login = written.login.as_ref().map(|login| self.login(login, &owner));
        if let (Some(at), Some(Some(login)), Some(kinds)) = (&written.login, &login, &kinds) {
            let requests: Vec<&RequestSpec> = kinds.iter().map(|kind| &kind.request).collect();
            self.check_captures(at, &owner, login, &requests);
        }
        let shape = self.shape(at);
        let (timeout, drain) = (
            self.some_time("timeout", &written.timeout, TIMEOUT),
            value(&written.drain).map_or(DRAIN, |drain| drain.0),
        );
        let threads = self.whole("threads", &written.threads, 1, MOST_THREADS);
        let protocol = self.protocol(written);
        let source_addresses = written.source_addresses.as_ref().map(|given| self.source_addresses(given));
        // Everything is looked at before anything missing ends it.
        let LoadShape { model, levels, duration, requests, pause } = shape?;
        Some(LoadSpec {
            kinds: kinds?,
            sleep: value(&written.sleep).map(|sleep| sleep.0),
            model,
            levels,
            duration,
            requests,
            pause,
            warmup: value(&written.warmup).map_or(Duration::ZERO, |warmup| warmup.0),
            timeout,
            drain,
            protocol,
            source_addresses: source_addresses.map_or(Some(Vec::new()), |addresses| addresses)?,
            threads,
            script: script.map_or(Some(None), |script| script.map(|script| Some(script.script)))?,
            data: data.map_or(Some(None), |given| given.data.map(Some))?,
            login: login.map_or(Some(None), |login| login.map(Some))?,
        })
    }

    /// What is sent: the request of [load] itself, or those of `[[load.request]]`.
    fn kinds(&mut self, at: &Located<file::RawLoad>, parts: &Parts<'_>) -> Option<Vec<WeightedRequest>> {
        let Some(written) = &at.value.request else {
            let request = self.request(parts)?;
            return Some(vec![WeightedRequest {
                name: format!("{} {}", request.method, request.path),
                weight: 1,
                request,
            }]);
        };
        if let Some((key, span)) = parts.given() {
            let problem = Problem::new(format!("`{key}` of [load] next to [[load.request]]"));
            let problem = problem.at(span, "of which request?").also(&written.span, "these have their own");
            self.problems.add(problem.help(format!("move `{key}` into each [[load.request]] that needs it")));
        }
        if written.value.is_empty() && self.spoilt.touches(&["load", "request"]) {
            return None;
        }
        if written.value.is_empty() || written.value.len() > MOST_KINDS {
            let problem = Problem::new(format!("{} requests in `request`", written.value.len()));
            self.problems.add(problem.at(&written.span, "").help(format!("write 1 to {MOST_KINDS}")));
            return None;
        }
        let mut kinds: Vec<WeightedRequest> = Vec::new();
        let mut whole = true;
        for kind in &written.value {
            match self.kind(kind, parts) {
                Some(new) if kinds.iter().any(|known| known.name == new.name) => {
                    let problem = Problem::new(format!("two requests named `{}`", new.name));
                    let span = kind.value.name.as_ref().map_or(&kind.span, |name| &name.span);
                    self.problems.add(problem.at(span, "again").help("give each a `name` of its own"));
                }
                Some(new) => kinds.push(new),
                None => whole = false,
            }
        }
        whole.then_some(kinds)
    }

    fn kind(&mut self, at: &Located<file::RawRequest>, load: &Parts<'_>) -> Option<WeightedRequest> {
        let weight = self.whole("weight", &at.value.weight, 1, MOST_WEIGHT);
        let request = self.request(&Parts::of_kind(at, load))?;
        let name = match &at.value.name {
            Some(name) => name.value.clone(),
            None => format!("{} {}", request.method, request.path),
        };
        Some(WeightedRequest { name, weight: weight.unwrap_or(1), request })
    }
}
