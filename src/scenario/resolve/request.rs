//! Requests: method, path, headers and body. What their texts leave open is the matter of `holes`.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::super::file::values::{Entries, Located, Node};
use super::super::problem::Problem;
use super::super::request::{BodySpec, Json, Parameter, encoded};
use super::super::source::Span;
use super::super::template::{Piece, Placeholder, Template};
use super::super::{RequestSpec, file, suggest};
use super::Loading;
use super::data::Given;
use crate::traceparent;

/// The keys of a section that make up its request, and what its placeholders can be filled with.
pub(super) struct Parts<'w> {
    /// Its keys joined by dots: `dirty.login`.
    pub section: &'static str,
    pub span: &'w Span,
    pub path: &'w Option<Located<String>>,
    pub query: Option<&'w Entries<Node>>,
    pub method: &'w Option<Located<String>>,
    pub headers: &'w Option<Entries<String>>,
    pub traceparent: Option<&'w Located<bool>>,
    pub cookies: &'w Option<Entries<String>>,
    pub json: &'w Option<Located<Node>>,
    pub form: &'w Option<Entries<Node>>,
    pub body: &'w Option<Located<String>>,
    pub has_sleep: bool,
    pub workers_known: bool,
    /// The data file that fills `{data.column}`.
    pub data: Option<&'w Given>,
    /// A script's `request` gives what is missing here, also a path.
    pub scripted: bool,
    /// Names of what fills `{identity.field}`.
    pub identity: &'w [String],
    /// Names of what fills `{capture.name}`: values that a login has taken before this is sent.
    pub captured: &'w [String],
    /// Names of what the login takes in all.
    pub captured_later: &'w [String],
}

/// Names the keys that [`file::RawLoad`], [`file::RawDirty`], [`file::RawLogin`] and [`file::RawLoginStep`] share.
macro_rules! parts {
    ($section:literal, $at:expr, $workers_known:expr) => {
        Parts {
            section: $section,
            span: &$at.span,
            path: &$at.value.path,
            query: None,
            method: &$at.value.method,
            headers: &$at.value.headers,
            traceparent: None,
            cookies: &$at.value.cookies,
            json: &$at.value.json,
            form: &$at.value.form,
            body: &$at.value.body,
            has_sleep: false,
            workers_known: $workers_known,
            data: None,
            scripted: false,
            identity: &[],
            captured: &[],
            captured_later: &[],
        }
    };
}

impl<'w> Parts<'w> {
    /// `captured` names what its login takes.
    pub fn of_load(
        at: &'w Located<file::RawLoad>,
        workers_known: bool,
        data: Option<&'w Given>,
        scripted: bool,
        captured: &'w [String],
    ) -> Self {
        let (has_sleep, traceparent) = (at.value.sleep.is_some(), at.value.traceparent.as_ref());
        Parts { has_sleep, traceparent, data, scripted, captured, ..parts!("load", at, workers_known) }
    }

    /// One of the requests of `load`, with what they share.
    pub fn of_kind(at: &'w Located<file::RawRequest>, load: &Parts<'w>) -> Self {
        let Parts { has_sleep, data, scripted, workers_known, captured, .. } = *load;
        let traceparent = at.value.traceparent.as_ref().or(load.traceparent);
        Parts { has_sleep, traceparent, data, scripted, captured, ..parts!("load.request", at, workers_known) }
    }

    /// `identity` names the fields of identities, `captured` what the login takes.
    pub fn of_dirty(
        at: &'w Located<file::RawDirty>,
        workers_known: bool,
        identity: &'w [String],
        captured: &'w [String],
    ) -> Self {
        let written = &at.value;
        Parts {
            query: written.query.as_ref(),
            has_sleep: written.sleep.is_some(),
            traceparent: written.traceparent.as_ref(),
            identity,
            captured,
            ..parts!("dirty", at, workers_known)
        }
    }

    /// One of the requests of a sweep.
    pub fn of_sweep_request(at: &'w Located<file::RawSweepRequest>, workers_known: bool) -> Self {
        parts!("dirty.request", at, workers_known)
    }

    /// The login of a section, `dirty` or `load`.
    pub fn of_login(at: &'w Located<file::RawLogin>, section: &str, workers_known: bool) -> Self {
        let section = if section == "load" { "load.login" } else { "dirty.login" };
        Parts { section, ..parts!("dirty.login", at, workers_known) }
    }

    /// A step of such a login.
    pub fn of_step(at: &'w Located<file::RawLoginStep>, section: &str, workers_known: bool) -> Self {
        let section = if section == "load" { "load.login.step" } else { "dirty.login.step" };
        Parts { section, ..parts!("dirty.login.step", at, workers_known) }
    }
}

impl Parts<'_> {
    /// The first key that is given, and where.
    pub fn given(&self) -> Option<(&'static str, &Span)> {
        fn text(at: &Option<Located<String>>) -> Option<&Span> {
            at.as_ref().map(|at| &at.span)
        }
        fn table<T>(entries: &Option<Entries<T>>) -> Option<&Span> {
            entries.as_ref().and_then(|entries| entries.0.first()).map(|(name, _)| &name.span)
        }
        let all = [
            ("path", text(self.path)),
            ("method", text(self.method)),
            ("headers", table(self.headers)),
            ("cookies", table(self.cookies)),
            ("json", self.json.as_ref().map(|json| &json.span)),
            ("form", table(self.form)),
            ("body", text(self.body)),
        ];
        all.into_iter().find_map(|(key, span)| span.map(|span| (key, span)))
    }
}

impl Loading<'_> {
    /// The request that the parts make up; `None` after a problem that leaves none.
    pub(super) fn request(&mut self, parts: &Parts<'_>) -> Option<RequestSpec> {
        let target = self.path(parts);
        let query = self.query(parts);
        let headers = self.headers(parts);
        let cookies = self.cookies(parts);
        let body = self.body(parts);
        let method = match parts.method {
            Some(method) => self.method(method),
            None => if body.is_some() { "POST" } else { "GET" }.to_owned(),
        };
        let mut request = RequestSpec::get(&target?);
        request.query.extend(query);
        Some(RequestSpec { method, headers, cookies, body, ..request })
    }

    fn path(&mut self, parts: &Parts<'_>) -> Option<Template> {
        let Some(path) = parts.path else {
            if parts.scripted {
                return Some(Template::default());
            }
            let section = parts.section;
            let problem = Problem::new(format!("[{section}] has no `path`")).at(parts.span, "which requests?");
            let example = match section {
                "load" | "load.request" => "/health",
                "dirty" => "/page/?email={canary}",
                "dirty.request" => "/search?q={canary}",
                _ => "/login/",
            };
            let key: Vec<&str> = section.split('.').chain(["path"]).collect();
            // [[load.request]] would have it.
            if section != "load" || !self.spoilt.touches(&["load", "request"]) {
                self.missing(&key, problem.help(format!("add path = \"{example}\"")));
            }
            return None;
        };
        let template = self.filled(path, Template::parse, parts, None)?;
        self.check_path_text(path, &path.value);
        Some(template)
    }

    /// What holds for every path, also one without placeholders. Holes are seen as written: no space is in them.
    pub(super) fn check_path_text(&mut self, at: &Located<String>, text: &str) {
        if !text.starts_with('/') {
            let place =
                self.problems.sources.inside(&at.span, &at.value, 0..text.chars().next().map_or(0, char::len_utf8));
            let problem = Problem::new("a path must start with `/`").at(&place, "no `/` here");
            let help = match text.split_once("://") {
                Some(_) => "put host and port into [server] url, and keep the path".to_owned(),
                None => format!("write \"/{text}\""),
            };
            self.problems.add(problem.help(help));
            return;
        }
        let mut braces = 0_usize;
        let bad = text.char_indices().find(|(_, c)| {
            match c {
                '{' => braces += 1,
                '}' => braces = braces.saturating_sub(1),
                _ => {}
            }
            braces == 0 && (!c.is_ascii_graphic() || *c == '#')
        });
        if let Some((index, c)) = bad {
            let place = self.problems.sources.inside(&at.span, &at.value, index..index + c.len_utf8());
            let problem = Problem::new(format!("a path cannot hold {}", shown(c))).at(&place, "not allowed in a path");
            let encoded = utf8_percent_encode(&c.to_string(), NON_ALPHANUMERIC).to_string();
            self.problems.add(problem.help(format!("write it percent-encoded: {encoded}")));
        }
    }

    fn method(&mut self, at: &Located<String>) -> String {
        let method = at.value.to_uppercase();
        let known = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];
        if !is_token(&method) || matches!(method.as_str(), "CONNECT" | "TRACE") {
            let problem = Problem::new(format!("`{}` is not a method that can be sent", at.value.escape_debug()));
            self.problems.add(problem.at(&at.span, "").help(format!("methods are {}", suggest::list(&known))));
        }
        method
    }

    /// What `query` adds to the path.
    fn query(&mut self, parts: &Parts<'_>) -> Vec<Parameter> {
        let Some(entries) = parts.query else { return Vec::new() };
        let pairs = self.pairs("query", &entries.0, parts).into_iter();
        let parameters = pairs.map(|(name, text)| {
            let mut value = Template::default();
            value.append(&text, encoded);
            Parameter { name: Some(encoded(&name)), value }
        });
        parameters.collect()
    }

    pub(super) fn headers(&mut self, parts: &Parts<'_>) -> Vec<(String, Template)> {
        let mut headers: Vec<(String, Template)> = Vec::new();
        for (name, text) in parts.headers.as_ref().map_or(&[][..], |headers| &headers.0) {
            self.check_header(name, text, headers.iter().map(|(name, _)| name.as_str()));
            if let Some(template) = self.filled(text, Template::parse, parts, Some(&name.value)) {
                headers.push((name.value.clone(), template));
            }
        }
        if let Some(wanted) = parts.traceparent.filter(|wanted| wanted.value) {
            if headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(traceparent::HEADER)) {
                let problem = Problem::new("the header `traceparent` is given twice").at(&wanted.span, "adds it too");
                self.problems.add(problem.help("remove one"));
            }
            let value = Template { pieces: vec![Piece::Hole(Placeholder::Traceparent)] };
            headers.push((traceparent::HEADER.to_owned(), value));
        }
        headers
    }

    pub(super) fn cookies(&mut self, parts: &Parts<'_>) -> Vec<(String, Template)> {
        let mut cookies = Vec::new();
        for (name, text) in parts.cookies.as_ref().map_or(&[][..], |cookies| &cookies.0) {
            self.check_cookie(name, text);
            if let Some(template) = self.filled(text, Template::parse, parts, None) {
                cookies.push((name.value.clone(), template));
            }
        }
        cookies
    }

    fn check_header<'h>(
        &mut self,
        name: &Located<String>,
        text: &Located<String>,
        mut before: impl Iterator<Item = &'h str>,
    ) {
        let lower = name.value.to_lowercase();
        let place = &name.span;
        if !is_token(&name.value) {
            let problem = Problem::new(format!("`{}` is not a header's name", name.value.escape_debug()));
            self.problems.add(problem.at(place, "").help("use letters, digits and `-`"));
        } else if matches!(lower.as_str(), "content-length" | "transfer-encoding") {
            let problem = Problem::new(format!("the header `{lower}` cannot be set"));
            self.problems.add(problem.at(place, "runner writes this one itself").help("remove it"));
        } else if before.any(|before| before.eq_ignore_ascii_case(&name.value)) {
            let problem = Problem::new(format!("the header `{lower}` is given twice"));
            self.problems.add(problem.at(place, "again").help("remove one"));
        }
        let bad = text.value.char_indices().find(|(_, c)| c.is_control() && *c != '\t');
        if let Some((index, c)) = bad {
            let place = self.problems.sources.inside(&text.span, &text.value, index..index + c.len_utf8());
            let problem = Problem::new(format!("a header cannot hold {}", shown(c)));
            self.problems.add(problem.at(&place, "not allowed in a header").help("write it on one line"));
        }
    }

    fn check_cookie(&mut self, name: &Located<String>, text: &Located<String>) {
        if !is_token(&name.value) {
            let problem = Problem::new(format!("`{}` is not a cookie's name", name.value.escape_debug()));
            self.problems.add(problem.at(&name.span, "").help("use letters, digits, `-` and `_`"));
        }
        let bad = text.value.char_indices().find(|(_, c)| c.is_control() || *c == ';');
        if let Some((index, c)) = bad {
            let place = self.problems.sources.inside(&text.span, &text.value, index..index + c.len_utf8());
            let problem = Problem::new(format!("a cookie cannot hold {}", shown(c)));
            self.problems
                .add(problem.at(&place, "would end the cookie").help("give each cookie its own key, percent-encoded"));
        }
    }

    fn body(&mut self, parts: &Parts<'_>) -> Option<BodySpec> {
        let form_span = parts.form.as_ref().and_then(|form| form.0.first()).map(|(name, _)| &name.span);
        let spans = [parts.json.as_ref().map(|json| &json.span), form_span, parts.body.as_ref().map(|body| &body.span)];
        let mut given = spans.into_iter().flatten();
        if let (Some(first), Some(second)) = (given.next(), given.next()) {
            let problem =
                Problem::new("two bodies for one request").at(first, "this is one").also(second, "this is another");
            self.problems.add(problem.help("keep one of `json`, `form` and `body`"));
        }
        if let Some(json) = parts.json {
            Some(BodySpec::Json(self.json(&json.value, &json.span, parts)))
        } else if let Some(form) = parts.form {
            Some(BodySpec::Form(self.pairs("form", &form.0, parts)))
        } else {
            self.filled_body(parts.body.as_ref()?, parts).map(BodySpec::Text)
        }
    }

    /// Only texts in a value are templates, not names.
    fn json(&mut self, node: &Node, span: &Span, parts: &Parts<'_>) -> Json {
        match node {
            Node::Text(number) if self.numbers.has(span) => Json::Plain(number.clone()),
            Node::Text(text) => {
                let text = Located { span: span.clone(), value: text.clone() };
                Json::Text(self.filled_body(&text, parts).unwrap_or_default())
            }
            Node::List(items) => {
                Json::List(items.iter().map(|item| self.json(&item.value, &item.span, parts)).collect())
            }
            Node::Table(Entries(entries)) => {
                let fields = entries.iter();
                let fields = fields.map(|(name, at)| (name.value.clone(), self.json(&at.value, &at.span, parts)));
                Json::Object(fields.collect())
            }
            Node::Number(number) if !number.is_finite() => {
                let problem = Problem::new(format!("JSON has no `{number}`")).at(span, "not a number in JSON");
                self.problems.add(problem.help("write a finite number, or a string"));
                Json::Plain(String::new())
            }
            plain => Json::Plain(plain.to_json().to_string()),
        }
    }

    /// The names and plain values of a form or a query.
    fn pairs(
        &mut self,
        what: &str,
        entries: &[(Located<String>, Located<Node>)],
        parts: &Parts<'_>,
    ) -> Vec<(String, Template)> {
        let mut fields = Vec::new();
        for (name, node) in entries {
            let text = match &node.value {
                Node::Text(text) => text.clone(),
                Node::List(_) | Node::Table(_) => {
                    let problem = Problem::new(format!("the {what}'s `{}` is not a plain value", name.value));
                    self.problems.add(problem.at(&node.span, "a list or a table").help("write a string or a number"));
                    self.spoilt.add_section(&format!("{}.{what}", parts.section));
                    continue;
                }
                plain => plain.to_json().to_string(),
            };
            let text = Located { span: node.span.clone(), value: text };
            // A query is part of the path.
            let value = match what {
                "form" => self.filled_body(&text, parts),
                _ => self.filled(&text, Template::parse, parts, None),
            };
            fields.push((name.value.clone(), value.unwrap_or_default()));
        }
        fields
    }
}

/// Whether a text is a token of HTTP: a method's, header's or cookie's name.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c))
}

/// A character in a message.
fn shown(c: char) -> String {
    match c {
        ' ' => "a space".to_owned(),
        '\n' | '\r' => "a line's end".to_owned(),
        c if c.is_control() => "a control character".to_owned(),
        c => format!("`{c}`"),
    }
}
