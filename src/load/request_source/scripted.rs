//! Requests that a script's `request` makes, and answers that its `check` looks at.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use super::errors::FirstErrors;
use super::plain::SlotFiller;
use super::{Outgoing, RequestSource, SourceOfUsers, Turn};
use crate::exchange::{Exchange, Failure, Outcome};
use crate::load::client_script::{HookFindings, HookSample};
use crate::load::thread_plan::ThreadPlan;
use crate::net::request::PreparedRequest;
use crate::net::sink::{BufferedResponse, ResponseSink};
use crate::scenario::request::Parameter;
use crate::scenario::{self, Template};
use crate::script::client::{self, HookResponse, HookUser, UserBody, UserRequest};
use crate::script::hooks::{CHECK, Hook, REQUEST};
use crate::script::{Hooks, ScriptError};

/// What the users of a load thread share.
#[derive(Debug)]
pub(in crate::load) struct Scripts {
    hooks: Hooks,
    checks: bool,
    requests: bool,
    findings: RefCell<HookFindings>,
    /// Where errors that were told came from: the function and the line.
    told: RefCell<Vec<(Option<String>, usize)>>,
}

/// Places in a script whose errors are told; those of others are counted all the same.
const MOST_TOLD: usize = 10;

impl Scripts {
    pub fn new(hooks: Hooks) -> Self {
        let (checks, requests) = (hooks.has(CHECK), hooks.has(REQUEST));
        Scripts { hooks, checks, requests, findings: RefCell::default(), told: RefCell::default() }
    }

    /// Tells of an error of a hook: once for each place in the script and thread, as there may be thousands a second.
    #[cold]
    fn tell(&self, hook: Hook, error: &ScriptError) {
        let (place, mut told) = ((error.function.clone(), error.line), self.told.borrow_mut());
        if told.len() < MOST_TOLD && !told.contains(&place) {
            let function = error.function.as_deref().unwrap_or(hook.name);
            tracing::warn!(
                hook = hook.name,
                function,
                line = error.line,
                "a script failed here for the first time on this thread: {error}"
            );
            told.push(place);
        }
    }
}

impl SourceOfUsers for Scripts {
    type OfUser<'a> = ScriptedSource<'a>;

    fn of_user<'a>(&'a self, plan: &'a ThreadPlan, number: u32) -> ScriptedSource<'a> {
        let row = plan.data.iter().flat_map(|data| data.row(number));
        ScriptedSource::in_place(plan, self, (number, 0), HookUser::new(number, row))
    }

    fn found(&self) -> Option<HookFindings> {
        Some(self.findings.borrow().clone())
    }
}

/// Keeps a response if `check` is there to look at it, else no more than the first errors.
pub(in crate::load) struct Look {
    wanted: bool,
    kept: BufferedResponse,
    errors: FirstErrors,
}

impl ResponseSink for Look {
    fn looks(&self) -> bool {
        self.wanted
    }

    fn status(&mut self, status: u16) {
        self.errors.status(status);
    }

    fn head(&mut self, bytes: &[u8]) {
        if self.wanted {
            self.kept.head(bytes);
        }
    }

    fn body(&mut self, bytes: &[u8]) {
        self.errors.body(bytes);
        if self.wanted {
            self.kept.body(bytes);
        }
    }

    fn trailer(&mut self, bytes: &[u8]) {
        if self.wanted {
            self.kept.trailer(bytes);
        }
    }
}

/// The requests of a user with a script.
pub(in crate::load) struct ScriptedSource<'a> {
    plan: &'a ThreadPlan,
    scripts: &'a Scripts,
    user: HookUser,
    slots: SlotFiller<'a>,
    kind: usize,
    request: Vec<u8>,
    head_only: bool,
    waits: bool,
    idempotent: bool,
    closes: bool,
    look: Look,
}

impl<'a> ScriptedSource<'a> {
    fn in_place(plan: &'a ThreadPlan, scripts: &'a Scripts, (number, place): (u32, u32), user: HookUser) -> Self {
        ScriptedSource {
            plan,
            scripts,
            user,
            slots: SlotFiller::in_place(plan, number, place),
            kind: 0,
            request: Vec::new(),
            head_only: false,
            waits: false,
            idempotent: false,
            closes: false,
            look: Look { wanted: scripts.checks, kept: BufferedResponse::default(), errors: FirstErrors::default() },
        }
    }

    /// Writes what the script wants, with what it leaves open from the scenario.
    fn write(&mut self, wanted: UserRequest) -> Result<(), &'static str> {
        let ScriptedSource { plan, slots, kind, request, .. } = self;
        let (whole, own) = (&plan.requests_of(slots.number)[*kind], &plan.kinds[*kind].request);
        let session = plan.session_of(slots.number);
        let fixed = |placeholder: &_| plan.fixed_for(session, placeholder);
        request.clear();
        let merged;
        let prepared = if wanted == UserRequest::default() && !own.path.pieces.is_empty() {
            whole
        } else {
            let (own, body) = merge(own, wanted)?;
            let own = match session {
                Some(session) => plan.with_cookies(&own, session),
                None => own,
            };
            let mut prepared = PreparedRequest::once(&own, &plan.target.authority, &fixed);
            if let Some(UserBody { bytes, .. }) = body {
                prepared.set_body(bytes);
            }
            merged = prepared;
            &merged
        };
        prepared.write(request, &mut |placeholder, out| slots.fill(placeholder, out));
        (self.head_only, self.waits) = (prepared.head_only, prepared.waits);
        (self.idempotent, self.closes) = (prepared.idempotent, prepared.closes);
        Ok(())
    }

    /// What the script wants sent next; an error also if that makes no whole request.
    fn ask(&mut self) -> Result<Duration, ScriptError> {
        let (wanted, pause) = if self.scripts.requests {
            let called = self.scripts.hooks.request(&self.user, self.slots.seq);
            self.scripts.findings.borrow_mut().logged(called.log);
            called.result?
        } else {
            Default::default()
        };
        self.write(wanted).map_err(ScriptError::new)?;
        self.scripts.findings.borrow_mut().thinks(pause);
        Ok(pause)
    }
}

impl RequestSource for ScriptedSource<'_> {
    type Sink = Look;

    fn sibling(&self, place: u32) -> Self {
        ScriptedSource::in_place(self.plan, self.scripts, (self.slots.number, place), self.user.clone())
    }

    fn kind(&self) -> usize {
        self.kind
    }

    fn prepare(&mut self) -> Turn {
        self.kind = self.plan.draw_kind(self.slots.number, self.slots.seq);
        self.look.kept = BufferedResponse::default();
        let asked = self.ask();
        self.slots.advance();
        let error = match asked {
            Ok(pause) => return Turn::After(pause),
            Err(error) => error,
        };
        self.scripts.tell(REQUEST, &error);
        if let Some(at) = self.plan.clock.now().checked_sub(self.plan.begin) {
            let sample = HookSample::new(self.slots.number, self.slots.last(), at, error.to_string());
            self.scripts.findings.borrow_mut().error(sample);
        }
        Turn::Failed
    }

    fn outgoing(&mut self) -> (Outgoing<'_>, &mut Look) {
        let outgoing = Outgoing {
            bytes: &self.request,
            head_only: self.head_only,
            waits: self.waits,
            idempotent: self.idempotent,
            closes: self.closes,
        };
        (outgoing, &mut self.look)
    }

    fn error(&mut self) -> Option<&[u8]> {
        self.look.errors.take()
    }

    fn judge(&mut self, exchange: &Exchange) {
        let (status, failure) = match exchange.outcome {
            Outcome::Answered(status) => (Some(status), None),
            Outcome::Failed(failure) => (None, Some(failure)),
            Outcome::Unanswered => return,
        };
        if !self.scripts.checks {
            return;
        }
        let mut kept = std::mem::take(&mut self.look.kept);
        kept.decode();
        let BufferedResponse { head, body, undecoded, .. } = kept;
        let undecoded = undecoded.map(|why| why.to_string());
        let seen = Arc::new(client::HookExchange {
            user: self.user.clone(),
            seq: self.slots.last(),
            request: std::mem::take(&mut self.request),
            response: status.map(|status| HookResponse { status, head, body, undecoded }),
            failure: failure.map(Failure::name),
            latency: exchange.latency(),
            service_time: exchange.service_time(),
        });
        let called = self.scripts.hooks.check(&seen);
        if let (Err(error), None) = (&called.result, failure) {
            self.scripts.tell(CHECK, error);
        }
        let mut findings = self.scripts.findings.borrow_mut();
        findings.logged(called.log);
        let Some(at) = exchange.intended.checked_sub(self.plan.begin) else { return };
        let wrong = match (called.result, failure) {
            (Ok(wrong), _) => wrong,
            // A check that stumbles over a missing response says no more than that it is missing.
            (Err(_), Some(failure)) => Some(format!("there is no response: {}", failure.name())),
            (Err(error), None) => Some(error.to_string()),
        };
        findings.checked(wrong.map(|said| HookSample::new(self.slots.number, seen.seq, at, said).of(&seen)));
    }
}

/// The request that the scenario and the script make up together, with literal texts where the script speaks; its body
/// apart, as it need not be text.
fn merge(
    own: &scenario::RequestSpec,
    wanted: UserRequest,
) -> Result<(scenario::RequestSpec, Option<UserBody>), &'static str> {
    let mut request = own.clone();
    if let Some(path) = wanted.path {
        request = scenario::RequestSpec { path: Template::literal(path), query: Vec::new(), ..request };
    }
    if request.path.pieces.is_empty() {
        return Err("no path: neither `request` nor [load] gives one");
    }
    if let Some(query) = wanted.query.filter(|query| !query.is_empty()) {
        let query = Parameter { name: None, value: Template::literal(query) };
        // A path that a script gives may hold a query.
        match request.path.to_string().contains('?') {
            true => request.path.push_text(&format!("&{}", query.value)),
            false => request.query.push(query),
        }
    }
    if let Some(body) = &wanted.body {
        if own.body.is_none() && own.method == "GET" {
            "POST".clone_into(&mut request.method);
        }
        request.body = Some(scenario::request::BodySpec::Text(Template::default()));
        // The scenario's content type went with the body that is replaced.
        request.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
        let content_type = body.content_type.map(|kind| ("content-type".to_owned(), Template::literal(kind)));
        request.headers.extend(content_type);
    }
    for (name, value) in wanted.headers {
        request.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(&name));
        if name == "cookie" {
            request.cookies.clear();
        }
        request.headers.extend(value.map(|value| (name, Template::literal(value))));
    }
    request.method = wanted.method.unwrap_or(request.method);
    Ok((request, wanted.body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> scenario::RequestSpec {
        let header = |name: &str, value: &str| (name.to_owned(), Template::literal(value));
        scenario::RequestSpec {
            headers: vec![header("X-A", "own"), header("Content-Type", "text/plain")],
            ..scenario::RequestSpec::get(&Template::literal("/own?a=1"))
        }
    }

    fn sent(own: &scenario::RequestSpec, wanted: UserRequest) -> String {
        let (request, body) = merge(own, wanted).unwrap();
        let mut prepared = PreparedRequest::new(&request, "h", &|_| None);
        if let Some(body) = body {
            prepared.set_body(body.bytes);
        }
        let mut out = Vec::new();
        prepared.write(&mut out, &mut |_, _| {});
        let agent = concat!("user-agent: runner/", env!("CARGO_PKG_VERSION"), "\r\naccept: */*\r\n");
        String::from_utf8(out).unwrap().replace(agent, "")
    }

    #[test]
    fn what_a_script_leaves_open_comes_from_the_scenario() {
        let expected = "GET /own?a=1 HTTP/1.1\r\nhost: h\r\nX-A: own\r\nContent-Type: text/plain\r\n\r\n";
        assert_eq!(sent(&own(), UserRequest::default()), expected);
        let query = UserRequest { query: Some("b=2".to_owned()), ..UserRequest::default() };
        assert!(sent(&own(), query).starts_with("GET /own?a=1&b=2 HTTP/1.1\r\n"));
    }

    #[test]
    fn what_a_script_gives_replaces_what_the_scenario_has() {
        let body = UserBody { bytes: b"{}".to_vec(), content_type: Some("application/json") };
        let headers = vec![("x-a".to_owned(), None), ("x-b".to_owned(), Some("2".to_owned()))];
        let wanted = UserRequest { body: Some(body), headers, path: Some("/new".to_owned()), ..UserRequest::default() };
        let expected = "POST /new HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\nx-b: 2\r\n\
                        content-length: 2\r\n\r\n{}";
        assert_eq!(sent(&own(), wanted), expected);
    }

    #[test]
    fn a_request_without_a_path_is_an_error() {
        let own = scenario::RequestSpec { path: Template::default(), ..own() };
        assert!(merge(&own, UserRequest::default()).unwrap_err().contains("no path"));
    }
}
