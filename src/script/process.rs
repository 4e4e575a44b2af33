//! What the requests of one worker can share: the values of `process`, and what the worker lends to its scripts.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rhai::{Dynamic, ImmutableString, Position};

use super::Gauges;

/// What an object holds. A value is replaced, never changed.
pub(super) type Values = BTreeMap<ImmutableString, Arc<Dynamic>>;

/// A value that was read, where in the script, and so may be written back there: `process.items.push(x)`.
pub(super) struct Read {
    pub object: &'static str,
    pub name: ImmutableString,
    pub position: Position,
    pub value: Arc<Dynamic>,
}

/// The state that requests of one worker can share, and what the worker lends to its scripts. A clone is the same one.
#[derive(Clone, Default)]
pub struct Process(Arc<Inner>);

#[derive(Default)]
struct Inner {
    values: Mutex<Values>,
    sleep: Duration,
    clock: Option<fn() -> f64>,
    gauges: Option<Gauges>,
}

impl Process {
    /// A process whose `sleep(())` takes `sleep`, as a request that names none asks for, and whose `now()` is `clock`.
    pub fn new(sleep: Duration, clock: Option<fn() -> f64>) -> Process {
        Process(Arc::new(Inner { values: Mutex::default(), sleep, clock, gauges: None }))
    }

    /// A process of which calls can tell how long they run and what memory they take: without, those limits do not hold.
    pub fn measured(sleep: Duration, clock: Option<fn() -> f64>, gauges: Gauges) -> Process {
        Process(Arc::new(Inner { values: Mutex::default(), sleep, clock, gauges: Some(gauges) }))
    }

    /// The values of the `process` object.
    pub(super) fn values(&self) -> MutexGuard<'_, Values> {
        self.0.values.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn gauges(&self) -> Option<Gauges> {
        self.0.gauges
    }

    pub(super) fn sleep(&self) -> Duration {
        self.0.sleep
    }

    /// Seconds, from wherever the clock starts.
    pub(super) fn now(&self) -> Option<f64> {
        self.0.clock.map(|clock| clock())
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Process").field("sleep", &self.0.sleep).finish_non_exhaustive()
    }
}
