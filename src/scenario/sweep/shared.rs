//! Operations by pattern, and which of them show what others store.

use std::fmt;
use std::str::FromStr;

/// `POST /emails`, or the beginning of paths, `/admin/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperationPattern {
    /// One operation, by its name.
    Name(String),
    /// All whose path begins so.
    Prefix(String),
}

/// Data that a sweep stores for everybody to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedData {
    /// By which operation it comes; any if `None`.
    pub source: Option<OperationPattern>,
    /// Which operation shows it.
    pub victim: OperationPattern,
}

impl OperationPattern {
    /// Whether an operation, by its name, `GET /admin/users`, is meant.
    pub fn matches(&self, name: &str) -> bool {
        match self {
            OperationPattern::Name(own) => own == name,
            OperationPattern::Prefix(prefix) => path(name).starts_with(prefix.as_str()),
        }
    }
}

/// The path in an operation's name; all of a name without a method.
fn path(name: &str) -> &str {
    name.split_once(' ').map_or(name, |(_, path)| path)
}

impl From<&str> for OperationPattern {
    fn from(text: &str) -> Self {
        let text = text.trim();
        match text.split_once(char::is_whitespace) {
            Some((method, path)) if path.trim_start().starts_with('/') => {
                OperationPattern::Name(format!("{} {}", method.to_uppercase(), path.trim_start()))
            }
            _ if text.starts_with('/') => OperationPattern::Prefix(text.to_owned()),
            // A name that the scenario gives to a request.
            _ => OperationPattern::Name(text.to_owned()),
        }
    }
}

impl fmt::Display for OperationPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OperationPattern::Name(text) | OperationPattern::Prefix(text) => f.write_str(text),
        }
    }
}

impl SharedData {
    /// Whether what the one operation brings may be shown by the other.
    pub fn allows(&self, source: &str, victim: &str) -> bool {
        self.source.as_ref().is_none_or(|own| own.matches(source)) && self.victim.matches(victim)
    }
}

impl FromStr for SharedData {
    type Err = ();

    /// `POST /guestbook -> GET /guestbook`, or `* -> GET /guestbook`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (source, victim) = text.split_once("->").ok_or(())?;
        let (source, victim) = (source.trim(), victim.trim());
        if source.is_empty() || victim.is_empty() {
            return Err(());
        }
        let source = (source != "*").then(|| OperationPattern::from(source));
        Ok(SharedData { source, victim: OperationPattern::from(victim) })
    }
}

impl fmt::Display for SharedData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Some(source) => write!(f, "{source} -> {}", self.victim),
            None => write!(f, "* -> {}", self.victim),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_name_or_the_beginning_of_paths() {
        let emails = OperationPattern::from("post  /emails");
        assert!(emails.matches("POST /emails") && !emails.matches("GET /emails") && !emails.matches("POST /emails/x"));
        let admin = OperationPattern::from("/admin/");
        assert!(admin.matches("GET /admin/users") && !admin.matches("GET /administrators"));
        assert!(OperationPattern::from("create item").matches("create item"));
    }

    #[test]
    fn shared_data_has_a_source_and_a_victim() {
        let shared: SharedData = "POST /book->GET /book".parse().unwrap();
        assert!(shared.allows("POST /book", "GET /book") && !shared.allows("POST /other", "GET /book"));
        assert_eq!(shared.to_string(), "POST /book -> GET /book");
        let any: SharedData = "* -> /public/".parse().unwrap();
        assert!(any.allows("POST /x", "GET /public/x") && !any.allows("POST /x", "GET /x"));
        for text in ["", "POST /a", "-> GET /a", "POST /a ->"] {
            assert!(text.parse::<SharedData>().is_err(), "{text}");
        }
    }
}
