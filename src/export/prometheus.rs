//! The figures of a night in the text format of Prometheus: for its node exporter's text files, a Pushgateway, and the metrics
//! reports of GitLab.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{ScenarioOutcome, figures};
use crate::report::one_line;
use crate::rule::Unit;

/// The metrics, each with its help and type, as gauges. Ends in a line break.
pub fn prometheus(outcomes: &[ScenarioOutcome]) -> String {
    // By name: all samples of a metric stand together.
    let mut families: BTreeMap<String, (String, Vec<String>)> = BTreeMap::new();
    let mut add = |name: String, help: String, labels: &[(&str, &str)], value: f64| {
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", label(value))).collect();
        let sample = format!("{name}{{{}}} {value}", labels.join(","));
        families.entry(name).or_insert_with(|| (help, Vec::new())).1.push(sample);
    };
    for outcome in outcomes {
        let ok = f64::from(u8::from(outcome.is_well()));
        let help = "Whether the scenario passed: 1, else 0.".to_owned();
        add("runner_scenario_ok".to_owned(), help, &[("scenario", &outcome.name), ("state", outcome.state())], ok);
    }
    for (scenario, variant, figure) in figures::all(outcomes) {
        let (suffix, unit) = match figure.unit {
            Unit::Duration => ("_seconds", ", in seconds"),
            Unit::Rate => ("_per_second", ", a second"),
            Unit::Percentage => ("_ratio", ", from 0 to 1"),
            Unit::Size => ("_bytes", ", in bytes"),
            Unit::Count | Unit::Number => ("", ""),
        };
        let name = format!("runner_{}{suffix}", figure.metric.replace(|c: char| !c.is_ascii_alphanumeric(), "_"));
        let help = format!("{} of a variant, median over its trials{unit}.", figure.metric);
        add(name, help, &[("scenario", scenario), ("variant", variant)], figure.value);
    }
    let mut out = String::new();
    for (name, (help, samples)) in families {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge");
        out += &(samples.join("\n") + "\n");
    }
    out
}

fn label(text: &str) -> String {
    one_line(text).replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::tests::outcomes;

    #[test]
    fn each_metric_has_its_help_its_type_and_its_samples() {
        let text = prometheus(&outcomes());
        assert!(
            text.contains(
                "# TYPE runner_scenario_ok gauge\nrunner_scenario_ok{scenario=\"dirty\",state=\"failed\"} 0\n"
            )
        );
        assert!(text.contains("runner_dirty_leaks{scenario=\"dirty\",variant="), "{text}");
        let names: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
        let distinct: std::collections::HashSet<&&str> = names.iter().collect();
        assert_eq!(names.len(), distinct.len(), "{text}");
        assert_eq!(label("a\"b\\c\nd"), "a\\\"b\\\\c d");
    }
}
