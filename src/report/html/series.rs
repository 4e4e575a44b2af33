//! What the charts of the page are drawn from.

use serde_json::{Value, json};

use crate::analysis::median_trial::median_trial;
use crate::analysis::seconds::{drawable, joined};
use crate::record::{Record, VariantRecord};

/// The most points of a line over time.
const MOST: usize = 300;
/// The quantiles that are drawn.
const QUANTILES: [f64; 6] = [0.5, 0.75, 0.9, 0.95, 0.99, 0.999];

/// JSON of the median trial of each variant with a load, safe inside a script element.
pub(super) fn of(record: &Record) -> String {
    let variants: Vec<Value> = record.variants.iter().filter_map(variant).collect();
    // Neither an end tag nor a comment can begin without this.
    json!({ "variants": variants }).to_string().replace('<', "\\u003c").replace(['\u{2028}', '\u{2029}'], " ")
}

fn variant(variant: &VariantRecord) -> Option<Value> {
    let load = median_trial(variant)?.1.load.as_ref()?;
    let rows = drawable(&load.timeline);
    let rows: Vec<_> = rows.chunks(rows.len().div_ceil(MOST).max(1)).map(joined).collect();
    let rounded = |value: f64| (value * 1000.0).round() / 1000.0;
    let ms = |us: Option<f64>| us.map(|us| rounded(us / 1000.0));
    let rate = |count: u64, length: f64| rounded(count as f64 / length.max(1e-9));
    let quantiles: Vec<Value> = QUANTILES
        .iter()
        .filter_map(|q| Some(json!([q, rounded(load.latency_us.written(*q)?.likely() / 1000.0)])))
        .filter(|pair| pair[1].is_number())
        .collect();
    Some(json!({
        "name": variant.name,
        "t": rows.iter().map(|row| rounded(row.t_s)).collect::<Vec<_>>(),
        "rate": rows.iter().map(|row| rate(row.completed, row.length_s)).collect::<Vec<_>>(),
        "failed": rows.iter().map(|row| rate(row.failed + row.error_status, row.length_s)).collect::<Vec<_>>(),
        "mean": rows.iter().map(|row| ms(row.latency_mean_us)).collect::<Vec<_>>(),
        "max": rows.iter().map(|row| ms(row.latency_max_us)).collect::<Vec<_>>(),
        "quantiles": quantiles,
    }))
}
