//! The functions that suspend a script, and the small ones beside them.

use std::time::Duration;

use rhai::{Dynamic, Engine, EvalAltResult, FuncRegistration, INT, ImmutableString};

use super::type_names::plain_type;
use super::{HandlerStep, Limits, current_call, size_limits};
use crate::units;

type Outcome<T> = Result<T, Box<EvalAltResult>>;

pub(super) fn register(engine: &mut Engine, limits: Limits) {
    timed(engine, "sleep", HandlerStep::Sleep);
    timed(engine, "block", HandlerStep::Block);
    timed(engine, "burn", HandlerStep::Burn);
    volatile("yield_now").register_into_engine(engine, || current_call::suspend(HandlerStep::Yield).map(drop));
    volatile("log")
        .register_into_engine(engine, move |value: Dynamic| log(&size_limits::text(&value, limits.string_bytes)));
    volatile("now").register_into_engine(engine, now);
    volatile("random").register_into_engine(engine, rand::random::<f64>);
    volatile("random").register_into_engine(engine, random_between);
    // Outside of a call there is nobody to print to.
    engine.on_print(|text| drop(log(text)));
    engine.on_debug(|text, _, _| drop(log(text)));
}

fn log(text: &str) -> Outcome<()> {
    current_call::suspend(HandlerStep::Log(text.to_owned())).map(drop)
}

/// A function that no optimizer may call ahead of time.
pub(super) fn volatile(name: &str) -> FuncRegistration {
    FuncRegistration::new(name).with_volatility(true)
}

/// A function of a time, once for each type that a time may have: rhai prefers an exact type to any, and so would
/// find its own `sleep`, which blocks, before ours.
fn timed(engine: &mut Engine, name: &'static str, step: fn(Duration) -> HandlerStep) {
    let suspend = move |time: &Dynamic| {
        let step = step(duration(name, time)?);
        if let HandlerStep::Block(time) | HandlerStep::Burn(time) = step {
            current_call::with(|call| Ok(call.meter.hold(name, time)?))?;
        }
        current_call::suspend(step).map(drop)
    };
    volatile(name).register_into_engine(engine, move |time: INT| suspend(&time.into()));
    volatile(name).register_into_engine(engine, move |time: f64| suspend(&time.into()));
    volatile(name).register_into_engine(engine, move |time: ImmutableString| suspend(&time.into()));
    volatile(name).register_into_engine(engine, move |time: Dynamic| suspend(&time));
}

/// A text with a unit (`"5ms"`), seconds as text (`"0.1"`, as in a query) or as a number; `()` is the server's default.
pub(super) fn duration(function: &str, time: &Dynamic) -> Outcome<Duration> {
    if time.is_unit() {
        return current_call::with(|call| Ok(call.process.sleep()));
    }
    if let Ok(text) = time.as_immutable_string_ref() {
        return Ok(units::parse_sleep(&text).map_err(|error| error.to_string())?);
    }
    let seconds = time.as_float().or_else(|_| time.as_int().map(|seconds| seconds as f64));
    match seconds {
        Ok(seconds) if (0.0..=units::LONGEST.as_secs_f64()).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        Ok(seconds) => Err(format!("{function}({seconds}): write seconds from 0 to 86400").into()),
        Err(_) => Err(format!(
            "{function} wants seconds (0.1) or a text with a unit (\"100ms\"), not a {}",
            plain_type(time.type_name())
        )
        .into()),
    }
}

fn now() -> Outcome<f64> {
    current_call::with(|call| call.process.now().ok_or_else(|| "now() has no clock here".into()))
}

fn random_between(low: INT, high: INT) -> Outcome<INT> {
    if low > high {
        return Err(format!("random({low}, {high}): the first number must not be above the second").into());
    }
    Ok(rand::random_range(low..=high))
}
