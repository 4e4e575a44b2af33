//! rhai's and Rust's names of types, in the words of people who write scripts.

/// `sleep (&str | ImmutableString | String, i64)` as `sleep(string, integer)`.
pub(super) fn plain_signature(signature: &str) -> String {
    match signature.split_once(" (") {
        Some((name, types)) => format!("{name}({}", plain_types(types)),
        None => plain_types(signature),
    }
}

pub(super) fn plain_types(types: &str) -> String {
    let types = types.replace("&str | ImmutableString | String", "string");
    let mut text = String::new();
    let mut word = String::new();
    for letter in types.chars().chain([' ']) {
        if letter.is_alphanumeric() || matches!(letter, '_' | ':') {
            word.push(letter);
            continue;
        }
        text += plain_type(&std::mem::take(&mut word));
        text.push(letter);
    }
    text.trim_end().to_owned()
}

/// rhai's and Rust's names of types, as scripts' authors call them.
pub(super) fn plain_type(name: &str) -> &str {
    match name {
        "i64" => "integer",
        "f64" => "float",
        "Fn" | "FnPtr" => "closure",
        "()" => "missing value, `()`",
        "ImmutableString" | "String" | "&str" | "&str | ImmutableString | String" => "string",
        name => match name.rsplit("::").next().unwrap_or(name) {
            "RequestObject" => "request",
            "ResponseObject" => "response",
            "FetchedObject" => "fetched response",
            last => last,
        },
    }
}
