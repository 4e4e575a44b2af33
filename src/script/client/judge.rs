//! The `verdict` hook: what it reads, and what it returns.

use std::fmt;
use std::sync::Arc;

use rhai::{Array, Dynamic, Engine, EvalAltResult, FLOAT, INT, Map};

use crate::measured_value::{Comparison, MeasuredValue};
use crate::script::json;
use crate::script::type_names::plain_type;

type Outcome<T> = Result<T, Box<EvalAltResult>>;

/// A measured value, in seconds, per second, as a fraction, a count or bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MetricValue {
    Whole(u64),
    Number(MeasuredValue),
}

type LookUp = dyn Fn(&str) -> Result<MetricValue, String> + Send + Sync;

/// Every metric by its name, looked up when the hook asks; the error says why there is none.
#[derive(Clone)]
pub struct Metrics(Arc<LookUp>);

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Metrics")
    }
}

/// One verdict of a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    pub rule: String,
    /// `None` if it cannot be told.
    pub passed: Option<bool>,
    /// May be empty.
    pub expected: String,
    pub observed: String,
}

impl Metrics {
    /// The metrics that `look_up` knows.
    pub fn new(look_up: impl Fn(&str) -> Result<MetricValue, String> + Send + Sync + 'static) -> Metrics {
        Metrics(Arc::new(look_up))
    }

    fn get(&mut self, name: &str) -> Outcome<Dynamic> {
        Ok(match (self.0)(name)? {
            MetricValue::Whole(count) => INT::try_from(count).unwrap_or(INT::MAX).into(),
            MetricValue::Number(MeasuredValue::Exactly(value)) => value.into(),
            MetricValue::Number(partly_known) => Dynamic::from(partly_known),
        })
    }
}

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Metrics>("metrics")
        .register_indexer_get(Metrics::get)
        .register_fn("contains", |metrics: &mut Metrics, name: &str| (metrics.0)(name).is_ok())
        .register_fn("expect", |rule: &str, passed: Dynamic| expect(rule, passed, Dynamic::UNIT))
        .register_fn("expect", expect);
    engine
        .register_type_with_name::<MeasuredValue>("value of which only bounds are known")
        .register_fn("to_string", |it: &mut MeasuredValue| in_full(*it));
    compare(engine, |limit: FLOAT| limit);
    compare(engine, |limit: INT| limit as f64);
}

/// The comparisons of a value that is known in part with numbers of one type.
fn compare<N: rhai::Variant + Clone>(engine: &mut Engine, number: fn(N) -> f64) {
    for (sign, comparison) in Comparison::ALL {
        engine.register_fn(sign, move |it: MeasuredValue, limit: N| told(it, comparison, number(limit)));
        let exchanged = comparison.exchanged();
        engine.register_fn(sign, move |limit: N, it: MeasuredValue| told(it, exchanged, number(limit)));
    }
}

/// Where what is known does not decide, a comparison is an error, never a guess.
fn told(it: MeasuredValue, comparison: Comparison, limit: f64) -> Outcome<bool> {
    let untold = || format!("it is {}, so whether it is {comparison} {limit} cannot be told", in_full(it));
    it.compare(comparison, limit).ok_or_else(|| untold().into())
}

fn in_full(value: MeasuredValue) -> String {
    value.shown(|number| number.to_string())
}

/// `#{ rule, passed, observed }`.
fn expect(rule: &str, passed: Dynamic, observed: Dynamic) -> Map {
    [("rule", rule.into()), ("passed", passed), ("observed", observed)]
        .into_iter()
        .map(|(name, value)| (name.into(), value))
        .collect()
}

/// Verdicts from a list of maps, or from one.
pub(super) fn from_value(value: Dynamic) -> Result<Vec<Judged>, String> {
    let items = if value.is_array() { value.cast::<Array>() } else { vec![value] };
    items.into_iter().map(judged).collect()
}

fn judged(item: Dynamic) -> Result<Judged, String> {
    let item = item.flatten();
    let kind = plain_type(item.type_name()).to_owned();
    let Some(mut map) = item.try_cast::<Map>() else {
        return Err(format!("a {kind} is not a verdict: return a list of expect(rule, passed, observed)"));
    };
    let mut take = |name: &str| map.remove(name).unwrap_or_default();
    let (rule, passed, expected, observed) = (take("rule"), take("passed"), take("expected"), take("observed"));
    if let Some(other) = map.keys().next() {
        return Err(format!("a verdict has no `{other}`; it has rule, passed, expected and observed"));
    }
    let rule = match shown(&rule) {
        rule if rule.is_empty() => return Err("a verdict without a `rule`: which rule is it?".to_owned()),
        rule => rule,
    };
    let passed = match passed.as_bool() {
        Ok(passed) => Some(passed),
        Err(_) if passed.is_unit() => None,
        Err(kind) => {
            return Err(format!("`passed` of `{rule}` is a {}, and should be true or false", plain_type(kind)));
        }
    };
    Ok(Judged { rule, passed, expected: shown(&expected), observed: shown(&observed) })
}

fn shown(value: &Dynamic) -> String {
    match value {
        value if value.is_unit() => String::new(),
        value if value.is_map() || value.is_array() => {
            json::write(value).map_or_else(|error| error, |bytes| String::from_utf8_lossy(&bytes).into_owned())
        }
        value => match value.read_lock::<MeasuredValue>() {
            Some(partly_known) => in_full(*partly_known),
            None => value.to_string(),
        },
    }
}
