//! How to get the same run again.

use crate::record::Record;
use crate::report::Home;
use crate::report::escape::{clean, code, fence, inline, shell_word};
use crate::units::show_size;

pub(super) fn reproduce(record: &Record, home: Home<'_>) -> String {
    let mut out = "## How to reproduce\n\n".to_owned();
    out += &fence(&[command_line(record)], "sh");
    out += "\nThe seed draws the same canaries and the same chances again; times differ from run to run.\n\n";
    let facts = [
        ("started", code(&record.started)),
        ("runner", format!("version {}, record format {}", code(&record.runner.version), record.format)),
        ("machine", machine(record)),
    ];
    for (name, fact) in facts {
        out += &format!("- {name}: {fact}\n");
    }
    if !record.scenario.overrides.is_empty() {
        let overrides: Vec<String> = record.scenario.overrides.iter().map(|given| code(given)).collect();
        out += &format!("- set on the command line, over what the file says: {}\n", overrides.join(", "));
    }
    let folder = home.folder.to_string_lossy();
    let place = if home.beside { "beside this report".to_owned() } else { format!("in {}", code(&folder)) };
    let again = code(&format!("runner report {}", shell_word(&folder)));
    out += &format!(
        "- {place}: `effective.toml` (the scenario with everything filled in), `record.json` (every fact of the run; {again} \
         renders it again), `server.log`\n"
    );
    out
}

fn command_line(record: &Record) -> String {
    let mut words = vec!["runner".to_owned(), shell_word(&record.scenario.file)];
    let mut set = |assignment: &str| {
        words.push("--set".to_owned());
        words.push(shell_word(assignment));
    };
    record.scenario.overrides.iter().for_each(|given| set(given));
    if !record.scenario.overrides.iter().any(|given| clean(given).trim_start().starts_with("seed")) {
        set(&format!("seed={}", record.seed));
    }
    words.join(" ")
}

fn machine(record: &Record) -> String {
    let machine = &record.environment;
    let parts = [&machine.os, &machine.kernel, &machine.cpu].map(|part| part.trim());
    let named: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).map(inline).collect();
    let cores = if machine.cpus == 1 { "1 core".to_owned() } else { format!("{} cores", machine.cpus) };
    format!("{}, {cores}, {} of memory", named.join(", "), show_size(machine.memory_bytes))
        .trim_start_matches(", ")
        .to_owned()
}
