//! The call that runs on this thread right now: what lets a plain function such as `sleep` suspend its caller.

use std::cell::{Cell, RefCell};
use std::ptr::NonNull;
use std::rc::Rc;

use corosensei::Yielder;
use rhai::{Dynamic, EvalAltResult};

use super::meter::Meter;
use super::probe::CallProbe;
use super::process::{Read, Values};
use super::{HandlerStep, Limits, Process, Resumed};

/// One call, as the functions that it calls see it.
pub(super) struct Current {
    pub process: Process,
    /// The `context` object.
    pub context: RefCell<Values>,
    /// Values of the three objects that the call may be changing in place.
    pub reads: RefCell<Vec<Read>>,
    pub limits: Limits,
    pub meter: Meter,
    /// Only while a leak is located.
    pub probe: Option<Box<CallProbe>>,
    /// Set while the call's coroutine lives.
    yielder: Cell<Option<NonNull<Yielder<Resumed, HandlerStep>>>>,
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<Current>>> = const { RefCell::new(None) };
}

impl Current {
    pub fn new(process: Process, limits: Limits, probe: Option<CallProbe>) -> Rc<Current> {
        let meter = Meter::new(process.gauges(), limits);
        Rc::new(Current {
            process,
            context: RefCell::default(),
            reads: RefCell::default(),
            limits,
            meter,
            probe: probe.map(Box::new),
            yielder: Cell::new(None),
        })
    }

    /// Runs `body`, the whole of the coroutine that owns `yielder`.
    pub fn run<T>(&self, yielder: &Yielder<Resumed, HandlerStep>, body: impl FnOnce() -> T) -> T {
        let _cleared = Cleared(&self.yielder);
        self.yielder.set(Some(NonNull::from(yielder)));
        body()
    }
}

/// Forgets the yielder when the coroutine ends, also by a panic or because its call is dropped.
struct Cleared<'a>(&'a Cell<Option<NonNull<Yielder<Resumed, HandlerStep>>>>);

impl Drop for Cleared<'_> {
    fn drop(&mut self) {
        self.0.set(None);
    }
}

/// Makes a call the current one until dropped, then the one before it again: calls may nest and interleave.
pub(super) struct Entered(Option<Rc<Current>>);

impl Entered {
    pub fn new(call: Option<Rc<Current>>) -> Entered {
        Entered(CURRENT.replace(call))
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

/// Asks the current call's meter whether it may go on; else why not.
pub(super) fn check(operations: u64) -> Result<(), String> {
    CURRENT.with_borrow(|current| current.as_ref().map_or(Ok(()), |call| call.meter.check(operations)))
}

/// What `read` finds in the current call; an error outside of one, as in a statement outside of all functions.
pub(super) fn with<T>(read: impl FnOnce(&Current) -> Result<T, Box<EvalAltResult>>) -> Result<T, Box<EvalAltResult>> {
    CURRENT.with_borrow(|current| match current {
        Some(call) => read(call),
        None => Err("this works only while a request is handled, in a function".into()),
    })
}

/// Lets the current call's probe see a variable. `value` is asked for only if the probe wants it.
pub(super) fn see_variable(name: &str, value: impl FnOnce() -> Option<Dynamic>) {
    CURRENT.with_borrow(|current| {
        let probe = current.as_ref().and_then(|call| call.probe.as_ref()).filter(|probe| probe.wants(name));
        if let Some(probe) = probe
            && let Some(value) = value()
        {
            probe.variable(name, value);
        }
    });
}

/// Suspends the current call with a step; returns when it is resumed, with what the step brought.
#[expect(unsafe_code, reason = "a coroutine's yielder is lent to it by reference, which no thread-local can hold")]
pub(super) fn suspend(step: HandlerStep) -> Result<Resumed, Box<EvalAltResult>> {
    let yielder = with(|call| call.yielder.get().ok_or_else(|| "this call has ended".into()))?;
    // SAFETY: the pointer is set from a reference that lives as long as the coroutine's body (`Current::run`), and
    // cleared when the body ends or unwinds, so it is not dangling. It is read from the *current* call, which
    // `Entered` sets only around resuming that very coroutine on this thread: the code running here is on its stack,
    // which `Yielder::suspend` requires. No borrow of a thread-local or a lock is held across the suspension.
    Ok(unsafe { yielder.as_ref() }.suspend(step))
}
