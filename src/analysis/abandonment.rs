//! Clients that give up (abandonment, in queueing theory): a server that works its way through a queue whose front has left.

use super::seconds::seconds;
use crate::record::{LoadRecord, Second};

/// So much lower must the rate of responses be in the last second than in the first.
const FAR_LOWER: f64 = 3.0;

/// Most clients gave up, and from then on the server worked for clients that had left.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Abandonment {
    /// Responses a second until then.
    pub rate_before: f64,
}

/// Responses in the first second, hardly any in the last, and most requests timed out.
pub fn abandonment(load: &LoadRecord) -> Option<Abandonment> {
    let timeouts = load.errors.get("timeout").copied().unwrap_or(0);
    let whole = |row: &&Second| row.length_s > 0.5;
    let rate = |row: &Second| row.completed as f64 / row.length_s;
    let seconds = seconds(&load.timeline);
    let (first, last) = (rate(seconds.iter().find(whole)?), rate(seconds.iter().rev().find(whole)?));
    let most = timeouts.saturating_mul(2) > load.started;
    (most && first > 0.0 && first >= last * FAR_LOWER).then_some(Abandonment { rate_before: first })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A load whose seconds had this many responses, and of whose 100 requests this many timed out.
    fn load(responses: &[u64], timeouts: u64) -> LoadRecord {
        let second = |(t_s, completed): (usize, &u64)| Second {
            t_s: t_s as f64,
            length_s: 1.0,
            completed: *completed,
            ..Second::default()
        };
        let errors = [("timeout".to_owned(), timeouts)].into();
        LoadRecord {
            started: 100,
            timeline: responses.iter().enumerate().map(second).collect(),
            errors,
            ..LoadRecord::default()
        }
    }

    #[test]
    fn clients_gave_up_where_most_timed_out_and_responses_ceased() {
        assert_eq!(abandonment(&load(&[10, 10, 0], 51)), Some(Abandonment { rate_before: 10.0 }));
        assert_eq!(abandonment(&load(&[10, 10, 0], 50)), None, "half is not most");
        assert_eq!(abandonment(&load(&[10, 10, 9], 90)), None, "the server still responds");
        assert_eq!(abandonment(&load(&[0, 0, 0], 100)), None, "it never did");
    }
}
