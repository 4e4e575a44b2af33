//! The bytes of a document as a value: JSON or YAML, with or without a byte order mark.

use serde_json::Value;

use super::ImportError;

/// The text of a document.
pub(super) fn text(bytes: &[u8]) -> Result<String, ImportError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let wide = |step: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes[2..].chunks_exact(2).map(|pair| step([pair[0], pair[1]])).collect();
        String::from_utf16_lossy(&units)
    };
    match bytes {
        [0xff, 0xfe, ..] => Ok(wide(u16::from_le_bytes)),
        [0xfe, 0xff, ..] => Ok(wide(u16::from_be_bytes)),
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => {
                let before = &bytes[..error.valid_up_to()];
                Err(ImportError {
                    what: "this is no text in UTF-8".to_owned(),
                    line: Some(1 + before.iter().filter(|byte| **byte == b'\n').count()),
                    column: None,
                    remedy: "save it as UTF-8",
                })
            }
        },
    }
}

/// JSON.
pub(super) fn json(text: &str) -> Result<Value, ImportError> {
    serde_json::from_str(text).map_err(|error| {
        let what = error.to_string();
        let what = what.split(" at line ").next().unwrap_or_default();
        ImportError {
            what: format!("this is no JSON: {what}"),
            line: Some(error.line()).filter(|line| *line > 0),
            column: Some(error.column()).filter(|column| *column > 0),
            remedy: "mend the document there",
        }
    })
}

/// JSON or YAML, as a document begins.
pub(super) fn json_or_yaml(text: &str) -> Result<Value, ImportError> {
    if text.trim_start().starts_with(['{', '[']) {
        // JSON with comments or commas too many is YAML often enough.
        let of_yaml = || yaml(text).ok().filter(|value| value.get("paths").is_some_and(Value::is_object));
        return json(text).or_else(|error| of_yaml().ok_or(error));
    }
    yaml(text)
}

fn yaml(text: &str) -> Result<Value, ImportError> {
    // `y`, `no` and `on` are texts, as in every version of YAML since 1.2.
    let options = serde_saphyr::options! {
        strict_booleans: true,
        duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::LastWins,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error: serde_saphyr::Error| {
        let place = error.location();
        let what = error.to_string();
        ImportError {
            what: format!("this is no YAML: {}", what.lines().next().unwrap_or_default()),
            line: place.map(|place| place.line() as usize),
            column: place.map(|place| place.column() as usize),
            remedy: "mend the document there",
        }
    })
}
