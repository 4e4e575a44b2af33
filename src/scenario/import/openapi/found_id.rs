//! Where in a response an id stands.

use std::collections::{BTreeSet, VecDeque};

use serde_json::Value;

use super::document::Document;
use super::view::{SchemaType, View, address};
use crate::scenario::import::account;
use crate::scenario::import::names::{self, last_word, singular};

/// How many levels down an id is looked for.
const LEVELS: usize = 4;
/// How many schemas are looked at for one id.
const LOOKED_AT: usize = 400;

/// The id that a parameter asks for.
#[derive(Debug)]
pub(super) struct Wanted {
    /// The parameter's name in one word, in lower case: `itemid`.
    pub field: String,
    /// What it is an id of, if that is known: `item`.
    pub resource: String,
    /// What kind of id it is: `gid` of `task_gid`.
    ending: String,
    /// The name of the parameter says that it is an id, or is that of one thing of the collection.
    pub is_id: bool,
    /// It is taken for an id by its place and its type alone: only what creates such a thing gives it.
    pub is_by_place: bool,
    /// It is no id but what a login gives.
    is_token: bool,
}

impl Wanted {
    pub fn new(parameter: &str, collection: &str) -> Wanted {
        let words = names::words(parameter);
        let before = &words[..words.len().saturating_sub(1)];
        let own = before.last().map(|word| singular(word));
        let resource = own.or_else(|| last_word(collection)).unwrap_or_default();
        // `/posts/{post}` asks for one of the collection by its id.
        let is_id = names::is_id(parameter) || !collection.is_empty() && words.concat() == resource;
        Wanted {
            field: words.concat(),
            resource,
            ending: words.last().cloned().unwrap_or_default(),
            is_id,
            is_by_place: false,
            is_token: false,
        }
    }

    /// The id of what the collection creates, whatever the parameter is called.
    pub fn by_place(self) -> Wanted {
        Wanted { is_id: true, is_by_place: true, ..self }
    }

    /// What a login gives.
    pub fn token() -> Wanted {
        Wanted {
            field: "token".to_owned(),
            resource: String::new(),
            ending: String::new(),
            is_id: false,
            is_by_place: false,
            is_token: true,
        }
    }

    /// `item_id`.
    pub fn capture_name(&self) -> String {
        let plain = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>();
        let (resource, field) = (plain(&self.resource), plain(&self.field));
        let rest = field.strip_prefix(&resource).unwrap_or(&field);
        match (resource.as_str(), rest) {
            ("", "") => "id".to_owned(),
            ("", rest) => rest.to_owned(),
            (resource, "") => resource.to_owned(),
            (resource, rest) => format!("{resource}_{rest}"),
        }
    }

    /// How well a field of a response answers it; the lowest is best.
    fn rank(&self, name: &str) -> Option<usize> {
        if self.is_token {
            return account::token_rank(name);
        }
        let field = names::words(name).concat();
        let of_resource = |ending: &str| !self.resource.is_empty() && field == format!("{}{ending}", self.resource);
        if field == self.field {
            return Some(0);
        }
        if !self.is_id {
            // `name` answers `collection_name`, of a collection.
            let is_compound = !self.resource.is_empty() && self.field == format!("{}{}", self.resource, self.ending);
            return (of_resource(&self.field) || is_compound && field == self.ending).then_some(1);
        }
        match field.as_str() {
            _ if of_resource("id") => Some(1),
            ending if ending == self.ending => Some(2),
            "id" => Some(2),
            _ if of_resource("uuid") || of_resource("key") || of_resource("slug") => Some(3),
            "uuid" | "guid" => Some(4),
            _ => None,
        }
    }

    /// In which order the fields of a response are gone into.
    fn order(&self, name: &str) -> usize {
        let word = names::words(name).concat();
        match word.as_str() {
            _ if !self.resource.is_empty() && singular(&word) == self.resource => 0,
            "data" | "result" | "results" | "items" | "content" | "item" | "value" | "values" => 1,
            _ => 2,
        }
    }
}

/// The names and indices that lead to the nearest field which answers it.
pub(super) fn find(document: &Document, schema: &Value, wanted: &Wanted) -> Option<Vec<String>> {
    let mut open: VecDeque<(Vec<&Value>, Vec<String>)> = VecDeque::from([(vec![schema], Vec::new())]);
    let mut seen = BTreeSet::new();
    for _ in 0..LOOKED_AT {
        let (schemas, path) = open.pop_front()?;
        if path.len() > LEVELS || schemas.first().is_none_or(|schema| !seen.insert(address(schema))) {
            continue;
        }
        let mut view = View::of(document, &schemas);
        // Of several alternatives, what the first of each holds.
        let mut alternatives: Vec<&Value> = Vec::new();
        for choice in std::mem::take(&mut view.choices) {
            alternatives.extend(choice.alternatives.iter().take(3));
        }
        for alternative in alternatives {
            view.add(document, alternative);
        }
        let mut names: Vec<&str> = view.property_names();
        let best = names.iter().filter_map(|name| Some((wanted.rank(name)?, *name))).min();
        if let Some((_, name)) = best
            && is_plain(document, &view.property(name))
        {
            return Some([path, vec![name.to_owned()]].concat());
        }
        // A list of the ids themselves.
        let items = view.inner("items");
        if !items.is_empty() {
            if path.is_empty()
                && wanted.is_id
                && is_plain(document, &items)
                && View::of(document, &items).property_names().is_empty()
            {
                return Some(vec!["0".to_owned()]);
            }
            open.push_back((items, [path.clone(), vec!["0".to_owned()]].concat()));
        }
        names.sort_by_key(|name| wanted.order(name));
        for name in names {
            // Names with a dot would be read as two.
            if !name.contains('.') {
                open.push_back((view.property(name), [path.clone(), vec![name.to_owned()]].concat()));
            }
        }
    }
    None
}

/// Whether it is a text or a number.
fn is_plain(document: &Document, schemas: &[&Value]) -> bool {
    let view = View::of(document, schemas);
    let is_whole = |kind: &SchemaType| matches!(kind, SchemaType::Object | SchemaType::Array | SchemaType::Boolean);
    view.types().is_none_or(|types| !types.iter().any(is_whole)) && view.property_names().is_empty()
}
