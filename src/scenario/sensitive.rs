//! Which texts of a scenario are secrets: told by the names that they go by.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

/// The tables of a scenario whose keys are names of what is sent or set: a key that secrets go by holds one.
const TABLES: [&str; 6] = ["headers", "env", "json", "form", "query", "identities"];
/// Where a text may hold a secret with its name before it: `/items?api_key=abc`, `--password=abc`.
const TEXTS: [&str; 13] = [
    "command",
    "setup",
    "path",
    "query",
    "headers",
    "cookies",
    "json",
    "form",
    "body",
    "env",
    "url",
    "requests",
    "identities",
];
/// How the name of a variable begins that stands for what a scenario itself holds.
pub(super) const PREFIX: &str = "RUNNER_";
/// The same for a number.
const NUMBER: &str = "RUNNER_NUMBER_";
/// The one variable of this beginning that is the program's own.
const OWN: &str = "RUNNER_REPORTS";
/// A text of a cookie that is shorter may be anything, as in `theme=dark`.
const TELLING_COOKIE: usize = 8;

/// A name, what may stand between, and a value, as programs, queries, JSON and headers have them.
static ASSIGNED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let scheme = r"(?:(?:bearer|basic|token)\s+)?";
    Regex::new(&format!(r#"(?i)([a-z][a-z0-9_.-]*)["']?\s*[:=]\s*["']?{scheme}([^\s"'&;,{{}}$\[\]]+)"#)).ok()
});
/// The same without the value, at the end of a text.
static ASSIGNING: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"(?i)([a-z][a-z0-9_.-]*)["']?\s*[:=]\s*["']?(?:(?:bearer|basic|token)\s+)?$"#).ok());
/// The password of `postgres://user:password@host/`.
static IN_ADDRESS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"(?i)[a-z][a-z0-9+.-]*://[^\s/?#:@"']*:([^\s"'{}$]+)@"#).ok());
/// The password of `{base64({canary}:password)}`.
static IN_BASE64: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\{base64\([^():]*:([^(){}$]+)\)\}").ok());
/// A placeholder of a template.
static PLACEHOLDER: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\{[a-z][^{}'\x22\s:]*\}|\{random\([^{}]*\}").ok());

/// Whether the text at these keys is a secret itself: it stands where secrets do, and nothing is filled into it.
pub(super) fn is_secret(path: &[String], text: &str) -> bool {
    is_sensitive_place(path) && !text.is_empty() && !is_filled(text)
}

/// Whether something is filled into a text: a variable or a placeholder.
fn is_filled(text: &str) -> bool {
    // A doubled brace is a character like any other.
    let text = text.replace("$${", "").replace("{{", "");
    text.contains("${") || PLACEHOLDER.as_ref().is_some_and(|placeholder| placeholder.is_match(&text))
}

/// Whether such a secret is one wherever it turns up.
pub(super) fn is_telling(path: &[String], text: &str) -> bool {
    let last = path.last().map_or("", |last| last.rsplit('.').next().unwrap_or(last));
    looks_secret(last) || last.eq_ignore_ascii_case("set-cookie") || text.chars().count() >= TELLING_COOKIE
}

/// The secrets that a text holds together with their names, in order, each with its name.
pub(super) fn parts(path: &[String], text: &str) -> Vec<(String, Range<usize>)> {
    let steps = steps(path);
    if !steps.iter().any(|step| TEXTS.contains(step)) {
        return Vec::new();
    }
    let mut parts: Vec<(String, Range<usize>)> = Vec::new();
    let is_whole = |end: usize| !text[end..].starts_with(['{', '$']);
    for found in ASSIGNED.iter().flat_map(|regex| regex.captures_iter(text)) {
        if let (Some(name), Some(value)) = (found.get(1), found.get(2))
            && looks_secret(name.as_str())
            && !text[..name.start()].ends_with("${")
            && is_whole(value.end())
        {
            parts.push((name.as_str().to_owned(), value.range()));
        }
    }
    let mut more = Vec::new();
    if steps.last().is_some_and(|last| last.eq_ignore_ascii_case("cookie")) {
        more.extend(cookies(text));
    }
    let basic = IN_BASE64.as_ref().and_then(|regex| regex.captures(text)?.get(1)).map(|found| found.range());
    more.extend(basic.into_iter().chain(password_of_address(text)).map(|range| ("password".to_owned(), range)));
    for (name, range) in more {
        if !parts.iter().any(|(_, known)| known.start < range.end && range.start < known.end) {
            parts.push((name, range));
        }
    }
    parts.sort_by_key(|(_, range)| range.start);
    parts
}

/// Whether what follows a text is a secret, as its name stands at the end: `/items?token=`.
pub(super) fn is_named_before(path: &[String], before: &str) -> bool {
    let name = ASSIGNING.as_ref().and_then(|regex| regex.captures(before)?.get(1));
    steps(path).iter().any(|step| TEXTS.contains(step)) && name.is_some_and(|name| looks_secret(name.as_str()))
}

/// The values of a cookie header that nothing is filled into.
fn cookies(text: &str) -> impl Iterator<Item = (String, Range<usize>)> {
    let mut at = 0;
    text.split(';').filter_map(move |cookie| {
        let start = at;
        at += cookie.len() + 1;
        let (name, value) = cookie.split_once('=')?;
        let value_at = start + name.len() + 1;
        (!value.is_empty() && !is_filled(value)).then(|| (name.trim().to_owned(), value_at..value_at + value.len()))
    })
}

/// Where the password of an address with one stands.
pub(super) fn password_of_address(text: &str) -> Option<Range<usize>> {
    let found = IN_ADDRESS.as_ref()?.captures(text)?.get(1)?;
    (!is_filled(found.as_str())).then(|| found.range())
}

/// The option of a command line that a secret follows: `--password`.
pub(super) fn is_option(text: &str) -> bool {
    text.starts_with('-') && !text.contains(['=', ' ']) && looks_secret(text.trim_start_matches('-'))
}

/// Whether what stands at these keys is one to hide: a header or cookie that identifies, a variable that names a secret.
pub(super) fn is_sensitive_place(path: &[String]) -> bool {
    let path = steps(path);
    let Some((last, before)) = path.split_last() else { return false };
    let inside = |table: &str| before.contains(&table);
    inside("cookies")
        || inside("headers") && ["cookie", "set-cookie"].iter().any(|name| last.eq_ignore_ascii_case(name))
        || TABLES.into_iter().any(inside) && looks_secret(last)
}

/// The keys that lead to a value, of which one may be a path itself, as those of the matrix.
fn steps(path: &[String]) -> Vec<&str> {
    path.iter().flat_map(|key| key.split('.')).map(|key| key.trim().trim_matches(['"', '\''])).collect()
}

/// Whether a name is one that secrets go by: `API_TOKEN`, `x-api-key`, `dbPassword`.
pub fn looks_secret(name: &str) -> bool {
    const IN_NAMES: [&str; 14] = [
        "TOKEN",
        "SECRET",
        "PASSW",
        "PASSPHRASE",
        "PASSCODE",
        "CREDENTIAL",
        "AUTH",
        "PRIVATE",
        "SESSION",
        "SESSID",
        "JWT",
        "APIKEY",
        "ACCESSKEY",
        "COOKIE",
    ];
    const WORDS: [&str; 12] =
        ["KEY", "KEYS", "PASS", "PWD", "PW", "DSN", "SID", "PIN", "OTP", "CSRF", "XSRF", "BEARER"];
    const ENDS: [&str; 2] = ["PWD", "DBPASS"];
    let upper = name.to_uppercase();
    if upper == OWN || upper == "PWD" || upper == "OLDPWD" {
        return false;
    }
    let mut words = words(name).into_iter();
    upper.starts_with(PREFIX)
        || IN_NAMES.iter().any(|word| upper.contains(word))
        || words.any(|word| WORDS.contains(&word.as_str()) || ENDS.iter().any(|end| word.ends_with(end)))
}

/// The words of a name, in upper case: `x-api-key` and `apiKey` have `API` and `KEY`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || was_lower && c.is_uppercase() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_uppercase());
        }
        was_lower = c.is_lowercase();
    }
    words
}

/// The name of the variable that stands for what a scenario holds at these keys: `RUNNER_DIRTY_HEADERS_X_API_KEY`.
pub(super) fn variable(path: &[String], part: Option<&str>) -> String {
    let fits = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    let keys = path.iter().map(String::as_str).chain(part);
    let name: Vec<String> = keys.map(|key| key.trim_matches(['"', '\'', '-']).chars().map(fits).collect()).collect();
    format!("{PREFIX}{}", name.join("_"))
}

/// The same for a number, so that it is one again when it is filled in.
pub(super) fn number_variable(path: &[String]) -> String {
    variable(path, None).replacen(PREFIX, NUMBER, 1)
}

/// Whether a variable stands for a number.
pub(super) fn is_of_number(name: &str) -> bool {
    name.starts_with(NUMBER)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(keys: &str) -> Vec<String> {
        keys.split('/').map(str::to_owned).collect()
    }

    #[test]
    fn names_of_secrets_are_known() {
        for name in [
            "API_TOKEN",
            "DB_PASSWORD",
            "x-api-key",
            "Authorization",
            "SECRET",
            "PASSPHRASE",
            "MYSQL_PWD",
            "DBPWD",
            "JWT",
            "API_KEYS",
            "ACCESSKEY",
            "x-session-id",
            "apiKey",
            "accessKeyId",
            "clientSecret",
            "PHPSESSID",
            "sid",
            "db_pass",
            "RUNNER_DIRTY_BODY",
            "x-csrf",
        ] {
            assert!(looks_secret(name), "{name}");
        }
        for name in
            ["HOST", "MONKEY", "PWD", "OLDPWD", "RUNNER_REPORTS", "x-user", "email", "keyboard", "passing", "spin"]
        {
            assert!(!looks_secret(name), "{name}");
        }
    }

    #[test]
    fn places_of_secrets_are_known() {
        for keys in [
            "dirty/headers/authorization",
            "load/cookies/theme",
            "matrix/dirty.headers.x-api-key",
            "dirty/login/json/password",
            "dirty/login/form/passphrase",
            "dirty/identities/password",
            "server/env/DB_PWD",
            "servers/a/env/JWT",
            "load/requests/headers/Cookie",
            "dirty/json/user/apiKey",
            "dirty/query/api_keys",
        ] {
            assert!(is_sensitive_place(&path(keys)), "{keys}");
        }
        for keys in [
            "dirty/headers/x-user",
            "server/tls/key",
            "dirty/login/token",
            "dirty/json/name",
            "name",
            "dirty/identities/email",
        ] {
            assert!(!is_sensitive_place(&path(keys)), "{keys}");
        }
        assert!(is_secret(&path("dirty/headers/authorization"), "{\"a\": 1}"));
        assert!(!is_secret(&path("dirty/headers/authorization"), "Bearer {canary}"));
        assert!(!is_secret(&path("dirty/headers/authorization"), "Bearer ${TOKEN}"));
    }

    #[test]
    fn a_secret_beside_its_name_is_found_in_a_text() {
        let found = |keys: &str, text: &str| -> Vec<String> {
            parts(&path(keys), text).into_iter().map(|(name, range)| format!("{name}: {}", &text[range])).collect()
        };
        assert_eq!(found("dirty/path", "/a?user={canary}&api_key=k-123&x=1"), ["api_key: k-123"]);
        assert_eq!(found("dirty/login/body", r#"{"user": "{canary}", "password": "hunter2"}"#), ["password: hunter2"]);
        assert_eq!(found("server/command", "--db-password=hunter2"), ["db-password: hunter2"]);
        assert_eq!(found("server/setup", "curl -H 'authorization: Bearer abc.def' x"), ["authorization: abc.def"]);
        assert_eq!(found("dirty/headers/cookie", "sid=abc; user={canary}"), ["sid: abc"]);
        let basic = "Basic {base64({canary}:hunter2)}";
        assert_eq!(found("dirty/headers/authorization", basic), ["password: hunter2"]);
        assert_eq!(found("server/env/DATABASE_URL", "postgres://u:p/w@d@h/db"), ["password: p/w@d"]);
        assert_eq!(found("dirty/path", "/a?token={canary}&key=${KEY}&secret=a{seq}"), [""; 0]);
        assert_eq!(found("about", "authorization: whatever"), [""; 0]);
    }

    #[test]
    fn variables_are_named_by_key_paths() {
        assert_eq!(variable(&path("dirty/headers/x-api-key"), None), "RUNNER_DIRTY_HEADERS_X_API_KEY");
        assert_eq!(variable(&path("matrix/load.cookies.sid"), Some("--x")), "RUNNER_MATRIX_LOAD_COOKIES_SID_X");
        assert!(is_option("--password") && !is_option("--password=a") && !is_option("password"));
    }
}
