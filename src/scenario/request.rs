//! Requests as meant: each part by itself, so that parts can be left out or spoilt, and put together for the wire.

use percent_encoding::utf8_percent_encode;

use super::Template;
use super::template::Placeholder;
use crate::script::client::FORM;

/// The parts of a request, with holes for what varies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestSpec {
    /// Upper case.
    pub method: String,
    /// What stands before the `?`; empty where a script's `request` gives the path.
    pub path: Template,
    /// What stands between the `&` after the `?`; empty where there is no `?`.
    pub query: Vec<Parameter>,
    /// In the order of the file. Neither `host` nor `content-length`.
    pub headers: Vec<(String, Template)>,
    /// Sent as one `cookie` header.
    pub cookies: Vec<(String, Template)>,
    pub body: Option<BodySpec>,
}

/// A part of a query, as it is written there: percent-encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// What stands before the `=`; `None` where there is no `=`, or the name itself has a hole.
    pub name: Option<String>,
    pub value: Template,
}

/// What a request carries besides its head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodySpec {
    /// Sent as it stands.
    Text(Template),
    Json(Json),
    /// Names and values, not encoded yet.
    Form(Vec<(String, Template)>),
}

/// A value of JSON; only texts hold holes, names do not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json {
    /// Not escaped yet.
    Text(Template),
    /// A number, true or false, as JSON writes it.
    Plain(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl RequestSpec {
    /// A GET of a path with its query, as a request line has them.
    pub fn get(target: &Template) -> RequestSpec {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, query.split('&').iter().map(Parameter::parse).collect()),
            None => (target.clone(), Vec::new()),
        };
        let method = "GET".to_owned();
        RequestSpec { method, path, query, headers: Vec::new(), cookies: Vec::new(), body: None }
    }

    /// Path and query, as the request line has them.
    pub fn target(&self) -> Template {
        let mut target = self.path.clone();
        for (index, parameter) in self.query.iter().enumerate() {
            target.push_text(if index == 0 { "?" } else { "&" });
            target.append(&parameter.written(), str::to_owned);
        }
        target
    }

    /// The headers as they are sent: with the cookies, joined into one, and with the content type of JSON and forms.
    pub fn header_lines(&self) -> Vec<(String, Template)> {
        let mut lines = self.headers.clone();
        let mut jar = Template::default();
        for (name, value) in &self.cookies {
            jar.push_text(if jar.pieces.is_empty() { "" } else { "; " });
            jar.push_text(&format!("{name}="));
            jar.append(value, str::to_owned);
        }
        if !jar.pieces.is_empty() {
            match lines.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case("cookie")) {
                Some((_, header)) => {
                    header.push_text("; ");
                    header.append(&jar, str::to_owned);
                }
                None => lines.push(("cookie".to_owned(), jar)),
            }
        }
        let content_type = match &self.body {
            Some(BodySpec::Json(_)) => "application/json",
            Some(BodySpec::Form(_)) => "application/x-www-form-urlencoded",
            Some(BodySpec::Text(_)) | None => return lines,
        };
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            lines.push(("content-type".to_owned(), Template::literal(content_type)));
        }
        lines
    }

    /// The body as it is sent.
    pub fn content(&self) -> Option<Template> {
        self.body.as_ref().map(BodySpec::content)
    }

    /// The holes of all parts, in the order in which they are sent.
    pub fn holes(&self) -> Vec<Placeholder> {
        let lines = self.header_lines();
        let (target, content) = (self.target(), self.content());
        let values = lines.iter().map(|(_, value)| value);
        std::iter::once(&target).chain(values).chain(&content).flat_map(Template::holes).cloned().collect()
    }

    /// Whether any part holds a hole for which `wanted` is true.
    pub fn has(&self, wanted: impl Fn(&Placeholder) -> bool) -> bool {
        self.holes().iter().any(wanted)
    }
}

impl Parameter {
    /// Splits `name=value`.
    pub fn parse(written: &Template) -> Parameter {
        match written.split_once('=') {
            Some((name, value)) if name.holes().next().is_none() => Parameter { name: Some(name.text()), value },
            _ => Parameter { name: None, value: written.clone() },
        }
    }

    /// `name=value`, as the query has it.
    pub fn written(&self) -> Template {
        let Some(name) = &self.name else { return self.value.clone() };
        let mut written = Template::literal(format!("{name}="));
        written.append(&self.value, str::to_owned);
        written
    }
}

impl BodySpec {
    /// As it is sent.
    pub fn content(&self) -> Template {
        match self {
            BodySpec::Text(text) => text.clone(),
            BodySpec::Json(json) => {
                let mut content = Template::default();
                json.write(&mut content);
                content
            }
            BodySpec::Form(fields) => {
                let mut content = Template::default();
                for (index, (name, value)) in fields.iter().enumerate() {
                    content.push_text(if index == 0 { "" } else { "&" });
                    content.push_text(&format!("{}=", encoded(name)));
                    content.append(value, encoded);
                }
                content
            }
        }
    }
}

impl Json {
    fn write(&self, out: &mut Template) {
        match self {
            Json::Text(template) => {
                out.push_text("\"");
                out.append(template, json_inside);
                out.push_text("\"");
            }
            Json::Plain(text) => out.push_text(text),
            Json::List(items) => {
                out.push_text("[");
                for (index, item) in items.iter().enumerate() {
                    out.push_text(if index == 0 { "" } else { "," });
                    item.write(out);
                }
                out.push_text("]");
            }
            Json::Object(fields) => {
                out.push_text("{");
                for (index, (name, item)) in fields.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    out.push_text(&format!("{comma}\"{}\":", json_inside(name)));
                    item.write(out);
                }
                out.push_text("}");
            }
        }
    }
}

/// Leaves of JSON: neither lists nor objects. A leaf is found by the indices that lead to it.
impl Json {
    /// Every leaf, in order.
    pub(super) fn leaves(&self) -> Vec<(Vec<usize>, &Json)> {
        let inner: Vec<&Json> = match self {
            Json::Text(_) | Json::Plain(_) => return vec![(Vec::new(), self)],
            Json::List(items) => items.iter().collect(),
            Json::Object(fields) => fields.iter().map(|(_, item)| item).collect(),
        };
        let leaves = inner.into_iter().enumerate().flat_map(|(index, item)| {
            let leaves = item.leaves().into_iter();
            leaves.map(move |(steps, leaf)| ([&[index], steps.as_slice()].concat(), leaf))
        });
        leaves.collect()
    }

    /// Names and indices that lead to a leaf, joined by dots.
    pub(super) fn path(&self, steps: &[usize]) -> String {
        let Some((first, rest)) = steps.split_first() else { return String::new() };
        let (name, rest) = match self {
            Json::Object(fields) => fields.get(*first).map(|(name, item)| (name.clone(), item.path(rest))),
            Json::List(items) => items.get(*first).map(|item| (first.to_string(), item.path(rest))),
            Json::Text(_) | Json::Plain(_) => None,
        }
        .unwrap_or_default();
        if rest.is_empty() { name } else { format!("{name}.{rest}") }
    }

    /// Puts another value where a leaf is.
    pub(super) fn replace(&mut self, steps: &[usize], value: Json) {
        match (steps.split_first(), self) {
            (None, json) => *json = value,
            (Some((first, rest)), Json::Object(fields)) => fields[*first].1.replace(rest, value),
            (Some((first, rest)), Json::List(items)) => items[*first].replace(rest, value),
            (Some(_), Json::Text(_) | Json::Plain(_)) => {}
        }
    }

    /// Takes a leaf out of the list or object that it is in.
    pub(super) fn remove(&mut self, steps: &[usize]) {
        match (steps, self) {
            ([last], Json::Object(fields)) => drop(fields.remove(*last)),
            ([last], Json::List(items)) => drop(items.remove(*last)),
            ([first, rest @ ..], Json::Object(fields)) => fields[*first].1.remove(rest),
            ([first, rest @ ..], Json::List(items)) => items[*first].remove(rest),
            (_, Json::Text(_) | Json::Plain(_)) | ([], _) => {}
        }
    }
}

/// A text as queries and forms hold it.
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, FORM).to_string()
}

/// A text as it stands between the quotes of JSON.
fn json_inside(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// How a value that is not known before is written where its hole stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueEncoding {
    /// As it is: headers and raw bodies.
    Plain,
    /// Percent-encoded: paths, queries and forms.
    Url,
    /// Percent-encoded where a cookie's value cannot hold it (RFC 6265, section 4.1.1).
    Cookie,
    /// Escaped as between the quotes of JSON.
    Json,
}

impl ValueEncoding {
    /// Every one of them.
    pub const ALL: [ValueEncoding; 4] =
        [ValueEncoding::Plain, ValueEncoding::Url, ValueEncoding::Cookie, ValueEncoding::Json];

    /// That of a body's holes.
    pub fn of_body(body: Option<&BodySpec>) -> ValueEncoding {
        match body {
            Some(BodySpec::Json(_)) => ValueEncoding::Json,
            Some(BodySpec::Form(_)) => ValueEncoding::Url,
            Some(BodySpec::Text(_)) | None => ValueEncoding::Plain,
        }
    }

    /// That of a header's holes.
    pub fn of_header(name: &str) -> ValueEncoding {
        if name.eq_ignore_ascii_case("cookie") { ValueEncoding::Cookie } else { ValueEncoding::Plain }
    }

    /// The text as it stands where this encoding is used.
    pub fn encode(self, text: &str) -> String {
        match self {
            ValueEncoding::Plain => text.to_owned(),
            ValueEncoding::Url => encoded(text),
            ValueEncoding::Cookie => {
                let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | ',' | ';' | '\\' | '%');
                text.chars()
                    .map(|c| if plain(c) { c.to_string() } else { encoded(c.encode_utf8(&mut [0; 4])) })
                    .collect()
            }
            ValueEncoding::Json => json_inside(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_target_is_taken_apart() {
        let request = RequestSpec::get(&Template::parse("/a/{user}?x={canary}&flag&{seq}=1&y=a=b").unwrap());
        assert_eq!(request.path.to_string(), "/a/{user}");
        let parts: Vec<_> = request.query.iter().map(|p| (p.name.as_deref(), p.value.to_string())).collect();
        let expected = [(Some("x"), "{canary}"), (None, "flag"), (None, "{seq}=1"), (Some("y"), "a=b")];
        assert!(parts.iter().map(|(name, value)| (*name, value.as_str())).eq(expected), "{parts:?}");
    }

    proptest! {
        #[test]
        fn what_is_taken_apart_is_put_together_again(text in "/([a-z?&=]|\\{\\{|\\{canary\\}|\\{seq\\}){0,16}") {
            let target = Template::parse(&text).unwrap();
            prop_assert_eq!(RequestSpec::get(&target).target(), target);
        }
    }
}
