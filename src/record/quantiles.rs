//! Latencies as they are written: numbers, or what is known of them where requests were cut off.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::stats::{Latencies, Quantile};

/// Latencies in microseconds, ranked over every started request. `None` without any.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Quantiles {
    pub min: Option<Micros>,
    pub mean: Option<Micros>,
    pub p50: Option<Micros>,
    pub p75: Option<Micros>,
    pub p90: Option<Micros>,
    pub p95: Option<Micros>,
    pub p99: Option<Micros>,
    pub p999: Option<Micros>,
    pub max: Option<Micros>,
}

/// A number; `{"at_least": n}` where the quantile falls where only requests are that were cut off or failed, and so is longer
/// than that; or [`OpenMicros`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Micros {
    Exactly(f64),
    Within(OpenMicros),
    AtLeast(f64),
}

/// What is known of a quantile that requests that were cut off leave open, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OpenMicros {
    /// It is this for certain, or more.
    pub at_least: f64,
    /// It is this for certain, or less; `None` if there is no such time.
    pub at_most: Option<f64>,
    /// What it is likely to be (Kaplan-Meier); `None` where the data do not allow that to be told.
    pub estimate: Option<f64>,
    /// The interval of the estimate at 95 % confidence; its upper end is `None` where the data allow none.
    pub low: Option<f64>,
    pub high: Option<f64>,
}

impl OpenMicros {
    /// Both ends of what it is likely to be: the interval, as far as that is within what is certain.
    pub fn ends(self) -> (f64, Option<f64>) {
        let least = self.low.map_or(self.at_least, |low| low.max(self.at_least));
        let most = match (self.high, self.at_most) {
            (Some(high), Some(most)) => Some(high.min(most)),
            (one, other) => one.or(other),
        };
        (least, most)
    }
}

impl Micros {
    /// The value, else what it is likely to be, else the least that it can be.
    pub fn value(self) -> f64 {
        match self {
            Micros::Exactly(us) | Micros::AtLeast(us) => us,
            Micros::Within(open) => open.estimate.unwrap_or(open.at_least),
        }
    }
}

impl From<Quantile> for Micros {
    fn from(quantile: Quantile) -> Self {
        let micros = |nanos: u64| nanos as f64 / 1e3;
        match quantile {
            Quantile::Exactly(nanos) => Micros::Exactly(micros(nanos)),
            Quantile::AtLeast(nanos) => Micros::AtLeast(micros(nanos)),
            Quantile::Within(within) => Micros::Within(OpenMicros {
                at_least: micros(within.least),
                at_most: within.most.map(micros),
                estimate: within.estimate.map(|estimate| micros(estimate.value)),
                low: within.estimate.map(|estimate| micros(estimate.low)),
                high: within.estimate.and_then(|estimate| estimate.high).map(micros),
            }),
        }
    }
}

impl Serialize for Micros {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        match self {
            Micros::Exactly(value) => serializer.serialize_f64(*value),
            Micros::Within(open) => open.serialize(serializer),
            Micros::AtLeast(bound) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("at_least", bound)?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Micros {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let micros = match &value {
            Value::Object(known) if known.len() > 1 => OpenMicros::deserialize(&value).ok().map(Micros::Within),
            Value::Object(known) => known.get("at_least").and_then(Value::as_f64).map(Micros::AtLeast),
            number => number.as_f64().map(Micros::Exactly),
        };
        micros.ok_or_else(|| serde::de::Error::custom("expected a number or {\"at_least\": number}"))
    }
}

impl Quantiles {
    /// What is known of those between the least and the most that requests that were cut off leave open.
    pub fn open(&self) -> impl Iterator<Item = OpenMicros> {
        let all = [self.p50, self.p75, self.p90, self.p95, self.p99, self.p999];
        all.into_iter().flatten().filter_map(|micros| match micros {
            Micros::Within(open) => Some(open),
            Micros::Exactly(_) | Micros::AtLeast(_) => None,
        })
    }

    /// The quantile at `q` (0 to 1), if it is one of those that are written and there were requests.
    pub fn written(&self, q: f64) -> Option<Micros> {
        let all = [
            (0.5, self.p50),
            (0.75, self.p75),
            (0.9, self.p90),
            (0.95, self.p95),
            (0.99, self.p99),
            (0.999, self.p999),
        ];
        all.into_iter().find(|(known, _)| (known - q).abs() < 1e-9).and_then(|(_, micros)| micros)
    }

    /// Those of some waits; none of them without requests.
    pub fn of(latencies: &Latencies) -> Self {
        let known = latencies.distribution();
        let at = |q: f64| known.quantile(q).map(Micros::from);
        Quantiles {
            min: known.min().map(Micros::from),
            mean: latencies.mean().map(Micros::from),
            p50: at(0.5),
            p75: at(0.75),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            p999: at(0.999),
            max: known.max().map(Micros::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_quantiles_that_are_written_are_found() {
        let quantiles =
            Quantiles { p50: Some(Micros::Exactly(5.0)), p999: Some(Micros::AtLeast(9.0)), ..Quantiles::default() };
        assert_eq!(quantiles.written(0.5), Some(Micros::Exactly(5.0)));
        assert_eq!(quantiles.written(99.9 / 100.0), Some(Micros::AtLeast(9.0)));
        assert_eq!((quantiles.written(0.99), quantiles.written(0.51)), (None, None));
    }

    #[test]
    fn a_bound_is_written_as_at_least() {
        assert_eq!(serde_json::to_string(&Micros::AtLeast(2e6)).unwrap(), r#"{"at_least":2000000.0}"#);
        assert_eq!(serde_json::from_str::<Micros>(r#"{"at_least": 5}"#).unwrap(), Micros::AtLeast(5.0));
        assert_eq!(serde_json::from_str::<Micros>("7.5").unwrap(), Micros::Exactly(7.5));
        assert!(serde_json::from_str::<Micros>("\"x\"").is_err());
    }

    #[test]
    fn all_that_is_known_of_an_open_value_is_written() {
        let open = OpenMicros { at_least: 4.0, at_most: None, estimate: Some(6.0), low: Some(3.0), high: None };
        let text = serde_json::to_string(&Micros::Within(open)).unwrap();
        assert_eq!(text, r#"{"at_least":4.0,"at_most":null,"estimate":6.0,"low":3.0,"high":null}"#);
        assert_eq!(serde_json::from_str::<Micros>(&text).unwrap(), Micros::Within(open));
        let unlikely = OpenMicros { estimate: None, low: None, ..open };
        let text = serde_json::to_string(&Micros::Within(unlikely)).unwrap();
        assert_eq!(serde_json::from_str::<Micros>(&text).unwrap(), Micros::Within(unlikely));
    }

    #[test]
    fn what_is_certain_cuts_what_is_likely() {
        let ends = |at_most, low, high| {
            OpenMicros { at_least: 4.0, at_most, estimate: Some(6.0), low: Some(low), high }.ends()
        };
        assert_eq!(ends(Some(7.0), 3.0, Some(9.0)), (4.0, Some(7.0)));
        assert_eq!(ends(Some(7.0), 5.0, Some(6.5)), (5.0, Some(6.5)));
        assert_eq!((ends(Some(7.0), 5.0, None), ends(None, 5.0, None)), ((5.0, Some(7.0)), (5.0, None)));
    }
}
