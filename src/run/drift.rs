//! How fast the machine is: the same work at the start, in the middle and at the end of a run.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::record::{DriftLook, DriftRecord};

/// How long a look takes.
const LOOK: Duration = Duration::from_millis(250);
/// It is taken in parts, of which the median counts, so that one interruption does not.
const PARTS: u32 = 5;

/// Looks at the machine now and then.
pub(super) struct DriftWatch {
    began: Instant,
    looks: Vec<DriftLook>,
    is_on: bool,
}

impl DriftWatch {
    /// One that looks, or does not, as there is nothing to compare.
    pub fn new(is_on: bool) -> Self {
        DriftWatch { began: Instant::now(), looks: Vec::new(), is_on }
    }

    /// Takes a look, in a quarter of a second. Where the machine refuses a socket or a thread, nothing is known.
    pub fn look(&mut self) {
        let t_s = self.began.elapsed().as_secs_f64();
        let looked = self.is_on.then(round_trips).and_then(Result::ok);
        self.looks.extend(looked.map(|per_second| DriftLook { t_s, per_second }));
    }

    /// What was seen; `None` of fewer than two looks.
    pub fn record(self) -> Option<DriftRecord> {
        (self.looks.len() > 1).then_some(DriftRecord { looks: self.looks })
    }
}

/// Round trips a second of one byte between two threads over loopback: system calls, wake-ups and the processor's speed, which
/// is what a load on a small machine consists of.
fn round_trips() -> std::io::Result<f64> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut near = TcpStream::connect(listener.local_addr()?)?;
    let (mut far, _) = listener.accept()?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let echo = std::thread::Builder::new().name("drift".to_owned()).spawn(move || {
        let mut byte = [0];
        // Ends with the other end.
        while far.read_exact(&mut byte).and_then(|()| far.write_all(&byte)).is_ok() {}
    })?;
    let mut rates = Vec::new();
    for _ in 0..PARTS {
        let (began, mut count, mut byte) = (Instant::now(), 0u32, [0]);
        while began.elapsed() < LOOK / PARTS {
            near.write_all(&byte)?;
            near.read_exact(&mut byte)?;
            count += 1;
        }
        rates.push(f64::from(count) / began.elapsed().as_secs_f64());
    }
    drop(near);
    // It has nothing left to read.
    let _ = echo.join();
    rates.sort_by(f64::total_cmp);
    Ok(rates[rates.len() / 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_counts_round_trips_and_one_look_is_no_drift() {
        let mut watch = DriftWatch::new(true);
        watch.look();
        let first = watch.looks[0];
        assert!(first.per_second > 10.0, "{first:?}");
        assert_eq!(DriftWatch { looks: vec![first], ..DriftWatch::new(true) }.record(), None);
        watch.look();
        assert_eq!(watch.record().map(|record| record.looks.len()), Some(2));
        let mut off = DriftWatch::new(false);
        off.look();
        assert!(off.looks.is_empty());
    }
}
