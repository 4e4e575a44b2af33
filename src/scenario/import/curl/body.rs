//! The body that curl makes of its options.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use crate::scenario::import::LeftOutReason;
use crate::scenario::import::made::MadeText;
use crate::scenario::import::multipart::Part;

/// What `--data-urlencode` leaves as it is, besides letters and digits (RFC 3986, section 2.3).
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The data of `-d`, `--data-raw`, `--data-urlencode` and `--json`, as it grows.
#[derive(Debug, Clone, Default)]
pub(super) struct CurlData {
    pub text: Option<String>,
    pub is_json: bool,
}

pub(super) fn reads_file(option: &str, what: &str) -> LeftOutReason {
    let why = if what == "@-" { "it reads standard input" } else { "it reads a file" };
    LeftOutReason::CurlOption(option.to_owned(), why.to_owned())
}

impl CurlData {
    pub fn add(&mut self, more: &str) {
        match &mut self.text {
            Some(text) if self.is_json => text.push_str(more),
            Some(text) => {
                text.push('&');
                text.push_str(more);
            }
            None => self.text = Some(more.to_owned()),
        }
    }
}

/// What `--data-urlencode` makes of a value: only what follows a name is encoded.
pub(super) fn urlencoded(option: &str, written: &str) -> Result<String, LeftOutReason> {
    // A space becomes a plus, as forms have it.
    let encode = |text: &str| percent_encode(text.as_bytes(), KEPT).to_string().replace("%20", "+");
    let at = written.find(['=', '@']);
    match at.map(|at| (at, &written[at..=at])) {
        Some((_, "@")) => Err(reads_file(option, &written[at.unwrap_or(0)..])),
        Some((0, _)) => Ok(encode(&written[1..])),
        Some((at, _)) => Ok(format!("{}={}", &written[..at], encode(&written[at + 1..]))),
        None => Ok(encode(written)),
    }
}

/// A part of a form: `name=value;type=text/plain;filename=a.txt`.
pub(super) fn part(option: &str, written: &str, is_plain: bool) -> Result<Part, LeftOutReason> {
    let refused = |why: &str| LeftOutReason::CurlOption(format!("{option} {written}"), why.to_owned());
    let (name, value) = written.split_once('=').ok_or_else(|| refused("it has no `=`"))?;
    let mut part = Part { name: name.to_owned(), file: None, media_type: None, text: MadeText::plain(value) };
    if is_plain {
        return Ok(part);
    }
    if value.starts_with(['@', '<']) {
        return Err(reads_file(option, if value == "@-" { "@-" } else { "" }));
    }
    if value.starts_with('(') || value == ")" {
        return Err(refused("parts inside parts are not read"));
    }
    let (content, settings) = match value.strip_prefix('"') {
        Some(quoted) => {
            let (mut content, mut rest) = (String::new(), quoted.chars());
            while let Some(c) = rest.next().filter(|c| *c != '"') {
                content.push(if c == '\\' { rest.next().unwrap_or('\\') } else { c });
            }
            (content, rest.as_str().trim_start_matches([' ', ';']).to_owned())
        }
        None => match value.split_once(';') {
            Some((content, settings)) => (content.to_owned(), settings.to_owned()),
            None => (value.to_owned(), String::new()),
        },
    };
    part.text = MadeText::plain(content);
    for setting in settings.split(';').map(str::trim).filter(|setting| !setting.is_empty()) {
        match setting.split_once('=') {
            Some(("type", media_type)) => part.media_type = Some(media_type.trim_matches('"').to_owned()),
            Some(("filename", file)) => part.file = Some(file.trim_matches('"').to_owned()),
            _ => return Err(refused("this setting of a part is not read")),
        }
    }
    Ok(part)
}
