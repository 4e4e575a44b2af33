//! The rate that a server keeps while nothing else takes the machine's time.
//!
//! What disturbs a trial (another tenant of the host, a job of the system) makes it slower and never faster, for a moment or for
//! most of it. So of the rates of its rows the upper end is the same in each trial, where the mean is not (as hyperfine's
//! minimum of times; Chen, Revels, "Robust benchmarking in noisy environments", 2016).

use crate::record::LoadRecord;

/// So many rows at least: of fewer the upper end is one row.
const FEWEST_ROWS: usize = 10;
/// So many responses a row on average: with fewer, rows differ by how responses fall into them.
const FEWEST_RESPONSES: f64 = 100.0;
/// This share of the rows is faster.
const FASTER: f64 = 0.1;
/// Half of the rows are within this share of that rate, or the load comes in bursts, and its rows tell nothing.
const STEADY: f64 = 0.75;

/// The rate that one row in ten exceeds, of a load of the closed model whose rows are alike; in good responses a second.
pub fn undisturbed_rate(load: &LoadRecord) -> Option<f64> {
    if load.model != "closed" {
        return None;
    }
    let usual = load.timeline.first()?.length_s;
    let whole = load.timeline.iter().filter(|row| row.length_s > usual * 0.999);
    let mut rates: Vec<f64> = whole.map(|row| (row.completed - row.error_status) as f64 / usual).collect();
    let mean = rates.iter().sum::<f64>() / rates.len().max(1) as f64;
    if rates.len() < FEWEST_ROWS || mean * usual < FEWEST_RESPONSES {
        return None;
    }
    rates.sort_by(f64::total_cmp);
    let upper = rates[((1.0 - FASTER) * (rates.len() - 1) as f64).round() as usize];
    (rates[rates.len() / 2] >= STEADY * upper).then_some(upper)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Second;

    fn rate(rows: &[u64]) -> Option<f64> {
        let row = |(number, completed): (usize, &u64)| Second {
            t_s: number as f64 / 10.0,
            length_s: 0.1,
            completed: *completed,
            ..Second::default()
        };
        let timeline = rows.iter().enumerate().map(row).collect();
        undisturbed_rate(&LoadRecord { model: "closed".to_owned(), timeline, ..LoadRecord::default() })
    }

    #[test]
    fn what_disturbs_a_third_of_a_trial_does_not_count() {
        let quiet = [240, 241, 239, 240, 240, 241, 240, 239, 240, 240, 241, 240];
        let mut disturbed = quiet;
        disturbed[3..7].copy_from_slice(&[120, 60, 200, 180]);
        assert_eq!((rate(&quiet), rate(&disturbed)), (Some(2410.0), Some(2410.0)));
    }

    #[test]
    fn bursts_few_rows_and_few_responses_tell_nothing() {
        assert_eq!(rate(&[500, 0, 500, 0, 0, 500, 0, 500, 0, 500, 0, 0]), None);
        assert_eq!(rate(&[240; 9]), None);
        assert_eq!(rate(&[40; 20]), None);
        assert_eq!(rate(&[]), None);
    }
}
