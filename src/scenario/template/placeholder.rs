//! What a hole of a template stands for.

use std::fmt;

use super::is_word;
use crate::canary::CanaryShape;
use crate::scenario::suggest;

/// What stands before the dot of a placeholder with one.
const GROUPS: [&str; 4] = ["data", "identity", "capture", "canary"];

/// A text between braces that need not be a placeholder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BracedText {
    Placeholder,
    /// One slip away from a placeholder, so that it is meant for one.
    Slip,
    Text,
}

/// The name of the capture that `{token}` stands for.
pub const TOKEN: &str = "token";

/// What is filled in per request (or, for `Host`, `Port`, `Socket`, `Fd` and `Workers`, per start of a server).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placeholder {
    /// A value that no other request carries.
    Canary,
    /// The same, in a shape of its own, as `{canary.uuid}`.
    CanaryAs(CanaryShape),
    /// The number of the user, from 0.
    User,
    /// The number of the request within its user, from 0.
    Seq,
    /// Seconds, as `0.1`.
    Sleep,
    Host,
    Port,
    Workers,
    /// The path of the Unix socket that a command listens on.
    Socket,
    /// The number of the socket that a command is handed.
    Fd,
    /// A column of the data file.
    Data(String),
    /// A whole number drawn evenly from a range, both ends included.
    Random(u64, u64),
    /// A field of the request's identity.
    Identity(String),
    /// What the login gave the request's identity.
    Token,
    /// A value that the login took from a response.
    Capture(String),
    /// A value that is the same in all requests of an identity. It has no name in a scenario: a sweep puts it where the
    /// server must know who asks, in place of `{canary}`.
    IdentityCanary,
    /// The value of a `traceparent` header. It has no name in a scenario: `traceparent = true` puts it into a request.
    Traceparent,
}

impl Placeholder {
    /// What can stand between braces, as suggestions and messages name it.
    pub const NAMES: &[&str] = &[
        "canary",
        "user",
        "seq",
        "sleep",
        "host",
        "port",
        "workers",
        "socket",
        "fd",
        "data.column",
        "random(1,100)",
        "identity.field",
        "token",
        "base64(text)",
        "capture.name",
        "canary.uuid",
    ];

    /// Parses what stands between braces.
    pub(super) fn parse(inside: &str) -> Option<Placeholder> {
        match inside {
            "canary" => Some(Placeholder::Canary),
            "user" => Some(Placeholder::User),
            "seq" => Some(Placeholder::Seq),
            "sleep" => Some(Placeholder::Sleep),
            "host" => Some(Placeholder::Host),
            "port" => Some(Placeholder::Port),
            "workers" => Some(Placeholder::Workers),
            "socket" => Some(Placeholder::Socket),
            "fd" => Some(Placeholder::Fd),
            "token" => Some(Placeholder::Token),
            _ => Self::parse_dotted(inside).or_else(|| Self::parse_random(inside)),
        }
    }

    /// What a text between braces is that need not be a placeholder.
    pub(super) fn word(inside: &str) -> BracedText {
        let claimed = ["random(", "base64("].iter().any(|function| inside.starts_with(function));
        match inside.split_once('.') {
            _ if Self::parse(inside).is_some() => BracedText::Placeholder,
            _ if claimed => BracedText::Slip,
            Some((group, _)) if suggest::slip(group, GROUPS).is_some() => BracedText::Slip,
            None if suggest::slip(inside, Self::NAMES.iter().copied()).is_some() => BracedText::Slip,
            _ => BracedText::Text,
        }
    }

    fn parse_dotted(inside: &str) -> Option<Placeholder> {
        let (group, name) = inside.split_once('.')?;
        let name = Some(name).filter(|name| !name.is_empty() && name.chars().all(is_word))?.to_owned();
        match group {
            "canary" => CanaryShape::named(&name).map(Placeholder::CanaryAs),
            "data" => Some(Placeholder::Data(name)),
            "identity" => Some(Placeholder::Identity(name)),
            "capture" => Some(Placeholder::Capture(name)),
            _ => None,
        }
    }

    /// Whether a value of the request's own fills it, whatever its shape.
    pub fn is_canary(&self) -> bool {
        matches!(self, Placeholder::Canary | Placeholder::CanaryAs(_) | Placeholder::IdentityCanary)
    }

    /// The name of the captured value that fills it: `{token}` is one of them.
    pub fn captured(&self) -> Option<&str> {
        match self {
            Placeholder::Token => Some(TOKEN),
            Placeholder::Capture(name) => Some(name),
            _ => None,
        }
    }

    /// What fills it are words of a scenario or of a server, which may hold anything, and are encoded as their place
    /// demands.
    pub fn is_words(&self) -> bool {
        matches!(self, Placeholder::Data(_) | Placeholder::Identity(_) | Placeholder::Token | Placeholder::Capture(_))
    }

    fn parse_random(inside: &str) -> Option<Placeholder> {
        let (low, high) = inside.strip_prefix("random(")?.strip_suffix(')')?.split_once(',')?;
        let (low, high) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
        (low <= high).then_some(Placeholder::Random(low, high))
    }
}

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Placeholder::Canary | Placeholder::IdentityCanary => f.write_str("{canary}"),
            Placeholder::CanaryAs(shape) => write!(f, "{{canary.{}}}", shape.name()),
            Placeholder::User => f.write_str("{user}"),
            Placeholder::Seq => f.write_str("{seq}"),
            Placeholder::Sleep => f.write_str("{sleep}"),
            Placeholder::Host => f.write_str("{host}"),
            Placeholder::Port => f.write_str("{port}"),
            Placeholder::Workers => f.write_str("{workers}"),
            Placeholder::Socket => f.write_str("{socket}"),
            Placeholder::Fd => f.write_str("{fd}"),
            Placeholder::Data(column) => write!(f, "{{data.{column}}}"),
            Placeholder::Random(low, high) => write!(f, "{{random({low},{high})}}"),
            Placeholder::Token => f.write_str("{token}"),
            Placeholder::Identity(field) => write!(f, "{{identity.{field}}}"),
            Placeholder::Capture(name) => write!(f, "{{capture.{name}}}"),
            Placeholder::Traceparent => f.write_str("{traceparent}"),
        }
    }
}
