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

impl Identity {
    /// How it is called in reports, if it asks again and again: by its first field, else by its number.
    pub fn label(&self) -> Option<String> {
        let named = ["name", "user", "username", "email"].iter().find_map(|field| self.fields.get(*field));
        let number = self.persona? + 1;
        Some(named.or_else(|| self.fields.values().next()).cloned().unwrap_or_else(|| format!("identity {number}")))
    }
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

impl Session {
    /// Finds the token in the JSON that a login was answered with.
    pub fn take_token(&mut self, body: &[u8], path: &[String]) -> Result<(), String> {
        let json: serde_json::Value = serde_json::from_slice(body).map_err(|_| "its answer is not JSON".to_owned())?;
        let found = path.iter().try_fold(&json, |value, name| match value {
            serde_json::Value::Array(items) => items.get(name.parse::<usize>().ok()?),
            value => value.get(name),
        });
        let token = match found {
            Some(serde_json::Value::String(text)) => text.clone(),
            Some(serde_json::Value::Number(number)) => number.to_string(),
            _ => return Err(format!("its answer has no text at `{}`", path.join("."))),
        };
        self.token = Some(token);
        Ok(())
    }

    /// Adds the jar to a request that is ready to be sent: to its `cookie` header where it has one.
    pub fn add_cookies(&self, request: &mut Vec<u8>) {
        if self.cookies.is_empty() {
            return;
        }
        let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let pairs = pairs.join("; ");
        let Some(head) = memchr::memmem::find(request, b"\r\n\r\n") else { return };
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
}

fn split_once(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let index = memchr::memchr(at, text)?;
    Some((&text[..index], &text[index + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jar_goes_into_the_cookie_header() {
        let session = Session { cookies: BTreeMap::from([("sid".to_owned(), "7".to_owned())]), token: None };
        let with = |request: &str| {
            let mut bytes = request.as_bytes().to_vec();
            session.add_cookies(&mut bytes);
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(
            with("GET / HTTP/1.1\r\nhost: h\r\n\r\nbody"),
            "GET / HTTP/1.1\r\nhost: h\r\ncookie: sid=7\r\n\r\nbody"
        );
        assert_eq!(
            with("GET / HTTP/1.1\r\nCookie: a=b\r\nhost: h\r\n\r\n"),
            "GET / HTTP/1.1\r\nCookie: a=b; sid=7\r\nhost: h\r\n\r\n"
        );
    }

    #[test]
    fn a_jar_keeps_the_last_value_and_forgets_what_is_taken_back() {
        let mut session = Session::default();
        session.take_cookies(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Path=/; HttpOnly\r\nset-cookie: b=x=y\r\n\r\n");
        session.take_cookies(b"HTTP/1.1 200 OK\r\nset-cookie: a=2\r\nset-cookie: b=; Max-Age=0\r\nx: y\r\n\r\n");
        assert_eq!(session.cookies, BTreeMap::from([("a".to_owned(), "2".to_owned())]));
    }
}
