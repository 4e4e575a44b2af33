//! A value for a schema: what is required, of the shallowest alternative, with a canary wherever a text may be any.

use std::collections::BTreeSet;

use serde_json::Value;

use super::accepts::Accepts;
use super::depth::{Depths, ENDLESS};
use super::document::Document;
use super::number;
use super::text;
use super::view::{SchemaAddress, SchemaType, View, address};
use crate::scenario::import::made::{Made, MadeText};
use crate::scenario::import::{GivenValue, names, variables};
use crate::scenario::template::Template;

mod alternatives;

/// How deep a value may be.
const DEPTH: usize = 48;
/// How many schemas one value may take.
const STEPS: u32 = 6_000;
/// How many fields that need not be there are added because they can hold a canary, in a whole value.
const EXTRAS: usize = 8;
/// How many items a list has at most.
const ITEMS: usize = 64;

/// The field for which no value can be made: `owner.address`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CannotBeMade(pub String);

/// Makes the values of one operation.
#[derive(Debug)]
pub(super) struct SchemaSampler<'a, 'd> {
    pub document: &'a Document,
    pub depths: &'d mut Depths<'a>,
    /// Those that hold for this operation.
    pub given: Vec<&'a GivenValue>,
    /// What responses give: a field named like one of them is filled with it.
    pub captures: &'d BTreeSet<String>,
    steps: u32,
    extras: usize,
    /// The schemas around the one at hand.
    around: Vec<SchemaAddress>,
    /// The names that lead to the field at hand.
    path: Vec<String>,
    /// Of the item at hand in its list: items that must differ do.
    item: usize,
    /// Every field of the next object is made, not only those that are required.
    is_full: bool,
}

impl<'a, 'd> SchemaSampler<'a, 'd> {
    pub fn new(
        document: &'a Document,
        depths: &'d mut Depths<'a>,
        given: Vec<&'a GivenValue>,
        captures: &'d BTreeSet<String>,
    ) -> Self {
        let (around, path) = (Vec::new(), Vec::new());
        SchemaSampler {
            document,
            depths,
            given,
            captures,
            steps: STEPS,
            extras: EXTRAS,
            around,
            path,
            item: 0,
            is_full: false,
        }
    }

    /// A value of a parameter or a whole body, `shown` by the document or not.
    pub fn make(&mut self, name: &str, schema: &'a Value, shown: Option<&'a Value>) -> Result<Made, CannotBeMade> {
        self.around.clear();
        self.path = if name.is_empty() { Vec::new() } else { vec![name.to_owned()] };
        let (extras, steps) = (self.extras, self.steps);
        let made = self.all(&[schema], shown)?;
        // Fields that need not be there may not be allowed beside each other.
        if self.extras < extras && !Accepts::new(self.document).all(&[schema], &made.value()) {
            (self.extras, self.steps) = (0, steps);
            let bare = self.all(&[schema], shown);
            self.extras = extras;
            return bare.or(Ok(made));
        }
        Ok(made)
    }

    fn fail<T>(&self) -> Result<T, CannotBeMade> {
        Err(CannotBeMade(if self.path.is_empty() { "body".to_owned() } else { self.path.join(".") }))
    }

    fn name(&self) -> &str {
        let names = self.path.iter().rev();
        names.map(String::as_str).find(|name| !name.bytes().all(|byte| byte.is_ascii_digit())).unwrap_or_default()
    }

    /// A value for which all of these hold.
    fn all(&mut self, schemas: &[&'a Value], shown: Option<&'a Value>) -> Result<Made, CannotBeMade> {
        if self.steps == 0 || self.around.len() > DEPTH {
            return self.fail();
        }
        self.steps -= 1;
        if let Some(given) = self.given() {
            return Ok(self.as_given(&given, schemas));
        }
        let mut view = View::of(self.document, schemas);
        let is_again = schemas.iter().any(|schema| self.around.contains(&address(schema)));
        let shown = shown.filter(|shown| !shown.is_null()).or_else(|| view.shown());
        if view.never {
            return self.fail();
        }
        let is_endless = self.depths.of_all(schemas) == ENDLESS;
        if is_again || is_endless {
            // What is inside would not end. What the document shows does.
            if let Some(shown) = shown.filter(|shown| Accepts::new(self.document).all(schemas, shown)) {
                return Ok(Made::of(shown));
            }
            if view.is_nullable() {
                return Ok(Made::Plain("null".to_owned()));
            }
            if is_endless {
                return self.fail();
            }
        }
        self.around.extend(schemas.iter().map(|schema| address(schema)));
        let made = self.choose(&mut view, schemas, shown);
        self.around.truncate(self.around.len() - schemas.len());
        made
    }

    /// A value without any choice.
    fn plain(
        &mut self,
        view: &View<'a>,
        schemas: &[&'a Value],
        shown: Option<&'a Value>,
    ) -> Result<Made, CannotBeMade> {
        if let Some(constant) = view.constant() {
            return Ok(Made::of(constant));
        }
        if let Some(list) = view.enumeration() {
            let mut fitting = list.iter().filter(|value| !value.is_null() && is_listed_everywhere(view, value));
            let first = shown.filter(|shown| list.contains(shown) && self.item == 0);
            let value = first.or_else(|| fitting.nth(self.item)).or_else(|| list.iter().find(|value| !value.is_null()));
            return Ok(value.or(list.first()).map_or(Made::Plain("null".to_owned()), Made::of));
        }
        if view.types().is_some_and(|types| types.is_empty()) {
            return self.fail();
        }
        match kind(view, shown) {
            SchemaType::Null => Ok(Made::Plain("null".to_owned())),
            SchemaType::Boolean => {
                Ok(Made::Plain(shown.filter(|v| v.is_boolean()).map_or("false".to_owned(), Value::to_string)))
            }
            whole @ (SchemaType::Integer | SchemaType::Number) => {
                let number = number::number(view, whole == SchemaType::Integer, shown, self.item);
                number.map(Made::Plain).map_or_else(|| self.fail(), Ok)
            }
            SchemaType::String if self.captured().is_some() => {
                let text = self.captured().unwrap_or_default();
                Ok(Made::Text(MadeText { text, carries: None }))
            }
            SchemaType::String => match text::text(view, self.name(), shown) {
                Some(text) => Ok(Made::Text(text)),
                None => self.fail(),
            },
            SchemaType::Array => self.list(view, shown),
            SchemaType::Object => {
                let made = self.object(view, shown);
                // An example that is whole may help where what is made up cannot be.
                made.or_else(|cannot| match shown {
                    Some(shown) if Accepts::new(self.document).all(schemas, shown) => Ok(Made::of(shown)),
                    _ => Err(cannot),
                })
            }
        }
    }

    fn object(&mut self, view: &View<'a>, shown: Option<&'a Value>) -> Result<Made, CannotBeMade> {
        let mut required = view.required();
        let mut names: Vec<&'a str> = view.property_names();
        // A body with one object in it is that object: `{"data": …}`.
        if let ([only], true) = (names.as_slice(), required.is_empty() && self.path.is_empty())
            && self.depths.of_all(&view.property(only)) != ENDLESS
            && !View::of(self.document, &view.property(only)).property_names().is_empty()
        {
            required.push(only);
        }
        let known = names.len();
        names.extend(required.iter().filter(|name| view.property(name).is_empty()));
        let item = std::mem::take(&mut self.item);
        let is_full = std::mem::take(&mut self.is_full);
        let mut fields: Vec<(String, Made)> = Vec::new();
        let least = view.least_count("minProperties");
        let most = view.most_count("maxProperties").unwrap_or(usize::MAX);
        for (index, name) in names.iter().copied().enumerate() {
            let of_field = view.property(name);
            if of_field.iter().any(|field| self.document.is_read_only(field)) {
                continue;
            }
            let shown = shown.and_then(|shown| shown.get(name));
            self.path.push(name.to_owned());
            let made = if required.contains(&name) {
                let further = view.inner("additionalProperties");
                let of_field = if index < known { of_field } else { further };
                self.all(&of_field, shown).map(Some)
            } else if is_full && self.depths.of_all(&of_field) != ENDLESS {
                Ok(self.all(&of_field, shown).ok())
            } else if fields.len() < most {
                Ok(self.extra(&of_field, shown))
            } else {
                Ok(None)
            };
            self.path.pop();
            if let Some(made) = made? {
                fields.push((name.to_owned(), made));
            }
        }
        self.fill_up(view, &mut fields, least)?;
        self.item = item;
        Ok(Made::Object(fields))
    }

    /// A field that need not be there: if it can hold a canary, or is given.
    fn extra(&mut self, of_field: &[&'a Value], shown: Option<&'a Value>) -> Option<Made> {
        if let Some(given) = self.given() {
            return Some(self.as_given(&given, of_field));
        }
        if self.extras == 0 || of_field.is_empty() {
            return None;
        }
        let view = View::of(self.document, of_field).but_for_null(self.document);
        let is_free =
            !view.never && view.choices.is_empty() && view.enumeration().is_none() && view.constant().is_none();
        let is_text = view.types().is_some_and(|types| types.contains(&SchemaType::String));
        let shown = shown.or_else(|| view.shown());
        // An id that need not be there is better left out than made up.
        if !is_free || !is_text || names::is_id(self.name()) || !text::carries(&view, self.name(), shown) {
            return None;
        }
        self.extras -= 1;
        let mut made = text::text(&view, self.name(), shown)?;
        if let Some(carries) = &mut made.carries {
            carries.instead = None;
        }
        Some(Made::Text(made))
    }

    /// More fields, where there must be more than are required.
    fn fill_up(&mut self, view: &View<'a>, fields: &mut Vec<(String, Made)>, least: usize) -> Result<(), CannotBeMade> {
        let lasting = |fields: &[(String, Made)]| fields.iter().filter(|(_, made)| made.without().is_some()).count();
        for name in view.property_names() {
            if lasting(fields) >= least {
                return Ok(());
            }
            let of_field = view.property(name);
            let is_there = fields.iter().any(|(known, made)| known == name && made.without().is_some());
            if is_there
                || of_field.iter().any(|field| self.document.is_read_only(field))
                || self.depths.of_all(&of_field) == ENDLESS
            {
                continue;
            }
            self.path.push(name.to_owned());
            let made = self.all(&of_field, None);
            self.path.pop();
            if let Ok(made) = made {
                fields.retain(|(known, _)| known != name);
                fields.push((name.to_owned(), made));
            }
        }
        let further = view.inner("additionalProperties");
        for number in 0..least.min(ITEMS) {
            if lasting(fields) >= least {
                break;
            }
            let name = format!("key{number}");
            self.path.push(name.clone());
            let made = self.all(&further, None);
            self.path.pop();
            fields.push((name, made?));
        }
        Ok(())
    }

    fn list(&mut self, view: &View<'a>, shown: Option<&'a Value>) -> Result<Made, CannotBeMade> {
        let (least, most) = (view.least_count("minItems"), view.most_count("maxItems").unwrap_or(usize::MAX));
        let of_item = view.inner("items");
        let tuple: Vec<&'a Value> =
            view.parts.iter().filter_map(|part| part.get("prefixItems")?.as_array()).flatten().collect();
        let is_shallow = self.depths.of_all(&of_item) <= 2;
        let is_again = of_item.iter().any(|item| self.around.contains(&address(item)));
        // One item tells more than none.
        let wanted = if is_shallow && !is_again || !tuple.is_empty() { 1.max(tuple.len()) } else { 0 };
        let count = wanted.max(least).min(most);
        if count > ITEMS {
            return self.fail();
        }
        let must_differ = view.is("uniqueItems");
        let before = self.item;
        let mut items = Vec::new();
        for index in 0..count {
            let shown = shown.and_then(|shown| shown.get(index)).filter(|_| index == 0 || !must_differ);
            self.item = if must_differ { index } else { 0 };
            self.path.push(index.to_string());
            let made = match tuple.get(index) {
                Some(schema) => self.all(&[*schema], shown),
                None => self.all(&of_item, shown),
            };
            self.path.pop();
            self.item = before;
            match made {
                Ok(Made::Text(text)) if must_differ && items.contains(&Made::Text(text.clone())) => {
                    let text = text.carries.and_then(|carries| carries.instead).unwrap_or(text.text).text();
                    items.push(Made::Text(MadeText::plain(format!("{text}{index}"))));
                }
                Ok(made) => items.push(made),
                Err(_) if index >= least => break,
                Err(cannot) => return Err(cannot),
            }
        }
        Ok(Made::List(items))
    }

    /// The id that a response gave, for a field that asks for it: `{capture.item_id}` for `itemId` and `item_ids`.
    fn captured(&self) -> Option<Template> {
        let words = names::words(self.name());
        let (last, before) = words.split_last().filter(|(_, before)| !before.is_empty())?;
        let name = format!("{}_{}", before.join("_"), names::singular(last));
        (names::is_id(self.name()) && self.captures.contains(&name)).then(|| variables::capture(&name))
    }

    /// What `[dirty.values]` says of the field at hand.
    fn given(&self) -> Option<Template> {
        let path = self.path.join(".");
        let given = self.given.iter().filter(|given| given.name == path || self.path.last() == Some(&given.name));
        given.max_by_key(|given| (given.operation.is_some(), given.name.len())).map(|given| given.value.clone())
    }

    /// A given value, as a number where the schema asks for one.
    fn as_given(&self, given: &Template, schemas: &[&'a Value]) -> Made {
        let text = given.text();
        let is_text = View::of(self.document, schemas).types().is_some_and(|types| types.contains(&SchemaType::String));
        let plain =
            serde_json::from_str::<Value>(&text).ok().filter(|value| !value.is_string() && !given.varies() && !is_text);
        let holds_canary = given.holes().any(crate::scenario::template::Placeholder::is_canary);
        match plain {
            Some(value) => Made::of(&value),
            None if holds_canary => Made::Text(MadeText::canary(given.clone(), Some(Template::literal("canary")))),
            None => Made::Text(MadeText { text: given.clone(), carries: None }),
        }
    }
}

/// Whether every part with an enumeration has a value in it.
fn is_listed_everywhere(view: &View<'_>, value: &Value) -> bool {
    let mut lists = view.parts.iter().filter_map(|part| part.get("enum")?.as_array());
    lists.all(|list| list.contains(value))
}

/// Which type a value is made of.
fn kind(view: &View<'_>, shown: Option<&Value>) -> SchemaType {
    if let Some(types) = view.types() {
        let of_shown = shown.and_then(|shown| types.iter().copied().find(|kind| super::accepts::is_of(shown, *kind)));
        let first = types.iter().copied().find(|kind| *kind != SchemaType::Null);
        return of_shown.or(first).or(types.first().copied()).unwrap_or(SchemaType::String);
    }
    let has = |keywords: &[&str]| keywords.iter().any(|keyword| view.get(keyword).is_some());
    if has(&["properties", "required", "additionalProperties", "minProperties"]) {
        return SchemaType::Object;
    }
    if has(&["items", "prefixItems", "minItems"]) {
        return SchemaType::Array;
    }
    if has(&["minimum", "maximum", "multipleOf"]) {
        return SchemaType::Number;
    }
    match shown {
        Some(Value::Object(_)) => SchemaType::Object,
        Some(Value::Array(_)) => SchemaType::Array,
        Some(Value::Number(_)) => SchemaType::Number,
        Some(Value::Bool(_)) => SchemaType::Boolean,
        _ => SchemaType::String,
    }
}

/// What the document shows for a parameter: beside its schema, too.
pub(super) fn shown_beside(holder: &Value) -> Option<&Value> {
    let first = holder.get("examples").and_then(Value::as_object).and_then(|all| all.values().next());
    holder.get("example").or_else(|| first?.get("value")).or_else(|| holder.get("x-example")).filter(|v| !v.is_null())
}
