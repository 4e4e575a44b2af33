//! Functions of rhai whose result may be far larger than what they are given, or that may never end, so that one call of
//! them could take the memory of the machine, or its thread: here they stop where a value may not grow any more, and rhai
//! then ends the call. Every other function that loops goes once over what it is given, whose size is limited.

use std::fmt::{self, Write};

use rhai::{Array, Blob, Dynamic, Engine, EvalAltResult, FuncRegistration, INT, ImmutableString, Map, Position};

use super::{Limits, json};

pub(super) fn register(engine: &mut Engine, limits: Limits) {
    let most = limits.string_bytes;
    // rhai goes on without a function that fails here, and prints all: so a text is cut where it is too long already.
    for name in ["print", "to_string", "debug", "to_debug"] {
        pure(name).register_into_engine(engine, move |array: &mut Array| shown(most, |text| write_array(text, array)));
        pure(name).register_into_engine(engine, move |map: &mut Map| shown(most, |text| write_map(text, map)));
    }
    pure("to_json").register_into_engine(engine, |map: &mut Map| -> Result<String, Box<EvalAltResult>> {
        let text = json::write(&Dynamic::from_map(map.clone()))?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    });
    type Text = ImmutableString;
    engine
        .register_fn("replace", move |text: &mut Text, old: &str, new: &str| replace(text, old, new, most))
        .register_fn("replace", move |text: &mut Text, old: &str, new: char| {
            replace(text, old, one(&mut [0; 4], new), most)
        })
        .register_fn("replace", move |text: &mut Text, old: char, new: &str| {
            replace(text, one(&mut [0; 4], old), new, most)
        })
        .register_fn("replace", move |text: &mut Text, old: char, new: char| {
            replace(text, one(&mut [0; 4], old), one(&mut [0; 4], new), most)
        })
        .register_fn("pad", move |text: &mut Text, length: INT, padding: &str| pad(text, length, padding, most));
    engine.register_fn("pad", move |array: &mut Array, length: INT, item: Dynamic| {
        pad_array(array, length, item, limits)
    });
}

/// What `value` reads as, cut at `most` bytes: what a script has built may share one long text a million times.
pub(super) fn text(value: &Dynamic, most: usize) -> ImmutableString {
    match value.as_immutable_string_ref() {
        Ok(text) => text.clone(),
        Err(_) => shown(most, |text| write_value(text, value, false)),
    }
}

fn pure(name: &str) -> FuncRegistration {
    FuncRegistration::new(name).with_purity(true)
}

fn one(bytes: &mut [u8; 4], letter: char) -> &str {
    letter.encode_utf8(bytes)
}

fn replace(text: &mut ImmutableString, old: &str, new: &str, most: usize) -> Result<(), Box<EvalAltResult>> {
    let times = text.matches(old).count();
    let length = (text.len() - times * old.len()).saturating_add(times.saturating_mul(new.len()));
    if length > most {
        return Err(too_large("Length of string"));
    }
    *text = text.replace(old, new).into();
    Ok(())
}

/// rhai's goes on for ever where the padding is empty.
fn pad(text: &mut ImmutableString, length: INT, padding: &str, most: usize) -> Result<(), Box<EvalAltResult>> {
    let length = usize::try_from(length).unwrap_or(0);
    let missing = length.saturating_sub(text.chars().count());
    if missing == 0 || padding.is_empty() {
        return Ok(());
    }
    if length > most {
        return Err(too_large("Length of string"));
    }
    text.make_mut().extend(padding.chars().cycle().take(missing));
    Ok(())
}

/// rhai's adds up what it would come to, and that may be more than its numbers hold.
fn pad_array(array: &mut Array, length: INT, item: Dynamic, limits: Limits) -> Result<(), Box<EvalAltResult>> {
    let length = usize::try_from(length).unwrap_or(0);
    let missing = length.saturating_sub(array.len());
    let size = size(&item);
    if length > limits.array_items || size.items.saturating_mul(missing) > limits.array_items {
        return Err(too_large("Size of array"));
    }
    if size.bytes.saturating_mul(missing) > limits.string_bytes {
        return Err(too_large("Length of string"));
    }
    if missing > 0 {
        array.resize(length, item);
    }
    Ok(())
}

/// What a value holds.
#[derive(Default)]
struct Size {
    /// Of arrays and maps, at every level.
    items: usize,
    /// Of texts.
    bytes: usize,
}

fn size(value: &Dynamic) -> Size {
    let of_all = |count: usize, values: &mut dyn Iterator<Item = &Dynamic>| {
        values.map(size).fold(Size { items: count, bytes: 0 }, |sum, one| Size {
            items: sum.items.saturating_add(one.items),
            bytes: sum.bytes.saturating_add(one.bytes),
        })
    };
    if let Some(array) = value.read_lock::<Array>() {
        return of_all(array.len(), &mut array.iter());
    }
    if let Some(map) = value.read_lock::<Map>() {
        return of_all(map.len(), &mut map.values());
    }
    if let Some(blob) = value.read_lock::<Blob>() {
        return Size { items: blob.len(), bytes: 0 };
    }
    Size { items: 0, bytes: value.as_immutable_string_ref().map_or(0, |text| text.len()) }
}

fn too_large(what: &str) -> Box<EvalAltResult> {
    EvalAltResult::ErrorDataTooLarge(what.to_owned(), Position::NONE).into()
}

/// A text that refuses to grow once it is longer than a script's texts may be.
struct Bounded {
    text: String,
    most: usize,
}

impl Write for Bounded {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        self.text.push_str(more);
        if self.text.len() > self.most { Err(fmt::Error) } else { Ok(()) }
    }
}

fn shown(most: usize, write: impl FnOnce(&mut Bounded) -> fmt::Result) -> ImmutableString {
    let mut text = Bounded { text: String::new(), most };
    // It fails only where it has grown too long, and then its length says so.
    let _ = write(&mut text);
    text.text.into()
}

fn write_array(text: &mut Bounded, array: &Array) -> fmt::Result {
    text.write_str("[")?;
    for (index, item) in array.iter().enumerate() {
        text.write_str(if index == 0 { "" } else { ", " })?;
        write_value(text, item, true)?;
    }
    text.write_str("]")
}

fn write_map(text: &mut Bounded, map: &Map) -> fmt::Result {
    text.write_str("#{")?;
    for (index, (name, item)) in map.iter().enumerate() {
        write!(text, "{}{name:?}: ", if index == 0 { "" } else { ", " })?;
        write_value(text, item, true)?;
    }
    text.write_str("}")
}

fn write_value(text: &mut Bounded, value: &Dynamic, quoted: bool) -> fmt::Result {
    if let Some(array) = value.read_lock::<Array>() {
        return write_array(text, &array);
    }
    if let Some(map) = value.read_lock::<Map>() {
        return write_map(text, &map);
    }
    if quoted { write!(text, "{value:?}") } else { write!(text, "{value}") }
}
