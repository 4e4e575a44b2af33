//! Where in the server's code a leak happens, in words.

use crate::record::{Confidence, LocationRecord, NotLocated, PlaceRecord, ShownRecord};

use super::format::millis;

/// The longest line of code in a sentence, in characters.
const LONGEST_CODE: usize = 120;

/// A name and what it is, a line each: for terminals.
pub(super) fn entries(located: &LocationRecord) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    all.extend(located.write.as_ref().map(|place| ("written", in_words(place))));
    all.extend(located.overwritten.as_ref().map(|place| ("over its own", overwritten(place, located))));
    all.extend(located.read.as_ref().map(|place| ("read", in_words(place))));
    all.extend(object(located).map(|object| ("object", object)));
    match located.confidence {
        Confidence::Located => {}
        Confidence::NotLocated => {
            all.push(("located", format!("not located: {}{}", reason(located), how_often(located))))
        }
        _ => all.push(("located", sureness(located.confidence).to_owned())),
    }
    all
}

/// `app.py:25 in dirty: shared.email = email (Task-10)`.
fn in_words(place: &PlaceRecord) -> String {
    let code = clipped(&place.text);
    let code = if code.is_empty() { String::new() } else { format!(": {code}") };
    format!("{}{}{code}", at(place), within(place))
}

fn overwritten(place: &PlaceRecord, located: &LocationRecord) -> String {
    let before = located.write.as_ref().map(|write| write.at_ms - place.at_ms).filter(|before| *before >= 0.0);
    let before = before.map(|before| format!(", {} before", millis(before))).unwrap_or_default();
    format!("{}{}{before}", at(place), within(place))
}

/// `app.py:25`.
pub(super) fn at(place: &PlaceRecord) -> String {
    let file = if place.file.is_empty() { "(no file)" } else { &place.file };
    place.line.map_or_else(|| file.to_owned(), |line| format!("{file}:{line}"))
}

fn within(place: &PlaceRecord) -> String {
    if place.function.is_empty() { String::new() } else { format!(" in {}", place.function) }
}

/// `app.shared.email (types.SimpleNamespace)`; `None` if nothing is known of it.
pub(super) fn object(located: &LocationRecord) -> Option<String> {
    // That a variable is a module's, or a handler's `process`, says its name.
    let told = ["module", "cell", "type", "process", "thread", "context"];
    let type_name = located.type_name.as_ref().filter(|name| !told.contains(&name.as_str()));
    match (&located.object, type_name) {
        (Some(path), Some(type_name)) => Some(format!("{path} ({type_name})")),
        (Some(path), None) => Some(path.clone()),
        (None, Some(type_name)) => Some(format!("a {type_name}")),
        (None, None) => None,
    }
}

/// What is sure, and what is not: a sentence without its full stop.
pub(super) const fn sureness(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Located => "one object held the value from the one line to the other",
        Confidence::SameCallee => {
            "same callee: what lies between the two lines is not the application's own code, and handed both requests the same"
        }
        Confidence::Probable => "probable: the object is the only one found that still held the value",
        Confidence::Partly => "in part: how the value got from one request to the other is not known",
        Confidence::NotLocated => "not located",
    }
}

/// Why it is not located: the fragment of a sentence.
pub(super) fn reason(located: &LocationRecord) -> String {
    let said = match &located.reason {
        None => "nothing is known",
        Some(NotLocated::Attached) => "a probe is started together with the server, and this one was up before",
        Some(NotLocated::NoProbe) => {
            "there is a probe for Python and for Node, and the command seems to start neither (`locate = true` tries)"
        }
        Some(NotLocated::ProbeNotLoaded) => {
            "no process of the server loaded the probe: an interpreter that ignores its environment (`python -I`, `-E`), or another language"
        }
        Some(NotLocated::NotShown) => "the leak did not show with the probe",
        Some(NotLocated::Interrupted) => "the run was ended before the leak showed with the probe",
        Some(NotLocated::RequestNotSeen) => "the probe saw no request of the victim's",
        Some(NotLocated::NoSource) => "whose value it is could not be told",
        Some(NotLocated::NoModule) => "no module that the server loaded is below the application's folder",
        Some(NotLocated::NotInOwnCode) => {
            "the value never passed the application's own code on its way into the response"
        }
        Some(NotLocated::EventsLost) => "there were more events than the probe keeps",
        Some(NotLocated::ServerFailed { message }) => return format!("the server with the probe failed: {message}"),
        Some(NotLocated::NotRepeatable { message }) => return format!("it could not be shown again: {message}"),
    };
    said.to_owned()
}

/// `; it showed in 0 of 20 tries with the probe, and in 10 of 10 without`.
fn how_often(located: &LocationRecord) -> String {
    match shown(located) {
        Some(shown) if located.shown_with.tries > 0 => format!("; {shown}"),
        _ => String::new(),
    }
}

/// How often it showed, with and without the probe; `None` if it was not tried with it.
pub(super) fn shown(located: &LocationRecord) -> Option<String> {
    let ShownRecord { shown, tries } = located.shown_with;
    let without =
        located.shown_without.map(|without| format!(", and in {} of {} without", without.shown, without.tries));
    (tries > 0).then(|| format!("it showed in {shown} of {tries} tries with the probe{}", without.unwrap_or_default()))
}

fn clipped(text: &str) -> String {
    match text.char_indices().nth(LONGEST_CODE) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
