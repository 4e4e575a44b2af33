//! What a load thread keeps of its exchanges: histograms and a row for each second, of a short load for each tenth of one.

mod by_status;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::exchange::{Exchange, Failure, HIGHEST_STATUS, Outcome};
use crate::stats::{Half, Latencies, nanos};

/// A shorter load has rows of a tenth of a second: a line of few points says nothing.
const SHORT: Duration = Duration::from_secs(20);
/// How long rows are, in nanoseconds.
const TENTH: u64 = 100_000_000;
const SECOND: u64 = 1_000_000_000;

/// What happened in a stretch of the measured part, whenever the requests had been due.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineRow {
    pub started: u64,
    pub completed: u64,
    pub failed: u64,
    /// Responses of 400 and above among the completed.
    pub error_status: u64,
    /// In nanoseconds, as this is added up for every request.
    pub latency_sum: u64,
    pub latency_max: u64,
}

/// A fold over exchanges: record, merge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recorder {
    /// The measured part, in nanoseconds of the run's clock: this is computed for every request.
    begin: u64,
    middle: u64,
    end: u64,
    pub latency: Latencies,
    pub service_time: Latencies,
    pub completed: u64,
    pub failures: [u64; Failure::ALL.len()],
    pub unanswered: u64,
    /// Responses by status code; the index is the code.
    #[serde(with = "by_status")]
    pub status: Vec<u64>,
    /// Read for the responses that arrived within the measured part.
    pub bytes: u64,
    pub rows: Vec<TimelineRow>,
    /// How long each of them is, in nanoseconds.
    row_length: u64,
    /// Responses below 400 that arrived within the measured part, to requests that were due before.
    pub good_of_warmup: u64,
}

impl Recorder {
    /// Requests that were due from `begin` on count; `end` is when the last may start.
    pub fn new(begin: Duration, end: Duration) -> Self {
        Recorder {
            begin: nanos(begin),
            middle: nanos(begin.saturating_add(end.saturating_sub(begin) / 2)),
            end: nanos(end),
            latency: Latencies::default(),
            service_time: Latencies::default(),
            completed: 0,
            failures: [0; Failure::ALL.len()],
            unanswered: 0,
            status: vec![0; usize::from(HIGHEST_STATUS) + 1],
            bytes: 0,
            rows: Vec::new(),
            row_length: if end.saturating_sub(begin) < SHORT { TENTH } else { SECOND },
            good_of_warmup: 0,
        }
    }

    /// Takes one exchange, for which `bytes` were read. One that was due in the warm-up counts for nothing but the
    /// second, and so the throughput and the bytes, that its response arrived in.
    pub fn record(&mut self, exchange: &Exchange, bytes: u64) {
        let (intended, done) = (nanos(exchange.intended), nanos(exchange.done));
        let waited = done.saturating_sub(intended);
        if (self.begin..self.end).contains(&done) {
            self.note_end(done, waited, exchange.outcome);
            self.bytes += bytes;
        }
        if intended < self.begin {
            let good = matches!(exchange.outcome, Outcome::Answered(..400));
            self.good_of_warmup += u64::from(good && (self.begin..self.end).contains(&done));
            return;
        }
        self.row(intended).started += 1;
        let served = exchange.sent.map_or(0, |sent| done.saturating_sub(nanos(sent)));
        let half = self.half(intended);
        match exchange.outcome {
            Outcome::Answered(status) => {
                self.completed += 1;
                self.latency.answered(half, waited);
                self.service_time.answered(half, served);
                self.status[usize::from(status.min(HIGHEST_STATUS))] += 1;
            }
            // A response might have come still: both were cut off.
            Outcome::Failed(Failure::Timeout) | Outcome::Unanswered => {
                self.latency.cut(half, waited);
                self.service_time.cut(half, served);
            }
            Outcome::Failed(_) => {
                self.latency.failed(waited);
                self.service_time.failed(served);
            }
        }
        match exchange.outcome {
            Outcome::Answered(_) => {}
            Outcome::Failed(failure) => self.failures[failure as usize] += 1,
            Outcome::Unanswered => self.unanswered += 1,
        }
    }

    /// The half in which a request was due, by a time in nanoseconds.
    pub(super) fn half(&self, intended: u64) -> Half {
        if intended < self.middle { Half::First } else { Half::Second }
    }

    /// Counts a request in the second that it ended in.
    fn note_end(&mut self, done: u64, waited: u64, outcome: Outcome) {
        let row = self.row(done);
        match outcome {
            Outcome::Answered(status) => {
                row.completed += 1;
                row.error_status += u64::from(status >= 400);
                row.latency_sum += waited;
                row.latency_max = row.latency_max.max(waited);
            }
            Outcome::Failed(_) => row.failed += 1,
            Outcome::Unanswered => {}
        }
    }

    /// Adds what another recorder counted.
    pub fn merge(&mut self, other: &Recorder) {
        self.latency.merge(&other.latency);
        self.service_time.merge(&other.service_time);
        self.completed += other.completed;
        self.unanswered += other.unanswered;
        self.bytes += other.bytes;
        self.good_of_warmup += other.good_of_warmup;
        add(&mut self.failures, &other.failures);
        add(&mut self.status, &other.status);
        for (number, theirs) in other.rows.iter().enumerate() {
            let row = self.row_at(number);
            row.started += theirs.started;
            row.completed += theirs.completed;
            row.failed += theirs.failed;
            row.error_status += theirs.error_status;
            row.latency_sum += theirs.latency_sum;
            row.latency_max = row.latency_max.max(theirs.latency_max);
        }
    }

    /// All that counts: completed, failed and unanswered.
    pub fn started(&self) -> u64 {
        self.completed + self.failed() + self.unanswered
    }

    /// Responses below 400 that arrived within the measured part.
    pub fn good_in_time(&self) -> u64 {
        self.rows.iter().map(|row| row.completed - row.error_status).sum()
    }

    /// Requests without a whole response that none would have come for, of every kind.
    pub fn failed(&self) -> u64 {
        self.failures.iter().sum()
    }

    /// When the measured part begins and when the last request may start.
    pub fn measured_part(&self) -> (Duration, Duration) {
        (Duration::from_nanos(self.begin), Duration::from_nanos(self.end))
    }

    /// How long each of the rows is.
    pub fn row_length(&self) -> Duration {
        Duration::from_nanos(self.row_length)
    }

    /// Bounded by the longest duration and time-out: a day of seconds each.
    #[inline]
    fn row(&mut self, time: u64) -> &mut TimelineRow {
        let time = time.saturating_sub(self.begin);
        // Computed twice a request: a division by a constant is a multiplication.
        let number = if self.row_length == TENTH { time / TENTH } else { time / SECOND };
        self.row_at(number as usize)
    }

    #[inline]
    fn row_at(&mut self, number: usize) -> &mut TimelineRow {
        if number >= self.rows.len() {
            self.grow_to(number);
        }
        &mut self.rows[number]
    }

    /// Once a row, apart from what is done for every request.
    #[cold]
    #[inline(never)]
    fn grow_to(&mut self, number: usize) {
        self.rows.resize(number + 1, TimelineRow::default());
    }
}

fn add(mine: &mut [u64], theirs: &[u64]) {
    mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| *mine += theirs);
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn exchange(intended: u64, done: u64, outcome: Outcome) -> Exchange {
        Exchange { intended: at(intended), sent: Some(at(intended)), first_byte: None, done: at(done), outcome }
    }

    #[test]
    fn every_started_request_is_in_exactly_one_count() {
        let mut recorder = Recorder::new(at(1000), at(3000));
        recorder.record(&exchange(1000, 1100, Outcome::Answered(200)), 10);
        recorder.record(&exchange(1100, 2200, Outcome::Answered(503)), 10);
        recorder.record(&exchange(1100, 2500, Outcome::Failed(Failure::Timeout)), 10);
        recorder.record(&exchange(2900, 3400, Outcome::Unanswered), 10);
        assert_eq!((recorder.started(), recorder.completed, recorder.failed(), recorder.unanswered), (4, 2, 1, 1));
        assert_eq!((recorder.latency.len(), recorder.latency.answered_len()), (4, 2));
        assert_eq!((recorder.status[200], recorder.status[503], recorder.good_in_time()), (1, 1, 1));
        assert_eq!(recorder.bytes, 30, "the last was over after the end");
        let rows = recorder.rows.iter().enumerate().map(|(n, row)| (n, row.started, row.completed, row.failed));
        let rows: Vec<_> = rows.filter(|(_, started, completed, failed)| started + completed + failed > 0).collect();
        assert_eq!(rows, [(0, 1, 0, 0), (1, 2, 1, 0), (12, 0, 1, 0), (15, 0, 0, 1), (19, 1, 0, 0)]);
    }

    #[test]
    fn the_warm_up_counts_for_nothing_but_the_throughput_it_arrived_in() {
        let mut recorder = Recorder::new(at(1000), at(3000));
        recorder.record(&exchange(500, 900, Outcome::Answered(200)), 10);
        recorder.record(&exchange(950, 1050, Outcome::Answered(200)), 10);
        recorder.record(&exchange(950, 1060, Outcome::Answered(503)), 10);
        recorder.record(&exchange(950, 3060, Outcome::Answered(200)), 10);
        assert_eq!(
            (recorder.started(), recorder.good_in_time(), recorder.latency.len(), recorder.bytes),
            (0, 1, 0, 20)
        );
        assert_eq!(recorder.good_of_warmup, 1);
        recorder.merge(&recorder.clone());
        assert_eq!(recorder.good_of_warmup, 2);
    }

    #[test]
    fn a_long_load_has_a_row_a_second() {
        let mut recorder = Recorder::new(at(1000), at(21_000));
        recorder.record(&exchange(1000, 3100, Outcome::Answered(200)), 10);
        assert_eq!((recorder.rows.len(), recorder.rows[2].completed), (3, 1));
        assert_eq!(recorder.row_length(), at(1000));
    }

    #[test]
    fn merging_adds_everything_up() {
        let mut one = Recorder::new(at(0), at(3000));
        let mut two = one.clone();
        one.record(&exchange(0, 100, Outcome::Answered(200)), 10);
        two.record(&exchange(2000, 2100, Outcome::Answered(200)), 10);
        two.record(&exchange(0, 100, Outcome::Failed(Failure::Closed)), 10);
        one.merge(&two);
        assert_eq!((one.started(), one.rows.len(), one.rows[0].started, one.rows[21].completed), (3, 22, 2, 1));
    }
}
