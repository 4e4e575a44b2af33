//! A sweep: the requests of `[[dirty.request]]` and of the document that `from` names, and which of them may be sent.

use super::super::file::{self, values::Located};
use super::super::import::{self, Effect, GivenValue, Operation};
use super::super::login::{CaptureSource, CaptureSpec};
use super::super::problem::why;
use super::super::problem::{Problem, Severity};
use super::super::source::Span;
use super::super::sweep::{
    CommonParts, OperationPattern, ResetSpec, SharedData, SweepOperation, SweepPolicy, SweepSource, SweepSpec,
};
use super::super::template::{Placeholder, Template};
use super::super::{RequestSpec, sweep};
use super::login::{self, LoginSection};
use super::model::MOST_RATE;
use super::request::Parts;
use super::{Loading, value};

/// More requests than any application documents.
const MOST_REQUESTS: usize = 5000;
const CONCURRENCY: (i64, i64) = (2, 1024);

/// What a sweep shares with the rest of its check.
pub(super) struct SweepContext<'w> {
    pub workers_known: bool,
    /// Names of what fills `{identity.field}`.
    pub identity: &'w [String],
    pub has_login: bool,
}

impl Loading<'_> {
    /// The sweep that `[dirty]` asks for; the inner `None` after a problem, the outer if it asks for none.
    pub(super) fn sweep(
        &mut self,
        at: &Located<file::RawDirty>,
        context: &SweepContext<'_>,
    ) -> Option<Option<SweepSpec>> {
        let written = &at.value;
        if written.request.is_none() && written.from.is_none() {
            self.keys_of_a_sweep(at);
            return None;
        }
        self.keys_of_one_request(at);
        let captured = captured(written);
        let common = self.common(at, context, &captured);
        let given = self.given_requests(at, context, &captured, &common);
        let policy = SweepPolicy {
            methods: value(&written.methods).unwrap_or_default(),
            leave_out: written
                .leave_out
                .iter()
                .flatten()
                .map(|text| OperationPattern::from(text.value.as_str()))
                .collect(),
        };
        let signup = written.signup.as_ref().map(|signup| {
            let owner = LoginSection {
                section: "dirty",
                workers_known: context.workers_known,
                identity: context.identity,
                data: None,
            };
            self.login(signup, &owner)
        });
        let rate = written.rate.as_ref().and_then(|rate| {
            if rate.value.0 > 0.0 && rate.value.0 <= MOST_RATE {
                return Some(rate.value.0);
            }
            let problem = Problem::new("`rate` is out of range").at(&rate.span, "no such rate");
            self.problems.add(problem.help("write a rate above zero, as in rate = \"200/s\""));
            None
        });
        let spec = SweepSpec {
            operations: given?,
            omitted: Vec::new(),
            source: SweepSource::Scenario,
            base: self.base(written),
            policy,
            values: self.given_values(written),
            rate,
            concurrency: self.whole("concurrency", &written.concurrency, CONCURRENCY.0, CONCURRENCY.1),
            reset: written
                .reset
                .as_ref()
                .map(|reset| ResetSpec { command: reset.value.clone(), folder: self.folder.clone() }),
            shared: self.shared(written),
            signup: signup.map_or(Some(None), |signup| signup.map(Some))?,
            common,
        };
        let spec = match &written.from {
            None => Some(spec),
            // What else is wrong with the document is known once the server is up.
            Some(from) if from.value.starts_with('/') => {
                self.check_path_text(from, &from.value);
                Some(SweepSpec { source: SweepSource::Server(from.value.clone()), ..spec })
            }
            Some(from) => self.imported_sweep(from, spec, context, written.base.as_ref()),
        };
        if let Some(spec) = &spec {
            self.check_canaries(at, spec, context);
        }
        if let (Some(shared), Some(spec)) = (&written.shared, &spec)
            && spec.source != SweepSource::Server(written.from.as_ref().map_or_else(String::new, |it| it.value.clone()))
        {
            self.check_shared(shared, spec);
        }
        Some(spec)
    }

    /// That something tells one user's requests from another's, as far as they are known.
    fn check_canaries(&mut self, at: &Located<file::RawDirty>, spec: &SweepSpec, context: &SweepContext<'_>) {
        let tells = |hole: &Placeholder| hole.is_canary() || matches!(hole, Placeholder::Identity(_));
        let told = spec.operations.iter().any(|one| one.operation.request.has(tells));
        let is_known = !matches!(spec.source, SweepSource::Server(_)) && !spec.operations.is_empty();
        if told || context.has_login || !is_known || self.spoilt.touches(&["dirty"]) {
            return;
        }
        let span = at.value.from.as_ref().map(|from| &from.span).or(at.value.request.as_ref().map(|it| &it.span));
        let problem = Problem::new("no request has a `{canary}`");
        let problem = problem.at(span.unwrap_or(&at.span), "nothing here tells one user's requests from another's");
        let help = "say who asks, as in headers = { x-user = \"{canary}\" } in [dirty], or add [dirty.login]";
        let problem = problem.help(help);
        match at.value.from {
            // Requests of others may carry one after all, once somebody says where.
            Some(_) => self.warnings.push(problem.only(Severity::Warning)),
            None => self.problems.add(problem),
        }
    }

    /// Keys that only a sweep has a use for.
    fn keys_of_a_sweep(&mut self, at: &Located<file::RawDirty>) {
        let written = &at.value;
        let first =
            |list: &Option<Vec<Located<String>>>| list.as_ref().and_then(|list| Some(list.first()?.span.clone()));
        let given = [
            ("base", written.base.as_ref().map(|it| it.span.clone())),
            ("methods", written.methods.as_ref().map(|it| it.span.clone())),
            ("leave_out", first(&written.leave_out)),
            ("rate", written.rate.as_ref().map(|it| it.span.clone())),
            ("reset", written.reset.as_ref().map(|it| it.span.clone())),
            ("shared", first(&written.shared)),
            ("values", written.values.as_ref().and_then(|it| it.0.first()).map(|(name, _)| name.span.clone())),
            ("signup", written.signup.as_ref().map(|it| it.span.clone())),
            ("concurrency", written.concurrency.as_ref().map(|it| it.span.clone())),
        ];
        if self.spoilt.touches(&["dirty", "from"]) || self.spoilt.touches(&["dirty", "request"]) {
            return;
        }
        for (key, span) in given {
            let Some(span) = span else { continue };
            let problem = Problem::new(format!("`{key}` without a sweep")).at(&span, "has no effect here");
            let help = format!("add from = \"/openapi.json\" or [[dirty.request]], or remove `{key}`");
            self.problems.add(problem.help(help));
        }
    }

    /// What the paths of a document begin with.
    fn base(&mut self, written: &file::RawDirty) -> Option<String> {
        let base = written.base.as_ref()?;
        if written.from.is_none() {
            let problem = Problem::new("`base` without `from`").at(&base.span, "has no effect here");
            self.problems.add(problem.help("remove it: a [[dirty.request]] has its whole path"));
        } else if !base.value.starts_with('/') || base.value.contains(['?', '#', ' ']) {
            let problem = Problem::new("`base` is no path").at(&base.span, "does not begin with `/`, or has more");
            self.problems.add(problem.help("write what all paths begin with, as in base = \"/api\""));
        }
        Some(base.value.clone())
    }

    /// Keys that say what one request is.
    fn keys_of_one_request(&mut self, at: &Located<file::RawDirty>) {
        let written = &at.value;
        let sweep = written.request.as_ref().map(|it| &it.span).or(written.from.as_ref().map(|it| &it.span));
        let which = if written.request.is_some() { "[[dirty.request]]" } else { "`from`" };
        let first = |entries: Option<&Span>| entries.cloned();
        let given = [
            ("path", written.path.as_ref().map(|it| it.span.clone())),
            ("query", first(written.query.as_ref().and_then(|it| it.0.first()).map(|(name, _)| &name.span))),
            ("also", written.also.as_ref().and_then(|it| it.first()).map(|it| it.span.clone())),
            ("method", written.method.as_ref().map(|it| it.span.clone())),
            ("json", written.json.as_ref().map(|it| it.span.clone())),
            ("form", first(written.form.as_ref().and_then(|it| it.0.first()).map(|(name, _)| &name.span))),
            ("body", written.body.as_ref().map(|it| it.span.clone())),
            ("sleep", written.sleep.as_ref().map(|it| it.span.clone())),
        ];
        for (key, span) in given {
            let (Some(span), Some(sweep)) = (span, sweep) else { continue };
            let problem = Problem::new(format!("`{key}` of [dirty] next to {which}"));
            let problem = problem.at(&span, "of which request?").also(sweep, "these have their own");
            self.problems.add(problem.help(format!("move `{key}` into a [[dirty.request]], or remove it")));
        }
        if let (Some(methods), None) = (&written.methods, &written.from) {
            let problem = Problem::new("`methods` without `from`").at(&methods.span, "has no effect here");
            self.problems.add(problem.help("remove it: what [[dirty.request]] names is sent, whatever its method"));
        }
    }

    /// What goes with every request.
    fn common(&mut self, at: &Located<file::RawDirty>, context: &SweepContext<'_>, captured: &[String]) -> CommonParts {
        let parts = Parts::of_dirty(at, context.workers_known, context.identity, captured);
        CommonParts { headers: self.headers(&parts), cookies: self.cookies(&parts) }
    }

    /// The requests that the scenario names.
    fn given_requests(
        &mut self,
        at: &Located<file::RawDirty>,
        context: &SweepContext<'_>,
        captured: &[String],
        common: &CommonParts,
    ) -> Option<Vec<SweepOperation>> {
        let Some(written) = &at.value.request else { return Some(Vec::new()) };
        if written.value.is_empty() && self.spoilt.touches(&["dirty", "request"]) {
            return None;
        }
        if written.value.is_empty() || written.value.len() > MOST_REQUESTS {
            let problem = Problem::new(format!("{} requests in `request`", written.value.len()));
            self.problems.add(problem.at(&written.span, "").help(format!("write 1 to {MOST_REQUESTS}")));
            return None;
        }
        let mut operations: Vec<SweepOperation> = Vec::new();
        let mut whole = true;
        for one in &written.value {
            let Some(new) = self.given_request(one, context, captured, common) else {
                whole = false;
                continue;
            };
            if operations.iter().any(|known| known.name() == new.name()) {
                let problem = Problem::new(format!("two requests named `{}`", new.name()));
                let span = one.value.name.as_ref().map_or(&one.span, |name| &name.span);
                self.problems.add(problem.at(span, "again").help("give each a `name` of its own"));
            }
            operations.push(new);
        }
        whole.then_some(operations)
    }

    fn given_request(
        &mut self,
        at: &Located<file::RawSweepRequest>,
        context: &SweepContext<'_>,
        captured: &[String],
        common: &CommonParts,
    ) -> Option<SweepOperation> {
        let written = &at.value;
        let parts = Parts {
            query: written.query.as_ref(),
            identity: context.identity,
            captured,
            ..Parts::of_sweep_request(at, context.workers_known)
        };
        let request = self.request(&parts);
        let mut captures = self.captures(&None, &written.capture);
        for capture in &mut captures {
            // An id is the last part of where something was put.
            if matches!(&capture.from, CaptureSource::Header(name) if name.eq_ignore_ascii_case("location")) {
                capture.from = CaptureSource::Location;
            }
        }
        let request = common.added_to(&request?);
        let name = match &written.name {
            Some(name) => name.value.clone(),
            None => format!("{} {}", request.method, request.path),
        };
        let effect = Effect::of(&request.method);
        let cleanup = value(&written.cleanup).unwrap_or(false);
        let needs = needs(&request);
        if cleanup && needs.is_empty() {
            let problem = Problem::new(format!("`{name}` removes nothing that was created"));
            let span = written.cleanup.as_ref().map_or(&at.span, |cleanup| &cleanup.span);
            let problem = problem.at(span, "its request has no `{capture.NAME}`");
            self.problems
                .add(problem.help("write {capture.NAME} where the id stands, and capture it where it is created"));
        }
        let creates =
            captures.first().filter(|_| effect == Effect::Write).map(|capture: &CaptureSpec| capture.name.clone());
        let deletes = needs.first().filter(|_| cleanup).cloned();
        let operation = Operation {
            name,
            effect,
            danger: None,
            request,
            carriers: Vec::new(),
            captures,
            guessed: Vec::new(),
            needs,
            secured: false,
            creates,
            deletes,
        };
        Some(SweepOperation::given(operation, cleanup))
    }

    /// Values by name, or by operation and name.
    fn given_values(&mut self, written: &file::RawDirty) -> Vec<GivenValue> {
        let mut values = Vec::new();
        for (name, node) in written.values.as_ref().map_or(&[][..], |values| &values.0) {
            let text = match &node.value {
                file::values::Node::Text(text) => text.clone(),
                file::values::Node::List(_) | file::values::Node::Table(_) => {
                    let problem = Problem::new(format!("the value of `{}` is not plain", name.value));
                    self.problems.add(problem.at(&node.span, "a list or a table").help("write a string or a number"));
                    continue;
                }
                plain => plain.to_json().to_string(),
            };
            let (operation, name) = match name.value.rsplit_once(": ") {
                Some((operation, name)) => (Some(operation.trim().to_owned()), name.trim().to_owned()),
                None => (None, name.value.clone()),
            };
            values.push(GivenValue { operation, name, value: Template::literal(text) });
        }
        values
    }

    fn shared(&mut self, written: &file::RawDirty) -> Vec<SharedData> {
        let mut all = Vec::new();
        for text in written.shared.iter().flatten() {
            match text.value.parse() {
                Ok(shared) => all.push(shared),
                Err(()) => {
                    let problem =
                        Problem::new("`shared` does not say what shows what").at(&text.span, "no `->` between two");
                    let help = "write \"POST /guestbook -> GET /guestbook\", or \"* -> GET /guestbook\"";
                    self.problems.add(problem.help(help));
                }
            }
        }
        all
    }

    /// That each name in `shared` is that of an operation.
    fn check_shared(&mut self, written: &[Located<String>], spec: &SweepSpec) {
        let names: Vec<&str> = spec.operations.iter().map(SweepOperation::name).collect();
        let omitted = |pattern: &OperationPattern| spec.omitted.iter().any(|it| pattern.matches(&it.name));
        for text in written {
            let Ok(shared) = text.value.parse::<SharedData>() else { continue };
            for pattern in shared.source.iter().chain([&shared.victim]) {
                if names.iter().any(|name| pattern.matches(name)) || omitted(pattern) {
                    continue;
                }
                let problem =
                    Problem::new(format!("no request is `{pattern}`")).at(&text.span, "nothing is meant by it");
                let help = super::super::suggest::help(&pattern.to_string(), "requests", &names);
                self.problems.add(problem.help(help));
            }
        }
    }

    /// The operations of a document beside the scenario.
    fn imported_sweep(
        &mut self,
        from: &Located<String>,
        spec: SweepSpec,
        context: &SweepContext<'_>,
        base: Option<&Located<String>>,
    ) -> Option<SweepSpec> {
        let path = self.folder.join(&from.value);
        let text = match self.system.read(&path) {
            Ok(text) => text,
            Err(error) => {
                let problem = Problem::new(format!("cannot read `{}`", from.value));
                let problem = problem.at(&from.span, format!("{}: {}", path.display(), why(&error)));
                let help = "paths in a scenario count from the scenario's own folder; one that begins with `/` is asked of the server";
                self.problems.add(problem.help(help));
                return None;
            }
        };
        let options = spec.import_options();
        let mut imported = match import::import_with(text.as_bytes(), &options) {
            Ok(imported) => imported,
            Err(error) => {
                let start = self.problems.sources.add(path.to_string_lossy(), text.as_str());
                let place = place(&text, start, error.line, error.column);
                let problem = Problem::new(format!("cannot import `{}`: {}", from.value, error.what));
                let problem = match place {
                    Some(place) => problem.at(&place, "here").also(&from.span, "named here"),
                    None => problem.at(&from.span, "named here"),
                };
                self.problems.add(problem.help(error.remedy));
                return None;
            }
        };
        for name in imported.variables.clone() {
            if let Some(value) = self.system.variable(&name) {
                self.secrets.add(&name, &value);
            }
        }
        let missing = imported.fill(&|name| self.system.variable(name));
        if !missing.is_empty() {
            let problem = Problem::new(format!("`{}` needs values that are not in it", from.value));
            let problem = problem.at(&from.span, format!("nothing fills {}", missing.join(", ")));
            self.problems
                .add(problem.help("set these as environment variables: they stand for what is secret, or unknown"));
        }
        if let (Some(base), true) = (base, imported.format != import::ImportFormat::OpenApi) {
            let problem = Problem::new(format!("`base` for `{}`", from.value));
            let problem =
                problem.at(&base.span, "has no effect here").also(&from.span, "its requests have their whole paths");
            self.problems
                .add(problem.help("remove it: only an OpenAPI document can leave out what its paths begin with"));
        }
        let selection = sweep::select(&spec, &imported, context.has_login);
        if selection.operations.is_empty() {
            let count = selection.omitted.len();
            let problem = Problem::new(format!("nothing of `{}` is asked", from.value));
            let label = match selection.omitted.first() {
                Some(first) => format!("{count} left out, as {}: {}", first.name, first.reason),
                None => "no request is in it".to_owned(),
            };
            let help = selection.omitted.first().and_then(|first| first.reason.remedy(&first.name));
            let help = help.unwrap_or_else(|| "name another document".to_owned());
            self.problems.add(problem.at(&from.span, label).help(help));
            return None;
        }
        let (operations, omitted) = (selection.operations, selection.omitted);
        Some(SweepSpec { operations, omitted, source: SweepSource::File(from.value.clone()), ..spec })
    }
}

/// The names that fill `{capture.NAME}` in the requests of a sweep: what the sign-up, the login and the requests take.
fn captured(written: &file::RawDirty) -> Vec<String> {
    let requests = written.request.iter().flat_map(|requests| &requests.value);
    let named = requests.flat_map(|request| request.value.capture.iter().flat_map(|capture| &capture.0));
    let mut names: Vec<String> = named.map(|(name, _)| name.value.clone()).collect();
    names.extend(login::captured(written.login.as_ref()));
    names.extend(login::captured(written.signup.as_ref()));
    names.sort();
    names.dedup();
    names
}

/// The captures that a request is filled with.
fn needs(request: &RequestSpec) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for hole in request.holes() {
        if let Some(name) = hole.captured().filter(|name| !names.iter().any(|known| known == name)) {
            names.push(name.to_owned());
        }
    }
    names
}

/// The place of a line and column, from 1, in a text that is laid at `start`.
fn place(text: &str, start: usize, line: Option<usize>, column: Option<usize>) -> Option<Span> {
    let at = text.split_inclusive('\n').take(line?.saturating_sub(1)).map(str::len).sum::<usize>();
    let rest = text.get(at..)?.lines().next().unwrap_or_default();
    let inside = rest.char_indices().nth(column.unwrap_or(1).saturating_sub(1)).map_or(0, |(index, _)| index);
    Some(start + at + inside..start + at + rest.len().max(inside))
}
