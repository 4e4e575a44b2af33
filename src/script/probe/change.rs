//! Which part of a value was changed.

use rhai::{Array, Dynamic, Map};

use super::super::state::value::same;
use super::sites::ValueStep;

/// A part of a value that was changed.
pub(super) struct Changed {
    /// The way to it.
    pub steps: Vec<ValueStep>,
    /// `()` if it was added.
    pub old: Dynamic,
    pub new: Dynamic,
}

/// The one part that differs; all of the value where more than one does.
pub(super) fn part(old: &Dynamic, new: &Dynamic) -> Changed {
    let mut steps = Vec::new();
    let (old, new) = descend(old, new, &mut steps);
    Changed { steps, old, new }
}

fn descend(old: &Dynamic, new: &Dynamic, steps: &mut Vec<ValueStep>) -> (Dynamic, Dynamic) {
    let step = match (old.read_lock::<Array>(), new.read_lock::<Array>()) {
        (Some(old), Some(new)) => {
            of_array(&old, &new).map(|at| (ValueStep::Index(at), old.get(at).cloned(), new[at].clone()))
        }
        _ => match (old.read_lock::<Map>(), new.read_lock::<Map>()) {
            (Some(old), Some(new)) => of_map(&old, &new),
            _ => None,
        },
    };
    let Some((step, inner, new)) = step else { return (old.clone(), new.clone()) };
    steps.push(step);
    match inner {
        Some(inner) => descend(&inner, &new, steps),
        None => (Dynamic::UNIT, new),
    }
}

/// The one item that differs, or the one behind all others.
fn of_array(old: &Array, new: &Array) -> Option<usize> {
    if new.len() != old.len() && new.len() != old.len() + 1 {
        return None;
    }
    let mut differing = (0..new.len()).filter(|&at| !old.get(at).is_some_and(|old| same(old, &new[at])));
    let first = differing.next()?;
    differing.next().is_none().then_some(first)
}

fn of_map(old: &Map, new: &Map) -> Option<(ValueStep, Option<Dynamic>, Dynamic)> {
    if old.keys().any(|name| !new.contains_key(name)) {
        return None;
    }
    let mut differing = new.iter().filter(|(name, new)| !old.get(*name).is_some_and(|old| same(old, new)));
    let (name, value) = differing.next()?;
    let only = differing.next().is_none();
    only.then(|| (ValueStep::Name(name.as_str().into()), old.get(name).cloned(), value.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(items: &[i64]) -> Dynamic {
        Dynamic::from_array(items.iter().map(|&item| item.into()).collect())
    }

    fn map(name: &str, value: Dynamic) -> Dynamic {
        Dynamic::from_map(Map::from_iter([("same".into(), 1_i64.into()), (name.into(), value)]))
    }

    fn shown(old: &Dynamic, new: &Dynamic) -> String {
        let Changed { steps, old, new } = part(old, new);
        format!("{}{old} -> {new}", steps.iter().map(|step| format!("{step} ")).collect::<String>())
    }

    #[test]
    fn the_part_that_was_changed_is_named() {
        assert_eq!(shown(&array(&[1, 2]), &array(&[1, 2, 3])), "[2]  -> 3");
        assert_eq!(shown(&array(&[1, 2]), &array(&[1, 5])), "[1] 2 -> 5");
        assert_eq!(shown(&array(&[1, 2]), &array(&[2, 3])), "[1, 2] -> [2, 3]");
        assert_eq!(shown(&map("a", array(&[1])), &map("a", array(&[7]))), ".a [0] 1 -> 7");
        assert_eq!(shown(&array(&[]), &array(&[4])), "[0]  -> 4");
        assert_eq!(
            shown(&Dynamic::from_map(Map::new()), &Dynamic::from_map(Map::from_iter([("b".into(), 2_i64.into())]))),
            ".b  -> 2"
        );
        assert_eq!(shown(&"a".into(), &"b".into()), "a -> b");
    }
}
