//! Whether a value fits a schema, as far as a sampler has to know: to find the one alternative that holds.

use serde_json::{Map, Value};

use super::document::Document;
use super::pattern;
use super::view::{SchemaType, View};

/// Looks at values, and gives up when it has looked at too many.
#[derive(Debug)]
pub(super) struct Accepts<'a> {
    pub document: &'a Document,
    /// How many more schemas it looks at. Then everything fits.
    pub fuel: u32,
    depth: u32,
}

/// How deep schemas inside schemas are looked at.
const DEPTH: u32 = 48;

impl<'a> Accepts<'a> {
    pub fn new(document: &'a Document) -> Self {
        Accepts { document, fuel: 4_000, depth: 0 }
    }

    /// Whether it fits all of these.
    pub fn all(&mut self, schemas: &[&'a Value], value: &Value) -> bool {
        if self.fuel == 0 || self.depth == DEPTH {
            return true;
        }
        self.fuel -= 1;
        self.depth += 1;
        let fits = self.holds(schemas, value);
        self.depth -= 1;
        fits
    }

    fn holds(&mut self, schemas: &[&'a Value], value: &Value) -> bool {
        let view = View::of(self.document, schemas);
        !view.never
            && view.parts.iter().all(|part| self.part(part, value))
            && view.choices.iter().all(|choice| {
                let alternatives = choice.alternatives.iter();
                let fitting = alternatives.filter(|alternative| self.all(&[*alternative], value)).count();
                if choice.is_one { fitting == 1 } else { fitting > 0 }
            })
    }

    fn part(&mut self, part: &'a Map<String, Value>, value: &Value) -> bool {
        if value.is_null() && part.get("nullable") == Some(&Value::Bool(true)) {
            return true;
        }
        let fits_type = || View::part(part).types().is_none_or(|types| types.iter().any(|kind| is_of(value, *kind)));
        let is_listed = |list: &Value| list.as_array().is_none_or(|list| list.iter().any(|item| is_same(item, value)));
        fits_type()
            && part.get("enum").is_none_or(is_listed)
            && part.get("const").is_none_or(|constant| is_same(constant, value))
            && part.get("not").is_none_or(|not| !self.all(&[not], value))
            && match value {
                Value::String(text) => fits_text(part, text),
                Value::Number(number) => number.as_f64().is_none_or(|number| fits_number(part, number)),
                Value::Array(items) => self.items(part, items),
                Value::Object(fields) => self.fields(part, fields),
                Value::Null | Value::Bool(_) => true,
            }
    }

    fn items(&mut self, part: &'a Map<String, Value>, items: &[Value]) -> bool {
        let tuple = part.get("prefixItems").and_then(Value::as_array);
        let is_repeated = |at: usize| items[..at].iter().any(|before| is_same(before, &items[at]));
        fits_count(part, "minItems", "maxItems", items.len())
            && (part.get("uniqueItems") != Some(&Value::Bool(true)) || !(0..items.len()).any(is_repeated))
            && items.iter().enumerate().all(|(at, item)| match tuple.and_then(|tuple| tuple.get(at)) {
                Some(schema) => self.all(&[schema], item),
                None => part.get("items").is_none_or(|schema| self.all(&[schema], item)),
            })
    }

    fn fields(&mut self, part: &'a Map<String, Value>, fields: &Map<String, Value>) -> bool {
        let known = part.get("properties").and_then(Value::as_object);
        let known = |name: &str| known.and_then(|known| known.get(name));
        let required = part.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let mut missing = required.filter(|name| !fields.contains_key(*name));
        let patterns = part.contains_key("patternProperties");
        missing.all(|name| known(name).is_some_and(|schema| self.document.is_read_only(schema)))
            && fits_count(part, "minProperties", "maxProperties", fields.len())
            && fields.iter().all(|(name, item)| match known(name) {
                Some(schema) => self.all(&[schema], item),
                None if patterns => true,
                None => part.get("additionalProperties").is_none_or(|schema| self.all(&[schema], item)),
            })
    }
}

pub(super) fn is_of(value: &Value, kind: SchemaType) -> bool {
    match kind {
        SchemaType::Null => value.is_null(),
        SchemaType::Boolean => value.is_boolean(),
        SchemaType::Integer => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0),
        SchemaType::Number => value.is_number(),
        SchemaType::String => value.is_string(),
        SchemaType::Array => value.is_array(),
        SchemaType::Object => value.is_object(),
    }
}

fn is_same(one: &Value, other: &Value) -> bool {
    one == other || matches!((one.as_f64(), other.as_f64()), (Some(one), Some(other)) if one == other)
}

fn fits_count(part: &Map<String, Value>, least: &str, most: &str, count: usize) -> bool {
    let number = |key: &str| part.get(key).and_then(Value::as_f64);
    number(least).is_none_or(|least| count as f64 >= least) && number(most).is_none_or(|most| count as f64 <= most)
}

pub(super) fn fits_text(part: &Map<String, Value>, text: &str) -> bool {
    fits_count(part, "minLength", "maxLength", text.chars().count())
        && part
            .get("pattern")
            .and_then(Value::as_str)
            .and_then(pattern::read)
            .is_none_or(|pattern| pattern.is_match(text))
}

pub(super) fn fits_number(part: &Map<String, Value>, number: f64) -> bool {
    let limit = |key: &str| part.get(key).and_then(Value::as_f64);
    // Up to 3.0 it is a boolean beside the limit.
    let is_exclusive = |key: &str| part.get(key) == Some(&Value::Bool(true));
    let low = |limit: f64| if is_exclusive("exclusiveMinimum") { number > limit } else { number >= limit };
    let high = |limit: f64| if is_exclusive("exclusiveMaximum") { number < limit } else { number <= limit };
    limit("minimum").is_none_or(low)
        && limit("maximum").is_none_or(high)
        && limit("exclusiveMinimum").is_none_or(|limit| number > limit)
        && limit("exclusiveMaximum").is_none_or(|limit| number < limit)
        && limit("multipleOf").is_none_or(|step| {
            step <= 0.0 || {
                let times = number / step;
                (times - times.round()).abs() < 1e-9
            }
        })
}
