//! How to get the same run again.

use crate::dirty::observation::variable;
use crate::record::{AD_HOC, Record};
use crate::report::ReportLocation;
use crate::report::escape::{code, fence_whole, inline, shell_lines, shell_word};
use crate::report::format::list;
use crate::report::merged;
use crate::units::show_size;

/// A command that is longer goes over several lines, in characters.
const ONE_LINE: usize = 110;
/// How an override ends whose value is not shown.
const REDACTED: &str = "=[redacted]";

pub(super) fn reproduce(record: &Record, home: ReportLocation<'_>) -> String {
    let command = Command::of(record, home);
    let mut out = "## How to reproduce\n\n".to_owned();
    out += &command.notes();
    out += &fence_whole(&command.lines(), "sh");
    out += "\nThe seed draws the same canaries and the same chances again; times differ from run to run.\n\n";
    let facts = [
        ("started", code(&record.started)),
        ("runner", format!("version {}, record format {}", code(&record.runner.version), record.format)),
        ("machine", machine(record)),
    ];
    for (name, fact) in facts {
        out += &format!("- {name}: {fact}\n");
    }
    let parts = merged::parts(record);
    if !parts.is_empty() {
        out += &format!("- merged from:\n{}", parts.iter().map(|part| format!("  - {part}\n")).collect::<String>());
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

/// A command line that can be pasted.
struct Command {
    /// `runner` and the file.
    start: String,
    /// Each with its value.
    options: Vec<String>,
    /// The variables of the shell that stand in it for what is not shown.
    left_out: Vec<String>,
    /// The keys of overrides that no line holds.
    missing: Vec<String>,
    /// The variables that the scenario reads, and whose values are not shown.
    secrets: Vec<String>,
}

impl Command {
    fn of(record: &Record, home: ReportLocation<'_>) -> Command {
        let scenario = &record.scenario;
        // `runner load` had none: what it wrote means the same.
        let file = match scenario.file.as_str() {
            AD_HOC => home.folder.join("effective.toml").to_string_lossy().into_owned(),
            file => file.to_owned(),
        };
        let mut command = Command {
            start: format!("runner {}", shell_word(&file)),
            options: Vec::new(),
            left_out: Vec::new(),
            missing: Vec::new(),
            secrets: scenario.secrets.iter().filter(|name| !scenario.withheld.contains_key(*name)).cloned().collect(),
        };
        scenario.overrides.iter().for_each(|given| command.set(given));
        let in_overrides =
            |name: &&String| scenario.overrides.iter().any(|given| given.contains(&format!("${{{name}}}")));
        command.left_out.extend(scenario.withheld.keys().filter(in_overrides).cloned());
        if !scenario.overrides.iter().any(|given| key(given) == "seed") {
            command.set(&format!("seed={}", record.seed));
        }
        command.options.extend(scenario.allowed_hosts.iter().map(|host| format!("--allow-host {}", shell_word(host))));
        command
    }

    fn set(&mut self, given: &str) {
        if let Some(key) = given.strip_suffix(REDACTED) {
            let variable = variable(key);
            self.options.push(format!("--set {}\"{variable}\"", shell_word(&format!("{key}="))));
            self.left_out.push(variable[1..].to_owned());
            return;
        }
        match shell_lines(given) {
            Some(word) => self.options.push(format!("--set {word}")),
            None => self.missing.push(key(given).to_owned()),
        }
    }

    /// What to do before it is pasted.
    fn notes(&self) -> String {
        let list_of = |names: &[String]| list(&names.iter().map(|name| code(name)).collect::<Vec<_>>());
        let mut out = String::new();
        if !self.left_out.is_empty() {
            out += &format!("Set {} first: what was given there is not shown.\n\n", list_of(&self.left_out));
        }
        if !self.secrets.is_empty() {
            out += &format!("The scenario reads {} from the environment.\n\n", list_of(&self.secrets));
        }
        if !self.missing.is_empty() {
            let names = list_of(&self.missing);
            out += &format!("What `--set` gave to {names} cannot be typed, and is left out: see `record.json`.\n\n");
        }
        out
    }

    /// One line, or one for each option.
    fn lines(&self) -> Vec<String> {
        let words: Vec<&str> = std::iter::once(&self.start).chain(&self.options).map(String::as_str).collect();
        let whole = words.join(" ");
        if whole.chars().count() <= ONE_LINE && !whole.contains('\n') {
            return vec![whole];
        }
        words.join(" \\\n  ").split('\n').map(str::to_owned).collect()
    }
}

/// The key of `key=value`.
fn key(given: &str) -> &str {
    given.split_once('=').map_or(given, |(key, _)| key).trim()
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

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process;

    use super::*;
    use crate::record::{Environment, FORMAT, Runner, ScenarioRecord, Status};

    fn record(overrides: &[&str]) -> Record {
        Record {
            format: FORMAT,
            runner: Runner { version: "0.1.0".to_owned() },
            started: String::new(),
            seed: 42,
            status: Status::Passed,
            scenario: ScenarioRecord {
                name: "a".to_owned(),
                about: None,
                file: "a b.toml".to_owned(),
                overrides: overrides.iter().map(|given| (*given).to_owned()).collect(),
                effective: String::new(),
                allowed_hosts: vec!["shop.test".to_owned(), "10.0.0.1".to_owned()],
                secrets: vec!["API_KEY".to_owned(), "RUNNER_DIRTY_COOKIES_SID".to_owned()],
                withheld: [("RUNNER_DIRTY_COOKIES_SID".to_owned(), "dirty.cookies.sid".to_owned())].into(),
            },
            environment: Environment::default(),
            total_s: 0.0,
            scaling: Vec::new(),
            variants: Vec::new(),
            comparison: None,
            resumed: None,
            rounds: None,
            merged: Vec::new(),
        }
    }

    fn home() -> ReportLocation<'static> {
        ReportLocation { folder: Path::new("reports/a/1"), beside: true }
    }

    #[test]
    fn a_load_without_a_file_is_repeated_from_what_it_wrote() {
        let mut record = record(&["seed=7"]);
        record.scenario.file = "load".to_owned();
        assert_eq!(pasted(&reproduce(&record, home()))[0], "reports/a/1/effective.toml");
    }

    /// What a program gets as its arguments when the command of a report is pasted into a shell.
    fn pasted(page: &str) -> Vec<String> {
        let command = page.split("```").nth(1).unwrap().strip_prefix("sh\n").unwrap();
        let script = format!("runner() {{ printf '%s\\0' \"$@\"; }}\n{command}");
        let mut shell = process::Command::new("sh");
        shell.args(["-c", &script]).env("LOAD_HEADERS_AUTHORIZATION", "Bearer x y");
        let output = shell.output().unwrap();
        assert!(output.status.success(), "{script}");
        let words = String::from_utf8(output.stdout).unwrap();
        words.trim_end_matches('\0').split('\0').map(str::to_owned).collect()
    }

    #[test]
    fn what_is_pasted_is_what_was_typed() {
        let long = format!("matrix.load.json=[{{ text = '{}' }}]", "x".repeat(1000));
        let lines = "assert.that=[\n  'errors.count == 0',\n]";
        let page = reproduce(
            &record(&[&long, lines, "load.path=/?key=${API_KEY}", "load.headers.authorization=[redacted]"]),
            home(),
        );
        let mut expected = vec!["a b.toml"];
        for given in
            [long.as_str(), lines, "load.path=/?key=${API_KEY}", "load.headers.authorization=Bearer x y", "seed=42"]
        {
            expected.extend(["--set", given]);
        }
        expected.extend(["--allow-host", "shop.test", "--allow-host", "10.0.0.1"]);
        assert_eq!(pasted(&page), expected);
        assert!(page.contains("Set `LOAD_HEADERS_AUTHORIZATION` first"), "{page}");
        assert!(page.contains("reads `API_KEY` from the environment"), "{page}");
    }

    #[test]
    fn what_no_line_holds_is_said_to_be_left_out() {
        let page = reproduce(&record(&["load.body=a\u{1b}[31mb", "seed=7"]), home());
        assert_eq!(
            pasted(&page),
            ["a b.toml", "--set", "seed=7", "--allow-host", "shop.test", "--allow-host", "10.0.0.1"]
        );
        assert!(page.contains("gave to `load.body` cannot be typed"), "{page}");
    }
}
