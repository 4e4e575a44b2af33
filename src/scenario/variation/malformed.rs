//! Requests that a handler is likely to choke on while they still carry the identity.

use super::super::request::{BodySpec, Json, Parameter};
use super::super::template::{Piece, Placeholder};
use super::super::{RequestSpec, Template};
use super::place::RequestPart;
use super::{EXTRA, as_text, identifies};

/// So many variations at most.
const MOST: usize = 12;
/// So many parameters are spoilt in one way: a long form must not crowd out the other ways.
const MOST_PARAMETERS: usize = 3;
/// More than 64 bits hold.
const HUGE: &str = "99999999999999999999";

/// What can be wrong with a parameter, the most promising first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// A text where a number was, in JSON also the other way round.
    WrongType,
    Missing,
    Empty,
    Huge,
}

impl Fault {
    const ALL: [Fault; 4] = [Fault::WrongType, Fault::Missing, Fault::Empty, Fault::Huge];

    /// The value instead; `None` for none at all.
    fn text(self) -> Option<&'static str> {
        match self {
            Fault::WrongType => Some("x"),
            Fault::Missing => None,
            Fault::Empty => Some(""),
            Fault::Huge => Some(HUGE),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Fault::WrongType => "of the wrong type",
            Fault::Missing => "missing",
            Fault::Empty => "empty",
            Fault::Huge => "too large a number",
        }
    }
}

/// A parameter that does not identify.
#[derive(Debug, Clone)]
enum Parameters {
    Query(usize),
    Form(usize),
    /// The indices that lead to a leaf.
    Json(Vec<usize>),
}

/// Variations with what is wrong about each, the most promising first; at most twelve, none of them without the identity.
pub fn malformed(request: &RequestSpec) -> Vec<(String, RequestSpec)> {
    let found = parameters(request);
    let mut all = Vec::new();
    for fault in Fault::ALL {
        let fitting = found.iter().filter(|found| fits(fault, found)).take(MOST_PARAMETERS);
        all.extend(fitting.map(|found| (format!("{} {}", found.place, fault.words()), found.spoilt(request, fault))));
    }
    // Between what handlers convert and what frameworks see to: broken as a whole, but not before anything was read.
    let whole = [cut_off(request), other_type(request)].into_iter().flatten();
    let after = all.len().min(2 * MOST_PARAMETERS);
    all.splice(after..after, whole);
    all.extend([twice(request), damaged(request)].into_iter().flatten());
    all.push(unexpected(request));
    // What was empty already is not spoilt by being so.
    all.retain(|(_, varied)| varied != request);
    all.truncate(MOST);
    all
}

/// A parameter with what is known of it.
#[derive(Debug)]
struct Found {
    which: Parameters,
    place: RequestPart,
    /// Its value is a number.
    numeric: bool,
}

/// Numbers first: a handler converts them, and where it does not expect another value it fails.
fn parameters(request: &RequestSpec) -> Vec<Found> {
    let mut all = Vec::new();
    for (index, parameter) in request.query.iter().enumerate().filter(|(_, parameter)| !identifies(&parameter.value)) {
        // Of a flag, its name is all there is.
        if let Some(name) = &parameter.name {
            let place = RequestPart::Query(Some(name.clone()));
            all.push(Found { which: Parameters::Query(index), place, numeric: is_number(&parameter.value) });
        }
    }
    match &request.body {
        Some(BodySpec::Form(fields)) => {
            for (index, (name, value)) in fields.iter().enumerate().filter(|(_, (_, value))| !identifies(value)) {
                let (which, place) = (Parameters::Form(index), RequestPart::Form(name.clone()));
                all.push(Found { which, place, numeric: is_number(value) });
            }
        }
        Some(BodySpec::Json(json)) => {
            for (steps, leaf) in json.leaves() {
                let numeric = match leaf {
                    Json::Text(text) if identifies(text) => continue,
                    Json::Text(text) => is_number(text),
                    _ => true,
                };
                all.push(Found {
                    place: RequestPart::Json(json.path(&steps)),
                    which: Parameters::Json(steps),
                    numeric,
                });
            }
        }
        Some(BodySpec::Text(_)) | None => {}
    }
    all.sort_by_key(|found| !found.numeric);
    all
}

/// Whether a value is a number whatever fills its holes.
fn is_number(value: &Template) -> bool {
    let all = value.pieces.iter().all(|piece| match piece {
        Piece::Text(text) => text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-')),
        Piece::Base64(_) => false,
        Piece::Hole(hole) => matches!(
            hole,
            Placeholder::Sleep | Placeholder::Seq | Placeholder::User | Placeholder::Random(..) | Placeholder::Port
        ),
    });
    all && !value.pieces.is_empty()
}

fn fits(fault: Fault, found: &Found) -> bool {
    match fault {
        // Every text is one, except that JSON tells texts from numbers.
        Fault::WrongType => found.numeric || matches!(found.which, Parameters::Json(_)),
        Fault::Huge => found.numeric,
        // The whole of a JSON cannot be missing.
        Fault::Missing => !matches!(&found.which, Parameters::Json(steps) if steps.is_empty()),
        Fault::Empty => true,
    }
}

impl Found {
    fn spoilt(&self, request: &RequestSpec, fault: Fault) -> RequestSpec {
        let mut request = request.clone();
        match (&self.which, &mut request.body) {
            (Parameters::Query(index), _) => match fault.text() {
                Some(text) => request.query[*index].value = Template::literal(text),
                None => drop(request.query.remove(*index)),
            },
            (Parameters::Form(index), Some(BodySpec::Form(fields))) => match fault.text() {
                Some(text) => fields[*index].1 = Template::literal(text),
                None => drop(fields.remove(*index)),
            },
            (Parameters::Json(steps), Some(BodySpec::Json(json))) => match (fault, self.numeric, fault.text()) {
                (Fault::WrongType, false, _) => json.replace(steps, Json::Plain("0".to_owned())),
                (Fault::Huge, _, Some(text)) => json.replace(steps, Json::Plain(text.to_owned())),
                (_, _, Some(text)) => json.replace(steps, Json::Text(Template::literal(text))),
                (_, _, None) => json.remove(steps),
            },
            // A parameter was found in the body that is there.
            (Parameters::Form(_) | Parameters::Json(_), _) => {}
        }
        request
    }
}

/// JSON without its last character: broken only after all that it says.
fn cut_off(request: &RequestSpec) -> Option<(String, RequestSpec)> {
    let Some(BodySpec::Json(Json::Object(_) | Json::List(_))) = &request.body else { return None };
    let mut content = request.content()?;
    if let Some(Piece::Text(last)) = content.pieces.last_mut() {
        last.pop();
    }
    Some(("the JSON cut off at its end".to_owned(), as_text(request, content)))
}

fn other_type(request: &RequestSpec) -> Option<(String, RequestSpec)> {
    let mut request = request.clone();
    request.body.as_ref()?;
    request.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
    request.headers.push(("content-type".to_owned(), Template::literal("application/xml")));
    Some(("the body said to be XML".to_owned(), request))
}

/// The parameter that identifies, given twice.
fn twice(request: &RequestSpec) -> Option<(String, RequestSpec)> {
    let mut varied = request.clone();
    let place = if let Some(parameter) = request.query.iter().find(|parameter| identifies(&parameter.value)) {
        varied.query.push(parameter.clone());
        RequestPart::Query(parameter.name.clone())
    } else if let Some(BodySpec::Form(fields)) = &mut varied.body {
        let field = fields.iter().find(|(_, value)| identifies(value))?.clone();
        fields.push(field.clone());
        RequestPart::Form(field.0)
    } else {
        return None;
    };
    Some((format!("{place} given twice"), varied))
}

/// The value that identifies with something after it that is no text (in a URL), or that ends one.
fn damaged(request: &RequestSpec) -> Option<(String, RequestSpec)> {
    let mut varied = request.clone();
    if let Some(parameter) = varied.query.iter_mut().find(|parameter| identifies(&parameter.value)) {
        parameter.value.push_text("%FF");
        let place = RequestPart::Query(parameter.name.clone());
        return Some((format!("{place} ending in bytes that are no text"), varied));
    }
    let identity = |(_, value): &&mut (String, Template)| identifies(value);
    let place = if let Some((name, value)) = varied.headers.iter_mut().find(identity) {
        value.push_text("'");
        RequestPart::Header(name.clone())
    } else if let Some((name, value)) = varied.cookies.iter_mut().find(identity) {
        value.push_text("'");
        RequestPart::Cookie(name.clone())
    } else if let Some(BodySpec::Form(fields)) = &mut varied.body {
        let (name, value) = fields.iter_mut().find(identity)?;
        value.push_text("'");
        RequestPart::Form(name.clone())
    } else {
        return None;
    };
    Some((format!("{place} ending in a quote"), varied))
}

/// A parameter that nobody asked for, with bytes that are no text.
fn unexpected(request: &RequestSpec) -> (String, RequestSpec) {
    let mut request = request.clone();
    request.query.push(Parameter { name: Some(EXTRA.to_owned()), value: Template::literal("%FF") });
    ("an unexpected parameter in the query".to_owned(), request)
}
