//! Metric names and the grammar of rules: `latency.p99 < 250ms`.
//!
//! What a rule says is known here; whether it holds is judged in `verdict`.

use std::time::Duration;

pub use metric::{Metric, Unit};

pub mod metric;
mod suggest;

use crate::measured_value::Comparison;
use crate::units::{self, Quantity};

/// `metric comparison limit [for duration]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    pub metric: Metric,
    pub comparison: Comparison,
    /// In the base unit of the metric: seconds, per second, fraction, count or bytes.
    pub limit: f64,
    /// How long it must hold without a break; only where a rule watches a run (`abort_when`).
    pub lasting: Option<Duration>,
    /// As the scenario wrote it.
    pub text: String,
}

/// Why a text is not a rule, and which part of it (a byte range within the text) is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleError {
    pub range: std::ops::Range<usize>,
    pub message: String,
    pub help: String,
}

impl Rule {
    /// `<= 100 ms`: the limit as it is, however many digits it has.
    pub fn expected(&self) -> String {
        format!("{} {}", self.comparison, quantity(self.limit, self.metric.unit()).exact().text())
    }

    /// Prints a value of the metric for people, in its unit, so that it is seen on which side of the limit it is.
    pub fn show(&self, value: f64) -> String {
        let unit = self.metric.unit();
        let beside = quantity(value, unit).beside(self.limit).text();
        // A share is neither none nor all unless it is.
        if unit == Unit::Percentage { longer(beside, units::show_percentage(value)) } else { beside }
    }

    /// Reads a rule; the error says which part is none, and what to write.
    pub fn parse(text: &str) -> Result<Rule, RuleError> {
        let whole = 0..text.len();
        let error =
            |range: std::ops::Range<usize>, message: String, help: String| Err(RuleError { range, message, help });
        let Some((at, (sign, comparison))) = find_comparison(text) else {
            let help = "write METRIC < LIMIT, as in \"latency.p99 < 250ms\"; the signs are < <= > >= == !=".to_owned();
            return error(whole, "a rule without a comparison".to_owned(), help);
        };
        let name = text[..at].trim();
        let name_start = text.find(name).unwrap_or(0);
        let Some(metric) = Metric::parse(name) else {
            return error(
                name_start..name_start + name.len(),
                format!("unknown metric `{name}`"),
                suggest::metric(name),
            );
        };
        let after = &text[at + sign.len()..];
        let (limit_text, lasting_text) = match after.split_once(" for ") {
            Some((limit, lasting)) => (limit.trim(), Some(lasting.trim())),
            None => (after.trim(), None),
        };
        let start = text.len() - after.trim_start().len();
        let limit = match parse_limit(limit_text, metric.unit()) {
            Ok(limit) => limit,
            Err(help) => {
                return error(
                    start..start + limit_text.len(),
                    format!("`{limit_text}` is not a limit for `{name}`"),
                    help,
                );
            }
        };
        let lasting = match lasting_text.map(units::parse_duration).transpose() {
            Ok(lasting) => lasting,
            Err(why) => return error(whole, "not a duration after `for`".to_owned(), why.to_string()),
        };
        Ok(Rule { metric, comparison, limit, lasting, text: text.trim().to_owned() })
    }
}

fn find_comparison(text: &str) -> Option<(usize, (&'static str, Comparison))> {
    let at = text.find(['<', '>', '=', '!'])?;
    Comparison::ALL.iter().find(|(sign, _)| text[at..].starts_with(sign)).map(|found| (at, *found))
}

fn parse_limit(text: &str, unit: Unit) -> Result<f64, String> {
    let parsed = match unit {
        Unit::Duration => units::parse_duration(text).map(|d| d.as_secs_f64()),
        Unit::Rate => units::parse_rate(text).map(|r| r.0),
        Unit::Percentage => units::parse_percentage(text),
        Unit::Size => units::parse_size(text).map(|b| b as f64),
        Unit::Count => {
            return text
                .parse::<u64>()
                .map(|n| n as f64)
                .map_err(|_| "write a whole number, as in \"errors.count == 0\"".to_owned());
        }
        Unit::Number => {
            return text
                .parse::<f64>()
                .ok()
                .filter(|n| n.is_finite())
                .ok_or_else(|| "write a number, as in \"server.cpu.mean < 0.8\"".to_owned());
        }
    };
    parsed.map_err(|why| why.to_string())
}

fn longer(a: String, b: String) -> String {
    if b.len() > a.len() { b } else { a }
}

/// A setting as a number in the base unit, where it is one: `"100ms"`, `"2000/s"`, `"64kB"`, `8`.
pub fn number_of(setting: &serde_json::Value) -> Option<(f64, Unit)> {
    let Some(text) = setting.as_str() else { return Some((setting.as_f64()?, Unit::Number)) };
    let duration = || Some((units::parse_duration(text).ok()?.as_secs_f64(), Unit::Duration));
    let rate = || Some((units::parse_rate(text).ok()?.0, Unit::Rate));
    let size = || Some((units::parse_size(text).ok()? as f64, Unit::Size));
    duration().or_else(rate).or_else(size)
}

/// A value in a unit, for people.
pub fn quantity(value: f64, unit: Unit) -> Quantity {
    match unit {
        Unit::Duration => Quantity::time(value),
        Unit::Rate => Quantity::rate(value),
        Unit::Percentage => Quantity::percentage(value),
        Unit::Count => Quantity::count(value),
        Unit::Size => Quantity::size(value),
        Unit::Number => Quantity::number(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rules_of_the_design_parse() {
        for (text, limit) in [
            ("latency.p99 < 250ms", 0.25),
            ("throughput > 4500/s", 4500.0),
            ("errors.rate < 1%", 0.01),
            ("dirty.leaks == 0", 0.0),
            ("server.rss.max < 200MB", 200e6),
            ("status.503 <= 3", 3.0),
            ("server.cpu.mean<0.8", 0.8),
        ] {
            assert_eq!(Rule::parse(text).map(|rule| rule.limit), Ok(limit), "{text}");
        }
        let rule = Rule::parse("errors.rate > 50% for 5s").unwrap();
        assert_eq!((rule.comparison, rule.lasting), (Comparison::Greater, Some(Duration::from_secs(5))));
    }

    #[test]
    fn an_unknown_metric_is_pointed_at_with_a_suggestion() {
        let error = Rule::parse("latncy.p99 < 250ms").unwrap_err();
        assert_eq!(error.range, 0..10);
        assert!(error.help.contains("did you mean `latency.p99`"), "{}", error.help);
    }

    #[test]
    fn a_limit_in_the_wrong_unit_is_pointed_at() {
        let error = Rule::parse("latency.p99 < 250").unwrap_err();
        assert_eq!(error.range, 14..17);
        assert!(
            Rule::parse("throughput > 5ms").is_err()
                && Rule::parse("errors.count == 0.5").is_err()
                && Rule::parse("latency.p99").is_err()
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic_and_ranges_stay_inside(text in "[a-z.0-9<>=!% µ]{0,30}") {
            if let Err(error) = Rule::parse(&text) {
                prop_assert!(error.range.end <= text.len() && error.range.start <= error.range.end);
            }
        }
    }
}
