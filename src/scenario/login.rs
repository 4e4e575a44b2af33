//! Logging in, as meant: requests in their order, and what is taken from their responses.

use super::RequestSpec;

/// What each identity, or each user of a load, sends before its requests. The cookies of the responses are its own from
/// then on.
#[derive(Debug, Clone)]
pub struct LoginSpec {
    /// In their order; at least one. One of them holds `{canary}` or something else that tells who logs in.
    pub steps: Vec<LoginStep>,
    /// A log-in is kept for as long as the server takes it, also from one server to the next.
    pub once: bool,
}

/// One request of a login.
#[derive(Debug, Clone)]
pub struct LoginStep {
    /// It holds no `{sleep}`, and captures of steps before it only.
    pub request: RequestSpec,
    /// How many redirects are followed.
    pub follow: u32,
    pub captures: Vec<CaptureSpec>,
}

/// A value that is taken from a response, for requests that come later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptureSpec {
    /// What it fills: `{capture.NAME}`; the one named `token` also fills `{token}`.
    pub name: String,
    pub from: CaptureSource,
}

/// Where in a response a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaptureSource {
    /// The names, or indices, that lead to it in the JSON of the body.
    Json(Vec<String>),
    /// A header, by its name.
    Header(String),
    /// The last part of the path in the `location` header: the id of what was created.
    Location,
    /// A cookie that the response sets, or that was set before.
    Cookie(String),
    /// A form's field in the HTML of the body, by its name.
    Field(String),
    /// The `content` of a `<meta>` in the HTML of the body, by its name.
    Meta(String),
}

impl std::fmt::Display for CaptureSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CaptureSource::Json(path) => write!(f, "text at `{}` in its JSON", path.join(".")),
            CaptureSource::Header(name) => write!(f, "header `{name}`"),
            CaptureSource::Location => f.write_str("last part of its `location`"),
            CaptureSource::Cookie(name) => write!(f, "cookie `{name}`"),
            CaptureSource::Field(name) => write!(f, "form field `{name}` in its HTML"),
            CaptureSource::Meta(name) => write!(f, "`<meta name=\"{name}\">` in its HTML"),
        }
    }
}

impl LoginSpec {
    /// The requests, in their order.
    pub fn requests(&self) -> impl Iterator<Item = &RequestSpec> {
        self.steps.iter().map(|step| &step.request)
    }
}
