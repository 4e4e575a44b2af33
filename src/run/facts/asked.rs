//! Requests as they were sent, in parts, for whoever wants to send them again.

use crate::dirty::diagnosis::{Asked, Shrunk};
use crate::record;

/// What every client sends for itself.
const OWN: [&str; 4] = ["host", "content-length", "user-agent", "accept"];
/// A header whose name holds one of these says who may ask; its value is not for a report.
const SECRET: [&str; 7] = ["authorization", "cookie", "token", "secret", "key", "session", "password"];
/// A longer body is not kept, in bytes.
const LONGEST_BODY: usize = 4096;

/// One request of a shrunk leak.
pub(super) fn asked(asked: &Asked, shrunk: &Shrunk) -> record::Asked {
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
    record::Asked {
        line: asked.place.line,
        shot: asked.place.shot,
        part: part.map(str::to_owned),
        method: method.to_owned(),
        target: target.to_owned(),
        headers: lines
            .filter_map(|line| line.split_once(": "))
            .filter_map(|(name, value)| header(name, value, &asked.canary))
            .collect(),
        body: text.map(str::to_owned),
        cut: body.is_some() && text.is_none(),
    }
}

/// What holds the canary was made for this request, and is nobody's secret.
fn header(name: &str, value: &str, canary: &str) -> Option<(String, String)> {
    let lower = name.to_ascii_lowercase();
    if OWN.contains(&lower.as_str()) {
        return None;
    }
    let secret = SECRET.iter().any(|word| lower.contains(word)) && (canary.is_empty() || !value.contains(canary));
    let value = if secret { format!("${}", lower.replace('-', "_").to_uppercase()) } else { value.to_owned() };
    Some((name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dirty::recipe::Recipe;

    #[test]
    fn a_request_is_taken_apart_without_its_secrets() {
        let bytes = b"POST /pay?a=b HTTP/1.1\r\nhost: h\r\nauthorization: Bearer s3cret\r\nx-user: zq1\r\n\
                      content-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
        let place = crate::dirty::observation::Place { line: 0, shot: 1 };
        let shrunk = Shrunk {
            recipe: Recipe::default(),
            shown: 1,
            tries: 1,
            victim: place,
            source: None,
            place: "body".to_owned(),
            requests: Vec::new(),
        };
        let asked = asked(&Asked { place, canary: "zq1".to_owned(), bytes: bytes.to_vec() }, &shrunk);
        assert_eq!(
            (asked.method.as_str(), asked.target.as_str(), asked.part.as_deref()),
            ("POST", "/pay?a=b", Some("victim"))
        );
        let headers: Vec<String> = asked.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        assert_eq!(headers, ["authorization: $AUTHORIZATION", "x-user: zq1", "content-type: application/json"]);
        assert_eq!((asked.body.as_deref(), asked.cut), (Some("{}"), false));
    }
}
