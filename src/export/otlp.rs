//! The figures of a night as gauges of OpenTelemetry.

use super::{ScenarioOutcome, figures};
use crate::rule::Unit;
use crate::telemetry::GaugeSample;

/// A gauge for each figure of each variant, `runner.METRIC`, and `runner.scenario.ok`.
pub fn gauges(outcomes: &[ScenarioOutcome]) -> Vec<GaugeSample> {
    let mut all = Vec::new();
    for outcome in outcomes {
        all.push(GaugeSample {
            name: "runner.scenario.ok".to_owned(),
            unit: "",
            value: f64::from(u8::from(outcome.is_well())),
            labels: vec![("scenario", outcome.name.clone())],
        });
    }
    all.extend(figures::all(outcomes).map(|(scenario, variant, figure)| GaugeSample {
        name: format!("runner.{}", figure.metric),
        unit: match figure.unit {
            Unit::Duration => "s",
            Unit::Rate => "1/s",
            Unit::Percentage => "1",
            Unit::Size => "By",
            Unit::Count | Unit::Number => "",
        },
        value: figure.value,
        labels: vec![("scenario", scenario.to_owned()), ("variant", variant.to_owned())],
    }));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::tests::outcomes;

    #[test]
    fn every_figure_is_a_gauge_with_its_scenario() {
        let all = gauges(&outcomes());
        assert!(all.iter().any(|gauge| gauge.name == "runner.dirty.bound" && gauge.unit == "1"));
        assert!(all.iter().all(|gauge| gauge.labels[0].0 == "scenario"));
    }
}
