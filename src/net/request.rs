//! Requests as prebuilt bytes with slots for what varies.

use crate::scenario::request::ValueEncoding;
use crate::scenario::template::{Piece, Placeholder};
use crate::scenario::{self, Template};

/// A request, ready but for its slots.
#[derive(Debug, Clone)]
pub struct PreparedRequest {
    head: Vec<Part>,
    body: Option<Vec<Part>>,
    /// The whole request, if nothing in it varies.
    constant: Option<Vec<u8>>,
    /// It is a HEAD: its response has no body.
    pub head_only: bool,
    /// Its body waits for the server's leave: `expect: 100-continue`.
    pub waits: bool,
    /// Sending it twice asks for no more than sending it once (RFC 9110, section 9.2.2).
    pub idempotent: bool,
    /// It says `connection: close`: its connection carries no other after it (RFC 9112, section 9.6).
    pub closes: bool,
}

#[derive(Debug, Clone)]
enum Part {
    Bytes(Vec<u8>),
    Slot(Placeholder, ValueEncoding),
    /// In base64, then encoded.
    Base64(Template, ValueEncoding),
}

impl PreparedRequest {
    /// `host` is the authority for the `host` header, unless the request has one of its own. `fixed` gives the placeholders
    /// that are the same for every request; what it does not know becomes a slot.
    pub fn new(request: &scenario::RequestSpec, host: &str, fixed: &dyn Fn(&Placeholder) -> Option<String>) -> Self {
        let mut prepared = PreparedRequest::once(request, host, fixed);
        if prepared.head.iter().chain(prepared.body.iter().flatten()).all(|part| matches!(part, Part::Bytes(_))) {
            let mut bytes = Vec::new();
            prepared.write(&mut bytes, &mut |_, _| {});
            prepared.constant = Some(bytes);
        }
        prepared
    }

    /// As [`PreparedRequest::new`], of what is written only once.
    pub fn once(request: &scenario::RequestSpec, host: &str, fixed: &dyn Fn(&Placeholder) -> Option<String>) -> Self {
        let mut head = Parts::new(fixed);
        head.text(&format!("{} ", request.method));
        head.template(&request.target(), ValueEncoding::Url);
        head.text(" HTTP/1.1\r\n");
        let lines = request.header_lines();
        let has = |name: &str| lines.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        if !has("host") {
            head.text(&format!("host: {host}\r\n"));
        }
        if !has("user-agent") {
            head.text(concat!("user-agent: runner/", env!("CARGO_PKG_VERSION"), "\r\n"));
        }
        if !has("accept") {
            head.text("accept: */*\r\n");
        }
        for (name, value) in &lines {
            head.text(&format!("{name}: "));
            head.template(value, ValueEncoding::of_header(name));
            head.text("\r\n");
        }
        let body = request.content().map(|template| {
            let mut body = Parts::new(fixed);
            body.template(&template, ValueEncoding::of_body(request.body.as_ref()));
            body.parts
        });
        let method = request.method.as_str();
        if body.is_none() && matches!(method, "POST" | "PUT" | "PATCH") {
            // Methods for which servers expect a body: some answer 411 to silence about its length.
            head.text("content-length: 0\r\n");
        }
        let idempotent = matches!(method, "GET" | "HEAD" | "OPTIONS" | "PUT" | "DELETE" | "TRACE");
        let expects = |(name, value): &(String, Template)| {
            name.eq_ignore_ascii_case("expect") && value.text().eq_ignore_ascii_case("100-continue")
        };
        let waits = body.is_some() && lines.iter().any(expects);
        let closes = lines.iter().any(|(name, value)| name.eq_ignore_ascii_case("connection") && says_close(value));
        let head_only = method == "HEAD";
        PreparedRequest { head: head.parts, body, constant: None, head_only, waits, idempotent, closes }
    }

    /// Gives it a body that need not be text. It must have been made with one.
    pub fn set_body(&mut self, bytes: Vec<u8>) {
        self.body = Some(vec![Part::Bytes(bytes)]);
        self.constant = None;
    }

    /// The bytes of every request, if nothing in them varies.
    pub fn constant(&self) -> Option<&[u8]> {
        self.constant.as_deref()
    }

    /// Writes one request; `fill` appends what a slot holds.
    pub fn write(&self, out: &mut Vec<u8>, fill: &mut dyn FnMut(&Placeholder, &mut Vec<u8>)) {
        write_parts(&self.head, out, fill);
        let Some(body) = &self.body else {
            out.extend_from_slice(b"\r\n");
            return;
        };
        let mut content = Vec::new();
        write_parts(body, &mut content, fill);
        append(out, format_args!("content-length: {}\r\n\r\n", content.len()));
        out.extend_from_slice(&content);
    }
}

/// Whether `close` is among the items of a `connection` header.
fn says_close(value: &Template) -> bool {
    value.text().split(',').any(|item| item.trim().eq_ignore_ascii_case("close"))
}

/// Appends a text, without making one in between.
pub fn append(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // A vector takes whatever is written to it.
    let _ = std::io::Write::write_fmt(out, text);
}

fn write_parts(parts: &[Part], out: &mut Vec<u8>, fill: &mut dyn FnMut(&Placeholder, &mut Vec<u8>)) {
    for part in parts {
        match part {
            Part::Bytes(bytes) => out.extend_from_slice(bytes),
            Part::Slot(placeholder, encoding) if placeholder.is_words() => {
                // Words of a scenario or of a server, which may hold anything.
                let mut value = Vec::new();
                fill(placeholder, &mut value);
                out.extend_from_slice(encoding.encode(&String::from_utf8_lossy(&value)).as_bytes());
            }
            Part::Slot(placeholder, _) => fill(placeholder, out),
            Part::Base64(inside, encoding) => {
                out.extend_from_slice(encoding.encode(&inside.fill_base64(fill)).as_bytes());
            }
        }
    }
}

/// Collects parts, joining neighbouring text.
struct Parts<'a> {
    parts: Vec<Part>,
    fixed: &'a dyn Fn(&Placeholder) -> Option<String>,
}

impl<'a> Parts<'a> {
    fn new(fixed: &'a dyn Fn(&Placeholder) -> Option<String>) -> Self {
        Parts { parts: Vec::new(), fixed }
    }

    fn text(&mut self, text: &str) {
        match self.parts.last_mut() {
            Some(Part::Bytes(bytes)) => bytes.extend_from_slice(text.as_bytes()),
            _ => self.parts.push(Part::Bytes(text.as_bytes().to_vec())),
        }
    }

    fn template(&mut self, template: &Template, encoding: ValueEncoding) {
        for piece in &template.pieces {
            match piece {
                Piece::Text(text) => self.text(text),
                Piece::Hole(placeholder) => match (self.fixed)(placeholder) {
                    Some(text) if placeholder.is_words() => self.text(&encoding.encode(&text)),
                    Some(text) => self.text(&text),
                    None => self.parts.push(Part::Slot(placeholder.clone(), encoding)),
                },
                Piece::Base64(inside) => {
                    let inside = inside.with(self.fixed);
                    if inside.varies() {
                        self.parts.push(Part::Base64(inside, encoding));
                    } else {
                        self.text(&encoding.encode(&inside.fill_base64(&mut |_, _| {})));
                    }
                }
            }
        }
    }
}

/// `{sleep}` as requests write it: plain seconds without trailing zeros.
pub fn show_sleep(sleep: std::time::Duration) -> String {
    let text = format!("{:.9}", sleep.as_secs_f64());
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Template {
        Template { pieces: vec![Piece::Text(text.to_owned())] }
    }

    fn request(path: Template, body: Option<Template>) -> scenario::RequestSpec {
        let headers = vec![("x-a".to_owned(), text("b"))];
        let body = body.map(scenario::request::BodySpec::Text);
        scenario::RequestSpec { method: "POST".to_owned(), headers, body, ..scenario::RequestSpec::get(&path) }
    }

    #[test]
    fn a_request_without_slots_is_built_once() {
        let path = Template { pieces: vec![Piece::Text("/?sleep=".to_owned()), Piece::Hole(Placeholder::Sleep)] };
        let prepared = PreparedRequest::new(&request(path, Some(text("hello"))), "h:1", &|_| Some("0.1".to_owned()));
        let expected = "POST /?sleep=0.1 HTTP/1.1\r\nhost: h:1\r\nuser-agent: runner/0.1.0\r\naccept: */*\r\nx-a: b\r\n\
                        content-length: 5\r\n\r\nhello";
        assert_eq!(prepared.constant(), Some(expected.as_bytes()));
    }

    #[test]
    fn a_host_of_its_own_takes_the_place_of_the_servers() {
        let own = vec![("Host".to_owned(), text("shop.test"))];
        let request = scenario::RequestSpec { headers: own, ..scenario::RequestSpec::get(&text("/")) };
        let sent =
            String::from_utf8(PreparedRequest::new(&request, "h:1", &|_| None).constant().unwrap().to_vec()).unwrap();
        assert!(sent.contains("\r\nHost: shop.test\r\n") && !sent.contains("h:1"), "{sent}");
    }

    #[test]
    fn slots_are_filled_per_request_and_the_length_follows() {
        let hole = Template { pieces: vec![Piece::Hole(Placeholder::Seq)] };
        let prepared = PreparedRequest::new(&request(text("/"), Some(hole)), "h", &|_| None);
        assert_eq!(prepared.constant(), None);
        let mut out = Vec::new();
        prepared.write(&mut out, &mut |_, out| out.extend_from_slice(b"12345678901"));
        assert!(out.ends_with(b"content-length: 11\r\n\r\n12345678901"));
    }

    #[test]
    fn what_an_identity_holds_is_encoded_as_its_place_demands() {
        use crate::scenario::request::{BodySpec, Json};
        let hole = || Template::parse("{identity.name}").unwrap();
        let named = || vec![("user".to_owned(), hole())];
        let sent = |body: BodySpec| {
            let target = Template::parse("/{identity.name}?n={identity.name}&c={canary}").unwrap();
            let (headers, cookies) = (vec![("x-user".to_owned(), hole())], named());
            let request =
                scenario::RequestSpec { headers, cookies, body: Some(body), ..scenario::RequestSpec::get(&target) };
            let mut out = Vec::new();
            let fill = &mut |_: &Placeholder, out: &mut Vec<u8>| out.extend_from_slice("é\"; a@b".as_bytes());
            PreparedRequest::new(&request, "h", &|_| None).write(&mut out, fill);
            String::from_utf8(out).unwrap()
        };
        let json = sent(BodySpec::Json(Json::Object(vec![("user".to_owned(), Json::Text(hole()))])));
        let url = "%C3%A9%22%3B%20a%40b";
        assert!(
            json.starts_with(&format!("GET /{url}?n={url}&c=é\"; a@b HTTP/1.1\r\n")),
            "canaries as they are: {json}"
        );
        assert!(json.contains("\r\nx-user: é\"; a@b\r\ncookie: user=%C3%A9%22%3B%20a@b\r\n"), "{json}");
        assert!(json.ends_with("{\"user\":\"é\\\"; a@b\"}"), "{json}");
        assert!(sent(BodySpec::Form(named())).ends_with(&format!("user={url}")));
        assert!(sent(BodySpec::Text(hole())).ends_with("\r\n\r\né\"; a@b"));
    }

    #[test]
    fn what_is_in_base64_is_filled_first_and_encoded_as_its_place_demands() {
        let hole = || Template::parse("{base64({data.name}:{port}?>)}").unwrap();
        let headers = vec![("authorization".to_owned(), hole())];
        let target = Template::parse("/?a={base64({data.name}:{port}?>)}").unwrap();
        let request = scenario::RequestSpec { headers, ..scenario::RequestSpec::get(&target) };
        let fixed = |placeholder: &Placeholder| (*placeholder == Placeholder::Port).then(|| "80".to_owned());
        let mut out = Vec::new();
        let fill = &mut |_: &Placeholder, out: &mut Vec<u8>| out.extend_from_slice("a b".as_bytes());
        PreparedRequest::new(&request, "h", &fixed).write(&mut out, fill);
        let sent = String::from_utf8(out).unwrap();
        assert!(sent.contains("\r\nauthorization: YSBiOjgwPz4=\r\n"), "{sent}");
        assert!(sent.starts_with("GET /?a=YSBiOjgwPz4%3D HTTP/1.1\r\n"), "{sent}");
        let known = PreparedRequest::new(&request, "h", &|_| Some("a b".to_owned()));
        assert!(known.constant().is_some_and(|sent| sent.ends_with(b"authorization: YSBiOmEgYj8+\r\n\r\n")));
    }

    #[test]
    fn a_method_that_expects_a_body_says_that_there_is_none() {
        for (method, says) in [("POST", true), ("PUT", true), ("PATCH", true), ("GET", false), ("DELETE", false)] {
            let request = scenario::RequestSpec { method: method.to_owned(), ..request(text("/"), None) };
            let prepared = PreparedRequest::new(&request, "h", &|_| None);
            let sent = String::from_utf8(prepared.constant().unwrap().to_vec()).unwrap();
            assert_eq!(sent.ends_with("content-length: 0\r\n\r\n"), says, "{sent}");
        }
    }

    #[test]
    fn a_request_that_closes_its_connection_is_known() {
        let closes = |name: &str, value: &str| {
            let headers = vec![("x-a".to_owned(), text("close")), (name.to_owned(), text(value))];
            let request = scenario::RequestSpec { headers, ..request(text("/"), None) };
            PreparedRequest::new(&request, "h", &|_| None).closes
        };
        for (name, value) in [("connection", "close"), ("Connection", "keep-alive,\tClose , te")] {
            assert!(closes(name, value), "{name}: {value}");
        }
        for (name, value) in [("connection", "keep-alive"), ("connection", "closed"), ("proxy-connection", "close")] {
            assert!(!closes(name, value), "{name}: {value}");
        }
    }

    #[test]
    fn sleeps_are_plain_seconds() {
        use std::time::Duration;
        assert_eq!(show_sleep(Duration::from_millis(100)), "0.1");
        assert_eq!(show_sleep(Duration::from_secs(7)), "7");
        assert_eq!(show_sleep(Duration::ZERO), "0");
    }
}
