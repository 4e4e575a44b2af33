//! Several schemas that hold at once, seen as one: references are followed and `allOf` is taken apart, as far as asked.

use std::collections::BTreeSet;
use std::ptr;

use serde_json::{Map, Value};

use super::document::Document;

/// How many parts one schema may have.
const PARTS: usize = 256;

/// A schema as an address: the document does not move.
pub(super) type SchemaAddress = usize;

pub(super) fn address(schema: &Value) -> SchemaAddress {
    ptr::from_ref(schema) as usize
}

/// What a value must be, all of it at once.
#[derive(Debug, Clone, Default)]
pub(super) struct View<'a> {
    /// Each with keywords of its own.
    pub parts: Vec<&'a Map<String, Value>>,
    /// `oneOf` and `anyOf` of the parts.
    pub choices: Vec<SchemaChoice<'a>>,
    /// No value fits: `false`, or a reference that leads nowhere.
    pub never: bool,
    seen: BTreeSet<SchemaAddress>,
}

/// One of several schemas must hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct SchemaChoice<'a> {
    pub alternatives: &'a [Value],
    /// No second one may hold.
    pub is_one: bool,
    pub discriminator: Option<&'a Value>,
}

/// What a schema is about, as far as `type` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SchemaType {
    Null,
    Boolean,
    Integer,
    Number,
    String,
    Array,
    Object,
}

impl<'a> View<'a> {
    pub fn of(document: &'a Document, schemas: &[&'a Value]) -> View<'a> {
        let mut view = View::default();
        for schema in schemas {
            view.add(document, schema);
        }
        view
    }

    /// With what is left of a choice between something and null, as optional fields are written.
    pub fn but_for_null(mut self, document: &'a Document) -> View<'a> {
        for choice in std::mem::take(&mut self.choices) {
            let is_null = |schema: &&Value| View::of(document, &[*schema]).types() == Some(vec![SchemaType::Null]);
            let mut others = choice.alternatives.iter().filter(|schema| !is_null(schema));
            match (others.next(), others.next()) {
                (Some(only), None) => self.add(document, only),
                _ => self.choices.push(choice),
            }
        }
        self
    }

    /// Only the keywords of one part: no references, no choices.
    pub fn part(keywords: &'a Map<String, Value>) -> View<'a> {
        View { parts: vec![keywords], ..View::default() }
    }

    /// Another schema that holds as well.
    pub fn add(&mut self, document: &'a Document, schema: &'a Value) {
        let mut open = vec![schema];
        while let Some(schema) = open.pop() {
            if !self.seen.insert(address(schema)) {
                continue;
            }
            if self.parts.len() >= PARTS {
                self.never = true;
                return;
            }
            let keywords = match schema {
                Value::Object(keywords) => keywords,
                Value::Bool(false) => {
                    self.never = true;
                    continue;
                }
                _ => continue,
            };
            if let Some(Value::String(reference)) = keywords.get("$ref") {
                // One that leads to itself says nothing that a value could fit.
                match document.find(reference) {
                    Ok(target) if document.resolve(target).is_ok() => open.push(target),
                    _ => self.never = true,
                }
                // What stands beside a reference counts from 3.1 on; before, nothing of use stands there.
                if keywords.len() == 1 {
                    continue;
                }
            }
            self.parts.push(keywords);
            open.extend(keywords.get("allOf").and_then(Value::as_array).into_iter().flatten().rev());
            for (key, is_one) in [("oneOf", true), ("anyOf", false)] {
                if let Some(alternatives) = keywords.get(key).and_then(Value::as_array).filter(|all| !all.is_empty()) {
                    let discriminator = keywords.get("discriminator");
                    self.choices.push(SchemaChoice { alternatives, is_one, discriminator });
                }
            }
        }
    }

    /// The first part's value of a keyword.
    pub fn get(&self, keyword: &str) -> Option<&'a Value> {
        self.parts.iter().find_map(|part| part.get(keyword))
    }

    pub fn text(&self, keyword: &str) -> Option<&'a str> {
        self.parts.iter().find_map(|part| part.get(keyword)?.as_str())
    }

    /// Whether any part says so.
    pub fn is(&self, keyword: &str) -> bool {
        self.parts.iter().any(|part| part.get(keyword) == Some(&Value::Bool(true)))
    }

    /// The largest value of a keyword.
    pub fn largest(&self, keyword: &str) -> Option<f64> {
        self.numbers(keyword).reduce(f64::max)
    }

    /// The smallest value of a keyword.
    pub fn smallest(&self, keyword: &str) -> Option<f64> {
        self.numbers(keyword).reduce(f64::min)
    }

    fn numbers(&self, keyword: &str) -> impl Iterator<Item = f64> {
        self.parts.iter().filter_map(move |part| part.get(keyword)?.as_f64())
    }

    /// A length, or a number of items; far more than any is taken for none.
    pub fn least_count(&self, keyword: &str) -> usize {
        self.largest(keyword).map_or(0, |least| least.clamp(0.0, 1e9) as usize)
    }

    pub fn most_count(&self, keyword: &str) -> Option<usize> {
        self.smallest(keyword).map(|most| most.clamp(0.0, 1e9) as usize)
    }

    /// The types that all parts allow, in their order; `None` if no part says.
    pub fn types(&self) -> Option<Vec<SchemaType>> {
        let mut allowed: Option<Vec<SchemaType>> = None;
        for part in &self.parts {
            // A type of another name says nothing.
            let Some(mut own) = part.get("type").map(types_of).filter(|own| !own.is_empty()) else { continue };
            if part.get("nullable") == Some(&Value::Bool(true)) {
                own.push(SchemaType::Null);
            }
            allowed = Some(match allowed {
                None => own,
                Some(before) => before.into_iter().filter_map(|kind| common(kind, &own)).collect(),
            });
        }
        allowed
    }

    /// Whether null is a value of it, as far as it says.
    pub fn is_nullable(&self) -> bool {
        self.types().is_some_and(|types| types.contains(&SchemaType::Null))
    }

    /// What it says about one of an object's fields: all of it holds.
    pub fn property(&self, name: &str) -> Vec<&'a Value> {
        self.parts.iter().filter_map(|part| part.get("properties")?.get(name)).collect()
    }

    /// The names of all fields that it knows, each once.
    pub fn property_names(&self) -> Vec<&'a str> {
        let mut names: Vec<&str> = Vec::new();
        for part in &self.parts {
            let own = part.get("properties").and_then(Value::as_object).into_iter().flatten();
            names.extend(own.map(|(name, _)| name.as_str()));
        }
        let mut seen = BTreeSet::new();
        names.retain(|name| seen.insert(*name));
        names
    }

    /// The names of the fields that must be there, each once. (Draft 3 says `required: true` in the field itself.)
    pub fn required(&self) -> Vec<&'a str> {
        let lists = self.parts.iter().filter_map(|part| part.get("required")?.as_array());
        let mut seen = BTreeSet::new();
        lists.flatten().filter_map(Value::as_str).filter(|name| seen.insert(*name)).collect()
    }

    /// What the value of a keyword says of items or further fields: every part that has a schema there.
    pub fn inner(&self, keyword: &str) -> Vec<&'a Value> {
        let inner = self.parts.iter().filter_map(|part| part.get(keyword));
        inner.filter(|value| value.is_object() || value.is_boolean()).collect()
    }

    /// The one value that fits.
    pub fn constant(&self) -> Option<&'a Value> {
        self.get("const")
    }

    /// The only values that fit, of the part with the fewest.
    pub fn enumeration(&self) -> Option<&'a Vec<Value>> {
        let lists = self.parts.iter().filter_map(|part| part.get("enum")?.as_array());
        lists.filter(|list| !list.is_empty()).min_by_key(|list| list.len())
    }

    /// A value that the document shows: `example`, the first of `examples`, `default`.
    pub fn shown(&self) -> Option<&'a Value> {
        let first = |examples: &'a Value| examples.as_array().and_then(|all| all.first());
        let example = self.get("example").or_else(|| self.get("x-example"));
        example
            .or_else(|| self.get("examples").and_then(first))
            .or_else(|| self.get("default"))
            .filter(|v| !v.is_null())
    }
}

fn types_of(written: &Value) -> Vec<SchemaType> {
    match written {
        Value::String(name) => type_named(name).into_iter().collect(),
        Value::Array(names) => names.iter().filter_map(Value::as_str).filter_map(type_named).collect(),
        _ => Vec::new(),
    }
}

fn type_named(name: &str) -> Option<SchemaType> {
    Some(match name {
        "null" => SchemaType::Null,
        "boolean" => SchemaType::Boolean,
        "integer" => SchemaType::Integer,
        "number" => SchemaType::Number,
        "string" | "file" => SchemaType::String,
        "array" => SchemaType::Array,
        "object" => SchemaType::Object,
        _ => return None,
    })
}

/// The type that is left of one where these are allowed too.
fn common(kind: SchemaType, allowed: &[SchemaType]) -> Option<SchemaType> {
    match kind {
        kind if allowed.contains(&kind) => Some(kind),
        SchemaType::Number if allowed.contains(&SchemaType::Integer) => Some(SchemaType::Integer),
        SchemaType::Integer if allowed.contains(&SchemaType::Number) => Some(SchemaType::Integer),
        _ => None,
    }
}
