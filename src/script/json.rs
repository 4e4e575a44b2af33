//! Values as JSON text, and back.

use rhai::{Array, Blob, Dynamic, INT, Map};
use serde_json::{Number, Value};

use crate::units::show_size;

/// How deep JSON may nest that a handler returns; serde_json reads as deep.
const NESTING: usize = 128;

/// Bytes of JSON that a script may write, about: what a handler has built may share one long text many times.
const LONGEST: usize = 8 << 20;

/// Writes a value as JSON. The error says what JSON has no word for.
pub(super) fn write(value: &Dynamic) -> Result<Vec<u8>, String> {
    let json = to_json(value, NESTING, &mut { LONGEST })?;
    serde_json::to_vec(&json).map_err(|error| error.to_string())
}

fn to_json(value: &Dynamic, levels: usize, room: &mut usize) -> Result<Value, String> {
    take(room, 4)?;
    if levels == 0 {
        return Err(format!("JSON may nest at most {NESTING} levels deep"));
    }
    if let Some(items) = value.read_lock::<Array>() {
        return Ok(Value::Array(items.iter().map(|item| to_json(item, levels - 1, room)).collect::<Result<_, _>>()?));
    }
    if let Some(items) = value.read_lock::<Map>() {
        let entries = items.iter().map(|(name, item)| {
            take(room, name.len())?;
            Ok((name.to_string(), to_json(item, levels - 1, room)?))
        });
        return Ok(Value::Object(entries.collect::<Result<_, String>>()?));
    }
    if let Some(bytes) = value.read_lock::<Blob>() {
        take(room, 4 * bytes.len())?;
        return Ok(Value::from(bytes.as_slice()));
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        take(room, text.len())?;
        return Ok(Value::from(text.as_str()));
    }
    if let Ok(number) = value.as_int() {
        return Ok(Value::from(number));
    }
    if let Ok(number) = value.as_float() {
        // As in JavaScript, what is not a number is null.
        return Ok(Number::from_f64(number).map_or(Value::Null, Value::Number));
    }
    if let Ok(yes) = value.as_bool() {
        return Ok(Value::Bool(yes));
    }
    if let Ok(letter) = value.as_char() {
        return Ok(Value::from(letter.to_string()));
    }
    if value.is_unit() {
        return Ok(Value::Null);
    }
    Err(format!("JSON has no word for a {}", super::type_names::plain_type(value.type_name())))
}

fn take(room: &mut usize, bytes: usize) -> Result<(), String> {
    *room = room.checked_sub(bytes).ok_or_else(|| format!("it is more than {} of JSON", show_size(LONGEST as u64)))?;
    Ok(())
}

/// Reads JSON text.
pub(super) fn read(text: &[u8]) -> Result<Dynamic, String> {
    serde_json::from_slice(text).map(of_value).map_err(|error| error.to_string())
}

/// A value of JSON as scripts have it.
pub(super) fn of_value(value: Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(yes) => yes.into(),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Dynamic::from_int(whole as INT),
            (None, float) => Dynamic::from_float(float.unwrap_or(f64::NAN)),
        },
        Value::String(text) => text.into(),
        Value::Array(items) => Dynamic::from_array(items.into_iter().map(of_value).collect()),
        Value::Object(entries) => {
            Dynamic::from_map(entries.into_iter().map(|(name, item)| (name.into(), of_value(item))).collect())
        }
    }
}
