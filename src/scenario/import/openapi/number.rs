//! Numbers that a schema accepts.

use serde_json::Value;

use super::accepts::fits_number;
use super::view::View;

/// The number `index` of those that fit; `None` if none was found.
pub(super) fn number(view: &View<'_>, is_whole: bool, shown: Option<&Value>, index: usize) -> Option<String> {
    let fits =
        |number: f64| (!is_whole || number.fract() == 0.0) && view.parts.iter().all(|part| fits_number(part, number));
    let shown = shown.filter(|shown| index == 0 && shown.as_f64().is_some_and(fits));
    if let Some(shown) = shown {
        return Some(shown.to_string());
    }
    let step = view.largest("multipleOf").filter(|step| *step > 0.0);
    let above =
        |limit: Option<f64>, by: f64| limit.into_iter().flat_map(move |limit| [limit, limit + by, limit + by / 2.0]);
    let low = view.largest("minimum").into_iter().chain(view.largest("exclusiveMinimum")).reduce(f64::max);
    let high = view.smallest("maximum").into_iter().chain(view.smallest("exclusiveMaximum")).reduce(f64::min);
    let (least, most) = (above(low, 1.0), above(high, -1.0));
    let mut tried: Vec<f64> = vec![1.0 + index as f64, index as f64];
    tried.extend(least.chain(most));
    if let Some(step) = step {
        let from = low.map_or(0.0, |low| (low / step).ceil());
        tried.extend([from * step, (from + 1.0) * step, step * (1.0 + index as f64)]);
    }
    if let Some(low) = low {
        tried.insert(0, low.max(1.0).ceil() + index as f64);
    }
    let number = tried.into_iter().filter(|number| number.is_finite()).find(|number| fits(*number))?;
    // Beyond this a number has no place for a fraction, nor for each whole number.
    Some(if number.fract() == 0.0 && number.abs() < 9e15 { format!("{}", number as i64) } else { number.to_string() })
}
