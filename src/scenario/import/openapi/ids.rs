//! Which response gives the id that a path asks for: what a POST to the collection created, or what the collection lists.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::document::Document;
use super::documented::{Documented, ParameterPlace};
use super::found_id::{Wanted, find};
use super::view::{SchemaType, View};
use crate::scenario::import::names;
use crate::scenario::login::{CaptureSource, CaptureSpec};

/// What stands before the names of captures that only creating gives.
const CREATED: &str = "created_";

/// Whole numbers in paths that are no ids.
const MEASURES: [&str; 18] = [
    "year", "month", "week", "day", "hour", "page", "offset", "limit", "size", "count", "version", "code", "status",
    "level", "port", "x", "y", "zoom",
];

/// What fills an id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct IdSource {
    /// Any that the identity has seen in a response of its own.
    pub seen: Option<String>,
    /// One that it has created.
    pub created: Option<String>,
}

/// What all responses give, and what all requests take.
#[derive(Debug, Default)]
pub(super) struct Ids {
    /// By operation.
    pub captures: BTreeMap<usize, Vec<CaptureSpec>>,
    /// By operation, the names of those captures that nobody has described.
    pub guessed: BTreeMap<usize, Vec<String>>,
    /// By operation and parameter.
    pub sources: BTreeMap<(usize, String), IdSource>,
}

impl Ids {
    /// The names of what any response gives.
    pub fn names(&self) -> BTreeSet<String> {
        let names = self.sources.values().filter_map(|source| source.seen.clone());
        names.collect()
    }

    /// The parameter of an operation that a capture fills.
    pub fn parameter(&self, operation: usize, capture: &str) -> Option<String> {
        let mut sources = self.sources.iter().filter(|((of, _), _)| *of == operation);
        let fills =
            |source: &IdSource| [&source.seen, &source.created].iter().any(|name| name.as_deref() == Some(capture));
        sources.find(|(_, source)| fills(source)).map(|((_, parameter), _)| parameter.clone())
    }
}

/// Where an id comes from.
struct Giver {
    operation: usize,
    from: CaptureSource,
    creates: bool,
    is_guess: bool,
}

/// Finds out where every id comes from.
pub(super) fn ids(document: &Document, operations: &[Documented<'_>]) -> Ids {
    let mut ids = Ids::default();
    let mut named: BTreeMap<String, String> = BTreeMap::new();
    let collections: Vec<String> = operations.iter().map(|operation| shape(operation.path)).collect();
    for (index, operation) in operations.iter().enumerate() {
        for parameter in operation.path_names() {
            let Some((before, _)) = operation.path.split_once(&format!("{{{parameter}")) else { continue };
            // `/items/item-{id}` has no collection of its own.
            let collection = if before.ends_with('/') { shape(before) } else { String::new() };
            let wanted = Wanted::new(parameter, &collection);
            let mut find =
                |wanted: &Wanted| source(document, operations, &collections, &collection, wanted, &mut ids, &mut named);
            let mut source = find(&wanted);
            if source == IdSource::default() && may_be_an_id(document, operation, parameter) {
                source = find(&wanted.by_place());
            }
            ids.sources.insert((index, parameter.to_owned()), source);
        }
        let of_query = operation.at(ParameterPlace::Query).filter(|parameter| parameter.is_required);
        for parameter in of_query.filter(|parameter| is_id(document, parameter.name, parameter.schema)) {
            let wanted = Wanted::new(parameter.name, "");
            let source = source(document, operations, &collections, "", &wanted, &mut ids, &mut named);
            ids.sources.insert((index, parameter.name.to_owned()), source);
        }
    }
    ids
}

fn source(
    document: &Document,
    operations: &[Documented<'_>],
    collections: &[String],
    collection: &str,
    wanted: &Wanted,
    ids: &mut Ids,
    named: &mut BTreeMap<String, String>,
) -> IdSource {
    let of_collection = |at: &usize| !collection.is_empty() && collections[*at] == collection;
    let mut givers = givers(document, operations, (0..operations.len()).filter(of_collection), wanted);
    let mut place = collection.to_owned();
    if givers.is_empty() && !wanted.resource.is_empty() {
        // By the name alone: `user_id` from `/api/users`.
        let fits = |at: &usize| names::last_word(&collections[*at]).is_some_and(|word| word == wanted.resource);
        let mut by_name: Vec<usize> = (0..operations.len()).filter(fits).collect();
        by_name.sort_by_key(|at| (operations[*at].path_names().len(), operations[*at].path.len()));
        let shortest = by_name.first().map(|at| collections[*at].clone());
        by_name.retain(|at| Some(&collections[*at]) == shortest.as_ref());
        givers = self::givers(document, operations, by_name.into_iter(), wanted);
        place = shortest.unwrap_or_default();
    }
    if givers.is_empty() {
        return IdSource::default();
    }
    let name = name(named, &format!("{place} {}", wanted.field), wanted);
    let mut source = IdSource::default();
    for Giver { operation, from, creates, is_guess } in givers {
        let captures = ids.captures.entry(operation).or_default();
        let mut add = |name: &str| {
            let capture = CaptureSpec { name: name.to_owned(), from: from.clone() };
            if !captures.contains(&capture) {
                captures.push(capture);
                ids.guessed.entry(operation).or_default().extend(is_guess.then(|| name.to_owned()));
            }
        };
        add(&name);
        source.seen = Some(name.clone());
        if creates {
            let created = format!("{CREATED}{name}");
            add(&created);
            source.created = Some(created);
        }
    }
    source
}

fn givers(
    document: &Document,
    operations: &[Documented<'_>],
    among: impl Iterator<Item = usize>,
    wanted: &Wanted,
) -> Vec<Giver> {
    let giver = |at: usize| {
        let operation = &operations[at];
        let creates = operation.method == "POST";
        if !creates && (operation.method != "GET" || wanted.is_by_place) {
            return None;
        }
        let in_body = operation.success(document).and_then(|schema| find(document, schema, wanted));
        let (from, is_guess) = match in_body {
            Some(path) => (CaptureSource::Json(path), false),
            None if creates && operation.has_location(document) => (CaptureSource::Location, false),
            // A response of which nothing is said most often has what was created.
            None if creates && wanted.is_id && is_vague(document, operation) => {
                (CaptureSource::Json(vec!["id".to_owned()]), true)
            }
            None => return None,
        };
        Some(Giver { operation: at, from, creates, is_guess })
    };
    among.filter_map(giver).collect()
}

/// Whether a success is an object whose fields are not told, or JSON of which nothing is: `{}`, as FastAPI writes it for a
/// function that does not say what it returns.
fn is_vague(document: &Document, operation: &Documented<'_>) -> bool {
    operation.success(document).is_some_and(|schema| {
        let view = View::of(document, &[schema]);
        let may_be_an_object = view.types().is_none_or(|types| types == [SchemaType::Object]);
        may_be_an_object && view.property_names().is_empty() && view.choices.is_empty()
    })
}

/// A name that no other collection's captures have: `item_id`.
fn name(named: &mut BTreeMap<String, String>, place: &str, wanted: &Wanted) -> String {
    if let Some(name) = named.get(place) {
        return name.clone();
    }
    let taken: BTreeSet<&String> = named.values().collect();
    let base = wanted.capture_name();
    let numbered = (2..).map(|number| format!("{base}_{number}"));
    let name = std::iter::once(base.clone()).chain(numbered).find(|name| !taken.contains(name)).unwrap_or(base);
    named.insert(place.to_owned(), name.clone());
    name
}

/// A path without the names in its braces and without slashes at its end: paths that mean the same are the same.
pub(super) fn shape(path: &str) -> String {
    let (mut shape, mut inside) = (String::new(), false);
    for c in path.split('?').next().unwrap_or_default().chars() {
        match c {
            '{' => {
                inside = true;
                shape.push_str("{}");
            }
            '}' => inside = false,
            _ if inside => {}
            c => shape.push(c),
        }
    }
    shape.trim_end_matches('/').to_owned()
}

/// Whether a parameter of a path can be the id of something by its type: `/guestbook/{entry}`, if that is a whole number of which
/// no example is given. What counts or measures is none.
fn may_be_an_id(document: &Document, operation: &Documented<'_>, parameter: &str) -> bool {
    let words = names::words(parameter);
    let measures = words.last().is_none_or(|word| MEASURES.contains(&word.as_str()));
    let mut of_path = operation.at(ParameterPlace::Path).filter(|one| one.name == parameter);
    !measures
        && of_path.next().is_some_and(|one| {
            let view = View::of(document, &[one.schema]);
            let of_holder = ["example", "examples"].iter().any(|key| one.holder.get(key).is_some());
            let is_known = of_holder || view.shown().or(view.constant()).is_some() || view.enumeration().is_some();
            view.types() == Some(vec![SchemaType::Integer]) && !is_known
        })
}

/// Whether a parameter names one of many things.
pub(super) fn is_id(document: &Document, name: &str, schema: &Value) -> bool {
    if names::is_id(name) {
        return true;
    }
    let view = View::of(document, &[schema]);
    matches!(view.text("format"), Some("uuid" | "guid" | "snowflake"))
}
