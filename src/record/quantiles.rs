//! Latencies as they are written: numbers, or bounds where requests were never answered.

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

/// A number, or `{"at_least": n}` where the quantile falls among requests that were never answered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Micros {
    Exactly(f64),
    AtLeast(f64),
}

impl From<Quantile> for Micros {
    fn from(quantile: Quantile) -> Self {
        match quantile {
            Quantile::Exactly(nanos) => Micros::Exactly(nanos as f64 / 1e3),
            Quantile::AtLeast(nanos) => Micros::AtLeast(nanos as f64 / 1e3),
        }
    }
}

impl Serialize for Micros {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        match self {
            Micros::Exactly(value) => serializer.serialize_f64(*value),
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
        let bound = value.get("at_least").and_then(Value::as_f64).map(Micros::AtLeast);
        let micros = value.as_f64().map(Micros::Exactly).or(bound);
        micros.ok_or_else(|| serde::de::Error::custom("expected a number or {\"at_least\": number}"))
    }
}

impl Quantiles {
    /// Those of a histogram; none of them without requests.
    pub fn of(latencies: &Latencies) -> Self {
        let at = |q: f64| latencies.quantile(q).map(Micros::from);
        Quantiles {
            min: latencies.min().map(Micros::from),
            mean: latencies.mean().map(Micros::from),
            p50: at(0.5),
            p75: at(0.75),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            p999: at(0.999),
            max: latencies.max().map(Micros::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_written_as_at_least() {
        assert_eq!(serde_json::to_string(&Micros::AtLeast(2e6)).unwrap(), r#"{"at_least":2000000.0}"#);
        assert_eq!(serde_json::from_str::<Micros>(r#"{"at_least": 5}"#).unwrap(), Micros::AtLeast(5.0));
        assert_eq!(serde_json::from_str::<Micros>("7.5").unwrap(), Micros::Exactly(7.5));
        assert!(serde_json::from_str::<Micros>("\"x\"").is_err());
    }
}
