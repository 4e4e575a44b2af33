//! The load: how long requests waited, and what came of them.

use std::collections::BTreeSet;

use crate::record::{LoadRecord, PooledRecord, Quantiles, VariantRecord};
use crate::report::ceiling;
use crate::report::escape::{cell, code, code_cell, inline};
use crate::report::format::{NONE, amount, list, micros, outside, setting, share, travel};
use crate::report::sentence;
use crate::report::table::{
    Align::{Left, Right},
    Table,
};
use crate::units::{counted, show_count, show_percentage, show_rate, show_size, show_time};

use super::Place;

mod parts;
mod shared;

/// The loads of a variant with the numbers of their trials.
fn loads(variant: &VariantRecord) -> Vec<(usize, &LoadRecord)> {
    let trials = variant.trials.iter().enumerate();
    trials.filter_map(|(index, trial)| trial.load.as_ref().map(|load| (index + 1, load))).collect()
}

/// The load in words, for the head of a section; empty without any.
pub(super) fn what_was_sent(variant: &VariantRecord) -> String {
    let Some((_, load)) = loads(variant).first().copied() else { return String::new() };
    let trials = if variant.trials.len() > 1 {
        format!(", {}", counted(variant.trials.len() as u64, "trial"))
    } else {
        String::new()
    };
    format!(
        "Load: {}{} ({}) {}{trials}, each request {} with a timeout of {}.",
        amount(load),
        travel(load),
        inline(&format!("{} model", load.model)),
        match load.planned_requests {
            Some(requests) => format!("until {}", counted(requests, "request")),
            None => format!("for {}", load.planned_duration_s.map_or_else(|| NONE.to_owned(), setting)),
        },
        code(&load.request),
        setting(load.timeout_s)
    )
}

/// The most that the server of each trial could have carried; told once where it is the same.
fn ceilings(variant: &VariantRecord) -> String {
    let mut told: Vec<String> = Vec::new();
    for found in variant.trials.iter().filter_map(|trial| trial.ceiling) {
        let sentence = format!("Ceiling: {}.\n\n", inline(&ceiling::ceiling(&found)));
        if !told.contains(&sentence) {
            told.push(sentence);
        }
    }
    told.concat()
}

pub(super) fn load(variant: &VariantRecord, place: &Place) -> String {
    let loads = loads(variant);
    if loads.is_empty() {
        return String::new();
    }
    let mut out = place.heading("Load");
    out += &times(&loads, variant.pooled.as_ref());
    out += &place.explain(
        "Latency counts from the moment a request was due, service time from the moment it was sent; both to the end of the \
         response, and over every started request.",
    );
    out += &ceilings(variant);
    out += &unanswered(&loads);
    out += &outcomes(&loads);
    out += &loads.iter().map(|(_, load)| parts::tables(load)).collect::<String>();
    out += &generators(&loads);
    out += &loads.iter().map(|(number, load)| shared::table(*number, load, loads.len())).collect::<String>();
    for (_, load) in &loads {
        out += &outside(load).map(|note| format!("Of the throughput: {note}.\n\n")).unwrap_or_default();
    }
    out + place.explain("Throughput counts responses with a status below 400 within the duration.").as_str()
}

/// The requests without a response: what is the same for several trials is said once.
fn unanswered(loads: &[(usize, &LoadRecord)]) -> String {
    let mut said: Vec<(Vec<String>, String)> = Vec::new();
    let mut ranks: Vec<&str> = Vec::new();
    for (number, note) in loads.iter().filter_map(|(number, load)| Some((number, sentence::unanswered_note(load)?))) {
        match said.iter_mut().find(|(_, what)| *what == note.what) {
            Some((trials, _)) => trials.push(number.to_string()),
            None => said.push((vec![number.to_string()], note.what)),
        }
        if !ranks.contains(&note.how_they_rank) {
            ranks.push(note.how_they_rank);
        }
    }
    let which = |trials: &[String]| match (loads, trials) {
        ([_], _) => String::new(),
        (_, [one]) => format!("In trial {one}: "),
        (_, several) => format!("In trials {}: ", list(several)),
    };
    let said = said.iter().map(|(trials, what)| format!("{}{}\n\n", which(trials), inline(what)));
    said.chain(ranks.iter().map(|rank| format!("{}\n\n", inline(rank)))).collect()
}

fn times(loads: &[(usize, &LoadRecord)], pooled: Option<&PooledRecord>) -> String {
    let quantiles = ["min", "mean", "p50", "p75", "p90", "p95", "p99", "p99.9", "max"];
    let heads = [("trial", Right), ("time", Left)].into_iter().chain(quantiles.map(|name| (name, Right)));
    let mut table = Table::new(heads);
    for (number, load) in loads {
        let trial = || if loads.len() > 1 { number.to_string() } else { String::new() };
        table.row([trial(), "latency".to_owned()].into_iter().chain(row(&load.latency_us)));
        table.row([trial(), "service time".to_owned()].into_iter().chain(row(&load.service_time_us)));
    }
    if let Some(all) = pooled {
        for (time, of) in [("latency", &all.latency_us), ("service time", &all.service_time_us)] {
            table.row(["all".to_owned(), time.to_owned()].into_iter().chain(row(of)));
        }
    }
    table.without_empty_columns().markdown()
}

fn row(of: &Quantiles) -> [String; 9] {
    [of.min, of.mean, of.p50, of.p75, of.p90, of.p95, of.p99, of.p999, of.max].map(micros)
}

/// What came of the requests: a row an outcome, a column a trial.
fn outcomes(loads: &[(usize, &LoadRecord)]) -> String {
    let names: Vec<String> = match loads {
        [_] => vec!["requests".to_owned()],
        several => several.iter().map(|(number, _)| format!("trial {number}")).collect(),
    };
    let numbers = names.iter().map(|name| (name.as_str(), Right));
    let mut table =
        Table::new([("outcome", Left)].into_iter().chain(numbers).chain([("share", Right), ("meaning", Left)]));
    let mut add = |name: String, of: &dyn Fn(&LoadRecord) -> u64, meaning: &str| {
        let counts: Vec<u64> = loads.iter().map(|(_, load)| of(load)).collect();
        let started: u64 = loads.iter().map(|(_, load)| load.started).sum();
        let sum: u64 = counts.iter().sum();
        let share = share(sum, started);
        let cells = counts.iter().map(|n| show_count(*n)).chain([share, meaning.to_owned()]);
        table.row([name].into_iter().chain(cells));
    };
    add("started".to_owned(), &|load| load.started, "warm-up left out");
    add("answered".to_owned(), &|load| load.completed, "a whole response came, whatever its status");
    for code in keys(loads, |load| load.status.keys()) {
        let said = loads.iter().find_map(|(_, load)| load.error_bodies.get(&code)).filter(|said| !said.is_empty());
        let said = said.map(|said| format!("the first said {}", code_cell(said))).unwrap_or_default();
        add(format!("– status {}", cell(&code)), &|load| load.status.get(&code).copied().unwrap_or(0), &said);
    }
    add("failed".to_owned(), &|load| load.failed, "no whole response came, and none would have");
    for kind in keys(loads, |load| load.errors.keys()) {
        if kind != "status" {
            let sample = loads.iter().find_map(|(_, load)| load.error_samples.get(&kind));
            let sample = sample.map_or(String::new(), |sample| format!("; the first: {}", code_cell(sample)));
            let meaning = format!("{}{sample}", meaning(&kind, loads));
            add(format!("– {}", cell(&kind)), &|load| load.errors.get(&kind).copied().unwrap_or(0), &meaning);
        }
    }
    add("unanswered".to_owned(), &|load| load.unanswered, "still waiting when the load ended");
    if loads.iter().any(|(_, load)| load.generator.retries > 0) {
        let meaning = "the connection ended before a byte of the response, or the server refused it unseen; no error";
        add("sent again".to_owned(), &|load| load.generator.retries, meaning);
    }
    table.markdown()
}

fn keys<'a>(
    loads: &[(usize, &'a LoadRecord)],
    of: impl Fn(&'a LoadRecord) -> std::collections::btree_map::Keys<'a, String, u64>,
) -> Vec<String> {
    let all: BTreeSet<&String> = loads.iter().flat_map(|(_, load)| of(load)).collect();
    all.into_iter().take(20).cloned().collect()
}

fn meaning(kind: &str, loads: &[(usize, &LoadRecord)]) -> String {
    match kind {
        "connect" => "no connection could be made".to_owned(),
        "tls" => "a connection was made, but its TLS handshake failed".to_owned(),
        "timeout" => {
            let timeout = loads.first().map_or(NONE.to_owned(), |(_, load)| setting(load.timeout_s));
            format!("no whole response within {timeout}")
        }
        "closed" => "the connection was closed before the response was whole".to_owned(),
        "protocol" => "what came is not HTTP".to_owned(),
        "script" => "the script did not say what to send".to_owned(),
        _ => String::new(),
    }
}

/// Throughput, and what made the load.
fn generators(loads: &[(usize, &LoadRecord)]) -> String {
    let mut table = Table::new([
        ("trial", Right),
        ("throughput", Right),
        ("duration", Right),
        ("received", Right),
        ("connections opened", Right),
        ("generator threads", Right),
        ("busiest thread", Right),
    ]);
    for (number, load) in loads {
        table.row([
            if loads.len() > 1 { number.to_string() } else { String::new() },
            show_rate(load.throughput),
            show_time(load.duration_s),
            show_size(load.bytes_received),
            connections(load),
            load.generator.threads.to_string(),
            format!("{} of a core", show_percentage(load.generator.cpu_max)),
        ]);
    }
    table.without_empty_columns().markdown()
}

/// How many connections were opened, how many of these took up an earlier session of TLS, and on how many something came
/// unasked.
fn connections(load: &LoadRecord) -> String {
    let opened = show_count(load.generator.connections_opened);
    let resumed = load.generator.handshakes_resumed.map(|count| format!("{} resumed a TLS session", show_count(count)));
    let unasked = (load.unsolicited > 0).then(|| format!("something came unasked on {}", show_count(load.unsolicited)));
    let notes: Vec<String> = resumed.into_iter().chain(unasked).collect();
    if notes.is_empty() { opened } else { format!("{opened} ({})", notes.join(", ")) }
}
