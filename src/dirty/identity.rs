//! Who asks: a canary of its own, and what else tells it from others.

use std::collections::BTreeMap;

/// One identity.
#[derive(Debug, Clone, Default)]
pub(super) struct Identity {
    /// The owner of its canary, from 1.
    pub number: u64,
    pub canary: String,
    /// Its index among the personas, if it is one.
    pub persona: Option<usize>,
    /// What fills `{identity.NAME}`.
    pub fields: BTreeMap<String, String>,
    pub session: Session,
}

/// What a server has given an identity to be known by.
#[derive(Debug, Clone, Default)]
pub(super) struct Session {
    /// The cookie jar.
    pub cookies: BTreeMap<String, String>,
    /// What fills `{token}`.
    pub token: Option<String>,
}

impl Session {
    /// Keeps the cookies that a response sets, and forgets those that it takes back. Attributes other than an expiry in
    /// the past are of no interest: one server, one path.
    pub fn take_cookies(&mut self, head: &[u8]) {
        for line in head.split(|byte| *byte == b'\n') {
            let Some((name, value)) = split_once(line, b':') else { continue };
            if !name.eq_ignore_ascii_case(b"set-cookie") {
                continue;
            }
            let value = String::from_utf8_lossy(value.trim_ascii()).into_owned();
            let mut attributes = value.split(';');
            let Some((name, value)) = attributes.next().and_then(|pair| pair.split_once('=')) else { continue };
            let gone = attributes.any(|attribute| attribute.trim().eq_ignore_ascii_case("max-age=0"));
            if gone || value.is_empty() {
                self.cookies.remove(name.trim());
            } else {
                self.cookies.insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
    }
}

fn split_once(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let index = memchr::memchr(at, text)?;
    Some((&text[..index], &text[index + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jar_keeps_the_last_value_and_forgets_what_is_taken_back() {
        let mut session = Session::default();
        session.take_cookies(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Path=/; HttpOnly\r\nset-cookie: b=x=y\r\n\r\n");
        session.take_cookies(b"HTTP/1.1 200 OK\r\nset-cookie: a=2\r\nset-cookie: b=; Max-Age=0\r\nx: y\r\n\r\n");
        assert_eq!(session.cookies, BTreeMap::from([("a".to_owned(), "2".to_owned())]));
    }
}
