//! `runner replay RECORD LEAK`: a recorded leak once more.

use super::arguments::Replay;
use super::logging::EventLog;
use super::report::read;
use super::{Exit, print, signals};
use crate::dirty::recipe::Recipe;
use crate::dirty::{LeakOracle, ReplayTry};
use crate::record::{LeakRecord, Record};
use crate::report;
use crate::run::environment;
use crate::run::replay::{
    Difference, ExpectedResponses, NotReplayed, ReplayOutcome, ReplayPlan, locate, of_a_sweep, replay,
};
use crate::stats::interval_95;
use crate::units::{show_percentage, show_time};

mod restored;

pub(super) fn run(arguments: &Replay, log: &EventLog) -> Exit {
    match again(arguments, log) {
        Ok(exit) => exit,
        Err((message, advice)) => {
            print::error(&message, Some(&advice));
            Exit::Invalid
        }
    }
}

/// The error, of the arguments or the record, is a message with advice.
fn again(arguments: &Replay, log: &EventLog) -> Result<Exit, (String, String)> {
    let record = read(&arguments.record).map_err(|(message, advice)| (message, advice.to_owned()))?;
    let (number, index, trial, leak) = pick(&record, &arguments.leak)?;
    let recipe = recipe(leak, &record)?;
    let scenario = restored::scenario(arguments, &record)?;
    log.telemetry().redaction().add(&scenario.secrets);
    let hide = |text: &str| scenario.secrets.hide(text).into_owned();
    let known = &record.variants[index];
    // Of one text, in one order: their names may hold what is not shown.
    let Some(variant) = scenario.variants.get(index).filter(|_| scenario.variants.len() == record.variants.len())
    else {
        let advice = "replay with the version of runner that wrote the record".to_owned();
        return Err((format!("the scenario of this record has no variant `{}`", known.name), advice));
    };
    let Some(cancel) = signals::or_print("interrupted: once more to end at once", |text| print::note(text)) else {
        return Ok(Exit::CouldNotRun);
    };
    environment::prepare();
    print::out(&format!("leak {number} ({}): {}\n", leak.class.name(), report::recipe_in_words(recipe)));
    let seed = record.seed.wrapping_add(trial as u64 + 1);
    let control = known.trials.get(trial).and_then(|trial| trial.dirty.as_ref()).map(|dirty| dirty.control.clone());
    let expected = ExpectedResponses::of(leak, &control.unwrap_or_default());
    let (times, allowed_hosts) = (arguments.times, &arguments.allow_hosts);
    let again = ReplayPlan { variant, recipe, expected: &expected, seed, times, allowed_hosts };
    let swept = known.trials.get(trial).and_then(|trial| trial.dirty.as_ref()?.sweep.as_ref());
    let of_sweep = match swept.map(|swept| of_a_sweep(&again, swept, &cancel)) {
        None => None,
        Some(Ok(found)) => Some(found),
        Some(Err(_)) if cancel.is_cancelled() => return Ok(Exit::Interrupted),
        Some(Err(NotReplayed { message, advice })) => {
            print::error(&hide(&message), Some(&hide(&advice)));
            return Ok(Exit::CouldNotRun);
        }
    };
    let again = match &of_sweep {
        Some((variant, recipe)) => ReplayPlan { variant, recipe, ..again },
        None => again,
    };
    let show = |number: u64, one: &ReplayTry, unlike: Option<&Difference>| {
        print::out(&hide(&line(number, one, unlike)));
    };
    let outcome = replay(&again, &show, &cancel);
    Ok(match outcome {
        Ok(_) if cancel.is_cancelled() => Exit::Interrupted,
        Ok(outcome) => {
            let exit = conclude(&outcome, leak);
            if !arguments.locate {
                return Ok(exit);
            }
            let located = locate(&again, leak, &cancel);
            let lines = report::location_in_words(&located);
            let text: String = lines.iter().map(|(name, text)| format!("{name}: {text}\n")).collect();
            let printed = print::out(&hide(&text));
            if cancel.is_cancelled() { Exit::Interrupted } else { exit.max(printed) }
        }
        Err(NotReplayed { message, advice }) => {
            print::error(&hide(&message), Some(&hide(&advice)));
            Exit::CouldNotRun
        }
    })
}

/// A leak by its number or its class, with the indices of its variant and trial.
fn pick<'a>(record: &'a Record, wanted: &str) -> Result<(usize, usize, usize, &'a LeakRecord), (String, String)> {
    let all = record.distinct_leaks();
    let numbered =
        || all.iter().enumerate().map(|(index, (variant, trial, leak))| (index + 1, *variant, *trial, *leak));
    let is_wanted = |number: usize, leak: &LeakRecord| wanted.parse() == Ok(number) || wanted == leak.class.name();
    if let Some(found) = numbered().find(|(number, _, _, leak)| is_wanted(*number, leak)) {
        return Ok(found);
    }
    let known: Vec<String> =
        numbered().map(|(number, _, _, leak)| format!("{number} ({})", leak.class.name())).collect();
    Err(match known.is_empty() {
        true => ("this record holds no leak".to_owned(), "name the record of a run that found one".to_owned()),
        false => (
            format!("this record holds no leak `{}`", report::one_line(wanted)),
            format!("it holds {}", known.join(", ")),
        ),
    })
}

fn recipe<'a>(leak: &'a LeakRecord, record: &Record) -> Result<&'a Recipe, (String, String)> {
    let run_again = format!("run the scenario again: `runner {} --set seed={}`", record.scenario.file, record.seed);
    let unknown = "this record does not say what was sent: an earlier version wrote it".to_owned();
    let Some(recipe) = leak.replayable() else { return Err((unknown, run_again)) };
    match recipe.validate() {
        Ok(()) => Ok(recipe),
        Err(what) => Err((format!("what was sent, as this record has it, cannot be sent: {what}"), run_again)),
    }
}

fn line(number: u64, one: &ReplayTry, unlike: Option<&Difference>) -> String {
    let what = match (&one.leak, unlike) {
        (None, Some(unlike)) => format!("nothing can be said: {unlike}"),
        (None, None) if one.unanswered > 0 => {
            format!("no leak, and {} of {} requests got no response", one.unanswered, one.requests)
        }
        (None, None) => "no leak".to_owned(),
        (Some(leak), _) => {
            let source = leak
                .source
                .as_ref()
                .map_or(String::new(), |source| format!(" {} request {} in", what_of(leak.oracle), source.request));
            let waited = show_time(leak.victim.exchange.latency().as_secs_f64());
            format!(
                "leak: request {} was answered, after {waited}, with{source} {}",
                leak.victim.request,
                place(&leak.place)
            )
        }
    };
    format!("try {number}: {}\n", report::one_line(&what))
}

fn what_of(oracle: LeakOracle) -> &'static str {
    match oracle {
        LeakOracle::Swap => "the response of",
        LeakOracle::Learned => "what belongs to",
        LeakOracle::Value => "the value of",
        LeakOracle::Canary | LeakOracle::Fragment | LeakOracle::Number => "the canary of",
    }
}

fn place(place: &str) -> String {
    if place.starts_with("a ") { place.to_owned() } else { format!("the {place}") }
}

/// What it comes to. Only tries that were answered as the recorded ones count.
fn conclude(outcome: &ReplayOutcome, leak: &LeakRecord) -> Exit {
    let (tries, telling, shown) = (outcome.tries, outcome.telling(), outcome.shown);
    if !outcome.is_known() {
        let (who, unlike) = match (&outcome.first_unlike, &outcome.unlike_alone) {
            (Some(unlike), _) if outcome.unlike > 0 => (format!("{} of {tries} tries were", outcome.unlike), unlike),
            (_, Some(unlike)) => ("a request that was sent alone was".to_owned(), unlike),
            _ => return Exit::CouldNotRun,
        };
        print::out(&format!("{who} {unlike}: nothing can be said\n"));
        return Exit::CouldNotRun;
    }
    let (low, high) = interval_95(shown, telling);
    let rate = format!("between {} and {} of tries, at 95 % confidence", show_percentage(low), show_percentage(high));
    let recorded = leak.shrunk.as_ref().filter(|_| shown == 0);
    let recorded = recorded
        .map_or(String::new(), |least| format!("; {} of {} did when it was recorded", least.shown, least.tries));
    let besides = match outcome.unlike {
        0 => String::new(),
        unlike => format!("; nothing can be said of {unlike} more"),
    };
    let printed = print::out(&format!("{shown} of {telling} showed it: {rate}{recorded}{besides}\n"));
    if shown > 0 { printed } else { Exit::Inconclusive.max(printed) }
}
