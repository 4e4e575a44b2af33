//! Parts of a tree looked at one by one, so that what is wrong in one does not have all the others read anew.

use std::borrow::Cow;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::PathStep;

/// Has each part of a list or table looked at by itself, in a tree that holds nothing else but the way to it, and takes over
/// what becomes of it there.
pub(in crate::scenario) fn each_alone<'i>(
    root: &mut DeTable<'i>,
    container: &[PathStep],
    mut look: impl FnMut(&mut DeTable<'i>),
) {
    let Some(place) = entry_mut(root, container) else { return };
    let parts: Vec<Part<'i>> = match place {
        Place::Table(table) => std::mem::take(table).into_iter().map(|(key, value)| Part::Entry(key, value)).collect(),
        Place::List(items) => std::mem::replace(items, DeArray::new()).into_iter().map(Part::Item).collect(),
    };
    // Only the way is left of the tree for a while.
    let whole = std::mem::take(root);
    let mut kept = Vec::new();
    for part in parts {
        let mut alone = way(&whole, container);
        if let Some(mut place) = entry_mut(&mut alone, &first_items(container)) {
            place.put(part);
            look(&mut alone);
        }
        match entry_mut(&mut alone, &first_items(container)) {
            Some(Place::Table(table)) => {
                kept.extend(std::mem::take(table).into_iter().map(|(key, value)| Part::Entry(key, value)));
            }
            Some(Place::List(items)) => {
                kept.extend(std::mem::replace(items, DeArray::new()).into_iter().map(Part::Item))
            }
            None => {}
        }
    }
    *root = whole;
    if let Some(mut place) = entry_mut(root, container) {
        kept.into_iter().for_each(|part| place.put(part));
    }
}

/// What a list or table consists of.
enum Part<'i> {
    Entry(Spanned<Cow<'i, str>>, Spanned<DeValue<'i>>),
    Item(Spanned<DeValue<'i>>),
}

/// A list or table in a tree.
enum Place<'t, 'i> {
    Table(&'t mut DeTable<'i>),
    List(&'t mut DeArray<'i>),
}

impl<'i> Place<'_, 'i> {
    fn put(&mut self, part: Part<'i>) {
        match (self, part) {
            (Place::Table(table), Part::Entry(key, value)) => drop(table.insert(key, value)),
            (Place::List(items), Part::Item(value)) => items.push(value),
            _ => {}
        }
    }
}

fn entry_mut<'t, 'i>(root: &'t mut DeTable<'i>, path: &[PathStep]) -> Option<Place<'t, 'i>> {
    let mut place = Place::Table(root);
    for step in path {
        let value = match (place, step) {
            (Place::Table(table), PathStep::Key(key)) => table.get_mut(key.as_str()),
            (Place::List(items), PathStep::Index(index)) => items.get_mut(*index),
            _ => None,
        };
        place = match value?.get_mut() {
            DeValue::Table(table) => Place::Table(table),
            DeValue::Array(items) => Place::List(items),
            _ => return None,
        };
    }
    Some(place)
}

/// The same path in a tree whose lists hold one item each.
fn first_items(path: &[PathStep]) -> Vec<PathStep> {
    let first = |step: &PathStep| if let PathStep::Index(_) = step { PathStep::Index(0) } else { step.clone() };
    path.iter().map(first).collect()
}

/// A tree that holds nothing but the way to an empty list or table.
fn way<'i>(whole: &DeTable<'i>, path: &[PathStep]) -> DeTable<'i> {
    let mut tree = DeTable::new();
    if let Some((PathStep::Key(name), rest)) = path.split_first()
        && let Some((key, value)) = whole.get_key_value(name.as_str())
    {
        tree.insert(key.clone(), Spanned::new(value.span(), way_in(value.get_ref(), rest)));
    }
    tree
}

fn way_in<'i>(value: &DeValue<'i>, path: &[PathStep]) -> DeValue<'i> {
    match (value, path.split_first()) {
        (DeValue::Table(table), _) => DeValue::Table(way(table, path)),
        (DeValue::Array(items), Some((PathStep::Index(index), rest))) => {
            let item = items.get(*index).map(|item| Spanned::new(item.span(), way_in(item.get_ref(), rest)));
            DeValue::Array(item.into_iter().collect())
        }
        (DeValue::Array(_), _) => DeValue::Array(DeArray::new()),
        (other, _) => other.clone(),
    }
}
