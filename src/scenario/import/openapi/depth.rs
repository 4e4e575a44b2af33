//! How deep the shallowest value of a schema is: the least fixed point over all schemas that it may be made of.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::document::Document;
use super::view::{SchemaAddress, SchemaType, View, address};

/// Of a schema that no finite value fits.
pub(super) const ENDLESS: u32 = u32::MAX;

/// The depths of the schemas that were asked for, and of what they need.
#[derive(Debug)]
pub(super) struct Depths<'a> {
    document: &'a Document,
    known: BTreeMap<SchemaAddress, u32>,
}

/// What a value cannot do without.
#[derive(Debug, Default)]
struct Demand<'a> {
    /// One level further down.
    below: Vec<&'a Value>,
    /// One of each list, on the same level.
    either: Vec<&'a [Value]>,
    never: bool,
    /// A value is given, or null will do.
    is_free: bool,
}

impl<'a> Depths<'a> {
    pub fn new(document: &'a Document) -> Self {
        Depths { document, known: BTreeMap::new() }
    }

    /// That of a value for which all of these hold; at least.
    pub fn of_all(&mut self, schemas: &[&'a Value]) -> u32 {
        schemas.iter().map(|schema| self.of(schema)).max().unwrap_or(0)
    }

    pub fn of(&mut self, schema: &'a Value) -> u32 {
        if let Some(depth) = self.known.get(&address(schema)) {
            return *depth;
        }
        let demands = self.demands(schema);
        // Depths only fall, each at most to the depth of the longest chain of demands.
        loop {
            let mut falls = false;
            for (at, demand) in demands.iter().rev() {
                let depth = self.depth(demand);
                if self.known.get(at).is_none_or(|known| depth < *known) {
                    self.known.insert(*at, depth);
                    falls = true;
                }
            }
            if !falls {
                break;
            }
        }
        self.known.get(&address(schema)).copied().unwrap_or(ENDLESS)
    }

    /// The demands of a schema and of all that it may need, as far as they are not known yet.
    fn demands(&mut self, schema: &'a Value) -> Vec<(SchemaAddress, Demand<'a>)> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        let mut open = vec![schema];
        while let Some(schema) = open.pop() {
            let at = address(schema);
            if self.known.contains_key(&at) || !seen.insert(at) {
                continue;
            }
            let demand = demand(self.document, schema);
            open.extend(demand.below.iter().copied().chain(demand.either.iter().copied().flatten()));
            found.push((at, demand));
        }
        found
    }

    fn depth(&self, demand: &Demand<'a>) -> u32 {
        if demand.is_free {
            return 0;
        }
        if demand.never {
            return ENDLESS;
        }
        let known = |schema: &Value| self.known.get(&address(schema)).copied().unwrap_or(ENDLESS);
        let below = demand.below.iter().map(|schema| known(schema).saturating_add(1)).max().unwrap_or(0);
        let either = demand.either.iter().map(|list| list.iter().map(known).min().unwrap_or(0)).max().unwrap_or(0);
        below.max(either)
    }
}

fn demand<'a>(document: &'a Document, schema: &'a Value) -> Demand<'a> {
    let view = View::of(document, &[schema]);
    let mut demand = Demand { never: view.never, ..Demand::default() };
    demand.is_free = !view.never
        && (view.constant().is_some() || view.enumeration().is_some() || view.shown().is_some() || view.is_nullable());
    if demand.is_free || demand.never {
        return demand;
    }
    for name in view.required() {
        let fields = view.property(name);
        if !fields.iter().any(|field| document.is_read_only(field)) {
            demand.below.extend(fields);
        }
    }
    let is_array = view.types().is_none_or(|types| types.contains(&SchemaType::Array));
    if is_array && view.least_count("minItems") > 0 {
        demand.below.extend(view.inner("items"));
        let tuples = view.parts.iter().filter_map(|part| part.get("prefixItems")?.as_array());
        demand.below.extend(tuples.flatten());
    }
    demand.either.extend(view.choices.iter().map(|choice| choice.alternatives));
    demand
}
