//! A value that was made for a request: where a canary stands in it, and what would stand there without.

use serde_json::Value;

use super::{Carrier, CarrierPlace};
use crate::canary::CanaryShape;
use crate::scenario::request::{BodySpec, Json};
use crate::scenario::template::{Piece, Placeholder, Template};

/// Canaries of the shortest and of the longest kind that an ordinary one has, for trying what accepts them.
const WORDS: [&str; 2] = ["zq7d3m0k9x2c8v5b1n4ah", "zq7d3m0k9x2c8v5b1n4ah6g3f2e1d0c9b8a7"];
const UUID: &str = "709a1b2c-3d4e-4f5a-8b6c-7d8e9fa0b1c2";
const DIGITS: [&str; 2] = ["70948132605917384620517394", "709481326059173846205173940286"];
const EMAIL: &str = "zq7d3m0k9x2c8v5b1n4ah@mail.test";

/// The least characters of a canary.
pub(super) const LEAST: usize = WORDS[0].len();
/// The most of an ordinary one.
pub(super) const MOST: usize = WORDS[1].len();

/// A value for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Made {
    Text(MadeText),
    /// A number, true, false or null, as JSON writes it.
    Plain(String),
    List(Vec<Made>),
    Object(Vec<(String, Made)>),
}

/// A text, and whether a canary stands in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct MadeText {
    pub text: Template,
    pub carries: Option<Carries>,
}

/// What is known of a place with a canary.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Carries {
    /// `None`: the place is left out without a canary.
    pub instead: Option<Template>,
    pub longest: Option<usize>,
}

impl MadeText {
    pub fn plain(text: impl Into<String>) -> MadeText {
        MadeText { text: Template::literal(text), carries: None }
    }

    /// With a canary, and what stands there without one.
    pub fn canary(text: Template, instead: Option<Template>) -> MadeText {
        MadeText { text, carries: Some(Carries { instead, longest: None }) }
    }

    /// As a carrier, if it is one.
    pub fn carrier(&self, place: CarrierPlace, name: &str) -> Option<Carrier> {
        let Carries { instead, longest } = self.carries.clone()?;
        Some(Carrier { place, name: name.to_owned(), canary: self.text.clone(), instead, longest })
    }
}

impl Made {
    /// A value as it stands in a document.
    pub fn of(value: &Value) -> Made {
        match value {
            Value::String(text) => Made::Text(MadeText::plain(text)),
            Value::Array(items) => Made::List(items.iter().map(Made::of).collect()),
            Value::Object(fields) => {
                Made::Object(fields.iter().map(|(name, item)| (name.clone(), Made::of(item))).collect())
            }
            plain => Made::Plain(plain.to_string()),
        }
    }

    /// As a body's JSON, with its carriers.
    pub fn json(&self) -> (Json, Vec<Carrier>) {
        let mut carriers = Vec::new();
        let json = self.lower(&mut Vec::new(), &mut String::new(), &mut carriers);
        (json, carriers)
    }

    fn lower(&self, steps: &mut Vec<usize>, path: &mut String, carriers: &mut Vec<Carrier>) -> Json {
        let mut below = |index: usize, name: &str, item: &Made| {
            let before = path.len();
            if before > 0 {
                path.push('.');
            }
            path.push_str(name);
            steps.push(index);
            let json = item.lower(steps, path, carriers);
            steps.pop();
            path.truncate(before);
            json
        };
        match self {
            Made::Text(text) => {
                carriers.extend(text.carrier(CarrierPlace::Json(steps.clone()), path));
                Json::Text(text.text.clone())
            }
            Made::Plain(text) => Json::Plain(text.clone()),
            Made::List(items) => {
                let items = items.iter().enumerate();
                Json::List(items.map(|(index, item)| below(index, &index.to_string(), item)).collect())
            }
            Made::Object(fields) => {
                let fields = fields.iter().enumerate();
                Json::Object(fields.map(|(index, (name, item))| (name.clone(), below(index, name, item))).collect())
            }
        }
    }

    /// As a value, with sample canaries in place of the holes.
    pub fn value(&self) -> Value {
        match self {
            Made::Text(text) => Value::String(sample(&text.text, false)),
            Made::Plain(text) => serde_json::from_str(text).unwrap_or(Value::Null),
            Made::List(items) => items.iter().map(Made::value).collect(),
            Made::Object(fields) => {
                Value::Object(fields.iter().map(|(name, item)| (name.clone(), item.value())).collect())
            }
        }
    }

    /// As a plain text, as queries and forms hold it; lists and objects as JSON.
    pub fn text(&self) -> MadeText {
        match self {
            Made::Text(text) => text.clone(),
            Made::Plain(text) if text == "null" => MadeText::default(),
            Made::Plain(text) => MadeText::plain(text.clone()),
            Made::List(_) | Made::Object(_) => {
                let written = |made: &Made| BodySpec::Json(made.json().0).content();
                let carries = (!self.json().1.is_empty())
                    .then(|| Carries { instead: self.without().map(|made| written(&made)), longest: Some(LEAST) });
                MadeText { text: written(self), carries }
            }
        }
    }

    /// Without any canary; `None` if nothing is left.
    pub fn without(&self) -> Option<Made> {
        match self {
            Made::Text(MadeText { carries: Some(carries), .. }) => {
                Some(Made::Text(MadeText { text: carries.instead.clone()?, carries: None }))
            }
            Made::Text(_) | Made::Plain(_) => Some(self.clone()),
            Made::List(items) => Some(Made::List(items.iter().filter_map(Made::without).collect())),
            Made::Object(fields) => {
                let fields = fields.iter().filter_map(|(name, item)| Some((name.clone(), item.without()?)));
                Some(Made::Object(fields.collect()))
            }
        }
    }
}

/// A template filled with sample canaries, the shortest ones or the longest.
pub(super) fn sample(template: &Template, longest: bool) -> String {
    let mut out = Vec::new();
    let index = usize::from(longest);
    template.fill(
        &mut |hole, out| {
            let text = match hole {
                Placeholder::Canary | Placeholder::CanaryAs(CanaryShape::Word) => WORDS[index],
                Placeholder::CanaryAs(CanaryShape::Uuid) => UUID,
                Placeholder::CanaryAs(CanaryShape::Digits) => DIGITS[index],
                Placeholder::CanaryAs(CanaryShape::Email) => EMAIL,
                _ => "1",
            };
            out.extend_from_slice(text.as_bytes());
        },
        &mut out,
    );
    String::from_utf8_lossy(&out).into_owned()
}

/// A template of text, a canary and text.
pub(super) fn around(before: &str, hole: Placeholder, after: &str) -> Template {
    let mut template = Template::default();
    template.push_text(before);
    template.pieces.push(Piece::Hole(hole));
    template.push_text(after);
    template
}
