//! HAR: what a browser or a proxy recorded. A value that a response gave first and a later request holds is a capture.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::account;
use super::distinct::{free_operation_name, path_of, recognised};
use super::draft::{DraftBody, Kept, RequestDraft, Rules};
use super::post_data::post_data;
use super::recorded_values::{self, RecordedResponse, RecordedValues};
use super::url_parts::{UrlParts, as_target, decoded, is_asset, url_parts};
use super::{ImportError, ImportFormat, ImportNote, ImportOptions, Imported, LeftOut, LeftOutReason, Operation};
use crate::scenario::template::Template;

/// How many requests are taken of one recording.
const MOST: usize = 2_000;

/// Whether a value is a recording.
pub(super) fn is_one(root: &Value) -> bool {
    root.get("log").is_some_and(Value::is_object)
}

/// One request that was recorded.
struct Entry<'a> {
    method: String,
    url: UrlParts,
    request: &'a Value,
    response: &'a Value,
}

/// The requests of a recording.
pub(super) fn import(root: &Value, options: &ImportOptions) -> Result<Imported, ImportError> {
    let log = root.get("log").unwrap_or(root);
    let Some(written) = log.get("entries").and_then(Value::as_array) else {
        return Err(ImportError::of_document(
            "this HAR has no `entries`",
            "record it again, with the browser's network tools open",
        ));
    };
    let mut left_out = Vec::new();
    let entries: Vec<Entry<'_>> = written.iter().filter_map(|entry| read(entry, &mut left_out)).collect();
    let mut notes = Vec::new();
    let origin = main_origin(&entries);
    let mut others: BTreeMap<String, usize> = BTreeMap::new();
    let (mut assets, mut names) = (0, BTreeSet::new());
    let (mut operations, mut kept) = (Vec::<Operation>::new(), Kept::default());
    let mut values = RecordedValues::default();
    for entry in &entries {
        let name = format!("{} {}", entry.method, path_of(&entry.url.target));
        if entry.url.origin != origin {
            *others.entry(entry.url.origin.clone()).or_default() += 1;
        } else if entry.is_asset() {
            assets += 1;
        } else if let Err(reason) = entry.fits(operations.len()) {
            left_out.push(LeftOut { name, reason });
        } else {
            match add(entry, name.clone(), &mut operations, &mut names, &mut values, &mut kept, options) {
                Ok(()) => {}
                Err(reason) => left_out.push(LeftOut { name, reason }),
            }
        }
    }
    values.put_into(&mut operations);
    super::pairs::pair_recorded(&mut operations);
    notes.extend(kept.notes);
    notes.extend(others.into_iter().map(|(host, count)| ImportNote::OtherHost(host, count)));
    notes.extend((assets > 0).then_some(ImportNote::Assets(assets)));
    notes.dedup();
    let (login, signup) = account::propose(&operations, &|at| account::token_of(&operations[at]));
    let title = log.pointer("/pages/0/title").and_then(Value::as_str).filter(|title| !title.is_empty());
    Ok(Imported {
        format: ImportFormat::Har,
        title: title.map(str::to_owned),
        origins: if origin.is_empty() { Vec::new() } else { vec![origin] },
        operations,
        left_out,
        login,
        signup,
        credentials: Vec::new(),
        variables: kept.variables.into_iter().collect(),
        notes,
    })
}

fn read<'a>(entry: &'a Value, left_out: &mut Vec<LeftOut>) -> Option<Entry<'a>> {
    let request = entry.get("request").unwrap_or(&Value::Null);
    let url = request.get("url").and_then(Value::as_str).unwrap_or_default();
    let method = request.get("method").and_then(Value::as_str).unwrap_or("GET").to_uppercase();
    if url.is_empty() {
        let reason = LeftOutReason::Malformed("the entry has no address".to_owned());
        left_out.push(LeftOut { name: method, reason });
        return None;
    }
    if !url.starts_with("http://") && !url.starts_with("https://") && !url.starts_with('/') && url.contains(':') {
        let scheme = url.split(':').next().unwrap_or_default();
        let reason = LeftOutReason::Malformed(format!("its address is no http one but {scheme}:"));
        left_out.push(LeftOut { name: format!("{method} {}", url.chars().take(60).collect::<String>()), reason });
        return None;
    }
    Some(Entry { method, url: url_parts(url), request, response: entry.get("response").unwrap_or(&Value::Null) })
}

/// Where most requests went that are no files.
fn main_origin(entries: &[Entry<'_>]) -> String {
    let mut counts: Vec<(String, usize)> = Vec::new();
    for entry in entries.iter().filter(|entry| !entry.is_asset()) {
        match counts.iter_mut().find(|(origin, _)| *origin == entry.url.origin) {
            Some((_, count)) => *count += 1,
            None => counts.push((entry.url.origin.clone(), 1)),
        }
    }
    // The first of those with as many: where the recording began.
    let most = counts.iter().map(|(_, count)| *count).max().unwrap_or(0);
    counts.into_iter().find(|(_, count)| *count == most).map(|(origin, _)| origin).unwrap_or_default()
}

impl Entry<'_> {
    fn is_asset(&self) -> bool {
        let media_type = self.response.pointer("/content/mimeType").and_then(Value::as_str).unwrap_or_default();
        let of_response = [
            "image/",
            "font/",
            "audio/",
            "video/",
            "text/css",
            "application/javascript",
            "text/javascript",
            "application/x-javascript",
        ];
        self.method == "GET"
            && (is_asset(&self.url.target) || of_response.iter().any(|start| media_type.starts_with(start)))
    }

    fn fits(&self, taken: usize) -> Result<(), LeftOutReason> {
        match self.method.as_str() {
            "GET" | "HEAD" | "OPTIONS" | "POST" | "PUT" | "PATCH" | "DELETE" if taken < MOST => Ok(()),
            "GET" | "HEAD" | "OPTIONS" | "POST" | "PUT" | "PATCH" | "DELETE" => Err(LeftOutReason::TooMany),
            other => Err(LeftOutReason::Method(other.to_owned())),
        }
    }

    fn headers<'a>(&self, of: &'a Value) -> Vec<(&'a str, &'a str)> {
        let headers = of.get("headers").and_then(Value::as_array).into_iter().flatten();
        let pair = |header: &'a Value| Some((header.get("name")?.as_str()?, header.get("value")?.as_str()?));
        headers.filter_map(pair).collect()
    }

    fn draft(&self) -> Result<RequestDraft, LeftOutReason> {
        let mut draft = RequestDraft { method: self.method.clone(), ..RequestDraft::default() };
        draft = draft.with_target(&Template::literal(as_target(&self.url.target)));
        let headers = self.headers(self.request).into_iter();
        draft.headers = headers.map(|(name, value)| (name.to_owned(), Template::literal(value))).collect();
        let Some(data) = self.request.get("postData").filter(|data| !data.is_null()) else { return Ok(draft) };
        let of_headers = draft.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        let media_type = data.get("mimeType").and_then(Value::as_str).filter(|written| !written.is_empty());
        let media_type =
            media_type.map(str::to_owned).or_else(|| of_headers.map(|(_, value)| value.text())).unwrap_or_default();
        let text = data.get("text").and_then(Value::as_str).unwrap_or_default();
        let parameters = data.get("params").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        draft.body = post_data(&media_type, text, parameters)?;
        Ok(draft)
    }
}

fn add(
    entry: &Entry<'_>,
    name: String,
    operations: &mut Vec<Operation>,
    names: &mut BTreeSet<String>,
    values: &mut RecordedValues,
    kept: &mut Kept,
    options: &ImportOptions,
) -> Result<(), LeftOutReason> {
    let mut draft = entry.draft()?;
    // What a request says first is its own, whatever is answered.
    let used = |value: &str| values.capture(value);
    let said = said(&draft);
    let rules = Rules { captured: &used, keeps_credentials: options.keep_credentials };
    draft.method.clone_from(&entry.method);
    let mut operation = draft.operation(name, &rules, kept);
    let is_new = names.insert(recognised(&operation));
    for value in said {
        values.say(&value);
    }
    let index = operations.len();
    if is_new {
        operation.name = free_operation_name(operations, operation.name);
        operations.push(operation);
        values.hear(
            index,
            &RecordedResponse {
                target: &entry.url.target,
                headers: &entry.headers(entry.response),
                body: &body_text(entry.response),
            },
        );
        return Ok(());
    }
    // Values of an answer that was given before may be asked for again.
    Err(LeftOutReason::Twice)
}

/// All values that a request holds.
fn said(draft: &RequestDraft) -> Vec<String> {
    let mut said: Vec<String> = draft.path.iter().map(|part| decoded(&part.text())).collect();
    said.extend(draft.query.iter().map(|query| decoded(&query.value.text())));
    said.extend(draft.headers.iter().map(|(_, value)| value.text().rsplit(' ').next().unwrap_or_default().to_owned()));
    match &draft.body {
        Some(DraftBody::Json(value)) => recorded_values::texts(value, &mut said),
        Some(DraftBody::Form(fields)) => said.extend(fields.iter().map(|(_, value)| value.text())),
        Some(DraftBody::Parts(parts)) => said.extend(parts.iter().map(|part| part.text.text.text())),
        Some(DraftBody::Text(_) | DraftBody::RawJson(_) | DraftBody::RawForm(_)) | None => {}
    }
    said
}

/// The text of a response, as far as it is one.
fn body_text(response: &Value) -> String {
    use base64::Engine as _;
    let content = response.get("content").unwrap_or(&Value::Null);
    let text = content.get("text").and_then(Value::as_str).unwrap_or_default();
    if content.get("encoding").and_then(Value::as_str) != Some("base64") {
        return text.to_owned();
    }
    let bytes = base64::prelude::BASE64_STANDARD.decode(text).unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default()
}
