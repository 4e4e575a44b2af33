//! What processes use, read from `/proc`.

use std::collections::BTreeMap;
use std::time::Duration;

use procfs::WithCurrentSystemInfo as _;
use procfs::process::Process;

/// The last reading of each process. A process that is gone keeps its last.
#[derive(Debug, Default)]
pub(super) struct Sampler {
    readings: BTreeMap<u32, Reading>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Reading {
    cpu: Duration,
    rss_peak: u64,
    threads: u64,
}

/// What all processes of a server used together.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// User and system time.
    pub cpu: Duration,
    /// Cores in use on average over the server's life.
    pub cpu_mean: f64,
    /// The sum of each process's peak, in bytes.
    pub rss_peak: u64,
    /// The most threads seen at once.
    pub threads_max: u64,
}

impl Sampler {
    pub fn sample(&mut self, pids: impl Iterator<Item = u32>) {
        for pid in pids {
            if let Some(reading) = read(pid) {
                let known = self.readings.entry(pid).or_default();
                let threads = known.threads.max(reading.threads);
                *known = Reading { threads, ..reading };
            }
        }
    }

    pub fn usage(&self, life: Duration) -> Usage {
        let cpu: Duration = self.readings.values().map(|reading| reading.cpu).sum();
        Usage {
            cpu,
            cpu_mean: cpu.as_secs_f64() / life.as_secs_f64().max(1e-9),
            rss_peak: self.readings.values().map(|reading| reading.rss_peak).sum(),
            threads_max: self.readings.values().map(|reading| reading.threads).sum(),
        }
    }
}

/// `None` if the process is gone or not ours to look at.
fn read(pid: u32) -> Option<Reading> {
    let process = Process::new(i32::try_from(pid).ok()?).ok()?;
    let stat = process.stat().ok()?;
    let status = process.status().ok()?;
    let ticks = (stat.utime + stat.stime) as f64;
    let resident = stat.rss_bytes().get();
    Some(Reading {
        cpu: Duration::from_secs_f64(ticks / procfs::ticks_per_second() as f64),
        rss_peak: status.vmhwm.map_or(resident, |kilobytes| kilobytes * 1024),
        threads: u64::try_from(stat.num_threads).unwrap_or(0),
    })
}
