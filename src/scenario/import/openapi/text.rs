//! Texts that a schema accepts, with a canary in them where it accepts one.

use serde_json::Value;

use super::accepts::fits_text;
use super::pattern;
use super::view::View;
use crate::canary::CanaryShape;
use crate::scenario::import::made::{Carries, LEAST, MOST, MadeText, around, sample};
use crate::scenario::import::names::{self, Meaning};
use crate::scenario::template::{Placeholder, Template};

/// What an account is made with: long, with letters of both cases, digits and a sign.
pub(in crate::scenario::import) const PASSWORD: &str = "Canary-2-Pass!word";

/// A text for a field of this name, with a canary if it takes one; `None` if none can be made.
/// `shown` is what the document shows for it.
pub(super) fn text(view: &View<'_>, name: &str, shown: Option<&Value>) -> Option<MadeText> {
    let shown = shown.and_then(Value::as_str).filter(|text| !text.is_empty() && fits(view, text));
    let meaning = meaning(view, name, shown);
    let instead = instead(view, meaning, shown);
    if let Some((text, longest)) = canaries(view, meaning) {
        let instead = instead.unwrap_or_else(|| sample(&text, false));
        let carries = Carries { instead: Some(Template::literal(instead)), longest };
        return Some(MadeText { text, carries: Some(carries) });
    }
    instead.map(MadeText::plain)
}

/// Whether it has a form that many texts have which mean nobody: a date, an address.
pub(super) fn has_form(view: &View<'_>, name: &str) -> bool {
    !matches!(meaning(view, name, None), Meaning::Word | Meaning::Uuid | Meaning::Number)
}

/// Whether a text for it holds a canary.
pub(super) fn carries(view: &View<'_>, name: &str, shown: Option<&Value>) -> bool {
    let shown = shown.and_then(Value::as_str);
    canaries(view, meaning(view, name, shown)).is_some()
}

fn meaning(view: &View<'_>, name: &str, shown: Option<&str>) -> Meaning {
    match view.text("format") {
        Some("date") => Meaning::Date,
        Some("date-time" | "datetime") => Meaning::Moment,
        Some("time" | "duration" | "partial-time") => Meaning::Other("10:00:00Z"),
        Some("email" | "idn-email") => Meaning::Email,
        Some("uuid" | "guid" | "uuid4") => Meaning::Uuid,
        Some("uri" | "url" | "uri-reference" | "iri" | "iri-reference" | "http-url" | "uri-template") => Meaning::Url,
        Some("hostname" | "idn-hostname") => Meaning::Host,
        Some("ipv4" | "ip" | "ipvanyaddress") => Meaning::Other("192.0.2.1"),
        Some("ipv6") => Meaning::Other("2001:db8::1"),
        Some("byte" | "base64" | "base64url") => Meaning::Other("Y2FuYXJ5"),
        Some("password") => Meaning::Password,
        Some("json-pointer") => Meaning::Other("/a"),
        Some("regex") => Meaning::Other("a"),
        Some("int32" | "int64" | "float" | "double" | "decimal" | "number") => Meaning::Number,
        _ => names::meaning(name, shown),
    }
}

/// A text with a canary that it accepts, and how long the canary may be.
fn canaries(view: &View<'_>, meaning: Meaning) -> Option<(Template, Option<usize>)> {
    let pattern = view.text("pattern");
    let word = |before: &str, after: &str| around(before, Placeholder::Canary, after);
    let uuid = || around("", Placeholder::CanaryAs(CanaryShape::Uuid), "");
    let digits = || around("", Placeholder::CanaryAs(CanaryShape::Digits), "");
    let tried = match meaning {
        Meaning::Word => vec![word("", "")],
        Meaning::Email => vec![word("", "@mail.test")],
        Meaning::Url => vec![word("https://", ".mail.test/")],
        Meaning::Host => vec![word("", ".mail.test")],
        Meaning::Uuid => vec![uuid()],
        Meaning::Password | Meaning::Date | Meaning::Moment | Meaning::Number | Meaning::Other(_) => return None,
    };
    let others = if pattern.is_some() && meaning == Meaning::Word {
        vec![uuid(), digits(), word("", "@mail.test")]
    } else {
        Vec::new()
    };
    if pattern.is_some_and(|written| pattern::read(written).is_none()) {
        // What it accepts is not known.
        return None;
    }
    let least = view.least_count("minLength");
    let most = view.most_count("maxLength");
    for mut text in tried.into_iter().chain(others) {
        let short = sample(&text, false).chars().count();
        if meaning == Meaning::Word && short < least && least <= 4_096 {
            text.push_text(&"-".repeat(least - short));
        }
        if !fits(view, &sample(&text, false)) {
            continue;
        }
        let is_uuid = text.has(&Placeholder::CanaryAs(CanaryShape::Uuid));
        let fits_longest = fits(view, &sample(&text, true));
        let spare = most.map_or(usize::MAX, |most| most.saturating_sub(sample(&text, false).chars().count()));
        // A pattern may have a length of its own.
        let longest = if pattern.is_some() && !fits_longest { LEAST } else { LEAST.saturating_add(spare) };
        return Some((text, (!is_uuid && !fits_longest && longest < MOST.max(40)).then_some(longest)));
    }
    None
}

/// A text without a canary.
fn instead(view: &View<'_>, meaning: Meaning, shown: Option<&str>) -> Option<String> {
    let made = match meaning {
        Meaning::Word => "canary",
        Meaning::Email => "someone@mail.test",
        Meaning::Url => "https://mail.test/",
        Meaning::Host => "mail.test",
        Meaning::Uuid => "6f1c2b9e-4d3a-4e5f-8a7b-0c1d2e3f4a5b",
        Meaning::Password => PASSWORD,
        Meaning::Date => "2030-01-02",
        Meaning::Moment => "2030-01-02T10:00:00Z",
        Meaning::Number => "1",
        Meaning::Other(text) => text,
    };
    let least = view.least_count("minLength").min(4_096);
    let most = view.most_count("maxLength").unwrap_or(usize::MAX);
    let mut sized: String = made.chars().take(most).collect();
    let padding = if meaning == Meaning::Number { "1" } else { "x" };
    sized.push_str(&padding.repeat(least.saturating_sub(sized.chars().count())));
    // A password that is shown is nobody's.
    let shown = shown.filter(|_| meaning != Meaning::Password);
    let mut tried = shown.map(str::to_owned).into_iter().chain([made.to_owned(), sized]);
    let found = tried.find(|text| fits(view, text));
    found.or_else(|| view.text("pattern").and_then(|pattern| pattern::example(pattern, |text| fits(view, text))))
}

/// Whether every part accepts a text, but for enumerations.
pub(super) fn fits(view: &View<'_>, text: &str) -> bool {
    view.parts.iter().all(|part| fits_text(part, text))
}
