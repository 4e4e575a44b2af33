//! What can be typed.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use super::Exit;

const EXAMPLES: &str = "\
Examples:
  runner scenarios/dirty.toml                               run it, leave a report under reports/dirty/latest
  runner scenarios/*.toml                                   run several, one after the other
  runner --set load.concurrency=50 scenarios/sync_sleep.toml
  runner serve scenarios/dirty.toml                         only its server, to look at in a browser
  runner check scenarios/dirty.toml                         validate and show the plan, start nothing
  runner replay reports/dirty/latest 1                      provoke leak 1 of a report again, ten times
  runner new checkout                                       write a scenario and its script to start from

Exit codes: 0 passed, 1 an assertion failed, 2 arguments or scenario invalid, 3 could not run, 4 inconclusive,
130 interrupted (the report is written)";

/// Starts a web server, loads it, looks for requests that leak into each other, and judges
#[derive(Debug, Parser)]
#[command(name = "runner", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
#[command(arg_required_else_help = true, max_term_width = 120)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub command: Option<Command>,

    #[command(flatten)]
    pub run: Run,

    /// When to use colours; NO_COLOR wins over `auto`
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub color: Color,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run scenarios; the same as naming them without a command
    Run(Run),
    /// Validate scenarios and show what would be done; nothing is started
    Check(Check),
    /// Run only the server of a scenario, for a browser or curl; ends with Ctrl-C
    Serve(Serve),
    /// Render a record's report again
    Report(Report),
    /// Provoke a recorded leak again, and count how often it shows: exits with 0 if it did, with 4 if not
    Replay(Replay),
    /// Write a new scenario with its script, to start from
    New(New),
    /// Print the JSON Schema of scenario files, for editors
    Schema,
    /// Write definition files of what scripts can use, for editors with a rhai language server
    Definitions(Definitions),
    /// Print a completion script for a shell
    Completions {
        /// The shell to complete in
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(super) struct Run {
    /// Scenario files (TOML)
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    #[command(flatten)]
    pub overrides: Overrides,

    /// Where reports go, a folder per scenario
    #[arg(long, value_name = "DIR", default_value = "reports", env = "RUNNER_REPORTS")]
    pub reports: PathBuf,

    /// Allow load on a host that is not this machine; may be repeated
    #[arg(long = "allow-host", value_name = "HOST")]
    pub allow_hosts: Vec<String>,

    /// Print the record, one line of JSON per scenario, and nothing else to standard output
    #[arg(long)]
    pub json: bool,

    /// No progress, only results
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Say when each part begins and ends, in milliseconds since the start
    #[arg(short, long)]
    pub verbose: bool,
}

#[derive(Debug, Args)]
pub(super) struct Check {
    /// Scenario files (TOML)
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    #[command(flatten)]
    pub overrides: Overrides,
}

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Scenario file (TOML)
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    #[command(flatten)]
    pub overrides: Overrides,

    /// The port to listen on, 0 for a free one; if not given that of the scenario, or 8000
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,

    /// Which server, where a matrix has several: a variant's name or a value of the matrix; the first if not given
    #[arg(long, value_name = "NAME")]
    pub variant: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Overrides {
    /// Override a key of the scenario, as in --set load.concurrency=50; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct Report {
    /// A record.json, or the folder that holds it
    pub record: PathBuf,

    /// Where to write; next to the record by default
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Replay {
    /// A record.json, or the folder that holds it
    pub record: PathBuf,

    /// The leak: its number in the report, or its class, as in shared_slot
    pub leak: String,

    /// How often to try
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub times: u64,

    /// Allow requests to a host that is not this machine; may be repeated
    #[arg(long = "allow-host", value_name = "HOST")]
    pub allow_hosts: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct New {
    /// The scenario's name: letters, digits, - and _
    pub name: String,

    /// The folder for it
    #[arg(long, value_name = "DIR", default_value = "scenarios")]
    pub folder: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Definitions {
    /// The folder for them; files of the same names are replaced
    #[arg(value_name = "DIR", default_value = ".rhai/definitions")]
    pub folder: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Color {
    Auto,
    Always,
    Never,
}

impl Color {
    /// Sets it for everything that is printed from now on.
    pub fn apply(self) {
        let choice = match self {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::AlwaysAnsi,
            Color::Never => anstream::ColorChoice::Never,
        };
        choice.write_global();
    }
}

pub(super) fn print_completions(shell: clap_complete::Shell) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "runner", &mut script);
    super::print_out(&String::from_utf8_lossy(&script))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_file_needs_no_command() {
        let arguments = Arguments::try_parse_from(["runner", "a.toml", "b.toml", "--set", "x=1"]).unwrap();
        assert_eq!((arguments.run.files.len(), arguments.run.overrides.set.len()), (2, 1));
        assert!(Arguments::try_parse_from(["runner", "check", "a.toml"]).is_ok());
        assert!(Arguments::try_parse_from(["runner", "schema"]).is_ok());
        assert!(Arguments::try_parse_from(["runner", "run"]).is_err());
    }
}
