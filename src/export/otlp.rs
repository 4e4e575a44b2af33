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
        for variant in outcome.record.iter().flat_map(|record| &record.variants) {
            let labels = || vec![("scenario", outcome.name.clone()), ("variant", variant.name.clone())];
            let gauge = |figure: figures::ExportedFigure| GaugeSample {
                name: format!("runner.{}", figure.metric),
                unit: match figure.unit {
                    Unit::Duration => "s",
                    Unit::Rate => "1/s",
                    Unit::Percentage => "1",
                    Unit::Size => "By",
                    Unit::Count | Unit::Number => "",
                },
                value: figure.value,
                labels: labels(),
            };
            all.extend(figures::of(variant).into_iter().map(gauge));
        }
    }
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
