//! What the processes of a server, and runner itself, did while a step was watched.

use std::time::Duration;

use crate::record::CpuRecord;
use crate::server::{ListenerUse, ListenerView};

/// A shorter time says too little: the system counts CPU time in steps of 10 ms.
const SHORTEST: Duration = Duration::from_millis(100);

/// What both had used at some moment.
#[derive(Debug)]
struct Reading {
    at: Duration,
    server: ListenerUse,
    generator: ListenerUse,
}

/// Reads at the beginning and at the end of a part of a step.
pub(super) struct UsageWatch<'a> {
    view: Option<&'a ListenerView>,
    /// From when on all connections are there.
    connected: Duration,
    begin: Duration,
    end: Duration,
    first: Option<Reading>,
    last: Option<Reading>,
    /// Of each worker; `None` before they were counted.
    connections: Option<Vec<u32>>,
}

impl<'a> UsageWatch<'a> {
    /// There are no processes of the server where nobody can see them.
    pub fn new(view: Option<&'a ListenerView>, connected: Duration, begin: Duration, end: Duration) -> Self {
        UsageWatch { view, connected, begin, end, first: None, last: None, connections: None }
    }

    /// It is so late now.
    pub fn look(&mut self, now: Duration) {
        // Before anything else is read: it may take milliseconds.
        if self.connections.is_none() && now >= self.connected {
            self.connections = Some(self.view.map(ListenerView::connections).unwrap_or_default());
        }
        if self.first.is_none() && now >= self.begin {
            self.first = Some(self.read(now));
        }
        if self.last.is_none() && now >= self.end {
            self.last = Some(self.read(now));
        }
    }

    fn read(&self, at: Duration) -> Reading {
        let server = self.view.map_or_else(ListenerUse::default, |view| ListenerUse::of(&view.processes()));
        Reading { at, server, generator: ListenerUse::of(&[std::process::id()]) }
    }

    /// The connections that each worker had; empty where they cannot be seen.
    pub fn connections(&mut self) -> Vec<u32> {
        self.connections.take().unwrap_or_default()
    }

    /// What the server did, and runner.
    pub fn used(&self) -> (Option<CpuRecord>, Option<CpuRecord>) {
        let (Some(first), Some(last)) = (&self.first, &self.last) else { return (None, None) };
        let lasted = last.at.saturating_sub(first.at);
        (between(&first.server, &last.server, lasted), between(&first.generator, &last.generator, lasted))
    }
}

/// Without a thread nobody was seen.
fn between(before: &ListenerUse, after: &ListenerUse, lasted: Duration) -> Option<CpuRecord> {
    let share = |time: Duration| time.as_secs_f64() / lasted.as_secs_f64();
    (lasted >= SHORTEST && before.threads > 0 && after.threads > 0).then(|| CpuRecord {
        cores: share(after.cpu.saturating_sub(before.cpu)),
        busiest: share(after.busiest_since(before)).min(1.0),
        threads: after.threads,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_used_between_the_two_readings_counts() {
        let used = |ms, threads| {
            let mut used = ListenerUse::default();
            (used.cpu, used.threads) = (Duration::from_millis(ms), threads);
            used
        };
        let cpu = between(&used(100, 3), &used(350, 4), Duration::from_millis(500));
        assert_eq!(cpu, Some(CpuRecord { cores: 0.5, busiest: 0.0, threads: 4 }));
        assert_eq!(between(&used(0, 1), &used(50, 1), Duration::from_millis(50)), None, "too short");
        assert_eq!(between(&used(0, 0), &used(0, 0), Duration::from_secs(1)), None, "nobody is seen");
    }

    #[test]
    fn it_is_read_once_from_the_begin_on_and_once_from_the_end_on() {
        let mut watch =
            UsageWatch::new(None, Duration::from_millis(50), Duration::from_millis(100), Duration::from_millis(300));
        for ms in [50, 101, 200, 302, 400] {
            watch.look(Duration::from_millis(ms));
        }
        let at = |reading: &Option<Reading>| reading.as_ref().map(|reading| reading.at).unwrap();
        assert_eq!(at(&watch.last) - at(&watch.first), Duration::from_millis(201));
        let (server, generator) = watch.used();
        assert!(server.is_none() && generator.is_some_and(|cpu| cpu.threads > 0));
    }
}
