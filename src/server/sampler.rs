//! What processes use, read from `/proc` about ten times a second.

use std::collections::BTreeMap;
use std::time::Duration;

use procfs::WithCurrentSystemInfo as _;
use procfs::process::Process;

use super::proc;

/// More rows than this are thinned out to half, so that a long run takes no more memory than a short one.
const MOST_ROWS: usize = 1200;

/// The last reading of each process, and a row for each time they were read. What is gone is kept as a sum, so that a
/// server that starts a process for each request takes no more memory than others.
#[derive(Debug, Default)]
pub(super) struct Sampler {
    readings: BTreeMap<u32, Reading>,
    gone_cpu: Duration,
    gone_switches: u64,
    rows: Vec<UsageRow>,
    /// One sample in this many becomes a row.
    every: u32,
    skipped: u32,
    rss_max: u64,
    threads_max: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Reading {
    stopped: bool,
    cpu: Duration,
    rss: u64,
    threads: u64,
    descriptors: u64,
    switches: u64,
}

/// What all processes of a server used at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct UsageRow {
    /// Since the start of the server.
    pub after: Duration,
    pub processes: u64,
    /// User and system time so far.
    pub cpu: Duration,
    /// Resident memory in bytes, pages that processes share counted for each.
    pub rss: u64,
    pub threads: u64,
    /// Open files and sockets.
    pub descriptors: u64,
    /// Context switches so far, wanted and unwanted.
    pub switches: u64,
}

/// What a server uses at the moment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct UsedNow {
    /// In use, over the last second.
    pub cores: f64,
    /// Resident memory in bytes.
    pub rss: u64,
}

/// What all processes of a server used together.
#[derive(Debug, Clone, Default)]
pub struct Usage {
    /// User and system time.
    pub cpu: Duration,
    /// Cores in use on average, from the first sample to the last.
    pub cpu_mean: f64,
    /// The most resident memory at once, in bytes.
    pub rss_max: u64,
    /// The most threads at once.
    pub threads_max: u64,
    pub rows: Vec<UsageRow>,
}

impl Sampler {
    /// Reads the processes that are there now; returns those that are not any more.
    pub fn sample(&mut self, pids: &[u32], after: Duration) -> Vec<u32> {
        if proc::unusable().is_some() {
            return Vec::new();
        }
        let gone: Vec<u32> = self.readings.keys().copied().filter(|pid| !pids.contains(pid)).collect();
        for reading in gone.iter().filter_map(|pid| self.readings.remove(pid)) {
            self.gone_cpu += reading.cpu;
            self.gone_switches += reading.switches;
        }
        for pid in pids {
            if let Some(reading) = read(*pid) {
                self.readings.insert(*pid, reading);
            }
        }
        self.note(after);
        gone
    }

    fn note(&mut self, after: Duration) {
        let alive = || self.readings.values();
        let row = UsageRow {
            after,
            processes: alive().count() as u64,
            cpu: self.cpu(),
            rss: alive().map(|reading| reading.rss).sum(),
            threads: alive().map(|reading| reading.threads).sum(),
            descriptors: alive().map(|reading| reading.descriptors).sum(),
            switches: self.gone_switches + alive().map(|reading| reading.switches).sum::<u64>(),
        };
        self.rss_max = self.rss_max.max(row.rss);
        self.threads_max = self.threads_max.max(row.threads);
        self.skipped += 1;
        if self.skipped < self.every {
            return;
        }
        self.skipped = 0;
        self.rows.push(row);
        if self.rows.len() > MOST_ROWS {
            let mut index = 0;
            self.rows.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.every = self.every.max(1) * 2;
        }
    }

    /// A live process that a signal has stopped, if there is one.
    pub fn stopped(&self) -> Option<u32> {
        self.readings.iter().find(|(_, reading)| reading.stopped).map(|(pid, _)| *pid)
    }

    /// User and system time of all processes, also of those that are gone.
    fn cpu(&self) -> Duration {
        self.gone_cpu + self.readings.values().map(|reading| reading.cpu).sum::<Duration>()
    }

    /// What is used at the moment: cores over the last second, and memory.
    pub fn now(&self) -> Option<UsedNow> {
        let last = self.rows.last()?;
        let is_old = |row: &&UsageRow| last.after.saturating_sub(row.after) >= Duration::from_secs(1);
        let before = self.rows.iter().rev().find(is_old).or(self.rows.first())?;
        let span = last.after.saturating_sub(before.after).as_secs_f64();
        let cpu = last.cpu.saturating_sub(before.cpu).as_secs_f64();
        Some(UsedNow { cores: if span > 0.0 { cpu / span } else { 0.0 }, rss: last.rss })
    }

    pub fn usage(&self) -> Usage {
        let (first, last) =
            (self.rows.first().copied().unwrap_or_default(), self.rows.last().copied().unwrap_or_default());
        let span = last.after.saturating_sub(first.after).as_secs_f64();
        let used = last.cpu.saturating_sub(first.cpu).as_secs_f64();
        Usage {
            cpu: self.cpu(),
            cpu_mean: if span > 0.0 { used / span } else { 0.0 },
            rss_max: self.rss_max,
            threads_max: self.threads_max,
            rows: self.rows.clone(),
        }
    }
}

/// `None` if the process is gone, has ended, or is not ours to look at.
fn read(pid: u32) -> Option<Reading> {
    let process = Process::new(i32::try_from(pid).ok()?).ok()?;
    let stat = process.stat().ok()?;
    if matches!(stat.state, 'Z' | 'X') {
        return None;
    }
    let ticks = (stat.utime + stat.stime) as f64;
    let switches = process.status().map_or(0, |status| {
        status.voluntary_ctxt_switches.unwrap_or(0) + status.nonvoluntary_ctxt_switches.unwrap_or(0)
    });
    Some(Reading {
        stopped: stat.state == 'T',
        cpu: Duration::from_secs_f64(ticks / procfs::ticks_per_second() as f64),
        rss: stat.rss_bytes().get(),
        threads: u64::try_from(stat.num_threads).unwrap_or(0),
        descriptors: process.fd_count().map_or(0, |count| count as u64),
        switches,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_something() {
        let mut sampler = Sampler::default();
        let pid = std::process::id();
        sampler.sample(&[pid], Duration::ZERO);
        let usage = sampler.usage();
        assert!(usage.rss_max > 0 && usage.threads_max > 0 && usage.rows[0].descriptors > 0);
        assert_eq!(sampler.sample(&[], Duration::from_millis(100)), [pid]);
        assert_eq!(sampler.usage().rss_max, usage.rss_max);
    }

    #[test]
    fn rows_are_bounded() {
        let mut sampler = Sampler::default();
        for sample in 0..10_000 {
            sampler.sample(&[], Duration::from_millis(100 * sample));
        }
        let rows = sampler.usage().rows;
        assert!(rows.len() <= MOST_ROWS && rows.len() > MOST_ROWS / 4, "{}", rows.len());
        assert!(rows.windows(2).all(|pair| pair[0].after < pair[1].after));
    }
}
