//! State that outlives a function: `process`, `thread` and `context`, by who can see it.
//!
//! Scripts hold and change values, not references: `process.items.push(x)` reads the items, changes them and writes
//! them back. As in any server, another thread may write in between; nothing is ever torn.

use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rhai::{Array, Dynamic, Engine, EvalAltResult, FnPtr, FuncRegistration, ImmutableString, Map, Module};

use super::current;

/// How deep values may nest that outlive a function: they are cloned and dropped on stacks of any size.
const NESTING: usize = 64;

/// The state that requests of one worker can share, and what the worker lends to its scripts. A clone is the same one.
#[derive(Clone, Default)]
pub struct Process(Arc<Inner>);

#[derive(Default)]
struct Inner {
    values: Mutex<Map>,
    sleep: Duration,
    clock: Option<fn() -> f64>,
}

impl Process {
    /// A process whose `sleep(())` takes `sleep`, as a request that names none asks for, and whose `now()` is `clock`.
    pub fn new(sleep: Duration, clock: Option<fn() -> f64>) -> Process {
        Process(Arc::new(Inner { values: Mutex::default(), sleep, clock }))
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

type Outcome<T> = Result<T, Box<EvalAltResult>>;

/// One of the three objects. The script holds a value of this type, which is empty: the call on the thread says which.
trait Store: Copy + Send + Sync + 'static {
    const NAME: &'static str;
    const OBJECT: Self;

    fn values<T>(call: &current::Current, use_values: impl FnOnce(&mut Map) -> T) -> T;
}

#[derive(Clone, Copy)]
struct ProcessObject;

#[derive(Clone, Copy)]
struct ThreadObject;

#[derive(Clone, Copy)]
struct ContextObject;

thread_local! {
    static THREAD: RefCell<Map> = const { RefCell::new(Map::new()) };
}

impl Store for ProcessObject {
    const NAME: &'static str = "process";
    const OBJECT: Self = ProcessObject;

    fn values<T>(call: &current::Current, use_values: impl FnOnce(&mut Map) -> T) -> T {
        use_values(&mut call.process.0.values.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Store for ThreadObject {
    const NAME: &'static str = "thread";
    const OBJECT: Self = ThreadObject;

    fn values<T>(_call: &current::Current, use_values: impl FnOnce(&mut Map) -> T) -> T {
        THREAD.with_borrow_mut(use_values)
    }
}

impl Store for ContextObject {
    const NAME: &'static str = "context";
    const OBJECT: Self = ContextObject;

    fn values<T>(call: &current::Current, use_values: impl FnOnce(&mut Map) -> T) -> T {
        use_values(&mut call.context.borrow_mut())
    }
}

/// Makes the three objects known. `properties` are names that the script uses: each gets a getter and a setter of its
/// own, because rhai finds those at once, and an indexer only after having built an error.
pub(super) fn register(engine: &mut Engine, properties: &[ImmutableString]) {
    let mut module = Module::new();
    add::<ProcessObject>(&mut module, properties);
    add::<ThreadObject>(&mut module, properties);
    add::<ContextObject>(&mut module, properties);
    engine.register_global_module(module.into());
}

fn add<S: Store>(module: &mut Module, properties: &[ImmutableString]) {
    module.set_var(S::NAME, S::OBJECT);
    module.set_custom_type::<S>(S::NAME);
    FuncRegistration::new_index_getter()
        .with_purity(true)
        .set_into_module(module, |_: &mut S, name: ImmutableString| get::<S>(&name));
    FuncRegistration::new_index_setter()
        .with_purity(true)
        .set_into_module(module, |_: &mut S, name: ImmutableString, value: Dynamic| set::<S>(&name, value));
    for name in properties {
        let (read, written) = (name.clone(), name.clone());
        FuncRegistration::new_getter(name)
            .with_purity(true)
            .set_into_module(module, move |_: &mut S| get::<S>(&read));
        FuncRegistration::new_setter(name)
            .with_purity(true)
            .set_into_module(module, move |_: &mut S, value: Dynamic| set::<S>(&written, value));
    }
    FuncRegistration::new("keys").in_global_namespace().with_purity(true).set_into_module(module, |_: &mut S| keys::<S>());
    FuncRegistration::new("contains")
        .in_global_namespace()
        .with_purity(true)
        .set_into_module(module, |_: &mut S, name: ImmutableString| contains::<S>(&name));
    FuncRegistration::new("remove")
        .in_global_namespace()
        .with_purity(true)
        .set_into_module(module, |_: &mut S, name: ImmutableString| set::<S>(&name, Dynamic::UNIT));
}

fn get<S: Store>(name: &str) -> Outcome<Dynamic> {
    current::with(|call| Ok(S::values(call, |values| values.get(name).cloned().unwrap_or_default())))
}

/// Writing `()` removes, as a missing name reads as `()`.
fn set<S: Store>(name: &str, mut value: Dynamic) -> Outcome<()> {
    detach(&mut value, NESTING)?;
    current::with(|call| {
        let most = call.limits.map_items;
        // Dropped after the lock is free again.
        let _old = S::values(call, |values| {
            if value.is_unit() {
                return Ok(values.remove(name));
            }
            if let Some(place) = values.get_mut(name) {
                return Ok(Some(std::mem::replace(place, value)));
            }
            if values.len() >= most {
                return Err(format!("`{}` cannot hold more than {most} values", S::NAME));
            }
            Ok(values.insert(name.into(), value))
        })?;
        Ok(())
    })
}

fn keys<S: Store>() -> Outcome<Array> {
    current::with(|call| {
        Ok(S::values(call, |values| values.keys().map(|name| Dynamic::from(name.to_string())).collect()))
    })
}

fn contains<S: Store>(name: &str) -> Outcome<bool> {
    current::with(|call| Ok(S::values(call, |values| values.contains_key(name))))
}

/// Cuts a value's ties to the variables of the call that made it: what a closure captured is behind a lock that the
/// call may hold while it is suspended.
fn detach(value: &mut Dynamic, levels: usize) -> Outcome<()> {
    if levels == 0 {
        return Err(format!("values that outlive a call may nest at most {NESTING} levels deep").into());
    }
    if value.is_shared() {
        *value = std::mem::take(value).flatten();
    }
    if let Some(mut items) = value.write_lock::<Array>() {
        return items.iter_mut().try_for_each(|item| detach(item, levels - 1));
    }
    if let Some(mut items) = value.write_lock::<Map>() {
        return items.values_mut().try_for_each(|item| detach(item, levels - 1));
    }
    if value.read_lock::<FnPtr>().is_some_and(|closure| closure.is_curried()) {
        return Err("a closure that uses variables around it cannot be kept; keep the values instead".into());
    }
    Ok(())
}
