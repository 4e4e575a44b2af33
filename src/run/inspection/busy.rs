//! A server at work: are connections accepted meanwhile, and does anything of it still answer?
//!
//! A worker that does one thing at a time accepts nobody until it is done, and then one. A loop that a handler blocks accepts
//! nobody either, but then whoever has come. A loop that is alive accepts at once.

use std::io::{Read, Result, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread::Builder;
use std::time::{Duration, Instant};

use super::{Inspector, closed};
use crate::load::LiveCounters;
use crate::net::endpoint::{Endpoint, connect_unix};
use crate::record::BusyRecord;
use crate::scenario::{Level, LoadSpec};
use crate::server::ListenerView;

/// With a shorter request nobody can come in the middle of it, for sure.
const SHORTEST: Duration = Duration::from_millis(5);
/// Shares of a request's time: the first requests come one by one over `FILLED`; this long after the last of them, the others
/// come.
const FILLED: f64 = 0.2;
const AFTER: f64 = 0.3;
/// A line that is no request was answered meanwhile, if this share of a request's time had not passed since the first came.
const MEANWHILE: f64 = 0.9;
/// How often to look.
const LOOK: Duration = Duration::from_millis(1);
/// Nothing is waited for longer than so many times a request's time, and a second.
const PATIENCE: u32 = 4;
/// So many come later for each that is under way; a few at least, and not too many.
const LATER_TIMES: u32 = 3;
const LEAST_LATER: u32 = 4;
const MOST_LATER: u32 = 300;
/// It is done so often, and the middle one counts.
const TRIES: usize = 3;
/// With short requests more often: they leave a busy machine little time.
const SHORT: Duration = Duration::from_millis(50);
const MORE_TRIES: usize = 7;
/// A server answers this itself, before any handler sees it.
const NO_REQUEST: &[u8] = b"NOT A REQUEST\r\n\r\n";

impl Inspector<'_> {
    /// Keeps a server busy with so many requests; `None` where they are too short for that.
    pub(super) fn while_busy(&self, occupied: u32, alone: Duration) -> Result<Option<BusyRecord>> {
        if alone < SHORTEST {
            return Ok(None);
        }
        let later = occupied.saturating_mul(LATER_TIMES).clamp(LEAST_LATER, MOST_LATER);
        let mut record = BusyRecord { occupied, later, ..BusyRecord::default() };
        if let Some(view) = &self.view {
            let (mut tries, most) = (Vec::new(), if alone < SHORT { MORE_TRIES } else { TRIES });
            while tries.len() < most && (tries.is_empty() || !self.is_over()) {
                tries.push(self.not_accepted(view, (occupied, later), alone)?);
            }
            record.not_accepted_first = middle(tries.iter().filter_map(|(first, _)| *first).collect());
            record.not_accepted_next = middle(tries.iter().filter_map(|(_, next)| *next).collect());
        }
        if !self.is_over() {
            let answered = self.malformed(occupied, alone)?;
            record.malformed_sent = true;
            record.malformed_answered_ms = answered.map(|(ms, _)| ms);
            record.malformed_share = answered.map(|(_, share)| share);
        }
        Ok(Some(record))
    }

    /// Connections that nobody accepts: while the first requests are handled, and while the next are.
    fn not_accepted(
        &self,
        view: &ListenerView,
        (occupied, later): (u32, u32),
        alone: Duration,
    ) -> Result<(Option<u32>, Option<u32>)> {
        let (first, rest) = (self.filling(occupied, alone), closed(&self.plan.load, later));
        let rest = LoadSpec { requests: Some(u64::from(later)), threads: Some(1), ..rest };
        let (of_first, of_rest) = (one_thread(), one_thread());
        std::thread::scope(|scope| {
            let began = Instant::now();
            let patience = (alone * (PATIENCE + later / occupied)) + Duration::from_secs(1);
            let first =
                Builder::new().spawn_scoped(scope, || self.drive_with(&first, &of_first, &mut |_| {}).map(drop))?;
            self.until(|| of_first.progress().started >= u64::from(occupied) || began.elapsed() > patience);
            std::thread::sleep(alone.mul_f64(AFTER));
            let rest =
                Builder::new().spawn_scoped(scope, || self.drive_with(&rest, &of_rest, &mut |_| {}).map(drop))?;
            let (mut while_first, mut while_next) = (Vec::new(), Vec::new());
            self.until(|| {
                // What is under way is read before and after, so that it is certain.
                let before = (of_first.progress().completed, of_rest.progress().started, of_rest.progress().completed);
                let waiting = view.accept_queue();
                let after = (of_first.progress().completed, of_rest.progress().started, of_rest.progress().completed);
                if before == after && before.1 >= u64::from(later) {
                    match before {
                        (0, _, 0) => while_first.extend(waiting),
                        (done, _, 0) if done >= u64::from(occupied) => while_next.extend(waiting),
                        _ => {}
                    }
                }
                after.2 > 0 || began.elapsed() > patience
            });
            for load in [first, rest] {
                load.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            }
            Ok((settled(while_first), settled(while_next)))
        })
    }

    /// After how many milliseconds, and at which share of a request's time, a line that is no request is answered, if it is
    /// while the server is at work. To be closed is an answer too.
    fn malformed(&self, occupied: u32, alone: Duration) -> Result<Option<(f64, f64)>> {
        let (load, live) = (self.filling(occupied, alone), one_thread());
        std::thread::scope(|scope| {
            let began = Instant::now();
            let load = Builder::new().spawn_scoped(scope, || self.drive_with(&load, &live, &mut |_| {}).map(drop))?;
            self.until(|| live.progress().started >= u64::from(occupied) || began.elapsed() > alone * PATIENCE);
            std::thread::sleep(alone.mul_f64(AFTER));
            let asked = Instant::now();
            let left = alone.mul_f64(MEANWHILE - FILLED - AFTER);
            let ask = || match self.target.dialer.endpoint() {
                Endpoint::Tcp(address) => {
                    let stream = TcpStream::connect_timeout(address, left)?;
                    stream.set_read_timeout(Some(left))?;
                    answered(stream)
                }
                Endpoint::Unix(path) => {
                    let stream = connect_unix(path)?;
                    stream.set_read_timeout(Some(left))?;
                    answered(stream)
                }
            };
            let was_answered = match ask() {
                Ok(()) => true,
                Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
            };
            let took = asked.elapsed();
            let meanwhile = was_answered && live.progress().completed == 0;
            load.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            Ok(meanwhile.then(|| (took.as_secs_f64() * 1e3, took.as_secs_f64() / alone.as_secs_f64())))
        })
    }

    /// Looks again and again until it is so, or nobody wants to know any more.
    fn until(&self, mut is_so: impl FnMut() -> bool) {
        while !is_so() && !self.cancel.is_cancelled() {
            std::thread::sleep(LOOK);
        }
    }

    /// As many requests as the server works on at once, which come one by one, so that no worker takes them all.
    fn filling(&self, occupied: u32, alone: Duration) -> LoadSpec {
        let (ramp, load) = (alone.mul_f64(FILLED), closed(&self.plan.load, occupied));
        let users = f64::from(occupied);
        let level = |from, lasting| Level { from, to: users, lasting };
        let levels = match occupied {
            1 => load.levels,
            _ => vec![level(0.0, ramp), level(users, load.duration)],
        };
        let duration = levels.iter().map(|level| level.lasting).sum();
        LoadSpec { levels, duration, requests: Some(u64::from(occupied)), threads: Some(1), ..load }
    }
}

/// Sends a line that is no request, and waits for whatever comes.
fn answered(mut stream: impl Read + Write) -> Result<()> {
    stream.write_all(NO_REQUEST)?;
    stream.read(&mut [0; 64]).map(drop)
}

/// A load of one thread that has not begun.
fn one_thread() -> Arc<LiveCounters> {
    Arc::new(LiveCounters::new(1))
}

/// What a number that was looked at again and again came to: the middle one of the later half.
fn settled(looks: Vec<u32>) -> Option<u32> {
    middle(looks[looks.len() / 2..].to_vec())
}

/// The middle one of some.
fn middle(mut of: Vec<u32>) -> Option<u32> {
    of.sort_unstable();
    of.get(of.len() / 2).copied()
}
