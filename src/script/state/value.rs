//! Values that outlive a call.

use rhai::{Array, Blob, Dynamic, EvalAltResult, FnPtr, Map};

/// How deep they may nest: they are cloned and dropped on stacks of any size.
const NESTING: usize = 64;

type Outcome<T> = Result<T, Box<EvalAltResult>>;

/// Cuts a value's ties to the variables of the call that made it: what a closure captured is behind a lock that the
/// call may hold while it is suspended.
pub(in crate::script) fn detach(value: &mut Dynamic) -> Outcome<()> {
    detach_level(value, NESTING)
}

fn detach_level(value: &mut Dynamic, levels: usize) -> Outcome<()> {
    if levels == 0 {
        return Err(format!("values that outlive a call may nest at most {NESTING} levels deep").into());
    }
    if value.is_shared() {
        *value = std::mem::take(value).flatten();
    }
    if let Some(mut items) = value.write_lock::<Array>() {
        return items.iter_mut().try_for_each(|item| detach_level(item, levels - 1));
    }
    if let Some(mut items) = value.write_lock::<Map>() {
        return items.values_mut().try_for_each(|item| detach_level(item, levels - 1));
    }
    if value.read_lock::<FnPtr>().is_some_and(|closure| closure.is_curried()) {
        return Err("a closure that uses variables around it cannot be kept; keep the values instead".into());
    }
    Ok(())
}

/// Whether methods change such a value where it is, as `push` does.
pub(in crate::script) fn changes_in_place(value: &Dynamic) -> bool {
    value.is_array() || value.is_map() || value.is_blob()
}

/// Whether two detached values are equal; `false` if in doubt.
pub(in crate::script) fn same(one: &Dynamic, other: &Dynamic) -> bool {
    if let (Some(one), Some(other)) = (one.read_lock::<Array>(), other.read_lock::<Array>()) {
        return one.len() == other.len() && one.iter().zip(other.iter()).all(|(one, other)| same(one, other));
    }
    if let (Some(one), Some(other)) = (one.read_lock::<Map>(), other.read_lock::<Map>()) {
        let pairs = || one.iter().zip(other.iter());
        return one.len() == other.len() && pairs().all(|(one, other)| one.0 == other.0 && same(one.1, other.1));
    }
    if let (Some(one), Some(other)) = (one.read_lock::<Blob>(), other.read_lock::<Blob>()) {
        return *one == *other;
    }
    if let (Ok(one), Ok(other)) = (one.as_immutable_string_ref(), other.as_immutable_string_ref()) {
        return *one == *other;
    }
    let equal = |one: Option<u64>, other: Option<u64>| one.is_some() && one == other;
    one.is_unit() && other.is_unit()
        || equal(one.as_int().ok().map(|n| n as u64), other.as_int().ok().map(|n| n as u64))
        || equal(one.as_float().ok().map(f64::to_bits), other.as_float().ok().map(f64::to_bits))
        || equal(one.as_bool().ok().map(u64::from), other.as_bool().ok().map(u64::from))
        || equal(one.as_char().ok().map(u64::from), other.as_char().ok().map(u64::from))
}
