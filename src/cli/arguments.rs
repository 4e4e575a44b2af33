//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

#[cfg(feature = "fleet")]
pub(super) mod fleet;
pub(super) mod night;

use night::{
    Against, BaselineCommand, Exports, IndexArguments, MergeArguments, Prune, ReportsFolder, ScenarioSelection,
};

use super::Exit;
use super::log_format::LogFormat;
use crate::rule::Metric;
use crate::units::{parse_percentage, parse_rate, parse_sleep};

/// Where reports go if nothing says otherwise.
pub(super) const REPORTS: &str = "reports";

const EXAMPLES: &str = "\
Examples:
  runner scenarios/dirty.toml                               run it, leave a report under reports/dirty/latest
  runner scenarios/                                         run all of a folder, and write reports/index.html over all nights
  runner --set load.concurrency=50 scenarios/sync_sleep.toml
  runner serve scenarios/dirty.toml                         only its server, to look at in a browser
  runner serve scenarios/two_panes.toml --side-by-side      the sync and the async model beside each other, in a browser
  runner load -c 500 -d 10 http://127.0.0.1:8000/           load a server that is up, without a file
  runner sweep http://127.0.0.1:8000                        does any page show the data of another? asks all of them
  runner inspect scenarios/python_servers.toml              how many requests does each server work on at once?
  runner check scenarios/dirty.toml                         validate and show the plan, start nothing
  runner compare reports/shop/monday reports/shop/latest    what changed between two runs of a scenario
  runner merge reports-1 reports-2                          one folder of reports of those of two machines
  runner replay reports/dirty/latest 1                      provoke leak 1 of a report again, ten times
  runner new checkout                                       write a scenario and its script to start from

Exit codes: 0 passed, 1 an assertion failed, 2 arguments or scenario invalid, 3 could not run, 4 inconclusive,
130 interrupted (the report is written)";

const LOAD_EXAMPLES: &str = "\
Examples:
  runner load http://127.0.0.1:8000/                                    10 users for 10 s
  runner load -t 8 -c 500 -d 10 --latency http://127.0.0.1:8000/        with wrk's options
  runner load --body '{\"n\": 1}' -H 'content-type: application/json' http://127.0.0.1:8000/orders

A scenario file can do more: it starts the server, varies requests, judges, and leaves a report.";

const INSPECT_EXAMPLES: &str = "\
Examples:
  runner inspect scenarios/python_servers.toml                      each variant of it, about 20 s each
  runner inspect scenarios/async_sleep.toml --set load.sleep=20ms
  runner inspect http://127.0.0.1:8000/slow                         a server that is up

It sends a request alone, then more and more at once, and says how many are really worked on at once: one at a time, a pool,
any number, or a loop that something blocks. Choose a request that waits, 10 ms to 1 s, as one for a database does.";

const SWEEP_EXAMPLES: &str = "\
Examples:
  runner sweep http://127.0.0.1:8000                                  its OpenAPI document, its links and its forms
  runner sweep http://127.0.0.1:8000 --from openapi.json              what a document lists: OpenAPI, HAR, Postman, curl, a log
  runner sweep http://127.0.0.1:8000 -H 'x-user: {canary}'            each request says who asks
  runner sweep http://127.0.0.1:8000 --methods write                  POST, PUT and PATCH too; what they create is removed
  runner sweep shop.toml --from /openapi.json                         on the server of a scenario

Each request carries a value of its own, and every response is searched for those of others. Only reads are sent unless
--methods says otherwise. A scenario file can do more: log in, sign up, give values: see docs/sweep.md.";

/// Starts a web server, drives HTTP load at it, looks for one request's data in another's response, and judges
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

    #[command(flatten)]
    pub manner: Manner,
}

/// How much is printed.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Manner {
    /// No progress, only results
    #[arg(short, long, global = true)]
    pub quiet: bool,

    /// Say what happens, in milliseconds since the start: -v each part, -vv each step of the dirty check, -vvv each of its
    /// requests; if not given, what RUNNER_LOG says, as in RUNNER_LOG=info,runner::dirty=debug
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "quiet")]
    pub verbose: u8,

    /// How that is written
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text, value_name = "FORMAT")]
    pub log_format: LogFormat,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run scenarios; the same as naming them without a command
    Run(Run),
    /// Load a URL without a scenario file, as wrk does, and print the figures
    Load(Box<Load>),
    /// Find out how many requests a server really works on at once, and how: of each variant of a scenario, or of a URL
    Inspect(Inspect),
    /// Look for leaks between all requests of an application: what a document lists, or what its pages link to
    Sweep(Box<SweepArguments>),
    /// Validate scenarios and show the plan; nothing is started
    Check(Check),
    /// Run only the server of a scenario, for a browser or curl; ends with Ctrl-C
    Serve(Serve),
    /// Render the report of a record again
    Report(Report),
    /// Compare two records of one scenario; exit code 0 if they are the same, 1 if they differ, 4 if that cannot be told
    Compare(Compare),
    /// Provoke a recorded leak again, and count how often it shows; exit code 0 if it did, 4 if not, 3 if nothing can be said
    Replay(Replay),
    /// Write a new scenario and its script, to start from
    New(New),
    /// Write the page over all nights, reports/index.html, anew
    Index(IndexArguments),
    /// Put the reports of several machines into one folder, and merge records of one scenario into one
    Merge(MergeArguments),
    /// Remove old reports, and never one of a night with a failure or a leak unless told
    Prune(Prune),
    /// Keep records as a baseline that later runs are compared with
    #[command(subcommand)]
    Baseline(BaselineCommand),
    /// Drive parts of loads, and run scenarios, for other machines; ends with Ctrl-C
    #[cfg(feature = "fleet")]
    Agent(fleet::AgentArguments),
    /// Give scenarios to the agents of a pool
    #[cfg(feature = "fleet")]
    Submit(fleet::SubmitArguments),
    /// Wait for the results of scenarios that were submitted, and make one folder of reports of them
    #[cfg(feature = "fleet")]
    Wait(fleet::WaitArguments),
    /// Show which agents there are, and what they are at
    #[cfg(feature = "fleet")]
    Agents(fleet::AgentsArguments),
    /// Print the JSON Schema of scenario files, for editors
    Schema {
        /// The draft of JSON Schema that the editor knows
        #[arg(long, value_name = "DRAFT", value_parser = ["2020-12", "7", "4"], default_value = "2020-12")]
        draft: String,
    },
    /// Write definition files of all that scripts can call, for editors with a rhai language server
    Definitions(Definitions),
    /// Print a completion script for a shell
    Completions {
        /// The shell to complete in
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(super) struct Run {
    /// Scenario files (TOML), folders of them, or patterns in quotes, as in 'scenarios/**/*.toml'
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    #[command(flatten)]
    pub overrides: Overrides,

    #[command(flatten)]
    pub selection: ScenarioSelection,

    /// End with the first scenario that fails or cannot run
    #[arg(long)]
    pub fail_fast: bool,

    #[command(flatten)]
    pub reports: ReportsFolder,

    /// Take up the run that was cut off, by Ctrl-C or otherwise: scenarios and trials that it finished are not run again
    #[arg(long)]
    pub resume: bool,

    /// Serve a page on this machine that shows the run as it goes on, on this port or a free one
    #[arg(long, value_name = "PORT", num_args = 0..=1, default_missing_value = "0", require_equals = true)]
    pub live: Option<u16>,

    #[command(flatten)]
    pub against: Against,

    #[command(flatten)]
    pub exports: Exports,

    #[cfg(feature = "fleet")]
    #[command(flatten)]
    pub fleet: fleet::OnFleet,

    /// Allow load on a host that is not this machine; may be repeated
    #[arg(long = "allow-host", value_name = "HOST")]
    pub allow_hosts: Vec<String>,

    /// Print the record, one line of JSON per scenario, and nothing else to standard output
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = LOAD_EXAMPLES)]
pub(super) struct Load {
    /// The URL of every request, as in http://127.0.0.1:8000/path?query
    pub url: String,

    /// Connections, each with a user who waits for the response, 10 if not given; with --rate, the most connections
    #[arg(allow_negative_numbers = true, short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub connections: Option<u32>,

    /// How long the load lasts, 10s if not given: seconds, or with a unit as in 500ms, 10s, 1m
    #[arg(allow_negative_numbers = true, short, long, value_name = "TIME", value_parser = time)]
    pub duration: Option<Duration>,

    /// End the load after this many requests, in place of a duration
    #[arg(allow_negative_numbers = true, short = 'n', long, value_name = "N", conflicts_with = "duration")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000_000))]
    pub requests: Option<u32>,

    /// Open model: this many requests a second in total, whether or not earlier ones have a response
    #[arg(allow_negative_numbers = true, short = 'R', long, value_name = "N", value_parser = rate)]
    pub rate: Option<f64>,

    /// A header, as in "name: value"; may be repeated
    #[arg(short = 'H', long = "header", value_name = "HEADER", value_parser = header)]
    pub headers: Vec<(String, String)>,

    /// The method; GET if not given, POST with a body
    #[arg(short = 'X', long)]
    pub method: Option<String>,

    /// A body, sent as it stands
    #[arg(long, value_name = "TEXT", conflicts_with = "body_file")]
    pub body: Option<String>,

    /// A file with the body: text, sent as it stands
    #[arg(long, value_name = "FILE")]
    pub body_file: Option<PathBuf>,

    /// A request without a whole response for this long has failed, 10s if not given: seconds, or with a unit
    #[arg(allow_negative_numbers = true, long, value_name = "TIME", value_parser = time)]
    pub timeout: Option<Duration>,

    /// Threads that drive the load; chosen by runner if not given
    #[arg(allow_negative_numbers = true, short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub threads: Option<u32>,

    /// Do not verify the server's certificate
    #[arg(short = 'k', long, conflicts_with = "cacert")]
    pub insecure: bool,

    /// A file (PEM) with the CA certificates that may sign the server's certificate, in place of the system's
    #[arg(long, value_name = "FILE")]
    pub cacert: Option<PathBuf>,

    /// A file (PEM) with the client's own certificate
    #[arg(long, value_name = "FILE")]
    pub cert: Option<PathBuf>,

    /// A file (PEM) with the key of --cert; the same file if not given
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,

    /// Connect to this address (host:port) in place of that of the URL; the requests still name the host of the URL
    #[arg(long, value_name = "ADDRESS")]
    pub connect_to: Option<String>,

    /// Connect to this Unix socket in place of the address of the URL; `@NAME` has no file
    #[arg(long, value_name = "PATH", conflicts_with = "connect_to")]
    pub unix_socket: Option<PathBuf>,

    /// HTTP/2: over https the server must agree to it (ALPN), over http it must expect it
    #[arg(long)]
    pub http2: bool,

    /// HTTP/2: this many concurrent requests, and users, on each connection, 1 if not given; more connections if the server
    /// allows fewer
    #[arg(short = 'm', long, value_name = "N", requires = "http2")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub streams: Option<u32>,

    /// HTTP/1.1: each user sends this many requests at once, and again after the last response; 1 if not given
    #[arg(long, value_name = "N", conflicts_with_all = ["http2", "rate"])]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub pipeline: Option<u32>,

    /// An address of this machine that connections come from, or a range as in 127.0.0.2-127.0.0.9; may be repeated
    #[arg(long = "source", value_name = "ADDRESS")]
    pub sources: Vec<String>,

    /// Accepted because wrk has it; the latencies are always shown
    #[arg(long)]
    pub latency: bool,

    /// Allow load on a host that is not this machine; may be repeated
    #[arg(long = "allow-host", value_name = "HOST")]
    pub allow_hosts: Vec<String>,

    /// Write a report below this folder; nothing is written if not given
    #[arg(long, value_name = "DIR")]
    pub reports: Option<PathBuf>,

    /// Print the record as one line of JSON, and nothing else to standard output
    #[arg(long)]
    pub json: bool,
}

/// Seconds, as wrk has them, or a duration with its unit; not zero.
fn time(text: &str) -> Result<Duration, String> {
    let refused =
        |_| format!("`{text}` is not a duration: write seconds, at most 86400, or a unit as in 500ms, 10s or 1m");
    let time = parse_sleep(text).map_err(refused)?;
    if time.is_zero() { Err("no time at all; write as in 10, 500ms or 1m".to_owned()) } else { Ok(time) }
}

/// A number a second, as wrk2 has it, or a rate with its unit; not zero.
fn rate(text: &str) -> Result<f64, String> {
    let whole = if text.contains('/') { text.to_owned() } else { format!("{text}/s") };
    let rate = parse_rate(&whole).map_err(|error| error.to_string())?.0;
    if rate > 0.0 { Ok(rate) } else { Err("nothing is ever sent; write as in 2000 or 90/m".to_owned()) }
}

/// The value of `--metric`.
fn metric(text: &str) -> Result<Metric, String> {
    Metric::parse(text)
        .ok_or_else(|| format!("unknown metric `{text}`; docs/scenario.md lists them, as in latency.p99"))
}

/// The value of `--tolerance`, as a share.
fn tolerance(text: &str) -> Result<f64, String> {
    parse_percentage(text).map_err(|error| error.to_string())
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("no colon in it; write as in \"accept: text/html\"")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

#[derive(Debug, Args)]
#[command(after_help = INSPECT_EXAMPLES)]
pub(super) struct Inspect {
    /// A scenario file (TOML) with a [load], whose request is sent; or the URL of a server that is up
    #[arg(value_name = "FILE|URL")]
    pub subject: String,

    /// The path, with its query, to send in place of the file's or the URL's
    #[arg(long, value_name = "PATH")]
    pub path: Option<String>,

    #[command(flatten)]
    pub overrides: Overrides,

    #[command(flatten)]
    pub reports: ReportsFolder,

    /// Allow load on a host that is not this machine; may be repeated
    #[arg(long = "allow-host", value_name = "HOST")]
    pub allow_hosts: Vec<String>,

    /// Print the record as one line of JSON, and nothing else to standard output
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = SWEEP_EXAMPLES)]
pub(super) struct SweepArguments {
    /// The URL of a server that is up, or a scenario file (TOML) whose server is started
    #[arg(value_name = "URL|FILE")]
    pub subject: String,

    /// What lists the requests: a file (OpenAPI, HAR, Postman, curl lines, access log), or a path on the server, which begins
    /// with `/`; the path of the URL if not given, with the usual places of OpenAPI documents, and links and forms
    #[arg(long, value_name = "FILE|PATH")]
    pub from: Option<String>,

    /// What the paths of the document begin with on this server, as in /api; found out if not given, where the server gives it
    #[arg(long, value_name = "PATH")]
    pub base: Option<String>,

    /// Which requests are sent: `read`, `write` (also POST, PUT, PATCH) or `delete` (also DELETE of what was created)
    #[arg(long, value_name = "WHICH", value_parser = ["read", "write", "delete"])]
    pub methods: Option<String>,

    /// Requests not to send, by method and path, as in "POST /emails", or all below a path, as in /admin/; may be repeated
    #[arg(long, value_name = "REQUEST")]
    pub leave_out: Vec<String>,

    /// A header of every request, as in "x-user: {canary}"; may be repeated
    #[arg(short = 'H', long = "header", value_name = "HEADER", value_parser = header)]
    pub headers: Vec<(String, String)>,

    /// How long the sweep may take, 2m if not given: seconds, or with a unit as in 90s, 5m
    #[arg(allow_negative_numbers = true, short, long, value_name = "TIME", value_parser = time)]
    pub time: Option<Duration>,

    /// The most requests a second
    #[arg(allow_negative_numbers = true, short = 'R', long, value_name = "N", value_parser = rate)]
    pub rate: Option<f64>,

    /// The most requests at once; chosen by runner if not given
    #[arg(allow_negative_numbers = true, short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=1024))]
    pub concurrency: Option<u32>,

    #[command(flatten)]
    pub overrides: Overrides,

    #[command(flatten)]
    pub reports: ReportsFolder,

    /// Allow requests to a host that is not this machine; may be repeated
    #[arg(long = "allow-host", value_name = "HOST")]
    pub allow_hosts: Vec<String>,

    /// Print the record as one line of JSON, and nothing else to standard output
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Check {
    /// Scenario files (TOML), folders of them, or patterns in quotes
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    #[command(flatten)]
    pub overrides: Overrides,

    #[command(flatten)]
    pub selection: ScenarioSelection,

    /// Print each scenario as it is meant, with all that it includes, as TOML
    #[arg(long)]
    pub effective: bool,
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

    /// Which server, if a matrix has several: a variant's name or a value of the matrix; the first if not given
    #[arg(long, value_name = "NAME")]
    pub variant: Option<String>,

    /// Two servers, and a page with a pane for each that drives it: the first two variants, or those of --variant and --beside
    #[arg(long)]
    pub side_by_side: bool,

    /// The server of the second pane, as --variant names that of the first
    #[arg(long, value_name = "NAME", requires = "side_by_side")]
    pub beside: Option<String>,

    /// Allow handlers to fetch from a host that is not this machine; may be repeated
    #[arg(long = "allow-host", value_name = "HOST")]
    pub allow_hosts: Vec<String>,
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
pub(super) struct Compare {
    /// A record.json, or the folder that holds it
    pub before: PathBuf,

    /// The other one
    pub after: PathBuf,

    /// How far figures may be apart and still count as the same
    #[arg(allow_negative_numbers = true, long, value_name = "PERCENT", default_value = "5%", value_parser = tolerance)]
    pub tolerance: f64,

    /// The metric that decides, as in latency.p99; if not given, throughput, or latency.p99 where arrivals have a rate
    #[arg(long, value_name = "METRIC", value_parser = metric)]
    pub metric: Option<Metric>,

    /// A key in which the records are meant to differ, as in server.workers, server or runner.version; may be repeated
    #[arg(long, value_name = "KEY")]
    pub differing: Vec<String>,

    /// Print the comparison as one line of JSON, and nothing else to standard output
    #[arg(long)]
    pub json: bool,

    /// Write the comparison as a page, too
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Replay {
    /// A record.json, or the folder that holds it
    pub record: PathBuf,

    /// The leak: its number in the report, or its class, as in shared_slot
    pub leak: String,

    /// The scenario's file, if it has moved: runner takes from it what the record does not show
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,

    /// How often to try
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub times: u64,

    /// Look for the lines of the server's code that wrote the value and that read it, too
    #[arg(long)]
    pub locate: bool,

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

    /// Requests from what you have: an OpenAPI document, a HAR, a Postman collection, an access log, curl lines, or - for
    /// standard input
    #[arg(long, value_name = "FILE|CURL")]
    pub from: Option<String>,
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
    super::print::out(&String::from_utf8_lossy(&script))
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

    #[test]
    fn the_words_of_wrk_mean_what_they_mean_there() {
        let words = ["runner", "load", "-t8", "-c", "500", "-d", "1m", "--latency", "-H", "a: b:c", "http://a/"];
        let Some(Command::Load(load)) = Arguments::try_parse_from(words).unwrap().command else { panic!() };
        assert_eq!(
            (load.threads, load.connections, load.duration),
            (Some(8), Some(500), Some(Duration::from_secs(60)))
        );
        assert_eq!(load.headers, [("a".to_owned(), "b:c".to_owned())]);
        assert_eq!((time("10"), rate("2000"), rate("90/m")), (Ok(Duration::from_secs(10)), Ok(2000.0), Ok(1.5)));
        assert!(time("0").is_err() && time("x").is_err() && rate("0").is_err() && header("a").is_err());
    }
}
