//! Logging in: one request or several, what is taken from their responses, and that something uses it.

use super::super::file::{
    self, Follow, MOST_HOPS,
    values::{Entries, Located},
};
use super::super::login::{CaptureSource, CaptureSpec, LoginSpec, LoginStep};
use super::super::problem::Problem;
use super::super::source::Span;
use super::super::template::{Placeholder, TOKEN, Template};
use super::super::{RequestSpec, suggest};
use super::Loading;
use super::data::Given;
use super::request::Parts;

/// More of them are no login.
const MOST_STEPS: usize = 20;

/// The section that a login belongs to.
pub(super) struct LoginSection<'w> {
    /// `dirty` or `load`.
    pub section: &'static str,
    pub workers_known: bool,
    /// Names of what fills `{identity.field}`.
    pub identity: &'w [String],
    /// The data file that fills `{data.column}`.
    pub data: Option<&'w Given>,
}

/// A step as it is written, in `[dirty.login]` itself or in a table of its own.
struct Written<'w> {
    parts: Parts<'w>,
    token: &'w Option<Located<String>>,
    capture: &'w Option<Entries<file::RawCapture>>,
    follow: &'w Option<Located<Follow>>,
}

impl Written<'_> {
    /// The first key that is given, and where.
    fn given(&self) -> Option<(&'static str, &Span)> {
        let capture = self.capture.as_ref().and_then(|captures| captures.0.first()).map(|(name, _)| &name.span);
        let others = [
            ("token", self.token.as_ref().map(|token| &token.span)),
            ("capture", capture),
            ("follow", self.follow.as_ref().map(|follow| &follow.span)),
        ];
        self.parts.given().or_else(|| others.into_iter().find_map(|(key, span)| Some((key, span?))))
    }

    fn captures(&self) -> impl Iterator<Item = String> {
        let named = self.capture.iter().flat_map(|captures| captures.0.iter().map(|(name, _)| name.value.clone()));
        self.token.iter().map(|_| TOKEN.to_owned()).chain(named)
    }
}

/// The steps of a login, in their order.
fn written<'w>(at: &'w Located<file::RawLogin>, owner: &LoginSection<'w>) -> Vec<Written<'w>> {
    let LoginSection { section, workers_known, identity, data } = *owner;
    let whole = Written {
        parts: Parts { identity, data, ..Parts::of_login(at, section, workers_known) },
        token: &at.value.token,
        capture: &at.value.capture,
        follow: &at.value.follow,
    };
    let Some(steps) = &at.value.step else { return vec![whole] };
    let steps = steps.value.iter().map(|step| Written {
        parts: Parts { identity, data, ..Parts::of_step(step, section, workers_known) },
        token: &step.value.token,
        capture: &step.value.capture,
        follow: &step.value.follow,
    });
    // What stands beside the steps is the last, for those who look at all.
    steps.chain(whole.given().is_some().then_some(whole)).collect()
}

/// The names that a login captures.
pub(super) fn captured(at: Option<&Located<file::RawLogin>>) -> Vec<String> {
    let owner = LoginSection { section: "dirty", workers_known: true, identity: &[], data: None };
    let steps = at.iter().flat_map(|at| written(at, &owner));
    let mut names: Vec<String> = steps.flat_map(|step| step.captures().collect::<Vec<_>>()).collect();
    names.sort();
    names.dedup();
    names
}

impl Loading<'_> {
    /// `None` after a problem that leaves no login.
    pub(super) fn login(&mut self, at: &Located<file::RawLogin>, owner: &LoginSection<'_>) -> Option<LoginSpec> {
        let mut steps = written(at, owner);
        if let Some(given) = &at.value.step {
            self.check_steps(at, given, owner, &steps);
            steps.truncate(given.value.len());
        }
        let all: Vec<String> = steps.iter().flat_map(|step| step.captures().collect::<Vec<_>>()).collect();
        let mut before: Vec<String> = Vec::new();
        let mut meant = Vec::new();
        for Written { parts, token, capture, follow } in steps {
            let request = self.request(&Parts { captured: &before, captured_later: &all, ..parts });
            let follow = self.follow(follow);
            let captures = self.captures(token, capture);
            before.extend(captures.iter().map(|capture| capture.name.clone()));
            meant.push(request.map(|request| LoginStep { request, follow, captures }));
        }
        let once = at.value.once.as_ref().map(|once| once.value);
        // A server that runner does not start keeps its sessions.
        let login =
            LoginSpec { steps: meant.into_iter().collect::<Option<_>>()?, once: once.unwrap_or(!owner.workers_known) };
        if owner.section == "dirty" {
            self.check_who(at, &login);
        } else if let Some(once) = &at.value.once {
            let problem = Problem::new("`once` in [load.login]").at(&once.span, "has no effect here");
            self.problems.add(problem.help("remove it: each user of a load logs in once, before it begins"));
        }
        Some(login)
    }

    fn check_steps(
        &mut self,
        at: &Located<file::RawLogin>,
        given: &Located<Vec<Located<file::RawLoginStep>>>,
        owner: &LoginSection<'_>,
        all: &[Written<'_>],
    ) {
        let section = owner.section;
        if given.value.is_empty() || given.value.len() > MOST_STEPS {
            let problem = Problem::new(format!("{} steps in a login", given.value.len())).at(&given.span, "");
            self.problems.add(problem.help(format!("write 1 to {MOST_STEPS} of [[{section}.login.step]]")));
        }
        let Some((key, span)) = all.get(given.value.len()).and_then(Written::given) else { return };
        let problem = Problem::new(format!("`{key}` of [{section}.login] next to [[{section}.login.step]]"));
        let problem = problem
            .at(span, "of which step?")
            .also(given.value.first().map_or(&at.span, |step| &step.span), "a step has its own");
        self.problems.add(problem.help(format!("move `{key}` into the [[{section}.login.step]] that it belongs to")));
    }

    /// That logins differ from one identity to another.
    fn check_who(&mut self, at: &Located<file::RawLogin>, login: &LoginSpec) {
        let tells =
            |request: &RequestSpec| request.has(|hole| matches!(hole, Placeholder::Canary | Placeholder::Identity(_)));
        if login.requests().any(tells) || self.spoilt.touches(&["dirty", "login"]) {
            return;
        }
        let step = at.value.step.as_ref().and_then(|steps| steps.value.last());
        let path = step.map_or(&at.value.path, |step| &step.value.path);
        let span = path.as_ref().map_or(&at.span, |path| &path.span);
        let problem = Problem::new("every login is the same").at(span, "nothing here tells who logs in");
        let help = "put `{canary}` or `{identity.field}` where the server takes in who it is";
        self.problems.add(problem.help(help));
    }

    /// How many redirects are followed.
    pub(super) fn follow(&mut self, given: &Option<Located<Follow>>) -> u32 {
        let Some(given) = given else { return 0 };
        match given.value {
            Follow::All(all) => u32::from(all) * MOST_HOPS,
            Follow::Some(most) => match u32::try_from(most) {
                Ok(most) if most <= MOST_HOPS => most,
                _ => {
                    let side = if most < 0 { "less than 0".to_owned() } else { format!("more than {MOST_HOPS}") };
                    let problem = Problem::new("`follow` is out of range").at(&given.span, side);
                    self.problems.add(problem.help(format!("write true, or how many redirects, up to {MOST_HOPS}")));
                    0
                }
            },
        }
    }

    /// What is taken from the response to a step.
    pub(super) fn captures(
        &mut self,
        token: &Option<Located<String>>,
        named: &Option<Entries<file::RawCapture>>,
    ) -> Vec<CaptureSpec> {
        let mut captures = Vec::new();
        if let Some(token) = token {
            let from = CaptureSource::Json(self.json_path("token", token));
            captures.push(CaptureSpec { name: TOKEN.to_owned(), from });
        }
        for (name, given) in named.as_ref().map_or(&[][..], |named| &named.0) {
            if Template::parse(&format!("{{capture.{}}}", name.value)).is_err() {
                let problem = Problem::new(format!("`{}` is no name of a capture", name.value.escape_debug()));
                let problem = problem.at(&name.span, "cannot stand in `{capture.NAME}`");
                self.problems.add(problem.help("use letters, digits and `_`, as in csrf_token"));
            } else if captures.iter().any(|known| known.name == name.value) {
                let problem = Problem::new("both `token` and a capture named `token`").at(&name.span, "again");
                self.problems.add(problem.help("keep one of them: `token` is a capture from JSON with this name"));
            } else if let Some(from) = self.source(name, given) {
                captures.push(CaptureSpec { name: name.value.clone(), from });
            }
        }
        captures
    }

    fn source(&mut self, name: &Located<String>, given: &Located<file::RawCapture>) -> Option<CaptureSource> {
        let file::RawCapture { field, meta, json, header, cookie } = &given.value;
        let kinds = [("field", field), ("meta", meta), ("json", json), ("header", header), ("cookie", cookie)];
        let mut found = kinds.into_iter().filter_map(|(key, text)| Some((key, text.as_ref()?)));
        let keys = suggest::list(&kinds.map(|(key, _)| key));
        let Some((key, text)) = found.next() else {
            let problem = Problem::new(format!("nothing says where `{}` is taken from", name.value));
            let problem = problem.at(&given.span, "from which part of the response?");
            if !self.spoilt.touches(&["dirty", "login"]) && !self.spoilt.touches(&["load", "login"]) {
                self.problems.add(problem.help(format!("write one of {keys}, as in {{ field = \"csrf_token\" }}")));
            }
            return None;
        };
        if let Some((other, second)) = found.next() {
            let problem = Problem::new(format!("`{}` is taken from two places", name.value));
            let problem = problem.at(&text.span, "this is one").also(&second.span, "this is another");
            self.problems.add(problem.help(format!("keep one of `{key}` and `{other}`")));
        }
        if text.value.trim().is_empty() {
            let problem = Problem::new(format!("`{key}` names nothing")).at(&text.span, "a name is missing");
            self.problems
                .add(problem.help(format!("write the name that it has in the response: {key} = \"csrf_token\"")));
        }
        let value = text.value.clone();
        Some(match key {
            "json" => CaptureSource::Json(self.json_path(key, text)),
            "header" => CaptureSource::Header(value),
            "cookie" => CaptureSource::Cookie(value),
            "meta" => CaptureSource::Meta(value),
            _ => CaptureSource::Field(value),
        })
    }

    /// Names and indices, with dots between them.
    fn json_path(&mut self, key: &str, text: &Located<String>) -> Vec<String> {
        let path: Vec<String> = text.value.split('.').map(str::to_owned).collect();
        if path.iter().any(String::is_empty) && !text.value.trim().is_empty() {
            let problem = Problem::new(format!("`{key}` does not name a field")).at(&text.span, "a name is missing");
            self.problems.add(problem.help(format!("write {key} = \"access_token\", or with dots, \"data.token\"")));
        }
        path
    }

    /// That what a login captures is used: by a later step, or by one of the `requests` of its section.
    pub(super) fn check_captures(
        &mut self,
        at: &Located<file::RawLogin>,
        owner: &LoginSection<'_>,
        login: &LoginSpec,
        requests: &[&RequestSpec],
    ) {
        let section = owner.section;
        if self.spoilt.touches(&[section]) {
            return;
        }
        for (index, (step, meant)) in written(at, owner).iter().zip(&login.steps).enumerate() {
            let after = || login.requests().skip(index + 1).chain(requests.iter().copied());
            let uses = |name: &str| after().any(|request| request.has(|hole| hole.captured() == Some(name)));
            if let Some(token) = step.token.as_ref().filter(|_| !uses(TOKEN)) {
                let problem = Problem::new("nothing uses the login's token").at(&token.span, "fills no `{token}`");
                let help =
                    format!("write headers = {{ authorization = \"Bearer {{token}}\" }} in [{section}], or remove it");
                self.problems.add(problem.help(help));
            }
            // What is wrong with the others is said already.
            let taken = |name: &str| meant.captures.iter().any(|capture| capture.name == name);
            let named = step.capture.iter().flat_map(|captures| &captures.0);
            for (name, _) in named.filter(|(name, _)| name.value != TOKEN || step.token.is_none()) {
                if !taken(&name.value) || uses(&name.value) {
                    continue;
                }
                let name_of = &name.value;
                let problem = Problem::new(format!("nothing uses the capture `{name_of}`"));
                let problem = problem.at(&name.span, format!("fills no `{{capture.{name_of}}}` that is sent later"));
                let help = format!("write `{{capture.{name_of}}}` in a later step or in [{section}], or remove it");
                self.problems.add(problem.help(help));
            }
        }
    }

    /// `{token}` or `{capture.name}` without one that was captured before.
    pub(super) fn not_captured(&mut self, hole: &Placeholder, name: &str, place: &Span, parts: &Parts<'_>) {
        let section = parts.section;
        let top = section.split('.').next().unwrap_or(section);
        if self.spoilt.touches(&[top, "login"]) {
            return;
        }
        let within_login = section.contains("login");
        let (title, help) = match hole {
            Placeholder::Token if within_login => (
                "`{token}` in the login itself".to_owned(),
                "there is none before the login; use `{canary}` or `{identity.field}`".to_owned(),
            ),
            Placeholder::Token => {
                let or = if top == "load" { ", or write the header itself, with secrets as ${NAME}" } else { "" };
                (
                    "`{token}` without a login that gives one".to_owned(),
                    format!("add token = \"access_token\" to [{top}.login]{or}"),
                )
            }
            _ if within_login && parts.captured_later.iter().any(|later| later == name) => (
                format!("`{hole}` before it is captured"),
                format!("only a response gives it: take it in a [[{top}.login.step]] before this one"),
            ),
            _ if section == "dirty.request" => {
                let known: Vec<&str> = parts.captured.iter().map(String::as_str).collect();
                let help = match known.is_empty() {
                    true => {
                        format!("add capture = {{ {name} = \"id\" }} to the [[dirty.request]] whose response gives it")
                    }
                    false => suggest::help(name, "captures", &known),
                };
                (format!("no request captures `{name}`"), help)
            }
            _ => {
                let known: Vec<&str> = parts.captured.iter().map(String::as_str).collect();
                let help = match known.is_empty() {
                    true => format!("add capture = {{ {name} = {{ field = \"{name}\" }} }} to [{top}.login]"),
                    false => suggest::help(name, "captures", &known),
                };
                (format!("no login captures `{name}`"), help)
            }
        };
        self.problems.add(Problem::new(title).at(place, "nothing fills this").help(help));
    }
}
