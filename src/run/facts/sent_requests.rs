//! Requests as they were sent, in parts, for whoever wants to send them again.

use std::net::SocketAddr;

use crate::dirty::evidence::{Reduction, SentRequest};
use crate::dirty::observation::variable;
use crate::record;
use crate::scenario::looks_secret;

/// What every client sends for itself: with any value, or with that which runner gives.
const OWN: [(&str, Option<&str>); 3] = [
    ("content-length", None),
    ("user-agent", Some(concat!("runner/", env!("CARGO_PKG_VERSION")))),
    ("accept", Some("*/*")),
];
/// A longer body is not kept, in bytes.
const LONGEST_BODY: usize = 4096;

/// One request of a shrunk leak.
pub(super) fn asked(asked: &SentRequest, shrunk: &Reduction) -> record::RequestRecord {
    let end = asked.bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(asked.bytes.len());
    let head = String::from_utf8_lossy(&asked.bytes[..end]);
    let body = asked.bytes.get(end + 4..).filter(|body| !body.is_empty());
    let text = body.filter(|body| body.len() <= LONGEST_BODY).and_then(|body| std::str::from_utf8(body).ok());
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let part = match asked.place {
        place if place == shrunk.victim => Some("victim"),
        place if Some(place) == shrunk.source => Some("source"),
        _ => None,
    };
    record::RequestRecord {
        line: asked.place.line,
        shot: asked.place.shot,
        part: part.map(str::to_owned),
        method: method.to_owned(),
        target: asked.captured.hide(target),
        headers: lines
            .filter_map(|line| line.split_once(": "))
            .filter_map(|(name, value)| header(name, value, asked))
            .collect(),
        body: text.map(|text| asked.captured.hide(text)),
        cut: body.is_some() && text.is_none(),
        status: asked.status,
    }
}

/// What holds the canary was made for this request, and is nobody's secret; but for what a login gave.
fn header(name: &str, value: &str, asked: &SentRequest) -> Option<(String, String)> {
    let canary = asked.canary.as_str();
    let lower = name.to_ascii_lowercase();
    let is_usual = OWN.iter().any(|(own, usual)| *own == lower && usual.is_none_or(|usual| usual == value));
    if is_usual || lower == "host" && is_address(value) {
        return None;
    }
    let is_own = |text: &str| !canary.is_empty() && text.contains(canary);
    let plain = |text: &str| asked.captured.hide(text);
    // It says who may ask: its value is not for a report.
    let value = match !asked.captured.holds(value) && (looks_secret(&lower) || lower.contains("key")) {
        true if !is_own(value) => variable(&lower),
        // The others of a cookie header are of other requests, too: a session that a login gave.
        true if lower == "cookie" => {
            let cookies = value.split("; ").map(|cookie| match cookie.split_once('=') {
                Some((name, _)) if !is_own(cookie) => format!("{name}={}", variable(&format!("cookie_{name}"))),
                _ => plain(cookie),
            });
            cookies.collect::<Vec<_>>().join("; ")
        }
        _ => plain(value),
    };
    Some((name.to_owned(), value))
}

/// Whether a host is what every client makes of the address of a server on this machine.
fn is_address(host: &str) -> bool {
    host.parse::<SocketAddr>().is_ok() || host.starts_with("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dirty::recipe::Recipe;

    fn by(canary: &str, token: Option<&str>, bytes: &[u8]) -> SentRequest {
        let place = crate::dirty::observation::RecipePlace { line: 0, shot: 1 };
        let captured = token.iter().map(|token| ("token".to_owned(), (*token).to_owned())).collect();
        SentRequest { place, canary: canary.to_owned(), captured, bytes: bytes.to_vec(), status: None }
    }

    /// What is told of a header in a request with this canary.
    fn header(name: &str, value: &str, canary: &str) -> Option<(String, String)> {
        super::header(name, value, &by(canary, None, b""))
    }

    #[test]
    fn only_the_cookie_with_the_canary_is_told() {
        let (_, value) = header("cookie", "user=zq1; sid=TOPSECRET; a-b=c=d", "zq1").unwrap();
        assert_eq!(value, "user=zq1; sid=$COOKIE_SID; a-b=$COOKIE_A_B");
        assert_eq!(header("cookie", "sid=TOPSECRET", "zq1").unwrap().1, "$COOKIE");
    }

    #[test]
    fn a_token_is_told_nowhere_however_it_is_written_and_whatever_stands_beside_it() {
        let bytes = b"POST /x?t=ab%2Bc%2Fd%3D%3D HTTP/1.1\r\nx-auth: ab+c/d==\r\nauthorization: zq1 ab+c/d==\r\n\
                      cookie: user=zq1-ab+c/d==; t=ab+c/d==\r\n\r\n{\"t\":\"ab+c/d==\"}";
        let told = asked(&by("zq1", Some("ab+c/d=="), bytes), &shrunk());
        let values: Vec<&str> = told.headers.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(told.target, "/x?t=$TOKEN");
        assert_eq!(values, ["$TOKEN", "zq1 $TOKEN", "user=zq1-$TOKEN; t=$COOKIE_T"]);
        assert_eq!(told.body.as_deref(), Some(r#"{"t":"$TOKEN"}"#));
    }

    fn shrunk() -> Reduction {
        Reduction {
            recipe: Recipe::default(),
            shown: 1,
            tries: 1,
            victim: crate::dirty::observation::RecipePlace { line: 0, shot: 1 },
            source: None,
            place: "body".to_owned(),
            requests: Vec::new(),
        }
    }

    #[test]
    fn what_the_scenario_gives_is_told_and_what_runner_gives_is_not() {
        let agent = concat!("runner/", env!("CARGO_PKG_VERSION"));
        assert_eq!((header("accept", "*/*", ""), header("user-agent", agent, "")), (None, None));
        assert!(header("accept", "text/html", "").is_some() && header("User-Agent", "me", "").is_some());
    }

    #[test]
    fn a_request_is_taken_apart_without_its_secrets() {
        let bytes =
            b"POST /pay?a=b&t=t0k3n HTTP/1.1\r\nhost: 127.0.0.1:80\r\nauthorization: Bearer s3cret\r\nx-user: zq1\r\n\
                      content-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
        let asked = asked(&by("zq1", Some("t0k3n"), bytes), &shrunk());
        assert_eq!(
            (asked.method.as_str(), asked.target.as_str(), asked.part.as_deref()),
            ("POST", "/pay?a=b&t=$TOKEN", Some("victim"))
        );
        let headers: Vec<String> = asked.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        assert_eq!(headers, ["authorization: $AUTHORIZATION", "x-user: zq1", "content-type: application/json"]);
        assert_eq!((asked.body.as_deref(), asked.cut), (Some("{}"), false));
    }
}
