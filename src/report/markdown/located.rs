//! Which line wrote another request's value and which read it, with the lines around them.

use crate::record::{Confidence, LeakRecord, LocationRecord, PlaceRecord};
use crate::report::escape::{code, fence, fence_whole, inline};
use crate::report::format::{capital, millis};
use crate::report::location::{at, object, reason, shown, sureness};
use crate::report::remedy;

/// Lines of source shown before and after the one in question.
const AROUND: usize = 2;

/// All that is known of where a leak happens; nothing where nobody looked.
pub(super) fn located(leak: &LeakRecord) -> String {
    let Some(located) = &leak.located else { return String::new() };
    let often = shown(located).map(|shown| format!(" {}.", capital(&shown))).unwrap_or_default();
    if located.confidence == Confidence::NotLocated {
        return format!("**Not located in the code:** {}.{often}\n\n", inline(&reason(located)));
    }
    let mut out = format!("**{}.** {}{often}\n\n", title(located), sentences(located));
    for (part, place) in [("written", &located.write), ("read", &located.read)] {
        out += &place.as_ref().map(|place| source(part, place)).unwrap_or_default();
    }
    out + remedy(leak, located).as_str()
}

const fn title(located: &LocationRecord) -> &'static str {
    match (&located.write, &located.read) {
        (Some(_), Some(_)) => "Written here, read there",
        (Some(_), None) => "Written here",
        (None, _) => "Read here",
    }
}

fn sentences(located: &LocationRecord) -> String {
    let mut parts: Vec<String> = Vec::new();
    if let Some(write) = &located.write {
        parts.push(format!("The source's value was written at {}{}", code(&at(write)), by(write)));
    }
    if let Some(before) = &located.overwritten {
        let apart = located.write.as_ref().map(|write| write.at_ms - before.at_ms).filter(|apart| *apart >= 0.0);
        let apart = apart.map(|apart| format!(", {} before", millis(apart))).unwrap_or_default();
        parts.push(format!("the victim had written its own there at {}{apart}", code(&at(before))));
    }
    if let Some(read) = &located.read {
        let what = if located.write.is_some() { "it" } else { "the source's value" };
        parts.push(format!("the victim read {what} at {}{}", code(&at(read)), by(read)));
    }
    let mut out = capital(&parts.join("; "));
    out.push('.');
    if let Some(object) = object(located) {
        out += &format!(" The object between them: {}.", code(&object));
    }
    if located.confidence != Confidence::Located {
        out += &format!(" {}.", capital(sureness(located.confidence)));
    }
    out
}

/// ` in dirty, by Task-10`.
fn by(place: &PlaceRecord) -> String {
    let function = if place.function.is_empty() { String::new() } else { format!(" in {}", code(&place.function)) };
    let unit = if place.unit.is_empty() { String::new() } else { format!(", by {}", code(&place.unit)) };
    function + unit.as_str()
}

/// The lines around a place, with a mark at its own.
fn source(part: &str, place: &PlaceRecord) -> String {
    let Some(line) = place.line else { return String::new() };
    let lines: Vec<(u32, &str)> = match &place.source {
        Some(source) => {
            let numbers = source.first..;
            let near = |(number, _): &(u32, &str)| number.abs_diff(line) as usize <= AROUND;
            numbers.zip(source.lines.iter().map(String::as_str)).filter(near).collect()
        }
        None if place.text.is_empty() => return String::new(),
        None => vec![(line, place.text.as_str())],
    };
    let width = lines.last().map_or(1, |(number, _)| number.to_string().len());
    let shown = lines.iter().map(|(number, text)| {
        let mark = if *number == line { '>' } else { ' ' };
        format!("{mark} {number:>width$} | {text}")
    });
    let block: Vec<String> = shown.collect();
    format!("{} at {}:\n\n{}\n", capital(part), code(&at(place)), fence(&block, "text"))
}

fn remedy(leak: &LeakRecord, located: &LocationRecord) -> String {
    let Some(remedy) = remedy::of(located, leak.class) else { return String::new() };
    let mut out = format!("What to do: {}.\n\n", remedy.text);
    if let Some((language, before, after)) = remedy.code {
        let block = |text: &str| {
            let lines: Vec<String> = text.lines().map(str::to_owned).collect();
            fence_whole(&lines, language)
        };
        out += &format!("For example, before:\n\n{}\nAnd after:\n\n{}\n", block(before), block(after));
    }
    out
}
