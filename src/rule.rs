//! Metric names and the grammar of rules: `latency.p99 < 250ms`.
//!
//! What a rule says is known here; whether it holds is judged in `verdict`.

use std::time::Duration;

use crate::measurement::Comparison;
use crate::units::{self, Quantity};

/// What is measured, and in which unit a rule writes its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Duration,
    Rate,
    Percentage,
    Count,
    Size,
    /// A plain number, as for a mean of cores in use.
    Number,
}

/// A metric that rules can name. `name` is its text; `unit` follows from it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Metric(String);

/// The ways of provoking leaks, as `dirty.TRIGGER.leaks` names them, in the order in which they take turns.
pub const TRIGGERS: [&str; 17] = [
    "first",
    "anonymous",
    "keep_alive",
    "same_key",
    "residue",
    "overlap",
    "pair",
    "ramp",
    "gate",
    "error",
    "abort",
    "slow",
    "big",
    "pipeline",
    "smuggle",
    "suffix",
    "storm",
];

/// Metrics with fixed names. Percentiles (`latency.p99`, `service_time.p99.9`), `errors.KIND`, `status.CODE`
/// `dirty.TRIGGER.leaks` and `dirty.TRIGGER.exposures` come on top.
const FIXED: &[(&str, Unit)] = &[
    ("throughput", Unit::Rate),
    ("started", Unit::Count),
    ("completed", Unit::Count),
    ("failed", Unit::Count),
    ("unanswered", Unit::Count),
    ("latency.min", Unit::Duration),
    ("latency.mean", Unit::Duration),
    ("latency.max", Unit::Duration),
    ("service_time.min", Unit::Duration),
    ("service_time.mean", Unit::Duration),
    ("service_time.max", Unit::Duration),
    ("errors.count", Unit::Count),
    ("errors.rate", Unit::Percentage),
    ("errors.connect", Unit::Count),
    ("errors.tls", Unit::Count),
    ("errors.timeout", Unit::Count),
    ("errors.closed", Unit::Count),
    ("errors.protocol", Unit::Count),
    ("errors.status", Unit::Count),
    ("errors.script", Unit::Count),
    ("retries.count", Unit::Count),
    ("retries.rate", Unit::Percentage),
    ("unsolicited", Unit::Count),
    ("checks.failed", Unit::Count),
    ("checks.passed", Unit::Count),
    ("checks.rate", Unit::Percentage),
    ("dirty.leaks", Unit::Count),
    ("dirty.exposures", Unit::Count),
    ("dirty.bound", Unit::Percentage),
    ("server.cpu.mean", Unit::Number),
    ("server.rss.max", Unit::Size),
    ("server.threads.max", Unit::Count),
];

/// What `abort_when` can watch while a load runs.
pub const WATCHABLE: [&str; 4] = ["errors.rate", "errors.count", "errors.status", "throughput"];

/// The percentiles that suggestions and reports name.
const PERCENTILES: &[&str] = &["p50", "p75", "p90", "p95", "p99", "p99.9"];

impl Metric {
    /// Looks a name up; `p999` is the same as `p99.9`.
    pub fn parse(name: &str) -> Option<Metric> {
        let is_fixed = FIXED.iter().any(|(fixed, _)| *fixed == name);
        if is_fixed || name.strip_prefix("status.").is_some_and(is_status) || is_of_trigger(name) {
            return Some(Metric(name.to_owned()));
        }
        let (group, rest) = name.split_once('.')?;
        let percentile = parse_percentile(rest)?;
        matches!(group, "latency" | "service_time").then(|| Metric(format!("{group}.p{percentile}")))
    }

    /// The name as rules write it; of the two spellings of a percentile the one with a point, `latency.p99.9`.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The quantile from 0 to 1, and whether of `service_time` rather than `latency`; `None` for other metrics.
    pub fn quantile(&self) -> Option<(bool, f64)> {
        let (group, rest) = self.0.split_once('.')?;
        Some((group == "service_time", parse_percentile(rest)? / 100.0))
    }

    /// The unit in which rules write its limit.
    pub fn unit(&self) -> Unit {
        match FIXED.iter().find(|(fixed, _)| *fixed == self.0) {
            Some((_, unit)) => *unit,
            None if self.0.starts_with("status.") || is_of_trigger(&self.0) => Unit::Count,
            None => Unit::Duration,
        }
    }

    /// Every name worth suggesting.
    pub fn names() -> impl Iterator<Item = String> {
        let percentiles = ["latency", "service_time"]
            .into_iter()
            .flat_map(|group| PERCENTILES.iter().map(move |p| format!("{group}.{p}")));
        let triggers =
            TRIGGERS.iter().flat_map(|trigger| ["leaks", "exposures"].map(|of| format!("dirty.{trigger}.{of}")));
        FIXED.iter().map(|(name, _)| (*name).to_owned()).chain(percentiles).chain(triggers)
    }
}

/// `dirty.TRIGGER.leaks` or `dirty.TRIGGER.exposures`.
fn is_of_trigger(name: &str) -> bool {
    let of = name.strip_prefix("dirty.").and_then(|rest| rest.split_once('.'));
    of.is_some_and(|(trigger, count)| TRIGGERS.contains(&trigger) && matches!(count, "leaks" | "exposures"))
}

fn is_status(code: &str) -> bool {
    code.len() == 3 && code.parse::<u16>().is_ok_and(|code| (100..1000).contains(&code))
}

/// `p50` is 50, `p99.9` and `p999` are 99.9, `p9999` is 99.99.
fn parse_percentile(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('p')?;
    if !digits.chars().all(|c| c.is_ascii_digit() || c == '.') || digits.starts_with('.') {
        return None;
    }
    let value: f64 = if digits.len() > 2 && digits.starts_with('9') && !digits.contains('.') {
        format!("{}.{}", &digits[..2], &digits[2..]).parse().ok()?
    } else {
        digits.parse().ok()?
    };
    (value > 0.0 && value <= 100.0).then_some(value)
}

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
                suggest_metric(name),
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

/// "did you mean" for a metric, else where the list is.
fn suggest_metric(name: &str) -> String {
    let best =
        Metric::names().map(|known| (strsim::jaro_winkler(name, &known), known)).max_by(|a, b| a.0.total_cmp(&b.0));
    match best {
        Some((score, known)) if score > 0.75 => format!("did you mean `{known}`?"),
        _ => format!("metrics are {}", Metric::names().collect::<Vec<_>>().join(", ")),
    }
}

fn longer(a: String, b: String) -> String {
    if b.len() > a.len() { b } else { a }
}

/// A value of a metric in the metric's unit.
fn quantity(value: f64, unit: Unit) -> Quantity {
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
    fn percentiles_have_two_spellings() {
        assert_eq!(Metric::parse("latency.p999"), Metric::parse("latency.p99.9"));
        let (service, q) = Metric::parse("service_time.p99.9").unwrap().quantile().unwrap();
        assert!(service && (q - 0.999).abs() < 1e-12);
        assert!(
            Metric::parse("latency.p101").is_none()
                && Metric::parse("latency.p0").is_none()
                && Metric::parse("latency.p").is_none()
        );
    }

    #[test]
    fn every_trigger_has_its_own_metrics() {
        for trigger in TRIGGERS {
            let metric = Metric::parse(&format!("dirty.{trigger}.leaks")).unwrap();
            assert_eq!(metric.unit(), Unit::Count);
            assert!(Metric::parse(&format!("dirty.{trigger}.exposures")).is_some());
        }
        assert!(Metric::parse("dirty.gates.leaks").is_none() && Metric::parse("dirty.gate.rate").is_none());
        assert!(Rule::parse("dirty.gat.leaks == 0").unwrap_err().help.contains("`dirty.gate.leaks`"));
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
