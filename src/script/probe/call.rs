//! The probe of one call of a handler: what it reads and writes of the three objects.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use rhai::{Array, Dynamic, Engine, ImmutableString, Map, NativeCallContext, Position};

use super::super::state::value::same;
use super::chain::Link;
use super::event::{AccessManner, StateAccess, StateEvent};
use super::sites::{Site, ValueStep};
use super::{PROCESS, RequestProbe, change};

/// Reads whose value is remembered until the script writes it back.
const MOST_READS: usize = 16;
/// Characters of a key that are told.
const LONGEST_KEY: usize = 80;

thread_local! {
    /// The number of this thread's `thread` object.
    static THREAD: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Who sees an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::script) enum Sharing {
    /// All requests of the worker.
    Process,
    /// All requests that the thread handles.
    Thread,
    /// The call alone.
    Call,
}

/// Where a script reaches into an object.
pub(in crate::script) struct ScriptAccess<'a> {
    pub object: &'static str,
    pub sharing: Sharing,
    pub name: &'a ImmutableString,
    pub context: &'a NativeCallContext<'a>,
}

/// The probe of one call.
pub(in crate::script) struct CallProbe {
    request: Arc<RequestProbe>,
    /// The number of its `context` object, once it has one.
    context: Cell<Option<u64>>,
    /// The last values of variables by which parts are named.
    variables: RefCell<HashMap<ImmutableString, Dynamic>>,
    reads: RefCell<Vec<(Position, ImmutableString, Arc<Dynamic>)>>,
    /// Set while the probe itself runs a part of the script.
    quiet: Cell<bool>,
}

/// The way to a part of a value, worked out before anything is locked.
pub(in crate::script) struct WayInto(Option<Vec<WayStep>>);

enum WayStep {
    Name(ImmutableString),
    Index(Dynamic),
}

impl CallProbe {
    pub fn new(request: Arc<RequestProbe>) -> CallProbe {
        let (context, quiet) = (Cell::default(), Cell::default());
        CallProbe { request, context, variables: RefCell::default(), reads: RefCell::default(), quiet }
    }

    /// Whether a part of a value may be named by this variable.
    pub fn wants(&self, variable: &str) -> bool {
        !self.quiet.get() && self.request.probe.sites.wants(variable)
    }

    /// A variable has this value now.
    pub fn variable(&self, name: &str, value: Dynamic) {
        self.variables.borrow_mut().insert(name.into(), value.flatten());
    }

    /// How the script goes on from the value that it is about to read.
    pub fn way(&self, access: &ScriptAccess<'_>) -> WayInto {
        if self.quiet.get() {
            return WayInto(None);
        }
        let steps = self.site(access).map_or_else(Vec::new, |site| self.steps(site, access.context.engine()));
        WayInto(Some(steps))
    }

    /// A value was read. `none` if it was not there.
    pub fn loaded(&self, access: &ScriptAccess<'_>, way: &WayInto, value: Option<&Arc<Dynamic>>) {
        let (Some(steps), Some(value)) = (&way.0, value) else { return };
        self.remember(access, value);
        let site = self.site(access);
        if site.is_some_and(|site| site.only_looks) {
            return;
        }
        let (steps, part) = along(value, steps);
        self.tell(access, &steps, self.request.probe.search.in_value(&part), StateEvent::Load);
    }

    /// A value was written over another, or where there was none.
    pub fn stored(&self, access: &ScriptAccess<'_>, before: Option<&Arc<Dynamic>>, new: &Dynamic) {
        if self.quiet.get() {
            return;
        }
        let read = self.take_read(access);
        if read.as_ref().is_some_and(|read| same(read, new)) {
            // rhai writes back what a method has only looked at.
            return;
        }
        let search = &self.request.probe.search;
        // What was there already came by another write.
        let (steps, found) = match read {
            Some(read) => {
                let changed = change::part(&read, new);
                let (mut found, earlier) = (search.in_value(&changed.new), search.in_value(&changed.old));
                found.retain(|canary| !earlier.contains(canary));
                (changed.steps, found)
            }
            None => {
                let mut found = search.in_value(new);
                search.in_text(access.name, &mut found);
                let earlier = before.map(|before| search.in_value(before)).unwrap_or_default();
                found.retain(|canary| self.request.own.contains(canary) || !earlier.contains(canary));
                (Vec::new(), found)
            }
        };
        self.tell(access, &steps, found, StateEvent::Store);
    }

    /// The names of an object were read.
    pub fn named(&self, access: &ScriptAccess<'_>, names: &Array) {
        let mut found = BTreeSet::new();
        names.iter().for_each(|name| found.extend(self.request.probe.search.in_value(name)));
        if !self.quiet.get() && !found.is_empty() {
            let obj = self.object(access.sharing);
            let path = format!("{}.keys()", access.object);
            self.request.tell(StateEvent::Load(self.access(access, obj, access.object, path, None, found)));
        }
    }

    /// A call brought what may hold canaries, or was handed such.
    pub fn called(&self, callee: &str, context: &NativeCallContext<'_>, given: &[&[u8]], brought: &[&[u8]]) {
        let search = &self.request.probe.search;
        let in_all = |texts: &[&[u8]]| {
            let mut found = BTreeSet::new();
            texts.iter().for_each(|text| search.in_bytes(text, &mut found));
            found
        };
        let (c, args_c) = (in_all(brought), in_all(given));
        if c.union(&args_c).any(|canary| !self.request.own.contains(canary)) {
            let place = self.request.probe.sites.place(context.call_source(), context.call_position());
            let (c, args_c) = (c.into_iter().collect(), args_c.into_iter().collect());
            self.request.tell(StateEvent::Call { callee: callee.to_owned(), c, args_c, place });
        }
    }

    fn site(&self, access: &ScriptAccess<'_>) -> Option<&Site> {
        self.request.probe.sites.site(access.context.call_source(), access.context.call_position())
    }

    fn steps(&self, site: &Site, engine: &Engine) -> Vec<WayStep> {
        let step = |link: &Link| match link {
            Link::Name(name) => Some(WayStep::Name(name.clone())),
            Link::Index(index) => {
                let (index, variables) = (index.as_ref()?, self.variables.borrow().clone());
                self.quiet.set(true);
                let value = index.value(engine, |name| variables.get(name).cloned());
                self.quiet.set(false);
                value.map(WayStep::Index)
            }
            Link::Method(_) => None,
        };
        site.rest.iter().map_while(step).collect()
    }

    fn remember(&self, access: &ScriptAccess<'_>, value: &Arc<Dynamic>) {
        let mut reads = self.reads.borrow_mut();
        let position = access.context.call_position();
        reads.retain(|(at, ..)| *at != position);
        if reads.len() == MOST_READS {
            reads.remove(0);
        }
        reads.push((position, access.name.clone(), value.clone()));
    }

    fn take_read(&self, access: &ScriptAccess<'_>) -> Option<Arc<Dynamic>> {
        let mut reads = self.reads.borrow_mut();
        let position = access.context.call_position();
        let found = reads.iter().position(|(at, name, _)| *at == position && name == access.name)?;
        Some(reads.swap_remove(found).2)
    }

    fn object(&self, sharing: Sharing) -> u64 {
        let number = |number: Option<u64>| number.unwrap_or_else(|| self.request.probe.new_object());
        match sharing {
            Sharing::Process => PROCESS,
            Sharing::Thread => THREAD.with(|thread| {
                thread.set(Some(number(thread.get())));
                thread.get().unwrap_or(PROCESS)
            }),
            Sharing::Call => {
                self.context.set(Some(number(self.context.get())));
                self.context.get().unwrap_or(PROCESS)
            }
        }
    }

    /// Tells of a part, and of the value that it is a part of: the other end may have taken either.
    fn tell(
        &self,
        access: &ScriptAccess<'_>,
        steps: &[ValueStep],
        c: BTreeSet<String>,
        event: fn(StateAccess) -> StateEvent,
    ) {
        if c.is_empty() {
            return;
        }
        let root = self.object(access.sharing);
        let named = ValueStep::Name(access.name.clone());
        let whole = format!("{}{named}", access.object);
        if let Some((last, before)) = steps.split_last() {
            let obj = self.request.probe.nested(root, &format!("{named}{}", joined(before)));
            let of = if matches!(last, ValueStep::Index(_)) { "array" } else { "map" };
            let path = format!("{whole}{}", joined(steps));
            self.request.tell(event(self.access(access, obj, of, path, Some(key(last)), c.clone())));
        }
        self.request.tell(event(self.access(access, root, access.object, whole, Some(key(&named)), c)));
    }

    fn access(
        &self,
        access: &ScriptAccess<'_>,
        obj: u64,
        of: &'static str,
        path: String,
        key: Option<String>,
        c: BTreeSet<String>,
    ) -> StateAccess {
        let kind = self.site(access).map_or(AccessManner::Call, |site| site.kind);
        StateAccess {
            c: c.into_iter().collect(),
            obj,
            of,
            path,
            key,
            kind,
            own_obj: access.sharing == Sharing::Call,
            place: self.request.probe.sites.place(access.context.call_source(), access.context.call_position()),
        }
    }
}

fn joined(steps: &[ValueStep]) -> String {
    steps.iter().map(ValueStep::to_string).collect()
}

/// A name that is no word stands in quotes, as it does in the path.
fn key(step: &ValueStep) -> String {
    let shown = step.to_string();
    let bare = shown.strip_prefix('.').or_else(|| shown.strip_prefix('[')?.strip_suffix(']'));
    bare.unwrap_or(&shown).chars().take(LONGEST_KEY).collect()
}

/// Goes as far into a value as the way is known, and arrays and maps go.
fn along(value: &Dynamic, way: &[WayStep]) -> (Vec<ValueStep>, Dynamic) {
    let (mut steps, mut part) = (Vec::new(), value.clone());
    for step in way {
        match into(&part, step) {
            Some((step, inner)) => {
                steps.push(step);
                part = inner;
            }
            // A property of a text or an array, as its length: it hands on nothing of it.
            None if matches!(step, WayStep::Name(_)) => part = Dynamic::UNIT,
            None => break,
        }
    }
    (steps, part)
}

/// What is not there reads as `()`.
fn into(value: &Dynamic, step: &WayStep) -> Option<(ValueStep, Dynamic)> {
    if let Some(items) = value.read_lock::<Map>() {
        let name = match step {
            WayStep::Name(name) => name.clone(),
            WayStep::Index(name) => name.as_immutable_string_ref().ok()?.clone(),
        };
        let item = items.get(name.as_str()).cloned().unwrap_or_default();
        return Some((ValueStep::Name(name), item));
    }
    let items = value.read_lock::<Array>()?;
    let WayStep::Index(index) = step else { return None };
    let index = index.as_int().ok()?;
    let from_end = usize::try_from(index.unsigned_abs()).ok()?;
    let index = if index < 0 { items.len().checked_sub(from_end)? } else { from_end };
    Some((ValueStep::Index(index), items.get(index).cloned().unwrap_or_default()))
}
