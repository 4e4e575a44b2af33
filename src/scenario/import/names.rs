//! What a field is about, told from its name and from a value of it.

use crate::scenario::sensitive::looks_secret;

/// What a text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Any text will do.
    Word,
    Email,
    Url,
    Host,
    Uuid,
    Password,
    Date,
    Moment,
    Number,
    /// Something of a form of its own; this is one.
    Other(&'static str),
}

/// The words of a name, in lower case: `petId` and `pet_id` are `pet` and `id`.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        let begins = c.is_uppercase() && (before.is_lowercase() || before.is_ascii_digit());
        if !c.is_alphanumeric() || begins {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether a field holds a password.
pub(super) fn is_password(name: &str) -> bool {
    let joined = words(name).concat();
    ["password", "passwd", "passphrase", "passcode"].iter().any(|word| joined.contains(word))
        || joined == "pwd"
        || joined == "pass"
}

/// Whether a field holds what nobody else may see: its value is not written down.
pub(super) fn is_credential(name: &str) -> bool {
    // Who wrote something is no secret, and neither is which page or item comes next.
    let mut words = words(name);
    words.retain(|word| !word.starts_with("author") || word.starts_with("authori"));
    is_password(name) || !words.is_empty() && looks_secret(&words.join("_"))
}

/// Whether a field names one of many things: nothing is asked for by a made-up one.
pub(super) fn is_id(name: &str) -> bool {
    let words = words(name);
    let last = words.last().map(String::as_str).unwrap_or_default();
    matches!(last, "id" | "ids" | "gid" | "uuid" | "guid" | "pk" | "slug" | "oid" | "key" | "uid" | "number" | "no")
        || last.len() > 2
            && words.len() == 1
            && last.ends_with("id")
            && !matches!(last, "paid" | "valid" | "grid" | "bid" | "android" | "void")
}

/// What a field of this name, for which `shown` is a value, is about.
pub(super) fn meaning(name: &str, shown: Option<&str>) -> Meaning {
    if is_password(name) {
        return Meaning::Password;
    }
    if let Some(meaning) = shown.and_then(of_value) {
        return meaning;
    }
    let words = words(name);
    let has = |word: &str| words.iter().any(|own| own == word);
    let last = words.last().map(String::as_str).unwrap_or_default();
    match last {
        "email" | "mail" => Meaning::Email,
        _ if has("email") && !matches!(last, "subject" | "body" | "name" | "template") => Meaning::Email,
        "url" | "uri" | "website" | "homepage" | "href" => Meaning::Url,
        "uuid" | "guid" => Meaning::Uuid,
        "phone" | "mobile" | "telephone" | "tel" => Meaning::Other("+15550100"),
        _ if has("phone") => Meaning::Other("+15550100"),
        "date" | "birthday" | "dob" => Meaning::Date,
        "timestamp" | "datetime" => Meaning::Moment,
        "at" | "time" if words.len() > 1 => Meaning::Moment,
        "currency" => Meaning::Other("EUR"),
        "country" if shown.is_none_or(|shown| shown.len() == 2) => Meaning::Other("DE"),
        "locale" | "language" | "lang" => Meaning::Other("en"),
        "timezone" | "tz" => Meaning::Other("UTC"),
        "color" | "colour" => Meaning::Other("#336699"),
        "ip" => Meaning::Other("192.0.2.1"),
        _ => Meaning::Word,
    }
}

/// What a value is, if it is not just any text.
pub(super) fn of_value(value: &str) -> Option<Meaning> {
    let is_uuid = |text: &str| {
        text.len() == 36
            && text
                .char_indices()
                .all(|(at, c)| if matches!(at, 8 | 13 | 18 | 23) { c == '-' } else { c.is_ascii_hexdigit() })
    };
    let is_date = |text: &str| {
        let bytes = text.as_bytes();
        bytes.len() >= 10
            && bytes[..10]
                .iter()
                .enumerate()
                .all(|(at, byte)| if matches!(at, 4 | 7) { *byte == b'-' } else { byte.is_ascii_digit() })
    };
    if is_uuid(value) {
        return Some(Meaning::Uuid);
    }
    if is_date(value) {
        return Some(if value.len() == 10 { Meaning::Date } else { Meaning::Moment });
    }
    let is_number = !value.is_empty()
        && value.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b','));
    if is_number && value.bytes().any(|byte| byte.is_ascii_digit()) {
        return Some(Meaning::Number);
    }
    if value.starts_with("http://") || value.starts_with("https://") {
        return Some(Meaning::Url);
    }
    let is_email = value.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'))
        && !value.contains(char::is_whitespace);
    is_email.then_some(Meaning::Email)
}

/// What a collection holds: `item` of `/api/items`.
pub(super) fn last_word(collection: &str) -> Option<String> {
    let last = collection.rsplit('/').find(|part| !part.is_empty())?;
    (last != "{}").then(|| words(last).last().map(|word| singular(word)))?
}

/// One of many: `category` of `categories`.
pub(super) fn singular(word: &str) -> String {
    match word {
        word if word.ends_with("ies") && word.len() > 4 => format!("{}y", &word[..word.len() - 3]),
        word if ["sses", "shes", "ches", "xes"].iter().any(|end| word.ends_with(end)) => {
            word[..word.len() - 2].to_owned()
        }
        word if word.ends_with('s') && !word.ends_with("ss") && word.len() > 2 => word[..word.len() - 1].to_owned(),
        word => word.to_owned(),
    }
}

/// Whether a parameter takes few values, though no document says so.
pub(super) fn narrows(name: &str) -> bool {
    const NARROW: [&str; 23] = [
        "sort",
        "order",
        "orderby",
        "sortby",
        "direction",
        "fields",
        "include",
        "expand",
        "format",
        "cursor",
        "after",
        "before",
        "page",
        "pagetoken",
        "offset",
        "limit",
        "status",
        "state",
        "type",
        "locale",
        "marker",
        "embed",
        "operationname",
    ];
    let word = words(name).concat();
    NARROW.contains(&word.as_str())
}
