//! A request of HTTP/1.1 in the form that HTTP/2 has it in.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Uri};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// Headers that speak of the connection, which HTTP/2 has other means for (RFC 9113, section 8.2.2), and the host, which
/// becomes the authority.
const LEFT_OUT: [&str; 7] =
    ["host", "connection", "proxy-connection", "keep-alive", "upgrade", "transfer-encoding", "expect"];
/// What no URL holds as it is (RFC 3986, section 2), and `http::Uri` refuses. Browsers encode it, too.
const NOT_IN_URLS: &AsciiSet = &CONTROLS.add(b'"').add(b'<').add(b'>').add(b'`');

/// A request, taken apart once for all who send the same bytes.
#[derive(Debug)]
pub struct Http2Request {
    bytes: Vec<u8>,
    head: Request<()>,
    body: Option<Bytes>,
}

impl Http2Request {
    /// `scheme` is `http` or `https`. The error says why HTTP/2 has no such request.
    pub fn new(bytes: &[u8], scheme: &str) -> Result<Self, String> {
        let end = memchr::memmem::find(bytes, b"\r\n\r\n").unwrap_or(bytes.len());
        // A header takes a line.
        let mut headers = vec![httparse::EMPTY_HEADER; memchr::memchr_iter(b'\n', &bytes[..end]).count()];
        let mut request = httparse::Request::new(&mut headers);
        let length = match request.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Err("its head does not end".to_owned()),
            Err(error) => return Err(error.to_string()),
        };
        let host = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case("host"));
        // Most often there is nothing to encode, and nothing is copied.
        let path: Cow<'_, str> = utf8_percent_encode(request.path.unwrap_or("/"), NOT_IN_URLS).into();
        let authority = host.map_or(&b""[..], |host| host.value);
        let uri = Uri::builder().scheme(scheme).authority(authority).path_and_query(&*path).build();
        let mut head = Request::builder().method(request.method.unwrap_or("GET")).uri(uri.map_err(why)?);
        for header in request.headers.iter() {
            let is = |name: &&str| header.name.eq_ignore_ascii_case(name);
            // The one value of `te` that HTTP/2 knows.
            let te = is(&"te") && !header.value.eq_ignore_ascii_case(b"trailers");
            if !te && !LEFT_OUT.iter().any(is) {
                let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(why)?;
                head = head.header(name, HeaderValue::from_bytes(header.value).map_err(why)?);
            }
        }
        let body = &bytes[length..];
        Ok(Http2Request {
            bytes: bytes.to_vec(),
            head: head.body(()).map_err(why)?,
            body: (!body.is_empty()).then(|| Bytes::copy_from_slice(body)),
        })
    }

    /// Whether these are the bytes it was made of.
    pub fn is_of(&self, bytes: &[u8]) -> bool {
        self.bytes == bytes
    }

    /// Method, target and headers, as HTTP/2 has them.
    pub fn head(&self) -> Request<()> {
        self.head.clone()
    }

    /// The body; `None` where the head ends the request.
    pub fn body(&self) -> Option<Bytes> {
        self.body.clone()
    }
}

fn why(error: impl std::fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_the_connection_is_left_out_and_the_host_becomes_the_authority() {
        let text = b"POST /a?b=%20c HTTP/1.1\r\nhost: shop.test:8443\r\nX-A: 1\r\nConnection: close\r\n\
                     content-length: 5\r\n\r\nhello";
        let translated = Http2Request::new(text, "https").unwrap();
        let head = translated.head();
        assert_eq!(
            (head.method().as_str(), head.uri()),
            ("POST", &Uri::from_static("https://shop.test:8443/a?b=%20c"))
        );
        let headers: Vec<_> = head.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(headers, [("x-a", &b"1"[..]), ("content-length", b"5")]);
        assert_eq!(translated.body().as_deref(), Some(&b"hello"[..]));
        assert!(translated.is_of(text) && !translated.is_of(b"GET"));
    }

    #[test]
    fn a_request_has_as_many_headers_as_it_likes() {
        let lines: String = (0..1000).map(|n| format!("x-{n}: {n}\r\n")).collect();
        let text = format!("POST / HTTP/1.1\r\nhost: a\r\n{lines}\r\na\nb\n");
        assert_eq!(Http2Request::new(text.as_bytes(), "http").unwrap().head().headers().len(), 1000);
    }

    #[test]
    fn what_no_url_holds_is_percent_encoded() {
        let text = "GET /<a>`\"?q=\"x\"&r=`<|> HTTP/1.1\r\nhost: a\r\n\r\n";
        let head = Http2Request::new(text.as_bytes(), "http").unwrap().head();
        assert_eq!(head.uri().path_and_query().unwrap(), "/%3Ca%3E%60%22?q=%22x%22&r=%60%3C|%3E");
        // All else that a scenario may have in a path is taken as it is.
        for byte in (b'!'..=b'~').filter(|byte| *byte != b'#') {
            let text = format!("GET /{0}?{0} HTTP/1.1\r\nhost: a\r\n\r\n", byte as char);
            assert!(Http2Request::new(text.as_bytes(), "http").is_ok(), "{text}");
        }
    }

    #[test]
    fn of_te_only_trailers_is_sent() {
        for (value, sent) in [("trailers", true), ("Trailers", true), ("gzip", false)] {
            let text = format!("GET / HTTP/1.1\r\nhost: a\r\nTE: {value}\r\nproxy-connection: close\r\n\r\n");
            let head = Http2Request::new(text.as_bytes(), "http").unwrap().head();
            assert_eq!((head.headers().contains_key("te"), head.headers().len()), (sent, usize::from(sent)), "{value}");
        }
    }

    #[test]
    fn a_request_without_a_body_has_none_and_what_is_no_request_is_refused() {
        let get = Http2Request::new(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n", "http").unwrap();
        assert_eq!(get.body(), None);
        assert!(Http2Request::new(b"GET /\r\n", "http").is_err() && Http2Request::new(b"GET /", "http").is_err());
    }
}
