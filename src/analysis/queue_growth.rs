//! A queue that grows without end: more requests come than are answered, and those in flight are more with each moment.

use super::seconds::seconds;
use crate::record::LoadRecord;

/// Less than this share of the arrivals that are not answered may be a server that only warms up.
const SHARE: f64 = 0.02;
/// With fewer more in flight from the first third to the last, it may be chance; and with fewer than this many times the
/// square root of how many there were (arrivals by chance vary by that much).
const LEAST: f64 = 5.0;
const BY_CHANCE: f64 = 4.0;
/// The fewest moments to tell it from.
const MOMENTS: usize = 6;

/// How many more are in flight with each second, where that rose steadily. `in_flight` was taken every `every_s` seconds;
/// `rate` is that of arrivals, a second.
pub fn queue_growth(in_flight: &[f64], every_s: f64, rate: f64) -> Option<f64> {
    if in_flight.len() < MOMENTS {
        return None;
    }
    let third = in_flight.len() / 3;
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    let first = mean(&in_flight[..third]);
    let middle = mean(&in_flight[third..in_flight.len() - third]);
    let last = mean(&in_flight[in_flight.len() - third..]);
    let rises = first < middle && middle < last && last - first >= LEAST.max(BY_CHANCE * first.sqrt());
    // A queue that fills up to a limit rises at first only.
    let goes_on = last - middle >= 0.5 * (middle - first);
    // The middles of the first and the last third lie two thirds of the whole apart.
    let growth = (last - first) / ((in_flight.len() - third) as f64 * every_s);
    (rises && goes_on && growth >= SHARE * rate).then_some(growth)
}

/// The same of an open load, from its seconds.
pub fn of_load(load: &LoadRecord) -> Option<f64> {
    let open = load.open.as_ref()?;
    let seconds = seconds(&load.timeline);
    let whole = seconds.iter().filter(|second| second.length_s > 0.5);
    let mut count = 0.0;
    let in_flight: Vec<f64> = whole
        .map(|second| {
            count += second.started as f64 - (second.completed + second.failed) as f64;
            count
        })
        .collect();
    // A ramp is more with each second by itself.
    if load.stages.len() > 1 {
        return None;
    }
    queue_growth(&in_flight, 1.0, open.rate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{OpenLoadRecord, Second};

    #[test]
    fn a_queue_that_rises_to_the_end_grows() {
        let rising: Vec<f64> = (1..=12).map(|n| f64::from(n) * 10.0).collect();
        assert_eq!(queue_growth(&rising, 0.25, 200.0).map(f64::round), Some(40.0));
        assert_eq!(queue_growth(&rising, 0.25, 4000.0), None, "a hundredth of what comes");
        assert_eq!(queue_growth(&rising[..5], 0.25, 200.0), None, "too few to tell");
    }

    #[test]
    fn a_queue_that_settles_or_varies_does_not() {
        let settles: Vec<f64> = (1..=12).map(|n| f64::from(n.min(4)) * 10.0).collect();
        assert_eq!(queue_growth(&settles, 0.25, 100.0), None);
        let varies: Vec<f64> = (0..12).map(|n| f64::from(n * 7 % 5) + 40.0).collect();
        assert_eq!(queue_growth(&varies, 0.25, 100.0), None);
        let crosses: Vec<f64> = (0..12).map(|n| 20.0 + f64::from(n) / 3.0).collect();
        assert_eq!(queue_growth(&crosses, 0.25, 100.0), None, "as far as chance goes");
    }

    #[test]
    fn the_seconds_of_an_open_load_tell_it() {
        let second = |t_s: u32, completed| Second {
            t_s: f64::from(t_s),
            length_s: 1.0,
            started: 100,
            completed,
            ..Second::default()
        };
        let load = |completed, open| LoadRecord {
            timeline: (0..10).map(|t_s| second(t_s, completed)).collect(),
            open,
            ..LoadRecord::default()
        };
        let open = || Some(OpenLoadRecord { rate: 100.0, ..OpenLoadRecord::default() });
        assert_eq!(of_load(&load(80, open())).map(f64::round), Some(20.0));
        assert_eq!(of_load(&load(100, open())), None);
        assert_eq!(of_load(&load(80, None)), None, "users of the closed model wait");
    }
}
