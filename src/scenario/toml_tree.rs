//! The tree of a TOML file with the place of every key and value: looked up, overridden, and cut where it is wrong.

use std::borrow::Cow;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::source::Span;

pub(super) mod parts;

/// One step of a key path, and where it is written.
pub(super) type Segment = (String, Span);

/// One step from a value to one inside it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum PathStep {
    Key(String),
    Index(usize),
}

/// Parses a key path, dotted or quoted (`load.sleep`, `load.headers."x-a"`), whose first byte has the place `start`.
pub(super) fn parse_path(text: &str, start: usize) -> Option<Vec<Segment>> {
    // A line's end or an equals sign would make it more than a key.
    if text.contains(['\n', '\r', '=', '#']) || text.trim_start().starts_with('[') {
        return None;
    }
    let line = format!("{text} = 0");
    let mut table = DeTable::parse(&line).ok()?.into_inner();
    let mut path = Vec::new();
    loop {
        let (key, value) = table.into_iter().next()?;
        path.push((key.get_ref().to_string(), key.span().start + start..key.span().end + start));
        match value.into_inner() {
            DeValue::Table(inner) => table = inner,
            _ => return Some(path),
        }
    }
}

/// `a.b` for a path's segments.
pub(super) fn dotted(path: &[Segment]) -> String {
    path.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(".")
}

/// The entry at a path of keys.
pub(super) fn get<'t, 'i>(table: &'t DeTable<'i>, path: &[&str]) -> Option<&'t Spanned<DeValue<'i>>> {
    let (first, rest) = path.split_first()?;
    let value = table.get(*first)?;
    if rest.is_empty() { Some(value) } else { get(value.get_ref().as_table()?, rest) }
}

/// Puts a value at a path, with tables on the way to it where there are none; what was there before is gone.
///
/// Fails with how many segments lead to something that is no table.
pub(super) fn set<'i>(table: &mut DeTable<'i>, path: &[Segment], value: Spanned<DeValue<'i>>) -> Result<(), usize> {
    let Some(((name, span), rest)) = path.split_first() else { return Ok(()) };
    if rest.is_empty() {
        // Taken out first: an entry that is merely replaced keeps the key, and the place, that it had.
        table.remove(name.as_str());
        table.insert(Spanned::new(span.clone(), Cow::Owned(name.clone())), value);
        return Ok(());
    }
    if !table.contains_key(name.as_str()) {
        let empty = Spanned::new(span.clone(), DeValue::Table(DeTable::new()));
        table.insert(Spanned::new(span.clone(), Cow::Owned(name.clone())), empty);
    }
    match table.get_mut(name.as_str()).map(Spanned::get_mut) {
        Some(DeValue::Table(inner)) => set(inner, rest, value).map_err(|depth| depth + 1),
        _ => Err(1),
    }
}

/// The path to the smallest entry whose key or value covers a span.
pub(super) fn smallest(table: &DeTable<'_>, span: &Span) -> Option<Vec<PathStep>> {
    let mut best = None;
    search_table(table, span, &mut Vec::new(), &mut best);
    best.map(|(_, path)| path)
}

type Best = Option<(usize, Vec<PathStep>)>;

fn search_table(table: &DeTable<'_>, span: &Span, path: &mut Vec<PathStep>, best: &mut Best) {
    for (key, value) in table {
        path.push(PathStep::Key(key.get_ref().to_string()));
        consider(&key.span(), span, path, best);
        search_value(value, span, path, best);
        path.pop();
    }
}

fn search_value(value: &Spanned<DeValue<'_>>, span: &Span, path: &mut Vec<PathStep>, best: &mut Best) {
    consider(&value.span(), span, path, best);
    match value.get_ref() {
        DeValue::Table(inner) => search_table(inner, span, path, best),
        DeValue::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(PathStep::Index(index));
                search_value(item, span, path, best);
                path.pop();
            }
        }
        _ => {}
    }
}

fn consider(covering: &Span, span: &Span, path: &[PathStep], best: &mut Best) {
    let covers = covering.start <= span.start && span.end <= covering.end;
    if covers && best.as_ref().is_none_or(|(size, _)| covering.len() <= *size) {
        *best = Some((covering.len(), path.to_vec()));
    }
}

/// The value at a path.
pub(super) fn entry<'t, 'i>(table: &'t DeTable<'i>, path: &[PathStep]) -> Option<&'t DeValue<'i>> {
    let (PathStep::Key(name), rest) = path.split_first()? else { return None };
    let start = table.get(name.as_str())?.get_ref();
    rest.iter().try_fold(start, |value, step| match step {
        PathStep::Key(name) => value.get(name.as_str()).map(Spanned::get_ref),
        PathStep::Index(index) => value.get(*index).map(Spanned::get_ref),
    })
}

/// Takes out the entry at a path; whether there was one.
pub(super) fn cut(table: &mut DeTable<'_>, path: &[PathStep]) -> bool {
    match path.split_first() {
        Some((PathStep::Key(name), [])) => table.remove(name.as_str()).is_some(),
        Some((PathStep::Key(name), rest)) => table.get_mut(name.as_str()).is_some_and(|value| cut_value(value, rest)),
        _ => false,
    }
}

fn cut_value(value: &mut Spanned<DeValue<'_>>, path: &[PathStep]) -> bool {
    match (value.get_mut(), path) {
        (DeValue::Table(table), _) => cut(table, path),
        (DeValue::Array(items), [PathStep::Index(gone)]) => {
            let before = items.len();
            retain(items, |index, _| index != *gone);
            items.len() < before
        }
        (DeValue::Array(items), [PathStep::Index(index), rest @ ..]) => {
            items.get_mut(*index).is_some_and(|item| cut_value(item, rest))
        }
        _ => false,
    }
}

/// Keeps the items for which `keep` says so.
pub(super) fn retain<'i>(items: &mut DeArray<'i>, mut keep: impl FnMut(usize, &DeValue<'i>) -> bool) {
    let all = std::mem::replace(items, DeArray::new());
    for (index, item) in all.into_iter().enumerate() {
        if keep(index, item.get_ref()) {
            items.push(item);
        }
    }
}

/// Calls `visit` with every string and the path of keys to it.
pub(super) fn each_string<'i>(table: &mut DeTable<'i>, visit: Visit<'_, 'i>) {
    strings_of_table(table, &mut Vec::new(), visit);
}

type Visit<'v, 'i> = &'v mut dyn FnMut(&[String], &Span, &mut Cow<'i, str>);

fn strings_of_table<'i>(table: &mut DeTable<'i>, path: &mut Vec<String>, visit: Visit<'_, 'i>) {
    for (key, value) in table.iter_mut() {
        path.push(key.get_ref().to_string());
        strings_of_value(value, path, visit);
        path.pop();
    }
}

fn strings_of_value<'i>(value: &mut Spanned<DeValue<'i>>, path: &mut Vec<String>, visit: Visit<'_, 'i>) {
    let span = value.span();
    match value.get_mut() {
        DeValue::String(text) => visit(path, &span, text),
        DeValue::Table(table) => strings_of_table(table, path, visit),
        DeValue::Array(items) => items.iter_mut().for_each(|item| strings_of_value(item, path, visit)),
        _ => {}
    }
}

/// Calls `visit` with every number and the path of keys to it.
pub(super) fn each_number<'i>(table: &mut DeTable<'i>, visit: &mut dyn FnMut(&[String], &mut DeValue<'i>)) {
    numbers_of_table(table, &mut Vec::new(), visit);
}

type VisitNumber<'v, 'i> = &'v mut dyn FnMut(&[String], &mut DeValue<'i>);

fn numbers_of_table<'i>(table: &mut DeTable<'i>, path: &mut Vec<String>, visit: VisitNumber<'_, 'i>) {
    for (key, value) in table.iter_mut() {
        path.push(key.get_ref().to_string());
        numbers_of_value(value.get_mut(), path, visit);
        path.pop();
    }
}

fn numbers_of_value<'i>(value: &mut DeValue<'i>, path: &mut Vec<String>, visit: VisitNumber<'_, 'i>) {
    match value {
        DeValue::Integer(_) | DeValue::Float(_) => visit(path, value),
        DeValue::Table(table) => numbers_of_table(table, path, visit),
        DeValue::Array(items) => items.iter_mut().for_each(|item| numbers_of_value(item.get_mut(), path, visit)),
        _ => {}
    }
}

/// The tables of what is sent, or given to a server: their values are texts, or may be.
const SENT: [&str; 7] = ["json", "form", "query", "headers", "cookies", "identities", "env"];

/// Makes texts of the dates and times that are sent: neither JSON nor a header has any other way to write them.
pub(super) fn write_dates(table: &mut DeTable<'_>) {
    for (key, value) in table.iter_mut() {
        dates_of_value(value, SENT.contains(&key.get_ref().as_ref()));
    }
}

fn dates_of_value(value: &mut Spanned<DeValue<'_>>, sent: bool) {
    match value.get_mut() {
        date @ DeValue::Datetime(_) if sent => {
            if let DeValue::Datetime(written) = &*date {
                *date = DeValue::String(Cow::Owned(written.to_string()));
            }
        }
        DeValue::Table(table) if sent => table.iter_mut().for_each(|(_, value)| dates_of_value(value, true)),
        DeValue::Table(table) => write_dates(table),
        DeValue::Array(items) => items.iter_mut().for_each(|item| dates_of_value(item, sent)),
        _ => {}
    }
}

/// A value as JSON; dates as text, and numbers that JSON lacks as null.
pub(super) fn to_json(value: &Spanned<DeValue<'_>>) -> serde_json::Value {
    match value.get_ref() {
        DeValue::Datetime(date) => serde_json::Value::String(date.to_string()),
        DeValue::Array(items) => items.iter().map(to_json).collect(),
        DeValue::Table(table) => table.iter().map(|(key, value)| (key.get_ref().to_string(), to_json(value))).collect(),
        _ => serde_json::Value::deserialize(toml::de::ValueDeserializer::from(value.clone())).unwrap_or_default(),
    }
}

/// The tree as TOML text.
pub(super) fn to_text(table: &DeTable<'_>) -> String {
    let root = Spanned::new(0..0, DeValue::Table(table.clone()));
    let value = toml::Table::deserialize(toml::de::ValueDeserializer::from(root)).unwrap_or_default();
    toml::to_string(&value).unwrap_or_default()
}

/// The value at a path of keys as TOML, on one line.
pub(super) fn value_text(table: &DeTable<'_>, path: &[Segment]) -> Option<String> {
    let path: Vec<&str> = path.iter().map(|(name, _)| name.as_str()).collect();
    let value = get(table, &path)?.clone();
    Some(toml::Value::deserialize(toml::de::ValueDeserializer::from(value)).ok()?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(path: &[PathStep]) -> String {
        path.iter()
            .map(|step| match step {
                PathStep::Key(key) => key.clone(),
                PathStep::Index(index) => index.to_string(),
            })
            .collect::<Vec<_>>()
            .join(".")
    }

    #[test]
    fn the_smallest_entry_around_a_place_is_found_and_cut() {
        let text = "[load]\nheaders = { a = 'x' }\n[servers.one]\nlist = [1, [2, 3]]\nx.y = 5";
        let mut table = DeTable::parse(text).unwrap().into_inner();
        for (found, expected) in [
            ("'x'", "load.headers.a"),
            ("headers", "load.headers"),
            ("{ a", "load.headers"),
            ("3", "servers.one.list.1.1"),
            ("[2", "servers.one.list.1"),
            ("5", "servers.one.x.y"),
            ("[load]", "load"),
        ] {
            let at = text.find(found).unwrap();
            let path = smallest(&table, &(at..at + found.len())).unwrap();
            assert_eq!(keys(&path), expected, "{found}");
        }
        let at = text.find("[2").unwrap();
        let path = smallest(&table, &(at..at + 6)).unwrap();
        assert!(cut(&mut table, &path) && !cut(&mut table, &path));
        assert_eq!(get(&table, &["servers", "one", "list"]).unwrap().get_ref().as_array().unwrap().len(), 1);
    }

    #[test]
    fn a_path_may_be_dotted_or_quoted_and_keeps_its_places() {
        let path = parse_path("load.headers.\"x.a\"", 10).unwrap();
        assert_eq!(path[0], ("load".to_owned(), 10..14));
        assert_eq!(path[2], ("x.a".to_owned(), 23..28));
        for text in ["", "a..b", "a = 1\nb", "[a]", ".a", "a b"] {
            assert!(parse_path(text, 0).is_none(), "{text}");
        }
    }

    #[test]
    fn a_value_is_put_where_its_path_leads() {
        let mut table = DeTable::parse("a = 1").unwrap().into_inner();
        let value = || Spanned::new(0..0, DeValue::Boolean(true));
        assert_eq!(set(&mut table, &parse_path("b.c", 0).unwrap(), value()), Ok(()));
        assert_eq!(set(&mut table, &parse_path("b.a.d.e", 0).unwrap(), value()), Ok(()));
        assert_eq!(set(&mut table, &parse_path("a.b", 0).unwrap(), value()), Err(1));
        assert_eq!(to_text(&table), "a = 1\n\n[b]\nc = true\n\n[b.a.d]\ne = true\n");
    }
}
