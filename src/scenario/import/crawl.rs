//! Requests from the pages of a server: its links and its forms, followed from one page on.
//!
//! Only pages of the same host are asked for, only by GET, and never one whose name does harm. Pages that differ only in an id are
//! one: a few of them are looked at.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use url::Url;

use super::danger::danger;
use super::draft::{DraftBody, Kept, RequestDraft, Rules, needs};
use super::{ImportFormat, ImportNote, Imported, LeftOut, LeftOutReason, Operation};
use crate::scenario::login::{CaptureSource, CaptureSpec};
use crate::scenario::request::RequestSpec;
use crate::scenario::template::{Piece, Placeholder, Template};

mod page;

use page::{CrawlPage, HtmlField, HtmlForm};

/// Pages that are asked for; those of one kind; and operations that are kept.
const MOST_PAGES: usize = 150;
const MOST_OF_A_KIND: usize = 3;
const MOST_OPERATIONS: usize = 400;
/// Operations of one path that differ in the names of their queries.
const MOST_VARIANTS: usize = 4;
/// Stands for the host while links are made absolute.
const BASE: &str = "http://host.invalid";
/// What a password field is sent.
const PASSWORD: &str = "Runner-1-password";

/// A crawl under way: ask for its [`Crawl::next`] page, tell it what came, and so on to the end.
#[derive(Debug, Default)]
pub struct Crawl {
    queue: VecDeque<String>,
    /// Paths and queries that were asked for, or will be.
    known: BTreeSet<String>,
    /// How many pages of each kind, by the method, the path without its ids, and the names in the query.
    kinds: BTreeMap<String, usize>,
    asked: usize,
    found: Vec<Operation>,
    left_out: Vec<LeftOut>,
    /// Links to other hosts.
    others: BTreeMap<String, usize>,
    assets: usize,
    kept: Kept,
}

/// What came for a page.
#[derive(Debug, Clone, Copy)]
pub struct CrawledPage<'a> {
    /// Path and query.
    pub path: &'a str,
    pub status: u16,
    pub location: Option<&'a str>,
    pub content_type: Option<&'a str>,
    pub body: &'a [u8],
}

impl Crawl {
    /// From this page on: its path and query.
    pub fn from(path: &str) -> Crawl {
        let mut crawl = Crawl::default();
        if let Some(url) = Url::parse(BASE).ok().and_then(|base| base.join(path).ok()) {
            crawl.link(&url);
        }
        crawl
    }

    /// The next page to ask for, path and query; `None` at the end.
    pub fn next_page(&mut self) -> Option<String> {
        if self.asked >= MOST_PAGES {
            return None;
        }
        let next = self.queue.pop_front()?;
        self.asked += 1;
        Some(next)
    }

    /// Takes what came for a page: an operation, and more pages to ask for.
    pub fn take(&mut self, came: &CrawledPage<'_>) {
        let Some(url) = Url::parse(BASE).ok().and_then(|base| base.join(came.path).ok()) else { return };
        if let Some(to) = came.location.filter(|_| (300..400).contains(&came.status)) {
            return self.follow(&url, to);
        }
        if came.status >= 400 {
            return;
        }
        let is_page = came.content_type.is_some_and(|kind| kind.contains("html"));
        let is_data = came.content_type.is_some_and(|kind| kind.contains("json") || kind.starts_with("text/plain"));
        if !is_page && !is_data {
            self.assets += 1;
            return;
        }
        let captures = if is_page { self.page(&url, came.body) } else { Vec::new() };
        self.add_link(&url, captures);
    }

    /// All that was found.
    pub fn finish(self) -> Imported {
        let mut notes = self.kept.notes;
        notes.extend(self.others.into_iter().map(|(host, count)| ImportNote::OtherHost(host, count)));
        notes.extend((self.assets > 0).then_some(ImportNote::Assets(self.assets)));
        Imported {
            format: ImportFormat::Crawl,
            title: None,
            origins: Vec::new(),
            operations: self.found,
            left_out: self.left_out,
            login: None,
            signup: None,
            credentials: Vec::new(),
            variables: Vec::new(),
            notes,
        }
    }

    fn follow(&mut self, from: &Url, to: &str) {
        let Ok(url) = from.join(to.trim()) else { return };
        self.link(&url);
    }

    /// A page to be asked for, if it is one of the same host, new, and not one too many of its kind.
    fn link(&mut self, url: &Url) {
        if !matches!(url.scheme(), "http" | "https") {
            return;
        }
        let host = url.host_str().unwrap_or_default();
        if host != "host.invalid" {
            *self.others.entry(host.to_owned()).or_default() += 1;
            return;
        }
        let target = target(url);
        if is_asset(url.path()) {
            self.assets += usize::from(self.known.insert(target));
            return;
        }
        if !self.known.insert(target.clone()) {
            return;
        }
        let name = format!("GET {}", kind_of(url.path()));
        if danger("GET", url.path(), "").is_some() {
            self.dangerous(url, name);
            return;
        }
        let count = self.kinds.entry(format!("{name}?{}", names(url))).or_default();
        *count += 1;
        if *count <= MOST_OF_A_KIND {
            self.queue.push_back(target);
        }
    }

    /// A page that is never asked for, but listed, so that whoever wants it can.
    fn dangerous(&mut self, url: &Url, name: String) {
        let draft = draft("GET", &target(url));
        let operation = self.operation(draft, name);
        self.add(operation);
    }

    /// Looks at a page's links and forms; what of it other requests need.
    fn page(&mut self, url: &Url, body: &[u8]) -> Vec<CaptureSpec> {
        let CrawlPage { base, links, forms } = CrawlPage::read(body);
        let base = base.and_then(|base| url.join(&base).ok()).unwrap_or_else(|| url.clone());
        for link in links {
            self.follow(&base, &link);
        }
        let mut captures = Vec::new();
        for form in forms {
            self.form(&base, url, &form, &mut captures);
        }
        captures
    }

    /// A form as an operation, if it leads to the same host.
    fn form(&mut self, base: &Url, page: &Url, form: &HtmlForm, captures: &mut Vec<CaptureSpec>) {
        let action = form.action.as_deref().map(str::trim).filter(|action| !action.is_empty());
        let Ok(url) = action.map_or(Ok(page.clone()), |action| base.join(action)) else { return };
        if url.host_str() != Some("host.invalid") {
            *self.others.entry(url.host_str().unwrap_or_default().to_owned()).or_default() += 1;
            return;
        }
        let method = if form.method.eq_ignore_ascii_case("post") { "POST" } else { "GET" };
        let name = format!("{method} {}", kind_of(url.path()));
        if form.fields.iter().any(|field| field.kind == "file") {
            return self.leave_out(name, LeftOutReason::Binary);
        }
        let mut fields: Vec<(String, Template)> = Vec::new();
        for field in &form.fields {
            if field.name.is_empty() {
                continue;
            }
            let value = match is_token(field) {
                true => self.token(field, captures),
                false => Template::literal(sample(field)),
            };
            fields.push((field.name.clone(), value));
        }
        let draft = if method == "GET" {
            let mut with_query = url.clone();
            with_query.set_query(None);
            let mut draft = draft(method, with_query.path());
            draft.query = fields
                .into_iter()
                .map(|(name, value)| {
                    let mut encoded = Template::default();
                    encoded.append(&value, crate::scenario::request::encoded);
                    let name = Some(crate::scenario::request::encoded(&name));
                    crate::scenario::request::Parameter { name, value: encoded }
                })
                .collect();
            draft
        } else {
            RequestDraft { body: Some(DraftBody::Form(fields)), ..draft(method, &target(&url)) }
        };
        let names: Vec<&str> = form.fields.iter().map(|field| field.name.as_str()).collect();
        let kind = format!("{name} form {}", names.join(","));
        let count = self.kinds.entry(kind).or_default();
        *count += 1;
        if *count > 1 {
            return;
        }
        let operation = self.operation(draft, name);
        self.add(with_fixed(operation, form));
    }

    /// A token that has to come back: taken from the page that has the form.
    fn token(&mut self, field: &HtmlField, captures: &mut Vec<CaptureSpec>) -> Template {
        let plain: String =
            field.name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
        if !captures.iter().any(|capture| capture.name == plain) {
            captures.push(CaptureSpec { name: plain.clone(), from: CaptureSource::Field(field.name.clone()) });
        }
        Template { pieces: vec![Piece::Hole(Placeholder::Capture(plain))] }
    }

    /// A page as an operation, with what it gives to others.
    fn add_link(&mut self, url: &Url, captures: Vec<CaptureSpec>) {
        let name = format!("GET {}", kind_of(url.path()));
        let draft = draft("GET", &target(url));
        let mut operation = self.operation(draft, name);
        operation.captures = captures;
        self.add(operation);
    }

    fn operation(&mut self, draft: RequestDraft, name: String) -> Operation {
        let rules = Rules { captured: &|_| None, keeps_credentials: false };
        let operation = draft.operation(name, &rules, &mut self.kept);
        Operation { needs: needs(&operation.request), ..operation }
    }

    /// Keeps an operation, unless there is one like it; what that gives to others is then joined.
    fn add(&mut self, operation: Operation) {
        let is_same = |known: &&mut Operation| {
            known.name == operation.name && query_names(&known.request) == query_names(&operation.request)
        };
        if let Some(known) = self.found.iter_mut().find(is_same) {
            for capture in operation.captures {
                if !known.captures.contains(&capture) {
                    known.captures.push(capture);
                }
            }
            return;
        }
        // Of links that sort and filter one page in ever other ways, a few will do.
        let is_variant = |known: &&Operation| {
            known.name == operation.name || known.name.starts_with(&format!("{} (", operation.name))
        };
        if self.found.iter().filter(is_variant).count() >= MOST_VARIANTS {
            return;
        }
        if self.found.len() >= MOST_OPERATIONS {
            return self.leave_out(operation.name, LeftOutReason::TooMany);
        }
        let name = distinct(&operation.name, |name| self.found.iter().any(|known| known.name == name));
        self.found.push(Operation { name, ..operation });
    }

    fn leave_out(&mut self, name: String, reason: LeftOutReason) {
        let left_out = LeftOut { name, reason };
        if !self.left_out.contains(&left_out) {
            self.left_out.push(left_out);
        }
    }
}

/// The operation without canaries in fields that take one of a few values.
fn with_fixed(mut operation: Operation, form: &HtmlForm) -> Operation {
    let is_fixed = |name: &str| {
        let field = form.fields.iter().find(|field| field.name == name);
        field.is_some_and(|field| matches!(field.kind.as_str(), "select" | "radio" | "checkbox" | "hidden"))
    };
    operation.request = operation.request_with(&|index| !is_fixed(&operation.carriers[index].name));
    operation.carriers.retain(|carrier| !is_fixed(&carrier.name));
    operation
}

/// A name that is not taken.
fn distinct(name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let numbered = (2..).map(|number| format!("{name} ({number})"));
    let mut names = std::iter::once(name.to_owned()).chain(numbered);
    names.find(|name| !is_taken(name)).unwrap_or_else(|| name.to_owned())
}

fn draft(method: &str, target: &str) -> RequestDraft {
    RequestDraft { method: method.to_owned(), ..RequestDraft::default() }.with_target(&Template::literal(target))
}

/// Path and query.
fn target(url: &Url) -> String {
    url[url::Position::BeforePath..url::Position::AfterQuery].to_owned()
}

/// The names in a query, in their order.
fn names(url: &Url) -> String {
    url.query_pairs().map(|(name, _)| name.into_owned()).collect::<Vec<_>>().join("&")
}

fn query_names(request: &RequestSpec) -> Vec<Option<String>> {
    request.query.iter().map(|parameter| parameter.name.clone()).collect()
}

/// A path with `{id}` for each part that is a number, a UUID or a long run of hexadecimal digits.
fn kind_of(path: &str) -> String {
    let parts = path.split('/').map(|part| {
        let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let hex = part.len() >= 16 && part.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        if digits || hex { "{id}" } else { part }
    });
    parts.collect::<Vec<_>>().join("/")
}

/// Files that no handler makes for anybody.
fn is_asset(path: &str) -> bool {
    const ENDINGS: [&str; 24] = [
        "css", "js", "mjs", "map", "png", "jpg", "jpeg", "gif", "svg", "webp", "avif", "ico", "woff", "woff2", "ttf",
        "otf", "eot", "mp3", "mp4", "webm", "pdf", "zip", "gz", "wasm",
    ];
    let last = path.rsplit('/').next().unwrap_or_default();
    last.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.contains(&ending.to_ascii_lowercase().as_str()))
}

/// Whether a field holds a token against forged requests, which has to come back.
fn is_token(field: &HtmlField) -> bool {
    let name = field.name.to_ascii_lowercase();
    field.kind == "hidden"
        && ["csrf", "xsrf", "authenticity", "requestverification", "_token", "nonce", "formtoken"]
            .iter()
            .any(|word| name.replace('-', "_").contains(word))
}

/// What a field is sent: what stands in it, or what its kind asks for.
fn sample(field: &HtmlField) -> String {
    if !field.value.is_empty() {
        return field.value.clone();
    }
    match field.kind.as_str() {
        "email" => "somebody@mail.test",
        "password" => PASSWORD,
        "url" => "https://example.org/",
        "tel" => "+15550100",
        "number" | "range" => field.least.as_deref().unwrap_or("1"),
        "date" => "2024-01-31",
        "time" => "12:00",
        "datetime-local" => "2024-01-31T12:00",
        "month" => "2024-01",
        "week" => "2024-W05",
        "color" => "#336699",
        "hidden" => "",
        "checkbox" => "on",
        _ => "something",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crawled(pages: &[(&str, &str)]) -> (Imported, Vec<String>) {
        let mut crawl = Crawl::from("/");
        let mut asked = Vec::new();
        while let Some(path) = crawl.next_page() {
            let body = pages.iter().find(|(known, _)| *known == path).map(|(_, body)| *body);
            let status = if body.is_some() { 200 } else { 404 };
            let body = body.unwrap_or_default().as_bytes();
            crawl.take(&CrawledPage {
                path: &path,
                status,
                location: None,
                content_type: Some("text/html; charset=utf-8"),
                body,
            });
            asked.push(path);
        }
        (crawl.finish(), asked)
    }

    #[test]
    fn links_of_the_same_host_are_followed_and_harm_is_not_done() {
        let home = r#"<a href="/items/1">1</a><a href="items/2?tab=a">2</a><a href="https://other.test/x">x</a>
            <a href="/logout">out</a><a href="mailto:a@b.c">m</a><a href="/logo.png">p</a><a href="/missing">?</a>"#;
        let (found, asked) = crawled(&[("/", home), ("/items/1", "<a href='/items/3'>"), ("/items/2?tab=a", "")]);
        assert!(!asked.contains(&"/logout".to_owned()) && asked.contains(&"/items/3".to_owned()), "{asked:?}");
        let names: Vec<&str> = found.operations.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["GET /logout", "GET /", "GET /items/{id}", "GET /items/{id} (2)"], "{names:?}");
        assert!(found.operations[0].danger.is_some());
        assert!(found.notes.contains(&ImportNote::OtherHost("other.test".to_owned(), 1)), "{:?}", found.notes);
    }

    #[test]
    fn a_form_becomes_a_request_whose_token_comes_from_its_page() {
        let home = r#"<form action="/notes" method="post"><input type=hidden name=csrf_token value=abc>
            <input name=title><textarea name=body></textarea><input type=email name=mail>
            <select name=kind><option value=a>A<option value=b selected>B</select>
            <input type=checkbox name=public value=1 checked><input type=submit></form>
            <form action="/search"><input name=q></form>"#;
        let (found, _) = crawled(&[("/", home)]);
        let page = found.operation("GET /").unwrap();
        assert_eq!(page.captures.len(), 1, "{:?}", page.captures);
        let note = found.operation("POST /notes").unwrap();
        assert_eq!(note.needs, ["csrf_token"]);
        let body = note.request.content().unwrap().to_string();
        assert_eq!(
            body,
            "csrf_token={capture.csrf_token}&title={canary}&body={canary}&mail={canary}%40mail.test&kind=b&public=1"
        );
        assert_eq!(note.carriers.len(), 3);
        assert_eq!(found.operation("GET /search").unwrap().request.target().to_string(), "/search?q={canary}");
    }

    #[test]
    fn a_crawl_ends() {
        let mut crawl = Crawl::from("/");
        let mut count = 0;
        while let Some(path) = crawl.next_page() {
            count += 1;
            let body = format!("<a href='/p{count}x'>a</a><a href='/q{count}y'>b</a>");
            crawl.take(&CrawledPage {
                path: &path,
                status: 200,
                location: None,
                content_type: Some("text/html"),
                body: body.as_bytes(),
            });
        }
        assert_eq!(count, MOST_PAGES);
    }
}
