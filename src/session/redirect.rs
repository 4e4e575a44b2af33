//! Redirects: where they lead, and the request that they ask for.

use url::Url;

use super::{headers, url_of};

/// Headers that speak of a body, which goes where the method becomes GET.
const OF_A_BODY: [&str; 4] = ["content-length", "content-type", "transfer-encoding", "expect"];
/// The words of which the last part of a login page's path consists, without what stands between them.
const LOGIN_PAGES: [&str; 6] = ["login", "logon", "signin", "signon", "userlogin", "wplogin"];

/// Where the response leads, if it is a redirect that a client may follow.
pub fn location(status: u16, head: &[u8]) -> Option<String> {
    let leads = matches!(status, 301 | 302 | 303 | 307 | 308);
    leads.then(|| headers(head, "location").next()).flatten()
}

/// The request that a redirect asks for, from one that went to `url`: `None` if it leads to another host. 301, 302 and 303
/// turn the method to GET, unless it is HEAD, and drop the body; 307 and 308 keep both.
fn follow(request: &[u8], url: &Url, status: u16, location: &str) -> Option<Vec<u8>> {
    let to = url.join(location).ok().filter(|to| to.origin() == url.origin())?;
    let end = memchr::memmem::find(request, b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&request[..end]);
    let (first, lines) = head.split_once("\r\n")?;
    let method = first.split(' ').next()?;
    let keeps = matches!(status, 307 | 308) || matches!(method, "GET" | "HEAD");
    let method = if keeps { method } else { "GET" };
    let target = &to[url::Position::BeforePath..url::Position::AfterQuery];
    let mut next = format!("{method} {target} HTTP/1.1\r\n");
    let speaks_of_body = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default();
        OF_A_BODY.iter().any(|known| name.eq_ignore_ascii_case(known))
    };
    lines.split("\r\n").filter(|line| keeps || !speaks_of_body(line)).for_each(|line| next += &format!("{line}\r\n"));
    next += "\r\n";
    let body = if keeps { &request[end + 4..] } else { b"" };
    Some([next.as_bytes(), body].concat())
}

/// A request, and those that redirects ask for in its place.
#[derive(Debug)]
pub struct Trail {
    /// The one that is due, without the cookies of a jar.
    pub request: Vec<u8>,
    left: u32,
    secure: bool,
}

impl Trail {
    /// Follows this many redirects.
    pub fn new(request: Vec<u8>, follow: u32, secure: bool) -> Self {
        Trail { request, left: follow, secure }
    }

    /// Whether a response asks for another request, which is then the one that is due.
    pub fn leads_on(&mut self, status: u16, head: &[u8]) -> bool {
        let next = (self.left > 0).then(|| location(status, head)).flatten().and_then(|location| {
            let url = url_of(&self.request, self.secure)?;
            follow(&self.request, &url, status, &location)
        });
        let Some(next) = next else { return false };
        (self.request, self.left) = (next, self.left - 1);
        true
    }
}

/// Whether a redirect leads to where somebody is asked to log in, going by its path: `/accounts/login/?next=/`.
pub fn leads_to_login(location: &str) -> bool {
    let path = location.split(['?', '#']).next().unwrap_or_default();
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let stem = last.split('.').next().unwrap_or_default();
    let word: String = stem.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    LOGIN_PAGES.contains(&word.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    const POST: &str =
        "POST /a/b?c=d HTTP/1.1\r\nhost: h:8000\r\nx-a: 1\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nhi";

    fn followed(status: u16, location: &str) -> Option<String> {
        let url = Url::parse("http://h:8000/a/b?c=d").unwrap();
        follow(POST.as_bytes(), &url, status, location).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn a_redirect_turns_a_post_to_get_or_keeps_method_and_body() {
        let get = "GET /x?y=z HTTP/1.1\r\nhost: h:8000\r\nx-a: 1\r\n\r\n";
        for status in [301, 302, 303] {
            assert_eq!(followed(status, "/x?y=z").as_deref(), Some(get));
        }
        for status in [307, 308] {
            assert_eq!(followed(status, "/x?y=z").unwrap(), POST.replace("/a/b?c=d", "/x?y=z"));
        }
        let url = Url::parse("http://h/").unwrap();
        assert_eq!(follow(b"HEAD / HTTP/1.1\r\nhost: h\r\n\r\n", &url, 303, "/x").unwrap()[..7], *b"HEAD /x");
    }

    #[test]
    fn only_the_same_host_is_gone_to() {
        let line = |location| followed(302, location).map(|next| next.lines().next().unwrap().to_owned());
        for same in ["http://h:8000/a/e?f#g", "e?f", "./e?f", "//h:8000/a/e?f", "/a/x/../e?f"] {
            assert_eq!(line(same).as_deref(), Some("GET /a/e?f HTTP/1.1"), "{same}");
        }
        assert_eq!(line("/ä b").as_deref(), Some("GET /%C3%A4%20b HTTP/1.1"));
        for other in
            ["http://h/", "https://h:8000/", "http://evil.test:8000/", "//evil.test/", "http://", "javascript:1"]
        {
            assert_eq!(line(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_no_redirect_leads_nowhere() {
        let head = b"HTTP/1.1 302 Found\r\nLocation:  /x \r\n\r\n";
        assert_eq!(location(302, head).as_deref(), Some("/x"));
        for status in [200, 201, 300, 304, 305, 404] {
            assert_eq!(location(status, head), None, "{status}");
        }
        assert_eq!(location(302, b"HTTP/1.1 302 Found\r\n\r\n"), None);
    }

    #[test]
    fn pages_to_log_in_are_known_by_their_paths() {
        for page in [
            "/accounts/login/?next=/me",
            "/login",
            "http://h/users/sign_in",
            "/log-in#x",
            "/Login.aspx?a",
            "wp-login.php",
        ] {
            assert!(leads_to_login(page), "{page}");
        }
        for other in ["/", "/me?from=/login", "/login/done", "/blogin", "/account", "/catalogin/", ""] {
            assert!(!leads_to_login(other), "{other}");
        }
    }
}
