//! The options of curl: which take a value, and what those do that matter for a request.

/// What an option is to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CurlOption {
    /// It changes nothing about what is sent.
    Nothing,
    Url,
    Method,
    Header,
    /// `-d`; the value may be `@file`.
    Data,
    DataRaw,
    DataUrlencode,
    Json,
    Form,
    FormString,
    Get,
    Head,
    UserAgent,
    Referer,
    Cookie,
    User,
    Bearer,
    Compressed,
    UrlQuery,
    Range,
    Globoff,
    PathAsIs,
    /// The next request of the same command.
    Next,
    Proxy,
    /// It cannot be read here: the reason.
    Refused(&'static str),
}

use CurlOption::{
    Bearer, Compressed, Cookie, Data, DataRaw, DataUrlencode, Form, FormString, Get, Globoff, Head, Header, Json,
    Method, Next, Nothing, PathAsIs, Proxy, Range, Referer, Refused, Url, UrlQuery, User, UserAgent,
};

/// Long name, short name or a space, whether it takes a value, what it is.
type Row = (&'static str, char, bool, CurlOption);

const FILE: CurlOption = Refused("it reads a file");
const SIGNED: CurlOption = Refused("the answer to the first request decides what is sent");

const ROWS: &[Row] = &[
    ("url", ' ', true, Url),
    ("request", 'X', true, Method),
    ("header", 'H', true, Header),
    ("data", 'd', true, Data),
    ("data-ascii", ' ', true, Data),
    ("data-binary", ' ', true, Data),
    ("data-raw", ' ', true, DataRaw),
    ("data-urlencode", ' ', true, DataUrlencode),
    ("json", ' ', true, Json),
    ("form", 'F', true, Form),
    ("form-string", ' ', true, FormString),
    ("get", 'G', false, Get),
    ("head", 'I', false, Head),
    ("user-agent", 'A', true, UserAgent),
    ("referer", 'e', true, Referer),
    ("cookie", 'b', true, Cookie),
    ("user", 'u', true, User),
    ("oauth2-bearer", ' ', true, Bearer),
    ("compressed", ' ', false, Compressed),
    ("url-query", ' ', true, UrlQuery),
    ("range", 'r', true, Range),
    ("globoff", 'g', false, Globoff),
    ("path-as-is", ' ', false, PathAsIs),
    ("next", ':', false, Next),
    ("proxy", 'x', true, Proxy),
    ("upload-file", 'T', true, FILE),
    ("config", 'K', true, FILE),
    ("netrc", 'n', false, FILE),
    ("netrc-file", ' ', true, FILE),
    ("digest", ' ', false, SIGNED),
    ("ntlm", ' ', false, SIGNED),
    ("negotiate", ' ', false, SIGNED),
    ("anyauth", ' ', false, SIGNED),
    ("aws-sigv4", ' ', true, Refused("it signs each request")),
    ("continue-at", 'C', true, Refused("it depends on a file")),
    ("time-cond", 'z', true, Refused("it depends on a date or a file")),
    ("proxy-user", 'U', true, Nothing),
    ("basic", ' ', false, Nothing),
    ("insecure", 'k', false, Nothing),
    ("location", 'L', false, Nothing),
    ("location-trusted", ' ', false, Nothing),
    ("silent", 's', false, Nothing),
    ("show-error", 'S', false, Nothing),
    ("verbose", 'v', false, Nothing),
    ("include", 'i', false, Nothing),
    ("fail", 'f', false, Nothing),
    ("fail-with-body", ' ', false, Nothing),
    ("fail-early", ' ', false, Nothing),
    ("output", 'o', true, Nothing),
    ("output-dir", ' ', true, Nothing),
    ("remote-name", 'O', false, Nothing),
    ("remote-header-name", 'J', false, Nothing),
    ("write-out", 'w', true, Nothing),
    ("dump-header", 'D', true, Nothing),
    ("cookie-jar", 'c', true, Nothing),
    ("junk-session-cookies", 'j', false, Nothing),
    ("max-time", 'm', true, Nothing),
    ("connect-timeout", ' ', true, Nothing),
    ("max-redirs", ' ', true, Nothing),
    ("retry", ' ', true, Nothing),
    ("retry-delay", ' ', true, Nothing),
    ("retry-max-time", ' ', true, Nothing),
    ("retry-all-errors", ' ', false, Nothing),
    ("retry-connrefused", ' ', false, Nothing),
    ("limit-rate", ' ', true, Nothing),
    ("speed-limit", 'Y', true, Nothing),
    ("speed-time", 'y', true, Nothing),
    ("max-filesize", ' ', true, Nothing),
    ("keepalive-time", ' ', true, Nothing),
    ("no-keepalive", ' ', false, Nothing),
    ("no-buffer", 'N', false, Nothing),
    ("buffer", ' ', false, Nothing),
    ("progress-bar", '#', false, Nothing),
    ("no-progress-meter", ' ', false, Nothing),
    ("styled-output", ' ', false, Nothing),
    ("parallel", 'Z', false, Nothing),
    ("http0.9", ' ', false, Nothing),
    ("http1.0", '0', false, Nothing),
    ("http1.1", ' ', false, Nothing),
    ("http2", ' ', false, Nothing),
    ("http2-prior-knowledge", ' ', false, Nothing),
    ("http3", ' ', false, Nothing),
    ("tcp-nodelay", ' ', false, Nothing),
    ("tcp-fastopen", ' ', false, Nothing),
    ("ipv4", '4', false, Nothing),
    ("ipv6", '6', false, Nothing),
    ("tlsv1", '1', false, Nothing),
    ("tlsv1.0", ' ', false, Nothing),
    ("tlsv1.1", ' ', false, Nothing),
    ("tlsv1.2", ' ', false, Nothing),
    ("tlsv1.3", ' ', false, Nothing),
    ("tls-max", ' ', true, Nothing),
    ("ciphers", ' ', true, Nothing),
    ("cacert", ' ', true, Nothing),
    ("capath", ' ', true, Nothing),
    ("cert", 'E', true, Nothing),
    ("cert-type", ' ', true, Nothing),
    ("key", ' ', true, Nothing),
    ("pass", ' ', true, Nothing),
    ("pinnedpubkey", ' ', true, Nothing),
    ("ssl", ' ', false, Nothing),
    ("ssl-no-revoke", ' ', false, Nothing),
    ("proto", ' ', true, Nothing),
    ("proto-default", ' ', true, Nothing),
    ("proto-redir", ' ', true, Nothing),
    ("noproxy", ' ', true, Nothing),
    ("proxy-header", ' ', true, Nothing),
    ("proxy-insecure", ' ', false, Nothing),
    ("socks5", ' ', true, Nothing),
    ("socks5-hostname", ' ', true, Nothing),
    ("resolve", ' ', true, Nothing),
    ("connect-to", ' ', true, Nothing),
    ("unix-socket", ' ', true, Nothing),
    ("interface", ' ', true, Nothing),
    ("local-port", ' ', true, Nothing),
    ("dns-servers", ' ', true, Nothing),
    ("doh-url", ' ', true, Nothing),
    ("expect100-timeout", ' ', true, Nothing),
    ("post301", ' ', false, Nothing),
    ("post302", ' ', false, Nothing),
    ("post303", ' ', false, Nothing),
    ("raw", ' ', false, Nothing),
    ("tr-encoding", ' ', false, Nothing),
    ("stderr", ' ', true, Nothing),
    ("trace", ' ', true, Nothing),
    ("trace-ascii", ' ', true, Nothing),
    ("trace-time", ' ', false, Nothing),
    ("disable", 'q', false, Nothing),
    ("create-dirs", ' ', false, Nothing),
    ("etag-save", ' ', true, Nothing),
    ("etag-compare", ' ', true, FILE),
    ("hsts", ' ', true, Nothing),
    ("alt-svc", ' ', true, Nothing),
    ("disallow-username-in-url", ' ', false, Nothing),
];

/// An option by its long name, or by a beginning that only one has: whether it takes a value, and what it is.
pub(super) fn long(name: &str) -> Option<(bool, CurlOption)> {
    let exact = ROWS.iter().find(|row| row.0 == name);
    // `--no-silent` and its like switch off what is off if not given.
    let negated = || name.strip_prefix("no-").and_then(|rest| ROWS.iter().find(|row| row.0 == rest && !row.2));
    let begun = || {
        let mut begun = ROWS.iter().filter(|row| row.0.starts_with(name) && name.len() > 2);
        begun.next().filter(|_| begun.next().is_none())
    };
    if let Some(row) = exact {
        return Some((row.2, row.3));
    }
    if negated().is_some() {
        return Some((false, Nothing));
    }
    begun().map(|row| (row.2, row.3))
}

/// An option by its letter.
pub(super) fn short(letter: char) -> Option<(bool, CurlOption)> {
    ROWS.iter().find(|row| row.1 == letter && letter != ' ').map(|row| (row.2, row.3))
}
