//! What a server has given somebody to be known by: cookies, and values that were captured from its responses.
//!
//! Pure, but for the date, which ends cookies.

use std::collections::BTreeMap;

use cookie_store::CookieStore;
use url::Url;

use crate::scenario::login::{CaptureSource, CaptureSpec};
use crate::scenario::request::ValueEncoding;
use crate::scenario::template;

pub mod html;
pub mod login;
pub mod redirect;

/// Cookies, and what fills `{capture.NAME}`.
#[derive(Debug, Clone, Default)]
pub struct Session {
    jar: CookieStore,
    captured: Captured,
}

/// Captured values by their names. They let whoever knows them in, and are not for a record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captured(BTreeMap<String, String>);

/// Why a value was not captured; fits after "was answered 200".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingCapture {
    NotThere,
    /// No header, path or cookie could hold it.
    Control,
}

/// A shorter value is no secret: it stands in every other word, in characters.
const SHORTEST: usize = 4;

impl Session {
    /// Keeps the cookies that a response from `url` sets for it, and forgets those that it takes back: by Max-Age, Expires,
    /// Domain, Path and Secure, as browsers do (RFC 6265).
    pub fn take_cookies(&mut self, url: &Url, head: &[u8]) {
        for value in headers(head, "set-cookie") {
            // One that is refused, or is none, is no concern of a client.
            let _ = self.jar.parse(&value, url);
        }
    }

    /// The cookies that go with a request for `url`: longer paths first (RFC 6265, section 5.4), then by name.
    pub fn cookies_for(&self, url: &Url) -> Vec<(&str, &str)> {
        let mut cookies = self.jar.matches(url);
        cookies.sort_by_key(|cookie| (std::cmp::Reverse(String::from(&cookie.path).len()), cookie.name().to_owned()));
        cookies.into_iter().map(|cookie| cookie.name_value()).collect()
    }

    /// Whether there is no cookie at all.
    fn has_no_cookies(&self) -> bool {
        self.jar.iter_any().next().is_none()
    }

    /// The cookies that go with a request that is ready to be sent, without those that it has of its own.
    pub fn cookies_beside(&self, request: &[u8], secure: bool) -> Vec<(&str, &str)> {
        if self.has_no_cookies() {
            return Vec::new();
        }
        let Some(url) = url_of(request, secure) else { return Vec::new() };
        let head = memchr::memmem::find(request, b"\r\n\r\n").map_or(request, |end| &request[..end]);
        let own: Vec<String> = headers(head, "cookie").collect();
        let names = || own.iter().flat_map(|own| own.split(';')).filter_map(|pair| pair.split('=').next());
        let mut cookies = self.cookies_for(&url);
        cookies.retain(|(name, _)| names().all(|own| own.trim() != *name));
        cookies
    }

    /// Adds the jar to a request that is ready to be sent: to its `cookie` header where it has one, which goes before what
    /// the jar has by the same names.
    pub fn add_cookies(&self, request: &mut Vec<u8>, secure: bool) {
        let cookies = self.cookies_beside(request, secure);
        let pairs: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let Some(head) = memchr::memmem::find(request, b"\r\n\r\n").filter(|_| !pairs.is_empty()) else { return };
        let pairs = pairs.join("; ");
        let lines = request[..head].to_ascii_lowercase();
        let (at, text) = match memchr::memmem::find(&lines, b"\r\ncookie:") {
            Some(line) => {
                let rest = line + 2;
                (memchr::memmem::find(&lines[rest..], b"\r\n").map_or(head, |end| rest + end), format!("; {pairs}"))
            }
            None => (head, format!("\r\ncookie: {pairs}")),
        };
        request.splice(at..at, text.into_bytes());
    }

    /// Takes out of a request what [`Session::add_cookies`] has added.
    pub fn remove_cookies(&self, request: &mut Vec<u8>, secure: bool) {
        if self.has_no_cookies() {
            return;
        }
        let Some(url) = url_of(request, secure) else { return };
        let Some(head) = memchr::memmem::find(request, b"\r\n\r\n") else { return };
        let text = String::from_utf8_lossy(&request[..head]).into_owned();
        let added: Vec<String> = self.cookies_for(&url).iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut lines = Vec::new();
        for line in text.split("\r\n") {
            match line.split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("cookie") => {
                    let kept = value.trim().split("; ").filter(|pair| !added.iter().any(|added| added == pair));
                    let kept = kept.collect::<Vec<_>>().join("; ");
                    lines.extend((!kept.is_empty()).then(|| format!("{name}: {kept}")));
                }
                _ => lines.push(line.to_owned()),
            }
        }
        request.splice(..head, lines.join("\r\n").into_bytes());
    }

    /// Takes a value from a response.
    pub fn capture(&mut self, capture: &CaptureSpec, head: &[u8], body: &[u8]) -> Result<(), MissingCapture> {
        let found = match &capture.from {
            CaptureSource::Json(path) => in_json(body, path),
            CaptureSource::Header(name) => headers(head, name).next(),
            CaptureSource::Location => headers(head, "location").next().map(|location| last_part(&location).to_owned()),
            CaptureSource::Cookie(name) => {
                self.jar.iter_unexpired().find(|cookie| cookie.name() == name).map(|cookie| cookie.value().to_owned())
            }
            CaptureSource::Field(name) => html::field(body, name),
            CaptureSource::Meta(name) => html::meta(body, name),
        };
        let value = found.filter(|value| !value.is_empty()).ok_or(MissingCapture::NotThere)?;
        if value.contains(|c: char| c.is_control() && c != '\t') {
            return Err(MissingCapture::Control);
        }
        self.captured.0.insert(capture.name.clone(), value);
        Ok(())
    }

    /// Takes a value from elsewhere: it fills `{capture.NAME}` from now on.
    pub fn set_captured(&mut self, name: &str, value: &str) {
        self.captured.0.insert(name.to_owned(), value.to_owned());
    }

    /// Nothing fills `{capture.NAME}` any more.
    pub fn forget_captured(&mut self, name: &str) {
        self.captured.0.remove(name);
    }

    /// What fills `{capture.NAME}`.
    pub fn captured(&self, name: &str) -> Option<&str> {
        self.captured.0.get(name).map(String::as_str)
    }

    /// All that was captured.
    pub fn secrets(&self) -> &Captured {
        &self.captured
    }
}

/// What stands behind the last slash of an address, before its query.
fn last_part(location: &str) -> &str {
    let path = location.split(['?', '#']).next().unwrap_or_default();
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

impl Captured {
    /// Whether one of them is this value, whole.
    pub fn holds(&self, value: &str) -> bool {
        self.0.values().any(|captured| captured == value)
    }

    /// A text of a request without the values in it, in whatever way they were written there: variables of a shell stand in
    /// their place.
    pub fn hide(&self, text: &str) -> String {
        let mut forms: Vec<(String, String)> = Vec::new();
        for (name, value) in self.0.iter().filter(|(_, value)| value.chars().count() >= SHORTEST) {
            forms.extend(ValueEncoding::ALL.map(|encoding| (encoding.encode(value), variable(name))));
        }
        // One may begin with another: what is left of the longer would tell the rest.
        forms.sort_by_key(|(form, _)| std::cmp::Reverse(form.len()));
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            let found = forms.iter().find(|(form, _)| rest.starts_with(form.as_str()));
            let (written, taken) = match found {
                Some((form, variable)) => (variable.as_str(), form.len()),
                None => (&rest[..next.len_utf8()], next.len_utf8()),
            };
            out.push_str(written);
            rest = &rest[taken..];
        }
        out
    }
}

impl FromIterator<(String, String)> for Captured {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Captured(pairs.into_iter().collect())
    }
}

/// What stands in place of the value of `{token}`.
pub const TOKEN: &str = "$TOKEN";
/// How that begins which stands in place of any other.
pub const CAPTURE: &str = "${CAPTURE_";

/// The variable of a shell that stands in place of a captured value: `$TOKEN`, `${CAPTURE_CSRF}`.
fn variable(name: &str) -> String {
    if name == template::TOKEN {
        return TOKEN.to_owned();
    }
    let fits = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("{CAPTURE}{}}}", name.chars().map(fits).collect::<String>())
}

/// The text or number at a path in JSON.
fn in_json(body: &[u8], path: &[String]) -> Option<String> {
    let json: serde_json::Value = serde_json::from_slice(body).ok()?;
    let found = path.iter().try_fold(&json, |value, name| match value {
        serde_json::Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        value => value.get(name),
    });
    match found {
        Some(serde_json::Value::String(text)) => Some(text.clone()),
        Some(serde_json::Value::Number(number)) => Some(number.to_string()),
        _ => None,
    }
}

/// The values of all headers of this name.
pub fn headers<'h>(head: &'h [u8], name: &'h str) -> impl Iterator<Item = String> + 'h {
    head.split(|byte| *byte == b'\n').filter_map(move |line| {
        let colon = memchr::memchr(b':', line)?;
        let known = line[..colon].trim_ascii().eq_ignore_ascii_case(name.as_bytes());
        known.then(|| String::from_utf8_lossy(line[colon + 1..].trim_ascii()).into_owned())
    })
}

/// Where a request goes, as it is sent: by its target and its `host`.
pub fn url_of(request: &[u8], secure: bool) -> Option<Url> {
    let target = request.split(|byte| *byte == b' ').nth(1)?;
    let head = memchr::memmem::find(request, b"\r\n\r\n").map_or(request, |end| &request[..end]);
    let host = headers(head, "host").next()?;
    let scheme = if secure { "https" } else { "http" };
    Url::parse(&format!("{scheme}://{host}{}", String::from_utf8_lossy(target))).ok()
}

#[cfg(test)]
mod tests;
