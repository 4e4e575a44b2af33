//! `runner replay RECORD LEAK`: a recorded leak once more.

use std::path::Path;

use super::arguments::Replay;
use super::report::read;
use super::{Exit, print_error, print_out, signals, surroundings};
use crate::dirty::recipe::Recipe;
use crate::dirty::{Oracle, Try};
use crate::record::{Leak, Record};
use crate::report;
use crate::run::environment;
use crate::run::replay::{Again, NotReplayed, replay};
use crate::stats::interval_95;
use crate::units::{show_percentage, show_time};

pub(super) fn run(arguments: &Replay) -> Exit {
    match again(arguments) {
        Ok(exit) => exit,
        Err((message, advice)) => {
            print_error(&message, Some(&advice));
            Exit::Invalid
        }
    }
}

/// The error, of the arguments or the record, is a message with advice.
fn again(arguments: &Replay) -> Result<Exit, (String, String)> {
    let record = read(&arguments.record).map_err(|(message, advice)| (message, advice.to_owned()))?;
    let (number, variant, trial, leak) = pick(&record, &arguments.leak)?;
    let recipe = recipe(leak, &record)?;
    let file = Path::new(&record.scenario.file);
    let Some(scenario) = surroundings::load_text(file, &record.scenario.effective) else {
        let message = format!("the scenario of this record cannot be loaded as {} any more", file.display());
        return Err((message, "run it where the run was started, with its scripts and variables in place".to_owned()));
    };
    let name = &record.variants[variant].name;
    let hide = |text: &str| scenario.secrets.hide(text).into_owned();
    let Some(variant) = scenario.variants.iter().find(|known| hide(&known.name) == *name) else {
        let advice = "replay with the version of runner that wrote the record".to_owned();
        return Err((format!("the scenario of this record has no variant `{name}`"), advice));
    };
    let cancel =
        match signals::cancellation("interrupted: once more to end at once", |text| anstream::eprintln!("{text}")) {
            Ok(cancel) => cancel,
            Err(error) => {
                print_error(&format!("cannot watch for signals: {error}"), None);
                return Ok(Exit::CouldNotRun);
            }
        };
    environment::prepare();
    print_out(&format!("leak {number} ({}): {}\n", leak.class.name(), report::recipe_in_words(recipe)));
    let seed = record.seed.wrapping_add(trial as u64 + 1);
    let again = Again { variant, recipe, seed, times: arguments.times, allowed_hosts: &arguments.allow_hosts };
    let show = |number: u64, one: &Try| {
        print_out(&hide(&line(number, one)));
    };
    let outcome = replay(&again, &show, &cancel);
    Ok(match outcome {
        Ok(_) if cancel.is_cancelled() => Exit::Interrupted,
        Ok((tries, shown)) => conclude(tries, shown),
        Err(NotReplayed { message, advice }) => {
            print_error(&hide(&message), Some(&hide(&advice)));
            Exit::CouldNotRun
        }
    })
}

/// A leak by its number or its class, with the indices of its variant and trial.
fn pick<'a>(record: &'a Record, wanted: &str) -> Result<(usize, usize, usize, &'a Leak), (String, String)> {
    let all = record.distinct_leaks();
    let numbered =
        || all.iter().enumerate().map(|(index, (variant, trial, leak))| (index + 1, *variant, *trial, *leak));
    let is_wanted = |number: usize, leak: &Leak| wanted.parse() == Ok(number) || wanted == leak.class.name();
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

fn recipe<'a>(leak: &'a Leak, record: &Record) -> Result<&'a Recipe, (String, String)> {
    let run_again = format!("run the scenario again: `runner {} --set seed={}`", record.scenario.file, record.seed);
    let unknown = "this record does not say what was sent: an earlier version wrote it".to_owned();
    let Some(recipe) = leak.replayable() else { return Err((unknown, run_again)) };
    match recipe.validate() {
        Ok(()) => Ok(recipe),
        Err(what) => Err((format!("what was sent, as this record has it, cannot be sent: {what}"), run_again)),
    }
}

fn line(number: u64, one: &Try) -> String {
    let what = match &one.leak {
        None if one.unanswered > 0 => {
            format!("no leak, and {} of {} requests got no answer", one.unanswered, one.requests)
        }
        None => "no leak".to_owned(),
        Some(leak) => {
            let source = leak
                .source
                .as_ref()
                .map_or(String::new(), |source| format!(" {} request {} in", what_of(leak.oracle), source.request));
            let waited = show_time(leak.waited.as_secs_f64());
            format!(
                "leak: request {} was answered, after {waited}, with{source} {}",
                leak.victim.request,
                place(&leak.place)
            )
        }
    };
    format!("try {number}: {}\n", report::one_line(&what))
}

fn what_of(oracle: Oracle) -> &'static str {
    match oracle {
        Oracle::Swap => "the answer of",
        Oracle::Learned => "what belongs to",
        Oracle::Value => "the value of",
        Oracle::Canary | Oracle::Fragment | Oracle::Number => "the canary of",
    }
}

fn place(place: &str) -> String {
    if place.starts_with("a ") { place.to_owned() } else { format!("the {place}") }
}

fn conclude(tries: u64, shown: u64) -> Exit {
    let (low, high) = interval_95(shown, tries);
    let rate = format!("between {} and {} of tries, at 95 % confidence", show_percentage(low), show_percentage(high));
    let printed = print_out(&format!("{shown} of {tries} showed it: {rate}\n"));
    if shown > 0 { printed } else { Exit::Inconclusive.max(printed) }
}
