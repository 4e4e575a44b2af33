//! Why responses tell nothing of who asks, in words: the page is the same for all, or was cached for an earlier visitor.

use super::personas::Personas;

/// What is wrong with a page that tells none of its visitors from another; a sentence without its full stop.
pub(super) fn describe(personas: &Personas) -> String {
    let public = "if it is meant for everybody, declare it in `public`";
    if let Some(value) = personas.shown_to_all() {
        return format!(
            "every identity gets the page of {value}, also before {value} has asked: it may have been cached for an earlier \
             visitor; {public}"
        );
    }
    if let Some(address) = personas.named_to_all() {
        return format!(
            "every identity gets the page of {address}, and none of them gave that address: it may have been cached for an \
             earlier visitor; {public}"
        );
    }
    "no response to a lone request holds its own canary, and nothing else in them tells who asked: a leak would not be seen"
        .to_owned()
}
