//! The forms of a dirty check's request: as it is, without what says who asks, malformed, or with a huge body.

use super::recipe::{Anomaly, Principal, RecipeRequest};
use crate::net::request::PreparedRequest;
use crate::net::target::Target;
use crate::scenario;
use crate::scenario::template::Placeholder;
use crate::scenario::variation;
use crate::session::login::PreparedLogin;

/// More than the buffers of servers hold: 64 KiB is their usual limit for what they read at once.
const BIG: usize = 80 * 1024;

/// Every form of every page, ready to be filled.
#[derive(Debug)]
pub(super) struct RequestForms {
    /// The scenario's own page, then the others; in a sweep, one an operation.
    pages: Vec<PageForms>,
    pub login: Option<PreparedLogin>,
    pub signup: Option<PreparedLogin>,
    /// All identities ask for one and the same URL.
    pub same_url: bool,
    /// Each page is as good as any other.
    pub is_sweep: bool,
}

/// The forms of one page.
#[derive(Debug)]
struct PageForms {
    plain: PreparedRequest,
    /// Or why there is none; a sentence without a full stop.
    anonymous: Result<PreparedRequest, String>,
    malformed: Vec<PreparedRequest>,
    big: PreparedRequest,
}

impl PageForms {
    fn of(request: &scenario::RequestSpec, target: &Target) -> Self {
        // The sleep is each request's own.
        let fixed = |placeholder: &Placeholder| target.fixed(placeholder, None);
        let prepare = |request: &scenario::RequestSpec| PreparedRequest::new(request, &target.authority, &fixed);
        PageForms {
            plain: prepare(request),
            anonymous: variation::anonymous(request).map(|request| prepare(&request)).map_err(|why| why.to_string()),
            malformed: variation::malformed(request).iter().map(|(_, request)| prepare(request)).collect(),
            big: prepare(&variation::padded(request, BIG)),
        }
    }
}

impl RequestForms {
    pub fn new(plan: &scenario::DirtySpec, target: &Target) -> Self {
        let pages = std::iter::once(&plan.request).chain(&plan.also);
        let signup = plan.sweep.as_ref().and_then(|sweep| sweep.signup.as_ref());
        RequestForms {
            pages: pages.map(|page| PageForms::of(page, target)).collect(),
            login: plan.login.as_ref().map(|login| PreparedLogin::new(login, target)),
            signup: signup.map(|signup| PreparedLogin::new(signup, target)),
            same_url: variation::same_url(&plan.request),
            is_sweep: plan.sweep.is_some(),
        }
    }

    /// A page asks otherwise from now on.
    pub fn set_page(&mut self, page: usize, request: &scenario::RequestSpec, target: &Target) {
        if let Some(known) = self.pages.get_mut(page) {
            *known = PageForms::of(request, target);
        }
    }

    /// The form that a shot asks for; the plain one where there is no such form.
    pub fn of(&self, shot: &RecipeRequest) -> &PreparedRequest {
        let first = &self.pages[0];
        let page = self.pages.get(shot.page).unwrap_or(first);
        // What is out of the ordinary about a page is known of the first only, but in a sweep.
        let odd = if self.is_sweep { page } else { first };
        let form = match (shot.who, shot.twist) {
            (Principal::Nobody, _) => page.anonymous.as_ref().or(first.anonymous.as_ref()).ok(),
            (_, Anomaly::Malformed(index)) if !odd.malformed.is_empty() && self.is_sweep => {
                odd.malformed.get(index % odd.malformed.len())
            }
            (_, Anomaly::Malformed(index)) => odd.malformed.get(index),
            (_, Anomaly::Big) => Some(&odd.big),
            _ => Some(&page.plain),
        };
        form.unwrap_or(&page.plain)
    }

    /// The plain one is a HEAD: its responses have no body.
    pub fn head_only(&self) -> bool {
        self.pages[0].plain.head_only
    }

    /// How many pages there are: the scenario's own, and others.
    pub fn pages(&self) -> usize {
        self.pages.len()
    }

    /// Why no request can be sent without saying who asks, if so.
    pub fn without_anonymous(&self) -> Option<&str> {
        self.pages[0].anonymous.as_ref().err().map(String::as_str)
    }

    /// Whether a page can be asked for without saying who asks.
    pub fn has_anonymous(&self, page: usize) -> bool {
        self.pages.get(page).is_some_and(|page| page.anonymous.is_ok())
    }

    /// In how many ways the request for a page can be spoilt.
    pub fn malformed_of(&self, page: usize) -> usize {
        self.pages.get(page).map_or(0, |page| page.malformed.len())
    }

    /// In how many ways a request can be spoilt.
    pub fn malformed(&self) -> usize {
        self.pages[0].malformed.len()
    }
}

/// Whether a request, as it is sent, is a HEAD: its response has no body. A login or what is smuggled has a method of its
/// own, whatever that of the form.
pub(super) fn is_head(request: &[u8]) -> bool {
    request.starts_with(b"HEAD ")
}

/// Gives a request that is ready to be sent a URL that no other `number` has: past any cache whose key is the URL.
pub(super) fn with_own_url(request: &mut Vec<u8>, number: u64) {
    let mut spaces = memchr::memchr_iter(b' ', request);
    let (Some(start), Some(end)) = (spaces.next(), spaces.next()) else { return };
    let separator = if request[start..end].contains(&b'?') { '&' } else { '?' };
    let extra = format!("{separator}{}={number}", variation::EXTRA);
    request.splice(end..end, extra.into_bytes());
}

/// Ways to end a URL like that of a file that anybody may have: as a file below the page, as the page itself, behind what
/// frameworks cut off, and in the query.
pub(super) const SUFFIXES: usize = 5;

/// Gives a request that is ready to be sent a URL that ends like that of a file, in the `way` with this index. `number` is
/// part of its name, where the page's own name is not all of it.
pub(super) fn with_suffix(request: &mut Vec<u8>, way: usize, number: u64) {
    let mut spaces = memchr::memchr_iter(b' ', request);
    let (Some(start), Some(end)) = (spaces.next(), spaces.next()) else { return };
    let target = &request[start..end];
    let query = start + memchr::memchr(b'?', target).unwrap_or(target.len());
    let page = request[..query].iter().rposition(|byte| *byte != b'/').map_or(query, |last| last + 1);
    let (at, text) = match way % SUFFIXES {
        0 => (page..query, format!("/runner-{number:x}.css")),
        1 => (page..query, format!(";runner-{number:x}.css")),
        2 => (page..query, ".css".to_owned()),
        3 => (page..query, format!("/runner-{number:x}.js")),
        _ => (end..end, format!("{}runner-{number:x}.css", if query < end { '&' } else { '?' })),
    };
    request.splice(at, text.into_bytes());
}

/// Ways to have a request refused early: a method that a page does not expect, and a page that does not exist.
const METHODS: [Option<&str>; 4] = [None, Some("POST"), Some("PUT"), Some("POST")];
const NO_SUCH_PAGE: (usize, &str) = (3, "/runner-no-such-page");

/// Asks for a page that does not exist, with a request that is ready to be sent.
pub(super) fn elsewhere(request: &mut Vec<u8>) {
    let mut spaces = memchr::memchr_iter(b' ', request);
    let (Some(start), Some(end)) = (spaces.next(), spaces.next()) else { return };
    request.splice(start + 1..end, NO_SUCH_PAGE.1.bytes());
}

/// A request with `inner` for its body, which a server may refuse in the `way` with this index without having read that.
pub(super) fn smuggling(outer: &[u8], way: usize, inner: &[u8]) -> Vec<u8> {
    let way = way % METHODS.len();
    let end = memchr::memmem::find(outer, b"\r\n\r\n").unwrap_or(outer.len());
    let head = String::from_utf8_lossy(&outer[..end]);
    let (first, headers) = head.split_once("\r\n").unwrap_or((&head, ""));
    let mut words = first.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let method = METHODS[way].unwrap_or(method);
    let target = if way == NO_SUCH_PAGE.0 { NO_SUCH_PAGE.1 } else { target };
    let frames = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default();
        ["content-length", "transfer-encoding", "content-type"].iter().any(|known| name.eq_ignore_ascii_case(known))
    };
    let mut request = format!("{method} {target} HTTP/1.1\r\n");
    headers.split("\r\n").filter(|line| !frames(line)).for_each(|line| request += &format!("{line}\r\n"));
    request += &format!("content-type: text/plain\r\ncontent-length: {}\r\n\r\n", inner.len());
    [request.as_bytes(), inner].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_becomes_the_body_of_another() {
        let outer = b"POST /a HTTP/1.1\r\nhost: h\r\nContent-Length: 2\r\nx: y\r\n\r\nhi";
        let made = |way| String::from_utf8(smuggling(outer, way, b"GET /b HTTP/1.1\r\n\r\n")).unwrap();
        let rest = "host: h\r\nx: y\r\ncontent-type: text/plain\r\ncontent-length: 19\r\n\r\nGET /b HTTP/1.1\r\n\r\n";
        assert_eq!(made(0), format!("POST /a HTTP/1.1\r\n{rest}"));
        assert_eq!(made(2), format!("PUT /a HTTP/1.1\r\n{rest}"));
        assert_eq!(made(3), format!("POST /runner-no-such-page HTTP/1.1\r\n{rest}"));
    }

    #[test]
    fn a_url_ends_like_that_of_a_file() {
        let all = |target: &str| {
            let ways = (0..SUFFIXES).map(|way| {
                let mut bytes = format!("GET {target} HTTP/1.1\r\n\r\n").into_bytes();
                with_suffix(&mut bytes, way, 10);
                let text = String::from_utf8(bytes).unwrap();
                text.strip_prefix("GET ").and_then(|rest| rest.strip_suffix(" HTTP/1.1\r\n\r\n")).unwrap().to_owned()
            });
            ways.collect::<Vec<_>>()
        };
        let (css, js) = ("runner-a.css", "runner-a.js");
        let expected =
            [format!("/a/{css}"), format!("/a;{css}"), "/a.css".into(), format!("/a/{js}"), format!("/a?{css}")];
        assert_eq!(all("/a"), expected);
        assert_eq!(all("/a/")[..4], expected[..4], "a slash at the end is none of the name");
        assert_eq!(all("/a/")[4], format!("/a/?{css}"));
        let asked = all("/a/?b=/c");
        assert_eq!((asked[0].as_str(), asked[4].as_str()), ("/a/runner-a.css?b=/c", "/a/?b=/c&runner-a.css"));
        assert_eq!(all("/")[0], format!("/{css}"));
    }

    #[test]
    fn a_request_asks_for_a_page_that_does_not_exist() {
        let mut bytes = b"GET /a?b=c HTTP/1.1\r\nhost: h\r\n\r\n".to_vec();
        elsewhere(&mut bytes);
        assert_eq!(bytes, b"GET /runner-no-such-page HTTP/1.1\r\nhost: h\r\n\r\n");
    }

    #[test]
    fn a_request_gets_a_url_of_its_own() {
        let own = |request: &str| {
            let mut bytes = request.as_bytes().to_vec();
            with_own_url(&mut bytes, 7);
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(own("GET /a HTTP/1.1\r\n\r\n"), "GET /a?runner_extra=7 HTTP/1.1\r\n\r\n");
        assert_eq!(own("GET /a?b=c HTTP/1.1\r\n\r\n"), "GET /a?b=c&runner_extra=7 HTTP/1.1\r\n\r\n");
    }
}
