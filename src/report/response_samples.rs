//! What the requests of a dirty check were answered with, in words.

use crate::record::{DirtyRecord, DirtySample};
use crate::units::show_count;

/// The samples that tell why a check could conclude nothing: those that were redirected, refused or not answered, else
/// what lone requests got. None if it could.
pub(crate) fn told(dirty: &DirtyRecord) -> Vec<&DirtySample> {
    if dirty.inconclusive.is_none() {
        return Vec::new();
    }
    let wrong = wrong(dirty);
    let alone = |sample: &&DirtySample| matches!(sample.at.as_str(), "control" | "solo");
    match wrong.is_empty() && !dirty.control.problems.is_empty() {
        true => dirty.samples.iter().filter(alone).collect(),
        false => wrong,
    }
}

/// The samples of what was redirected, refused or not answered.
pub(crate) fn wrong(dirty: &DirtyRecord) -> Vec<&DirtySample> {
    dirty.samples.iter().filter(|sample| sample.status.is_none_or(|status| status >= 300)).collect()
}

/// `zoe's lone request GET /: 302 to /login/ (12 times): "<h1>Found</h1>"`.
pub(crate) fn in_words(sample: &DirtySample) -> String {
    let kind = match sample.at.as_str() {
        "login" => "login",
        "control" | "solo" => "lone request",
        "anonymous" => "anonymous request",
        _ => "request",
    };
    let whose = sample.identity.as_ref().map(|identity| format!("{identity}'s ")).unwrap_or_default();
    let said = if sample.body.is_empty() { String::new() } else { format!(": \"{}\"", sample.body) };
    format!("{whose}{kind} {}: {}{}{said}", sample.line, outcome(sample), times(sample))
}

/// `302 to /login/`, `429, retry-after 1`, `no response (timeout)`.
pub(crate) fn outcome(sample: &DirtySample) -> String {
    let status = match (sample.status, &sample.failure) {
        (Some(status), _) => status.to_string(),
        (None, Some(failure)) => format!("no response ({failure})"),
        (None, None) => "no response".to_owned(),
    };
    let location = sample.location.as_ref().map(|location| format!(" to {location}")).unwrap_or_default();
    let wait = sample.retry_after.as_ref().map(|wait| format!(", retry-after {wait}")).unwrap_or_default();
    format!("{status}{location}{wait}")
}

fn times(sample: &DirtySample) -> String {
    if sample.count > 1 { format!(" ({} times)", show_count(sample.count)) } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(at: &str, status: Option<u16>) -> DirtySample {
        DirtySample { at: at.to_owned(), line: "GET /".to_owned(), status, count: 1, ..DirtySample::default() }
    }

    #[test]
    fn a_sample_tells_who_asked_what_and_what_came() {
        let found = DirtySample {
            identity: Some("zoe".to_owned()),
            location: Some("/login/".to_owned()),
            body: "<h1>Found</h1>".to_owned(),
            count: 12,
            ..sample("solo", Some(302))
        };
        assert_eq!(in_words(&found), "zoe's lone request GET /: 302 to /login/ (12 times): \"<h1>Found</h1>\"");
        let slow = DirtySample { retry_after: Some("1".to_owned()), ..sample("trigger", Some(429)) };
        assert_eq!(in_words(&slow), "request GET /: 429, retry-after 1");
        let silent = DirtySample { failure: Some("timeout".to_owned()), ..sample("anonymous", None) };
        assert_eq!(in_words(&silent), "anonymous request GET /: no response (timeout)");
    }

    #[test]
    fn what_went_wrong_is_told_first_and_only_where_nothing_can_be_concluded() {
        let samples = vec![sample("control", Some(200)), sample("anonymous", Some(401))];
        let mut dirty = DirtyRecord { samples, ..DirtyRecord::default() };
        assert!(told(&dirty).is_empty());
        dirty.inconclusive = Some("why".to_owned());
        assert_eq!(told(&dirty)[0].at, "anonymous");
        dirty.samples.truncate(1);
        assert!(told(&dirty).is_empty(), "a response that was good explains nothing");
        dirty.control.problems.push("it does not tell who asks".to_owned());
        assert_eq!(told(&dirty)[0].at, "control");
    }
}
