//! State that outlives a function: `process`, `thread` and `context`, by who can see it.
//!
//! Scripts hold and change values, not references: `process.items.push(x)` reads the items, changes them and writes
//! them back. As in any server, another thread may write in between; nothing is ever torn.

pub(super) mod value;

use std::cell::RefCell;
use std::sync::Arc;

use rhai::{
    Array, Dynamic, Engine, EvalAltResult, FuncRegistration, ImmutableString, Map, Module, NativeCallContext, Position,
};

use super::current_call;
use super::probe::{CallProbe, ScriptAccess, Sharing};
use super::process::{Read, Values};

/// Changes in place that a call can have under way: one within another, as in a closure within a closure.
const MOST_UNDER_WAY: usize = 16;

type Outcome<T> = Result<T, Box<EvalAltResult>>;

/// One of the three objects. The script holds a value of this type, which is empty: the call on the thread says which.
trait Store: Copy + Send + Sync + 'static {
    const NAME: &'static str;
    const OBJECT: Self;
    const SHARING: Sharing;

    fn values<T>(call: &current_call::Current, use_values: impl FnOnce(&mut Values) -> T) -> T;
}

#[derive(Clone, Copy)]
struct ProcessObject;

#[derive(Clone, Copy)]
struct ThreadObject;

#[derive(Clone, Copy)]
struct ContextObject;

thread_local! {
    static THREAD: RefCell<Values> = const { RefCell::new(Values::new()) };
}

impl Store for ProcessObject {
    const NAME: &'static str = "process";
    const OBJECT: Self = ProcessObject;
    const SHARING: Sharing = Sharing::Process;

    fn values<T>(call: &current_call::Current, use_values: impl FnOnce(&mut Values) -> T) -> T {
        use_values(&mut call.process.values())
    }
}

impl Store for ThreadObject {
    const NAME: &'static str = "thread";
    const OBJECT: Self = ThreadObject;
    const SHARING: Sharing = Sharing::Thread;

    fn values<T>(_call: &current_call::Current, use_values: impl FnOnce(&mut Values) -> T) -> T {
        THREAD.with_borrow_mut(use_values)
    }
}

impl Store for ContextObject {
    const NAME: &'static str = "context";
    const OBJECT: Self = ContextObject;
    const SHARING: Sharing = Sharing::Call;

    fn values<T>(call: &current_call::Current, use_values: impl FnOnce(&mut Values) -> T) -> T {
        use_values(&mut call.context.borrow_mut())
    }
}

/// Makes the three objects known. `properties` are names that the script uses: each gets a getter and a setter of its
/// own, because rhai finds those at once, and an indexer only after having built an error. `constants` are seen in
/// functions too.
pub(super) fn register(engine: &mut Engine, properties: &[ImmutableString], constants: Map) {
    let mut module = Module::new();
    for (name, value) in constants {
        module.set_var(name, value);
    }
    add::<ProcessObject>(&mut module, properties);
    add::<ThreadObject>(&mut module, properties);
    add::<ContextObject>(&mut module, properties);
    engine.register_global_module(module.into());
}

fn add<S: Store>(module: &mut Module, properties: &[ImmutableString]) {
    module.set_var(S::NAME, S::OBJECT);
    module.set_custom_type::<S>(S::NAME);
    // The objects are constants; "pure" functions may be called on those.
    let pure = |registration: FuncRegistration| registration.in_global_namespace().with_purity(true);
    pure(FuncRegistration::new_index_getter())
        .set_into_module(module, |context: NativeCallContext, _: &mut S, name: ImmutableString| {
            get::<S>(&context, &name)
        });
    pure(FuncRegistration::new_index_setter()).set_into_module(
        module,
        |context: NativeCallContext, _: &mut S, name: ImmutableString, value: Dynamic| {
            set::<S>(&context, &name, value, context.call_position())
        },
    );
    for name in properties {
        let (read, written) = (name.clone(), name.clone());
        pure(FuncRegistration::new_getter(name))
            .set_into_module(module, move |context: NativeCallContext, _: &mut S| get::<S>(&context, &read));
        pure(FuncRegistration::new_setter(name)).set_into_module(
            module,
            move |context: NativeCallContext, _: &mut S, value: Dynamic| {
                set::<S>(&context, &written, value, context.call_position())
            },
        );
    }
    pure(FuncRegistration::new("keys"))
        .set_into_module(module, |context: NativeCallContext, _: &mut S| keys::<S>(&context));
    pure(FuncRegistration::new("contains"))
        .set_into_module(module, |_: &mut S, name: ImmutableString| contains::<S>(&name));
    pure(FuncRegistration::new("remove")).set_into_module(
        module,
        |context: NativeCallContext, _: &mut S, name: ImmutableString| {
            set::<S>(&context, &name, Dynamic::UNIT, Position::NONE)
        },
    );
}

fn get<S: Store>(context: &NativeCallContext<'_>, name: &ImmutableString) -> Outcome<Dynamic> {
    current_call::with(|call| {
        let found = match &call.probe {
            None => S::values(call, |values| values.get(name).cloned()),
            Some(probe) => probed_get::<S>(call, probe, &access::<S>(context, name)),
        };
        let Some(value) = found else { return Ok(Dynamic::UNIT) };
        let position = context.call_position();
        let copy = Dynamic::clone(&value);
        if value::changes_in_place(&copy) {
            note(&mut call.reads.borrow_mut(), Read { object: S::NAME, name: name.clone(), position, value });
        }
        Ok(copy)
    })
}

/// The order of what a probe tells is that of what happened: it tells before others can write.
fn probed_get<S: Store>(
    call: &current_call::Current,
    probe: &CallProbe,
    access: &ScriptAccess<'_>,
) -> Option<Arc<Dynamic>> {
    let way = probe.way(access);
    S::values(call, |values| {
        let value = values.get(access.name);
        probe.loaded(access, &way, value);
        value.cloned()
    })
}

fn access<'a, S: Store>(context: &'a NativeCallContext<'a>, name: &'a ImmutableString) -> ScriptAccess<'a> {
    ScriptAccess { object: S::NAME, sharing: S::SHARING, name, context }
}

fn note(reads: &mut Vec<Read>, read: Read) {
    reads.retain(|earlier| earlier.position != read.position);
    if reads.len() == MOST_UNDER_WAY {
        reads.remove(0);
    }
    reads.push(read);
}

/// Writing `()` removes, as a missing name reads as `()`.
fn set<S: Store>(
    context: &NativeCallContext<'_>,
    name: &ImmutableString,
    mut new: Dynamic,
    position: Position,
) -> Outcome<()> {
    value::detach(&mut new)?;
    current_call::with(|call| {
        let read = take_read::<S>(call, name, position);
        let most = call.limits.map_items;
        // What was there is dropped when the lock is free again.
        let _old = S::values(call, |values| {
            if new.is_unit() {
                return Ok(values.remove(name));
            }
            if let Some(place) = values.get_mut(name) {
                // rhai writes back after every method, also one that changed nothing, as in `process.items.len()`:
                // if another request has written meanwhile, that is not to be undone.
                let others_wrote = read.filter(|read| !Arc::ptr_eq(read, place));
                if others_wrote.is_some_and(|read| value::same(&read, &new)) {
                    return Ok(None);
                }
                if let Some(probe) = &call.probe {
                    probe.stored(&access::<S>(context, name), Some(place), &new);
                }
                return Ok(Some(std::mem::replace(place, Arc::new(new))));
            }
            if values.len() >= most {
                return Err(format!("`{}` cannot hold more than {most} values", S::NAME));
            }
            if let Some(probe) = &call.probe {
                probe.stored(&access::<S>(context, name), None, &new);
            }
            Ok(values.insert(name.clone(), Arc::new(new)))
        })?;
        Ok(())
    })
}

/// The value that was read at the very place in the script that writes now.
fn take_read<S: Store>(
    call: &current_call::Current,
    name: &ImmutableString,
    position: Position,
) -> Option<Arc<Dynamic>> {
    let mut reads = call.reads.borrow_mut();
    let found =
        reads.iter().position(|read| read.position == position && read.object == S::NAME && read.name == *name)?;
    Some(reads.swap_remove(found).value)
}

fn keys<S: Store>(context: &NativeCallContext<'_>) -> Outcome<Array> {
    current_call::with(|call| {
        Ok(S::values(call, |values| {
            let names = values.keys().cloned().map(Dynamic::from).collect();
            if let Some(probe) = &call.probe {
                probe.named(&access::<S>(context, &ImmutableString::new()), &names);
            }
            names
        }))
    })
}

fn contains<S: Store>(name: &ImmutableString) -> Outcome<bool> {
    current_call::with(|call| Ok(S::values(call, |values| values.contains_key(name))))
}
