//! Client-side hooks: what a user sends, what counts as a right response, and verdicts of the scenario's own.
//!
//! A hook runs to its end in one go, on a stack of its own that is as large as the limits may ask for: nothing in it
//! suspends. [`Hooks`] belong to one thread and share nothing with those of another.

pub(super) mod exchange;
pub(super) mod judge;
mod wanted;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use corosensei::stack::DefaultStack;
use rhai::{AST, Dynamic, Engine, EvalAltResult, FuncArgs, INT, ImmutableString, Map, Position, Scope};

use super::error::ScriptError;
use super::heartbeat::Heartbeat;
use super::hooks::{ALL, CHECK, Hook, REQUEST, SETUP, Side, TEARDOWN, VERDICT};
use super::import::Imports;
use super::meter::Meter;
use super::state::value;
use super::{Gauges, Limits, call, engine, functions, json, program, stack, state};
pub use exchange::{HookExchange, HookResponse};
pub use judge::{Judged, MetricValue, Metrics};
pub use wanted::{FORM, UserBody, UserRequest};

/// Lines that one call may log; the rest is dropped.
const MOST_LOGGED: usize = 20;

type Outcome<T> = Result<T, Box<EvalAltResult>>;

/// A script's hooks, compiled for one thread.
pub struct Hooks {
    engine: Engine,
    functions: HashMap<&'static str, Function>,
    limits: Limits,
    gauges: Option<Gauges>,
    pulse: Arc<Heartbeat>,
    stack: RefCell<DefaultStack>,
}

/// A hook, ready to run: its body as a script of its own, as [`program`] has it.
struct Function {
    name: Arc<str>,
    script: AST,
    parameters: Vec<String>,
}

/// What `setup` returned: a value that the other hooks read as `setup`. A clone shares nothing with it.
#[derive(Debug, Clone, Default)]
pub struct Setup(Dynamic);

/// A user of a load, as hooks see it: `number`, the columns of its row, and whatever they keep there. A clone is the same.
#[derive(Debug, Clone)]
pub struct HookUser(Dynamic);

/// What came of one call of a hook.
#[derive(Debug)]
pub struct Called<T> {
    pub result: Result<T, ScriptError>,
    /// What it logged.
    pub log: Vec<String>,
}

/// What the call under way has asked for.
#[derive(Default)]
struct Running {
    /// The sum of its sleeps; none where a hook must not sleep.
    pause: Cell<Option<Duration>>,
    log: RefCell<Vec<String>>,
    meter: RefCell<Option<Meter>>,
}

thread_local! {
    static RUNNING: Running = Running::default();
}

impl fmt::Debug for Hooks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Hooks").field("functions", &self.functions.keys()).finish_non_exhaustive()
    }
}

impl HookUser {
    /// The user of this number, from 0, with its row of the data file.
    pub fn new<'a>(number: u32, row: impl Iterator<Item = (&'a str, &'a serde_json::Value)>) -> HookUser {
        let mut map: Map = row.map(|(column, value)| (column.into(), json::of_value(value.clone()))).collect();
        map.insert("number".into(), INT::from(number).into());
        HookUser(Dynamic::from_map(map).into_shared())
    }

    /// Cuts the ties of what hooks keep here to the call that made it. What cannot be kept is dropped, and an error: so
    /// that a user can be dropped on a stack of any size.
    fn detach(&self) -> Result<(), String> {
        // Taken out meanwhile: what holds the user itself would wait for its lock.
        let mut user = self.0.clone();
        let mut kept = user.write_lock::<Dynamic>().map(|mut place| std::mem::take(&mut *place)).unwrap_or_default();
        let mut result = Ok(());
        let mut keeps = |value: &mut Dynamic| match value::detach(value) {
            Ok(()) => true,
            Err(error) => {
                result = Err(error.to_string());
                false
            }
        };
        if let Some(mut values) = kept.write_lock::<Map>() {
            values.retain(|_, value| keeps(value));
        } else if !keeps(&mut kept) {
            kept = Dynamic::UNIT;
        }
        if let Some(mut place) = user.write_lock::<Dynamic>() {
            *place = kept;
        }
        result
    }
}

impl Hooks {
    /// Compiles a script; `folder` is where its imports are found. `setup` is what its hook of that name returned, and
    /// `now` the clock of `now()`, in seconds.
    ///
    /// Fails where [`super::Program::compile`] does, and where a hook takes another number of parameters than it is
    /// called with.
    pub fn compile(
        source: &str,
        folder: &Path,
        limits: Limits,
        setup: &Setup,
        now: fn() -> f64,
    ) -> Result<Hooks, ScriptError> {
        let no_stack = |error| ScriptError::new(format!("no stack for the hooks: {error}"));
        let mut stack = stack::take(limits.stack_bytes()).map_err(no_stack)?;
        // The parser recurses as deep as the script nests, on whatever stack it is called.
        let (engine, functions) =
            corosensei::on_stack(&mut stack, || compile_here(source, folder, limits, setup, now))?;
        Ok(Hooks { engine, functions, limits, gauges: None, pulse: Arc::default(), stack: RefCell::new(stack) })
    }

    /// With these, calls can tell how long they run and what memory they take: without, those limits do not hold.
    pub fn measured(self, gauges: Gauges) -> Hooks {
        Hooks { gauges: Some(gauges), ..self }
    }

    /// With this, others can see whether calls come back.
    pub fn watched(self, pulse: Arc<Heartbeat>) -> Hooks {
        Hooks { pulse, ..self }
    }

    /// Whether the script has this hook.
    pub fn has(&self, hook: Hook) -> bool {
        self.functions.contains_key(hook.name)
    }

    /// What is prepared before a load; nothing without such a hook.
    pub fn setup(&self) -> Called<Setup> {
        self.call(SETUP, (), None, |mut value| {
            value::detach(&mut value).map_err(|error| error.to_string())?;
            Ok(Setup(value))
        })
    }

    /// What this user sends next, and how long it thinks before.
    pub fn request(&self, user: &HookUser, seq: u64) -> Called<(UserRequest, Duration)> {
        RUNNING.with(|running| running.pause.set(Some(Duration::ZERO)));
        let seq = INT::try_from(seq).unwrap_or(INT::MAX);
        let called = self.call(REQUEST, (user.0.clone(), seq), Some(user), wanted::from_value);
        let pause = RUNNING.with(|running| running.pause.take()).unwrap_or_default();
        Called { result: called.result.map(|wanted| (wanted, pause)), log: called.log }
    }

    /// What is wrong with a response; nothing if all is well.
    pub fn check(&self, exchange: &Arc<HookExchange>) -> Called<Option<String>> {
        let object = exchange::object(exchange.clone());
        self.call(CHECK, (object,), Some(&exchange.user), |said| Ok(exchange::wrong(&said)))
    }

    /// What is cleared away after a load.
    pub fn teardown(&self) -> Called<()> {
        self.call(TEARDOWN, (), None, |_| Ok(()))
    }

    /// The scenario's own verdicts.
    pub fn verdict(&self, metrics: Metrics) -> Called<Vec<Judged>> {
        self.call(VERDICT, (metrics,), None, judge::from_value)
    }

    /// Calls a hook that the script has; the default value if it has none. `user` is whom it may keep values with.
    fn call<T: Default>(
        &self,
        hook: Hook,
        arguments: impl FuncArgs,
        user: Option<&HookUser>,
        read: impl FnOnce(Dynamic) -> Result<T, String>,
    ) -> Called<T> {
        let Some(function) = self.functions.get(hook.name) else {
            return Called { result: Ok(T::default()), log: Vec::new() };
        };
        let mut values = Vec::new();
        arguments.parse(&mut values);
        let mut scope = Scope::new();
        for (name, value) in function.parameters.iter().zip(values) {
            scope.push_dynamic(name.as_str(), value);
        }
        let meter = Meter::new(self.gauges, self.limits);
        meter.resume();
        RUNNING.with(|running| running.meter.replace(Some(meter)));
        let mut stack = self.stack.borrow_mut();
        let _beat = self.pulse.begin(&function.name);
        let on_stack = || {
            let value = self.engine.eval_ast_with_scope::<Dynamic>(&mut scope, &function.script);
            let value = value.map_err(|error| program::explain(&function.script, *error, hook.name, &self.limits));
            let failed = |text| ScriptError::new(text).in_function(hook.name);
            let result = value.and_then(|value| read(value.flatten()).map_err(failed));
            // Closures within closures take as much stack to drop as the limits may ask for: not the thread's.
            drop(scope);
            let detached = user.map_or(Ok(()), HookUser::detach).map_err(failed);
            result.and_then(|value| detached.map(|()| value))
        };
        // What a panic leaves half done is the call's own.
        let result = catch_unwind(AssertUnwindSafe(|| corosensei::on_stack(&mut *stack, on_stack)));
        let result = result.unwrap_or_else(|panic| {
            let message = format!("the hook panicked: {}", call::panic_text(&*panic));
            Err(ScriptError::new(message).in_function(hook.name))
        });
        if result.is_err()
            && let Ok(fresh) = stack::take(self.limits.stack_bytes())
        {
            // What ran into a limit may have touched all of its stack; that memory is not to be kept.
            *stack = fresh;
        }
        Called { result, log: RUNNING.with(|running| running.log.take()) }
    }
}

fn compile_here(
    source: &str,
    folder: &Path,
    limits: Limits,
    setup: &Setup,
    now: fn() -> f64,
) -> Result<(Engine, HashMap<&'static str, Function>), ScriptError> {
    let (mut engine, names) = engine::new(limits);
    register(&mut engine, now);
    let imports = Imports::new(folder);
    let script = program::compile_whole(&mut engine, &imports, source)
        .map_err(|error| ScriptError::of_running(*error, None, &limits))?;
    let mut constants = imports.constants();
    constants.insert("setup".into(), setup.0.clone());
    state::register(&mut engine, &names.found(), constants);
    let mut functions = HashMap::new();
    for hook in ALL.iter().filter(|hook| hook.side != Side::Server) {
        if let Some(function) = find(&script, hook)? {
            functions.insert(hook.name, function);
        }
    }
    Ok((engine, functions))
}

/// The function of a hook; an error if there are only such that take another number of parameters.
fn find(script: &AST, hook: &Hook) -> Result<Option<Function>, ScriptError> {
    let mut other: Option<(usize, Position)> = None;
    for function in program::public_functions(script).filter(|function| function.name == hook.name) {
        if function.params.len() == hook.parameters.len() {
            let parameters = function.params.iter().map(ToString::to_string).collect();
            let name = hook.name.into();
            return Ok(Some(Function { name, script: program::alone(script, function), parameters }));
        }
        other = Some((function.params.len(), function.body.start_position()));
    }
    let Some((count, position)) = other else { return Ok(None) };
    let takes = match count {
        0 => "no parameter".to_owned(),
        1 => "1 parameter".to_owned(),
        count => format!("{count} parameters"),
    };
    let message = format!("`{}` takes {takes}, but is called as `{}`", hook.name, hook.signature());
    Err(ScriptError::new(message).in_function(hook.name).at(position))
}

/// What hooks have instead of the functions of handlers, and beside them.
fn register(engine: &mut Engine, now: fn() -> f64) {
    let volatile = functions::volatile;
    volatile("sleep").register_into_engine(engine, |time: INT| pause(&time.into()));
    volatile("sleep").register_into_engine(engine, |time: f64| pause(&time.into()));
    volatile("sleep").register_into_engine(engine, |time: ImmutableString| pause(&time.into()));
    volatile("sleep").register_into_engine(engine, |time: Dynamic| pause(&time));
    volatile("now").register_into_engine(engine, now);
    volatile("log").register_into_engine(engine, |text: Dynamic| log(&text.to_string()));
    engine.on_progress(|operations| check_meter(operations).err().map(Into::into));
    engine.on_print(log);
    engine.on_debug(|text, _, _| log(text));
    exchange::register(engine);
    judge::register(engine);
}

/// Think time: the request is sent so much later. No thread waits meanwhile.
fn pause(time: &Dynamic) -> Outcome<()> {
    let time = functions::duration("sleep", time)?;
    RUNNING.with(|running| match running.pause.get() {
        Some(before) => {
            running.pause.set(Some(before.saturating_add(time)));
            Ok(())
        }
        None => Err("sleep() is a user's think time before it asks: only `request` can call it".into()),
    })
}

/// Asks whether the call under way may go on; else why not.
fn check_meter(operations: u64) -> Result<(), String> {
    RUNNING.with(|running| running.meter.borrow().as_ref().map_or(Ok(()), |meter| meter.check(operations)))
}

fn log(text: &str) {
    RUNNING.with(|running| {
        let mut log = running.log.borrow_mut();
        if log.len() < MOST_LOGGED {
            log.push(text.to_owned());
        }
    });
}
