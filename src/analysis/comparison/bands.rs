//! Conditions in a row under which one alternative can be recommended.

use crate::record::{BandRecord, ConditionRecord};

/// The fewest bands: each goes on for as long as one alternative is the best, or not seen to be worse, under every condition of it.
pub(super) fn bands(conditions: &[ConditionRecord]) -> Vec<BandRecord> {
    let mut bands: Vec<BandRecord> = Vec::new();
    for (index, condition) in conditions.iter().enumerate() {
        let good = as_good(condition);
        if good.is_empty() {
            continue;
        }
        let joined = bands.last().map(|band| common(&band.alternatives, &good)).filter(|common| !common.is_empty());
        match (bands.last_mut(), joined) {
            (Some(band), Some(common)) if band.last + 1 == index => {
                (band.last, band.alternatives) = (index, common);
            }
            _ => bands.push(BandRecord { first: index, last: index, alternatives: good }),
        }
    }
    for band in &mut bands {
        let within = &conditions[band.first..=band.last];
        band.alternatives.sort_by(|a, b| shortfall(within, *a).total_cmp(&shortfall(within, *b)));
    }
    bands
}

/// The best under a condition and those that are not seen to be worse, by index.
fn as_good(condition: &ConditionRecord) -> Vec<usize> {
    let others = condition.versus.iter().filter(|versus| !versus.outcome.differs()).map(|versus| versus.alternative);
    condition.best.into_iter().chain(others).collect()
}

fn common(one: &[usize], other: &[usize]) -> Vec<usize> {
    one.iter().copied().filter(|alternative| other.contains(alternative)).collect()
}

/// By what factor an alternative was behind the best of each condition, all together, as a logarithm.
fn shortfall(conditions: &[ConditionRecord], alternative: usize) -> f64 {
    let behind = |condition: &ConditionRecord| {
        let versus = condition.versus.iter().find(|versus| versus.alternative == alternative);
        versus.map_or(0.0, |versus| versus.ratio.value.ln())
    };
    conditions.iter().map(behind).sum()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::compare;
    use super::super::grid::tests::variant;
    use super::*;

    /// Bands of alternatives a and b, whose single trials had these throughputs at sleeps of 1, 2, 3 ... ms.
    fn of(a: &[f64], b: &[f64]) -> Vec<BandRecord> {
        let at = |server: &str, rates: &[f64]| {
            let one = |(index, rate): (usize, &f64)| {
                variant(json!({ "server": server, "load.sleep": format!("{}ms", index + 1) }), &[*rate])
            };
            rates.iter().enumerate().map(one).collect::<Vec<_>>()
        };
        compare(&[at("a", a), at("b", b)].concat()).unwrap().bands
    }

    fn band(first: usize, last: usize, alternatives: &[usize]) -> BandRecord {
        BandRecord { first, last, alternatives: alternatives.to_vec() }
    }

    #[test]
    fn a_band_ends_where_another_is_better() {
        assert_eq!(of(&[90.0, 50.0, 10.0], &[40.0, 90.0, 90.0]), [band(0, 0, &[0]), band(1, 2, &[1])]);
        assert_eq!(of(&[10.0, 10.0], &[40.0, 90.0]), [band(0, 1, &[1])]);
    }

    #[test]
    fn where_no_difference_is_seen_the_band_of_the_neighbour_goes_on() {
        assert_eq!(of(&[100.0, 10.0], &[99.0, 90.0]), [band(0, 1, &[1])]);
        assert_eq!(of(&[100.0, 101.0], &[99.0, 99.0]), [band(0, 1, &[0, 1])]);
    }
}
