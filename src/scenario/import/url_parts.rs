//! The parts of an address, as they are written: nothing is decoded or tidied up.

use percent_encoding::percent_decode_str;

/// `https://host:8080/path?query#fragment` in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UrlParts {
    /// `https://host:8080`, without a user; empty where the address has none.
    pub origin: String,
    /// `user:password`, if it has one.
    pub user: Option<String>,
    /// Path and query; begins with a slash.
    pub target: String,
}

/// Takes an address apart; one without a scheme is a path if it begins with a slash, else it begins with a host.
pub(super) fn url_parts(url: &str) -> UrlParts {
    let url = url.split('#').next().unwrap_or_default();
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) if scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) => {
            (scheme, rest)
        }
        _ if url.starts_with('/') => return UrlParts { origin: String::new(), user: None, target: url.to_owned() },
        _ => ("http", url),
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(end);
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user.to_owned()), host),
        None => (None, authority),
    };
    let slash = if target.starts_with('/') { "" } else { "/" };
    UrlParts { origin: format!("{}://{host}", scheme.to_ascii_lowercase()), user, target: format!("{slash}{target}") }
}

/// Whether a request line can hold a target: no spaces, no control characters, nothing but ASCII.
pub(super) fn is_target(target: &str) -> bool {
    target.starts_with('/') && target.bytes().all(|byte| byte.is_ascii_graphic())
}

/// With what a request line cannot hold percent-encoded.
pub(super) fn as_target(target: &str) -> String {
    let mut written = String::new();
    for byte in target.bytes() {
        if byte.is_ascii_graphic() {
            written.push(char::from(byte));
        } else {
            written.push_str(&format!("%{byte:02X}"));
        }
    }
    written
}

/// Whether a path is that of a file which is the same for everybody: an image, a script, a font.
pub(super) fn is_asset(target: &str) -> bool {
    const ENDINGS: [&str; 22] = [
        "js",
        "mjs",
        "css",
        "map",
        "png",
        "jpg",
        "jpeg",
        "gif",
        "svg",
        "ico",
        "webp",
        "avif",
        "woff",
        "woff2",
        "ttf",
        "otf",
        "eot",
        "mp4",
        "webm",
        "mp3",
        "wasm",
        "webmanifest",
    ];
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let file = path.rsplit('/').next().unwrap_or_default();
    file.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.contains(&ending.to_ascii_lowercase().as_str()))
}

/// What a part of a query or a form means.
pub(super) fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}
