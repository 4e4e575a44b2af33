//! A measured number, or the bounds that are known of it; and how it compares with a limit.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A measured value, in the base unit of its metric.
///
/// As JSON it is a number, `{"at_least": n}` for [`MeasuredValue::MoreThan`], or the fields of [`Bounds`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MeasuredValue {
    Exactly(f64),
    /// More than this; how much is not known, as no response ever came.
    MoreThan(f64),
    /// Some responses never came, which leaves open what it is.
    Within(Bounds),
}

/// What is known of a value that requests without a response leave open.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// It is this for certain, or more.
    pub at_least: f64,
    /// It is this for certain, or less; `None` if there is no such value.
    pub at_most: Option<f64>,
    /// What it is likely to be (Kaplan-Meier); `None` where the data do not allow that to be told.
    pub estimate: Option<f64>,
    /// The interval of the estimate at 95 % confidence; its upper end is `None` where the data allow none.
    pub low: Option<f64>,
    pub high: Option<f64>,
}

impl Bounds {
    /// From the first to the second, both included, without an estimate.
    pub fn between(at_least: f64, at_most: f64) -> Self {
        Bounds { at_least, at_most: Some(at_most), estimate: None, low: None, high: None }
    }

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

impl MeasuredValue {
    /// The value, else what it is likely to be, else the least that it can be.
    pub fn likely(self) -> f64 {
        match self {
            MeasuredValue::Exactly(value) | MeasuredValue::MoreThan(value) => value,
            MeasuredValue::Within(bounds) => bounds.estimate.unwrap_or(bounds.at_least),
        }
    }

    /// Whether more is known of it than that it is more than something.
    pub fn is_bounded(self) -> bool {
        match self {
            MeasuredValue::Exactly(_) => true,
            MeasuredValue::Within(bounds) => bounds.estimate.is_some() || bounds.at_most.is_some(),
            MeasuredValue::MoreThan(_) => false,
        }
    }

    /// The same in another unit. `convert` must keep the order of values.
    pub fn map(self, convert: impl Fn(f64) -> f64) -> Self {
        match self {
            MeasuredValue::Exactly(value) => MeasuredValue::Exactly(convert(value)),
            MeasuredValue::MoreThan(bound) => MeasuredValue::MoreThan(convert(bound)),
            MeasuredValue::Within(bounds) => MeasuredValue::Within(Bounds {
                at_least: convert(bounds.at_least),
                at_most: bounds.at_most.map(&convert),
                estimate: bounds.estimate.map(&convert),
                low: bounds.low.map(&convert),
                high: bounds.high.map(&convert),
            }),
        }
    }

    /// Whether the value compares so with a limit; `None` where what is known of it does not tell.
    pub fn compare(self, comparison: Comparison, limit: f64) -> Option<bool> {
        let (least, most) = self.ends();
        let holds = comparison.holds(least, limit);
        let may_equal = least <= limit && limit <= most;
        // Between two ends on the same side of a limit nothing changes; the limit itself is what `==` and `!=` look for.
        let same = match comparison {
            Comparison::Equal | Comparison::NotEqual => least == most || !may_equal,
            _ => comparison.holds(most, limit) == holds,
        };
        same.then_some(holds)
    }

    /// The least and the most that it can be.
    fn ends(self) -> (f64, f64) {
        match self {
            MeasuredValue::Exactly(value) => (value, value),
            MeasuredValue::MoreThan(bound) => (bound.next_up(), f64::INFINITY),
            MeasuredValue::Within(bounds) => {
                let (least, most) = bounds.ends();
                (least, most.unwrap_or(f64::INFINITY))
            }
        }
    }

    /// How far it is on the wrong side of a limit, at least; negative on the right one.
    pub fn off(self, comparison: Comparison, limit: f64) -> f64 {
        let least = match self {
            MeasuredValue::Exactly(least) | MeasuredValue::MoreThan(least) => least,
            MeasuredValue::Within(bounds) => bounds.ends().0,
        };
        match comparison {
            Comparison::Less | Comparison::LessOrEqual => least - limit,
            Comparison::Greater | Comparison::GreaterOrEqual => limit - least,
            Comparison::Equal | Comparison::NotEqual => (least - limit).abs(),
        }
    }

    /// The value for people, each of its numbers as `show` has it: `5`, `> 5`, `5 to 7`, `5 or more`.
    pub fn shown(self, show: impl Fn(f64) -> String) -> String {
        match self {
            MeasuredValue::Exactly(value) => show(value),
            MeasuredValue::MoreThan(bound) => format!("> {}", show(bound)),
            MeasuredValue::Within(bounds) => match bounds.ends() {
                (least, None) => format!("{} or more", show(least)),
                (least, Some(most)) => match (show(least), show(most)) {
                    (one, same) if one == same => one,
                    (least, most) => format!("{least} to {most}"),
                },
            },
        }
    }
}

impl Serialize for MeasuredValue {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        match self {
            MeasuredValue::Exactly(value) => serializer.serialize_f64(*value),
            MeasuredValue::Within(bounds) => bounds.serialize(serializer),
            MeasuredValue::MoreThan(bound) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("at_least", bound)?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for MeasuredValue {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let measurement = match &value {
            Value::Object(known) if known.len() > 1 => Bounds::deserialize(&value).ok().map(MeasuredValue::Within),
            Value::Object(known) => known.get("at_least").and_then(Value::as_f64).map(MeasuredValue::MoreThan),
            number => number.as_f64().map(MeasuredValue::Exactly),
        };
        measurement.ok_or_else(|| serde::de::Error::custom("expected a number or {\"at_least\": number}"))
    }
}

/// How a value may compare with a limit. As JSON it is its sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Comparison {
    #[serde(rename = "<")]
    Less,
    #[serde(rename = "<=")]
    LessOrEqual,
    #[serde(rename = ">")]
    Greater,
    #[serde(rename = ">=")]
    GreaterOrEqual,
    #[serde(rename = "==")]
    Equal,
    #[serde(rename = "!=")]
    NotEqual,
}

impl Comparison {
    /// Each with its sign; one that begins with another's comes before it.
    pub const ALL: [(&'static str, Comparison); 6] = [
        ("<=", Comparison::LessOrEqual),
        (">=", Comparison::GreaterOrEqual),
        ("==", Comparison::Equal),
        ("!=", Comparison::NotEqual),
        ("<", Comparison::Less),
        (">", Comparison::Greater),
    ];

    /// Whether `observed` compares so with `limit`; both in one unit.
    pub fn holds(self, observed: f64, limit: f64) -> bool {
        match self {
            Comparison::Less => observed < limit,
            Comparison::LessOrEqual => observed <= limit,
            Comparison::Greater => observed > limit,
            Comparison::GreaterOrEqual => observed >= limit,
            Comparison::Equal => observed == limit,
            Comparison::NotEqual => observed != limit,
        }
    }

    /// The one that says the same with both sides exchanged: `1 < x` is `x > 1`.
    pub fn exchanged(self) -> Comparison {
        match self {
            Comparison::Less => Comparison::Greater,
            Comparison::LessOrEqual => Comparison::GreaterOrEqual,
            Comparison::Greater => Comparison::Less,
            Comparison::GreaterOrEqual => Comparison::LessOrEqual,
            same @ (Comparison::Equal | Comparison::NotEqual) => same,
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = Comparison::ALL.iter().find(|(_, c)| c == self).map_or("?", |(text, _)| text);
        f.write_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_not_known_is_told_only_where_it_decides() {
        let of = |observed: MeasuredValue, sign: &str, limit: f64| {
            let (_, comparison) = Comparison::ALL.into_iter().find(|(known, _)| *known == sign).unwrap();
            observed.compare(comparison, limit)
        };
        let more = MeasuredValue::MoreThan(2.0);
        for (sign, told) in [("<", false), ("<=", false), ("==", false), (">", true), (">=", true), ("!=", true)] {
            assert_eq!((of(more, sign, 2.0), of(more, sign, 1.0)), (Some(told), Some(told)), "{sign}");
            assert_eq!(of(more, sign, 3.0), None, "{sign}");
        }
        let between = MeasuredValue::Within(Bounds::between(2.0, 4.0));
        assert_eq!(
            [1.0, 2.0, 3.0, 4.0, 5.0].map(|limit| of(between, "<", limit)),
            [Some(false), Some(false), None, None, Some(true)]
        );
        assert_eq!(
            [1.0, 2.0, 3.0, 4.0, 5.0].map(|limit| of(between, "<=", limit)),
            [Some(false), None, None, Some(true), Some(true)]
        );
        assert_eq!([1.0, 2.0, 4.0, 5.0].map(|limit| of(between, "==", limit)), [Some(false), None, None, Some(false)]);
        assert_eq!([1.0, 3.0].map(|limit| of(between, "!=", limit)), [Some(true), None]);
        assert_eq!(of(MeasuredValue::Within(Bounds::between(2.0, 2.0)), "==", 2.0), Some(true));
        let open = MeasuredValue::Within(Bounds { at_most: None, ..Bounds::between(2.0, 2.0) });
        assert_eq!(
            [1.0, 2.0, 3.0].map(|limit| (of(open, "<", limit), of(open, "<=", limit), of(open, ">=", limit))),
            [(Some(false), Some(false), Some(true)), (Some(false), None, Some(true)), (None, None, None)]
        );
    }

    #[test]
    fn what_is_not_known_is_shown_as_far_as_it_is() {
        let shown = |observed: MeasuredValue| observed.shown(|value| format!("{value:.1}"));
        assert_eq!(shown(MeasuredValue::MoreThan(2.0)), "> 2.0");
        assert_eq!(shown(MeasuredValue::Within(Bounds::between(2.0, 4.0))), "2.0 to 4.0");
        assert_eq!(shown(MeasuredValue::Within(Bounds::between(2.0, 2.01))), "2.0");
        assert_eq!(shown(MeasuredValue::Within(Bounds { at_most: None, ..Bounds::between(2.0, 2.0) })), "2.0 or more");
    }

    #[test]
    fn a_bound_is_written_as_at_least() {
        assert_eq!(serde_json::to_string(&MeasuredValue::MoreThan(2e6)).unwrap(), r#"{"at_least":2000000.0}"#);
        assert_eq!(serde_json::from_str::<MeasuredValue>(r#"{"at_least": 5}"#).unwrap(), MeasuredValue::MoreThan(5.0));
        assert_eq!(serde_json::from_str::<MeasuredValue>("7.5").unwrap(), MeasuredValue::Exactly(7.5));
        assert!(serde_json::from_str::<MeasuredValue>("\"x\"").is_err());
    }

    #[test]
    fn all_that_is_known_of_an_open_value_is_written() {
        let open = Bounds { at_least: 4.0, at_most: None, estimate: Some(6.0), low: Some(3.0), high: None };
        let text = serde_json::to_string(&MeasuredValue::Within(open)).unwrap();
        assert_eq!(text, r#"{"at_least":4.0,"at_most":null,"estimate":6.0,"low":3.0,"high":null}"#);
        assert_eq!(serde_json::from_str::<MeasuredValue>(&text).unwrap(), MeasuredValue::Within(open));
        let unlikely = Bounds { estimate: None, low: None, ..open };
        let text = serde_json::to_string(&MeasuredValue::Within(unlikely)).unwrap();
        assert_eq!(serde_json::from_str::<MeasuredValue>(&text).unwrap(), MeasuredValue::Within(unlikely));
    }

    #[test]
    fn what_is_certain_cuts_what_is_likely() {
        let ends =
            |at_most, low, high| Bounds { at_least: 4.0, at_most, estimate: Some(6.0), low: Some(low), high }.ends();
        assert_eq!(ends(Some(7.0), 3.0, Some(9.0)), (4.0, Some(7.0)));
        assert_eq!(ends(Some(7.0), 5.0, Some(6.5)), (5.0, Some(6.5)));
        assert_eq!((ends(Some(7.0), 5.0, None), ends(None, 5.0, None)), ((5.0, Some(7.0)), (5.0, None)));
    }

    proptest! {
        #[test]
        fn what_is_told_of_a_range_holds_for_all_of_it(
            ends in (0i8..8, 0i8..8), limit in 0i8..8, part in 0.0..=1.0f64, which in 0usize..6
        ) {
            let (least, most) = (f64::from(ends.0.min(ends.1)), f64::from(ends.0.max(ends.1)));
            let (comparison, limit) = (Comparison::ALL[which].1, f64::from(limit));
            let told = MeasuredValue::Within(Bounds::between(least, most)).compare(comparison, limit);
            let value = least + (most - least) * part;
            prop_assert!(told.is_none_or(|told| told == comparison.holds(value, limit)));
            prop_assert_eq!(comparison.exchanged().holds(limit, value), comparison.holds(value, limit));
        }
    }
}
