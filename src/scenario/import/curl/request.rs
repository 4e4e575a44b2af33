//! What curl sends for what it was asked.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::body::{CurlData, part, reads_file, urlencoded};
use super::options::CurlOption;
use super::words::ShellWord;
use crate::scenario::import::LeftOutReason;
use crate::scenario::import::draft::{DraftBody, RequestDraft};
use crate::scenario::import::multipart::Part;
use crate::scenario::import::raw_text::raw_body;
use crate::scenario::import::url_parts::{is_target, url_parts};
use crate::scenario::template::Template;

/// What `--compressed` asks for.
const ENCODINGS: &str = "deflate, gzip, br, zstd";

/// All that one request was asked to be.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    pub urls: Vec<String>,
    method: Option<String>,
    headers: Vec<String>,
    data: CurlData,
    parts: Vec<Part>,
    gets: bool,
    heads: bool,
    user_agent: Option<String>,
    referer: Option<String>,
    cookies: Vec<String>,
    user: Option<String>,
    bearer: Option<String>,
    compressed: bool,
    url_query: Vec<String>,
    range: Option<String>,
    globs_off: bool,
    path_as_is: bool,
    variables: Vec<String>,
    ignored: Vec<String>,
}

/// A request as curl sends it.
#[derive(Debug)]
pub(super) struct Sent {
    pub draft: RequestDraft,
    pub origin: String,
    pub target: String,
    pub variables: Vec<String>,
    pub ignored: Vec<String>,
}

impl Asked {
    /// What names it where it cannot be sent.
    pub fn shown(&self) -> String {
        format!("curl {}", self.urls.first().map_or("", String::as_str)).trim_end().to_owned()
    }

    pub fn take(&mut self, option: CurlOption, name: &str, value: &ShellWord) -> Result<(), LeftOutReason> {
        self.variables.extend(value.variables.iter().cloned());
        let text = value.text.clone();
        match option {
            CurlOption::Nothing | CurlOption::Next => {}
            CurlOption::Proxy => self.ignored.push(name.to_owned()),
            CurlOption::Refused(why) => return Err(LeftOutReason::CurlOption(name.to_owned(), why.to_owned())),
            CurlOption::Url => self.urls.push(text),
            CurlOption::Method => self.method = Some(text),
            CurlOption::Header if text.starts_with('@') => return Err(reads_file(name, &text)),
            CurlOption::Header => self.headers.push(text),
            CurlOption::Data if text.starts_with('@') => return Err(reads_file(name, &text)),
            CurlOption::Data | CurlOption::DataRaw => self.data.add(&text),
            CurlOption::DataUrlencode => self.data.add(&urlencoded(name, &text)?),
            CurlOption::Json if text.starts_with('@') => return Err(reads_file(name, &text)),
            CurlOption::Json => {
                self.data.is_json = true;
                self.data.add(&text);
            }
            CurlOption::Form => self.parts.push(part(name, &text, false)?),
            CurlOption::FormString => self.parts.push(part(name, &text, true)?),
            CurlOption::Get => self.gets = true,
            CurlOption::Head => self.heads = true,
            CurlOption::UserAgent => self.user_agent = Some(text),
            CurlOption::Referer => {
                let text = text.strip_suffix(";auto").unwrap_or(&text).to_owned();
                self.referer = Some(text).filter(|text| !text.is_empty());
            }
            CurlOption::Cookie if !text.contains('=') => return Err(reads_file(name, &text)),
            CurlOption::Cookie => self.cookies.push(text),
            CurlOption::User if !text.contains(':') => {
                return Err(LeftOutReason::CurlOption(name.to_owned(), "it asks for a password".to_owned()));
            }
            CurlOption::User => self.user = Some(text),
            CurlOption::Bearer => self.bearer = Some(text),
            CurlOption::Compressed => self.compressed = true,
            CurlOption::UrlQuery => {
                let more = text.strip_prefix('+').map_or_else(|| urlencoded(name, &text), |plain| Ok(plain.to_owned()));
                self.url_query.push(more?);
            }
            CurlOption::Range => self.range = Some(text),
            CurlOption::Globoff => self.globs_off = true,
            CurlOption::PathAsIs => self.path_as_is = true,
        }
        Ok(())
    }

    /// The request for one of the addresses.
    pub fn sent(&self, url: &str) -> Result<Sent, LeftOutReason> {
        // A variable is no list of alternatives.
        let globs = url.replace("${", "");
        if !self.globs_off && globs.contains(['{', '[']) && !globs.contains("://[") {
            let why = "its address stands for several: give each its line, or add `-g`";
            return Err(LeftOutReason::CurlOption(url.to_owned(), why.to_owned()));
        }
        let (url, host_variable) = without_host_variable(url);
        let mut parts = url_parts(&url);
        if let Some(variable) = host_variable {
            parts.origin = format!("${{{variable}}}");
        } else if url.starts_with('/') {
            return Err(LeftOutReason::Malformed("its address has no host".to_owned()));
        }
        if !self.path_as_is {
            parts.target = without_dots(&parts.target);
        }
        let in_query = if self.gets { self.data.text.as_ref() } else { None };
        for more in self.url_query.iter().chain(in_query).filter(|more| !more.is_empty()) {
            parts.target.push(if parts.target.contains('?') { '&' } else { '?' });
            parts.target.push_str(more);
        }
        if !is_target(&parts.target) {
            return Err(LeftOutReason::Path);
        }
        let has_data = !self.gets && self.data.text.is_some();
        let implied = if self.heads {
            "HEAD"
        } else if has_data || !self.parts.is_empty() {
            "POST"
        } else {
            "GET"
        };
        let method = self.method.clone().unwrap_or_else(|| implied.to_owned());
        if !method.chars().all(|c| c.is_ascii_alphabetic() || c == '-') || method.is_empty() {
            return Err(LeftOutReason::Method(method));
        }
        let user = self
            .user
            .clone()
            .or(parts.user.map(|user| percent_encoding::percent_decode_str(&user).decode_utf8_lossy().into_owned()));
        let headers = self.all_headers(user.as_deref(), has_data);
        let content_type =
            headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type")).map(|(_, value)| value.clone());
        let body = if !self.parts.is_empty() {
            Some(DraftBody::Parts(self.parts.clone()))
        } else if has_data {
            let text = self.data.text.clone().unwrap_or_default();
            Some(raw_body(&text, &content_type.unwrap_or_default()))
        } else {
            None
        };
        let headers = headers.into_iter().map(|(name, value)| (name, Template::literal(value))).collect();
        let draft = RequestDraft { method, headers, body, ..RequestDraft::default() }
            .with_target(&Template::literal(&parts.target));
        let (variables, ignored) = (self.variables.clone(), self.ignored.clone());
        Ok(Sent { draft, origin: parts.origin, target: parts.target, variables, ignored })
    }

    /// All headers but `Host`, `Content-Length` and curl's own name, in the order in which curl sends them.
    fn all_headers(&self, user: Option<&str>, has_data: bool) -> Vec<(String, String)> {
        // `Name:` takes a header away, `Name;` sends it without a value.
        let own: Vec<(String, Option<String>)> = self.headers.iter().filter_map(|line| own_header(line)).collect();
        let is_own = |name: &str| own.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        let mut headers: Vec<(String, String)> = Vec::new();
        let mut add = |name: &str, value: Option<String>| {
            headers.extend(value.filter(|_| !is_own(name)).map(|value| (name.to_owned(), value)));
        };
        let basic = user.map(|user| format!("Basic {}", BASE64_STANDARD.encode(user)));
        add("Authorization", self.bearer.as_ref().map(|token| format!("Bearer {token}")).or(basic));
        add("Range", self.range.as_ref().map(|range| format!("bytes={range}")));
        add("User-Agent", self.user_agent.clone().filter(|name| !name.is_empty()));
        let json = |value: &str| self.data.is_json.then(|| value.to_owned());
        add("Accept", if self.data.is_json { None } else { Some("*/*".to_owned()) });
        add("Accept-Encoding", self.compressed.then(|| ENCODINGS.to_owned()));
        add("Referer", self.referer.clone());
        add("Cookie", (!self.cookies.is_empty()).then(|| self.cookies.join(";")));
        headers.extend(own.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?))));
        let of_json = [("Content-Type", json("application/json")), ("Accept", json("application/json"))];
        for (name, value) in of_json {
            headers.extend(value.filter(|_| !is_own(name)).map(|value| (name.to_owned(), value)));
        }
        let of_form = (has_data && !self.data.is_json && self.parts.is_empty())
            .then(|| "application/x-www-form-urlencoded".to_owned());
        headers.extend(of_form.filter(|_| !is_own("content-type")).map(|value| ("Content-Type".to_owned(), value)));
        headers.retain(|(name, _)| !name.eq_ignore_ascii_case("host") && !name.eq_ignore_ascii_case("content-length"));
        headers
    }
}

/// A header that is given: `None` for its value where it is taken away.
fn own_header(line: &str) -> Option<(String, Option<String>)> {
    if let Some((name, value)) = line.split_once(':') {
        let value = value.trim();
        return Some((name.trim().to_owned(), (!value.is_empty()).then(|| value.to_owned())));
    }
    let name = line.trim_end().strip_suffix(';')?;
    Some((name.to_owned(), Some(String::new())))
}

/// An address whose host is a variable, without it.
fn without_host_variable(url: &str) -> (String, Option<String>) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let Some((name, after)) = rest.strip_prefix("${").and_then(|rest| rest.split_once('}')) else {
        return (url.to_owned(), None);
    };
    let at = after.find(['/', '?']).unwrap_or(after.len());
    let slash = if after[at..].starts_with('/') { "" } else { "/" };
    (format!("{slash}{}", &after[at..]), Some(name.to_owned()))
}

/// Without `.` and `..` among the parts of the path (RFC 3986, section 5.2.4).
fn without_dots(target: &str) -> String {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let parts: Vec<&str> = path.split('/').collect();
    let mut kept: Vec<&str> = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let is_last = at + 1 == parts.len();
        match *part {
            "." => kept.extend(is_last.then_some("")),
            ".." => {
                if kept.len() > 1 {
                    kept.pop();
                }
                kept.extend(is_last.then_some(""));
            }
            part => kept.push(part),
        }
    }
    let path = kept.join("/");
    let path = if path.starts_with('/') { path } else { format!("/{path}") };
    query.map_or(path.clone(), |query| format!("{path}?{query}"))
}
