//! The figures of a night as one flat JSON object.

use serde_json::{Map, Value};

use super::{ScenarioOutcome, figures};

/// `{"scenario/variant/metric": number}`, in the base units of the metrics (seconds, per second, a fraction, bytes), and
/// `scenario/ok`: 1 where it passed, else 0. Ends in a line break.
pub fn metrics(outcomes: &[ScenarioOutcome]) -> String {
    let mut all = Map::new();
    for outcome in outcomes {
        all.insert(format!("{}/ok", outcome.name), Value::from(u8::from(outcome.is_well())));
    }
    for (scenario, variant, figure) in figures::all(outcomes) {
        all.insert(format!("{scenario}/{variant}/{}", figure.metric), Value::from(figure.value));
    }
    format!("{:#}\n", Value::Object(all))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::tests::outcomes;

    #[test]
    fn every_value_is_a_number() {
        let text = metrics(&outcomes());
        let all: Map<String, Value> = serde_json::from_str(&text).unwrap();
        assert!(all.values().all(Value::is_number) && all["dirty/ok"] == 0 && all["slower/ok"] == 0, "{text}");
        assert!(all.keys().any(|key| key.ends_with("/dirty.leaks")), "{text}");
    }
}
