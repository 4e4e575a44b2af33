//! `runner load URL`: a load without a file.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::arguments::Load;
use super::logging::EventLog;
use super::progress::Progress;
use super::run::{complain, print_record, width};
use super::system_context::World;
use super::{Exit, print, signals};
use crate::record::{AD_HOC, Record, VerdictKind};
use crate::report;
use crate::report::terminal::OPTIONS;
use crate::run::{self, Finished, Options, Unfinished, environment};
use crate::scenario::command_line::{AdHocLoad, split_url};
use crate::scenario::{Problem, Scenario};

const INTERRUPTED: &str = "interrupted: the load ends; once more to end at once";
const LATENCY: &str = "`--latency` changes nothing: the latencies are always shown";

pub(super) fn load(arguments: &Load, log: &EventLog, quiet: bool, began: Instant) -> Exit {
    let scenario = match scenario(arguments) {
        Ok(scenario) => scenario,
        Err(problems) => {
            problems.iter().for_each(|(message, advice)| print::error(message, Some(advice)));
            return Exit::Invalid;
        }
    };
    log.telemetry().redaction().add(&scenario.secrets);
    if arguments.latency && !quiet {
        log.style.say(LATENCY);
    }
    let shown = log.style.clone();
    let Some(cancel) = signals::or_print(INTERRUPTED, move |text| shown.say(text)) else { return Exit::CouldNotRun };
    environment::prepare();
    let progress = Progress::new(log.tells_parts, log.style.clone());
    let (reports, allowed_hosts) = (arguments.reports.clone().unwrap_or_default(), arguments.allow_hosts.clone());
    let options = Options {
        reports,
        allowed_hosts,
        began,
        log: log.telemetry().run_log().clone(),
        resume: false,
        rounds: None,
        generators: None,
    };
    let finished = match arguments.reports {
        Some(_) => run::run(&scenario, &options, &progress, &cancel),
        None => run::measure(&scenario, &options, &progress, &cancel).map(unwritten),
    };
    progress.close();
    match finished {
        Ok(finished) => conclude(&finished, arguments),
        Err(unfinished @ Unfinished::NotWritten { .. }) => complain_unwritten(&unfinished, arguments),
        Err(unfinished) => complain(AD_HOC, &unfinished),
    }
}

/// The scenario that a file would hold, or what is wrong, each with its remedy.
fn scenario(arguments: &Load) -> Result<Scenario, Vec<(String, String)>> {
    let one = |message: String, advice: &str| Err(vec![(message, advice.to_owned())]);
    let (origin, target) = split_url(&arguments.url);
    if !origin.contains("://") {
        return one(format!("`{}` is no address", arguments.url), "write as in http://127.0.0.1:8000/path?query");
    }
    if origin.contains('@') {
        return one("the address holds a user".to_owned(), "send it as a header: -H \"authorization: Basic ...\"");
    }
    let names: Vec<String> = arguments.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    if let Some(twice) = names.iter().enumerate().find(|(index, name)| names[..*index].contains(name)) {
        return one(format!("the header `{}` is given twice", twice.1), "join the values with a comma");
    }
    let body = match &arguments.body_file {
        None => arguments.body.clone(),
        Some(file) => match crate::input::read(file) {
            Ok(body) => Some(body),
            Err(error) => {
                return one(format!("cannot read `{}`: {error}", file.display()), "name a file that holds text");
            }
        },
    };
    let has_tls = origin.split_once("://").is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("https"));
    if !has_tls && (arguments.insecure || arguments.cacert.is_some() || arguments.cert.is_some()) {
        return one("options of TLS with an address that has none".to_owned(), "write the address as https://");
    }
    let connect_to = match &arguments.unix_socket {
        Some(path) if path.as_os_str().as_encoded_bytes().starts_with(b"@") => Some(format!("unix:{}", path.display())),
        Some(path) => Some(format!("unix:{}", absolute(path))),
        None => arguments.connect_to.clone(),
    };
    let typed = AdHocLoad {
        origin,
        target,
        method: arguments.method.clone(),
        headers: arguments.headers.clone(),
        body,
        connections: arguments.connections,
        rate: arguments.rate,
        duration: arguments.duration,
        requests: arguments.requests,
        timeout: arguments.timeout,
        threads: arguments.threads,
        connect_to,
        insecure: arguments.insecure,
        ca: arguments.cacert.as_deref().map(absolute),
        cert: arguments.cert.as_deref().map(absolute),
        key: arguments.key.as_deref().map(absolute),
        http2: arguments.http2,
        streams: arguments.streams,
        pipeline: arguments.pipeline,
        sources: arguments.sources.clone(),
    };
    typed.scenario(AD_HOC, &World).map_err(|problems| {
        let told =
            |problem: &Problem| (as_typed(&problem.title), as_typed(problem.help.as_deref().unwrap_or_default()));
        problems.iter().map(told).collect()
    })
}

/// What is said of a scenario's key, said of the option that stands for it here.
fn as_typed(said: &str) -> String {
    // What comes after it shows how the key is written in a file.
    let said = match said.split_once(", as in ") {
        Some((before, example)) if example.contains(" = ") => before,
        _ => said,
    };
    OPTIONS.iter().fold(said.to_owned(), |said, (key, option)| said.replace(&format!("`{key}`"), option))
}

/// A path that means the same in a report's folder.
fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()).to_string_lossy().into_owned()
}

/// A run without a report.
fn unwritten(record: Record) -> Finished {
    Finished { record, folder: PathBuf::new(), not_latest: None }
}

/// Prints what came of it, and where the report is, if there is one.
fn conclude(finished: &Finished, arguments: &Load) -> Exit {
    let mut printed = print_results(&finished.record, arguments);
    if arguments.reports.is_some() && !arguments.json {
        printed = printed.max(print::out(&format!(
            "\nreport: {}\n",
            finished.folder.join(crate::report::FORMATS[0].main).display()
        )));
    }
    if let Some(not_latest) = &finished.not_latest {
        print::warning(&not_latest.to_string(), Some(&not_latest.advice()));
    }
    complain_of_no_success(&finished.record);
    Exit::from(finished.record.status).max(printed)
}

/// A load that saw no success has not passed: says why.
fn complain_of_no_success(record: &Record) {
    let verdicts = record.variants.iter().flat_map(|variant| &variant.verdicts);
    for verdict in verdicts.filter(|verdict| verdict.kind == VerdictKind::Success) {
        let loads = record.variants.iter().flat_map(|variant| &variant.trials).filter_map(|trial| trial.load.as_ref());
        let advice = match loads.map(|load| load.started).sum() {
            0 => "the load was over before the first was due: a longer -d, or a higher --rate",
            _ => "see above for what became of them",
        };
        print::error(&verdict.observed, Some(advice));
    }
}

/// What was measured is shown though its report could not be written.
fn complain_unwritten(unfinished: &Unfinished, arguments: &Load) -> Exit {
    if let Unfinished::NotWritten { record, .. } = unfinished {
        print_results(record, arguments);
    }
    complain(AD_HOC, unfinished)
}

fn print_results(record: &Record, arguments: &Load) -> Exit {
    if arguments.json {
        return print_record(record);
    }
    print::out(&report::terminal::load(record, width(), true))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::super::arguments::Arguments;
    use crate::record::{Caveat, Environment, Record, Runner, ScenarioRecord, Status, VariantRecord};
    use crate::report;

    /// A record whose only variant has these caveats.
    fn with(caveats: Vec<Caveat>) -> Record {
        let variant = VariantRecord {
            name: "load".to_owned(),
            settings: Default::default(),
            server: "http://127.0.0.1:8000".to_owned(),
            planned_trials: 1,
            trials: Vec::new(),
            verdicts: Vec::new(),
            caveats,
            ..VariantRecord::default()
        };
        let scenario = ScenarioRecord {
            name: "load".to_owned(),
            about: None,
            file: "load".to_owned(),
            overrides: Vec::new(),
            effective: String::new(),
            allowed_hosts: Vec::new(),
            secrets: Vec::new(),
            withheld: Default::default(),
        };
        Record {
            format: crate::record::FORMAT,
            runner: Runner { version: String::new() },
            started: String::new(),
            seed: 1,
            status: Status::Passed,
            scenario,
            environment: Environment::default(),
            total_s: 1.0,
            scaling: Vec::new(),
            variants: vec![variant],
            comparison: None,
            resumed: None,
            rounds: None,
            merged: Vec::new(),
        }
    }

    #[test]
    fn whatever_option_is_advised_is_one_of_the_command() {
        let command = Arguments::command();
        let load = command.find_subcommand("load").unwrap();
        let options: Vec<String> =
            load.get_arguments().filter_map(|argument| Some(format!("--{}", argument.get_long()?))).collect();
        let of_caveats = concat!(
            include_str!("../analysis/caveats/generator.rs"),
            include_str!("../analysis/caveats/load.rs"),
            include_str!("../analysis/caveats/limits.rs")
        );
        let keys: Vec<&str> = of_caveats.split('`').filter(|word| word.starts_with("load.")).collect();
        assert!(keys.contains(&"load.max_concurrency"), "{keys:?}");
        for key in keys {
            let caveat = Caveat::new("slow", format!("raise `{key}`"));
            let printed = report::terminal::load(&with(vec![caveat]), 100, false);
            let advised = printed.split('`').nth(1).unwrap();
            assert!(options.iter().any(|option| option == advised), "{key} becomes {advised}: not among {options:?}");
        }
    }
}
