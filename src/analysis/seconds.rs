//! The rows of a load's timeline, joined to seconds: what is told of a second is told of each load alike.

use crate::record::Second;

/// Rows with fewer responses than this on average, drawn one by one, would show nothing but that they come one by one.
const FEWEST: f64 = 10.0;

/// A row for each second, whatever the rows of the timeline are.
pub fn seconds(timeline: &[Second]) -> Vec<Second> {
    // The times are multiples of the rows' length, to the thousandth.
    timeline.chunk_by(|one, other| (one.t_s + 1e-6).floor() == (other.t_s + 1e-6).floor()).map(joined).collect()
}

/// The rows of a timeline as they can be drawn: joined to seconds where most hold next to nothing.
pub fn drawable(timeline: &[Second]) -> Vec<Second> {
    let responses: u64 = timeline.iter().map(|row| row.completed).sum();
    if (responses as f64) < FEWEST * timeline.len() as f64 { seconds(timeline) } else { timeline.to_vec() }
}

/// Rows, one after another, as one; at least one of them.
pub fn joined(rows: &[Second]) -> Second {
    let sum = |of: fn(&Second) -> u64| rows.iter().map(of).sum::<u64>();
    let completed = sum(|row| row.completed);
    let waited: f64 = rows.iter().filter_map(|row| Some(row.latency_mean_us? * row.completed as f64)).sum();
    Second {
        t_s: rows.first().map_or(0.0, |row| row.t_s),
        length_s: rows.iter().map(|row| row.length_s).sum(),
        started: sum(|row| row.started),
        completed,
        failed: sum(|row| row.failed),
        error_status: sum(|row| row.error_status),
        latency_mean_us: (completed > 0).then(|| waited / completed as f64),
        latency_max_us: rows.iter().filter_map(|row| row.latency_max_us).reduce(f64::max),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of a tenth of a second with so many responses each.
    fn tenths(responses: &[u64]) -> Vec<Second> {
        let row = |(number, completed): (usize, &u64)| Second {
            t_s: number as f64 / 10.0,
            length_s: 0.1,
            completed: *completed,
            latency_mean_us: (*completed > 0).then_some(*completed as f64),
            latency_max_us: (*completed > 0).then_some(number as f64),
            ..Second::default()
        };
        responses.iter().enumerate().map(row).collect()
    }

    #[test]
    fn tenths_of_a_second_are_joined_and_seconds_stay() {
        let joined = seconds(&tenths(&[[3u64; 10], [1; 10]].concat()[..15]));
        assert_eq!(joined.iter().map(|row| (row.t_s, row.completed)).collect::<Vec<_>>(), [(0.0, 30), (1.0, 5)]);
        assert!((joined[1].length_s - 0.5).abs() < 1e-9);
        assert_eq!((joined[0].latency_mean_us, joined[0].latency_max_us), (Some(3.0), Some(9.0)));
        assert_eq!(seconds(&joined).len(), 2);
    }

    #[test]
    fn rows_that_hold_next_to_nothing_are_drawn_as_seconds() {
        assert_eq!(drawable(&tenths(&[1; 20])).len(), 2);
        assert_eq!(drawable(&tenths(&[10; 20])).len(), 20);
        assert!(drawable(&[]).is_empty());
    }
}
